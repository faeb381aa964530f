//! The side of the receivers: items are taken from lanes in turn.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::{Inbox, InboxClosed, LaneKey, Producer, Schedule, Weigh, as_one, wake};
use crate::sync::{MutexGuard, Ordering};
use crate::{PeerKey, Ticket};

/// The lanes that receivers take items from, the first one next.
#[derive(Debug)]
pub(super) struct Consumer<T> {
    pub(super) active: VecDeque<ActiveLane<T>>,
    pub(super) popped: u64,
}

/// A batch of a lane that receivers have fetched.
#[derive(Debug)]
pub(super) struct ActiveLane<T> {
    pub(super) key: LaneKey,
    from: PeerKey,
    pub(super) batch: VecDeque<T>,
    /// The number of items popped since the last report to the lane.
    pub(super) popped: usize,
    popped_bytes: usize,
    /// The lane may have a later item, which replaces this one.
    conflate: bool,
    /// After how many popped items, or bytes, the lane gets a report.
    report_every: usize,
    report_bytes: usize,
}

/// The items that a receiver may take, while other receivers wait.
///
/// An item that is not [popped](Self::pop) stays in the inbox. Dropping this lets other receivers
/// go on, and wakes a pump that waits for room.
#[derive(Debug)]
pub struct NextItem<'a, T, L = ()> {
    inbox: &'a Inbox<T, L>,
    consumer: MutexGuard<'a, Consumer<T>>,
    // Dropped, and so woken, after the lock is released.
    pump: WakeOnDrop,
}

/// A pump that has room now.
#[derive(Debug)]
struct WakeOnDrop(Option<Waker>);

/// Keeps receivers out; see [`Inbox::lock_receivers`].
#[derive(Debug)]
pub struct RecvGuard<'a, T, L = ()> {
    inbox: &'a Inbox<T, L>,
    consumer: MutexGuard<'a, Consumer<T>>,
}

impl<T: Weigh, L> Inbox<T, L> {
    /// Returns the next item, if there is one.
    #[inline]
    pub fn try_next(&self) -> Result<Option<NextItem<'_, T, L>>, InboxClosed> {
        let mut consumer = self.consumer.lock();
        if self.has_ready.load(Ordering::Acquire) {
            self.activate_ready(&mut consumer.active);
        }
        while consumer.active.is_empty() {
            let producer = self.producer.lock();
            // Items that came after `has_ready` was read come before the end.
            match (producer.ready.is_empty(), producer.is_closed) {
                (true, true) => return Err(InboxClosed),
                (true, false) => return Ok(None),
                (false, _) => drop(producer),
            }
            self.activate_ready(&mut consumer.active);
        }
        if let Some(first) = consumer.active.front_mut()
            && first.conflate
        {
            self.fetch_latest(first);
        }
        Ok(Some(NextItem { inbox: self, consumer, pump: WakeOnDrop(None) }))
    }

    /// Returns whether there may be an item, without a lock. One that comes at the same time may
    /// be missed.
    #[inline]
    pub fn may_have_items(&self) -> bool {
        self.has_active.load(Ordering::Relaxed) || self.has_ready.load(Ordering::Relaxed)
    }

    /// Waits for the next item, in the order in which receivers came.
    ///
    /// A caller that has taken it, or gives up, calls [`remove_waiter`](Self::remove_waiter) with
    /// its ticket.
    #[inline]
    pub fn poll_next(
        &self,
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> Poll<Result<NextItem<'_, T, L>, InboxClosed>> {
        loop {
            if let Some(next) = self.try_next()? {
                return Poll::Ready(Ok(next));
            }
            let mut producer = self.producer.lock();
            // Items that came since then, or the end, found no waiter to wake; nor did those that
            // another receiver has fetched and left.
            if producer.ready.is_empty() && !producer.is_closed && !self.has_active.load(Ordering::Relaxed) {
                producer.receivers.wait(ticket, cx.waker());
                return Poll::Pending;
            }
        }
    }

    /// Removes a receiver from the queue of those that wait. If it was the first, the next one is
    /// woken to look for items.
    pub fn remove_waiter(&self, ticket: &mut Option<Ticket>) {
        let next = self.producer.lock().receivers.remove(ticket);
        wake(next);
    }

    /// Keeps receivers out until the guard is dropped.
    pub fn lock_receivers(&self) -> RecvGuard<'_, T, L> {
        RecvGuard { inbox: self, consumer: self.consumer.lock() }
    }

    /// Activates the lanes that have become ready, behind the others.
    fn activate_ready(&self, active: &mut VecDeque<ActiveLane<T>>) {
        let mut producer = self.producer.lock();
        self.has_ready.store(false, Ordering::Relaxed);
        let Producer { lanes, ready, .. } = &mut *producer;
        for key in ready.drain(..) {
            let Some(lane) = lanes.get_mut(key.0) else { continue };
            if lane.queue.is_empty() {
                // Its items were taken out.
                lane.schedule = Schedule::Idle;
                continue;
            }
            active.push_back(ActiveLane {
                key,
                from: lane.from,
                batch: std::mem::take(&mut lane.queue),
                popped: 0,
                popped_bytes: 0,
                conflate: lane.conflate,
                report_every: lane.limit().low_water().max(1),
                report_bytes: lane.budget.capacity() / 2,
            });
        }
        self.has_active.store(!active.is_empty(), Ordering::Relaxed);
    }

    /// Replaces the item of a conflating lane by the one that has come since it was fetched.
    #[cold]
    fn fetch_latest(&self, active: &mut ActiveLane<T>) {
        let mut producer = self.producer.lock();
        let Some(lane) = producer.lanes.get_mut(active.key.0) else { return };
        if lane.queue.is_empty() {
            return;
        }
        // Given back in the report on the item that is popped instead, as are the bytes that the
        // lane left when it was detached.
        active.popped_bytes += active.batch.iter().map(Weigh::weight).sum::<usize>();
        let replaced = active.batch.drain(..).len();
        active.popped += replaced;
        std::mem::swap(&mut active.batch, &mut lane.queue);
        producer.replaced += replaced as u64;
    }

    /// Moves the first lane, which has been served, behind the others, or removes it if it has no
    /// items. Returns its pump, if that waits for room and there is some now.
    fn end_turn(&self, active: &mut VecDeque<ActiveLane<T>>, report_due: bool) -> Option<Waker> {
        let (has_items, pump) = if report_due { self.report(&mut active[0]) } else { (true, None) };
        if has_items {
            active.rotate_left(1);
        } else {
            active.pop_front();
            self.has_active.store(!active.is_empty(), Ordering::Relaxed);
        }
        pump
    }

    /// Reports to a lane what was popped, and fetches its next batch if this one is used up.
    ///
    /// Returns whether it has items, and the pump that has room now.
    fn report(&self, active: &mut ActiveLane<T>) -> (bool, Option<Waker>) {
        let mut producer = self.producer.lock();
        let Some(lane) = producer.lanes.get_mut(active.key.0) else {
            return (!active.batch.is_empty(), None);
        };
        let popped = std::mem::take(&mut active.popped);
        lane.held -= popped;
        lane.popped += popped as u64;
        let bytes = std::mem::take(&mut active.popped_bytes);
        lane.budget.release(bytes);
        if active.batch.is_empty() {
            std::mem::swap(&mut active.batch, &mut lane.queue);
        }
        let has_items = !active.batch.is_empty();
        lane.schedule = if has_items { Schedule::Listed } else { Schedule::Idle };
        let pump = lane.pump.take();
        if !lane.is_detached {
            return (has_items, pump);
        }
        let mut pumps = producer.release_departed(bytes);
        pumps.extend(pump);
        if !has_items {
            // The receivers of the next lane need no wake-up: this one's items have woken them.
            pumps.extend(self.remove_lane(&mut producer, active.key));
        }
        (has_items, as_one(pumps))
    }
}

