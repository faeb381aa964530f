//! Sending, for the sockets that do.

use monocoque_core::Message;

use super::Socket;
use super::kind::Sends;
use crate::error::SendError;

impl<K: Sends> Socket<K> {
    /// Queues a message to be sent, in the order of the calls; waits while there is no room.
    ///
    /// Small messages are written together: nothing needs to be flushed. What happens when peers have no room, or when
    /// there is no peer, is said by the type of the socket.
    ///
    /// Cancel safe: a message whose `send` was dropped before it was ready has not been queued.
    ///
    /// # Errors
    ///
    /// Gives the message back, with [`Closed`](crate::MonocoqueError::Closed) when the socket is closed,
    /// [`OutOfTurn`](crate::MonocoqueError::OutOfTurn) when a REQ or REP socket must receive first, or
    /// [`EmptyMessage`](crate::MonocoqueError::EmptyMessage) when there is no frame to send.
    #[inline]
    pub fn send<M: Into<Message>>(&self, message: M) -> impl Future<Output = Result<(), SendError>> {
        self.engine().send(None, message)
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
