//! Blocking calls of publishers.

use std::time::Duration;

use super::Blocking;
use crate::error::MonocoqueError;
use crate::zmq::IntoLimit;
use crate::zmq::capability::Publishes;

/// The calls of sockets that publish.
impl<S: Publishes> Blocking<'_, S> {
    /// Waits until the connected peers have at least `n` subscriptions, as
    /// [`wait_for_subscriptions`](Publishes::wait_for_subscriptions) does.
    ///
    /// # Errors
    ///
    /// As `wait_for_subscriptions`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the
    /// connections.
    pub fn wait_for_subscriptions(self, n: usize) -> Result<(), MonocoqueError> {
        self.handle().block_on(self.handle().engine().wait_for_subscriptions(n, None))
    }

    /// Waits for subscriptions for at most `timeout`, as
    /// [`wait_for_subscriptions_timeout`](Publishes::wait_for_subscriptions_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`wait_for_subscriptions`](Self::wait_for_subscriptions), and
    /// [`MonocoqueError::TimedOut`].
    pub fn wait_for_subscriptions_timeout(
        self,
        n: usize,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<(), MonocoqueError> {
        self.handle().block_on(self.handle().engine().wait_for_subscriptions(n, timeout.into_limit()))
    }
}
