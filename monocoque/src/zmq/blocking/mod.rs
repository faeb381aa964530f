//! Calls that park the thread, for programs without an executor.
//!
//! [`Blocking`] is a view of a socket. This file has the calls of every socket; the calls of a
//! capability are in a file each, in an `impl` for the types that have it.

mod by_id;
mod publish;
mod recv;
mod request;
mod send;

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Duration;

use monocoque_core::Endpoint;

use super::Socket;
use super::handle::Handle;
use crate::endpoint::connect;
use crate::error::MonocoqueError;
use crate::zmq::{IntoEndpoint, IntoLimit};

/// The calls of a socket that wait, for threads without an executor; made by
/// [`blocking`](Socket::blocking).
///
/// Each has the name and the arguments of the method of the socket that returns a future, parks the
/// thread until that is ready, and returns its result. A type has those that the socket type has.
/// Methods that never wait are those of the socket itself. `S` is the socket type.
///
/// Calls that have to wait, or may have to, fail with
/// [`WouldDeadlock`](MonocoqueError::WouldDeadlock) on the thread that runs the connections:
/// [blocking calls](crate::zmq#blocking-calls).
///
/// ```
/// use std::time::Duration;
/// use monocoque::Context;
/// use monocoque::zmq::{PullSocket, PushSocket};
///
/// let context = Context::new()?;
/// let (push, pull) = (PushSocket::new_in(&context)?, PullSocket::new_in(&context)?);
/// push.blocking().connect(pull.blocking().bind("tcp://127.0.0.1:0")?)?;
/// push.blocking().send("a job")?;
/// let job = pull.blocking().recv_timeout(Duration::from_secs(10))?;
/// assert_eq!(&job[0], b"a job");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
///
/// A socket that does not send has no blocking `send` either:
///
/// ```compile_fail,E0599
/// # use monocoque::zmq::PullSocket;
/// let pull = PullSocket::new()?;
/// pull.blocking().send("a job")?; // the trait bound `PullSocket: Sends` is not satisfied
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Blocking<'a, S> {
    socket: &'a S,
}

impl<'a, S> Blocking<'a, S> {
    #[inline]
    pub(super) fn new(socket: &'a S) -> Self {
        Self { socket }
    }
}

impl<S> Clone for Blocking<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Blocking<'_, S> {}

impl<S: fmt::Debug> fmt::Debug for Blocking<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blocking").field(self.socket).finish()
    }
}

/// The calls of every socket.
impl<'a, S: Socket> Blocking<'a, S> {
    #[inline]
    fn handle(self) -> &'a Handle {
        self.socket.handle()
    }

    /// Returns the socket.
    pub fn socket(self) -> &'a S {
        self.socket
    }

    /// Binds to an endpoint as [`bind`](Socket::bind) does.
    ///
    /// # Errors
    ///
    /// As `bind`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn bind<E>(self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: IntoEndpoint,
    {
        self.handle().block_on(self.handle().bind(endpoint))
    }

    /// Accepts connections on a stream socket that listens already, as
    /// [`bind_fd`](Socket::bind_fd) does.
    ///
    /// # Errors
    ///
    /// As `bind_fd`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn bind_fd(self, listener: impl Into<OwnedFd>) -> Result<Endpoint, MonocoqueError> {
        self.handle().block_on(self.handle().bind_fd(listener.into()))
    }

    /// Connects to an endpoint as [`connect`](Socket::connect) does. Returns at once, on any
    /// thread.
    ///
    /// # Errors
    ///
    /// As `connect`.
    pub fn connect<E>(self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: IntoEndpoint,
    {
        connect::connect(self.handle().engine(), endpoint.into_endpoint()?, None)
    }

    /// Stops listening on an endpoint as [`unbind`](Socket::unbind) does.
    ///
    /// # Errors
    ///
    /// As `unbind`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn unbind<E>(self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: IntoEndpoint,
    {
        self.handle().block_on(self.handle().unbind(endpoint))
    }

    /// Disconnects from an endpoint as [`disconnect`](Socket::disconnect) does. Returns at once, on
    /// any thread.
    ///
    /// # Errors
    ///
    /// As `disconnect`.
    pub fn disconnect<E>(self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: IntoEndpoint,
    {
        connect::disconnect(self.handle().engine(), &endpoint.into_endpoint()?)
    }

    /// Waits until at least `n` peers are connected, as
    /// [`wait_for_peers`](Socket::wait_for_peers) does.
    ///
    /// # Errors
    ///
    /// As `wait_for_peers`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the
    /// connections.
    pub fn wait_for_peers(self, n: usize) -> Result<(), MonocoqueError> {
        self.handle().block_on(self.handle().engine().wait_for_peers(n, None))
    }

    /// Waits for peers for at most `timeout`, as
    /// [`wait_for_peers_timeout`](Socket::wait_for_peers_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`wait_for_peers`](Self::wait_for_peers), and [`MonocoqueError::TimedOut`].
    pub fn wait_for_peers_timeout(
        self,
        n: usize,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<(), MonocoqueError> {
        self.handle().block_on(self.handle().engine().wait_for_peers(n, timeout.into_limit()))
    }

    /// Closes the socket as [`close`](Socket::close) does, and waits for its end.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections; the socket is not
    /// closed then.
    pub fn close(self) -> Result<(), MonocoqueError> {
        self.handle().block_on(async {
            self.handle().close().await;
            Ok(())
        })
    }

    /// Closes the socket, and sends queued messages for at most `limit`. Returns the number of
    /// those that were not sent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let push = PushSocket::new_in(&Context::new()?)?;
    /// assert_eq!(push.blocking().close_within(Duration::from_secs(1))?, 0);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections; the socket is not
    /// closed then.
    pub fn close_within(self, limit: impl IntoLimit<Duration>) -> Result<u64, MonocoqueError> {
        let handle = self.handle();
        handle.block_on(async { Ok(handle.close_within(limit.into_limit()).await) })
    }
}
