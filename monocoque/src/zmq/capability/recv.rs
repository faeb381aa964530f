//! Receiving.

use super::Socket;

/// The methods of sockets that receive.
macro_rules! recv_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Receives the next message: one from each peer in turn, those of one peer in the order in
        /// which it sent them.
        ///
        /// Cancel safe: a message is either returned or still queued.
        ///
        /// Yields when the calling thread has gone on for a millisecond, also while a message
        /// waits: it is pending once and woken at once, so that connections and other tasks of the
        /// thread go on. [`try_recv`](Self::try_recv) never does.
        ///
        /// # Errors
        ///
        /// [`TimedOut`](crate::MonocoqueError::TimedOut) after the
        /// [`recv_timeout`](crate::zmq::Builder::recv_timeout);
        /// [`Closed`](crate::MonocoqueError::Closed) when the socket is closed;
        /// [`OutOfTurn`](crate::MonocoqueError::OutOfTurn) when a REQ or REP socket must send
        /// first.
        #[inline]
        $vis fn recv(
            &self,
        ) -> impl Future<Output = Result<$crate::Message, $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().engine_unchecked().recv()
        }

        /// Receives the next message as [`recv`](Self::recv) does, but waits no longer than
        /// `timeout`, whatever the [`recv_timeout`](crate::zmq::Builder::recv_timeout) of the
        /// socket is. `None` waits for ever.
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::zmq::PullSocket;
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let received = pull.recv_timeout(Duration::from_millis(10)).await;
        ///         assert!(received.unwrap_err().is_timeout());
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// Cancel safe, as `recv`.
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv), and [`TimedOut`](crate::MonocoqueError::TimedOut).
        #[inline]
        $vis fn recv_timeout(
            &self,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<$crate::Message, $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().engine_unchecked().recv_within(timeout.into_limit().into())
        }

        /// Receives at most `max` messages at once: appends those that are queued to `messages` and
        /// returns their number. Waits for the first.
        ///
        /// Takes turns between peers as [`recv`](Self::recv) does, at less cost a message. A REQ or
        /// REP socket, where requests and replies alternate, gives one.
        ///
        /// ```
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let push = PushSocket::new()?;
        ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        ///         push.send("job").await?;
        ///         let mut messages = Vec::new();
        ///         assert_eq!(pull.recv_batch(&mut messages, 100).await?, 1);
        ///         assert_eq!(&messages[0][0], b"job");
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// Cancel safe: messages are either in `messages` or still queued.
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv).
        $vis fn recv_batch(
            &self,
            messages: &mut Vec<$crate::Message>,
            max: usize,
        ) -> impl Future<Output = Result<usize, $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().engine_unchecked().recv_batch(messages, max, $crate::socket::Limit::Socket)
        }

        /// Receives messages as [`recv_batch`](Self::recv_batch) does, but waits for the first no
        /// longer than `timeout`, whatever the
        /// [`recv_timeout`](crate::zmq::Builder::recv_timeout) of the socket is. `None` waits
        /// for ever. Cancel safe, as `recv_batch`.
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv), and [`TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn recv_batch_timeout(
            &self,
            messages: &mut Vec<$crate::Message>,
            max: usize,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<usize, $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().engine_unchecked().recv_batch(messages, max, timeout.into_limit().into())
        }

        /// Receives the next message as [`recv`](Self::recv) does, together with the peer that sent
        /// it (`zmq_msg_gets`).
        ///
        /// Cancel safe, as `recv`.
        ///
        /// ```
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let push = PushSocket::new()?;
        ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        ///         push.send("job").await?;
        ///         let (job, peer) = pull.recv_with_peer().await?;
        ///         println!("{job:?} from {}", peer.connection().peer);
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv).
        $vis fn recv_with_peer(
            &self,
        ) -> impl Future<
            Output = Result<($crate::Message, std::sync::Arc<$crate::Peer>), $crate::MonocoqueError>,
        > $(+ $auto)? {
            self.handle().engine_unchecked().recv_with_peer($crate::socket::Limit::Socket)
        }

        /// Receives the next message together with its sender, as
        /// [`recv_with_peer`](Self::recv_with_peer) does, but waits no longer than `timeout`,
        /// whatever the [`recv_timeout`](crate::zmq::Builder::recv_timeout) of the socket is.
        /// `None` waits for ever. Cancel safe, as `recv`.
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv), and [`TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn recv_with_peer_timeout(
            &self,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<
            Output = Result<($crate::Message, std::sync::Arc<$crate::Peer>), $crate::MonocoqueError>,
        > $(+ $auto)? {
            self.handle().engine_unchecked().recv_with_peer(timeout.into_limit().into())
        }

        /// Receives the next message, if one is queued. Never yields: on a compio runtime that runs
        /// the connections, a loop of it stops all of them.
        ///
        /// # Errors
        ///
        /// As [`recv`](Self::recv), and [`WouldBlock`](crate::MonocoqueError::WouldBlock) where
        /// that would wait.
        #[inline]
        $vis fn try_recv(&self) -> Result<$crate::Message, $crate::MonocoqueError> {
            self.handle().engine().try_recv()
        }

        /// Receives the next message, if one is queued, together with the peer that sent it.
        ///
        /// # Errors
        ///
        /// As [`try_recv`](Self::try_recv).
        #[inline]
        $vis fn try_recv_with_peer(
            &self,
        ) -> Result<($crate::Message, std::sync::Arc<$crate::Peer>), $crate::MonocoqueError> {
            self.handle().engine().try_recv_with_peer()
        }

        /// Changes the [`recv_hwm`](crate::zmq::Builder::recv_hwm), for all peers, at once. No
        /// queued message is dropped. 0 for no limit.
        $vis fn set_recv_hwm(&self, messages: usize) {
            self.handle().engine().set_recv_hwm(monocoque_core::Hwm::new(messages));
        }

        /// Returns a [`Stream`](futures_core::Stream) of the messages that are received from now
        /// on, for `StreamExt` and every other API that takes one.
        ///
        /// Like a clone of the socket it keeps the socket open.
        /// [`recv_batch`](Self::recv_batch) costs less a message.
        ///
        /// ```
        /// use futures::{StreamExt, TryStreamExt};
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let pull = PullSocket::new()?;
        ///         let push = PushSocket::new()?;
        ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        ///         for n in ["one", "two", "three"] {
        ///             push.send(n).await?;
        ///         }
        ///         let lengths = pull.stream().take(3).map_ok(|message| message[0].len());
        ///         let lengths: Vec<_> = lengths.try_collect().await?;
        ///         assert_eq!(lengths, [3, 3, 5]);
        ///         Ok(())
        ///     })
        /// }
        /// ```
        $vis fn stream(&self) -> $crate::zmq::MessageStream {
            $crate::zmq::MessageStream::new(self.handle().clone())
        }
    };
}

/// A socket that receives.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not receive messages")]
pub trait Receives: Socket {
    recv_methods!(fn + Send);
}
