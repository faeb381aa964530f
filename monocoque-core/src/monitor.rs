//! Events for monitors.
//!
//! Emitting never waits: each monitor has a queue of its own. A monitor that does not keep up loses
//! the oldest events, and gets their number.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use crate::process_id;
use crate::runtime::block_on;
use crate::runtime::run_outside_panic;
use crate::runtime::yielding::Yield;
use crate::sync::Mutex;
use futures_util::Stream;

/// The source of events for any number of [`Monitor`]s.
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
/// monitors.emit(|| Event::Up);
/// monitors.close();
/// assert_eq!(monitor.next().now_or_never(), Some(Some(Event::Up)));
/// assert_eq!(monitor.next().now_or_never(), Some(None));
/// ```
#[derive(Debug)]
pub struct Monitors<T> {
    queues: Mutex<EventQueues<T>>,
}

/// The number of events that a [`Monitor`] has lost, the oldest of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

/// A stream of the events since it was created. It ends with its source, and at once in a forked
/// process.
///
/// It holds up to 1024 events. With more, the oldest are lost, and the next item is a [`Lagged`].
/// The future of its next item is cancel safe. A task that takes event after event
/// [yields](crate::runtime::yielding) at times.
#[derive(Debug)]
pub struct Monitor<T> {
    queue: Arc<Mutex<EventQueue<T>>>,
    yields: Yield,
    /// The process that created it.
    process: u32,
}

impl<T> Monitor<T> {
    fn is_forked(&self) -> bool {
        self.process != process_id()
    }
}

#[derive(Debug)]
struct EventQueues<T> {
    queues: Vec<Weak<Mutex<EventQueue<T>>>>,
    is_closed: bool,
}

#[derive(Debug)]
struct EventQueue<T> {
    events: VecDeque<T>,
    lost: u64,
    is_closed: bool,
    reader: Option<Waker>,
}

impl<T: Clone> Monitors<T> {
    /// Returns a monitor of all events from now on.
    pub fn watch(&self) -> Monitor<T> {
        let mut source = self.queues.lock();
        let queue =
            EventQueue { events: VecDeque::new(), lost: 0, is_closed: source.is_closed, reader: None };
        let queue = Arc::new(Mutex::new(queue));
        if !source.is_closed {
            source.queues.push(Arc::downgrade(&queue));
        }
        Monitor { queue, yields: Yield::default(), process: process_id() }
    }

    /// Emits an event, which is not created without a monitor.
    pub fn emit(&self, event: impl FnOnce() -> T) {
        wake(self.emit_deferred(event));
    }

    /// As [`emit`](Self::emit), for a caller that holds a lock: returns the readers to be woken.
    #[must_use = "they are to be woken"]
    pub fn emit_deferred(&self, event: impl FnOnce() -> T) -> Vec<Waker> {
        let mut source = self.queues.lock();
        if source.queues.is_empty() {
            return Vec::new();
        }
        let event = event();
        source.update_all(|queue| {
            if queue.events.len() == CAPACITY {
                queue.events.pop_front();
                queue.lost += 1;
            }
            queue.events.push_back(event.clone());
        })
    }

    /// Ends all monitors, once their events are taken.
    pub fn close(&self) {
        let mut source = self.queues.lock();
        source.is_closed = true;
        let wakers = source.update_all(|queue| queue.is_closed = true);
        source.queues = Vec::new();
        drop(source);
        wake(wakers);
    }
}

impl<T> EventQueues<T> {
    /// Changes the queues of all monitors, and returns the readers to be woken.
    fn update_all(&mut self, mut change: impl FnMut(&mut EventQueue<T>)) -> Vec<Waker> {
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
        Self { queues: Mutex::new(EventQueues { queues: Vec::new(), is_closed: false }) }
    }
}

impl<T: From<Lagged>> Monitor<T> {
    /// Waits for the next event; `None` once the source has ended and all its events are taken.
    /// Cancel safe: an event is either returned or still queued.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Takes the next event, if one is queued. Never yields.
    pub fn try_recv(&mut self) -> Option<T> {
        if self.is_forked() { None } else { self.queue.lock().take() }
    }

    /// Waits for the next event as [`recv`](Self::recv) does, on a thread without an executor. Not
    /// for the thread on which the events are emitted: it would wait for ever.
    pub fn blocking_recv(&mut self) -> Option<T> {
        block_on(self.recv())
    }
}

impl<T: From<Lagged>> EventQueue<T> {
    /// Takes the next event, or the number of those lost before it.
    fn take(&mut self) -> Option<T> {
        match std::mem::take(&mut self.lost) {
            0 => self.events.pop_front(),
            lost => Some(Lagged(lost).into()),
        }
    }
}

impl<T: From<Lagged>> Stream for Monitor<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.is_forked() {
            return Poll::Ready(None);
        }
        let Self { queue, yields, .. } = self.get_mut();
        let mut queue = queue.lock();
        if (queue.lost > 0 || !queue.events.is_empty()) && yields.is_due() {
            drop(queue);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match queue.take() {
            None if !queue.is_closed => {
                queue.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            event => Poll::Ready(event),
        }
    }
}

impl<T> Drop for Monitor<T> {
    fn drop(&mut self) {
        if self.is_forked() {
            // Nothing of the parent is touched.
            std::mem::forget(self.queue.clone());
        }
    }
}

fn wake(wakers: Vec<Waker>) {
    if !wakers.is_empty() {
        run_outside_panic(move || wakers.into_iter().for_each(Waker::wake));
    }
}

/// The most events that a monitor holds.
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
    fn monitor_receives_events_since_creation() {
        let monitors = Monitors::default();
        monitors.emit(|| unreachable!("no monitor"));
        let mut first = monitors.watch();
        monitors.emit(|| Event::Number(1));
        let mut second = monitors.watch();
        monitors.emit(|| Event::Number(2));
        assert_eq!(next(&mut first), Some(Some(Event::Number(1))));
        for monitor in [&mut first, &mut second] {
            assert_eq!(next(monitor), Some(Some(Event::Number(2))));
            assert_eq!(next(monitor), None);
        }
        monitors.close();
        assert_eq!((first.try_recv(), next(&mut first), next(&mut second)), (None, Some(None), Some(None)));
        assert_eq!(next(&mut monitors.watch()), Some(None), "too late");
    }

    #[test]
    fn lagging_monitor_reports_lost_count() {
        let monitors = Monitors::default();
        let (mut lags, mut keeps_up) = (monitors.watch(), monitors.watch());
        for n in 0..CAPACITY + 3 {
            monitors.emit(|| Event::Number(n));
            assert_eq!(next(&mut keeps_up), Some(Some(Event::Number(n))));
        }
        assert_eq!(next(&mut lags), Some(Some(Event::Lost(3))));
        for n in 3..CAPACITY + 3 {
            assert_eq!(next(&mut lags), Some(Some(Event::Number(n))));
        }
        assert_eq!(next(&mut lags), None);
    }

    #[test]
    fn waiting_monitor_wakes_dropped_is_removed() {
        let monitors = Arc::new(Monitors::default());
        let (mut stays, goes) = (monitors.watch(), monitors.watch());
        drop(goes);
        let source = monitors.clone();
        let emitter = std::thread::spawn(move || source.emit(|| Event::Number(7)));
        assert_eq!(
            compio::runtime::Runtime::new().expect("a runtime").block_on(stays.next()),
            Some(Event::Number(7))
        );
        emitter.join().expect("no panic");
        assert_eq!(monitors.queues.lock().queues.len(), 1);
    }
}
