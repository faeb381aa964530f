//! The errors of sockets and contexts, sorted by cause.

use std::convert::Infallible;
use std::str::Utf8Error;
use std::string::FromUtf8Error;
use std::{fmt, io};

use monocoque_core::transport::InterfaceNameError;
use monocoque_core::{
    Endpoint, EndpointError, FrameCountError, InboxClosed, Message, RoutingIdError, RuntimeGone, TextError,
};
use monocoque_zmtp::SocketType;

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
#[derive(Debug)]
#[non_exhaustive]
pub enum MonocoqueError {
    /// The endpoint is malformed, or does not support the call (`EINVAL`, `EPROTONOSUPPORT`).
    Endpoint(EndpointError),
    /// The operating system refused to bind (`EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`...).
    Io {
        /// The endpoint that was to be bound.
        endpoint: Box<Endpoint>,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file descriptor is not a listening socket.
    Descriptor(io::Error),
    /// An I/O thread could not be started.
    Thread(io::Error),
    /// The operating system refused a descriptor for the readiness of a socket, or to wait for some
    /// (`EMFILE`, `ENFILE`, `EINVAL`).
    Readiness(io::Error),
    /// A signal has interrupted the wait (`EINTR`).
    Interrupted,
    /// The runtime of an [embedded](crate::Context::embedded) context could not be made
    /// (`EMFILE`...).
    Runtime(io::Error),
    /// [`Context::current`](crate::Context::current) was called outside a compio runtime.
    NoRuntime,
    /// The socket was closed, its context was shut down, or the runtime of its connections has
    /// ended (`ETERM`, `ENOTSOCK`).
    Closed,
    /// The call would have to wait: there is no message to receive, or the queues are full
    /// (`EAGAIN`).
    WouldBlock,
    /// The timeout of the call, or the [`send_timeout`](crate::zmq::Builder::send_timeout) or
    /// [`recv_timeout`](crate::zmq::Builder::recv_timeout) of the socket has expired (`EAGAIN`).
    TimedOut,
    /// A blocking call on the thread that runs the connections of the socket: the call would block
    /// the thread that it waits for (`EDEADLK`). Await the call instead, or create the socket in a
    /// [`Context`](crate::Context) with I/O threads.
    WouldDeadlock,
    /// A stream cannot be [attached](crate::zmq::Socket::attach): it cannot leave its thread, and
    /// the connections of the socket run on another one. Create the socket in
    /// [`Context::current`](crate::Context::current), in the runtime of the stream.
    WrongThread,
    /// No peer with this routing id is connected, and the socket reports that (`EHOSTUNREACH`); see
    /// [`router_mandatory`](crate::zmq::Builder::router_mandatory) and
    /// [`StreamSocket`](crate::zmq::StreamSocket).
    Unreachable,
    /// Requests and replies alternate, and the call is out of turn (`EFSM`).
    OutOfTurn(&'static str),
    /// The type of the socket cannot do this (`ENOTSUP`), or lacks the option (`EINVAL`): the error
    /// of an [`AnySocket`](crate::AnySocket), whose type is chosen at run time. With a type such as
    /// [`PullSocket`](crate::zmq::PullSocket) such a call does not compile.
    Unsupported {
        /// The type of the socket.
        socket_type: SocketType,
        /// The operation, as in "send" or "take the option `conflate`".
        operation: &'static str,
    },
    /// Manual subscription requires [`xpub_manual`](crate::zmq::Builder::xpub_manual) (`EINVAL`).
    ManualModeRequired,
    /// The message has no frame to send; to a peer with a routing id, none behind that.
    EmptyMessage,
    /// The endpoint is neither bound nor connected (`ENOENT`).
    UnknownEndpoint(Box<Endpoint>),
    /// The socket has no connection with this number (`ENOENT`).
    UnknownPeer(ConnectionId),
    /// A routing id that is empty or longer than 255 bytes (`EINVAL`).
    RoutingId(RoutingIdError),
    /// A frame is not the text, or a message not the texts, that the program expected: the error of
    /// a conversion, which no call of a socket returns.
    Text(Box<TextError>),
    /// A message has not as many frames as the program expected: the error of a conversion, which
    /// no call of a socket returns. The message is in it.
    FrameCount(Box<FrameCountError>),
    /// Bytes are not UTF-8: the error of a conversion, which no call of a socket returns.
    Utf8(Utf8Error),
    /// A routing id that starts with a zero byte, which is reserved for generated ones (`EINVAL`).
    ReservedRoutingId,
    /// A STREAM socket was bound or connected to an inproc endpoint, which carries no bytes
    /// (`ENOCOMPATPROTO`).
    RawInproc,
    /// The routing id to assign belongs to another peer, or is assigned to another endpoint; libzmq
    /// aborts.
    DuplicateRoutingId,
    /// A heartbeat TTL above the maximum of 6553.5 seconds (`EINVAL`).
    HeartbeatTtl,
    /// A value out of the range of an option (`EINVAL`).
    OutOfRange {
        /// The name of the option.
        option: &'static str,
        /// The values that it accepts.
        range: &'static str,
    },
    /// A security option that cannot work, by itself or with the others (`EINVAL`).
    Security(SecurityError),
    /// The name of a network interface is invalid (`EINVAL`).
    InterfaceName(InterfaceNameError),
}

/// A result of this library: `Result<()>`, or `Result<T, SendError>`.
pub type Result<T, E = MonocoqueError> = std::result::Result<T, E>;

/// The kind of a [`MonocoqueError`]: what a program can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The socket or its context is closed: no later call will succeed.
    Closed,
    /// The call would have to wait.
    WouldBlock,
    /// A timeout has expired.
    TimedOut,
    /// A signal has interrupted the call: it may be repeated.
    Interrupted,
    /// An argument or an option is invalid: the program has to change.
    InvalidInput,
    /// The operating system refused; a later attempt may succeed.
    System,
    /// The call is out of turn: another one comes first.
    OutOfTurn,
    /// There is no such peer, connection or endpoint.
    NotFound,
    /// The call is not possible on this thread.
    WrongThread,
    /// The call is not possible with this type of socket.
    Unsupported,
}

impl MonocoqueError {
    /// Returns the kind of the error.
    ///
    /// ```
    /// use monocoque::ErrorKind;
    /// use monocoque::zmq::PullSocket;
    ///
    /// let pull = PullSocket::new()?;
    /// assert_eq!(pull.try_recv().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), monocoque::Error>(())
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed => ErrorKind::Closed,
            Self::WouldBlock => ErrorKind::WouldBlock,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Io { .. }
            | Self::Descriptor(_)
            | Self::Thread(_)
            | Self::Readiness(_)
            | Self::Runtime(_) => ErrorKind::System,
            Self::OutOfTurn(_) => ErrorKind::OutOfTurn,
            Self::Unreachable | Self::UnknownEndpoint(_) | Self::UnknownPeer(_) => ErrorKind::NotFound,
            Self::NoRuntime | Self::WouldDeadlock | Self::WrongThread => ErrorKind::WrongThread,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Endpoint(_)
            | Self::ManualModeRequired
            | Self::EmptyMessage
            | Self::RoutingId(_)
            | Self::Text(_)
            | Self::FrameCount(_)
            | Self::Utf8(_)
            | Self::ReservedRoutingId
            | Self::RawInproc
            | Self::DuplicateRoutingId
            | Self::HeartbeatTtl
            | Self::OutOfRange { .. }
            | Self::Security(_)
            | Self::InterfaceName(_) => ErrorKind::InvalidInput,
        }
    }

    /// Returns whether the call would have had to wait.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }

    /// Returns whether the timeout of the call has expired.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Returns whether the socket or its context is closed: no later call will succeed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Returns whether the type of the socket cannot do what was called.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
    }
}

