//! Publishing.

use super::Sends;

/// The methods of sockets that publish.
macro_rules! publish_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Returns the number of subscriptions of the connected peers: each topic of each peer
        /// counts.
        $vis fn subscription_count(&self) -> usize {
            self.handle().engine().subscription_count()
        }

        /// Waits until the connected peers have at least `n` subscriptions. Cancel safe.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn wait_for_subscriptions(
            &self,
            n: usize,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            async move { self.handle().engine().wait_for_subscriptions(n, None).await }
        }

        /// Waits as [`wait_for_subscriptions`](Self::wait_for_subscriptions) does, for at most
        /// `timeout`. `None` waits for ever. Cancel safe.
        ///
        /// # Errors
        ///
        /// As `wait_for_subscriptions`, and
        /// [`MonocoqueError::TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn wait_for_subscriptions_timeout(
            &self,
            n: usize,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            let timeout = timeout.into_limit();
            async move { self.handle().engine().wait_for_subscriptions(n, timeout).await }
        }
    };
}

/// A socket whose peers subscribe to the messages that it sends.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not publish messages")]
pub trait Publishes: Sends {
    publish_methods!(fn + Send);
}
