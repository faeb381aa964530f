//! The inbox: received messages of many connections that wait for one socket's receivers.
//!
//! Each connection has a lane with its own high water mark. Receivers are served one message a lane in turn, so that a
//! busy peer cannot starve the others.
//!
//! # Implementation details
//!
//! Two locks. A read pump appends a whole batch to its lane under `intake`, often by swapping two queues. A receiver
//! pops under `outlet`, which no pump ever takes, and goes to `intake` only to fetch the next batch of a lane or to
//! learn of lanes that have become ready meanwhile (`fresh`). So both sides pay for their locks once a batch.
//! Lock order: `outlet`, then `intake`. Nobody is woken under either.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::{BytePermits, Hwm, Message, PeerKey, PeerTable, Ticket, Waiters};

/// What an item costs of its lane's byte budget.
pub trait Weigh {
    /// The length in bytes.
    fn weight(&self) -> usize;
}

impl Weigh for Message {
    #[inline]
    fn weight(&self) -> usize {
        self.byte_len()
    }
}

/// A fair queue from many connections to the receivers of one socket.
#[derive(Debug)]
pub struct Inbox<T> {
    outlet: Mutex<Outlet<T>>,
    intake: Mutex<Intake<T>>,
    /// Some lane is listed in `intake.ready`.
    fresh: AtomicBool,
}

/// The place of one connection in an [`Inbox`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey(PeerKey);

/// The inbox was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxClosed;

/// The receivers' side: lanes that have something, in turn.
#[derive(Debug)]
struct Outlet<T> {
    turns: VecDeque<Turn<T>>,
    popped: u64,
}

#[derive(Debug)]
struct Turn<T> {
    lane: LaneKey,
    from: PeerKey,
    batch: VecDeque<T>,
    /// Popped since the lane was last told.
    popped: usize,
    popped_bytes: usize,
    /// After how many pops, or popped bytes, the lane is told.
    report_every: usize,
    report_bytes: usize,
}

/// The pumps' side.
#[derive(Debug)]
struct Intake<T> {
    lanes: PeerTable<Lane<T>>,
    /// Lanes that hold items and have no turn yet.
    ready: Vec<LaneKey>,
    receivers: Waiters,
    closed: bool,
}

#[derive(Debug)]
struct Lane<T> {
    from: PeerKey,
    queue: VecDeque<T>,
    hwm: Hwm,
    /// Items pushed and not known to be popped.
    held: usize,
    budget: BytePermits,
    /// Has a turn, or is listed to get one.
    scheduled: bool,
    detached: bool,
    pump: Option<Waker>,
}

impl<T: Weigh> Inbox<T> {
    /// An empty inbox.
    pub fn new() -> Self {
        Self {
            outlet: Mutex::new(Outlet { turns: VecDeque::new(), popped: 0 }),
            intake: Mutex::new(Intake {
                lanes: PeerTable::new(),
                ready: Vec::new(),
                receivers: Waiters::default(),
                closed: false,
            }),
            fresh: AtomicBool::new(false),
        }
    }

    /// Opens a lane for the connection `from`.
    pub fn attach(&self, from: PeerKey, hwm: Hwm, budget: BytePermits) -> LaneKey {
        LaneKey(self.intake.lock().lanes.insert(Lane {
            from,
            queue: VecDeque::new(),
            hwm,
            held: 0,
            budget,
            scheduled: false,
            detached: false,
            pump: None,
        }))
    }

