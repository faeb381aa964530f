//! A word that is said once and heard by all: stop, or done.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::{Either, select};
use monocoque_core::sync::Mutex;
use monocoque_core::{WaitGuard, Waiters};

/// Tells the tasks of one endpoint that it is no longer wanted, or the other way that they are done. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    said: bool,
    listeners: Waiters,
}

impl Stop {
    /// Says it.
    pub(crate) fn say(&self) {
        let mut state = self.0.lock();
        state.said = true;
        let listeners = state.listeners.drain();
        drop(state);
        listeners.into_iter().for_each(std::task::Waker::wake);
    }

    /// Whether this is the same word.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether it was said.
    pub(crate) fn is_said(&self) -> bool {
        self.0.lock().said
    }

    /// Waits for it.
    pub(crate) async fn said(&self) {
        let mut seat = WaitGuard::new(|ticket| drop(self.0.lock().listeners.remove(ticket)));
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if state.said {
                return Poll::Ready(());
            }
            state.listeners.wait(&mut seat.ticket, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Awaits `work` unless the word comes first; then `work` is dropped.
    pub(crate) async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let said = std::pin::pin!(self.said());
        match select(said, std::pin::pin!(work)).await {
            Either::Left(_) => None,
            Either::Right((result, _)) => Some(result),
        }
    }
}

/// Says the word when it is dropped: also when its task ends with the runtime.
#[derive(Debug)]
pub(crate) struct SayAtEnd(pub(crate) Stop);

impl Drop for SayAtEnd {
    fn drop(&mut self) {
        self.0.say();
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
