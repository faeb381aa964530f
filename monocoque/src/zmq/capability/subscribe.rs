//! Subscribing.

use super::Receives;

/// The methods of sockets that subscribe.
macro_rules! subscribe_methods {
    ($vis:vis fn) => {
        /// Subscribes to all messages whose first frame starts with `topic` (`ZMQ_SUBSCRIBE`); the
        /// empty topic subscribes to everything.
        ///
        /// Takes effect at each publisher once it has received the subscription. Subscriptions are
        /// counted: one that is made twice has to be [cancelled](Self::unsubscribe) twice.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), $crate::MonocoqueError> {
            self.handle().engine().subscribe(topic.as_ref())
        }

        /// Cancels a subscription (`ZMQ_UNSUBSCRIBE`); does nothing if there is no such one.
        ///
        /// From now on no message is received that only this topic had subscribed to.
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), $crate::MonocoqueError> {
            self.handle().engine().unsubscribe(topic.as_ref())
        }
    };
}

/// A socket that subscribes to the messages that its peers send.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not subscribe to topics")]
pub trait Subscribes: Receives {
    subscribe_methods!(fn);
}
