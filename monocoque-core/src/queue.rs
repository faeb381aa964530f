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
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::home::outside_panic;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::{BytePermits, Hwm, Message, PeerKey, PeerTable, Room, Ticket, Waiters};

/// What an item costs of its lane's byte budget.
pub trait Weigh {
    /// How many bytes it takes, about.
    fn weight(&self) -> usize;
}

impl Weigh for Message {
    /// Its bodies and what keeps them: a message of empty frames is not free.
    #[inline]
    fn weight(&self) -> usize {
        self.byte_len() + self.len() * size_of::<Bytes>()
    }
}

/// A fair queue from many connections to the receivers of one socket. Each connection has a label, which says who it is.
#[derive(Debug)]
pub struct Inbox<T, L = ()> {
    outlet: Mutex<Outlet<T>>,
    intake: Mutex<Intake<T, L>>,
    /// Some lane is listed in `intake.ready`.
    fresh: AtomicBool,
    /// Some lane has a turn.
    fetched: AtomicBool,
}

/// How a lane of an [`Inbox`] is kept.
#[derive(Clone, Debug, Default)]
pub struct LaneConfig {
    /// How many items it holds.
    pub hwm: Hwm,
    /// How many more it holds for a sender who has no queue of its own.
    pub beyond: Option<Hwm>,
    /// How many bytes it holds.
    pub budget: BytePermits,
    /// Lanes of one series are received one after the other: the next has no room before all that the earlier ones hold is
    /// received. For connections that replace each other, so that what comes over them stays in order.
    pub series: Option<u64>,
    /// Only the last item counts: it takes the place of the one before it, and there is always room.
    pub latest: bool,
}

/// The place of one connection in an [`Inbox`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey(PeerKey);

/// What a receiver may take: nobody else gets anything meanwhile. What is not [popped](Self::pop) stays where it is.
///
/// When it is dropped other receivers are let in, and pumps are woken that wait for room.
#[derive(Debug)]
pub struct Next<'a, T, L = ()> {
    inbox: &'a Inbox<T, L>,
    outlet: MutexGuard<'a, Outlet<T>>,
    // Dropped, and so woken, behind the lock.
    pump: ToWake,
}

/// A pump that has room now.
#[derive(Debug)]
struct ToWake(Option<Waker>);

/// Keeps receivers out; see [`Inbox::hold`].
#[derive(Debug)]
pub struct Hold<'a, T, L = ()> {
    inbox: &'a Inbox<T, L>,
    outlet: MutexGuard<'a, Outlet<T>>,
}

impl Drop for ToWake {
    #[inline]
    fn drop(&mut self) {
        wake(self.0.take());
    }
}

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
    /// The lane may have a later item, which counts instead.
    latest: bool,
    /// After how many pops, or popped bytes, the lane is told.
    report_every: usize,
    report_bytes: usize,
}

/// The pumps' side.
#[derive(Debug)]
struct Intake<T, L> {
    lanes: PeerTable<Lane<T, L>>,
    /// Lanes that hold items and have no turn yet.
    ready: Vec<LaneKey>,
    receivers: Waiters,
    /// Items that a later one has taken the place of.
    replaced: u64,
    closed: bool,
}

#[derive(Debug)]
struct Lane<T, L> {
    from: PeerKey,
    label: L,
    queue: VecDeque<T>,
    hwm: Hwm,
    beyond: Option<Hwm>,
    /// Items pushed and not known to be popped.
    held: usize,
    budget: BytePermits,
    /// Has a turn, or is listed to get one.
    scheduled: bool,
    detached: bool,
    pump: Option<Waker>,
    series: Option<u64>,
    latest: bool,
    /// An earlier one of its series is not used up: has no room.
    held_back: bool,
}

impl<T: Weigh, L> Inbox<T, L> {
    /// An empty inbox.
    pub fn new() -> Self {
        Self {
            outlet: Mutex::new(Outlet { turns: VecDeque::new(), popped: 0 }),
            intake: Mutex::new(Intake {
                lanes: PeerTable::new(),
                ready: Vec::new(),
                receivers: Waiters::default(),
                replaced: 0,
                closed: false,
            }),
            fresh: AtomicBool::new(false),
            fetched: AtomicBool::new(false),
        }
    }

    /// Opens a lane for the connection `from`.
    pub fn attach(&self, from: PeerKey, label: L, config: LaneConfig) -> LaneKey {
        let LaneConfig { hwm, beyond, budget, series, latest } = config;
        let mut intake = self.intake.lock();
        let held_back = series.is_some() && intake.lanes.iter().any(|(_, row)| row.series == series);
        LaneKey(intake.lanes.insert(Lane {
            from,
            label,
            queue: VecDeque::new(),
            hwm,
            beyond,
            held: 0,
            budget,
            scheduled: false,
            detached: false,
            pump: None,
            series,
            latest,
            held_back,
        }))
    }

    /// Closes a lane. What it holds can still be received.
    pub fn detach(&self, lane: LaneKey) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(lane.0) else { return };
        row.detached = true;
        row.pump = None;
        // One that holds something is removed by the receiver that takes the last of it.
        if row.scheduled || !row.queue.is_empty() {
            return;
        }
        let pump = self.remove(&mut intake, lane);
        let receiver = if intake.ready.is_empty() { None } else { intake.receivers.first() };
        drop(intake);
        wake(pump);
        wake(receiver);
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
    /// `bytes` is the weight of the batch. It is the caller who asks for [room](Self::poll_room) first: more than that is
    /// taken as well.
    pub fn push(&self, lane: LaneKey, batch: &mut VecDeque<T>, bytes: usize) {
        if batch.is_empty() {
            return;
        }
        let mut intake = self.intake.lock();
        let Some(row) = intake.open(lane) else { return batch.clear() };
        row.held += batch.len();
        row.budget.take(bytes);
        if row.queue.is_empty() {
            std::mem::swap(&mut row.queue, batch);
        } else {
            row.queue.append(batch);
        }
        let receiver = self.arrived(&mut intake, lane);
        drop(intake);
        wake(receiver);
    }

