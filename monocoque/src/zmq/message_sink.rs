//! The messages to send, as a [`Sink`].

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use monocoque_core::Message;

use super::handle::Handle;
use crate::error::MonocoqueError;
use crate::socket::adapters::sink::SinkState;

/// A [`Sink`] of the messages that a socket sends, made by [`sink`](super::PushSocket::sink).
///
/// * `start_send` queues the message, as [`try_send`](super::PushSocket::try_send) does. It is sent
///   without a flush. While the queue is full the sink keeps the message, at most this one, and
///   `poll_ready` waits until it is queued, for at most the
///   [`send_timeout`](super::Builder::send_timeout).
/// * `poll_flush` queues it too, and then does the same as [`flush`](super::PushSocket::flush): it
///   waits until the system has taken everything that is queued for connected peers.
///   [`send`](Self::send) does so after each message; [`feed`](Self::feed), `send_all` and
///   `forward` do not, and are as fast as [`send`](super::PushSocket::send).
/// * `poll_close` queues it too, and then closes the socket for all handles, as
///   [`close`](super::PushSocket::close) does. If it fails the socket is still open, and the next
///   call closes it.
///
/// Errors are those of [`send`](super::PushSocket::send). [`take_unsent`](Self::take_unsent)
/// returns the message of the last error, until the next message is sent; without that it is
/// dropped. The sink can be used on.
///
/// Cancel safe: dropping a future of `SinkExt` loses no message that the sink has; it is queued
/// when the sink is polled next. A future that has not handed its message over drops it: `forward`
/// and `send_all` have at most one. Dropping the sink drops the message that it keeps. Meanwhile
/// senders on other handles wait behind it: poll the sink on, or drop it.
///
/// `start_send` without `poll_ready` before it fails with [`MonocoqueError::WouldBlock`] while a
/// message is kept.
///
/// [`Sink`]: https://docs.rs/futures-sink/0.3/futures_sink/trait.Sink.html
pub struct MessageSink {
    outgoing: SinkState,
    /// Keeps the socket open.
    socket: Handle,
}

impl MessageSink {
    pub(super) fn new(socket: Handle) -> Self {
        Self { outgoing: SinkState::new(socket.engine()), socket }
    }

    /// Sends a message and flushes, as `SinkExt::send` does, but takes all that is a message, as
    /// [`send`](super::PushSocket::send) of the socket does. No trait needs to be imported.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    /// let mut sink = push.sink();
    /// sink.feed(["one", "message"]).await?;
    /// sink.send("another").await?; // the system has taken both
    /// assert_eq!(pull.recv().await?.len(), 2);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safe but for the message, which is dropped if the sink does not have it yet.
    ///
    /// # Errors
    ///
    /// As [`send`](super::PushSocket::send); [`take_unsent`](Self::take_unsent) returns the
    /// message.
    pub fn send(
        &mut self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), MonocoqueError>> + Unpin {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            ready!(self.poll_feed(&mut message, cx))?;
            self.outgoing.poll_flush(cx)
        })
    }

    /// Sends a message without a flush, as `SinkExt::feed` does, but takes all that is a message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed(
        &mut self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), MonocoqueError>> + Unpin {
        let mut message = Some(message.into());
        poll_fn(move |cx| self.poll_feed(&mut message, cx))
    }

    /// Takes the message once there is room for it.
    fn poll_feed(
        &mut self,
        message: &mut Option<Message>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), MonocoqueError>> {
        if message.is_some() {
            ready!(self.outgoing.poll_ready(cx))?;
        }
        Poll::Ready(message.take().map_or(Ok(()), |message| self.outgoing.start_send(message)))
    }

    /// Takes the message of the last error, or the one that waits while the queue is full. The sink
    /// keeps none then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::zmq::PushSocket;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let push = PushSocket::builder().send_timeout(Some(Duration::ZERO)).build()?;
    ///         let mut sink = push.sink();
    ///         assert!(sink.send("no peer").await.unwrap_err().is_timeout());
    ///         assert_eq!(sink.take_unsent(), Some("no peer".into()));
    ///         assert_eq!(sink.take_unsent(), None);
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn take_unsent(&mut self) -> Option<Message> {
        self.outgoing.take_unsent()
    }
}

impl Sink<Message> for MessageSink {
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

impl fmt::Debug for MessageSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt_as("MessageSink", f)
    }
}
