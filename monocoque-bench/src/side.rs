//! One side of a load: its thread's view, and the counter of arriving messages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use futures::channel::mpsc::UnboundedReceiver;

use super::Load;

/// One side, as its thread sees it.
pub(crate) struct Participant {
    pub(crate) load: Load,
    pub(crate) side: Side,
    pub(crate) binds: bool,
    pub(crate) endpoint: String,
    pub(crate) meter: Arc<Meter>,
    /// The number of messages of each round; closed at the end. The receiving side only uses the
    /// end.
    pub(crate) rounds: UnboundedReceiver<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    From,
    To,
}

pub(crate) enum Attach<'e> {
    Bind(&'e str),
    Connect(&'e str),
}

pub(crate) enum Event {
    Bound(String),
    /// All messages of the round have arrived.
    Reached(Instant),
    Failed(String),
}

/// Counts arriving messages, on one thread, and reports when there are enough.
pub(crate) struct Meter {
    count: AtomicU64,
    target: AtomicU64,
    trips: Mutex<Vec<u32>>,
    events: mpsc::Sender<Event>,
}

impl Participant {
    pub(crate) fn sockets(&self) -> usize {
        match self.side {
            Side::From => self.load.from,
            Side::To => self.load.to,
        }
    }

    pub(crate) fn attach(&self) -> Attach<'_> {
        match self.binds {
            true => Attach::Bind(&self.endpoint),
            false => Attach::Connect(&self.endpoint),
        }
    }
}

impl Meter {
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { count: AtomicU64::new(0), target: AtomicU64::new(NEVER), trips: Mutex::default(), events }
    }

    pub(crate) fn bound(&self, endpoint: String) {
        self.emit(Event::Bound(endpoint));
    }

    /// Counts an arriving message.
    #[inline]
    pub(crate) fn add(&self) {
        let count = self.count() + 1;
        self.count.store(count, Ordering::Relaxed);
        if count >= self.target.load(Ordering::Relaxed) {
            self.target.store(NEVER, Ordering::Relaxed);
            self.emit(Event::Reached(Instant::now()));
        }
    }

    /// Counts a message that was sent at `start` and has returned.
    pub(crate) fn lap(&self, start: Instant) {
        let nanos = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
        self.trips.lock().expect("not poisoned").push(nanos);
        self.add();
    }

    /// Returns whether all messages of this round have arrived.
    pub(crate) fn is_reached(&self) -> bool {
        self.target.load(Ordering::Relaxed) == NEVER
    }

    pub(crate) fn expect(&self, more: u64) {
        self.target.store(self.count() + more, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn take_trips(&self) -> Vec<u32> {
        std::mem::take(&mut *self.trips.lock().expect("not poisoned"))
    }

    pub(crate) fn emit(&self, event: Event) {
        // The receiver is gone while the pair is being dropped.
        let _ = self.events.send(event);
    }
}

/// A target that no count reaches.
const NEVER: u64 = u64::MAX;
