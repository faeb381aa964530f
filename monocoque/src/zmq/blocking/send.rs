//! Blocking calls that send.

use std::time::Duration;

use monocoque_core::IntoMessage;

use super::Blocking;
use crate::error::{MonocoqueError, SendError};
use crate::socket::send::ByPattern;
use crate::zmq::IntoLimit;
use crate::zmq::capability::Sends;

/// The calls of sockets that send.
impl<S: Sends> Blocking<'_, S> {
    /// Queues a message as [`send`](Sends::send) does; waits while the queue is full.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let context = Context::new()?;
    /// let limit = Duration::from_millis(10);
    /// let push = PushSocket::builder().send_timeout(Some(limit)).build_in(&context)?;
    /// let error = push.blocking().send("no peer").unwrap_err();
    /// assert!(error.reason().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Gives the message back, as `send`; with [`MonocoqueError::WouldDeadlock`] on the thread that
    /// runs the connections.
    pub fn send<M: IntoMessage>(self, message: M) -> Result<(), SendError> {
        self.handle().block_on_send(message, |engine, message| engine.send(ByPattern, message))
    }

    /// Queues a message as [`send`](Self::send) does, but waits no longer than `timeout`, as
    /// [`send_timeout`](Sends::send_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let push = PushSocket::new_in(&Context::new()?)?;
    /// let limit = Duration::from_millis(10);
    /// let error = push.blocking().send_timeout("no peer", limit).unwrap_err();
    /// assert!(error.reason().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`MonocoqueError::TimedOut`].
    pub fn send_timeout<M: IntoMessage>(
        self,
        message: M,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<(), SendError> {
        self.handle().block_on_send(message, |engine, message| {
            engine.send_within(timeout.into_limit().into(), ByPattern, message)
        })
    }

    /// Queues a message as [`send`](Self::send) does, but does not start to write it, as
    /// [`send_buffered`](Sends::send_buffered).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_buffered<M: IntoMessage>(self, message: M) -> Result<(), SendError> {
        self.handle().block_on_send(message, |engine, message| engine.send_deferred(message))
    }

    /// Writes what is queued, and waits until the system has taken it, as [`flush`](Sends::flush)
    /// does.
    ///
    /// # Errors
    ///
    /// As `flush`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn flush(self) -> Result<(), MonocoqueError> {
        self.handle().block_on(self.handle().flush(sends!(self.socket), None))
    }

    /// Writes what is queued, and waits for that no longer than `timeout`, as
    /// [`flush_timeout`](Sends::flush_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush), and [`MonocoqueError::TimedOut`].
    pub fn flush_timeout(self, timeout: impl IntoLimit<Duration>) -> Result<(), MonocoqueError> {
        self.handle().block_on(self.handle().flush(sends!(self.socket), timeout.into_limit()))
    }
}