    /// Appends one item to a lane that has room, and says whether it still has some: if not, `sender` is woken once it has.
    ///
    /// Wakes nobody: the receiver that waits for this item, if there is one, is put into `receiver`. Gives the item back if
    /// nobody will receive it.
    #[inline]
    pub fn offer(
        &self,
        lane: LaneKey,
        item: T,
        sender: &Waker,
        receiver: &mut Option<Waker>,
    ) -> Result<Room, T> {
        let mut intake = self.intake.lock();
        let Some(row) = intake.open(lane) else { return Err(item) };
        row.held += 1;
        row.budget.take(item.weight());
        row.queue.push_back(item);
        let room = row.room_or_wake(sender);
        *receiver = self.arrived(&mut intake, lane);
        Ok(room)
    }

    /// Items that a later one has taken the place of, of all lanes so far.
    pub fn replaced(&self) -> u64 {
        self.intake.lock().replaced
    }

    /// Changes how many items each lane may hold. Gives the pumps that have room now, to be woken.
    #[must_use = "they are to be woken"]
    pub fn set_hwm(&self, hwm: Hwm) -> Vec<Waker> {
        let mut intake = self.intake.lock();
        let lanes = intake.lanes.iter_mut();
        let with_room = lanes.filter_map(|(_, row)| {
            row.hwm = hwm;
            if row.room() > 0 { row.pump.take() } else { None }
        });
        with_room.collect()
    }

    /// Changes how many items a lane holds for a sender without a queue of its own, and says whether there is room: if not,
    /// `sender` is woken once there is.
    pub fn set_beyond(&self, lane: LaneKey, beyond: Hwm, sender: &Waker) -> Room {
        match self.intake.lock().lanes.get_mut(lane.0) {
            Some(row) => {
                row.beyond = Some(beyond);
                row.room_or_wake(sender)
            }
            None => Room::Full,
        }
    }

    /// The next item, if there is one.
    #[inline]
    pub fn try_next(&self) -> Result<Option<Next<'_, T, L>>, InboxClosed> {
        let mut outlet = self.outlet.lock();
        if self.fresh.load(Ordering::Acquire) {
            self.fetch_fresh(&mut outlet.turns);
        }
        while outlet.turns.is_empty() {
            let intake = self.intake.lock();
            // What came between the look at `fresh` and this lock comes before the end.
            match (intake.ready.is_empty(), intake.closed) {
                (true, true) => return Err(InboxClosed),
                (true, false) => return Ok(None),
                (false, _) => drop(intake),
            }
            self.fetch_fresh(&mut outlet.turns);
        }
        if let Some(turn) = outlet.turns.front_mut()
            && turn.latest
        {
            self.fetch_latest(turn);
        }
        Ok(Some(Next { inbox: self, outlet, pump: ToWake(None) }))
    }

    /// The next item; waits for it in turn.
    ///
    /// A caller that has taken it, or gives up, [leaves](Self::leave) with its ticket.
    #[inline]
    pub fn poll_next(
        &self,
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> Poll<Result<Next<'_, T, L>, InboxClosed>> {
        loop {
            if let Some(next) = self.try_next()? {
                return Poll::Ready(Ok(next));
            }
            let mut intake = self.intake.lock();
            // What came since then, or the end, found nobody to wake; and so did what another receiver fetched and left.
            if intake.ready.is_empty() && !intake.closed && !self.fetched.load(Ordering::Relaxed) {
                intake.receivers.wait(ticket, cx.waker());
                return Poll::Pending;
            }
        }
    }

    /// Keeps receivers out until the result is dropped.
    pub fn hold(&self) -> Hold<'_, T, L> {
        Hold { inbox: self, outlet: self.outlet.lock() }
    }

    /// Leaves the queue of receivers: if it was its turn, the one behind it is woken to look whether there is more.
    pub fn leave(&self, ticket: &mut Option<Ticket>) {
        let next = self.intake.lock().receivers.leave(ticket);
        wake(next);
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

    /// Whether nothing seems to wait. Takes no lock: it may be over before the caller looks at it.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        !self.fetched.load(Ordering::Relaxed) && !self.fresh.load(Ordering::Relaxed)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first lane has been served: the next one is first, and a lane without items leaves.
    ///
    /// Gives its pump, if that waits for room and there is some now.
    fn end_turn(&self, turns: &mut VecDeque<Turn<T>>, due: bool) -> Option<Waker> {
        let (keeps, pump) = if due { self.report(&mut turns[0]) } else { (true, None) };
        if keeps {
            turns.rotate_left(1);
        } else {
            turns.pop_front();
            self.fetched.store(!turns.is_empty(), Ordering::Relaxed);
        }
        pump
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
                latest: row.latest,
                report_every: row.limit().low_water().max(1),
                report_bytes: row.budget.capacity() / 2,
            });
        }
        self.fetched.store(!turns.is_empty(), Ordering::Relaxed);
    }

    /// Lets the last item of a lane of which only that counts take the place of the one that was fetched before it.
    #[cold]
    fn fetch_latest(&self, turn: &mut Turn<T>) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(turn.lane.0) else { return };
        if row.queue.is_empty() {
            return;
        }
        let gone = turn.batch.drain(..).map(|item| row.budget.give(item.weight())).count();
        row.held -= gone;
        std::mem::swap(&mut turn.batch, &mut row.queue);
        intake.replaced += gone as u64;
    }

    /// Something was added to a lane: it gets a turn. Gives the receiver that waits for it.
    #[inline]
    fn arrived(&self, intake: &mut Intake<T, L>, lane: LaneKey) -> Option<Waker> {
        let Intake { lanes, ready, receivers, replaced, .. } = intake;
        let row = lanes.get_mut(lane.0)?;
        if row.latest {
            *replaced += row.keep_last();
        }
        if row.scheduled || row.held_back {
            return None;
        }
        row.scheduled = true;
        ready.push(lane);
        self.fresh.store(true, Ordering::Release);
        receivers.first()
    }

    /// Removes a lane that is used up. The next one of its series, if there is one, takes its place: gives its pump, which has
    /// room now.
    fn remove(&self, intake: &mut Intake<T, L>, lane: LaneKey) -> Option<Waker> {
        let gone = intake.lanes.remove(lane.0)?;
        if gone.held_back || gone.series.is_none() {
            return None;
        }
        let series = intake.lanes.iter_mut().filter(|(_, row)| row.series == gone.series);
        let (key, next) = series.min_by_key(|(key, _)| key.epoch())?;
        next.held_back = false;
        if !next.queue.is_empty() {
            next.scheduled = true;
            intake.ready.push(LaneKey(key));
            self.fresh.store(true, Ordering::Release);
        }
        next.pump.take()
    }

    /// Tells the lane what was popped, and fetches its next batch if this one is used up.
    ///
    /// Returns whether the lane keeps its turn, and its pump if that waits for room.
    fn report(&self, turn: &mut Turn<T>) -> (bool, Option<Waker>) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(turn.lane.0) else { return (!turn.batch.is_empty(), None) };
        row.held -= std::mem::take(&mut turn.popped);
        row.budget.give(std::mem::take(&mut turn.popped_bytes));
        if turn.batch.is_empty() {
            std::mem::swap(&mut turn.batch, &mut row.queue);
        }
        let keeps = !turn.batch.is_empty();
        row.scheduled = keeps;
        let pump = row.pump.take();
        // Receivers need not be told of the next lane: they were of what this one held.
        let successor = if row.detached && !keeps { self.remove(&mut intake, turn.lane) } else { None };
        (keeps, successor.or(pump))
    }
}

