//! SUB: receives the topics that it has subscribed to.

use super::Builder;
use super::capability::Subscribes;
use super::kind::Capability;

socket! {
    /// A socket that receives the messages whose first frame starts with a topic that it has
    /// subscribed to. Its peers are PUB and XPUB sockets.
    ///
    /// Subscriptions are kept by the socket and sent to every peer, also to those that come later
    /// or come back. Without one, nothing is received.
    ///
    /// ```
    /// use monocoque::zmq::{PubSocket, SubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let publisher = PubSocket::new()?;
    ///         let subscriber = SubSocket::new()?;
    ///         subscriber.connect(publisher.bind("tcp://127.0.0.1:0").await?).await?;
    ///         subscriber.subscribe("")?; // everything
    ///         publisher.wait_for_subscriptions(1).await?;
    ///
    ///         publisher.send("news").await?;
    ///         assert_eq!(&subscriber.recv().await?[0], b"news");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct SubSocket(SUB): Receives + Subscribes + Proxied + Conflate + InvertMatching + Secure;
}

impl<S: Subscribes> Builder<S> {
    /// Subscribes the new socket to a topic, as [`subscribe`](Subscribes::subscribe) of the socket
    /// does (`ZMQ_SUBSCRIBE`); several calls subscribe to several topics. Default: none, so that a
    /// SUB receives nothing.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PubSocket, SubSocket};
    ///
    /// let publisher = PubSocket::new()?;
    /// let subscriber = SubSocket::builder().subscribe("news.").subscribe("weather.").build()?;
    /// subscriber.connect(publisher.bind("tcp://127.0.0.1:0").await?).await?;
    /// publisher.wait_for_subscriptions(2).await?;
    ///
    /// publisher.send("sports.football").await?;
    /// publisher.send("weather.oslo").await?;
    /// assert_eq!(&subscriber.recv().await?[0], b"weather.oslo");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn subscribe(mut self, topic: impl AsRef<[u8]>) -> Self {
        self.require(Capability::Subscribes, "take the option `subscribe`");
        self.topics.push(topic.as_ref().into());
        self
    }
}
