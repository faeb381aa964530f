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
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::runtime::run_outside_panic;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::{BytePermits, Hwm, Message, PeerKey, PeerTable, Room, Ticket, Waiters};

/// What an item costs of its lane's byte budget.
pub trait Weigh {
    /// How many bytes it takes, about.
    fn weight(&self) -> usize;
}

impl Weigh for Message {
    /// Its place and what it keeps beside: an empty message is not free.
    #[inline]
    fn weight(&self) -> usize {
        size_of::<Self>() + self.heap_len()
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
    /// Lanes of one series are received one after the other: what the next one holds is received after all that the
    /// earlier ones hold. For connections that replace each other, so that what comes over them stays in order.
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

/// Several pumps that have room now.
#[derive(Debug)]
struct Pumps(Vec<Waker>);

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

impl Wake for Pumps {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(Waker::wake_by_ref);
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
    /// How many bytes connections that have ended have left, and how many they may before newcomers have to wait.
    departed: usize,
    departed_max: usize,
}

#[derive(Debug)]
struct Lane<T, L> {
    from: PeerKey,
    label: L,
    queue: VecDeque<T>,
    /// Memory for the next batch of its pump.
    spare: VecDeque<T>,
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
    /// An earlier one of its series is not used up: what it holds is received later.
    held_back: bool,
    /// It came when connections that have ended had left too much: it has no room before enough of that is received.
    newcomer: bool,
}

impl<T: Weigh, L> Inbox<T, L> {
    /// An empty inbox whose lanes may leave any number of bytes.
    pub fn new() -> Self {
        Self::with_departed_budget(usize::MAX)
    }

    /// An empty inbox. While lanes that were detached have left more than `bytes` that are not received, lanes that are
    /// attached meanwhile have no room.
    pub fn with_departed_budget(bytes: usize) -> Self {
        Self {
            outlet: Mutex::new(Outlet { turns: VecDeque::new(), popped: 0 }),
            intake: Mutex::new(Intake {
                lanes: PeerTable::new(),
                ready: Vec::new(),
                receivers: Waiters::default(),
                replaced: 0,
                closed: false,
                departed: 0,
                departed_max: bytes,
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
        let newcomer = intake.is_crowded();
        LaneKey(intake.lanes.insert(Lane {
            from,
            label,
            queue: VecDeque::new(),
            spare: VecDeque::new(),
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
            newcomer,
        }))
    }

    /// Closes a lane. What it holds can still be received.
    pub fn detach(&self, lane: LaneKey) {
        let mut intake = self.intake.lock();
        let Intake { lanes, departed, .. } = &mut *intake;
        let Some(row) = lanes.get_mut(lane.0) else { return };
        if !std::mem::replace(&mut row.detached, true) {
            *departed += row.budget.in_use();
        }
        row.pump = None;
        // One that holds something is removed by the receiver that takes the last of it.
        let is_used_up = !row.scheduled && row.queue.is_empty();
        let pump = if is_used_up { self.remove(&mut intake, lane) } else { None };
        let receiver = if is_used_up && !intake.ready.is_empty() { intake.receivers.first() } else { None };
        drop(intake);
        [pump, receiver].into_iter().for_each(wake);
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

    /// Gives `batch`, which has no memory, what is kept for it since the last [`push_whole`](Self::push_whole).
    ///
    /// It is kept here, and not in the batch, so that [`rest`](Self::rest) can let go of it.
    #[cold]
    pub fn lend(&self, lane: LaneKey, batch: &mut VecDeque<T>) {
        if let Some(row) = self.intake.lock().lanes.get_mut(lane.0) {
            *batch = std::mem::take(&mut row.spare);
        }
        batch.reserve(1);
    }

    /// Lets go of the memory that a lane keeps for more.
    pub fn rest(&self, lane: LaneKey) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(lane.0) else { return };
        let spare = std::mem::take(&mut row.spare);
        let queue = row.queue.is_empty().then(|| std::mem::take(&mut row.queue));
        drop(intake);
        drop((spare, queue));
    }

    /// Appends `batch` to the lane and leaves an empty queue in its place.
    ///
    /// `bytes` is the weight of the batch. It is the caller who asks for [room](Self::poll_room) first: more than that is
    /// taken as well.
    pub fn push(&self, lane: LaneKey, batch: &mut VecDeque<T>, bytes: usize) {
        if !batch.is_empty() {
            self.append(lane, batch, bytes, false);
        }
    }

    /// As [`push`](Self::push), and keeps the memory of the batch to [lend](Self::lend) it again.
    pub fn push_whole(&self, lane: LaneKey, batch: &mut VecDeque<T>, bytes: usize) {
        if batch.capacity() > 0 {
            self.append(lane, batch, bytes, true);
        }
    }

    #[inline]
    fn append(&self, lane: LaneKey, batch: &mut VecDeque<T>, bytes: usize, keeps_memory: bool) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.open(lane) else { return batch.clear() };
        row.held += batch.len();
        row.budget.take(bytes);
        let is_empty = batch.is_empty();
        if row.queue.is_empty() && !is_empty {
            std::mem::swap(&mut row.queue, batch);
        } else {
            row.queue.append(batch);
        }
        if keeps_memory {
            row.spare = std::mem::take(batch);
        }
        let receiver = if is_empty { None } else { self.arrived(&mut intake, lane) };
        drop(intake);
        wake(receiver);
    }

    /// How many items of a lane no receiver has fetched.
    pub fn unread(&self, lane: LaneKey) -> usize {
        self.intake.lock().lanes.get(lane.0).map_or(0, |row| row.queue.len())
    }

    /// Takes out what a lane holds and no receiver has fetched, to be [put back](Self::put_back): it counts as held meanwhile.
    pub fn take_unread(&self, lane: LaneKey) -> VecDeque<T> {
        self.intake
            .lock()
            .lanes
            .get_mut(lane.0)
            .map_or_else(VecDeque::new, |row| std::mem::take(&mut row.queue))
    }

    /// Puts back what was [taken out](Self::take_unread) of a lane that nothing was pushed to meanwhile, but for `gone` items of
    /// `bytes`.
    pub fn put_back(&self, lane: LaneKey, items: &mut VecDeque<T>, gone: usize, bytes: usize) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.open(lane) else { return };
        row.held -= gone;
        row.budget.give(bytes);
        std::mem::swap(&mut row.queue, items);
        let receiver = if row.queue.is_empty() {
            self.unschedule(&mut intake, lane);
            None
        } else {
            self.arrived(&mut intake, lane)
        };
        drop(intake);
        wake(receiver);
    }

    /// Takes a lane that holds nothing any more off the list of those that have something, unless a receiver has fetched it.
    fn unschedule(&self, intake: &mut Intake<T, L>, lane: LaneKey) {
        let Some(at) = intake.ready.iter().position(|ready| *ready == lane) else { return };
        intake.ready.remove(at);
        if let Some(row) = intake.lanes.get_mut(lane.0) {
            row.scheduled = false;
            row.queue = VecDeque::new();
        }
        self.fresh.store(!intake.ready.is_empty(), Ordering::Release);
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
        let mut intake = self.intake.lock();
        match intake.lanes.get_mut(lane.0) {
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
        intake.departed = 0;
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
            if row.queue.is_empty() {
                // They were taken out.
                row.scheduled = false;
                continue;
            }
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
        // Given back with the item that is popped instead, as are those that the lane left when it was detached.
        turn.popped_bytes += turn.batch.iter().map(Weigh::weight).sum::<usize>();
        let gone = turn.batch.drain(..).len();
        turn.popped += gone;
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
    /// Returns whether the lane keeps its turn, and whoever waits for room that there is now.
    fn report(&self, turn: &mut Turn<T>) -> (bool, Option<Waker>) {
        let mut intake = self.intake.lock();
        let Some(row) = intake.lanes.get_mut(turn.lane.0) else { return (!turn.batch.is_empty(), None) };
        row.held -= std::mem::take(&mut turn.popped);
        let bytes = std::mem::take(&mut turn.popped_bytes);
        row.budget.give(bytes);
        if turn.batch.is_empty() {
            std::mem::swap(&mut turn.batch, &mut row.queue);
        }
        let keeps = !turn.batch.is_empty();
        row.scheduled = keeps;
        let pump = row.pump.take();
        if !row.detached {
            return (keeps, pump);
        }
        let mut pumps = intake.give_departed(bytes);
        pumps.extend(pump);
        if !keeps {
            // Receivers need not be told of the next lane: they were of what this one held.
            pumps.extend(self.remove(&mut intake, turn.lane));
        }
        (keeps, as_one(pumps))
    }
}

impl<T, L> Intake<T, L> {
    /// Whether connections that have ended have left more than they may.
    fn is_crowded(&self) -> bool {
        self.departed > self.departed_max
    }

    /// Takes note that so much of what ended connections have left was received. Once there is room for newcomers they are
    /// none any more: gives the pumps of those that wait.
    fn give_departed(&mut self, bytes: usize) -> Vec<Waker> {
        let was_crowded = self.is_crowded();
        self.departed = self.departed.saturating_sub(bytes);
        if !was_crowded || self.is_crowded() {
            return Vec::new();
        }
        let newcomers = self.lanes.iter_mut().filter_map(|(_, row)| {
            let is_newcomer = std::mem::take(&mut row.newcomer);
            if is_newcomer { row.pump.take() } else { None }
        });
        newcomers.collect()
    }

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
            () if self.newcomer => 0,
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

/// One waker for all of them.
fn as_one(mut wakers: Vec<Waker>) -> Option<Waker> {
    if wakers.len() > 1 { Some(Arc::new(Pumps(wakers)).into()) } else { wakers.pop() }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        run_outside_panic(move || waker.wake());
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
#[cfg(all(test, not(monocoque_loom)))]
mod tests;
