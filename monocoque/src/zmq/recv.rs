//! Receiving, for the sockets that do.

use std::sync::Arc;
use std::time::Duration;

use monocoque_core::{Hwm, Message};

use super::Socket;
use super::kind::Receives;
use crate::error::MonocoqueError;
use crate::peer::Peer;

impl<K: Receives> Socket<K> {
    /// The next message: one from each peer in turn, those of one peer in the order in which it sent them.
    ///
    /// Cancel safe: a message is either returned or still there.
    ///
    /// It yields when the calling thread has gone on for a millisecond, although there is a message: it is pending once, and
    /// woken at once, so that connections and other tasks of the thread go on. [`try_recv`](Self::try_recv) never does.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::TimedOut`] after the [`recv_timeout`](super::Builder::recv_timeout);
    /// [`MonocoqueError::Closed`] when the socket is closed; [`MonocoqueError::OutOfTurn`] when a REQ or REP socket must
    /// send first.
    #[inline]
    pub fn recv(&self) -> impl Future<Output = Result<Message, MonocoqueError>> + Send {
        self.engine_unchecked().recv()
    }

    /// The next message, as [`recv`](Self::recv), but waits no longer than `timeout`, whatever the
    /// [`recv_timeout`](super::Builder::recv_timeout) of the socket is. `Duration::MAX` waits for ever.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use monocoque::zmq::PullSocket;
    ///
    /// let pull = PullSocket::new()?;
    /// assert!(pull.recv_timeout(Duration::from_millis(10)).await.unwrap_err().is_timeout());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safe: a message is either returned or still there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`MonocoqueError::TimedOut`].
    #[inline]
    pub fn recv_timeout(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = Result<Message, MonocoqueError>> + Send {
        self.engine_unchecked().recv_within(Some(timeout))
    }

    /// Appends to `messages` what is there, at most `max` messages, and says how many; waits for the first.
    ///
    /// Takes turns between peers as [`recv`](Self::recv) does, at less cost a message. Where requests and replies alternate, it
    /// gives one.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    /// push.send("job").await?;
    /// let mut messages = Vec::new();
    /// assert_eq!(pull.recv_batch(&mut messages, 100).await?, 1);
    /// assert_eq!(&messages[0][0], b"job");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safe: messages are either in `messages` or still there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_batch(&self, messages: &mut Vec<Message>, max: usize) -> Result<usize, MonocoqueError> {
        self.engine_unchecked().recv_batch(messages, max).await
    }

    /// The next message, as [`recv`](Self::recv), and who has sent it (`zmq_msg_gets`).
    ///
    /// Cancel safe, as `recv`.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    /// push.send("job").await?;
    /// let (job, peer) = pull.recv_with_peer().await?;
    /// println!("{job:?} from {}", peer.connection().peer);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_with_peer(&self) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        self.engine_unchecked().recv_with_peer().await
    }

    /// The next message, if there is one, and who has sent it.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_with_peer(&self) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        self.engine().try_recv_with_peer()
    }

    /// Changes the [`recv_hwm`](super::Builder::recv_hwm), for all peers, at once. Nothing that waits is dropped; 0 for no limit.
    pub fn set_recv_hwm(&self, messages: usize) {
        self.engine().set_recv_hwm(Hwm::new(messages));
    }

    /// The next message, if there is one. It never yields: on a compio runtime that runs the connections, a loop of it lets none
    /// of them go on.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`MonocoqueError::WouldBlock`] where that would wait.
    pub fn try_recv(&self) -> Result<Message, MonocoqueError> {
        self.engine().try_recv()
    }
}
