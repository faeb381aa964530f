//! Sending.

use super::Socket;

/// Checks that a socket sends.
macro_rules! sends {
    ($socket:expr) => {
        $crate::zmq::socket::sealed::Sealed::check($socket, $crate::zmq::kind::Capability::Sends)
    };
}

/// The methods of sockets that send.
macro_rules! send_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Queues a message to be sent, in the order of the calls; waits while the queue is full.
        ///
        /// Small messages are written together: nothing needs to be flushed. The type of the socket
        /// decides what happens when the queues of its peers are full or it has no peer.
        ///
        /// Cancel safe: a message whose `send` was dropped before it was ready has not been queued.
        ///
        /// Yields after 256 KiB and after a millisecond, also while the queue has room: it is
        /// pending once and woken at once, so that connections and other tasks of the thread go on.
        /// [`try_send`](Self::try_send) never does.
        ///
        /// # Errors
        ///
        /// Gives the message back, with [`Closed`](crate::MonocoqueError::Closed) when the socket
        /// is closed, [`OutOfTurn`](crate::MonocoqueError::OutOfTurn) when a REQ or REP socket must
        /// receive first, or [`EmptyMessage`](crate::MonocoqueError::EmptyMessage) for a message
        /// without a frame to send.
        #[inline]
        $vis fn send<M: $crate::IntoMessage $(+ $auto)?>(
            &self,
            message: M,
        ) -> $crate::zmq::Sending<'_, M> {
            self.handle().engine_unchecked().send($crate::socket::send::ByPattern, message)
        }

        /// Queues a message as [`send`](Self::send) does, but waits no longer than `timeout`,
        /// whatever the [`send_timeout`](crate::zmq::Builder::send_timeout) of the socket is.
        /// `None` waits for ever.
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::zmq::PushSocket;
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let push = PushSocket::new()?;
        ///         let sent = push.send_timeout("no peer", Duration::from_millis(10)).await;
        ///         let error = sent.unwrap_err();
        ///         assert!(error.reason().is_timeout());
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// Cancel safe, as `send`.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send), and [`TimedOut`](crate::MonocoqueError::TimedOut).
        #[inline]
        $vis fn send_timeout<M: $crate::IntoMessage $(+ $auto)?>(
            &self,
            message: M,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> $crate::zmq::Sending<'_, M> {
            self.handle().engine_unchecked().send_within(timeout.into_limit().into(), $crate::socket::send::ByPattern, message)
        }

        /// Queues a message as [`send`](Self::send) does, but does not start to write it: that is
        /// left to the next `send`, to [`flush`](Self::flush), to a full queue, or to a write that
        /// is under way.
        ///
        /// `send` batches by itself. This is for programs that know better where a batch ends.
        ///
        /// ```
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let push = PushSocket::new()?;
        ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        ///         push.wait_for_peers(1).await?;
        ///         for part in ["all", "in", "one", "write"] {
        ///             push.send_buffered(part).await?;
        ///         }
        ///         push.flush().await?;
        ///         assert_eq!(&pull.recv().await?[0], b"all");
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// Cancel safe, as `send`.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send).
        #[inline]
        $vis fn send_buffered<M: $crate::IntoMessage $(+ $auto)?>(
            &self,
            message: M,
        ) -> $crate::zmq::Sending<'_, M> {
            self.handle().engine_unchecked().send_deferred(message)
        }

        /// Queues a message to be sent, if that can be done at once. Never yields.
        ///
        /// # Errors
        ///
        /// As [`send`](Self::send), and [`WouldBlock`](crate::MonocoqueError::WouldBlock) where
        /// that would wait.
        #[inline]
        $vis fn try_send(
            &self,
            message: impl $crate::IntoMessage,
        ) -> Result<(), $crate::SendError> {
            self.handle().engine().try_send(None, message.into())
        }

        /// Writes the messages that [`send_buffered`](Self::send_buffered) has queued, and waits
        /// until the system has taken everything that is queued for connected peers now. Messages
        /// that wait for a first peer are not waited for.
        ///
        /// Cancel safe: the queued messages are sent whether or not this is awaited to its end.
        ///
        /// # Errors
        ///
        /// [`Closed`](crate::MonocoqueError::Closed) when the socket is closed meanwhile.
        $vis fn flush(&self) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().flush(sends!(self), None)
        }

        /// Writes what is queued and waits for that as [`flush`](Self::flush) does, for at most
        /// `timeout`. `None` waits for ever. Cancel safe, as `flush`.
        ///
        /// # Errors
        ///
        /// As `flush`, and [`TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn flush_timeout(
            &self,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().flush(sends!(self), timeout.into_limit())
        }

        /// Changes the [`send_hwm`](crate::zmq::Builder::send_hwm), for all peers, at once. No
        /// queued message is dropped. 0 for no limit.
        $vis fn set_send_hwm(&self, messages: usize) {
            self.handle().engine().set_send_hwm(monocoque_core::Hwm::new(messages));
        }

        /// Returns a [`Sink`](futures_sink::Sink) of the messages to send, for `SinkExt`,
        /// `StreamExt::forward` and every other API that takes one.
        ///
        /// Like a clone of the socket it keeps the socket open.
        ///
        /// ```
        /// use futures::{SinkExt, StreamExt, stream};
        /// use monocoque::Message;
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let push = PushSocket::new()?;
        ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        ///
        ///         let jobs = stream::iter(["one", "two"]).map(|job| Ok(Message::from(job)));
        ///         jobs.forward(push.sink()).await?; // which closes it in the end
        ///         assert_eq!(&pull.recv().await?[0], b"one");
        ///         assert_eq!(&pull.recv().await?[0], b"two");
        ///         Ok(())
        ///     })
        /// }
        /// ```
        $vis fn sink(&self) -> $crate::zmq::MessageSink {
            $crate::zmq::MessageSink::new(self.handle().clone())
        }
    };
}

/// A socket that sends.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not send messages")]
pub trait Sends: Socket {
    send_methods!(fn + Send);
}
