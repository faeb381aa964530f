//! Waiting without an executor: the thread is parked until the future can go on.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Wakes a thread that waits for a future.
#[derive(Debug)]
struct Parked {
    thread: Thread,
    /// Somebody has parked and unparked this thread for reasons of their own if it is not set.
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Polls `future` to its end on this thread, which sleeps while there is nothing to do.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        /// Not there while it is in use, so that a call within a call has one of its own.
        static PARKED: Cell<Option<Arc<Parked>>> = const { Cell::new(None) };
    }
    let kept = PARKED.try_with(Cell::take).ok().flatten();
    let parked =
        kept.unwrap_or_else(|| Arc::new(Parked { thread: thread::current(), woken: AtomicBool::new(false) }));
    let waker = Waker::from(parked.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
            // Where the thread ends there is nowhere to keep it.
            let _kept = PARKED.try_with(|kept| kept.set(Some(parked)));
            return result;
        }
        while !parked.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_is_unparked_by_others_goes_on_waiting() {
        let (thread, mut polls) = (thread::current(), 0);
        let waited = poll_fn(|cx| {
            polls += 1;
            if polls > 1 {
                return Poll::Ready(());
            }
            let (thread, waker) = (thread.clone(), cx.waker().clone());
            thread::spawn(move || {
                for _ in 0..10 {
                    thread.unpark();
                    thread::sleep(Duration::from_millis(1));
                }
                waker.wake();
            });
            Poll::Pending
        });
        wait(waited);
        assert_eq!(polls, 2);
    }

    #[test]
    fn a_wait_within_a_wait_takes_no_wake_up_from_it() {
        let mut first = true;
        wait(poll_fn(|cx| {
            if std::mem::replace(&mut first, false) {
                cx.waker().wake_by_ref();
                let mut inner = true;
                wait(poll_fn(|cx| {
                    if std::mem::replace(&mut inner, false) {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Poll::Ready(())
                }));
                return Poll::Pending;
            }
            Poll::Ready(())
        }));
    }
}
