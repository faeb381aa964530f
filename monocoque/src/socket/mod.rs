//! A socket without its type: queues on one side, tasks that run connections on the other.
//!
//! ```text
//!   handles (any thread)                    runtime (one thread)
//!   send --> Outbound --(queue a link)--> write pump --\
//!                                                       connection <- dialer | listener
//!   recv <-- Inbox <---(lane a link)----- read pump ---/
//! ```
//!
//! The methods of handles are in [`send`], [`recv`] and [`subscribe`]; [`adapters`] builds streams,
//! sinks and proxies on them. Each future waits in a [`WaitSlot`]. [`timers`] wakes futures whose
//! timeout has expired. [`readiness`] tells what could be received or sent without doing either.
//! [`close`] ends everything once the socket is closed, and either its queued
//! messages are sent or `linger` is over.

pub(crate) mod adapters;
pub(crate) mod close;
pub(crate) mod departures;
mod readiness;
mod reconfigure;
mod recv;
pub(crate) mod send;
mod subscribe;
mod timers;
mod wait_slot;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool as AtomicFlag, AtomicU64 as AtomicNumber};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use monocoque_core::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use monocoque_core::{
    Endpoint, Hwm, Inbox, LaneConfig, LaneCounters, LaneKey, Message, Monitors, PeerKey, Readiness,
    RoutingId, RuntimeHandle, process_id, reserve_spare,
};
use monocoque_zmtp::Subscription;

use self::close::{Supervisor, Task};
use self::departures::Departures;
use self::reconfigure::LiveOptions;
use self::subscribe::Filter;
use self::timers::Timers;
pub(crate) use self::wait_slot::Limit;
use crate::endpoint::cancellation::CancellationToken;
use crate::endpoint::{EndpointEntry, EndpointRef, Endpoints, Origin};
use crate::error::MonocoqueError;
use crate::inproc::InprocRegistry;
#[cfg(feature = "metrics")]
use crate::meter::SocketMeter;
use crate::monitor::{Connection, ConnectionId, Monitor, SocketEvent};
use crate::options::Options;
use crate::pattern::link::DirectWrite;
use crate::pattern::outbound::{Outbound, Phase, is_generated, routing_id};
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Pattern, Routing};
use crate::peer::Peer;
use crate::stats::{PeerStats, SocketStats};
use crate::trace::{self, Span};

/// A socket without its type.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) pattern: &'static Pattern,
    /// The options that the socket was made with, for those that never change.
    pub(crate) options: Options,
    /// The options as they are now, and those that calls read without a lock.
    current: Mutex<Arc<Options>>,
    live: LiveOptions,
    pub(crate) inbox: Inbox<Message, Arc<Peer>>,
    pub(crate) out: Mutex<Outbound>,
    pub(crate) runtime: RuntimeHandle,
    pub(crate) registry: Arc<InprocRegistry<Self>>,
    pub(crate) endpoints: Endpoints,
    pub(crate) filter: Filter,
    pub(crate) monitors: Monitors<SocketEvent>,
    pub(crate) departures: Mutex<Departures>,
    /// The number of the socket, unique within the process.
    #[cfg(feature = "metrics")]
    pub(crate) id: u64,
    #[cfg(feature = "metrics")]
    pub(crate) meter: SocketMeter,
    /// The span of events.
    pub(crate) span: Span,
    /// Set once it was logged that every client of CURVE comes in.
    pub(crate) is_open_reported: AtomicFlag,
    timers: Timers,
    /// The observers of readiness; made when there is a first one.
    readiness: OnceLock<Arc<Readiness>>,
    /// The current high-water mark; locked while lanes are opened or changed.
    recv_hwm: Mutex<Hwm>,
    /// Numbers of generated routing ids.
    next_id: AtomicU32,
    /// Request ids.
    next_request: AtomicU32,
    /// Connection ids.
    next_connection: AtomicU64,
    /// Hashes the routing ids of peers.
    id_hasher: RandomState,
    /// Messages that arrived and were dropped.
    discarded: AtomicU64,
    /// The process that created the socket. In a process forked from it, the socket is closed.
    process: u32,
}