impl<T: Weigh, L> NextItem<'_, T, L> {
    /// Returns the connection that the next item came from.
    ///
    /// # Panics
    ///
    /// If it [is over](Self::is_over), as [`item`](Self::item) and [`pop`](Self::pop) do.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn from(&self) -> PeerKey {
        self.consumer.active[0].from
    }

    /// Returns the label of the connection that the next item came from.
    ///
    /// # Panics
    ///
    /// As [`from`](Self::from).
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn label(&self) -> L
    where
        L: Clone,
    {
        match self.inbox.producer.lock().lanes.get(self.consumer.active[0].key.0) {
            Some(lane) => lane.label.clone(),
            None => unreachable!("a lane is there until its last item was popped"),
        }
    }

    /// Returns the next item, in its place.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn item(&self) -> &T {
        &self.consumer.active[0].batch[0]
    }

    /// Returns true if all ready items were popped, or a pump waits for this to be dropped. It is
    /// never true before the first pop.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.pump.0.is_some() || self.consumer.active.is_empty()
    }

    /// Takes the next item. The one after it is of another connection, if another one has items.
    #[inline]
    pub fn pop(&mut self) -> T {
        let weight = self.item().weight();
        let Consumer { active, popped } = &mut *self.consumer;
        let is_alone = active.len() == 1;
        let first = &mut active[0];
        *popped += 1;
        first.popped += 1;
        first.popped_bytes += weight;
        let report_due = first.batch.len() == 1
            || first.popped >= first.report_every
            || first.popped_bytes >= first.report_bytes;
        // The item is not kept beside a call: it goes to its place without a second copy.
        if is_alone && !report_due {
            return pop_front(first);
        }
        let item = pop_front(first);
        self.pump.0 = self.inbox.end_turn(active, report_due);
        item
    }
}

#[inline]
fn pop_front<T>(active: &mut ActiveLane<T>) -> T {
    match active.batch.pop_front() {
        Some(item) => item,
        None => unreachable!("an active lane has items"),
    }
}

impl<T: Weigh, L> RecvGuard<'_, T, L> {
    /// Drops all items, and returns how many. Pumps that have room now are added to `pumps`, to be
    /// woken.
    pub fn clear(&mut self, pumps: &mut Vec<Waker>) -> u64 {
        let Self { inbox, consumer } = self;
        let before = consumer.popped;
        inbox.activate_ready(&mut consumer.active);
        while let Some(first) = consumer.active.front_mut() {
            first.popped += first.batch.len();
            first.popped_bytes += first.batch.iter().map(Weigh::weight).sum::<usize>();
            let popped = first.batch.drain(..).len();
            pumps.extend(inbox.end_turn(&mut consumer.active, true));
            consumer.popped += popped as u64;
        }
        consumer.popped - before
    }
}

impl<T> Consumer<T> {
    pub(super) const fn new() -> Self {
        Self { active: VecDeque::new(), popped: 0 }
    }
}

impl Drop for WakeOnDrop {
    #[inline]
    fn drop(&mut self) {
        wake(self.0.take());
    }
}
