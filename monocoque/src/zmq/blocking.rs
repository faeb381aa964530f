//! Calls that park the thread, for programs without an executor.
//!
//! Each does what the call of the same name without `blocking_` does.

use std::sync::Arc;
use std::time::Duration;

use monocoque_core::{Endpoint, Message, RoutingId, block_on};

use super::kind::{Addresses, Kind, Publishes, Receives, Sends};
use super::{ReqSocket, Socket};
use crate::endpoint::connect;
use crate::error::{MonocoqueError, SendError};
use crate::peer::Peer;

/// # Blocking calls
///
/// For threads without an executor. They park the thread until they are done and cost no processor time meanwhile;
/// [`send_timeout`](super::Builder::send_timeout) and [`recv_timeout`](super::Builder::recv_timeout) bound them as they bound
/// the others.
///
/// The connections must live elsewhere, as in a context with I/O threads. On the thread that runs them, which is that of
/// the compio runtime the socket was made in, each of these fails with [`MonocoqueError::WouldDeadlock`] at once,
/// whether it would have had to wait or not. On a thread of any other executor they stop that executor for as long.
///
/// ```
/// use std::thread;
/// use monocoque::Context;
/// use monocoque::zmq::{PullSocket, PushSocket};
///
/// let context = Context::new()?;
/// let pull = PullSocket::new_in(&context)?;
/// let endpoint = pull.blocking_bind("tcp://127.0.0.1:0")?;
/// let sender = thread::spawn(move || {
///     let push = PushSocket::new_in(&context)?;
///     push.blocking_connect(endpoint)?;
///     push.blocking_send("from a thread")?;
///     push.blocking_close()
/// });
/// assert_eq!(&pull.blocking_recv()?[0], b"from a thread");
/// sender.join().unwrap()?;
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
impl<K: Kind> Socket<K> {
    /// [`bind`](Self::bind), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `bind`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_bind<E>(&self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        self.check_elsewhere()?;
        block_on(self.bind(endpoint))
    }

    /// [`connect`](Self::connect), for threads without an executor. Returns at once, on any thread.
    ///
    /// # Errors
    ///
    /// As `connect`.
    pub fn blocking_connect<E>(&self, endpoint: E) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        connect::connect(self.engine(), endpoint.try_into()?, None)
    }

    /// [`unbind`](Self::unbind), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `unbind`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_unbind<E>(&self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        self.check_elsewhere()?;
        block_on(self.unbind(endpoint))
    }

    /// [`disconnect`](Self::disconnect), for threads without an executor. Returns at once, on any thread.
    ///
    /// # Errors
    ///
    /// As `disconnect`.
    pub fn blocking_disconnect<E>(&self, endpoint: E) -> Result<(), MonocoqueError>
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        connect::disconnect(self.engine(), &endpoint.try_into()?)
    }

    /// [`wait_for_peers`](Self::wait_for_peers), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `wait_for_peers`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_wait_for_peers(&self, n: usize) -> Result<(), MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.wait_for_peers(n))
    }

    /// [`close`](Self::close), for threads without an executor.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections; the socket is not closed then.
    pub fn blocking_close(&self) -> Result<(), MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.close());
        Ok(())
    }

    pub(crate) fn check_elsewhere(&self) -> Result<(), MonocoqueError> {
        if self.engine().runs_on_current_thread() { Err(MonocoqueError::WouldDeadlock) } else { Ok(()) }
    }
}

