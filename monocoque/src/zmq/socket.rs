//! The trait of all socket types.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd};

pub(crate) mod sealed {
    use crate::error::MonocoqueError;
    use crate::zmq::any::AnySocket;
    use crate::zmq::handle::Handle;
    use crate::zmq::kind::{Capability, Kind};

    #[expect(unnameable_types, reason = "sealed: the socket types are those of this crate")]
    pub trait Sealed {
        /// The error of a capability that the socket lacks. A socket type lacks none of those whose
        /// methods it has, so that its checks cost nothing.
        type Lack: Copy + Send + Into<MonocoqueError>;

        fn from_any(socket: AnySocket) -> Self;

        fn untyped(&self) -> &AnySocket;

        /// Fails if the socket lacks a capability whose methods it has.
        fn check(&self, capability: Capability) -> Result<(), Self::Lack>;

        #[inline]
        fn handle(&self) -> &Handle {
            self.untyped().handle()
        }
    }

    #[expect(unnameable_types, reason = "sealed: the socket types are those of this crate")]
    pub trait SealedType: Sealed {
        fn kind() -> Kind;
    }
}

/// The constructors of a socket type, for the type and for the trait.
macro_rules! type_methods {
    ($vis:vis fn) => {
        /// Makes a socket with default options, on the compio runtime of the calling thread if
        /// there is one, else on the process-wide [`Context`](crate::Context).
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Thread`](crate::MonocoqueError::Thread) if the process-wide context
        /// cannot start its I/O thread.
        $vis fn new() -> Result<Self, $crate::MonocoqueError> {
            Self::builder().build()
        }

        /// Makes a socket with default options in a context.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) if the context was shut down
        /// or its runtime has ended.
        $vis fn new_in(context: &$crate::Context) -> Result<Self, $crate::MonocoqueError> {
            Self::builder().build_in(context)
        }

        /// Returns a builder, for a socket with other options.
        $vis fn builder() -> $crate::zmq::Builder<Self> {
            $crate::zmq::Builder::new(<Self as $crate::zmq::socket::sealed::SealedType>::kind())
        }
    };
}

/// The methods of every socket, for a type and for the trait, as those of a capability.
macro_rules! socket_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Binds to an endpoint and accepts connections from now on. Returns the endpoint as it was
        /// resolved: with the port that was chosen for port 0, with the path that was made for
        /// `ipc://*`.
        ///
        /// A socket can bind and connect to any number of endpoints.
        ///
        /// Cancel safe, but a call that is cancelled late may have bound.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Endpoint`](crate::MonocoqueError::Endpoint) for a malformed endpoint,
        /// [`MonocoqueError::Io`](crate::MonocoqueError::Io) if the address is in use or does not
        /// exist on this machine.
        $vis fn bind<E>(
            &self,
            endpoint: E,
        ) -> impl Future<Output = Result<$crate::Endpoint, $crate::MonocoqueError>> $(+ $auto)?
        where
            E: $crate::zmq::IntoEndpoint $(+ $auto)?,
        {
            self.handle().bind(endpoint)
        }

        /// Accepts connections on a stream socket that listens already (`ZMQ_USE_FD`), such as one
        /// that a service manager has made. Returns its endpoint, with which it can be unbound. The
        /// file of a Unix domain socket is not removed.
        ///
        /// The options [`backlog`](crate::zmq::Builder::backlog) and
        /// [`bind_to_device`](crate::zmq::Builder::bind_to_device) do not apply: they are set where
        /// the stream socket is made.
        ///
        /// Cancel safe, but a call that is cancelled late may have succeeded.
        ///
        /// ```
        /// use monocoque::zmq::PullSocket;
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        ///         let pull = PullSocket::new()?;
        ///         let endpoint = pull.bind_fd(listener).await?;
        ///         assert!(endpoint.to_string().starts_with("tcp://127.0.0.1:"));
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Descriptor`](crate::MonocoqueError::Descriptor) if it is not a
        /// listening stream socket of TCP or of the Unix domain.
        $vis fn bind_fd(
            &self,
            listener: impl Into<std::os::fd::OwnedFd> $(+ $auto)?,
        ) -> impl Future<Output = Result<$crate::Endpoint, $crate::MonocoqueError>> $(+ $auto)? {
            async move { self.handle().bind_fd(listener.into()).await }
        }

        /// Runs a connection over a stream that is connected already: an accepted one, or TLS. The
        /// peer speaks ZMTP over it, and may be a libzmq behind a TLS tunnel.
        ///
        /// Streams of TCP and of the Unix domain that compio has made are given as they are (set
        /// `TCP_NODELAY` on them), all others in an [`AnyStream`](crate::transport::AnyStream). The
        /// example `tls` does so with rustls.
        ///
        /// The connection counts as an accepted one and is not made again. It is known by the
        /// endpoint that this returns: the [`monitor`](Self::monitor) reports when and why it has
        /// ended, [`disconnect`](Self::disconnect) ends it, and once it has ended the endpoint is
        /// unknown. Returns at once, before the handshake.
        ///
        /// ```
        /// use compio::net::{TcpListener, TcpStream};
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let listener = TcpListener::bind("127.0.0.1:0").await?;
        ///         let outgoing = TcpStream::connect(listener.local_addr()?).await?;
        ///         let (incoming, _) = listener.accept().await?;
        ///
        ///         let (push, pull) = (PushSocket::new()?, PullSocket::new()?);
        ///         push.attach(outgoing)?;
        ///         pull.attach(incoming)?;
        ///         push.wait_for_peers(1).await?;
        ///         push.send("over a stream of our own").await?;
        ///         assert_eq!(&pull.recv().await?[0], b"over a stream of our own");
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::WrongThread`](crate::MonocoqueError::WrongThread) if the connections
        /// of the socket do not run on the compio runtime of the caller. The stream is dropped
        /// then: to keep it, give a clone.
        $vis fn attach(
            &self,
            stream: impl $crate::transport::ByteStream,
        ) -> Result<$crate::Endpoint, $crate::MonocoqueError> {
            $crate::endpoint::connect::adopt(self.handle().engine(), stream)
        }

        /// Connects to an endpoint. Returns at once: the connection is made in the background. A
        /// lost connection is made again, for ever, with a delay between the attempts, the
        /// [`reconnect_interval`](crate::zmq::Builder::reconnect_interval), unless
        /// [`reconnect_stop`](crate::zmq::Builder::reconnect_stop) ends that. A
        /// [`monitor`](Self::monitor) reports the attempts.
        ///
        /// DEALER, REQ, SUB and PUB sockets ignore a second call with the same endpoint.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Endpoint`](crate::MonocoqueError::Endpoint) for a malformed endpoint
        /// or one without a definite host and port.
        $vis fn connect<E>(
            &self,
            endpoint: E,
        ) -> impl Future<Output = Result<$crate::Endpoint, $crate::MonocoqueError>> $(+ $auto)?
        where
            E: $crate::zmq::IntoEndpoint $(+ $auto)?,
        {
            self.handle().connect(endpoint)
        }

        /// Stops listening on an endpoint, which is the one that [`bind`](Self::bind) returned.
        /// Returns once it can be bound again. The peers that were accepted there get no message
        /// that is sent from now on; their connections end once the messages queued for them are
        /// sent.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::UnknownEndpoint`](crate::MonocoqueError::UnknownEndpoint) if it is not
        /// bound.
        $vis fn unbind<E>(
            &self,
            endpoint: E,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)?
        where
            E: $crate::zmq::IntoEndpoint $(+ $auto)?,
        {
            self.handle().unbind(endpoint)
        }

        /// Disconnects from an endpoint that was connected or [attached](Self::attach). Its peer
        /// gets no message that is sent from now on; the connection ends once the messages queued
        /// for that peer are sent, and is not made again. Messages that are queued for any peer
        /// stay for the next endpoint.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::UnknownEndpoint`](crate::MonocoqueError::UnknownEndpoint) if it is
        /// neither connected nor attached.
        $vis fn disconnect<E>(
            &self,
            endpoint: E,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)?
        where
            E: $crate::zmq::IntoEndpoint $(+ $auto)?,
        {
            self.handle().disconnect(endpoint)
        }

        /// Ends the connection to one peer at once, accepted or connected, over any transport.
        ///
        /// `connection` is the number in [monitor](Self::monitor) events and in
        /// [`Peer::connection`](crate::Peer::connection)
        /// ([`Connection::id`](crate::Connection::id)). Messages queued for the peer are treated as
        /// when a connection is lost: sent to another peer, or dropped and counted. An endpoint
        /// that is connected stays so: it is connected again after the reconnect interval, unless
        /// it is [disconnected](Self::disconnect). Never waits; from any thread.
        ///
        /// ```
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let push = PushSocket::new()?;
        ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        ///         push.send("something rude").await?;
        ///         let (_message, peer) = pull.recv_with_peer().await?;
        ///         pull.disconnect_peer(peer.connection().id)?;
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::UnknownPeer`](crate::MonocoqueError::UnknownPeer) if no connection of
        /// this number has a peer, or no longer.
        $vis fn disconnect_peer(&self, connection: impl Into<$crate::ConnectionId>) -> Result<(), $crate::MonocoqueError> {
            $crate::endpoint::connect::disconnect_peer(self.handle().engine(), connection.into())
        }

        /// Returns the endpoint that was bound or connected last (`ZMQ_LAST_ENDPOINT`).
        $vis fn last_endpoint(&self) -> Option<$crate::Endpoint> {
            self.handle().engine().endpoints.last()
        }

        /// Returns the endpoints that are bound, connected or [attached](Self::attach) now, in the
        /// order in which they were made. A bound one is as it was resolved, with its port.
        ///
        /// ```
        /// # compio::runtime::Runtime::new().unwrap().block_on(async {
        /// use monocoque::zmq::PullSocket;
        ///
        /// let pull = PullSocket::new()?;
        /// let bound = pull.bind("tcp://127.0.0.1:0").await?;
        /// let connected = pull.connect("inproc://jobs").await?;
        /// assert_eq!(pull.endpoints(), [bound.clone(), connected.clone()]);
        /// assert_eq!(pull.bound_endpoints(), [bound]);
        /// assert_eq!(pull.connected_endpoints(), [connected]);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// # }).unwrap();
        /// ```
        $vis fn endpoints(&self) -> Vec<$crate::Endpoint> {
            use $crate::endpoint::Origin;

            self.handle().engine().endpoint_addresses(&[Origin::Bound, Origin::Connected, Origin::Adopted])
        }

        /// Returns the endpoints that are bound now, as they were resolved.
        $vis fn bound_endpoints(&self) -> Vec<$crate::Endpoint> {
            self.handle().engine().endpoint_addresses(&[$crate::endpoint::Origin::Bound])
        }

        /// Returns the endpoints that are connected now, whether or not their connections are
        /// established.
        $vis fn connected_endpoints(&self) -> Vec<$crate::Endpoint> {
            self.handle().engine().endpoint_addresses(&[$crate::endpoint::Origin::Connected])
        }

        /// Returns the socket without its type, for code that takes sockets of any type.
        ///
        /// A clone of it, or [`AnySocket::from`](crate::AnySocket), is a further handle of the same
        /// socket.
        ///
        /// ```
        /// use monocoque::AnySocket;
        /// use monocoque::zmq::{PullSocket, SocketType};
        ///
        /// let pull = PullSocket::new()?;
        /// let any: &AnySocket = pull.as_any();
        /// assert_eq!(any.socket_type(), SocketType::Pull);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        #[inline]
        $vis fn as_any(&self) -> &$crate::AnySocket {
            $crate::zmq::socket::sealed::Sealed::untyped(self)
        }

        /// Returns the type of the socket (`ZMQ_TYPE`).
        $vis fn socket_type(&self) -> $crate::zmq::SocketType {
            self.handle().engine().pattern.socket_type
        }

        /// Returns the [routing id](crate::zmq::Builder::routing_id) that the socket announces to
        /// its peers (`ZMQ_ROUTING_ID`); `None` if it has none.
        $vis fn routing_id(&self) -> Option<$crate::RoutingId> {
            self.handle().engine().options().routing_id.clone()
        }

        /// Returns the context that the socket was made in, for another socket that is to share its
        /// threads and its inproc names.
        ///
        /// ```
        /// use monocoque::Context;
        /// use monocoque::zmq::{PairSocket, PullSocket};
        ///
        /// /// Makes a socket to control `pull`, on the same thread.
        /// fn control(pull: &PullSocket) -> Result<PairSocket, monocoque::MonocoqueError> {
        ///     PairSocket::new_in(&pull.context())
        /// }
        ///
        /// let pair = control(&PullSocket::new_in(&Context::new()?)?)?;
        /// # drop(pair);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        $vis fn context(&self) -> $crate::Context {
            self.handle().context().clone()
        }

        /// Returns whether the socket is closed, by this handle or another one, or with its
        /// context.
        ///
        /// ```
        /// # compio::runtime::Runtime::new().unwrap().block_on(async {
        /// use monocoque::zmq::PullSocket;
        ///
        /// let pull = PullSocket::new()?;
        /// assert!(!pull.is_closed());
        /// pull.close().await;
        /// assert!(pull.is_closed());
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// # }).unwrap();
        /// ```
        $vis fn is_closed(&self) -> bool {
            self.handle().engine().check_open().is_err()
        }

        /// Returns the connected peers, each with its counters and the lengths of its queues
        /// ([`PeerStats`](crate::PeerStats)), in the order in which their connections began.
        ///
        /// Takes the locks of the socket for a moment, longer with many peers: for a look now and
        /// then, not for each message.
        $vis fn peers(&self) -> Vec<$crate::PeerStats> {
            self.handle().engine().peers()
        }

        /// Returns the number of peers: connections whose handshake is done.
        $vis fn peer_count(&self) -> usize {
            self.handle().engine().peer_count()
        }

        /// Returns a stream of the events of the socket and its connections from now on
        /// (`zmq_socket_monitor`).
        ///
        /// A socket can have any number of monitors; one that is not read holds nothing up. The
        /// stream ends after [`SocketEvent::Closed`](crate::SocketEvent::Closed).
        $vis fn monitor(&self) -> $crate::Monitor {
            self.handle().engine().monitor()
        }

        /// Returns the counters of the socket, as they are now.
        $vis fn stats(&self) -> $crate::SocketStats {
            self.handle().engine().stats()
        }

        /// Waits until at least `n` peers are connected. Cancel safe.
        ///
        /// Their handshakes are done by then. Subscriptions come after the handshake: a publisher
        /// that must not lose its first messages waits with
        /// [`wait_for_subscriptions`](crate::zmq::capability::Publishes::wait_for_subscriptions)
        /// instead.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn wait_for_peers(
            &self,
            n: usize,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            async move { self.handle().engine().wait_for_peers(n, None).await }
        }

        /// Waits as [`wait_for_peers`](Self::wait_for_peers) does, for at most `timeout`.
        /// `None` waits for ever. Cancel safe.
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::zmq::PushSocket;
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let push = PushSocket::new()?;
        ///         let connected = push.wait_for_peers_timeout(1, Duration::from_millis(10)).await;
        ///         let error = connected.unwrap_err();
        ///         assert!(error.is_timeout());
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// As `wait_for_peers`, and [`MonocoqueError::TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn wait_for_peers_timeout(
            &self,
            n: usize,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            let timeout = timeout.into_limit();
            async move { self.handle().engine().wait_for_peers(n, timeout).await }
        }

        /// Closes the socket, for all handles, and waits until everything that is queued has been
        /// handed to the kernel, but no longer than [`linger`](crate::zmq::Builder::linger).
        ///
        /// Calls that wait on other handles return
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed). Cancel safe: the closing goes
        /// on.
        $vis fn close(&self) -> impl Future<Output = ()> $(+ $auto)? {
            self.handle().close()
        }

        /// Closes the socket as [`close`](Self::close) does, and waits no longer than `limit` for
        /// the queued messages to be sent, whatever [`linger`](crate::zmq::Builder::linger) is.
        /// Returns the number of messages that were not sent, which are counted in
        /// [`dropped`](crate::SocketStats::dropped), too.
        ///
        /// Zero drops all queued messages at once; `None` is no limit. If the socket is closed
        /// already, the limit counts from now, and the messages from the first call. A message
        /// counts as sent once the kernel has taken it, or an inproc peer. SUB sockets have nothing
        /// to send.
        ///
        /// Cancel safe: the closing goes on, with this limit.
        ///
        /// ```
        /// # compio::runtime::Runtime::new().unwrap().block_on(async {
        /// use std::time::Duration;
        /// use monocoque::zmq::PushSocket;
        ///
        /// let push = PushSocket::new()?;
        /// push.connect("ipc:///tmp/nobody-listens-here").await?;
        /// push.send("lost").await?;
        /// let unsent = push.close_within(Duration::from_millis(10)).await;
        /// assert_eq!(unsent, 1);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// # }).unwrap();
        /// ```
        $vis fn close_within(
            &self,
            limit: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = u64> $(+ $auto)? {
            self.handle().close_within(limit.into_limit())
        }

        /// Changes the [`linger`](crate::zmq::Builder::linger) of the open socket (`ZMQ_LINGER`):
        /// the time that a closed socket goes on sending queued messages, `None` for no limit. Has
        /// no effect on a SUB.
        ///
        /// It holds for [`close`](Self::close), for the drop of the last handle, and for the end of
        /// the [context](crate::Context::shutdown) and of the program. On a socket that is closed
        /// already, it counts from now.
        ///
        /// ```
        /// # compio::runtime::Runtime::new().unwrap().block_on(async {
        /// use std::time::Duration;
        /// use monocoque::zmq::PushSocket;
        ///
        /// let push = PushSocket::new()?;
        /// push.set_linger(Duration::from_secs(1));
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// # }).unwrap();
        /// ```
        $vis fn set_linger(&self, linger: impl crate::zmq::IntoLimit<std::time::Duration>) {
            self.handle().engine().set_linger(linger.into_limit());
        }

        /// Returns the options of the socket as they are now, those that were not set with their
        /// defaults.
        ///
        /// ```
        /// use monocoque::zmq::PullSocket;
        ///
        /// let pull = PullSocket::builder().recv_hwm(500).build()?;
        /// assert_eq!(pull.options().recv_hwm(), 500);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        $vis fn options(&self) -> $crate::zmq::SocketOptions {
            $crate::zmq::SocketOptions::new(self.handle().engine().options())
        }

        /// Changes options of the open socket (`zmq_setsockopt`): `change` gets a builder with the
        /// options as they are, and returns it with others. Either all changes take effect or none.
        ///
        /// At once: the high-water marks, the timeouts of `send` and `recv`, which hold for calls
        /// that begin to wait from now on, `linger`, `immediate`, `delivery_attempts`,
        /// `router_mandatory`, `router_handover`, `nodrop`, `req_relaxed`, `xpub_verbose`, and the
        /// messages that the next new peer gets (`hello_msg`, `probe_router`, `xpub_welcome_msg`).
        /// A further `subscribe` subscribes.
        ///
        /// All others hold for endpoints that are bound or connected from now on. Those that there
        /// are go on with the options that they were made with, also when they connect again.
        ///
        /// If other threads change options at the same time, `change` may be called more than once.
        ///
        /// ```
        /// # compio::runtime::Runtime::new().unwrap().block_on(async {
        /// use std::time::Duration;
        /// use monocoque::zmq::PullSocket;
        ///
        /// let pull = PullSocket::new()?;
        /// let limit = Duration::from_millis(10);
        /// pull.reconfigure(|options| options.recv_timeout(limit).recv_hwm(50))?;
        /// assert!(pull.recv().await.unwrap_err().is_timeout());
        ///
        /// let error = pull.reconfigure(|options| options.conflate(true)).unwrap_err();
        /// assert_eq!(error.to_string(), "a PULL socket cannot change the option `conflate`");
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// # }).unwrap();
        /// ```
        ///
        /// # Errors
        ///
        /// The first option that was rejected;
        /// [`MonocoqueError::Unsupported`](crate::MonocoqueError::Unsupported) for an option that
        /// never changes: `affinity`, `conflate`, `departed_budget`, `invert_matching`,
        /// `only_first_subscribe`, `req_correlate`, `xpub_manual`, `xpub_manual_last_value` and
        /// `xpub_verboser`; [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the
        /// socket is closed.
        $vis fn reconfigure(
            &self,
            change: impl FnMut($crate::zmq::Builder<Self>) -> $crate::zmq::Builder<Self>,
        ) -> Result<(), $crate::MonocoqueError> {
            $crate::zmq::Builder::reconfigure(self.handle().engine(), change)
        }

        /// Returns the calls of this socket that wait, for threads without an executor: the methods
        /// of the view have the names of those here, and park the thread.
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::Context;
        /// use monocoque::zmq::{RepSocket, ReqSocket};
        ///
        /// let context = Context::new()?;
        /// let (req, rep) = (ReqSocket::new_in(&context)?, RepSocket::new_in(&context)?);
        /// req.blocking().connect(rep.blocking().bind("tcp://127.0.0.1:0")?)?;
        /// req.blocking().send("ping")?;
        /// let ping = rep.blocking().recv()?;
        /// rep.blocking().send(ping)?;
        /// let pong = req.blocking().recv_timeout(Duration::from_secs(10))?;
        /// assert_eq!(&pong[0], b"ping");
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        #[inline]
        $vis fn blocking(&self) -> $crate::zmq::Blocking<'_, Self> {
            $crate::zmq::Blocking::new(self)
        }
    };
}

