//! The options of a socket. Every value is checked when it is set.

use std::num::NonZero;
use std::time::Duration;

use bytes::Bytes;
use monocoque_core::transport::SocketOptions;
use monocoque_core::{Backoff, BytePermits, Hwm, Message, RoutingId};
use monocoque_zmtp::{HeartbeatConfig, Limits};

use crate::security::SecurityOptions;

/// The options of one socket.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) routing_id: Option<RoutingId>,
    pub(crate) send_hwm: Hwm,
    pub(crate) recv_hwm: Hwm,
    /// `None` for no limit, here and in the options below.
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) recv_timeout: Option<Duration>,
    pub(crate) linger: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) handshake_timeout: Option<Duration>,
    /// The most handshakes of a bound endpoint at a time; zero for no limit.
    pub(crate) pending_handshakes: usize,
    pub(crate) reconnect_interval: Duration,
    /// `None` for the default, which depends on the interval.
    pub(crate) reconnect_interval_max: Option<Duration>,
    /// The number of received bytes that ended connections may leave unread before reading from new
    /// connections pauses.
    pub(crate) departed_budget: usize,
    /// The number of connections on which transmission of a message may begin before it is dropped;
    /// `None` for no limit.
    pub(crate) delivery_attempts: Option<NonZero<u32>>,
    pub(crate) heartbeat: HeartbeatConfig,
    pub(crate) limits: Limits,
    /// Messages are queued for connected peers only.
    pub(crate) immediate: bool,
    /// Numbers of the I/O threads that connections may run on; empty for any.
    pub(crate) affinity: Vec<usize>,
    /// Each queue keeps only its last message.
    pub(crate) conflate: bool,
    /// `send` fails or waits instead of dropping: for an unknown peer (ROUTER), or a full queue
    /// (ROUTER, PUB).
    pub(crate) mandatory: bool,
    /// A new peer takes over a routing id that is in use (ROUTER).
    pub(crate) handover: bool,
    /// A new request may be sent before the reply (REQ).
    pub(crate) relaxed: bool,
    /// Requests and replies carry a request id (REQ).
    pub(crate) correlate: bool,
    /// The first message to each peer (`probe_router`: DEALER, REQ and ROUTER; `hello_msg`;
    /// `welcome_msg`: XPUB).
    pub(crate) first_message: Option<Message>,
    /// Every subscription is received, not only the first of a topic (XPUB).
    pub(crate) verbose: bool,
    /// Every cancellation is received, not only the last of a topic (XPUB).
    pub(crate) verboser: bool,
    /// Messages match the peers (PUB, XPUB) or subscriptions (SUB) that do not have their prefix.
    pub(crate) inverted: bool,
    /// The first frame of a multi-frame message decides if it holds subscriptions (XPUB, XSUB);
    /// else it holds none.
    pub(crate) only_first: bool,
    /// Subscriptions are received, and the application decides which take effect (XPUB).
    pub(crate) manual: bool,
    /// The message sent after a subscription goes to its peer only (XPUB).
    pub(crate) last_value: bool,
    pub(crate) reconnect_stop: ReconnectStops,
    /// The peer notifications that are received; `None` for the default of the pattern (ROUTER,
    /// STREAM).
    pub(crate) notices: Option<Notices>,
    /// The message received on behalf of an accepted peer when it is gone (ROUTER).
    pub(crate) disconnect_msg: Option<Message>,
    /// The message received on behalf of a connected peer when its connection is lost (DEALER).
    pub(crate) hiccup_msg: Option<Message>,
    /// Options of the operating system's sockets.
    pub(crate) sockets: SocketOptions,
    pub(crate) security: SecurityOptions,
}

/// A reason to stop connecting to an endpoint; see
/// [`reconnect_stop`](crate::zmq::Builder::reconnect_stop).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReconnectStop {
    /// The connection is refused, or the file of an `ipc://` endpoint is missing
    /// (`ZMQ_RECONNECT_STOP_CONN_REFUSED`). Timeouts and unknown host names do not count.
    ConnectionRefused,
    /// A connection ended before its handshake was done (`ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`).
    HandshakeFailed,
    /// A connection ended after its handshake, and not [by this
    /// socket](crate::DisconnectReason::ByUs) (`ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`).
    ConnectionLost,
}

