//! What a socket is made with. Every value is checked when it is set.

use std::num::NonZero;
use std::time::Duration;

use bytes::Bytes;
use monocoque_core::transport::SocketOptions;
use monocoque_core::{BytePermits, Hwm, Message, RoutingId};
use monocoque_zmtp::{HeartbeatConfig, Limits};

/// The options of one socket, as they stand when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) routing_id: Option<RoutingId>,
    pub(crate) send_hwm: Hwm,
    pub(crate) recv_hwm: Hwm,
    /// `None` waits for ever, as with all that follow.
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) recv_timeout: Option<Duration>,
    pub(crate) linger: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Duration,
    /// How many bytes connections that have ended may leave unread before newcomers have to wait.
    pub(crate) departed_budget: usize,
    /// On how many connections a message may be begun that is lost with each of them; `None` for any number.
    pub(crate) delivery_attempts: Option<NonZero<u32>>,
    pub(crate) heartbeat: HeartbeatConfig,
    pub(crate) limits: Limits,
    /// Nothing is queued for peers that are not there.
    pub(crate) immediate: bool,
    /// Numbers of I/O threads that connections may live on; none for any.
    pub(crate) affinity: Vec<usize>,
    /// Of what waits only the last message counts.
    pub(crate) conflate: bool,
    /// A sender learns what would else be dropped: that a peer is not there (ROUTER), or has no room (ROUTER, PUB).
    pub(crate) mandatory: bool,
    /// A newcomer takes the routing id of a peer that has it (ROUTER).
    pub(crate) handover: bool,
    /// A new request may be sent before the reply (REQ).
    pub(crate) relaxed: bool,
    /// Requests and replies bear a number (REQ).
    pub(crate) correlate: bool,
    /// What each peer gets first (DEALER, REQ and ROUTER that probe or say hello, XPUB that welcomes).
    pub(crate) first_message: Option<Message>,
    /// Every subscription is received, whoever had it before (XPUB).
    pub(crate) verbose: bool,
    /// The end of every subscription is received, whoever still has it (XPUB).
    pub(crate) verboser: bool,
    /// Messages go to those who have not subscribed to them (PUB, XPUB), or are received by those (SUB).
    pub(crate) inverted: bool,
    /// Whether a message of several frames holds subscriptions is decided by the first (XPUB, XSUB); else it holds none.
    pub(crate) only_first: bool,
    /// Subscriptions are received, and the program decides what comes of them (XPUB).
    pub(crate) manual: bool,
    /// What is sent next after one goes to that peer only (XPUB).
    pub(crate) last_value: bool,
    pub(crate) reconnect_stop: ReconnectStops,
    /// Which of its peers' comings and goings are received, if not what the pattern says (ROUTER, STREAM).
    pub(crate) notices: Option<Notices>,
    /// What is received in the name of an accepted peer that is gone (ROUTER).
    pub(crate) disconnect_msg: Option<Message>,
    /// What is received in the name of a connected peer that is lost (DEALER).
    pub(crate) hiccup_msg: Option<Message>,
    /// Of the operating system's sockets.
    pub(crate) sockets: SocketOptions,
}

/// When an endpoint is not connected to again; see [`reconnect_stop`](crate::zmq::Builder::reconnect_stop).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReconnectStop {
    /// Nobody listens there, or the file of an `ipc://` endpoint is missing (`ZMQ_RECONNECT_STOP_CONN_REFUSED`). An attempt
    /// that takes too long, or a name that is not known, is none of these.
    ConnectionRefused,
    /// A connection has ended before its handshake was completed (`ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`).
    HandshakeFailed,
    /// A connection whose handshake was completed has ended, and not [by us](crate::DisconnectReason::ByUs)
    /// (`ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`).
    ConnectionLost,
}

/// Which of [`ReconnectStop`] were asked for.
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

/// What a ROUTER is to hear of its peers; see [`router_notify`](crate::zmq::Builder::router_notify).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouterNotify {
    /// That one has connected (`ZMQ_NOTIFY_CONNECT`).
    Connect,
    /// That one is gone (`ZMQ_NOTIFY_DISCONNECT`).
    Disconnect,
}

/// Which of the comings and goings of its peers an application receives, as messages without content.
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
            reconnect_interval: Duration::from_millis(100),
            reconnect_interval_max: Duration::ZERO,
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
        }
    }
}

impl Options {
    /// What the handshake announces; empty for none.
    pub(crate) fn announced_id(&self) -> Bytes {
        self.routing_id.as_ref().map(|id| Bytes::copy_from_slice(id)).unwrap_or_default()
    }
}

/// A peer decides about that memory.
const MAX_MESSAGE_SIZE: u64 = 1 << 30;
