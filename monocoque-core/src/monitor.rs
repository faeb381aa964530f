//! Events, told to all who listen.
//!
//! Whoever tells them never waits: each listener has a queue of its own, and one that does not keep up loses the oldest
//! events and learns how many.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use crate::process_id;
use crate::runtime::run_outside_panic;
use crate::runtime::yielding::Yield;
use crate::sync::Mutex;
use futures_util::Stream;

/// Tells events to its [`Monitor`]s.
///
/// ```
/// use futures_util::{FutureExt, StreamExt};
/// use monocoque_core::{Lagged, Monitors};
///
/// #[derive(Clone, Debug, PartialEq)]
/// enum Event {
///     Up,
///     Missed(u64),
/// }
///
/// impl From<Lagged> for Event {
///     fn from(Lagged(events): Lagged) -> Self {
///         Self::Missed(events)
///     }
/// }
///
/// let monitors = Monitors::default();
/// let mut monitor = monitors.watch();
/// monitors.tell(|| Event::Up);
/// monitors.end();
/// assert_eq!(monitor.next().now_or_never(), Some(Some(Event::Up)));
/// assert_eq!(monitor.next().now_or_never(), Some(None));
/// ```
#[derive(Debug)]
pub struct Monitors<T> {
    listeners: Mutex<Listeners<T>>,
}

/// How many events a [`Monitor`] has lost, the oldest ones of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

/// A stream of the events since it was made; it ends when there will be no more, and in a process that is forked at once.
///
/// Holds up to 1024 events that were not taken. When there are more the oldest are lost, and the next item is a [`Lagged`].
/// Dropping the future of its next item loses nothing. A task that takes event after event [yields](crate::runtime::yielding) at times.
#[derive(Debug)]
pub struct Monitor<T> {
    queue: Arc<Mutex<Queue<T>>>,
    yields: Yield,
    /// The process that it belongs to.
    process: u32,
}

impl<T> Monitor<T> {
    fn is_foreign(&self) -> bool {
        self.process != process_id()
    }
}

#[derive(Debug)]
struct Listeners<T> {
    queues: Vec<Weak<Mutex<Queue<T>>>>,
    ended: bool,
}

#[derive(Debug)]
struct Queue<T> {
    events: VecDeque<T>,
    lost: u64,
    ended: bool,
    reader: Option<Waker>,
}

impl<T: Clone> Monitors<T> {
    /// A monitor of all that is told from now on.
    pub fn watch(&self) -> Monitor<T> {
        let mut listeners = self.listeners.lock();
        let queue = Queue { events: VecDeque::new(), lost: 0, ended: listeners.ended, reader: None };
        let queue = Arc::new(Mutex::new(queue));
        if !listeners.ended {
            listeners.queues.push(Arc::downgrade(&queue));
        }
        Monitor { queue, yields: Yield::default(), process: process_id() }
    }

    /// Tells an event, which is not made if nobody listens.
    pub fn tell(&self, event: impl FnOnce() -> T) {
        wake(self.tell_quietly(event));
    }

    /// As [`tell`](Self::tell), for whoever holds a lock: gives those who are to be woken.
    #[must_use = "they are to be woken"]
    pub fn tell_quietly(&self, event: impl FnOnce() -> T) -> Vec<Waker> {
        let mut listeners = self.listeners.lock();
        if listeners.queues.is_empty() {
            return Vec::new();
        }
        let event = event();
        listeners.each(|queue| {
            if queue.events.len() == CAPACITY {
                queue.events.pop_front();
                queue.lost += 1;
            }
            queue.events.push_back(event.clone());
        })
    }

    /// There will be no more: all monitors end with what they hold.
    pub fn end(&self) {
        let mut listeners = self.listeners.lock();
        listeners.ended = true;
        let wakers = listeners.each(|queue| queue.ended = true);
        listeners.queues = Vec::new();
        drop(listeners);
        wake(wakers);
    }
}

