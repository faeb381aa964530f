//! The inbox: received messages of many connections that wait for the receivers of one socket.
//!
//! Each connection has a lane with its own high-water mark. Receivers take one message of each lane
//! in turn, so that a busy peer cannot starve the others.
//!
//! # Implementation details
//!
//! There are two locks. A read pump appends a whole batch to its lane under `producer`, often by
//! swapping two queues. A receiver pops under `consumer`, which no pump ever takes, and takes
//! `producer` only to fetch the next batch of a lane, or the lanes that have become ready meanwhile
//! (`has_ready`). So both sides pay for their locks once a batch. Lock order: `consumer`, then
//! `producer`. No task is woken under either.
//!
//! | file | owns |
//! |---|---|
//! | `lane` | the items and the limits of one connection |
//! | `producer` | how pumps add items |
//! | `consumer` | how receivers take them |

mod consumer;
mod lane;
mod producer;

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::runtime::run_outside_panic;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::{Hwm, PeerKey};

use consumer::Consumer;
pub use consumer::{NextItem, RecvGuard};
use lane::{Lane, Schedule};
pub use lane::{LaneConfig, LaneCounters, LaneKey, Weigh};
use producer::Producer;

/// A fair queue from many connections to the receivers of one socket.
///
/// Each connection has a label `L`, which identifies it to receivers.
#[derive(Debug)]
pub struct Inbox<T, L = ()> {
    consumer: Mutex<Consumer<T>>,
    producer: Mutex<Producer<T, L>>,
    /// A lane is listed in `producer.ready`.
    has_ready: AtomicBool,
    /// A lane is active in `consumer`.
    has_active: AtomicBool,
}

/// The inbox was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxClosed;

impl<T: Weigh, L> Inbox<T, L> {
    /// An empty inbox whose lanes may leave any number of bytes when they are detached.
    pub fn new() -> Self {
        Self::with_departed_budget(usize::MAX)
    }

    /// An empty inbox with a limit on the bytes that detached lanes leave.
    ///
    /// While more than `bytes` of them are not received, lanes that are opened have no room.
    pub fn with_departed_budget(bytes: usize) -> Self {
        Self {
            consumer: Mutex::new(Consumer::new()),
            producer: Mutex::new(Producer::new(bytes)),
            has_ready: AtomicBool::new(false),
            has_active: AtomicBool::new(false),
        }
    }

    /// Opens a lane for the connection `from`.
    pub fn open_lane(&self, from: PeerKey, label: L, config: LaneConfig) -> LaneKey {
        let mut producer = self.producer.lock();
        let group = config.ordering_group;
        let is_blocked =
            group.is_some() && producer.lanes.iter().any(|(_, lane)| lane.ordering_group == group);
        let schedule = if is_blocked { Schedule::Blocked } else { Schedule::Idle };
        let mut lane = Lane::new(from, label, config, schedule);
        lane.is_newcomer = producer.is_crowded();
        LaneKey(producer.lanes.insert(lane))
    }

    /// Detaches a lane from its connection. Its items can still be received.
    pub fn detach_lane(&self, key: LaneKey) {
        let mut producer = self.producer.lock();
        let Producer { lanes, departed, .. } = &mut *producer;
        let Some(lane) = lanes.get_mut(key.0) else { return };
        if !std::mem::replace(&mut lane.is_detached, true) {
            *departed += lane.budget.in_use();
        }
        lane.pump = None;
        // A lane with items is removed by the receiver that takes the last of them.
        let is_used_up = lane.schedule != Schedule::Listed && lane.queue.is_empty();
        let pump = if is_used_up { self.remove_lane(&mut producer, key) } else { None };
        let receiver =
            if is_used_up && !producer.ready.is_empty() { producer.first_receiver() } else { None };
        drop(producer);
        [pump, receiver].into_iter().for_each(wake);
    }

