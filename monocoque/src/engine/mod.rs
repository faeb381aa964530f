//! A socket without its type: queues on one side, tasks that own connections on the other.
//!
//! ```text
//!   handles (any thread)                    home (one thread)
//!   send --> Outbound --(outbox a link)--> write pump --\
//!                                                        connection <- dial | listen
//!   recv <-- Inbox <---(lane a link)------ read pump ---/
//! ```
//!
//! [`sending`] and [`receiving`] are what handles do, [`forwarding`] is both at once, [`adaptor`] what streams and sinks
//! do, [`endpoints`] what they ask for; [`listen`] and [`dial`] make connections, [`session`] runs one; [`inproc`] does
//! without, between two sockets of the process; [`hearing`] is what either makes of subscriptions, [`departures`] of their
//! end. [`timers`]
//! wakes those who have waited for too long, [`closing`] ends them all: when the socket is closed and what was queued is
//! sent, or `linger` is over.

mod adaptor;
mod closing;
mod departures;
mod dial;
mod endpoints;
pub(crate) mod forwarding;
mod guard;
mod hearing;
mod inproc;
mod listen;
mod receiving;
mod sending;
mod session;
mod stop;
mod timers;

use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use monocoque_core::runtime::yielding::Yield;
use monocoque_core::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use monocoque_core::{
    Hwm, Inbox, LaneConfig, LaneKey, Message, Monitors, PeerKey, RoutingId, RuntimeHandle, Ticket,
    process_id, runtime,
};
use monocoque_zmtp::{PeerInfo, Subscription};

use crate::error::MonocoqueError;
use crate::monitor::{Connection, Monitor, SocketEvent};
use crate::options::Options;
use crate::pattern::link::Direct;
use crate::pattern::route::{Outbound, Phase, is_made_up, routing_id};
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Pattern, Routing};
use crate::peer::Peer;
use crate::stats::SocketStats;
use crate::trace;
pub(crate) use adaptor::{Incoming, Outgoing};
use closing::{Keeper, Task};
use departures::Departures;
use endpoints::{Attachment, Via};
pub(crate) use inproc::Names;
use receiving::Filter;
#[cfg(fuzzing)]
pub use session::fuzzing;
use timers::{Timer, Timers};

/// A socket without its type.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) pattern: &'static Pattern,
    pub(crate) options: Options,
    pub(crate) inbox: Inbox<Message, Arc<Peer>>,
    pub(crate) out: Mutex<Outbound>,
    home: RuntimeHandle,
    names: Arc<Names>,
    endpoints: Mutex<Vec<Attachment>>,
    filter: Filter,
    monitors: Monitors<SocketEvent>,
    timers: Timers,
    departures: Mutex<Departures>,
    /// As it is now; held while lanes are made or changed.
    recv_hwm: Mutex<Hwm>,
    /// Numbers for peers that announce no routing id.
    next_id: AtomicU32,
    /// Numbers for requests.
    next_request: AtomicU32,
    /// Numbers for connections.
    next_connection: AtomicU64,
    /// Numbers for endpoints.
    next_via: AtomicU64,
    /// Makes numbers of the names of peers.
    names_of_peers: RandomState,
    /// Messages that arrived and that this type of socket does not receive.
    discarded: AtomicU64,
    /// The process that the socket belongs to: to one that was forked from it, it is closed.
    process: u32,
}

/// Which queue of waiting tasks a future stands in.
#[derive(Clone, Copy, Debug)]
enum Queue {
    Senders,
    Watchers,
    Receivers,
}

/// The place of a future in a queue; given up when the future is dropped.
#[derive(Debug)]
struct Place<'a> {
    engine: &'a Arc<Engine>,
    queue: Queue,
    waiting: Waiting,
    timer: Option<Timer>,
}

/// How a future has waited so far.
#[derive(Debug, Default)]
struct Waiting {
    /// In the queue.
    ticket: Option<Ticket>,
    yields: Yield,
}

impl Engine {
    pub(crate) fn new(
        pattern: &'static Pattern,
        options: Options,
        home: RuntimeHandle,
        names: Arc<Names>,
    ) -> Result<Arc<Self>, MonocoqueError> {
        let engine = Arc::new(Self::unattended(pattern, options, home, names));
        let keeper = Keeper::new(Task::new(&engine));
        engine.home.spawn(|| keeper.keep())?;
        Ok(engine)
    }

    /// A socket that is closed: what one is to a process that was forked from its own.
    pub(crate) fn closed(pattern: &'static Pattern) -> Arc<Self> {
        let engine = Self::unattended(pattern, Options::default(), RuntimeHandle::ended(), Arc::default());
        engine.out.lock().phase = Phase::Aborted;
        engine.inbox.abort();
        engine.monitors.close();
        Arc::new(engine)
    }