/// The reason to refuse a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The endpoint is detached, or the socket is closed.
    Unwanted,
    DuplicateId,
    /// The socket already has its one peer.
    PairInUse,
}

impl Engine {
    pub(crate) fn new(
        pattern: &'static Pattern,
        options: Options,
        runtime: RuntimeHandle,
        registry: Arc<InprocRegistry<Self>>,
    ) -> Result<Arc<Self>, MonocoqueError> {
        reserve_spare().map_err(MonocoqueError::Readiness)?;
        let engine = Arc::new(Self::unsupervised(pattern, options, runtime, registry));
        let supervisor = Supervisor::new(Task::new(&engine));
        engine.runtime.spawn(|| supervisor.run()).map_err(MonocoqueError::runtime_gone)?;
        Ok(engine)
    }

    /// Creates a closed socket: the state of every socket in a forked process.
    pub(crate) fn closed(pattern: &'static Pattern) -> Arc<Self> {
        let engine = Self::unsupervised(pattern, Options::default(), RuntimeHandle::ended(), Arc::default());
        engine.out.lock().lifecycle.phase = Phase::Aborted;
        engine.inbox.abort();
        engine.monitors.close();
        Arc::new(engine)
    }

    /// Creates a socket without its supervisor task.
    fn unsupervised(
        pattern: &'static Pattern,
        options: Options,
        runtime: RuntimeHandle,
        registry: Arc<InprocRegistry<Self>>,
    ) -> Self {
        static NEXT: AtomicNumber = AtomicNumber::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            pattern,
            #[cfg(feature = "metrics")]
            id,
            #[cfg(feature = "metrics")]
            meter: SocketMeter::default(),
            inbox: Inbox::with_departed_budget(options.departed_budget),
            out: Mutex::new(Outbound::new(pattern, &options)),
            recv_hwm: Mutex::new(options.recv_hwm),
            filter: Filter::new(&options),
            live: LiveOptions::new(pattern, &options),
            current: Mutex::new(Arc::new(options.clone())),
            options,
            runtime,
            registry,
            endpoints: Endpoints::default(),
            monitors: Monitors::default(),
            span: Span::of_socket(pattern.socket_type, id),
            is_open_reported: AtomicFlag::new(false),
            timers: Timers::default(),
            readiness: OnceLock::new(),
            departures: Mutex::default(),
            next_id: AtomicU32::new(fastrand::u32(..)),
            next_request: AtomicU32::new(fastrand::u32(..)),
            next_connection: AtomicU64::new(0),
            id_hasher: RandomState::new(),
            discarded: AtomicU64::new(0),
            process: process_id(),
        }
    }

    /// Returns whether this process was forked from that of the socket: its state is left alone
    /// then.
    #[inline]
    pub(crate) fn is_foreign(&self) -> bool {
        self.process != process_id()
    }

    /// Returns whether the calling thread runs the connections of the socket.
    pub(crate) fn runs_on_current_thread(&self) -> bool {
        self.runtime.is_current_thread()
    }

    /// Changes the sending side, then wakes the tasks affected by the change.
    pub(crate) fn with_wakes<T>(&self, change: impl FnOnce(&mut Outbound, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let result = change(&mut self.out.lock(), &mut wakes);
        wakes.wake();
        result
    }

    /// Returns whether a new connection would have something to do.
    pub(crate) fn wants_peers(&self) -> bool {
        self.out.lock().wants_peers()
    }

    /// Accepts a peer whose handshake is done.
    pub(crate) fn accept_peer(
        &self,
        peer: &Arc<Peer>,
        id: &RoutingId,
        endpoint: &EndpointRef,
        direct: Option<DirectWrite>,
    ) -> Result<PeerKey, Refusal> {
        let mut wakes = Wakes::default();
        // Locked during both steps, so that a topic subscribed meanwhile is sent exactly once.
        let topics = self.filter.topics.read();
        let mut out = self.out.lock();
        let is_wanted = out.wants_peers() && !endpoint.token.is_cancelled();
        let key = if is_wanted {
            let key = out.add_peer(id.clone(), endpoint.key, direct, &mut wakes);
            key.ok_or_else(|| self.refusal())
        } else {
            Err(Refusal::Unwanted)
        };
        if let Ok(key) = key {
            out.set_peer(key, peer.clone());
            for (topic, _) in topics.iter() {
                out.subscribe_one(key, Subscription::Subscribe, topic, &mut wakes);
            }
        }
        drop((out, topics));
        wakes.wake();
        key
    }

    /// Returns the routing id of a new peer: assigned to its endpoint, announced by the peer, or
    /// generated.
    pub(crate) fn peer_id(&self, endpoint: &EndpointRef, announced: &[u8]) -> RoutingId {
        let id = match (self.pattern.routing, &endpoint.name) {
            (Routing::ById, Some(name)) => name,
            (Routing::ById, None) => announced,
            _ => &[],
        };
        routing_id(id, self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the routing id that the application sees: assigned to the endpoint, announced by the
    /// peer, or generated.
    pub(crate) fn visible_id(endpoint: &EndpointRef, announced: &[u8], generated: &RoutingId) -> RoutingId {
        let announced = || RoutingId::try_from(announced).ok();
        endpoint.name.clone().or_else(announced).unwrap_or_else(|| generated.clone())
    }

    /// Returns the reason to refuse a peer.
    pub(crate) fn refusal(&self) -> Refusal {
        if self.pattern.exclusive { Refusal::PairInUse } else { Refusal::DuplicateId }
    }

    /// Creates a connection that no event has reported yet.
    pub(crate) fn new_connection(&self, endpoint: &EndpointRef, peer: Endpoint) -> Arc<Connection> {
        let id = ConnectionId::new(self.next_connection.fetch_add(1, Ordering::Relaxed));
        Arc::new(Connection { id, endpoint: endpoint.address.clone(), peer })
    }

    /// Returns a stream of the events that follow.
    pub(crate) fn monitor(&self) -> Monitor {
        self.monitors.watch()
    }

    /// Emits an event to the monitors, and to the log of the socket.
    pub(crate) fn emit(&self, event: impl FnOnce() -> SocketEvent) {
        self.emit_in(&self.span, event);
    }

    /// Emits an event to the monitors, and to the log of a connection.
    pub(crate) fn emit_in(&self, span: &Span, event: impl FnOnce() -> SocketEvent) {
        if trace::ON {
            let event = event();
            trace::event(span, &event);
            self.monitors.emit(|| event);
        } else {
            self.monitors.emit(event);
        }
    }

    /// Opens the lane of a new peer in the inbox.
    pub(crate) fn open_lane(
        &self,
        key: PeerKey,
        endpoint: &EndpointRef,
        peer: Arc<Peer>,
        config: LaneConfig,
    ) -> LaneKey {
        let latest = config.conflate || self.options.conflate;
        let ordering_group = endpoint.ordering_group().or_else(|| self.ordering_group(&peer.routing_id));
        let hwm = self.recv_hwm.lock();
        // A REQ queues one reply and keeps reading, so that replies to no request are discarded.
        let hwm = if self.pattern.envelope == Envelope::Request { &Hwm::UNLIMITED } else { &*hwm };
        self.inbox.open_lane(key, peer, LaneConfig { hwm: *hwm, ordering_group, conflate: latest, ..config })
    }

    /// Returns the ordering group of a peer with an announced routing id: messages of a later
    /// connection are received after those of an earlier one.
    fn ordering_group(&self, id: &RoutingId) -> Option<u64> {
        let is_named = self.pattern.routing == Routing::ById && !is_generated(id);
        // Disjoint from the numbers of endpoints. A hash collision only makes two peers wait for
        // each other.
        is_named.then(|| self.id_hasher.hash_one(id) | 1 << 63)
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.out.lock().peer_count()
    }

    /// Waits until there are `n` peers, for at most `limit`.
    pub(crate) async fn wait_for_peers(
        self: &Arc<Self>,
        n: usize,
        limit: Option<Duration>,
    ) -> Result<(), MonocoqueError> {
        self.watch_within(limit, |out| match out.lifecycle.phase {
            Phase::Open => (out.peer_count() >= n).then_some(Ok(())),
            _ => Some(Err(MonocoqueError::Closed)),
        })
        .await
    }

    pub(crate) fn stats(&self) -> SocketStats {
        let received = self.inbox.popped();
        let discarded = self.discarded.load(Ordering::Relaxed) + self.inbox.replaced();
        let waiting = self.inbox.len();
        let out = self.out.lock();
        SocketStats {
            sent: out.counters.sent,
            received,
            dropped: out.counters.dropped,
            discarded,
            send_queue: out.queued(),
            recv_queue: waiting,
            peers: out.peer_count(),
            lost_connections: out.counters.lost,
            failed_handshakes: out.counters.failed_handshakes,
            auth_failures: out.counters.auth_failures,
            redelivered: out.counters.redelivered,
            violations: out.counters.violations,
        }
    }

    /// Returns the peers with their counters, in the order of their connections.
    pub(crate) fn peers(&self) -> Vec<PeerStats> {
        // Receivers hold the lock of the inbox while they take that of the sending side.
        let lanes = self.inbox.lanes();
        let mut peers: Vec<_> = {
            let out = self.out.lock();
            let peers = out.peers().map(|(key, peer, sent, send_queue)| {
                let LaneCounters { pushed, waiting } = lanes.get(&key).copied().unwrap_or_default();
                PeerStats {
                    sent,
                    received: pushed,
                    bytes_written: peer.bytes.written(),
                    bytes_read: peer.bytes.read(),
                    send_queue,
                    recv_queue: waiting,
                    peer: peer.clone(),
                }
            });
            peers.collect()
        };
        peers.sort_unstable_by_key(|peer| peer.peer.connection.id);
        peers
    }

    /// Returns the addresses of the endpoints of these origins, in the order in which they were
    /// made. A closed socket has none.
    pub(crate) fn endpoint_addresses(&self, origins: &[Origin]) -> Vec<Endpoint> {
        if self.check_open().is_ok() { self.endpoints.addresses(origins) } else { Vec::new() }
    }

    pub(crate) fn note_discarded(&self, messages: u64) {
        self.discarded.fetch_add(messages, Ordering::Relaxed);
    }

    /// Adds an endpoint. Returns the token that is cancelled when its address is free again.
    pub(crate) fn attach_endpoint(&self, endpoint: &EndpointRef) -> CancellationToken {
        let released = self.endpoints.insert(endpoint.clone());
        // If the socket was closed meanwhile, this endpoint was not among those cancelled.
        if self.check_open().is_err() {
            endpoint.token.cancel();
        }
        released
    }

    /// Detaches an endpoint and the connections made through it.
    pub(crate) fn detach_endpoint(
        &self,
        origin: Origin,
        address: &Endpoint,
    ) -> Result<EndpointEntry, MonocoqueError> {
        let Some(detached) = self.endpoints.take(origin, address) else {
            self.check_open()?;
            return Err(MonocoqueError::UnknownEndpoint(address.clone().into()));
        };
        self.cancel_endpoint(&detached.endpoint);
        self.with_wakes(|out, wakes| out.detach_endpoint(detached.endpoint.key.id, wakes));
        Ok(detached)
    }

    /// Cancels the tasks of an endpoint.
    fn cancel_endpoint(&self, endpoint: &EndpointRef) {
        endpoint.token.cancel();
        if self.registry.remove(endpoint) {
            self.emit(|| SocketEvent::Unbound { endpoint: endpoint.address.clone() });
        }
    }

    /// Removes an endpoint that has ended by itself.
    pub(crate) fn remove_endpoint(&self, endpoint: &EndpointRef) {
        self.endpoints.remove(endpoint.key.id);
        endpoint.token.cancel();
        self.with_wakes(|out, wakes| out.detach_endpoint(endpoint.key.id, wakes));
    }
}
