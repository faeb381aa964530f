//! What every socket can do, and how one is made.

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use monocoque_core::{Endpoint, home, transport, yielding};

use super::Builder;
use super::kind::Kind;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::MonocoqueError;
use crate::monitor::Monitor;
use crate::stats::SocketStats;

/// A ZeroMQ socket of one [`Kind`]; use it by the names [`DealerSocket`](super::DealerSocket) and so on.
///
/// A handle: cheap to clone, `Send` and `Sync`, every method takes `&self`. The connections live on the thread of its
/// [`Context`]. When the last handle is dropped, the socket is closed as by [`close`](Self::close), but nobody waits.
///
/// Unless its documentation says otherwise, a future of a socket is cancel safe: dropping it before it is ready leaves the
/// socket as if it had not been called.
pub struct Socket<K> {
    handle: Arc<Handle>,
    kind: PhantomData<fn() -> K>,
}

/// What the clones of a socket share. The engine itself is also held by its tasks.
struct Handle {
    engine: Arc<Engine>,
    /// Takes its place in a process that was forked from that of the socket.
    closed: OnceLock<Arc<Engine>>,
}

impl Handle {
    #[inline]
    fn engine(&self) -> &Arc<Engine> {
        if self.engine.is_foreign() { self.closed() } else { &self.engine }
    }

    #[cold]
    fn closed(&self) -> &Arc<Engine> {
        self.closed.get_or_init(|| Engine::closed(self.engine.pattern))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let engine = self.engine.clone();
        if self.engine.is_foreign() {
            // Nothing of the parent's is touched.
            return std::mem::forget(engine);
        }
        home::outside_panic(move || engine.close());
    }
}

impl<K: Kind> Socket<K> {
    /// A socket with default options, on the compio runtime of the calling thread if there is one, else on the
    /// process-wide [`Context`].
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if the process-wide context cannot start its I/O thread.
    pub fn new() -> Result<Self, MonocoqueError> {
        Self::builder().build()
    }

    /// A socket with default options in a context.
    pub fn new_in(context: &Context) -> Result<Self, MonocoqueError> {
        Self::builder().build_in(context)
    }

    /// For a socket with other options.
    pub fn builder() -> Builder<K> {
        Builder::new()
    }

    pub(super) fn of(engine: Arc<Engine>) -> Self {
        Self { handle: Arc::new(Handle { engine, closed: OnceLock::new() }), kind: PhantomData }
    }

    /// Binds to an endpoint and accepts connections from now on. Returns the endpoint as it was resolved: with the port
    /// that was chosen for port 0, with the path that was made for `ipc://*`.
    ///
    /// A socket can bind and connect to any number of endpoints.
    ///
    /// Cancel safe, but a call that is cancelled late may have bound.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Endpoint`] for a malformed endpoint, [`MonocoqueError::Io`] if the address is in use or not there.
    pub async fn bind<E>(&self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        yielding::now_if_due().await;
        let endpoint = endpoint.try_into()?;
        self.engine().bind(endpoint).await
    }

