//! What can go wrong, by who is to blame.

use std::convert::Infallible;
use std::io;

use monocoque_core::transport::InterfaceNameError;
use monocoque_core::{Endpoint, EndpointError, InboxClosed, Message, RoutingIdError, RuntimeGone};
use thiserror::Error;

/// What a call on a socket or a context can fail with.
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
    /// The endpoint cannot be understood, or not be used in this way (`EINVAL`, `EPROTONOSUPPORT`).
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The operating system refused; the source says what (`EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`...).
    #[error("{endpoint}: {source}")]
    Io {
        /// What was to be bound.
        endpoint: Box<Endpoint>,
        /// What the operating system said.
        source: io::Error,
    },
    /// The descriptor cannot be listened on; the source says why.
    #[error("the descriptor cannot be listened on: {0}")]
    Descriptor(#[source] io::Error),
    /// An I/O thread could not be started.
    #[error("an I/O thread could not be started: {0}")]
    Thread(#[source] io::Error),
    /// `Context::current` was called outside a compio runtime.
    #[error("there is no compio runtime on this thread")]
    NoRuntime,
    /// The socket was closed, or the runtime it lived on has ended (`ETERM`, `ENOTSOCK`).
    #[error("the socket is closed")]
    Closed,
    /// Nothing to receive, or no room to send, at this moment (`EAGAIN`).
    #[error("the operation would have to wait")]
    WouldBlock,
    /// The [`send_timeout`](crate::zmq::Builder::send_timeout) or [`recv_timeout`](crate::zmq::Builder::recv_timeout) is over
    /// (`EAGAIN`).
    #[error("the operation took too long")]
    TimedOut,
    /// A blocking call on the thread that runs the connections of the socket, which it would wait for and hold up
    /// (`EDEADLK`). Await the call, or make the socket in a [`Context`](crate::Context) with I/O threads.
    #[error("this thread runs the connections of the socket: a blocking call on it would wait for ever")]
    WouldDeadlock,
    /// A stream was to be [attached](crate::zmq::Socket::attach) to a socket whose connections run elsewhere, and it cannot leave
    /// its thread. Make the socket in [`Context::current`](crate::Context::current), in the runtime of the stream.
    #[error(
        "the connections of the socket do not run on the compio runtime of this thread: nothing can be attached here"
    )]
    WrongThread,
    /// No peer with this routing id is connected, and the socket is one that says so (`EHOSTUNREACH`); see
    /// [`router_mandatory`](crate::zmq::Builder::router_mandatory) and [`StreamSocket`](crate::zmq::StreamSocket).
    #[error("no peer with this routing id is connected")]
    Unreachable,
    /// Requests and replies alternate, and it is not the turn of this one (`EFSM`).
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// An XPUB socket decides about subscriptions only if it was made to (`EINVAL`); see
    /// [`xpub_manual`](crate::zmq::Builder::xpub_manual).
    #[error(
        "subscriptions are not for the program to decide about: the socket was made without `xpub_manual`"
    )]
    NotManual,
    /// The message has no frame, or none behind its routing id.
    #[error("a message needs at least one frame, and for a ROUTER one behind the routing id")]
    EmptyMessage,
    /// No such endpoint is bound or connected (`ENOENT`).
    #[error("{0} is neither bound nor connected")]
    UnknownEndpoint(Box<Endpoint>),
    /// No connection of the socket has this number (`ENOENT`).
    #[error("no connection has the number {0}")]
    UnknownPeer(u64),
    /// A routing id of 0 or more than 255 bytes, or one that starts with a zero byte (`EINVAL`).
    #[error("invalid routing id: {0}")]
    RoutingId(#[from] RoutingIdError),
    /// A routing id that starts with a zero byte: those are given to peers that have none.
    #[error("a routing id must not start with a zero byte")]
    ReservedRoutingId,
    /// A STREAM socket has bytes for its peers, and there are none within the process (`ENOCOMPATPROTO`).
    #[error("a STREAM socket needs tcp or ipc")]
    NoBytes,
    /// Another peer, or another endpoint, has the routing id that the peer of an endpoint was to be given; libzmq aborts.
    #[error("another peer has this routing id")]
    DuplicateRoutingId,
    /// A heartbeat TTL of more than 6553.5 seconds (`EINVAL`).
    #[error("a heartbeat TTL has at most 6553.5 seconds")]
    HeartbeatTtl,
    /// An option of the operating system's sockets that this one does not take (`EINVAL`).
    #[error("{option} takes {range}")]
    OutOfRange {
        /// Which one.
        option: &'static str,
        /// What it takes.
        range: &'static str,
    },
    /// No interface has such a name (`EINVAL`).
    #[error(transparent)]
    InterfaceName(#[from] InterfaceNameError),
}

impl MonocoqueError {
    /// Whether the call would have had to wait.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }

    /// Whether the call has waited for as long as it may.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether the socket is closed: no later call will succeed.
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

/// A message that was not sent, and why.
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

    /// Why it was not sent.
    pub fn reason(&self) -> &MonocoqueError {
        &self.reason
    }

    /// The message, to be sent again or elsewhere.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl From<SendError> for MonocoqueError {
    fn from(error: SendError) -> Self {
        error.reason
    }
}
