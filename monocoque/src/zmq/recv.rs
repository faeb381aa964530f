//! Receiving, for the sockets that do.

use monocoque_core::Message;

use super::Socket;
use super::kind::Receives;
use crate::error::MonocoqueError;

impl<K: Receives> Socket<K> {
    /// The next message: one from each peer in turn, those of one peer in the order in which it sent them.
    ///
    /// Cancel safe: a message is either returned or still there.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] when the socket is closed; [`MonocoqueError::OutOfTurn`] when a REQ or REP socket must
    /// send first.
    #[inline]
    pub fn recv(&self) -> impl Future<Output = Result<Message, MonocoqueError>> + Send {
        self.engine().recv()
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`MonocoqueError::WouldBlock`] where that would wait.
    pub fn try_recv(&self) -> Result<Message, MonocoqueError> {
        self.engine().try_recv()
    }
}
