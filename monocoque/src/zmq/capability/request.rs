//! Requests and their replies.

use super::{Receives, Sends};

/// Checks that a socket is a REQ.
macro_rules! requests {
    ($socket:expr) => {
        $crate::zmq::socket::sealed::Sealed::check($socket, $crate::zmq::kind::Capability::Requests)
    };
}

/// The methods of sockets that send requests.
macro_rules! request_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Sends a request and waits for its reply.
        ///
        /// Not cancel safe as a whole: once the request is sent, its reply has to be received
        /// before the next request.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::OutOfTurn`](crate::MonocoqueError::OutOfTurn) while an earlier request
        /// has no reply; [`MonocoqueError::TimedOut`](crate::MonocoqueError::TimedOut) after the
        /// timeouts of the socket; [`MonocoqueError::Closed`](crate::MonocoqueError::Closed).
        $vis fn request(
            &self,
            message: impl $crate::IntoMessage $(+ $auto)?,
        ) -> impl Future<Output = Result<$crate::Message, $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().request(requests!(self), message)
        }

        /// Sends a request and waits for its reply, for at most `timeout` in all, whatever the
        /// timeouts of the socket are. `None` waits for ever.
        ///
        /// After a time-out with the request sent, its reply has to be received before the next
        /// one, unless the socket is [relaxed](crate::zmq::Builder::req_relaxed).
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::zmq::{RepSocket, ReqSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let rep = RepSocket::new()?; // which does not reply
        ///         let req = ReqSocket::new()?;
        ///         req.connect(rep.bind("tcp://127.0.0.1:0").await?).await?;
        ///         let reply = req.request_timeout("ping", Duration::from_millis(10)).await;
        ///         let error = reply.unwrap_err();
        ///         assert!(error.is_timeout());
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// As [`request`](Self::request).
        $vis fn request_timeout(
            &self,
            message: impl $crate::IntoMessage $(+ $auto)?,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<$crate::Message, $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().request_timeout(requests!(self), message, timeout.into_limit())
        }
    };
}

/// A socket that sends requests and receives the reply to each: a REQ.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not send requests")]
pub trait Requests: Sends + Receives {
    request_methods!(fn + Send);
}
