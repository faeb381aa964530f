//! The received messages, as a [`Stream`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use monocoque_core::Message;

use super::handle::Handle;
use crate::error::MonocoqueError;
use crate::socket::adapters::stream::StreamState;

/// A [`Stream`] of the messages that a socket receives, made by
/// [`stream`](super::PullSocket::stream).
///
/// An item is the result of a [`recv`](super::PullSocket::recv), errors included; after most errors
/// the next item may be a message. The stream ends when the socket is closed, with `None` instead
/// of [`MonocoqueError::Closed`]. It keeps no message, so that dropping it loses none; several
/// streams and receivers share the messages that arrive.
///
/// Cancel safe: a future of its next item, as of `StreamExt::next`, can be dropped at any time.
///
/// Where several receive, a stream that has been polled without result stays in their queue until
/// its next item, or until it is dropped. Do not lay one aside in that state while others receive,
/// or they may wait although there is a message. The [`recv_timeout`](super::Builder::recv_timeout)
/// counts from the first poll for an item.
///
/// [`Stream`]: https://docs.rs/futures-core/0.3/futures_core/stream/trait.Stream.html
pub struct MessageStream {
    incoming: StreamState,
    /// Keeps the socket open.
    socket: Handle,
}

impl MessageStream {
    pub(super) fn new(socket: Handle) -> Self {
        Self { incoming: StreamState::new(socket.engine()), socket }
    }
}

impl Stream for MessageStream {
    type Item = Result<Message, MonocoqueError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_next(cx)
    }
}

impl FusedStream for MessageStream {
    fn is_terminated(&self) -> bool {
        self.incoming.has_ended()
    }
}

impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt_as("MessageStream", f)
    }
}
