//! What happens to a socket's connections, as a stream.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::actor::Closed;
use monocoque_core::{Endpoint, Lagged, RoutingId};
use monocoque_zmtp::{SocketType, ZmtpError};
use thiserror::Error;

/// A stream of what happens to a socket from the moment it was made; see [`Socket::monitor`](crate::zmq::Socket::monitor).
pub type Monitor = monocoque_core::Monitor<SocketEvent>;

/// Something that has happened to a socket (`ZMQ_EVENT_...`).
///
/// A connection begins with [`Accepted`](Self::Accepted) or [`Connected`](Self::Connected) and ends with exactly one
/// [`Disconnected`](Self::Disconnected); between them comes the outcome of its handshake, if that came to one.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use futures::StreamExt;
/// use monocoque::SocketEvent;
/// use monocoque::zmq::{PullSocket, PushSocket};
///
/// let pull = PullSocket::new()?;
/// let mut monitor = pull.monitor();
/// let endpoint = pull.bind("tcp://127.0.0.1:0").await?;
/// let push = PushSocket::new()?;
/// push.connect(endpoint).await?;
///
/// while let Some(event) = monitor.next().await {
///     if let SocketEvent::HandshakeSucceeded { connection, .. } = event {
///         println!("{} is there", connection.peer);
///         break;
///     }
/// }
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The socket listens on an endpoint (`LISTENING`).
    Listening {
        /// As it was resolved.
        endpoint: Endpoint,
    },
    /// It could not be bound (`BIND_FAILED`); `bind` has returned the same.
    BindFailed {
        /// As it was asked for.
        endpoint: Endpoint,
        /// Why.
        error: Arc<io::Error>,
    },
    /// Nothing listens on the endpoint any more (`CLOSED`).
    Unbound {
        /// As it was resolved.
        endpoint: Endpoint,
    },
    /// A peer has connected to us (`ACCEPTED`), or its stream was [attached](crate::zmq::Socket::attach); the handshake follows.
    Accepted {
        /// The new connection.
        connection: Arc<Connection>,
    },
    /// A connection could not be accepted (`ACCEPT_FAILED`), as when descriptors have run out; it is tried again.
    AcceptFailed {
        /// Where we listen.
        endpoint: Endpoint,
        /// Why.
        error: Arc<io::Error>,
    },
    /// We have connected to a peer (`CONNECTED`); the handshake follows.
    Connected {
        /// The new connection.
        connection: Arc<Connection>,
    },
    /// A peer could not be connected to.
    ConnectFailed {
        /// Where it should be.
        endpoint: Endpoint,
        /// Why.
        error: Arc<io::Error>,
    },
    /// The peer takes part from now on (`HANDSHAKE_SUCCEEDED`). It has not subscribed to anything yet.
    HandshakeSucceeded {
        /// Which connection.
        connection: Arc<Connection>,
        /// What the peer is.
        socket_type: SocketType,
        /// What it is called: by us, if it was [given a name](crate::zmq::RouterSocket::connect_as), by its own word, or
        /// because it has said none.
        routing_id: RoutingId,
    },
    /// The two have not come together (`HANDSHAKE_FAILED_...`); the end of the connection follows.
    HandshakeFailed {
        /// Which connection.
        connection: Arc<Connection>,
        /// Why.
        reason: DisconnectReason,
    },
    /// A connection has ended (`DISCONNECTED`, `CLOSED`).
    Disconnected {
        /// Which one.
        connection: Arc<Connection>,
        /// Why.
        reason: DisconnectReason,
    },
    /// The peer of an endpoint will be connected to again (`CONNECT_RETRIED`).
    Retrying {
        /// Which one.
        endpoint: Endpoint,
        /// After so long.
        delay: Duration,
    },
    /// The endpoint will not be connected to again, as was asked for with
    /// [`reconnect_stop`](crate::zmq::Builder::reconnect_stop), or by a STREAM socket that has ended the connection.
    GivenUp {
        /// Which one.
        endpoint: Endpoint,
    },
    /// A task of the socket has panicked, which is a bug, of the library or of a stream that was attached. The connection
    /// that it served has ended; an endpoint goes on to be dialled or listened on.
    TaskPanicked {
        /// The endpoint that it was for.
        endpoint: Endpoint,
        /// What the panic said.
        message: Arc<str>,
    },
    /// A message was dropped: it was begun on as many connections as
    /// [`delivery_attempts`](crate::zmq::Builder::delivery_attempts) allows, and lost with each. It is counted in
    /// [`dropped`](crate::SocketStats::dropped); what was behind it goes on.
    MessageDropped {
        /// The last of these connections.
        connection: Arc<Connection>,
        /// Its length as it is written, in bytes.
        bytes: usize,
        /// On how many connections it was begun.
        attempts: u32,
    },
    /// The socket is closed and all its connections have ended (`MONITOR_STOPPED`). The last event.
    Closed,
    /// So many events were not taken in time and are lost, the oldest ones.
    Lagged(u64),
}

/// The number of a connection, which no other connection of its socket has.
///
/// Numbers are given in the order in which connections begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
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
    /// The endpoint of ours that it came about through: bound, connected or attached.
    pub endpoint: Endpoint,
    /// The other end, for people to read: `tcp://127.0.0.1:40000`.
    pub peer: String,
}

/// Why a connection has ended, or did not come about.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer has closed it.
    #[error("the peer has closed the connection")]
    ByPeer,
    /// The peer has closed it before it sent anything, as a probe does that looks whether somebody listens.
    #[error("the peer has closed the connection before it sent anything")]
    Probe,
    /// We have closed it: the endpoint or the peer is no longer wanted, the socket is closed, a newcomer has taken its name, or
    /// a relaxed REQ has given up the request that it had.
    #[error("this socket has closed the connection")]
    ByUs,
    /// The system has.
    #[error(transparent)]
    Io(Arc<io::Error>),
    /// The peer speaks another language, is of a type that does not fit, has refused us, or has broken a rule.
    #[error(transparent)]
    Protocol(ZmtpError),
    /// The peer has sent something that its counterpart cannot take, such as a reply without a delimiter or more
    /// subscriptions than it may have.
    #[error("the peer has sent what this socket cannot take")]
    Violation,
    /// The handshake took longer than the [`handshake_timeout`](crate::zmq::Builder::handshake_timeout).
    #[error("the handshake took too long")]
    HandshakeTimeout,
    /// Nothing was heard for longer than the heartbeat allows.
    #[error("nothing was heard of the peer for too long")]
    HeartbeatTimeout,
    /// A peer with its routing id is connected already.
    #[error("another peer has this routing id")]
    DuplicateRoutingId,
    /// A PAIR socket has its one peer already.
    #[error("the socket has its one peer already")]
    PairInUse,
}

impl DisconnectReason {
    /// Whether another attempt is not likely to end better: the peer is there and is not one for us.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Protocol(_) | Self::Violation)
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
