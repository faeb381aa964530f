//! SUB: receives the topics that it has subscribed to.

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