    /// Accepts connections on a stream socket that listens already (`ZMQ_USE_FD`), such as one that a service manager has made,
    /// and returns its endpoint, with which it can be unbound. The file of a Unix domain socket stays; it is not ours.
    ///
    /// Of the options, [`backlog`](Builder::backlog) and [`bind_to_device`](Builder::bind_to_device) do not apply: whoever has
    /// made the socket has decided about them.
    ///
    /// Cancel safe, but a call that is cancelled late may have succeeded.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::PullSocket;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    /// let pull = PullSocket::new()?;
    /// let endpoint = pull.bind_fd(listener).await?;
    /// assert!(endpoint.to_string().starts_with("tcp://127.0.0.1:"));
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Descriptor`] if it is not a listening stream socket of TCP or of the Unix domain.
    pub async fn bind_fd(&self, listener: impl Into<OwnedFd>) -> Result<Endpoint, MonocoqueError> {
        self.engine().bind_fd(listener.into()).await
    }

    /// Runs a connection over a stream that is connected already: one that the caller has accepted, or TLS. The peer speaks
    /// ZMTP over it, and may be a libzmq that somebody has put behind a TLS tunnel.
    ///
    /// Streams of TCP and of the Unix domain that compio has made are given as they are (set `TCP_NODELAY` on them), all
    /// others in an [`AnyStream`](transport::AnyStream). The example `tls` does so with rustls.
    ///
    /// The connection counts as an accepted one, and is not made again. It is known by the endpoint that this returns:
    /// the [`monitor`](Self::monitor) tells when and why it has ended, [`disconnect`](Self::disconnect) ends it, and once it has
    /// ended the endpoint is unknown. Returns at once, before the handshake.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use compio::net::{TcpListener, TcpStream};
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    /// let outgoing = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    /// let (incoming, _) = listener.accept().await.unwrap();
    ///
    /// let (push, pull) = (PushSocket::new()?, PullSocket::new()?);
    /// push.attach(outgoing)?;
    /// pull.attach(incoming)?;
    /// push.wait_for_peers(1).await?;
    /// push.send("over a stream of our own").await?;
    /// assert_eq!(&pull.recv().await?[0], b"over a stream of our own");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WrongThread`] if the connections of the socket do not run on the compio runtime that this is called
    /// in. To have the stream back then, give a clone.
    pub fn attach(&self, stream: impl transport::Socket) -> Result<Endpoint, MonocoqueError> {
        self.engine().adopt(stream)
    }

    /// Connects to an endpoint. Returns at once: the connection is made in the background, and made again for ever after
    /// it was lost, with a delay between the attempts, the [`reconnect_interval`](Builder::reconnect_interval), unless
    /// [`reconnect_stop`](Builder::reconnect_stop) says when to give up. What happens meanwhile is told by a
    /// [`monitor`](Self::monitor).
    ///
    /// DEALER, REQ, SUB and PUB sockets ignore a second call with the same endpoint.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Endpoint`] for a malformed endpoint or one without a definite host and port.
    pub async fn connect<E>(&self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        yielding::now_if_due().await;
        let endpoint = endpoint.try_into()?;
        self.engine().connect(endpoint)
    }

    /// Stops listening on an endpoint, which is the one that [`bind`](Self::bind) returned, and returns once it can be bound
    /// again. The peers that came through it get nothing that is sent from now on; their connections end once what is
    /// queued for them is sent.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::UnknownEndpoint`] if it is not bound.
    pub async fn unbind<E>(&self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        yielding::now_if_due().await;
        let endpoint = endpoint.try_into()?;
        self.engine().unbind(&endpoint).await
    }

    /// Lets go of an endpoint that was connected or [attached](Self::attach): its peer gets nothing that is sent from now on;
    /// the connection ends once what is queued for it is sent, and is not made again. What is queued for anybody stays, for
    /// the next endpoint.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::UnknownEndpoint`] if it is neither connected nor attached.
    pub async fn disconnect<E>(&self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        yielding::now_if_due().await;
        let endpoint = endpoint.try_into()?;
        self.engine().disconnect(&endpoint)
    }

    /// Ends the connection to one peer at once, accepted or connected, over any transport.
    ///
    /// `connection` is the number that [monitor](Self::monitor) events and
    /// [`Peer::connection`](crate::Peer::connection) tell ([`Connection::id`](crate::Connection::id)). What is queued for
    /// the peer goes where it goes when a connection is lost: to another peer, or it is dropped and counted. An endpoint
    /// that is connected stays so: it is connected again after the reconnect interval, unless it is
    /// [disconnected](Self::disconnect). Never waits; from any thread.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    /// push.send("something rude").await?;
    /// let (_message, peer) = pull.recv_with_peer().await?;
    /// pull.disconnect_peer(peer.connection().id)?;
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::UnknownPeer`] if no peer has a connection of this number, or no longer.
    pub fn disconnect_peer(&self, connection: u64) -> Result<(), MonocoqueError> {
        self.engine().disconnect_peer(connection)
    }

    /// The endpoint that was bound or connected last (`ZMQ_LAST_ENDPOINT`).
    pub fn last_endpoint(&self) -> Option<Endpoint> {
        self.engine().last_endpoint()
    }

    /// How many peers are connected and have completed the handshake.
    pub fn peer_count(&self) -> usize {
        self.engine().peer_count()
    }

    /// A stream of what happens to the socket and its connections from now on (`zmq_socket_monitor`).
    ///
    /// There may be any number of them; one that is not read holds up nobody. It ends after
    /// [`SocketEvent::Closed`](crate::SocketEvent::Closed).
    pub fn monitor(&self) -> Monitor {
        self.engine().monitor()
    }

    /// What the socket has counted so far.
    pub fn stats(&self) -> SocketStats {
        self.engine().stats()
    }

    /// Waits until at least `n` peers are connected. Cancel safe.
    ///
    /// Their handshakes have ended by then. What a subscriber asks for comes after it: a publisher that wants to be heard waits
    /// with [`wait_for_subscriptions`](Self::wait_for_subscriptions) instead.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] once the socket is closed.
    pub async fn wait_for_peers(&self, n: usize) -> Result<(), MonocoqueError> {
        self.engine().wait_for_peers(n).await
    }

    /// Closes the socket, for all handles, and waits until everything that is queued has been handed to the kernel, but
    /// no longer than [`linger`](Builder::linger).
    ///
    /// Calls that wait on other handles return [`MonocoqueError::Closed`]. Cancel safe: the closing goes on.
    pub async fn close(&self) {
        self.engine().close();
        self.engine().ended().await;
    }

    #[inline]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        self.handle.engine()
    }

    /// For futures that look at each poll whether the process was forked.
    #[inline]
    pub(super) fn engine_unchecked(&self) -> &Arc<Engine> {
        &self.handle.engine
    }
}

impl<K> Clone for Socket<K> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &self.handle.engine.pattern.socket_type)
            .field("peers", &self.handle.engine().peer_count())
            .finish_non_exhaustive()
    }
}
