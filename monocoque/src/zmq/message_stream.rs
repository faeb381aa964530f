//! Received messages as a [`Stream`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use monocoque_core::Message;

use super::Socket;
use super::kind::{Kind, Receives};
use crate::engine::Incoming;
use crate::error::MonocoqueError;

/// A [`Stream`] of what a socket receives, made by [`Socket::stream`].
///
/// An item is what [`recv`](Socket::recv) gives, errors included; after most errors the next item may be a message. The stream
/// ends when the socket is closed, with `None` instead of [`MonocoqueError::Closed`]. It keeps no message: there is nothing
/// in it that dropping it could lose, and several streams and receivers share what arrives.
///
/// Cancel safe: a future of its next item, as of `StreamExt::next`, can be dropped at any time.
///
/// Where several receive, a stream that has been polled without result stands in their queue until its next item, or until
/// it is dropped. Do not lay one aside in that state while others receive, or they may wait although there is a message.
/// The [`recv_timeout`](super::Builder::recv_timeout) counts from the first poll for an item.
pub struct MessageStream<K> {
    incoming: Incoming,
    /// Keeps the socket open.
    socket: Socket<K>,
}

impl<K: Receives> Socket<K> {
    /// What this socket receives from now on, as a [`Stream`], for `StreamExt` and whatever else takes one.
    ///
    /// Like a clone of the socket it keeps it open. [`recv_batch`](Self::recv_batch) costs less a message.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use futures::{StreamExt, TryStreamExt};
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// let pull = PullSocket::new()?;
    /// let push = PushSocket::new()?;
    /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    /// for n in ["one", "two", "three"] {
    ///     push.send(n).await?;
    /// }
    /// let lengths: Vec<_> =
    ///     pull.stream().take(3).map_ok(|message| message[0].len()).try_collect().await?;
    /// assert_eq!(lengths, [3, 3, 5]);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn stream(&self) -> MessageStream<K> {
        MessageStream { incoming: Incoming::new(self.engine()), socket: self.clone() }
    }
}

impl<K: Receives> Stream for MessageStream<K> {
    type Item = Result<Message, MonocoqueError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_next(cx)
    }
}

impl<K: Receives> FusedStream for MessageStream<K> {
    fn is_terminated(&self) -> bool {
        self.incoming.has_ended()
    }
}

impl<K: Kind> fmt::Debug for MessageStream<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageStream").field(&self.socket).finish()
    }
}