    /// A socket whose end nobody waits for.
    fn unattended(
        pattern: &'static Pattern,
        options: Options,
        home: RuntimeHandle,
        names: Arc<Names>,
    ) -> Self {
        Self {
            pattern,
            inbox: Inbox::with_departed_budget(options.departed_budget),
            out: Mutex::new(Outbound::new(pattern, &options)),
            recv_hwm: Mutex::new(options.recv_hwm),
            filter: Filter::new(&options),
            options,
            home,
            names,
            endpoints: Mutex::default(),
            monitors: Monitors::default(),
            timers: Timers::default(),
            departures: Mutex::default(),
            next_id: AtomicU32::new(fastrand::u32(..)),
            next_request: AtomicU32::new(fastrand::u32(..)),
            next_connection: AtomicU64::new(0),
            next_via: AtomicU64::new(0),
            names_of_peers: RandomState::new(),
            discarded: AtomicU64::new(0),
            process: process_id(),
        }
    }

    /// Whether this process was forked from that of the socket: nothing of it is touched then.
    #[inline]
    pub(crate) fn is_foreign(&self) -> bool {
        self.process != process_id()
    }

    /// Whether the calling thread is the home.
    pub(crate) fn is_at_home(&self) -> bool {
        self.home.is_current_thread()
    }

