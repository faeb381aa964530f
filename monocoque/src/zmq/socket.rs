//! What every socket can do, and how one is made.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::{Endpoint, Hwm, RoutingId, home};

use super::kind::Kind;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::MonocoqueError;
use crate::options::Options;
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
struct Handle(Arc<Engine>);

impl Drop for Handle {
    fn drop(&mut self) {
        let engine = self.0.clone();
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
        Builder { options: Options::default(), refused: None, kind: PhantomData }
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
        self.engine().bind(endpoint.try_into()?).await
    }

    /// Connects to an endpoint. Returns at once: the connection is made in the background, and made again for ever after
    /// it was lost, with a delay between the attempts, the [`reconnect_interval`](Builder::reconnect_interval).
    ///
    /// DEALER, REQ, SUB and PUB sockets ignore a second call with the same endpoint.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Endpoint`] for a malformed endpoint or one without a definite host and port.
    #[expect(clippy::unused_async, reason = "so that it reads like bind, and may wait one day")]
    pub async fn connect<E>(&self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        self.engine().connect(endpoint.try_into()?)
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
        self.engine().unbind(&endpoint.try_into()?).await
    }

    /// Lets go of an endpoint: its peer gets nothing that is sent from now on; the connection ends once what is queued for
    /// it is sent, and is not made again.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::UnknownEndpoint`] if it is not connected.
    #[expect(clippy::unused_async, reason = "so that it reads like connect, and may wait one day")]
    pub async fn disconnect<E>(&self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        self.engine().disconnect(&endpoint.try_into()?)
    }

    /// The endpoint that was bound or connected last (`ZMQ_LAST_ENDPOINT`).
    pub fn last_endpoint(&self) -> Option<Endpoint> {
        self.engine().last_endpoint()
    }

    /// How many peers are connected and have completed the handshake.
    pub fn peer_count(&self) -> usize {
        self.engine().peer_count()
    }

    /// What the socket has counted so far.
    pub fn stats(&self) -> SocketStats {
        self.engine().stats()
    }

    /// Waits until at least `n` peers are connected. Cancel safe.
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

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.handle.0
    }
}

impl<K> Clone for Socket<K> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), kind: PhantomData }
    }
}

impl<K: Kind> fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &K::pattern().socket_type)
            .field("peers", &self.peer_count())
            .finish_non_exhaustive()
    }
}

/// Makes a [`Socket`] with options. Each is checked when it is set; the first that was refused is reported by
/// [`build`](Self::build).
///
/// ```
/// use std::time::Duration;
/// use monocoque::zmq::DealerSocket;
///
/// let dealer = DealerSocket::builder()
///     .routing_id("worker-1")
///     .send_hwm(10_000)
///     .linger(Some(Duration::from_secs(1)))
///     .build()?;
/// # drop(dealer);
/// assert!(DealerSocket::builder().routing_id("").build().is_err());
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Debug)]
pub struct Builder<K> {
    options: Options,
    refused: Option<MonocoqueError>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Builder<K> {
    /// The name by which a ROUTER peer addresses this socket (`ZMQ_ROUTING_ID`): 1 to 255 bytes, not starting with a zero
    /// byte. Default: none; the ROUTER makes one up.
    pub fn routing_id<I>(mut self, id: I) -> Self
    where
        I: TryInto<RoutingId>,
        MonocoqueError: From<I::Error>,
    {
        match id.try_into().map_err(MonocoqueError::from) {
            Ok(id) if id.starts_with(&[0]) => self.refuse(MonocoqueError::ReservedRoutingId),
            Ok(id) => self.options.routing_id = Some(id),
            Err(error) => self.refuse(error),
        }
        self
    }

    /// How many messages may wait for one peer (`ZMQ_SNDHWM`): 0 for no limit. Default: 1000.
    ///
    /// The batch that is being written and the kernel's buffers come on top.
    pub fn send_hwm(mut self, messages: usize) -> Self {
        self.options.send_hwm = Hwm::new(messages);
        self
    }

    /// How many messages from one peer may wait to be received (`ZMQ_RCVHWM`): 0 for no limit. Default: 1000.
    ///
    /// A peer that has reached it is not read from, so that it is held back by TCP. Nothing is dropped. What had arrived of
    /// a connection that is over may come on top.
    pub fn recv_hwm(mut self, messages: usize) -> Self {
        self.options.recv_hwm = Hwm::new(messages);
        self
    }

    /// How long a closed socket goes on sending what is queued (`ZMQ_LINGER`): `None` for as long as it takes. Default:
    /// 30 seconds; SUB sockets never linger.
    pub fn linger(mut self, linger: Option<Duration>) -> Self {
        self.options.linger = linger;
        self
    }

    /// How long a whole handshake may take (`ZMQ_HANDSHAKE_IVL`): `None` for any time. Default: 30 seconds.
    pub fn handshake_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.handshake_timeout = timeout;
        self
    }

    /// How long to wait before a lost connection is made again (`ZMQ_RECONNECT_IVL`). Default: 100 ms.
    ///
    /// Half of it is drawn at random, so that many peers do not come back in step.
    pub fn reconnect_interval(mut self, interval: Duration) -> Self {
        self.options.reconnect_interval = interval;
        self
    }

    /// Up to which the [`reconnect_interval`](Self::reconnect_interval) doubles from attempt to attempt
    /// (`ZMQ_RECONNECT_IVL_MAX`). Default: zero, it does not grow.
    pub fn reconnect_interval_max(mut self, max: Duration) -> Self {
        self.options.reconnect_interval_max = max;
        self
    }

    /// Makes the socket, on the compio runtime of the calling thread if there is one, else on the process-wide context.
    ///
    /// # Errors
    ///
    /// The first option that was refused; [`MonocoqueError::Thread`] if an I/O thread cannot be started.
    pub fn build(self) -> Result<Socket<K>, MonocoqueError> {
        let context = Context::ambient()?;
        self.build_in(&context)
    }

    /// Makes the socket in a context.
    ///
    /// # Errors
    ///
    /// The first option that was refused; [`MonocoqueError::Closed`] if the runtime of the context has ended.
    pub fn build_in(self, context: &Context) -> Result<Socket<K>, MonocoqueError> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let engine = Engine::new(K::pattern(), self.options, context.home())?;
        Ok(Socket { handle: Arc::new(Handle(engine)), kind: PhantomData })
    }

    fn refuse(&mut self, error: MonocoqueError) {
        self.refused.get_or_insert(error);
    }
}
