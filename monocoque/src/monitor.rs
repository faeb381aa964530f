//! The events of a socket's connections, as a stream.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::actor::Closed;
use monocoque_core::{Endpoint, Lagged, RoutingId};
use monocoque_zmtp::{RefusalStatus, SocketType, ZmtpError};
use thiserror::Error;

/// The events of a socket, from the moment the monitor was created; see
/// [`Socket::monitor`](crate::zmq::Socket::monitor). It is a `Stream`, too.
pub type Monitor = monocoque_core::Monitor<SocketEvent>;

/// An event of a socket or of one of its connections (`ZMQ_EVENT_...`).
///
/// The events of a connection begin with [`Accepted`](Self::Accepted) or
/// [`Connected`](Self::Connected) and end with exactly one [`Disconnected`](Self::Disconnected);
/// between them is the outcome of the handshake, unless the connection ended before it had one.
///
/// ```
/// use monocoque::SocketEvent;
/// use monocoque::zmq::{PullSocket, PushSocket};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let pull = PullSocket::new()?;
///         let mut monitor = pull.monitor();
///         let endpoint = pull.bind("tcp://127.0.0.1:0").await?;
///         let push = PushSocket::new()?;
///         push.connect(endpoint).await?;
///
///         while let Some(event) = monitor.recv().await {
///             if let SocketEvent::HandshakeSucceeded { connection, .. } = event {
///                 println!("{} is there", connection.peer);
///                 break;
///             }
///         }
///         Ok(())
///     })
/// }
/// ```
///
/// `Display` describes an event in a line, for people, such as
/// `accepted tcp://127.0.0.1:40000 (connection 3 of tcp://127.0.0.1:5555)`.
#[derive(Clone)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The socket listens on an endpoint (`LISTENING`).
    Listening {
        /// The endpoint after resolution, with its actual port.
        endpoint: Endpoint,
    },
    /// An endpoint could not be bound (`BIND_FAILED`); `bind` returned the same error.
    BindFailed {
        /// The endpoint as it was passed to `bind`.
        endpoint: Endpoint,
        /// The cause.
        error: Arc<io::Error>,
    },
    /// The socket no longer listens on an endpoint (`CLOSED`).
    Unbound {
        /// The endpoint after resolution.
        endpoint: Endpoint,
    },
    /// A peer has connected (`ACCEPTED`), or its stream was [attached](crate::zmq::Socket::attach);
    /// the handshake follows.
    Accepted {
        /// The new connection.
        connection: Arc<Connection>,
    },
    /// A connection could not be accepted (`ACCEPT_FAILED`), for example because the process is out
    /// of file descriptors. The listener tries again.
    AcceptFailed {
        /// The bound endpoint.
        endpoint: Endpoint,
        /// The cause.
        error: Arc<io::Error>,
    },
    /// The socket has connected to a peer (`CONNECTED`); the handshake follows.
    Connected {
        /// The new connection.
        connection: Arc<Connection>,
    },
    /// An attempt to connect failed.
    ConnectFailed {
        /// The endpoint of the peer.
        endpoint: Endpoint,
        /// The cause.
        error: Arc<io::Error>,
    },
    /// The handshake is done (`HANDSHAKE_SUCCEEDED`). Subscriptions of the peer have not arrived
    /// yet.
    HandshakeSucceeded {
        /// The connection.
        connection: Arc<Connection>,
        /// The socket type of the peer.
        socket_type: SocketType,
        /// The peer's routing id: assigned by [`connect_as`](crate::zmq::RouterSocket::connect_as),
        /// announced by the peer, or generated.
        routing_id: RoutingId,
    },
    /// The handshake failed (`HANDSHAKE_FAILED_...`); `Disconnected` follows.
    HandshakeFailed {
        /// The connection.
        connection: Arc<Connection>,
        /// The cause.
        reason: DisconnectReason,
    },
    /// A connection has ended (`DISCONNECTED`, `CLOSED`).
    Disconnected {
        /// The connection.
        connection: Arc<Connection>,
        /// The cause.
        reason: DisconnectReason,
    },
    /// Another attempt to connect follows (`CONNECT_RETRIED`).
    Retrying {
        /// The endpoint of the peer.
        endpoint: Endpoint,
        /// The time until the attempt.
        delay: Duration,
    },
    /// No further attempt to connect follows, because of
    /// [`reconnect_stop`](crate::zmq::Builder::reconnect_stop) or because a STREAM socket ended the
    /// connection.
    GivenUp {
        /// The endpoint of the peer.
        endpoint: Endpoint,
    },
    /// A task of the socket has panicked: a bug of the library or of an attached stream. The
    /// connection that the task served has ended. An endpoint stays bound, or is connected to
    /// again.
    TaskPanicked {
        /// The endpoint that the task served.
        endpoint: Endpoint,
        /// The message of the panic.
        message: Arc<str>,
    },
    /// A message was dropped: it was lost with each of the
    /// [`delivery_attempts`](crate::zmq::Builder::delivery_attempts) connections on which its
    /// transmission began. It is counted in [`dropped`](crate::SocketStats::dropped); the messages
    /// behind it are sent.
    MessageDropped {
        /// The last of these connections.
        connection: Arc<Connection>,
        /// The encoded length, in bytes.
        bytes: usize,
        /// The number of these connections.
        attempts: u32,
    },
    /// The socket is closed and all its connections have ended (`MONITOR_STOPPED`). The last event.
    Closed,
    /// The monitor was read too slowly: this many events, the oldest ones, are lost.
    Lagged(u64),
}

