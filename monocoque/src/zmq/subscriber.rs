//! SUB: hears what it has asked for.

use super::Socket;
use super::kind::{Sub, Subscribes};
use crate::error::MonocoqueError;

/// Receives the messages whose first frame starts with a topic that it has subscribed to; its peers are PUB and XPUB sockets.
///
/// Subscriptions are kept by the socket and told to every peer, also to those that come later or come back. Without one,
/// nothing is received.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{PubSocket, SubSocket};
///
/// let publisher = PubSocket::new()?;
/// let subscriber = SubSocket::new()?;
/// subscriber.connect(publisher.bind("tcp://127.0.0.1:0").await?).await?;
/// subscriber.subscribe("")?; // everything
/// publisher.wait_for_subscriptions(1).await?;
///
/// publisher.send("news").await?;
/// assert_eq!(&subscriber.recv().await?[0], b"news");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type SubSocket = Socket<Sub>;

impl<K: Subscribes> Socket<K> {
    /// Asks for all messages whose first frame starts with `topic` (`ZMQ_SUBSCRIBE`); the empty topic asks for everything.
    ///
    /// Takes effect at each publisher as soon as it has heard of it. Subscriptions are counted: one that is made twice is to be
    /// [taken back](Self::unsubscribe) twice.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] once the socket is closed.
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), MonocoqueError> {
        self.engine().subscribe(topic.as_ref())
    }

    /// Takes a subscription back (`ZMQ_UNSUBSCRIBE`); one that was never made is none.
    ///
    /// From now on nothing is received that only this topic asked for.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] once the socket is closed.
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), MonocoqueError> {
        self.engine().unsubscribe(topic.as_ref())
    }
}
