//! Messages to be sent, as a [`Sink`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_sink::Sink;
use monocoque_core::Message;

use super::Socket;
use super::kind::{Kind, Sends};
use crate::engine::Outgoing;
use crate::error::MonocoqueError;

/// A [`Sink`] of what a socket is to send, made by [`Socket::sink`].
///
/// * `start_send` queues the message, as [`try_send`](Socket::try_send) does. It is sent without a flush. If there is no room
///   the sink keeps it, at most this one, and `poll_ready` waits until it is queued, for at most the
///   [`send_timeout`](super::Builder::send_timeout).
/// * `poll_flush` queues it too, and then does what [`flush`](Socket::flush) does: it waits until the system has taken all that
///   is queued for connected peers. `SinkExt::send` does so after each message; `feed`, `send_all` and `forward` do not, and
///   are as fast as [`send`](Socket::send).
/// * `poll_close` queues it too, and then closes the socket for all handles, as [`close`](Socket::close) does. If it fails the
///   socket is still open, and the next call closes it.
///
/// Errors are those of [`send`](Socket::send). The message that one was about can be had by [`take_unsent`](Self::take_unsent)
/// until the next one is sent; without that it is dropped, and the sink can be used on.
///
/// Cancel safe: dropping a future of `SinkExt` loses no message that the sink has; it is queued when the sink is polled next.
/// A future that has not handed its message over takes that with it: `forward` and `send_all` have at most one. Dropping the
/// sink drops the one that it keeps. While it keeps one, senders on other handles wait behind it: poll it on, or drop it.
///
/// `start_send` without `poll_ready` before it fails with [`MonocoqueError::WouldBlock`] while a message is kept.
pub struct MessageSink<K> {
    outgoing: Outgoing,
    /// Keeps the socket open.
    socket: Socket<K>,
}

impl<K: Sends> Socket<K> {
    /// This socket as a [`Sink`] of messages, for `SinkExt`, `StreamExt::forward` and whatever else takes one.
    ///
    /// Like a clone of the socket it keeps it open.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use futures::{SinkExt, StreamExt, stream};
    /// use monocoque::Message;
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    ///
    /// let jobs = stream::iter(["one", "two"]).map(|job| Ok(Message::from(job)));
    /// jobs.forward(push.sink()).await?; // which closes it in the end
    /// assert_eq!(&pull.recv().await?[0], b"one");
    /// assert_eq!(&pull.recv().await?[0], b"two");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn sink(&self) -> MessageSink<K> {
        MessageSink { outgoing: Outgoing::new(self.engine()), socket: self.clone() }
    }
}

impl<K: Sends> MessageSink<K> {
    /// The message that the last error was about, or that waits for room. The sink has none then.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use futures::SinkExt;
    /// use monocoque::zmq::PushSocket;
    ///
    /// let push = PushSocket::builder().send_timeout(Some(Duration::ZERO)).build()?;
    /// let mut sink = push.sink();
    /// assert!(sink.send("nobody is there".into()).await.unwrap_err().is_timeout());
    /// assert_eq!(sink.take_unsent(), Some("nobody is there".into()));
    /// assert_eq!(sink.take_unsent(), None);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn take_unsent(&mut self) -> Option<Message> {
        self.outgoing.take_unsent()
    }
}

impl<K: Sends> Sink<Message> for MessageSink<K> {
    type Error = MonocoqueError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.outgoing.poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), MonocoqueError> {
        self.outgoing.start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.outgoing.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.outgoing.poll_close(cx)
    }
}

impl<K: Kind> fmt::Debug for MessageSink<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageSink").field(&self.socket).finish()
    }
}