impl fmt::Display for SocketEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { endpoint } => write!(f, "listening on {endpoint}"),
            Self::BindFailed { endpoint, error } => write!(f, "bind failed {endpoint}: {error}"),
            Self::Unbound { endpoint } => write!(f, "unbound {endpoint}"),
            Self::Accepted { connection } => write!(f, "accepted {connection}"),
            Self::AcceptFailed { endpoint, error } => write!(f, "accept failed {endpoint}: {error}"),
            Self::Connected { connection } => write!(f, "connected {connection}"),
            Self::ConnectFailed { endpoint, error } => write!(f, "connect failed {endpoint}: {error}"),
            Self::HandshakeSucceeded { connection, socket_type, routing_id } => {
                write!(
                    f,
                    "handshake succeeded {connection}, a {socket_type} with the routing id {routing_id}"
                )
            }
            Self::HandshakeFailed { connection, reason } => {
                write!(f, "handshake failed {connection}: {reason}")
            }
            Self::Disconnected { connection, reason } => write!(f, "disconnected {connection}: {reason}"),
            Self::Retrying { endpoint, delay } => write!(f, "retrying {endpoint} in {delay:.0?}"),
            Self::GivenUp { endpoint } => write!(f, "given up {endpoint}"),
            Self::TaskPanicked { endpoint, message } => write!(f, "task panicked {endpoint}: {message}"),
            Self::MessageDropped { connection, bytes, attempts } => {
                let peer = &connection.peer;
                write!(f, "message dropped {bytes} bytes to {peer}, lost with {attempts} connections")
            }
            Self::Closed => f.write_str("closed"),
            Self::Lagged(events) => write!(f, "lagged {events} events are missing"),
        }
    }
}

/// Shows the line of `Display`: an event has many parts.
impl fmt::Debug for SocketEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketEvent({self})")
    }
}

/// The number of a connection, unique within its socket.
///
/// Connections are numbered in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

impl From<u64> for ConnectionId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<ConnectionId> for u64 {
    fn from(ConnectionId(number): ConnectionId) -> Self {
        number
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One connection of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The number of the connection.
    pub id: ConnectionId,
    /// The endpoint of this socket that the connection belongs to: bound, connected or attached.
    pub endpoint: Endpoint,
    /// The address of the peer, such as `tcp://127.0.0.1:40000`. An accepted peer of the Unix
    /// domain has the name of the listener, an inproc peer that of the endpoint, and the peer of an
    /// [attached](crate::zmq::Socket::attach) stream of another kind is the
    /// [stream](Endpoint::Attached).
    pub peer: Endpoint,
}

impl fmt::Display for Connection {
    /// Names the peer, then the connection and its endpoint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (connection {} of {})", self.peer, self.id, self.endpoint)
    }
}