    /// Changes how many items each lane holds. Returns the pumps that have room now.
    #[must_use = "they are to be woken"]
    pub fn set_hwm(&self, hwm: Hwm) -> Vec<Waker> {
        let mut producer = self.producer.lock();
        let lanes = producer.lanes.iter_mut();
        let with_room = lanes.filter_map(|(_, lane)| {
            lane.hwm = hwm;
            if lane.room() > 0 { lane.pump.take() } else { None }
        });
        with_room.collect()
    }

    /// Wakes `observer` from now on whenever there may be an item after there was none, and at the
    /// end. It is woken beside the receivers, whose order it is not part of. One inbox has one
    /// observer: a later one has no effect.
    pub fn observe(&self, observer: &Waker) {
        self.producer.lock().observer.get_or_insert_with(|| observer.clone());
    }

    /// Takes no more items. Those that wait can still be received; then receivers get an error.
    pub fn drain(&self) {
        let mut producer = self.producer.lock();
        producer.is_closed = true;
        let mut wakers = producer.receivers.drain();
        wakers.extend(producer.observer.clone());
        wakers.extend(producer.lanes.iter_mut().filter_map(|(_, lane)| lane.pump.take()));
        drop(producer);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes no more items, drops those that wait, and ends all waiting.
    pub fn abort(&self) {
        self.drain();
        let mut consumer = self.consumer.lock();
        let mut producer = self.producer.lock();
        producer.ready.clear();
        producer.departed = 0;
        let items = (std::mem::take(&mut consumer.active), std::mem::take(&mut producer.lanes));
        drop((producer, consumer));
        drop(items);
    }

    /// Returns how many items wait, with those that receivers have fetched and not popped.
    pub fn len(&self) -> usize {
        let consumer = self.consumer.lock();
        let fetched: usize = consumer.active.iter().map(|lane| lane.batch.len()).sum();
        let unread: usize = self.producer.lock().lanes.iter().map(|(_, lane)| lane.queue.len()).sum();
        fetched + unread
    }

    /// Returns the counters of each lane whose connection has not ended.
    pub fn lanes(&self) -> HashMap<PeerKey, LaneCounters> {
        let consumer = self.consumer.lock();
        let unreported: HashMap<_, _> = consumer
            .active
            .iter()
            .filter(|lane| lane.popped > 0)
            .map(|lane| (lane.key.0, lane.popped))
            .collect();
        let producer = self.producer.lock();
        let lanes = producer.lanes.iter().filter(|(_, lane)| !lane.is_detached);
        lanes
            .map(|(key, lane)| {
                let popped = unreported.get(&key).copied().unwrap_or(0);
                let pushed = lane.popped + lane.held as u64;
                (lane.from, LaneCounters { pushed, waiting: lane.held.saturating_sub(popped) })
            })
            .collect()
    }

    /// Returns true if no item waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if no item seems to wait. Takes no lock, so the answer may be out of date.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        !self.has_active.load(Ordering::Relaxed) && !self.has_ready.load(Ordering::Relaxed)
    }

    /// Returns how many items have been popped so far.
    pub fn popped(&self) -> u64 {
        self.consumer.lock().popped
    }

    /// Returns how many items of [conflating](LaneConfig::conflate) lanes have been replaced so
    /// far.
    pub fn replaced(&self) -> u64 {
        self.producer.lock().replaced
    }
}

impl<T: Weigh, L> Default for Inbox<T, L> {
    fn default() -> Self {
        Self::new()
    }
}

/// Several tasks to wake.
#[derive(Debug)]
struct Tasks(Vec<Waker>);

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(Waker::wake_by_ref);
    }
}

/// Returns one waker for all of them.
fn as_one(mut wakers: Vec<Waker>) -> Option<Waker> {
    if wakers.len() > 1 { Some(Arc::new(Tasks(wakers)).into()) } else { wakers.pop() }
}

#[inline]
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        run_outside_panic(move || waker.wake());
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
#[cfg(all(test, not(monocoque_loom)))]
mod tests;
