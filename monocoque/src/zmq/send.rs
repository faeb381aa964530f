//! Sending, for the sockets that do.

use std::time::Duration;

use monocoque_core::{Hwm, Message};

use super::Socket;
use super::kind::Sends;
use crate::error::{MonocoqueError, SendError};

impl<K: Sends> Socket<K> {
    /// Queues a message to be sent, in the order of the calls; waits while there is no room.
    ///
    /// Small messages are written together: nothing needs to be flushed. What happens when peers have no room, or when
    /// there is no peer, is said by the type of the socket.
    ///
    /// Cancel safe: a message whose `send` was dropped before it was ready has not been queued.
    ///
    /// It yields after 256 KiB and after a millisecond, although there is room: it is pending once, and woken at once, so that
    /// connections and other tasks of the thread go on. `try_send` never does.
    ///
    /// # Errors
    ///
    /// Gives the message back, with [`Closed`](crate::MonocoqueError::Closed) when the socket is closed,
    /// [`OutOfTurn`](crate::MonocoqueError::OutOfTurn) when a REQ or REP socket must receive first, or
    /// [`EmptyMessage`](crate::MonocoqueError::EmptyMessage) when there is no frame to send.
    #[inline]
    pub fn send<M: Into<Message>>(&self, message: M) -> impl Future<Output = Result<(), SendError>> {
        self.engine_unchecked().send(None, message)
    }

    /// Queues a message as [`send`](Self::send) does, but waits for room no longer than `timeout`, whatever the
    /// [`send_timeout`](super::Builder::send_timeout) of the socket is. `Duration::MAX` waits for ever.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let push = PushSocket::new()?;
    /// let error = push.send_timeout("nobody is there", Duration::from_millis(10)).await.unwrap_err();
    /// assert!(error.reason().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safe, as `send`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`TimedOut`](crate::MonocoqueError::TimedOut).
    #[inline]
    pub fn send_timeout<M: Into<Message>>(
        &self,
        message: M,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), SendError>> {
        self.engine_unchecked().send_within(timeout, message)
    }

    /// Queues a message as [`send`](Self::send) does, but lets it wait: for the next `send`, for [`flush`](Self::flush), for
    /// a full queue, or for the peer to be written to anyway.
    ///
    /// `send` batches by itself. This is for whoever knows better where a batch ends.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    /// push.wait_for_peers(1).await?;
    /// for part in ["all", "in", "one", "write"] {
    ///     push.send_buffered(part).await?;
    /// }
    /// push.flush().await?;
    /// assert_eq!(&pull.recv().await?[0], b"all");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safe, as `send`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_buffered<M: Into<Message>>(&self, message: M) -> impl Future<Output = Result<(), SendError>> {
        self.engine_unchecked().send_deferred(message)
    }

    /// Sends what [`send_buffered`](Self::send_buffered) has queued, and waits until the system has taken all that is queued for
    /// connected peers now. What waits for a first peer is not waited for.
    ///
    /// Cancel safe: what is queued is sent whether this is awaited to its end or not.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::MonocoqueError::Closed) when the socket is closed meanwhile.
    pub async fn flush(&self) -> Result<(), MonocoqueError> {
        self.engine().flush().await
    }

    /// Changes the [`send_hwm`](super::Builder::send_hwm), for all peers, at once. Nothing that is queued is dropped; 0 for
    /// no limit.
    pub fn set_send_hwm(&self, messages: usize) {
        self.engine().set_send_hwm(Hwm::new(messages));
    }

    /// Queues a message to be sent, if that can be done at once.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`WouldBlock`](crate::MonocoqueError::WouldBlock) where that would wait.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.engine().try_send(None, message.into())
    }
}