impl<T> Listeners<T> {
    /// Changes the queues of all who still listen, and gives those who are to be woken.
    fn each(&mut self, mut change: impl FnMut(&mut Queue<T>)) -> Vec<Waker> {
        let mut wakers = Vec::new();
        self.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut queue = queue.lock();
            change(&mut queue);
            wakers.extend(queue.reader.take());
            true
        });
        wakers
    }
}

impl<T> Default for Monitors<T> {
    fn default() -> Self {
        Self { listeners: Mutex::new(Listeners { queues: Vec::new(), ended: false }) }
    }
}

impl<T: From<Lagged>> Stream for Monitor<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.is_foreign() {
            return Poll::Ready(None);
        }
        let Self { queue, yields, .. } = self.get_mut();
        let mut queue = queue.lock();
        if (queue.lost > 0 || !queue.events.is_empty()) && yields.is_due() {
            drop(queue);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if queue.lost > 0 {
            return Poll::Ready(Some(Lagged(std::mem::take(&mut queue.lost)).into()));
        }
        match queue.events.pop_front() {
            None if !queue.ended => {
                queue.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            event => Poll::Ready(event),
        }
    }
}

impl<T> Drop for Monitor<T> {
    fn drop(&mut self) {
        if self.is_foreign() {
            // Nothing of the parent's is touched.
            std::mem::forget(self.queue.clone());
        }
    }
}

fn wake(wakers: Vec<Waker>) {
    if !wakers.is_empty() {
        run_outside_panic(move || wakers.into_iter().for_each(Waker::wake));
    }
}

/// How many events wait for a listener.
const CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Event {
        Number(usize),
        Lost(u64),
    }

    impl From<Lagged> for Event {
        fn from(Lagged(events): Lagged) -> Self {
            Self::Lost(events)
        }
    }

    fn next(monitor: &mut Monitor<Event>) -> Option<Option<Event>> {
        // It may yield once.
        monitor.next().now_or_never().or_else(|| monitor.next().now_or_never())
    }

    #[test]
    fn each_monitor_hears_what_was_told_since_it_was_made() {
        let monitors = Monitors::default();
        monitors.tell(|| unreachable!("nobody listens"));
        let mut first = monitors.watch();
        monitors.tell(|| Event::Number(1));
        let mut second = monitors.watch();
        monitors.tell(|| Event::Number(2));
        assert_eq!(next(&mut first), Some(Some(Event::Number(1))));
        for monitor in [&mut first, &mut second] {
            assert_eq!(next(monitor), Some(Some(Event::Number(2))));
            assert_eq!(next(monitor), None);
        }
        monitors.end();
        assert_eq!((next(&mut first), next(&mut second)), (Some(None), Some(None)));
        assert_eq!(next(&mut monitors.watch()), Some(None), "too late");
    }

    #[test]
    fn one_that_lags_loses_the_oldest_and_learns_how_many() {
        let monitors = Monitors::default();
        let (mut lags, mut keeps_up) = (monitors.watch(), monitors.watch());
        for n in 0..CAPACITY + 3 {
            monitors.tell(|| Event::Number(n));
            assert_eq!(next(&mut keeps_up), Some(Some(Event::Number(n))));
        }
        assert_eq!(next(&mut lags), Some(Some(Event::Lost(3))));
        for n in 3..CAPACITY + 3 {
            assert_eq!(next(&mut lags), Some(Some(Event::Number(n))));
        }
        assert_eq!(next(&mut lags), None);
    }

    #[test]
    fn a_reader_that_waits_is_woken_and_one_that_is_gone_is_forgotten() {
        let monitors = Arc::new(Monitors::default());
        let (mut stays, goes) = (monitors.watch(), monitors.watch());
        drop(goes);
        let teller = monitors.clone();
        let told = std::thread::spawn(move || teller.tell(|| Event::Number(7)));
        assert_eq!(
            compio::runtime::Runtime::new().expect("a runtime").block_on(stays.next()),
            Some(Event::Number(7))
        );
        told.join().expect("told");
        assert_eq!(monitors.listeners.lock().queues.len(), 1);
    }
}
