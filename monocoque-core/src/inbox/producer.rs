//! The side of the pumps: items are added to lanes.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::{Inbox, InboxClosed, Lane, LaneKey, Schedule, Weigh, as_one, wake};
use crate::sync::Ordering;
use crate::{Hwm, PeerTable, Room, Waiters};

#[derive(Debug)]
pub(super) struct Producer<T, L> {
    pub(super) lanes: PeerTable<Lane<T, L>>,
    /// Lanes with items that are not active yet.
    pub(super) ready: Vec<LaneKey>,
    pub(super) receivers: Waiters,
    /// Woken when there are items after there were none, and at the end; beside the queue of
    /// receivers.
    pub(super) observer: Option<Waker>,
    /// The number of items that a later one has replaced.
    pub(super) replaced: u64,
    pub(super) is_closed: bool,
    /// The number of bytes that detached lanes have left.
    pub(super) departed: usize,
    /// The most that they may leave before new lanes have no room.
    departed_max: usize,
}

impl<T: Weigh, L> Inbox<T, L> {
    /// Waits until the lane has room, and returns for how many items.
    pub fn poll_room(&self, key: LaneKey, cx: &mut Context<'_>) -> Poll<Result<usize, InboxClosed>> {
        let mut producer = self.producer.lock();
        let Some(lane) = producer.open_lane_mut(key) else { return Poll::Ready(Err(InboxClosed)) };
        match lane.room() {
            0 => {
                lane.pump = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    /// Gives `batch`, which has no memory, the memory that the last [`push_lent`](Self::push_lent)
    /// has left here.
    ///
    /// The inbox keeps it, not the owner of the batch, so that
    /// [`release_memory`](Self::release_memory) reaches it.
    #[cold]
    pub fn lend(&self, key: LaneKey, batch: &mut VecDeque<T>) {
        if let Some(lane) = self.producer.lock().lanes.get_mut(key.0) {
            *batch = std::mem::take(&mut lane.spare);
        }
        batch.reserve(1);
    }

    /// Releases the memory that a lane keeps for more items.
    pub fn release_memory(&self, key: LaneKey) {
        let mut producer = self.producer.lock();
        let Some(lane) = producer.lanes.get_mut(key.0) else { return };
        let spare = std::mem::take(&mut lane.spare);
        let queue = lane.queue.is_empty().then(|| std::mem::take(&mut lane.queue));
        drop(producer);
        drop((spare, queue));
    }

    /// Appends `batch` to the lane and leaves an empty queue in its place.
    ///
    /// `bytes` is the weight of the batch. The caller asks for [room](Self::poll_room) before: a
    /// larger batch is taken as well.
    pub fn push(&self, key: LaneKey, batch: &mut VecDeque<T>, bytes: usize) {
        if !batch.is_empty() {
            self.append(key, batch, bytes, false);
        }
    }

    /// As [`push`](Self::push), and keeps the memory of the batch to [lend](Self::lend) it again.
    pub fn push_lent(&self, key: LaneKey, batch: &mut VecDeque<T>, bytes: usize) {
        if batch.capacity() > 0 {
            self.append(key, batch, bytes, true);
        }
    }

    #[inline]
    fn append(&self, key: LaneKey, batch: &mut VecDeque<T>, bytes: usize, keeps_memory: bool) {
        let mut producer = self.producer.lock();
        let Producer { lanes, ready, replaced, is_closed, .. } = &mut *producer;
        let Some(lane) = lanes.get_mut(key.0).filter(|_| !*is_closed) else { return batch.clear() };
        lane.held += batch.len();
        lane.budget.acquire(bytes);
        let is_empty = batch.is_empty();
        if lane.queue.is_empty() && !is_empty {
            std::mem::swap(&mut lane.queue, batch);
        } else {
            lane.queue.append(batch);
        }
        if keeps_memory {
            lane.spare = std::mem::take(batch);
        }
        let is_new = !is_empty && lane.list(key, ready, replaced);
        let receiver = if is_new { self.announce(&producer) } else { None };
        drop(producer);
        wake(receiver);
    }

    /// Appends one item to a lane that has room, and returns whether it has more. If not, `sender`
    /// is woken once it has.
    ///
    /// Wakes no task: the receiver that waits for this item, if there is one, is put into
    /// `receiver`.
    ///
    /// # Errors
    ///
    /// Returns the item if the inbox or the lane is closed.
    #[inline]
    pub fn push_one(
        &self,
        key: LaneKey,
        item: T,
        sender: &Waker,
        receiver: &mut Option<Waker>,
    ) -> Result<Room, T> {
        let mut producer = self.producer.lock();
        let Producer { lanes, ready, replaced, is_closed, .. } = &mut *producer;
        let Some(lane) = lanes.get_mut(key.0).filter(|_| !*is_closed) else { return Err(item) };
        lane.held += 1;
        lane.budget.acquire(item.weight());
        lane.queue.push_back(item);
        let room = lane.room_or_wake(sender);
        if lane.list(key, ready, replaced) {
            *receiver = self.announce(&producer);
        }
        Ok(room)
    }

    /// Changes the extra capacity of a lane for a sender without a queue of its own, and returns
    /// whether there is room. If not, `sender` is woken once there is.
    pub fn set_sender_hwm(&self, key: LaneKey, hwm: Hwm, sender: &Waker) -> Room {
        let mut producer = self.producer.lock();
        match producer.lanes.get_mut(key.0) {
            Some(lane) => {
                lane.sender_hwm = Some(hwm);
                lane.room_or_wake(sender)
            }
            None => Room::Full,
        }
    }

    /// Returns how many items of a lane no receiver has fetched.
    pub fn unread(&self, key: LaneKey) -> usize {
        self.producer.lock().lanes.get(key.0).map_or(0, |lane| lane.queue.len())
    }

    /// Takes out the items of a lane that no receiver has fetched, to be [put
    /// back](Self::put_back). They count as held meanwhile.
    pub fn take_unread(&self, key: LaneKey) -> VecDeque<T> {
        self.producer
            .lock()
            .lanes
            .get_mut(key.0)
            .map_or_else(VecDeque::new, |lane| std::mem::take(&mut lane.queue))
    }

    /// Puts back items that were [taken out](Self::take_unread), without `gone` of them, which have
    /// `bytes`. Nothing may be pushed in between.
    pub fn put_back(&self, key: LaneKey, items: &mut VecDeque<T>, gone: usize, bytes: usize) {
        let mut producer = self.producer.lock();
        let Producer { lanes, ready, replaced, is_closed, .. } = &mut *producer;
        let Some(lane) = lanes.get_mut(key.0).filter(|_| !*is_closed) else { return };
        lane.held -= gone;
        lane.budget.release(bytes);
        std::mem::swap(&mut lane.queue, items);
        let receiver = if lane.queue.is_empty() {
            self.unlist_lane(&mut producer, key);
            None
        } else if lane.list(key, ready, replaced) {
            self.announce(&producer)
        } else {
            None
        };
        drop(producer);
        wake(receiver);
    }

    /// Announces a lane that was listed as ready. Returns the receiver that waits for its items,
    /// together with the observer.
    #[inline]
    fn announce(&self, producer: &Producer<T, L>) -> Option<Waker> {
        self.has_ready.store(true, Ordering::Release);
        producer.first_receiver()
    }

    /// Takes a lane without items off the list of ready lanes, unless a receiver has fetched it.
    fn unlist_lane(&self, producer: &mut Producer<T, L>, key: LaneKey) {
        let Some(at) = producer.ready.iter().position(|ready| *ready == key) else { return };
        producer.ready.remove(at);
        if let Some(lane) = producer.lanes.get_mut(key.0) {
            lane.schedule = Schedule::Idle;
            lane.queue = VecDeque::new();
        }
        self.has_ready.store(!producer.ready.is_empty(), Ordering::Release);
    }

    /// Removes a lane that is used up. The next lane of its ordering group takes its place: returns
    /// the pump of that lane, which has room now.
    pub(super) fn remove_lane(&self, producer: &mut Producer<T, L>, key: LaneKey) -> Option<Waker> {
        let removed = producer.lanes.remove(key.0)?;
        if removed.schedule == Schedule::Blocked || removed.ordering_group.is_none() {
            return None;
        }
        let lanes = producer.lanes.iter_mut();
        let group = lanes.filter(|(_, lane)| lane.ordering_group == removed.ordering_group);
        let (key, next) = group.min_by_key(|(key, _)| key.epoch())?;
        if next.queue.is_empty() {
            next.schedule = Schedule::Idle;
        } else {
            next.schedule = Schedule::Listed;
            producer.ready.push(LaneKey(key));
            self.has_ready.store(true, Ordering::Release);
        }
        next.pump.take()
    }
}

impl<T, L> Producer<T, L> {
    pub(super) fn new(departed_max: usize) -> Self {
        Self {
            lanes: PeerTable::new(),
            ready: Vec::new(),
            receivers: Waiters::default(),
            observer: None,
            replaced: 0,
            is_closed: false,
            departed: 0,
            departed_max,
        }
    }

    /// Returns the receiver whose turn it is, together with the observer.
    #[inline]
    pub(super) fn first_receiver(&self) -> Option<Waker> {
        let receiver = self.receivers.first();
        match &self.observer {
            None => receiver,
            Some(observer) => both(observer, receiver),
        }
    }

    /// Returns true if detached lanes have left more than they may.
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        self.departed > self.departed_max
    }

    /// Notes that `bytes` that detached lanes have left were received. Returns the pumps of
    /// newcomers that have room now.
    pub(super) fn release_departed(&mut self, bytes: usize) -> Vec<Waker> {
        let was_crowded = self.is_crowded();
        self.departed = self.departed.saturating_sub(bytes);
        if !was_crowded || self.is_crowded() {
            return Vec::new();
        }
        let newcomers = self.lanes.iter_mut().filter_map(|(_, lane)| {
            let is_newcomer = std::mem::take(&mut lane.is_newcomer);
            if is_newcomer { lane.pump.take() } else { None }
        });
        newcomers.collect()
    }

    /// Returns a lane that takes items.
    #[inline]
    fn open_lane_mut(&mut self, key: LaneKey) -> Option<&mut Lane<T, L>> {
        let is_closed = self.is_closed;
        self.lanes.get_mut(key.0).filter(|_| !is_closed)
    }
}

/// Returns an observer together with a receiver.
#[cold]
fn both(observer: &Waker, receiver: Option<Waker>) -> Option<Waker> {
    as_one([observer.clone()].into_iter().chain(receiver).collect())
}