/// The text names the cause, so that the cause is not the source, too: reports would repeat it.
impl fmt::Display for MonocoqueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => error.fmt(f),
            Self::Io { endpoint, source } => write!(f, "bind {endpoint}: {source}"),
            Self::Descriptor(error) => write!(f, "the descriptor cannot be listened on: {error}"),
            Self::Thread(error) => write!(f, "an I/O thread could not be started: {error}"),
            Self::Readiness(error) => write!(f, "readiness of a socket: {error}"),
            Self::Interrupted => f.write_str("a signal has interrupted the wait"),
            Self::Runtime(error) => {
                write!(f, "the runtime of an embedded context could not be made: {error}")
            }
            Self::NoRuntime => f.write_str("there is no compio runtime on this thread"),
            Self::Closed => f.write_str("the socket is closed, or its context was shut down"),
            Self::WouldBlock => f.write_str("the operation would have to wait"),
            Self::TimedOut => f.write_str("the operation timed out"),
            Self::WouldDeadlock => f.write_str(
                "this thread runs the connections of the socket: a blocking call would wait for ever",
            ),
            Self::WrongThread => f.write_str(
                "cannot attach: the connections of the socket run on another thread than this one",
            ),
            Self::Unreachable => f.write_str("no peer with this routing id is connected"),
            Self::OutOfTurn(rule) => f.write_str(rule),
            Self::Unsupported { socket_type, operation } => {
                let article = if socket_type.name().starts_with('X') { "an" } else { "a" };
                write!(f, "{article} {socket_type} socket cannot {operation}")
            }
            Self::ManualModeRequired => {
                f.write_str("manual subscription requires `Builder::xpub_manual(true)`")
            }
            Self::EmptyMessage => f.write_str(
                "the message has no frame to send (the first frame of a message of a ROUTER or STREAM is the \
                 routing id: the frames to send are behind it)",
            ),
            Self::UnknownEndpoint(endpoint) => write!(f, "{endpoint}: neither bound nor connected"),
            Self::UnknownPeer(connection) => {
                write!(f, "the socket has no connection with the number {connection}")
            }
            Self::RoutingId(error) => write!(f, "invalid routing id: {error}"),
            Self::Text(error) => error.fmt(f),
            Self::FrameCount(error) => error.fmt(f),
            Self::Utf8(error) => error.fmt(f),
            Self::ReservedRoutingId => {
                f.write_str("a routing id must not start with a zero byte: those are generated")
            }
            Self::RawInproc => f.write_str("a STREAM socket requires tcp or ipc"),
            Self::DuplicateRoutingId => f.write_str("another peer has this routing id"),
            Self::HeartbeatTtl => f.write_str("a heartbeat TTL is at most 6553.5 seconds"),
            Self::OutOfRange { option, range } => write!(f, "{option}: expected {range}"),
            Self::Security(error) => write!(f, "security: {error}"),
            Self::InterfaceName(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MonocoqueError {}

impl From<EndpointError> for MonocoqueError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(error)
    }
}