/// The set of [`ReconnectStop`] reasons of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReconnectStops {
    pub(crate) connection_refused: bool,
    pub(crate) handshake_failed: bool,
    pub(crate) connection_lost: bool,
}

impl FromIterator<ReconnectStop> for ReconnectStops {
    fn from_iter<T: IntoIterator<Item = ReconnectStop>>(reasons: T) -> Self {
        let mut stops = Self::default();
        for reason in reasons {
            match reason {
                ReconnectStop::ConnectionRefused => stops.connection_refused = true,
                ReconnectStop::HandshakeFailed => stops.handshake_failed = true,
                ReconnectStop::ConnectionLost => stops.connection_lost = true,
            }
        }
        stops
    }
}

/// A peer notification of a ROUTER; see [`router_notify`](crate::zmq::Builder::router_notify).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouterNotify {
    /// A peer has connected (`ZMQ_NOTIFY_CONNECT`).
    Connect,
    /// A peer has disconnected (`ZMQ_NOTIFY_DISCONNECT`).
    Disconnect,
}

/// The peer notifications that an application receives, as messages without content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notices {
    pub(crate) connect: bool,
    pub(crate) disconnect: bool,
}

impl FromIterator<RouterNotify> for Notices {
    fn from_iter<T: IntoIterator<Item = RouterNotify>>(wanted: T) -> Self {
        let mut notices = Self::default();
        for notify in wanted {
            match notify {
                RouterNotify::Connect => notices.connect = true,
                RouterNotify::Disconnect => notices.disconnect = true,
            }
        }
        notices
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            routing_id: None,
            send_hwm: Hwm::default(),
            recv_hwm: Hwm::default(),
            send_timeout: None,
            recv_timeout: None,
            linger: Some(Duration::from_secs(30)),
            connect_timeout: None,
            handshake_timeout: Some(Duration::from_secs(30)),
            pending_handshakes: 1000,
            reconnect_interval: RECONNECT_INTERVAL,
            reconnect_interval_max: None,
            departed_budget: BytePermits::DEFAULT_CAPACITY,
            delivery_attempts: NonZero::new(3),
            heartbeat: HeartbeatConfig::default(),
            limits: Limits { max_message_size: MAX_MESSAGE_SIZE, ..Limits::default() },
            immediate: false,
            affinity: Vec::new(),
            conflate: false,
            mandatory: false,
            handover: false,
            relaxed: false,
            correlate: false,
            first_message: None,
            verbose: false,
            verboser: false,
            inverted: false,
            only_first: false,
            manual: false,
            last_value: false,
            reconnect_stop: ReconnectStops::default(),
            notices: None,
            disconnect_msg: None,
            hiccup_msg: None,
            sockets: SocketOptions::default(),
            security: SecurityOptions::default(),
        }
    }
}

impl Options {
    /// Returns the routing id that the handshake announces, empty for none.
    pub(crate) fn announced_id(&self) -> Bytes {
        self.routing_id.as_ref().map(|id| Bytes::copy_from_slice(id)).unwrap_or_default()
    }

    /// Returns the delays between the attempts to connect.
    pub(crate) fn backoff(&self) -> Backoff {
        let Self { reconnect_interval: first, reconnect_interval_max: max, .. } = self;
        let default = || RECONNECT_INTERVAL_MAX.min(first.saturating_mul(RECONNECT_STEPS));
        Backoff::new(*first, max.unwrap_or_else(default))
    }
}

/// The default limit, in bytes: a peer must not choose how much memory its messages take.
const MAX_MESSAGE_SIZE: u64 = 1 << 30;
/// The default limit of a growing reconnect interval.
const RECONNECT_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// The default limit, as a multiple of the first interval.
const RECONNECT_STEPS: u32 = 50;

/// The default of `reconnect_interval`.
pub(crate) const RECONNECT_INTERVAL: Duration = Duration::from_millis(100);