/// A ZeroMQ socket, for code that is generic over sockets.
///
/// Sealed: the types are those of [this module](crate::zmq), and [`AnySocket`](crate::AnySocket).
/// Each has these methods itself, so that a program which names its types does not import the
/// trait. The constructors of a type are in [`TypedSocket`], and the further methods of a socket in
/// its [capabilities](crate::zmq::capability).
///
/// ```
/// use monocoque::{Endpoint, MonocoqueError};
/// use monocoque::zmq::{PullSocket, Socket, SubSocket};
///
/// /// Listens on a free port.
/// async fn listen<S: Socket>(socket: &S) -> Result<Endpoint, MonocoqueError> {
///     socket.bind("tcp://127.0.0.1:0").await
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let (pull, sub) = (PullSocket::new()?, SubSocket::new()?);
///         assert_ne!(listen(&pull).await?, listen(&sub).await?);
///         Ok(())
///     })
/// }
/// ```
pub trait Socket: sealed::Sealed + AsFd + AsRawFd + Clone + fmt::Debug + Send + Sync + 'static {
    socket_methods!(fn + Send);
    readiness_methods!(fn + Send);
}

/// A socket type, for code that makes sockets and is generic over their types.
///
/// Sealed: every type of [this module](crate::zmq). An [`AnySocket`](crate::AnySocket) is made with
/// its type as a value.
///
/// ```
/// use monocoque::{Endpoint, MonocoqueError};
/// use monocoque::zmq::{PullSocket, SubSocket, TypedSocket};
///
/// /// Makes a socket that listens on a free port.
/// async fn listen<S: TypedSocket>() -> Result<(S, Endpoint), MonocoqueError> {
///     let socket = S::new()?;
///     let endpoint = socket.bind("tcp://127.0.0.1:0").await?;
///     Ok((socket, endpoint))
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let (pull, jobs) = listen::<PullSocket>().await?;
///         let (sub, news) = listen::<SubSocket>().await?;
///         drop((pull, sub, jobs, news));
///         Ok(())
///     })
/// }
/// ```
pub trait TypedSocket: sealed::SealedType + Socket {
    type_methods!(fn);
}