impl<T, L> Intake<T, L> {
    /// A lane that takes items.
    #[inline]
    fn open(&mut self, lane: LaneKey) -> Option<&mut Lane<T, L>> {
        let closed = self.closed;
        self.lanes.get_mut(lane.0).filter(|_| !closed)
    }
}

impl<T: Weigh, L> Next<'_, T, L> {
    /// The connection that the next item came from.
    ///
    /// # Panics
    ///
    /// If it [is over](Self::is_over), as [`item`](Self::item) and [`pop`](Self::pop).
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn from(&self) -> PeerKey {
        self.outlet.turns[0].from
    }

    /// The label of the connection that the next item came from.
    ///
    /// # Panics
    ///
    /// As [`from`](Self::from).
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn label(&self) -> L
    where
        L: Clone,
    {
        match self.inbox.intake.lock().lanes.get(self.outlet.turns[0].lane.0) {
            Some(row) => row.label.clone(),
            None => unreachable!("a lane is there until its last item was popped"),
        }
    }

    /// The next item, where it lies.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn item(&self) -> &T {
        &self.outlet.turns[0].batch[0]
    }

    /// Whether all that was ready was popped, or a pump waits for this to be dropped. Never at first.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.pump.0.is_some() || self.outlet.turns.is_empty()
    }

    /// Takes the next item. The one after it is of another connection, if another one has something.
    #[inline]
    pub fn pop(&mut self) -> T {
        let weight = self.item().weight();
        let Outlet { turns, popped } = &mut *self.outlet;
        let alone = turns.len() == 1;
        let turn = &mut turns[0];
        *popped += 1;
        turn.popped += 1;
        turn.popped_bytes += weight;
        let due = turn.batch.len() == 1
            || turn.popped >= turn.report_every
            || turn.popped_bytes >= turn.report_bytes;
        let Some(item) = turn.batch.pop_front() else { unreachable!("a lane without items has no turn") };
        if due || !alone {
            self.pump.0 = self.inbox.end_turn(turns, due);
        }
        item
    }
}

impl<T: Weigh, L> Hold<'_, T, L> {
    /// Drops all that waits, and says how many items that were. Pumps that wait for room are added to `pumps`, to be woken.
    pub fn clear(&mut self, pumps: &mut Vec<Waker>) -> u64 {
        let Self { inbox, outlet } = self;
        let before = outlet.popped;
        inbox.fetch_fresh(&mut outlet.turns);
        while let Some(turn) = outlet.turns.front_mut() {
            turn.popped += turn.batch.len();
            turn.popped_bytes += turn.batch.iter().map(Weigh::weight).sum::<usize>();
            let popped = turn.batch.drain(..).len();
            pumps.extend(inbox.end_turn(&mut outlet.turns, true));
            outlet.popped += popped as u64;
        }
        outlet.popped - before
    }
}

impl<T: Weigh, L> Lane<T, L> {
    /// Drops all but the last item, and says how many that were.
    fn keep_last(&mut self) -> u64 {
        let gone = self.queue.len().saturating_sub(1);
        self.queue.drain(..gone).for_each(|item| self.budget.give(item.weight()));
        self.held -= gone;
        gone as u64
    }
}

