//! Blocking for a future on a thread without an executor.
//!
//! It uses no thread-locals: it works in their destructors and in exit handlers, where they are
//! gone.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Parks the thread until `future` is ready, and returns its output.
///
/// ```
/// assert_eq!(monocoque_core::block_on(async { 7 }), 7);
/// ```
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(parker.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => parker.park(),
        }
    }
}

#[derive(Debug, Default)]
struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    /// Waits until it is woken, or returns at once if it was woken since the last time.
    fn park(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut *woken) {
            woken = self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::thread;

    use super::*;

    #[test]
    fn block_on_repolls_when_woken() {
        let mut polled = 0;
        let counted = block_on(poll_fn(|cx| {
            polled += 1;
            match polled {
                1 => {
                    let waker = cx.waker().clone();
                    thread::spawn(move || waker.wake());
                    Poll::Pending
                }
                2 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                _ => Poll::Ready(polled),
            }
        }));
        assert_eq!(counted, 3);
    }
}