impl From<InterfaceNameError> for MonocoqueError {
    fn from(error: InterfaceNameError) -> Self {
        Self::InterfaceName(error)
    }
}

impl From<RoutingIdError> for MonocoqueError {
    fn from(error: RoutingIdError) -> Self {
        Self::RoutingId(error)
    }
}

impl From<TextError> for MonocoqueError {
    fn from(error: TextError) -> Self {
        Self::Text(error.into())
    }
}

impl From<FrameCountError> for MonocoqueError {
    fn from(error: FrameCountError) -> Self {
        Self::FrameCount(error.into())
    }
}

impl From<Utf8Error> for MonocoqueError {
    fn from(error: Utf8Error) -> Self {
        Self::Utf8(error)
    }
}

impl From<FromUtf8Error> for MonocoqueError {
    fn from(error: FromUtf8Error) -> Self {
        Self::Utf8(error.utf8_error())
    }
}

impl From<MonocoqueError> for io::Error {
    /// Converts to an error of the kind that `std` has for it, with the same text.
    fn from(error: MonocoqueError) -> Self {
        let kind = match &error {
            MonocoqueError::Io { source: error, .. }
            | MonocoqueError::Descriptor(error)
            | MonocoqueError::Thread(error)
            | MonocoqueError::Readiness(error)
            | MonocoqueError::Runtime(error) => error.kind(),
            MonocoqueError::Unreachable => io::ErrorKind::HostUnreachable,
            other => match other.kind() {
                ErrorKind::Closed => io::ErrorKind::BrokenPipe,
                ErrorKind::WouldBlock => io::ErrorKind::WouldBlock,
                ErrorKind::TimedOut => io::ErrorKind::TimedOut,
                ErrorKind::Interrupted => io::ErrorKind::Interrupted,
                ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
                ErrorKind::NotFound => io::ErrorKind::NotFound,
                ErrorKind::WrongThread => io::ErrorKind::Deadlock,
                ErrorKind::Unsupported => io::ErrorKind::Unsupported,
                ErrorKind::OutOfTurn | ErrorKind::System => io::ErrorKind::Other,
            },
        };
        Self::new(kind, error)
    }
}