impl<T, L> Lane<T, L> {
    fn room(&self) -> usize {
        match () {
            () if self.held_back => 0,
            () if self.latest => usize::MAX,
            () if !self.budget.admits(1) => 0,
            () => self.limit().room(self.held),
        }
    }

    fn limit(&self) -> Hwm {
        self.beyond.map_or(self.hwm, |beyond| self.hwm.plus(beyond))
    }

    /// Whether there is room. If not, the pump is woken once there is.
    fn room_or_wake(&mut self, pump: &Waker) -> Room {
        if self.room() > 0 {
            return Room::Left;
        }
        self.pump = Some(pump.clone());
        Room::Full
    }
}

impl<T: Weigh, L> Default for Inbox<T, L> {
    fn default() -> Self {
        Self::new()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        outside_panic(move || waker.wake());
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
#[cfg(all(test, not(monocoque_loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    impl Weigh for (usize, usize) {
        fn weight(&self) -> usize {
            1
        }
    }

    type Pair = (usize, usize);

    /// Counts how often it is woken, and unparks the thread that it was made on.
    #[derive(Debug)]
    struct Alarm {
        rung: AtomicUsize,
        thread: thread::Thread,
    }

    impl Alarm {
        fn new() -> Arc<Self> {
            Arc::new(Self { rung: AtomicUsize::new(0), thread: thread::current() })
        }