/// The reason why a connection ended, or was not established.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer has closed the connection.
    #[error("the peer has closed the connection")]
    ByPeer,
    /// The peer has closed the connection before it sent anything, like a probe of an open port.
    #[error("the peer has closed the connection before it sent anything")]
    Probe,
    /// This socket has closed the connection: the endpoint or the peer was disconnected, the socket
    /// was closed, another peer took over the routing id, or a relaxed REQ gave up its request.
    #[error("this socket has closed the connection")]
    ByUs,
    /// An I/O error of the operating system.
    #[error(transparent)]
    Io(Arc<io::Error>),
    /// A protocol error: the peer does not speak ZMTP, has an incompatible socket type, sent an
    /// ERROR command, or violated the protocol.
    #[error(transparent)]
    Protocol(ZmtpError),
    /// The authenticator of this socket has refused the peer, with this status.
    #[error("the peer was refused: {} ({})", .0, meaning(.0.code(), "the authenticator does not allow it"))]
    Refused(RefusalStatus),
    /// The peer has refused this socket, with this status of ZAP: 400 for wrong credentials, 500
    /// for a failure of its authenticator.
    #[error("the peer refused this socket: {} ({})", .0, meaning(*.0, "wrong key, password or address"))]
    Denied(u16),
    /// A message that this socket type does not accept, such as a reply without a delimiter, or
    /// more subscriptions than a peer may have.
    #[error("the peer sent a message that this socket does not accept")]
    Violation,
    /// The handshake took longer than
    /// [`handshake_timeout`](crate::zmq::Builder::handshake_timeout).
    #[error("the handshake took too long")]
    HandshakeTimeout,
    /// Too many connections of the endpoint were in their handshake, and this one was the oldest;
    /// see [`pending_handshakes`](crate::zmq::Builder::pending_handshakes).
    #[error("too many handshakes at once")]
    TooManyHandshakes,
    /// Nothing was received for longer than the heartbeat timeout, or than the TTL that the peer
    /// announced.
    #[error("nothing was received from the peer within the heartbeat timeout")]
    HeartbeatTimeout,
    /// Another peer has the same routing id.
    #[error("another peer has this routing id")]
    DuplicateRoutingId,
    /// A PAIR socket already has its one peer.
    #[error("the socket already has its one peer")]
    PairInUse,
}

impl DisconnectReason {
    /// Returns whether another attempt is likely to fail in the same way: the peer is reachable but
    /// incompatible.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Protocol(error) => !matches!(error, ZmtpError::Unauthenticated(_)),
            Self::Refused(status) => *status != RefusalStatus::Temporary,
            Self::Violation | Self::Denied(_) => true,
            _ => false,
        }
    }

    /// Returns whether the peer of an established connection violated the protocol or a limit.
    pub(crate) fn is_violation(&self) -> bool {
        matches!(self, Self::Protocol(_) | Self::Violation)
    }

    /// Returns the kind of the reason, as a label.
    #[cfg(any(feature = "tracing", feature = "metrics", feature = "serde"))]
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::ByPeer => "by_peer",
            Self::Probe => "probe",
            Self::ByUs => "by_us",
            Self::Io(_) => "io",
            Self::Protocol(ZmtpError::Malformed(_)) => "malformed",
            Self::Protocol(ZmtpError::Misbehaved(_)) => "misbehaved",
            Self::Protocol(ZmtpError::Incompatible(_)) => "incompatible",
            Self::Protocol(ZmtpError::PeerError(_)) => "peer_error",
            Self::Protocol(ZmtpError::Unauthenticated(_)) => "unauthenticated",
            Self::Protocol(_) => "protocol",
            Self::Refused(_) => "refused",
            Self::Denied(_) => "denied",
            Self::Violation => "violation",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::TooManyHandshakes => "too_many_handshakes",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::DuplicateRoutingId => "duplicate_routing_id",
            Self::PairInUse => "pair_in_use",
        }
    }

    /// Returns whether the peer did not prove who it is, or may not come in.
    pub(crate) fn is_auth_failure(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Protocol(error) => error.is_auth_failure(),
            _ => false,
        }
    }
}

/// Returns the meaning of a status of ZAP, of which 400 has one for each side.
const fn meaning(status: u16, denied: &'static str) -> &'static str {
    match status {
        300 => "for now",
        400 => denied,
        _ => "the authenticator has failed",
    }
}

impl From<Closed<ZmtpError>> for DisconnectReason {
    fn from(closed: Closed<ZmtpError>) -> Self {
        match closed {
            Closed::ByPeer => Self::ByPeer,
            Closed::Probe => Self::Probe,
            Closed::ByUs => Self::ByUs,
            Closed::Io(error) => Self::Io(error.into()),
            Closed::Protocol(ZmtpError::HeartbeatTimeout | ZmtpError::TtlExpired) => Self::HeartbeatTimeout,
            Closed::Protocol(ZmtpError::Refused(status)) => Self::Refused(status),
            Closed::Protocol(ZmtpError::PeerError(reason)) => match reason.status() {
                Some(status) => Self::Denied(status),
                None => Self::Protocol(ZmtpError::PeerError(reason)),
            },
            Closed::Protocol(error) => Self::Protocol(error),
            Closed::Violation => Self::Violation,
            Closed::HandshakeTimeout => Self::HandshakeTimeout,
            Closed::Refused => Self::DuplicateRoutingId,
        }
    }
}

impl From<Lagged> for SocketEvent {
    fn from(Lagged(events): Lagged) -> Self {
        Self::Lagged(events)
    }
}