impl From<Infallible> for MonocoqueError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Conversions of errors of the engine, which are no part of the public API.
impl MonocoqueError {
    pub(crate) fn runtime_gone(_: RuntimeGone) -> Self {
        Self::Closed
    }

    pub(crate) fn inbox_closed(_: InboxClosed) -> Self {
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
/// assert!(error.is_would_block());
/// assert_eq!(error.into_message(), "nobody is there");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SendError {
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

    /// Returns the kind of the reason.
    pub fn kind(&self) -> ErrorKind {
        self.reason.kind()
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the message, to send it again or elsewhere.
    pub fn into_message(self) -> Message {
        self.message
    }

    /// Returns the reason and the message.
    pub fn into_parts(self) -> (MonocoqueError, Message) {
        (self.reason, self.message)
    }

    /// Returns whether the queues are full: the call would have had to wait.
    pub fn is_would_block(&self) -> bool {
        self.reason.is_would_block()
    }

    /// Returns whether the timeout of the call has expired.
    pub fn is_timeout(&self) -> bool {
        self.reason.is_timeout()
    }

    /// Returns whether the socket or its context is closed: no later call will succeed.
    pub fn is_closed(&self) -> bool {
        self.reason.is_closed()
    }

    /// Returns whether the type of the socket does not send, or not in this way.
    pub fn is_unsupported(&self) -> bool {
        self.reason.is_unsupported()
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for SendError {
    /// Returns the source of the reason, of which the text is that of this error.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.source()
    }
}

impl From<SendError> for MonocoqueError {
    fn from(error: SendError) -> Self {
        error.reason
    }
}

impl From<SendError> for io::Error {
    /// Converts the reason.
    fn from(error: SendError) -> Self {
        error.reason.into()
    }
}

#[cfg(all(test, not(monocoque_loom)))]
mod tests {
    use bytes::Bytes;
    use monocoque_core::Frame;

    use super::*;

    fn system_error() -> io::Error {
        io::Error::from_raw_os_error(98)
    }

    /// Returns an error of each variant.
    fn all() -> Vec<MonocoqueError> {
        use MonocoqueError::*;

        let endpoint = || Box::new("tcp://127.0.0.1:1".parse::<monocoque_core::Endpoint>().unwrap());
        let all = vec![
            Endpoint("foo".parse::<monocoque_core::Endpoint>().unwrap_err()),
            Io { endpoint: endpoint(), source: system_error() },
            Descriptor(system_error()),
            Thread(system_error()),
            Readiness(system_error()),
            Interrupted,
            Runtime(system_error()),
            NoRuntime,
            Closed,
            WouldBlock,
            TimedOut,
            WouldDeadlock,
            WrongThread,
            Unreachable,
            OutOfTurn("a REP socket must receive a request before it replies"),
            Unsupported { socket_type: SocketType::Pull, operation: "send" },
            ManualModeRequired,
            EmptyMessage,
            UnknownEndpoint(endpoint()),
            UnknownPeer(1.into()),
            RoutingId("".parse::<monocoque_core::RoutingId>().unwrap_err()),
            Text(Message::new().str(0).unwrap_err().into()),
            Text(<(String,)>::try_from(Message::new()).unwrap_err().into()),
            FrameCount(Bytes::try_from(Message::new()).unwrap_err().into()),
            Utf8(Frame::from(b"\xff").as_str().unwrap_err()),
            ReservedRoutingId,
            RawInproc,
            DuplicateRoutingId,
            HeartbeatTtl,
            OutOfRange { option: "affinity", range: "a number" },
            Security(SecurityError::DomainRequired),
            InterfaceName(InterfaceNameError),
        ];
        // A new variant belongs into the list above.
        all.iter().for_each(|error| match error {
            Endpoint(_) | Io { .. } | Descriptor(_) | Thread(_) | NoRuntime | Closed => {}
            Readiness(_) | Interrupted | Runtime(_) => {}
            WouldBlock | TimedOut | WouldDeadlock | WrongThread | Unreachable | OutOfTurn(_) => {}
            ManualModeRequired | EmptyMessage | UnknownEndpoint(_) | UnknownPeer(_) => {}
            Text(_) | FrameCount(_) | Utf8(_) => {}
            RoutingId(_) | ReservedRoutingId | RawInproc | DuplicateRoutingId | HeartbeatTtl => {}
            OutOfRange { .. } | Security(_) | InterfaceName(_) | Unsupported { .. } => {}
        });
        all
    }

    #[test]
    fn reports_repeat_nothing() {
        let mut errors: Vec<anyhow::Error> = all().into_iter().map(Into::into).collect();
        errors.extend(all().into_iter().map(|reason| SendError::new(reason, Message::from("x")).into()));
        errors.extend(all().into_iter().map(|error| io::Error::from(error).into()));
        errors.push(crate::DisconnectReason::Io(std::sync::Arc::new(system_error())).into());
        for error in errors {
            let texts: Vec<String> = error.chain().map(ToString::to_string).collect();
            for (index, text) in texts.iter().enumerate() {
                let others = texts.iter().enumerate().filter(|(other, _)| *other != index);
                let repeated = others.map(|(_, other)| other).find(|other| other.contains(text));
                assert_eq!(repeated, None, "{error:#}");
            }
        }
    }

    #[test]
    fn reasons_say_what_to_do() {
        use monocoque_zmtp::Incompatible;

        use crate::DisconnectReason::{Denied, Protocol};

        let types = Incompatible::SocketType { ours: SocketType::Push, theirs: SocketType::Rep };
        let types = Protocol(types.into()).to_string();
        assert!(types.ends_with("REP peer at a PUSH socket: its peer has to be a PULL"), "{types}");
        let denied = Denied(400).to_string();
        assert_eq!(denied, "the peer refused this socket: 400 (wrong key, password or address)");
        let frames = MonocoqueError::EmptyMessage.to_string();
        assert!(frames.contains("the first frame of a message of a ROUTER or STREAM is the routing id"));
    }

    #[test]
    fn causes_are_part_of_text() {
        for error in all() {
            let text = error.to_string();
            let has_cause = matches!(
                error,
                MonocoqueError::Io { .. }
                    | MonocoqueError::Descriptor(_)
                    | MonocoqueError::Thread(_)
                    | MonocoqueError::Readiness(_)
                    | MonocoqueError::Runtime(_)
            );
            assert_eq!(text.contains("in use"), has_cause, "{text}");
            assert_eq!(io::Error::from(error).to_string(), text);
        }
    }
}