    /// Closes a lane. What it holds can still be received.
    pub fn detach(&self, lane: LaneKey) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(lane.0) else { return };
        row.detached = true;
        row.pump = None;
        if !row.scheduled {
            intake.lanes.remove(lane.0);
        }
    }

    /// How many items the lane takes before it is full: waits until that is at least one.
    pub fn poll_room(&self, lane: LaneKey, cx: &mut Context<'_>) -> Poll<Result<usize, InboxClosed>> {
        let mut intake = self.intake.lock();
        if intake.closed {
            return Poll::Ready(Err(InboxClosed));
        }
        let Some(row) = intake.lanes.get_mut(lane.0) else { return Poll::Ready(Err(InboxClosed)) };
        match row.room() {
            0 => {
                row.pump = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    /// Appends `batch` to the lane and leaves an empty queue in its place.
    ///
    /// `bytes` is the weight of the batch. It is the caller who asks for [room](Self::poll_room) first.
    pub fn push(&self, lane: LaneKey, batch: &mut VecDeque<T>, bytes: usize) {
        if batch.is_empty() {
            return;
        }
        let mut intake = self.intake.lock();
        let Intake { lanes, ready, receivers, closed } = &mut *intake;
        let row = match lanes.get_mut(lane.0) {
            Some(row) if !*closed => row,
            _ => return batch.clear(),
        };
        row.held += batch.len();
        row.budget.take(bytes);
        if row.queue.is_empty() {
            std::mem::swap(&mut row.queue, batch);
        } else {
            row.queue.append(batch);
        }
        if row.scheduled {
            return;
        }
        row.scheduled = true;
        ready.push(lane);
        self.fresh.store(true, Ordering::Release);
        let receiver = receivers.first();
        drop(intake);
        wake(receiver);
    }

    /// The next item and the connection it came from, if there is one.
    #[inline]
    pub fn pop(&self) -> Result<Option<(PeerKey, T)>, InboxClosed> {
        self.pop_locked(&mut self.outlet.lock())
    }

    /// The next item; waits for it in turn.
    ///
    /// A caller that gives up [cancels](Self::cancel) with its ticket.
    pub fn poll_pop(
        &self,
        ticket: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(PeerKey, T), InboxClosed>> {
        let mut outlet = self.outlet.lock();
        if let Some(item) = self.pop_locked(&mut outlet)? {
            let more = !outlet.turns.is_empty();
            drop(outlet);
            if ticket.is_some() {
                let next = self.intake.lock().receivers.leave(ticket);
                wake(next.filter(|_| more || self.fresh.load(Ordering::Acquire)));
            }
            return Poll::Ready(Ok(item));
        }
        let mut intake = self.intake.lock();
        if intake.closed {
            return Poll::Ready(Err(InboxClosed));
        }
        intake.receivers.wait(ticket, cx.waker());
        // A batch that came between the look and this lock has set `fresh` and found nobody to wake.
        if intake.ready.is_empty() {
            return Poll::Pending;
        }
        drop(intake);
        drop(outlet);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives up a place in the queue of receivers.
    pub fn cancel(&self, ticket: &mut Option<Ticket>) {
        if ticket.is_some() {
            let next = self.intake.lock().receivers.leave(ticket);
            wake(next);
        }
    }

    /// Takes nothing more in. What is there can still be received; then receivers are told.
    pub fn finish(&self) {
        let mut intake = self.intake.lock();
        intake.closed = true;
        let mut wakers = intake.receivers.dismiss();
        wakers.extend(intake.lanes.iter_mut().filter_map(|(_, lane)| lane.pump.take()));
        drop(intake);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends all waiting and lets go of everything.
    pub fn close(&self) {
        self.finish();
        let mut outlet = self.outlet.lock();
        let mut intake = self.intake.lock();
        intake.ready.clear();
        let gone = (std::mem::take(&mut outlet.turns), std::mem::take(&mut intake.lanes));
        drop((intake, outlet));
        drop(gone);
    }

    /// How many items wait, those that a receiver has fetched and not popped included.
    pub fn len(&self) -> usize {
        let outlet = self.outlet.lock();
        let fetched: usize = outlet.turns.iter().map(|turn| turn.batch.len()).sum();
        let waiting: usize = self.intake.lock().lanes.iter().map(|(_, lane)| lane.queue.len()).sum();
        fetched + waiting
    }

    /// How many items have been popped so far.
    pub fn popped(&self) -> u64 {
        self.outlet.lock().popped
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn pop_locked(&self, outlet: &mut Outlet<T>) -> Result<Option<(PeerKey, T)>, InboxClosed> {
        if self.fresh.load(Ordering::Acquire) {
            self.fetch_fresh(&mut outlet.turns);
        }
        let Outlet { turns, popped } = outlet;
        let alone = turns.len() == 1;
        let Some(turn) = turns.front_mut() else {
            return if self.intake.lock().closed { Err(InboxClosed) } else { Ok(None) };
        };
        let from = turn.from;
        let Some(weight) = turn.batch.front().map(Weigh::weight) else {
            unreachable!("a lane without items has no turn")
        };
        *popped += 1;
        turn.popped += 1;
        turn.popped_bytes += weight;
        let due = turn.batch.len() == 1
            || turn.popped >= turn.report_every
            || turn.popped_bytes >= turn.report_bytes;
        if alone && !due {
            // The item goes straight to where it is returned to.
            return Ok(turn.batch.pop_front().map(|item| (from, item)));
        }
        let item = turn.batch.pop_front();
        if due && !self.report(turn) {
            turns.pop_front();
        } else {
            turns.rotate_left(1);
        }
        Ok(item.map(|item| (from, item)))
    }

    /// Gives lanes that have become ready a turn behind the others.
    fn fetch_fresh(&self, turns: &mut VecDeque<Turn<T>>) {
        let mut intake = self.intake.lock();
        self.fresh.store(false, Ordering::Relaxed);
        let Intake { lanes, ready, .. } = &mut *intake;
        for lane in ready.drain(..) {
            let Some(row) = lanes.get_mut(lane.0) else { continue };
            turns.push_back(Turn {
                lane,
                from: row.from,
                batch: std::mem::take(&mut row.queue),
                popped: 0,
                popped_bytes: 0,
                report_every: row.hwm.low_water().max(1),
                report_bytes: row.budget.capacity() / 2,
            });
        }
    }

    /// Tells the lane what was popped, and fetches its next batch if this one is used up.
    ///
    /// Returns whether the lane keeps its turn.
    fn report(&self, turn: &mut Turn<T>) -> bool {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(turn.lane.0) else { return !turn.batch.is_empty() };
        row.held -= std::mem::take(&mut turn.popped);
        row.budget.give(std::mem::take(&mut turn.popped_bytes));
        if turn.batch.is_empty() {
            std::mem::swap(&mut turn.batch, &mut row.queue);
        }
        let keeps = !turn.batch.is_empty();
        row.scheduled = keeps;
        let pump = row.pump.take();
        if row.detached && !keeps {
            intake.lanes.remove(turn.lane.0);
        }
        drop(intake);
        wake(pump);
        keeps
    }
}

impl<T> Lane<T> {
    fn room(&self) -> usize {
        if self.budget.admits(1) { self.hwm.room(self.held) } else { 0 }
    }
}

impl<T: Weigh> Default for Inbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