    /// Changes the outgoing side, then wakes whom that concerns.
    pub(crate) fn with_wakes<T>(&self, change: impl FnOnce(&mut Outbound, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let result = change(&mut self.out.lock(), &mut wakes);
        wakes.wake();
        result
    }

    /// Whether a new connection still has something to do.
    pub(crate) fn wants_peers(&self) -> bool {
        self.out.lock().wants_peers()
    }

    /// A handshake is done: the peer takes part from now on, unless it is refused.
    fn welcome(
        &self,
        peer: &PeerInfo,
        via: &Via,
        direct: Option<Direct>,
    ) -> Result<(PeerKey, RoutingId), Refusal> {
        let id = self.name_of(via, &peer.routing_id);
        let mut wakes = Wakes::default();
        // Held across both, so that a topic that is subscribed to meanwhile is sent once, by one or the other.
        let topics = self.filter.topics.read();
        let mut out = self.out.lock();
        let wanted = out.wants_peers() && !via.stop.is_said();
        let key = if wanted {
            let key = out.up(id.clone(), via.through(), direct, &mut wakes);
            key.ok_or_else(|| self.refusal())
        } else {
            Err(Refusal::Unwanted)
        };
        if let Ok(key) = key {
            for (topic, _) in topics.iter() {
                out.subscribe_one(key, Subscription::Subscribe, topic, &mut wakes);
            }
        }
        drop((out, topics));
        wakes.wake();
        key.map(|key| (key, id))
    }

    /// What a peer of an endpoint is called, by us or by its own word.
    fn name_of(&self, via: &Via, announced: &[u8]) -> RoutingId {
        let name = match (self.pattern.routing, &via.name) {
            (Routing::ById, Some(name)) => name,
            (Routing::ById, None) => announced,
            _ => &[],
        };
        routing_id(name, self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Why a peer cannot be taken that is wanted.
    fn refusal(&self) -> Refusal {
        if self.pattern.exclusive { Refusal::Taken } else { Refusal::DuplicateId }
    }

    /// A connection of which nobody was told yet.
    fn new_connection(&self, via: &Via, peer: String) -> Arc<Connection> {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        Arc::new(Connection { id, endpoint: via.endpoint.clone(), peer })
    }

    /// A stream of what happens from now on.
    pub(crate) fn monitor(&self) -> Monitor {
        self.monitors.watch()
    }

    /// Tells those who want to know what happens.
    pub(super) fn tell(&self, event: impl FnOnce() -> SocketEvent) {
        if trace::ON {
            let event = event();
            trace::event(&event);
            self.monitors.emit(|| event);
        } else {
            self.monitors.emit(event);
        }
    }

    /// Opens the lane of a new peer in the inbox.
    fn open_lane(&self, key: PeerKey, via: &Via, peer: Peer, config: LaneConfig) -> LaneKey {
        let latest = config.conflate || self.options.conflate;
        let series = via.series().or_else(|| self.series_of(&peer.routing_id));
        let hwm = self.recv_hwm.lock();
        // A REQ queues one reply and reads on, so that what it does not wait for is discarded.
        let hwm = if self.pattern.envelope == Envelope::Request { &Hwm::UNLIMITED } else { &*hwm };
        self.inbox.open_lane(
            key,
            Arc::new(peer),
            LaneConfig { hwm: *hwm, ordering_group: series, conflate: latest, ..config },
        )
    }

    /// The series of lanes of a peer that has a name, and is to be told apart by that: what comes over a later connection of
    /// it is received after what came over an earlier one.
    fn series_of(&self, name: &RoutingId) -> Option<u64> {
        let is_named = self.pattern.routing == Routing::ById && !is_made_up(name);
        // Apart from the numbers of endpoints. Two names with one number wait for each other now and then, which is all.
        is_named.then(|| self.names_of_peers.hash_one(name) | 1 << 63)
    }

    pub(crate) fn set_send_hwm(&self, hwm: Hwm) {
        self.with_wakes(|out, wakes| out.set_hwm(hwm, wakes));
    }

    pub(crate) fn set_recv_hwm(&self, hwm: Hwm) {
        let with_room = {
            let mut current = self.recv_hwm.lock();
            *current = hwm;
            self.inbox.set_hwm(hwm)
        };
        with_room.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.out.lock().peers()
    }

    pub(crate) async fn wait_for_peers(self: &Arc<Self>, n: usize) -> Result<(), MonocoqueError> {
        self.watch(|out| match out.phase {
            Phase::Open => (out.peers() >= n).then_some(Ok(())),
            _ => Some(Err(MonocoqueError::Closed)),
        })
        .await
    }

    /// Waits until `done` gives a result; it is asked again whenever peers, subscriptions or tasks change.
    pub(crate) async fn watch<T>(self: &Arc<Self>, mut done: impl FnMut(&mut Outbound) -> Option<T>) -> T {
        let mut place = Place::new(self, Queue::Watchers);
        poll_fn(|cx| place.poll_watch(cx, &mut done)).await
    }

    pub(crate) fn stats(&self) -> SocketStats {
        let received = self.inbox.popped();
        let discarded = self.discarded.load(Ordering::Relaxed) + self.inbox.replaced();
        let waiting = self.inbox.len();
        let out = self.out.lock();
        SocketStats {
            sent: out.sent,
            received,
            dropped: out.dropped,
            discarded,
            send_queue: out.queued(),
            recv_queue: waiting,
            peers: out.peers(),
            lost_connections: out.lost,
        }
    }

    pub(crate) fn note_discarded(&self, messages: u64) {
        self.discarded.fetch_add(messages, Ordering::Relaxed);
    }

    fn leave(&self, queue: Queue, ticket: &mut Option<Ticket>) {
        match queue {
            Queue::Receivers => self.inbox.remove_waiter(ticket),
            Queue::Senders => self.with_wakes(|out, wakes| wakes.add(out.senders.remove(ticket))),
            Queue::Watchers => drop(self.out.lock().watchers.remove(ticket)),
        }
    }
}

/// Why a peer does not take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Its endpoint is given up, or the socket is closed.
    Unwanted,
    DuplicateId,
    /// There is a peer, and can be no other.
    Taken,
}

impl<'a> Place<'a> {
    #[inline]
    fn new(engine: &'a Arc<Engine>, queue: Queue) -> Self {
        Self { engine, queue, waiting: Waiting::default(), timer: None }
    }

    /// What `done` gives, if this is a place among watchers; of a closed socket in a process that was forked.
    fn poll_watch<T>(&mut self, cx: &Context<'_>, done: impl FnOnce(&mut Outbound) -> Option<T>) -> Poll<T> {
        if self.engine.is_foreign() {
            let closed = Engine::closed(self.engine.pattern);
            let result = done(&mut closed.out.lock());
            return result.map_or(Poll::Pending, Poll::Ready);
        }
        if self.waiting.is_to_yield() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut out = self.engine.out.lock();
        match done(&mut out) {
            Some(result) => Poll::Ready(result),
            None => {
                out.watchers.wait(&mut self.waiting.ticket, cx.waker());
                Poll::Pending
            }
        }
    }

    /// Whether a task that has to wait has done so for `limit`. If not, it is woken when it has.
    fn is_late(&mut self, limit: Option<Duration>, cx: &Context<'_>) -> bool {
        limit.is_some_and(|limit| self.engine.timers.is_over(&mut self.timer, limit, cx.waker()))
    }

    /// What a future says that has to wait.
    #[inline]
    fn overdue<T>(&mut self, limit: Option<Duration>, cx: &Context<'_>) -> Poll<Result<T, MonocoqueError>> {
        if self.is_late(limit, cx) { Poll::Ready(Err(MonocoqueError::TimedOut)) } else { Poll::Pending }
    }
}

impl Waiting {
    /// Whether the future is to be pending for others to have a turn. They have had it while it was in the queue.
    #[inline]
    fn is_to_yield(&mut self) -> bool {
        self.ticket.is_none() && self.yields.is_due()
    }
}

impl Drop for Place<'_> {
    #[inline]
    fn drop(&mut self) {
        let is_free = self.timer.is_none() && self.waiting.ticket.is_none();
        if is_free || self.engine.is_foreign() {
            return;
        }
        if let Some(timer) = self.timer.take() {
            self.engine.timers.forget(timer);
        }
        if self.waiting.ticket.is_some() {
            let (engine, queue, mut ticket) = (self.engine.clone(), self.queue, self.waiting.ticket.take());
            runtime::run_outside_panic(move || engine.leave(queue, &mut ticket));
        }
    }
}
