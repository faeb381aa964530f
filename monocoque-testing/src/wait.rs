//! Time limits of tests, and ways to wait within them.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit of a test. No step takes this long unless a message is lost or a thread hangs. It
/// is longer under `scripts/tsan.sh`.
pub const DEADLINE: Duration =
    Duration::from_secs(if option_env!("MONOCOQUE_SLOW").is_some() { 600 } else { 30 });

/// Runs `work` on a thread and fails, instead of hanging, if it takes longer than `limit`.
pub fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (running, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let _running = running;
        work();
    });
    match ended.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => panic!("the work has not ended within {limit:?}"),
        _ => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// Yields to other tasks and threads.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        thread::yield_now();
        Poll::Pending
    })
    .await;
}

/// [`at_once`] as a method.
pub trait AtOnce: Future + Sized {
    fn at_once(self) -> Option<Self::Output> {
        at_once(self)
    }
}

impl<F: Future> AtOnce for F {}

/// Returns the output of a future that does not wait, and `None` if it waits. It may yield first.
pub fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let yielded = Arc::new(Woken::default());
    let waker = yielded.clone().into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if yielded.0.swap(false, Ordering::Relaxed) => {}
            Poll::Pending => return None,
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until a condition holds that has no event to wait for.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    eventually_async(what, async || holds()).await;
}

/// [`eventually`] for a condition that is evaluated by an async call.
pub async fn eventually_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE / 2, "timed out waiting until {what}");
        yield_now().await;
    }
}
