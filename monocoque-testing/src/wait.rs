//! How long a test may take, and waiting meanwhile.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes this long unless something is lost, or a thread hangs.
/// `scripts/tsan.sh` asks for patience.
pub const DEADLINE: Duration =
    Duration::from_secs(if option_env!("MONOCOQUE_SLOW").is_some() { 600 } else { 30 });

/// Does work that must come to its end in time: fails, and does not hang, if it does not.
pub fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (running, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let _running = running;
        work();
    });
    match ended.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => panic!("it has not ended within {limit:?}"),
        _ => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// Lets others run.
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

/// [`at_once`], as a method.
pub trait AtOnce: Future + Sized {
    fn at_once(self) -> Option<Self::Output> {
        at_once(self)
    }
}

impl<F: Future> AtOnce for F {}

/// What a future gives without waiting; `None` if it has to. It may yield before.
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

/// Waits for something that there is no event for.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    eventually_async(what, async || holds()).await;
}

/// As [`eventually`], for what takes a call to find out.
pub async fn eventually_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE / 2, "not in time: {what}");
        yield_now().await;
    }
}
