//! How long a test may take, and waiting meanwhile.

use std::future::poll_fn;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes this long unless something is lost, or a thread hangs.
/// `scripts/tsan.sh` asks for patience.
pub(crate) const DEADLINE: Duration =
    Duration::from_secs(if option_env!("MONOCOQUE_SLOW").is_some() { 600 } else { 30 });

/// Does work that must come to its end in time: fails, and does not hang, if it does not.
pub(crate) fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
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
pub(crate) async fn yield_now() {
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

/// Waits for something that there is no event for.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    eventually_async(what, async || holds()).await;
}

/// As [`eventually`], for what takes a call to find out.
pub(crate) async fn eventually_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE / 2, "not in time: {what}");
        yield_now().await;
    }
}
