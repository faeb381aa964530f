//! A one-shot cancellation signal with many waiters.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::{Either, select};
use monocoque_core::sync::Mutex;
use monocoque_core::{WaitGuard, Waiters};

/// A cancellation token: ends the tasks of an endpoint, or signals that a task is done. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct CancellationToken(Arc<Mutex<Signal>>);

#[derive(Debug, Default)]
struct Signal {
    is_cancelled: bool,
    waiters: Waiters,
}

impl CancellationToken {
    /// Cancels the token, for all its clones.
    pub(crate) fn cancel(&self) {
        let mut signal = self.0.lock();
        signal.is_cancelled = true;
        let waiters = signal.waiters.drain();
        drop(signal);
        waiters.into_iter().for_each(std::task::Waker::wake);
    }

    /// Returns whether `other` is a clone of this token.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.lock().is_cancelled
    }

    /// Waits until the token is cancelled.
    pub(crate) async fn cancelled(&self) {
        let mut guard = WaitGuard::new(|ticket| drop(self.0.lock().waiters.remove(ticket)));
        poll_fn(|cx| {
            let mut signal = self.0.lock();
            if signal.is_cancelled {
                return Poll::Ready(());
            }
            signal.waiters.wait(&mut guard.ticket, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Awaits `work` unless the token is cancelled first; then `work` is dropped.
    pub(crate) async fn run_until_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let cancelled = std::pin::pin!(self.cancelled());
        match select(cancelled, std::pin::pin!(work)).await {
            Either::Left(_) => None,
            Either::Right((result, _)) => Some(result),
        }
    }
}

/// Cancels its token when dropped, also when its task ends with the runtime.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) CancellationToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
