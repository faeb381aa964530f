//! Blocking calls that send requests.

use std::time::Duration;

use monocoque_core::{IntoMessage, Message};

use super::Blocking;
use crate::error::MonocoqueError;
use crate::zmq::IntoLimit;
use crate::zmq::capability::Requests;

/// The calls of sockets that send requests.
impl<S: Requests> Blocking<'_, S> {
    /// Sends a request and waits for its reply, as [`request`](Requests::request) does.
    ///
    /// # Errors
    ///
    /// As `request`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn request(self, message: impl IntoMessage) -> Result<Message, MonocoqueError> {
        self.handle().block_on(self.handle().request(requests!(self.socket), message))
    }

    /// Sends a request and waits for its reply for at most `timeout`, as
    /// [`request_timeout`](Requests::request_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn request_timeout(
        self,
        message: impl IntoMessage,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<Message, MonocoqueError> {
        self.handle().block_on(self.handle().request_timeout(
            requests!(self.socket),
            message,
            timeout.into_limit(),
        ))
    }
}