impl<K: Sends> Socket<K> {
    /// [`send`](Self::send), for threads without an executor.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let context = Context::new()?;
    /// let push = PushSocket::builder().send_timeout(Some(Duration::from_millis(10))).build_in(&context)?;
    /// let error = push.blocking_send("nobody is there").unwrap_err();
    /// assert!(error.reason().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Gives the message back, as `send`; with [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_send<M: Into<Message>>(&self, message: M) -> Result<(), SendError> {
        match self.check_elsewhere() {
            Ok(()) => block_on(self.send(message)),
            Err(reason) => Err(SendError::new(reason, message.into())),
        }
    }

    /// [`send_timeout`](Self::send_timeout), for threads without an executor.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let push = PushSocket::new_in(&Context::new()?)?;
    /// let error = push.blocking_send_timeout("nobody is there", Duration::from_millis(10)).unwrap_err();
    /// assert!(error.reason().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`blocking_send`](Self::blocking_send).
    pub fn blocking_send_timeout<M: Into<Message>>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<(), SendError> {
        match self.check_elsewhere() {
            Ok(()) => block_on(self.send_timeout(message, timeout)),
            Err(reason) => Err(SendError::new(reason, message.into())),
        }
    }

    /// [`flush`](Self::flush), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `flush`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_flush(&self) -> Result<(), MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.flush())
    }
}

impl<K: Receives> Socket<K> {
    /// [`recv`](Self::recv), for threads without an executor.
    ///
    /// ```
    /// use monocoque::zmq::PullSocket;
    ///
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// let pull = PullSocket::new()?; // its connections live on this thread
    /// assert!(matches!(pull.blocking_recv(), Err(monocoque::MonocoqueError::WouldDeadlock)));
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As `recv`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_recv(&self) -> Result<Message, MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.recv())
    }

    /// [`recv_timeout`](Self::recv_timeout), for threads without an executor.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PullSocket;
    ///
    /// let pull = PullSocket::new_in(&Context::new()?)?;
    /// assert!(pull.blocking_recv_timeout(Duration::from_millis(10)).unwrap_err().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`blocking_recv`](Self::blocking_recv), and [`MonocoqueError::TimedOut`].
    pub fn blocking_recv_timeout(&self, timeout: Duration) -> Result<Message, MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.recv_timeout(timeout))
    }

    /// [`recv_with_peer`](Self::recv_with_peer), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `recv_with_peer`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_recv_with_peer(&self) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.recv_with_peer())
    }

    /// [`recv_batch`](Self::recv_batch), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `recv_batch`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_recv_batch(
        &self,
        messages: &mut Vec<Message>,
        max: usize,
    ) -> Result<usize, MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.recv_batch(messages, max))
    }
}

impl ReqSocket {
    /// [`request`](Self::request), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `request`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_request(&self, message: impl Into<Message>) -> Result<Message, MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.request(message))
    }
}

impl<K: Addresses> Socket<K> {
    /// [`recv_from`](Self::recv_from), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `recv_from`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_recv_from(&self) -> Result<(RoutingId, Message), MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.recv_from())
    }

    /// [`send_to`](Self::send_to), for threads without an executor.
    ///
    /// # Errors
    ///
    /// Gives the message back, as `send_to`; with [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_send_to<M: Into<Message>>(&self, peer: &RoutingId, message: M) -> Result<(), SendError> {
        match self.check_elsewhere() {
            Ok(()) => block_on(self.send_to(peer, message)),
            Err(reason) => Err(SendError::new(reason, message.into())),
        }
    }

    /// [`connect_as`](Self::connect_as), for threads without an executor. Returns at once, on any thread.
    ///
    /// # Errors
    ///
    /// As `connect_as`.
    pub fn blocking_connect_as<E, I>(&self, endpoint: E, routing_id: I) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        I: TryInto<RoutingId>,
        MonocoqueError: From<E::Error> + From<I::Error>,
    {
        block_on(self.connect_as(endpoint, routing_id))
    }
}

impl<K: Publishes> Socket<K> {
    /// [`wait_for_subscriptions`](Self::wait_for_subscriptions), for threads without an executor.
    ///
    /// # Errors
    ///
    /// As `wait_for_subscriptions`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn blocking_wait_for_subscriptions(&self, n: usize) -> Result<(), MonocoqueError> {
        self.check_elsewhere()?;
        block_on(self.wait_for_subscriptions(n))
    }
}
