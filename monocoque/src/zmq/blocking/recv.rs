//! Blocking calls that receive.

use std::sync::Arc;
use std::time::Duration;

use monocoque_core::Message;

use super::Blocking;
use crate::error::MonocoqueError;
use crate::peer::Peer;
use crate::zmq::IntoLimit;
use crate::zmq::capability::Receives;

/// The calls of sockets that receive.
impl<S: Receives> Blocking<'_, S> {
    /// Receives the next message as [`recv`](Receives::recv) does.
    ///
    /// ```
    /// use monocoque::MonocoqueError;
    /// use monocoque::zmq::PullSocket;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let pull = PullSocket::new()?; // its connections live on this thread
    ///         assert!(matches!(pull.blocking().recv(), Err(MonocoqueError::WouldDeadlock)));
    ///         Ok(())
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As `recv`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn recv(self) -> Result<Message, MonocoqueError> {
        self.handle().block_on(self.handle().engine_unchecked().recv())
    }

    /// Receives the next message as [`recv`](Self::recv) does, but waits no longer than `timeout`,
    /// as [`recv_timeout`](Receives::recv_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PullSocket;
    ///
    /// let pull = PullSocket::new_in(&Context::new()?)?;
    /// let error = pull.blocking().recv_timeout(Duration::from_millis(10)).unwrap_err();
    /// assert!(error.is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`MonocoqueError::TimedOut`].
    pub fn recv_timeout(self, timeout: impl IntoLimit<Duration>) -> Result<Message, MonocoqueError> {
        self.handle().block_on(self.handle().engine_unchecked().recv_within(timeout.into_limit().into()))
    }

    /// Receives the next message together with its sender, as
    /// [`recv_with_peer`](Receives::recv_with_peer) does.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_with_peer(self) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        self.handle().block_on(self.socket.recv_with_peer())
    }

    /// Receives the next message together with its sender, and waits no longer than `timeout`, as
    /// [`recv_with_peer_timeout`](Receives::recv_with_peer_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`MonocoqueError::TimedOut`].
    pub fn recv_with_peer_timeout(
        self,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        self.handle().block_on(self.socket.recv_with_peer_timeout(timeout))
    }

    /// Receives up to `max` messages as [`recv_batch`](Receives::recv_batch) does.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_batch(self, messages: &mut Vec<Message>, max: usize) -> Result<usize, MonocoqueError> {
        self.handle().block_on(self.socket.recv_batch(messages, max))
    }

    /// Receives up to `max` messages, and waits for the first no longer than `timeout`, as
    /// [`recv_batch_timeout`](Receives::recv_batch_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`MonocoqueError::TimedOut`].
    pub fn recv_batch_timeout(
        self,
        messages: &mut Vec<Message>,
        max: usize,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<usize, MonocoqueError> {
        self.handle().block_on(self.socket.recv_batch_timeout(messages, max, timeout))
    }
}