        fn rung(&self) -> usize {
            self.rung.load(Ordering::SeqCst)
        }
    }

    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.rung.fetch_add(1, Ordering::SeqCst);
            self.thread.unpark();
        }
    }

    fn config(hwm: usize, series: Option<u64>) -> LaneConfig {
        LaneConfig { hwm: Hwm::new(hwm), series, ..LaneConfig::default() }
    }

    fn lane(inbox: &Inbox<Pair>, slot: u32, hwm: usize) -> LaneKey {
        inbox.attach(PeerKey::new(slot, 1), (), config(hwm, None))
    }

    fn push(inbox: &Inbox<Pair>, lane: LaneKey, items: impl IntoIterator<Item = Pair>) {
        let mut batch: VecDeque<_> = items.into_iter().collect();
        let bytes = batch.len();
        inbox.push(lane, &mut batch, bytes);
        assert!(batch.is_empty());
    }

    fn room(inbox: &Inbox<Pair>, lane: LaneKey) -> Poll<Result<usize, InboxClosed>> {
        inbox.poll_room(lane, &mut Context::from_waker(Waker::noop()))
    }

    fn pop(inbox: &Inbox<Pair>) -> Option<Pair> {
        inbox.try_next().expect("open").map(|mut next| next.pop())
    }

    /// Receives as a future does: leaves the queue once it has got something.
    fn poll_pop(
        inbox: &Inbox<Pair>,
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> Poll<Result<(PeerKey, Pair), InboxClosed>> {
        let popped = inbox.poll_next(ticket, cx).map_ok(|mut next| (next.from(), next.pop()));
        if popped.is_ready() {
            inbox.leave(ticket);
        }
        popped
    }

    #[test]
    fn a_busy_lane_and_a_quiet_one_take_turns() {
        let inbox = Inbox::new();
        let (busy, quiet) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0));
        push(&inbox, busy, (0..1000).map(|n| (0, n)));
        assert_eq!(pop(&inbox), Some((0, 0)));
        for n in 0..100 {
            push(&inbox, quiet, [(1, n)]);
            let next = [pop(&inbox), pop(&inbox), pop(&inbox)];
            assert!(next.contains(&Some((1, n))), "{next:?}");
        }
        push(&inbox, quiet, (100..200).map(|n| (1, n)));
        let lanes: Vec<_> = (0..200).map_while(|_| pop(&inbox)).map(|(lane, _)| lane).collect();
        assert!(lanes[1..].windows(2).all(|pair| pair[0] != pair[1]), "strictly one after the other");
    }

    #[test]
    fn a_lane_never_holds_more_than_its_mark_and_its_pump_is_woken() {
        for hwm in [1, 2, 3, 1000] {
            let inbox = Inbox::new();
            let lane = lane(&inbox, 0, hwm);
            let alarm = Alarm::new();
            let waker = Waker::from(alarm.clone());
            let mut cx = Context::from_waker(&waker);
            let (mut pushed, mut popped, mut woken) = (0, 0, 0);
            while popped < 5 * hwm + 7 {
                match inbox.poll_room(lane, &mut cx) {
                    Poll::Ready(room) => {
                        let room = room.expect("open");
                        assert!(room > 0 && pushed + room - popped <= hwm, "{room} of {hwm}");
                        push(&inbox, lane, (pushed..pushed + room).map(|n| (0, n)));
                        pushed += room;
                        assert!(inbox.poll_room(lane, &mut cx).is_pending());
                        woken = alarm.rung();
                    }
                    Poll::Pending => {
                        assert_eq!(pop(&inbox), Some((0, popped)), "in order, and there is one");
                        popped += 1;
                        assert!(
                            pushed - popped > hwm - hwm.div_ceil(2) || alarm.rung() > woken,
                            "half of it is free and the pump sleeps on"
                        );
                    }
                }
            }
            assert_eq!(inbox.len(), pushed - popped);
        }
    }

    #[test]
    fn a_byte_budget_holds_the_pump_back_as_well() {
        let inbox = Inbox::new();
        let lane = inbox.attach(
            PeerKey::new(0, 1),
            (),
            LaneConfig { budget: BytePermits::new(10), ..config(0, None) },
        );
        let alarm = Alarm::new();
        push(&inbox, lane, (0..10).map(|n| (0, n)));
        assert!(inbox.poll_room(lane, &mut Context::from_waker(&alarm.clone().into())).is_pending());
        for _ in 0..5 {
            assert!(pop(&inbox).is_some());
        }
        assert_eq!(alarm.rung(), 1);
        assert!(room(&inbox, lane).is_ready());
    }

    #[test]
    fn batches_keep_their_order_whether_they_are_swapped_or_appended() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 0);
        let mut pushed = 0;
        let mut popped = 0;
        for round in 0..200_usize {
            for _ in 0..round % 4 {
                push(&inbox, lane, (pushed..pushed + round % 7).map(|n| (0, n)));
                pushed += round % 7;
            }
            for _ in 0..round % 9 {
                match pop(&inbox) {
                    Some(item) => assert_eq!(item, (0, popped)),
                    None => {
                        assert_eq!(popped, pushed);
                        break;
                    }
                }
                popped += 1;
            }
            assert_eq!(inbox.len(), pushed - popped);
        }
    }

    #[test]
    fn a_lane_that_is_detached_still_delivers_and_its_place_is_used_again() {
        let inbox = Inbox::new();
        for n in 0..100 {
            let (full, empty) = (lane(&inbox, 0, 2), lane(&inbox, 1, 2));
            push(&inbox, full, [(0, n), (1, n)]);
            if n % 2 == 0 {
                assert_eq!(pop(&inbox), Some((0, n)));
            }
            inbox.detach(full);
            inbox.detach(empty);
            push(&inbox, empty, [(7, 7)]);
            if n % 2 == 1 {
                assert_eq!(pop(&inbox), Some((0, n)));
            }
            assert_eq!(pop(&inbox), Some((1, n)));
            assert_eq!(pop(&inbox), None);
            assert!(inbox.intake.lock().lanes.is_empty());
            assert_eq!(room(&inbox, full), Poll::Ready(Err(InboxClosed)));
        }
    }

    #[test]
    fn a_lane_that_replaces_another_has_no_room_before_that_one_is_received() {
        let inbox = Inbox::new();
        let old = inbox.attach(PeerKey::new(0, 1), (), config(0, Some(7)));
        let behind = |slot| inbox.attach(PeerKey::new(slot, 1), (), config(2, Some(7)));
        let (new, newest) = (behind(1), behind(2));
        push(&inbox, old, [(0, 0), (0, 1)]);
        let alarms = [Alarm::new(), Alarm::new()];
        let room_of =
            |n: usize, lane| inbox.poll_room(lane, &mut Context::from_waker(&alarms[n].clone().into()));
        let rung = || alarms.each_ref().map(|alarm| alarm.rung());
        assert!(room_of(0, new).is_pending() && room_of(1, newest).is_pending());
        assert_eq!([pop(&inbox), pop(&inbox), pop(&inbox)], [Some((0, 0)), Some((0, 1)), None]);
        assert!(room_of(0, new).is_pending(), "more may come");
        push(&inbox, old, [(0, 2)]);
        inbox.detach(old);
        assert!(room_of(0, new).is_pending() && room_of(1, newest).is_pending());
        assert_eq!((pop(&inbox), rung()), (Some((0, 2)), [1, 0]));
        assert_eq!(room_of(0, new), Poll::Ready(Ok(2)));
        push(&inbox, new, [(1, 0)]);
        inbox.detach(new);
        assert!(room_of(1, newest).is_pending());
        assert_eq!((pop(&inbox), rung()), (Some((1, 0)), [1, 1]));
        assert_eq!(room_of(1, newest), Poll::Ready(Ok(2)));
        inbox.detach(newest);
        assert!(inbox.intake.lock().lanes.is_empty());
    }

    #[test]
    fn a_lane_that_ends_while_it_is_held_back_does_not_let_the_next_one_past() {
        let inbox = Inbox::new();
        let old = inbox.attach(PeerKey::new(0, 1), (), config(0, Some(7)));
        push(&inbox, old, [(0, 0)]);
        let behind = |slot| inbox.attach(PeerKey::new(slot, 1), (), config(2, Some(7)));
        let (new, newest) = (behind(1), behind(2));
        let alarm = Alarm::new();
        let room_of = |lane| inbox.poll_room(lane, &mut Context::from_waker(&alarm.clone().into()));
        assert!(room_of(newest).is_pending());
        inbox.detach(new);
        assert!(room_of(newest).is_pending(), "the old one still holds something");
        inbox.detach(old);
        assert_eq!((pop(&inbox), alarm.rung()), (Some((0, 0)), 1));
        assert_eq!(room_of(newest), Poll::Ready(Ok(2)));
        inbox.detach(newest);
        assert!(inbox.intake.lock().lanes.is_empty());
    }

    #[test]
    fn closing_wakes_everybody_and_lets_go_of_everything() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 1);
        push(&inbox, lane, [(0, 0)]);
        let (pump, receiver) = (Alarm::new(), Alarm::new());
        assert!(inbox.poll_room(lane, &mut Context::from_waker(&pump.clone().into())).is_pending());
        assert!(pop(&inbox).is_some());
        push(&inbox, lane, [(0, 1)]);
        assert!(inbox.poll_room(lane, &mut Context::from_waker(&pump.clone().into())).is_pending());
        assert!(pop(&inbox).is_some());
        let waker = receiver.clone().into();
        let cx = Context::from_waker(&waker);
        let mut tickets = [None, None];
        assert!(tickets.iter_mut().all(|ticket| poll_pop(&inbox, ticket, &cx).is_pending()));
        push(&inbox, lane, [(0, 2)]);
        assert!(inbox.poll_room(lane, &mut Context::from_waker(&pump.clone().into())).is_pending());
        let before = (pump.rung(), receiver.rung());
        inbox.close();
        assert_eq!((pump.rung(), receiver.rung()), (before.0 + 1, before.1 + 2));
        assert!(matches!(inbox.try_next(), Err(InboxClosed)));
        assert_eq!(room(&inbox, lane), Poll::Ready(Err(InboxClosed)));
        push(&inbox, lane, [(0, 3)]);
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_is_there_outlives_the_finish() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 0);
        push(&inbox, lane, [(0, 0), (0, 1)]);
        inbox.finish();
        push(&inbox, lane, [(0, 2)]);
        let cx = Context::from_waker(Waker::noop());
        for n in 0..2 {
            assert_eq!(poll_pop(&inbox, &mut None, &cx), Poll::Ready(Ok((PeerKey::new(0, 1), (0, n)))));
        }
        assert_eq!(poll_pop(&inbox, &mut None, &cx), Poll::Ready(Err(InboxClosed)));
    }

    #[test]
    fn what_comes_just_before_the_finish_is_never_missed() {
        for round in 0..1_000 {
            let inbox = Arc::new(Inbox::new());
            let lane = lane(&inbox, 0, 0);
            let pump = {
                let inbox = inbox.clone();
                let delay = round % 64;
                move || {
                    (0..delay).for_each(|_| std::hint::spin_loop());
                    push(&inbox, lane, [(0, 0)]);
                    inbox.finish();
                }
            };
            thread::scope(|scope| {
                scope.spawn(pump);
                let cx = Context::from_waker(Waker::noop());
                let mut ticket = None;
                let outcome = loop {
                    match poll_pop(&inbox, &mut ticket, &cx) {
                        Poll::Ready(outcome) => break outcome,
                        Poll::Pending => std::hint::spin_loop(),
                    }
                };
                assert!(outcome.is_ok(), "round {round}: the end was told before what was there");
            });
        }
    }

    #[test]
    fn a_lane_that_replaces_another_waits_until_that_one_is_used_up() {
        let inbox = Inbox::new();
        let old = inbox.attach(PeerKey::new(0, 1), (), config(0, Some(7)));
        push(&inbox, old, [(0, 0), (0, 1)]);
        inbox.detach(old);
        let attach = |series| inbox.attach(PeerKey::new(1, 1), (), config(5, Some(series)));
        let (gone, new) = (attach(7), attach(7));
        assert!(room(&inbox, new).is_pending());
        push(&inbox, gone, [(1, 0)]);
        inbox.detach(gone);
        assert_eq!((pop(&inbox), pop(&inbox)), (Some((0, 0)), Some((0, 1))));
        assert_eq!(
            (pop(&inbox), pop(&inbox)),
            (Some((1, 0)), None),
            "it had no room, and keeps what it was given"
        );
        assert_eq!(room(&inbox, new), Poll::Ready(Ok(5)));
        push(&inbox, new, [(2, 0)]);
        assert_eq!(pop(&inbox), Some((2, 0)));
        inbox.detach(new);
        assert_eq!(room(&inbox, attach(7)), Poll::Ready(Ok(5)), "nothing is left to wait for");
    }

    #[test]
    fn a_receiver_that_gives_up_passes_the_wake_up_on() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 0);
        let alarms = [Alarm::new(), Alarm::new(), Alarm::new()];
        let mut tickets = [None, None, None];
        for (alarm, ticket) in alarms.iter().zip(&mut tickets) {
            assert!(poll_pop(&inbox, ticket, &Context::from_waker(&alarm.clone().into())).is_pending());
        }
        push(&inbox, lane, [(0, 0)]);
        assert_eq!(alarms.each_ref().map(|alarm| alarm.rung()), [1, 0, 0]);
        inbox.leave(&mut tickets[1]);
        assert_eq!(alarms[2].rung(), 0, "it is still the turn of the first");
        inbox.leave(&mut tickets[0]);
        assert_eq!(alarms[2].rung(), 1);
        let popped = poll_pop(&inbox, &mut tickets[2], &Context::from_waker(Waker::noop()));
        assert!(popped.is_ready());
        assert!(tickets.iter().all(Option::is_none));
        assert!(inbox.intake.lock().receivers.is_empty());
    }

    #[test]
    fn an_item_that_is_looked_at_stays_where_it_is() {
        let inbox = Inbox::new();
        let (one, other) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0));
        push(&inbox, one, [(0, 0), (0, 1)]);
        push(&inbox, other, [(1, 0)]);
        for _ in 0..3 {
            let next = inbox.try_next().expect("open").expect("one");
            assert_eq!((next.from(), *next.item()), (PeerKey::new(0, 1), (0, 0)));
        }
        assert_eq!(
            [pop(&inbox), pop(&inbox), pop(&inbox), pop(&inbox)],
            [Some((0, 0)), Some((1, 0)), Some((0, 1)), None]
        );
        assert_eq!(inbox.popped(), 3);
    }

    #[test]
    fn it_is_quiet_while_nothing_waits() {
        let inbox = Inbox::new();
        let (one, other) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0));
        assert!(inbox.is_quiet());
        push(&inbox, one, [(0, 0), (0, 1)]);
        assert!(!inbox.is_quiet(), "nobody has fetched it");
        assert_eq!(pop(&inbox), Some((0, 0)));
        assert!(!inbox.is_quiet(), "one is left of what was fetched");
        push(&inbox, one, [(0, 2)]);
        assert_eq!(pop(&inbox), Some((0, 1)));
        assert!(!inbox.is_quiet(), "one has come meanwhile");
        push(&inbox, other, [(1, 0)]);
        assert_eq!(pop(&inbox), Some((0, 2)));
        assert!(!inbox.is_quiet(), "another lane has one");
        assert_eq!(pop(&inbox), Some((1, 0)));
        assert!(inbox.is_quiet());
        push(&inbox, one, [(0, 3)]);
        push(&inbox, other, [(1, 1)]);
        drop(inbox.try_next().expect("open"));
        assert!(!inbox.is_quiet(), "it was only looked at");
        assert_eq!(inbox.hold().clear(&mut Vec::new()), 2);
        assert!(inbox.is_quiet());
        push(&inbox, one, [(0, 4)]);
        inbox.detach(one);
        assert_eq!(pop(&inbox), Some((0, 4)));
        assert!(inbox.is_quiet());
    }

    #[test]
    fn several_are_popped_in_turn_and_nobody_else_gets_anything_meanwhile() {
        let inbox = Inbox::new();
        let (one, other, late) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0), lane(&inbox, 2, 0));
        push(&inbox, one, (0..3).map(|n| (0, n)));
        push(&inbox, other, [(1, 0)]);
        let mut next = inbox.try_next().expect("open").expect("something");
        let mut popped = Vec::new();
        while !next.is_over() {
            let (from, item) = (next.from(), *next.item());
            assert_eq!((from, next.pop()), (PeerKey::new(item.0 as u32, 1), item));
            assert!(inbox.outlet.try_lock().is_none());
            if item == (0, 1) {
                push(&inbox, one, [(0, 3)]);
                push(&inbox, late, [(2, 0)]);
            }
            popped.push(item);
        }
        drop(next);
        assert_eq!(popped, [(0, 0), (1, 0), (0, 1), (0, 2), (0, 3)]);
        assert_eq!((pop(&inbox), pop(&inbox)), (Some((2, 0)), None));
        assert_eq!(inbox.popped(), 6);
    }

    #[test]
    fn it_is_over_when_a_pump_waits_for_the_room_that_was_made() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 4);
        push(&inbox, lane, (0..4).map(|n| (0, n)));
        let alarm = Alarm::new();
        assert!(inbox.poll_room(lane, &mut Context::from_waker(&alarm.clone().into())).is_pending());
        let mut next = inbox.try_next().expect("open").expect("something");
        assert_eq!((next.pop(), next.is_over()), ((0, 0), false));
        assert_eq!((next.pop(), next.is_over(), alarm.rung()), ((0, 1), true, 0));
        drop(next);
        assert_eq!(alarm.rung(), 1, "behind the lock");
        assert_eq!(room(&inbox, lane), Poll::Ready(Ok(2)));
        assert_eq!([pop(&inbox), pop(&inbox), pop(&inbox)], [Some((0, 2)), Some((0, 3)), None]);
    }

    #[test]
    fn a_lane_without_a_queue_in_front_of_it_holds_more() {
        let inbox = Inbox::new();
        let config = LaneConfig { beyond: Some(Hwm::new(1)), ..config(2, None) };
        let lane = inbox.attach(PeerKey::new(0, 1), (), config);
        let alarm = Alarm::new();
        let sender = Waker::from(alarm.clone());
        let offer = |n| inbox.offer(lane, (0, n), &sender, &mut None);
        assert_eq!([offer(0), offer(1), offer(2)], [Ok(Room::Left), Ok(Room::Left), Ok(Room::Full)]);
        assert_eq!((pop(&inbox), alarm.rung()), (Some((0, 0)), 0), "half of it is not free yet");
        assert_eq!((pop(&inbox), alarm.rung()), (Some((0, 1)), 1));
        assert_eq!(inbox.set_beyond(lane, Hwm::new(5), &sender), Room::Left);
        assert!(inbox.set_hwm(Hwm::UNLIMITED).is_empty());
        (3..100).for_each(|n| assert_eq!(offer(n), Ok(Room::Left)));
        inbox.finish();
        assert_eq!(offer(100), Err((0, 100)));
        assert_eq!(inbox.len(), 98);
    }

    #[test]
    fn an_item_that_is_offered_wakes_the_receiver_only_later() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 0);
        let alarm = Alarm::new();
        let mut ticket = None;
        assert!(poll_pop(&inbox, &mut ticket, &Context::from_waker(&alarm.clone().into())).is_pending());
        let mut receiver = None;
        assert_eq!(inbox.offer(lane, (0, 0), Waker::noop(), &mut receiver), Ok(Room::Left));
        assert_eq!(alarm.rung(), 0);
        receiver.expect("the one that waits").wake();
        assert_eq!(alarm.rung(), 1);
    }

    #[test]
    fn of_a_lane_where_only_the_last_item_counts_nothing_older_is_received() {
        let inbox = Inbox::new();
        let latest = |slot| {
            let config = LaneConfig { latest: true, budget: BytePermits::new(1), ..config(1, None) };
            inbox.attach(PeerKey::new(slot, 1), (), config)
        };
        let (one, other) = (latest(0), latest(1));
        push(&inbox, one, (0..10).map(|n| (0, n)));
        push(&inbox, other, [(1, 0)]);
        assert_eq!(pop(&inbox), Some((0, 9)));
        // It was fetched together with the one before it, and waits.
        push(&inbox, other, [(1, 1)]);
        assert_eq!(inbox.offer(other, (1, 2), Waker::noop(), &mut None), Ok(Room::Left));
        assert_eq!((pop(&inbox), pop(&inbox)), (Some((1, 2)), None));
        assert_eq!((inbox.replaced(), inbox.popped()), (11, 2));
        assert_eq!(room(&inbox, one), Poll::Ready(Ok(usize::MAX)));
    }

    #[test]
    fn what_a_lane_is_given_before_its_turn_is_kept_for_it() {
        let inbox = Inbox::new();
        let behind = |slot| inbox.attach(PeerKey::new(slot, 1), (), config(0, Some(7)));
        let (old, new) = (behind(0), behind(1));
        let (alarm, mut ticket) = (Alarm::new(), None);
        let waker = alarm.clone().into();
        push(&inbox, new, [(1, 0)]);
        push(&inbox, old, [(0, 0)]);
        assert_eq!((pop(&inbox), pop(&inbox)), (Some((0, 0)), None));
        assert!(poll_pop(&inbox, &mut ticket, &Context::from_waker(&waker)).is_pending());
        inbox.detach(new);
        assert_eq!(alarm.rung(), 0);
        inbox.detach(old);
        assert_eq!((alarm.rung(), pop(&inbox), pop(&inbox)), (1, Some((1, 0)), None));
    }

    #[test]
    fn each_item_bears_the_label_of_its_lane() {
        let inbox = Inbox::new();
        let lanes =
            ["one", "other"].map(|label| inbox.attach(PeerKey::new(0, 1), label, LaneConfig::default()));
        for (n, lane) in lanes.into_iter().enumerate() {
            inbox.push(lane, &mut [(n, 0), (n, 1)].into(), 2);
            inbox.detach(lane);
        }
        for n in [0, 1, 0, 1] {
            let mut next = inbox.try_next().expect("open").expect("something");
            assert_eq!((next.label(), next.pop().0), (["one", "other"][n], n));
        }
    }

    #[test]
    fn one_batch_wakes_as_many_receivers_as_it_takes() {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, 0);
        let alarms: Vec<_> = (0..4).map(|_| Alarm::new()).collect();
        let mut tickets = [None; 4];
        let poll = |n: usize, tickets: &mut [Option<Ticket>; 4]| {
            poll_pop(&inbox, &mut tickets[n], &Context::from_waker(&alarms[n].clone().into()))
        };
        assert!((0..4).all(|n| poll(n, &mut tickets).is_pending()));
        push(&inbox, lane, (0..3).map(|n| (0, n)));
        for (n, alarm) in alarms.iter().enumerate().take(3) {
            assert!(alarm.rung() > 0, "receiver {n} sleeps on");
            assert_eq!(poll(n, &mut tickets).map(|item| item.map(|(_, item)| item)), Poll::Ready(Ok((0, n))));
        }
        assert!(poll(3, &mut tickets).is_pending());
    }

    /// Pumps and receivers on threads of their own, in random bursts, some of them giving up. Nobody may sleep past the
    /// deadline while there is something to do.
    #[test]
    fn nothing_is_lost_and_nobody_sleeps_on_under_stress() {
        const PUMPS: usize = 3;
        const RECEIVERS: usize = 3;
        const EACH: usize = 20_000;
        const DEADLINE: Duration = Duration::from_secs(20);
        for hwm in [1, 2, 7, 1000] {
            let each = if hwm < 3 { EACH / 4 } else { EACH };
            let inbox = Inbox::new();
            let left = AtomicUsize::new(PUMPS * each);
            let seen: Mutex<Vec<Vec<usize>>> = Mutex::new(vec![Vec::new(); PUMPS]);
            let start = Instant::now();
            let sleep = |what: &str| {
                thread::park_timeout(DEADLINE);
                assert!(start.elapsed() < DEADLINE, "{what} sleeps on");
            };
            let pump = |who: usize| {
                let mut random = fastrand::Rng::with_seed(who as u64 + 7 * hwm as u64);
                let lane = lane(&inbox, who as u32, hwm);
                let waker = Alarm::new().into();
                let mut cx = Context::from_waker(&waker);
                let mut pushed = 0;
                while pushed < each {
                    match inbox.poll_room(lane, &mut cx) {
                        Poll::Ready(room) => {
                            let n = random.usize(1..=room.expect("open")).min(each - pushed);
                            push(&inbox, lane, (pushed..pushed + n).map(|n| (who, n)));
                            pushed += n;
                        }
                        Poll::Pending => sleep("a pump"),
                    }
                }
                inbox.detach(lane);
            };
            let receiver = |who: usize| {
                let mut random = fastrand::Rng::with_seed(who as u64);
                let waker = Alarm::new().into();
                let cx = Context::from_waker(&waker);
                let mut ticket = None;
                let mut got = vec![Vec::new(); PUMPS];
                while left.load(Ordering::SeqCst) > 0 {
                    match poll_pop(&inbox, &mut ticket, &cx) {
                        Poll::Ready(Ok((_, (pump, n)))) => {
                            got[pump].push(n);
                            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                                inbox.finish();
                            }
                        }
                        Poll::Ready(Err(InboxClosed)) => break,
                        Poll::Pending if random.u8(..4) == 0 => {
                            inbox.leave(&mut ticket);
                            thread::yield_now();
                        }
                        Poll::Pending => sleep("a receiver"),
                    }
                }
                let mut seen = seen.lock();
                for (all, got) in seen.iter_mut().zip(got) {
                    assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "out of order");
                    all.extend(got);
                }
            };
            thread::scope(|scope| {
                (0..PUMPS).for_each(|who| drop(scope.spawn(move || pump(who))));
                (0..RECEIVERS).for_each(|who| drop(scope.spawn(move || receiver(who))));
            });
            for mut all in seen.into_inner() {
                all.sort_unstable();
                assert!(all.into_iter().eq(0..each), "each of them once");
            }
        }
    }
}
