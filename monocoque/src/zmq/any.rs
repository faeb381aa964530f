//! The socket whose type is chosen at run time.

use std::fmt;

use monocoque_zmtp::SocketType;

use super::Builder;
use super::handle::Handle;
use super::kind::{Capability, Kind, Lack};
use super::socket::sealed::Sealed;
use crate::context::Context;
use crate::error::MonocoqueError;

/// A socket whose type is chosen at run time, for programs that learn it from a user, a file or a
/// foreign function.
///
/// It has the methods of all socket types. A call that its type cannot do, such as
/// [`send`](Self::send) of a PULL, fails with
/// [`MonocoqueError::Unsupported`](crate::MonocoqueError::Unsupported), which names the type, and a
/// message comes back in the [`SendError`](crate::SendError).
///
/// The types such as [`PullSocket`](super::PullSocket) are this socket with fewer methods, and cost
/// the same. [`as_any`](super::Socket::as_any) and `From` convert them to an `AnySocket`, and
/// `TryFrom` converts back. With a type that is known when the program is compiled, prefer that:
/// the compiler finds the calls that cannot succeed.
///
/// ```
/// use monocoque::AnySocket;
/// use monocoque::zmq::{PullSocket, SocketType};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let push = AnySocket::new(SocketType::Push)?;
///         let pull = AnySocket::builder(SocketType::Pull).recv_hwm(100).build()?;
///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
///         push.send("job").await?;
///         assert_eq!(pull.recv().await?, "job");
///
///         let error = pull.send("result").await.unwrap_err();
///         assert_eq!(error.to_string(), "a PULL socket cannot send");
///         assert_eq!(error.into_message(), "result");
///
///         let pull = PullSocket::try_from(pull)?;
///         # drop(pull);
///         Ok(())
///     })
/// }
/// ```
///
/// # Handles
///
/// A value of this type is a handle, as one of a socket type is: cheap to clone, `Send` and `Sync`,
/// every method takes `&self`. When the last handle is dropped, the socket is closed as by
/// [`close`](Self::close), without waiting.
#[derive(Clone)]
pub struct AnySocket(Handle);

impl AnySocket {
    /// Makes a socket with default options, on the compio runtime of the calling thread if there is
    /// one, else on the process-wide [`Context`].
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if the process-wide context cannot start its I/O thread.
    pub fn new(socket_type: SocketType) -> Result<Self, MonocoqueError> {
        Self::builder(socket_type).build()
    }

    /// Makes a socket with default options in a context.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] if the context was shut down or its runtime has ended.
    pub fn new_in(socket_type: SocketType, context: &Context) -> Result<Self, MonocoqueError> {
        Self::builder(socket_type).build_in(context)
    }

    /// Returns a builder, for a socket with other options. It has the options of all types:
    /// [`build`](Builder::build) fails with [`MonocoqueError::Unsupported`] if one was set that the
    /// type lacks.
    ///
    /// ```
    /// use monocoque::AnySocket;
    /// use monocoque::zmq::SocketType;
    ///
    /// let router = AnySocket::builder(SocketType::Router).router_mandatory(true).build()?;
    /// # drop(router);
    /// let error = AnySocket::builder(SocketType::Rep).router_mandatory(true).build().unwrap_err();
    /// assert_eq!(error.to_string(), "a REP socket cannot take the option `router_mandatory`");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn builder(socket_type: SocketType) -> Builder<Self> {
        Builder::new(Kind::of(socket_type))
    }

    pub(super) fn new_handle(handle: Handle) -> Self {
        Self(handle)
    }

    #[inline]
    pub(super) fn handle(&self) -> &Handle {
        &self.0
    }

    /// Returns the socket if it is of a type.
    pub(super) fn into_type(self, expected: SocketType) -> Result<Self, WrongSocketType> {
        if self.0.engine().pattern.socket_type == expected {
            Ok(self)
        } else {
            Err(WrongSocketType { socket: self, expected })
        }
    }
}

impl Sealed for AnySocket {
    type Lack = Lack;

    fn from_any(socket: Self) -> Self {
        socket
    }

    #[inline]
    fn untyped(&self) -> &AnySocket {
        self
    }

    fn check(&self, capability: Capability) -> Result<(), Lack> {
        let socket_type = self.0.engine_unchecked().pattern.socket_type;
        let is_capable = Kind::of(socket_type).capabilities.has(capability);
        if is_capable { Ok(()) } else { Err(Lack { socket_type, capability }) }
    }
}

impl super::Socket for AnySocket {}
methods!(AnySocket: socket_methods, readiness_methods);
descriptor!(AnySocket);
capability!(AnySocket: Sends);
capability!(AnySocket: Receives);
capability!(AnySocket: RoutesById);
capability!(AnySocket: Publishes);
capability!(AnySocket: Subscribes);
capability!(AnySocket: Requests);
capability!(AnySocket: Proxied);
capability!(AnySocket: Conflate);
capability!(AnySocket: HelloMsg);
capability!(AnySocket: HiccupMsg);
capability!(AnySocket: InvertMatching);
capability!(AnySocket: OnlyFirstSubscribe);
capability!(AnySocket: ProbeRouter);
capability!(AnySocket: RouterOptions);
capability!(AnySocket: Secure);
capability!(AnySocket: StreamNotify);
capability!(AnySocket: XpubOptions);

impl fmt::Debug for AnySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = self.0.engine();
        f.debug_struct("AnySocket")
            .field("socket_type", &engine.pattern.socket_type)
            .field("peers", &engine.peer_count())
            .finish_non_exhaustive()
    }
}

/// An [`AnySocket`] that is not of the type that it was to be converted to.
///
/// ```
/// use monocoque::AnySocket;
/// use monocoque::zmq::{PushSocket, SocketType};
///
/// let pull = AnySocket::new(SocketType::Pull)?;
/// let error = PushSocket::try_from(pull).unwrap_err();
/// assert_eq!(error.to_string(), "the socket is of type PULL, not PUSH");
/// let pull = error.into_socket();
/// # drop(pull);
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Debug)]
pub struct WrongSocketType {
    socket: AnySocket,
    expected: SocketType,
}

impl WrongSocketType {
    /// Returns the type that the socket was to be of.
    pub fn expected(&self) -> SocketType {
        self.expected
    }

    /// Returns the socket.
    pub fn socket(&self) -> &AnySocket {
        &self.socket
    }

    /// Returns the socket, to go on with it.
    pub fn into_socket(self) -> AnySocket {
        self.socket
    }
}

impl fmt::Display for WrongSocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actual = self.socket.0.engine().pattern.socket_type;
        write!(f, "the socket is of type {actual}, not {}", self.expected)
    }
}

impl std::error::Error for WrongSocketType {}
