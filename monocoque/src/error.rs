//! The errors of sockets and contexts, sorted by cause.

use std::convert::Infallible;
use std::io;

use monocoque_core::transport::InterfaceNameError;
use monocoque_core::{Endpoint, EndpointError, InboxClosed, Message, RoutingIdError, RuntimeGone};
use thiserror::Error;

use crate::monitor::ConnectionId;
use crate::security::SecurityError;

/// The error of a call on a socket or a context.
///
/// ```
/// # fn main() -> Result<(), monocoque::MonocoqueError> {
/// use monocoque::zmq::PullSocket;
///
/// let pull = PullSocket::new()?;
/// let error = pull.try_recv().unwrap_err();
/// assert!(error.is_would_block());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MonocoqueError {
    /// The endpoint is malformed, or does not support the call (`EINVAL`, `EPROTONOSUPPORT`).
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The operating system refused to bind; the source is its error (`EADDRINUSE`,
    /// `EADDRNOTAVAIL`, `EMFILE`...).
    #[error("bind {endpoint}: {source}")]
    Io {
        /// The endpoint that was to be bound.
        endpoint: Box<Endpoint>,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file descriptor is not a listening socket; the source is the cause.
    #[error("the descriptor cannot be listened on: {0}")]
    Descriptor(#[source] io::Error),
    /// An I/O thread could not be started.
    #[error("an I/O thread could not be started: {0}")]
    Thread(#[source] io::Error),
    /// [`Context::current`](crate::Context::current) was called outside a compio runtime.
    #[error("there is no compio runtime on this thread")]
    NoRuntime,
    /// The socket was closed, or the runtime of its connections has ended (`ETERM`, `ENOTSOCK`).
    #[error("the socket is closed")]
    Closed,
    /// The call would have to wait: there is no message to receive, or the queues are full
    /// (`EAGAIN`).
    #[error("the operation would have to wait")]
    WouldBlock,
    /// The timeout of the call, or the [`send_timeout`](crate::zmq::Builder::send_timeout) or
    /// [`recv_timeout`](crate::zmq::Builder::recv_timeout) of the socket has expired (`EAGAIN`).
    #[error("the operation timed out")]
    TimedOut,
    /// A blocking call on the thread that runs the connections of the socket: the call would block
    /// the thread that it waits for (`EDEADLK`). Await the call instead, or create the socket in a
    /// [`Context`](crate::Context) with I/O threads.
    #[error("this thread runs the connections of the socket: a blocking call on it would wait for ever")]
    WouldDeadlock,
    /// A stream cannot be [attached](crate::zmq::Socket::attach): it cannot leave its thread, and
    /// the connections of the socket run on another one. Create the socket in
    /// [`Context::current`](crate::Context::current), in the runtime of the stream.
    #[error("the connections of the socket do not run on the compio runtime of this thread: cannot attach")]
    WrongThread,
    /// No peer with this routing id is connected, and the socket reports that (`EHOSTUNREACH`); see
    /// [`router_mandatory`](crate::zmq::Builder::router_mandatory) and
    /// [`StreamSocket`](crate::zmq::StreamSocket).
    #[error("no peer with this routing id is connected")]
    Unreachable,
    /// Requests and replies alternate, and the call is out of turn (`EFSM`).
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// Manual subscription requires [`xpub_manual`](crate::zmq::Builder::xpub_manual) (`EINVAL`).
    #[error("manual subscription requires `Builder::xpub_manual(true)`")]
    ManualModeRequired,
    /// The message has no frame, or none after the routing id.
    #[error("a message needs at least one frame, for a ROUTER one after the routing id")]
    EmptyMessage,
    /// The endpoint is neither bound nor connected (`ENOENT`).
    #[error("{0}: neither bound nor connected")]
    UnknownEndpoint(Box<Endpoint>),
    /// The socket has no connection with this number (`ENOENT`).
    #[error("the socket has no connection with the number {0}")]
    UnknownPeer(ConnectionId),
    /// A routing id that is empty or longer than 255 bytes (`EINVAL`).
    #[error("invalid routing id: {0}")]
    RoutingId(#[from] RoutingIdError),
    /// A routing id that starts with a zero byte, which is reserved for generated ones (`EINVAL`).
    #[error("a routing id must not start with a zero byte: those are generated")]
    ReservedRoutingId,
    /// A STREAM socket was bound or connected to an inproc endpoint, which carries no bytes
    /// (`ENOCOMPATPROTO`).
    #[error("a STREAM socket requires tcp or ipc")]
    RawInproc,
    /// The routing id to assign belongs to another peer, or is assigned to another endpoint; libzmq
    /// aborts.
    #[error("another peer has this routing id")]
    DuplicateRoutingId,
    /// A heartbeat TTL above the maximum of 6553.5 seconds (`EINVAL`).
    #[error("a heartbeat TTL is at most 6553.5 seconds")]
    HeartbeatTtl,
    /// A value out of the range of an option (`EINVAL`).
    #[error("{option}: expected {range}")]
    OutOfRange {
        /// The name of the option.
        option: &'static str,
        /// The values that it accepts.
        range: &'static str,
    },
    /// A security option that cannot work, by itself or with the others (`EINVAL`).
    #[error("security: {0}")]
    Security(SecurityError),
    /// The name of a network interface is invalid (`EINVAL`).
    #[error(transparent)]
    InterfaceName(#[from] InterfaceNameError),
}

impl MonocoqueError {
    /// Returns whether the call would have had to wait.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }

    /// Returns whether the timeout of the call has expired.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Returns whether the socket is closed: no later call will succeed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl From<Infallible> for MonocoqueError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<RuntimeGone> for MonocoqueError {
    fn from(_: RuntimeGone) -> Self {
        Self::Closed
    }
}

impl From<InboxClosed> for MonocoqueError {
    fn from(_: InboxClosed) -> Self {
        Self::Closed
    }
}

/// A message that was not sent, with the reason.
///
/// ```
/// # fn main() -> Result<(), monocoque::MonocoqueError> {
/// use monocoque::zmq::PushSocket;
///
/// let push = PushSocket::new()?;
/// let error = push.try_send("nobody is there").unwrap_err();
/// assert!(error.reason().is_would_block());
/// assert_eq!(&error.into_message()[0], b"nobody is there");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct SendError {
    #[source]
    reason: MonocoqueError,
    message: Message,
}

impl SendError {
    pub(crate) fn new(reason: impl Into<MonocoqueError>, message: Message) -> Self {
        Self { reason: reason.into(), message }
    }

    /// Returns the reason.
    pub fn reason(&self) -> &MonocoqueError {
        &self.reason
    }

    /// Returns the message, to send it again or elsewhere.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl From<SendError> for MonocoqueError {
    fn from(error: SendError) -> Self {
        error.reason
    }
}
