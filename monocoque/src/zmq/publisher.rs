//! PUB: sends to all who have subscribed.

use super::Builder;
use super::capability::{InvertMatching, Publishes};
use super::kind::Capability;

socket! {
    /// A socket that sends each message to every peer that has subscribed to a prefix of its first
    /// frame. Its peers are SUB and XSUB sockets.
    ///
    /// While the queue of a peer is full and its connection takes nothing, messages for that peer
    /// are dropped; `send` waits while the connection takes some, or for 10 ms until it does again,
    /// and `try_send` drops at once. With [`nodrop`](Builder::nodrop) both refuse the message
    /// instead. A message without a subscriber goes to no peer.
    ///
    /// ```
    /// use monocoque::zmq::{PubSocket, SubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let publisher = PubSocket::new()?;
    ///         let endpoint = publisher.bind("tcp://127.0.0.1:0").await?;
    ///         let subscriber = SubSocket::new()?;
    ///         subscriber.subscribe("weather.")?;
    ///         subscriber.connect(endpoint).await?;
    ///         publisher.wait_for_subscriptions(1).await?;
    ///
    ///         publisher.send(["weather.oslo", "rain"]).await?;
    ///         assert_eq!(&subscriber.recv().await?[1], b"rain");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct PubSocket(PUB): Sends + Publishes + Proxied + Conflate + InvertMatching + Secure;
}

impl<S: Publishes> Builder<S> {
    /// Makes `send` wait while the queue of a peer that is to get the message is full
    /// (`ZMQ_XPUB_NODROP`). Default: false, the message is dropped for that peer, and counted.
    ///
    /// One peer that does not read then holds up all others; see
    /// [`send_timeout`](Self::send_timeout).
    pub fn nodrop(mut self, nodrop: bool) -> Self {
        self.require(Capability::Publishes, "take the option `nodrop`");
        self.options.mandatory = nodrop;
        self
    }
}

impl<S: InvertMatching> Builder<S> {
    /// Sends messages to the peers that have *not* subscribed to them; on a SUB, receives those
    /// that match none of its subscriptions (`ZMQ_INVERT_MATCHING`). Default: false.
    ///
    /// A peer without subscriptions then gets everything, one that has subscribed to the empty
    /// topic nothing. Set it at both ends, since a SUB filters the messages that it gets by itself;
    /// an XSUB does not, and does not have the option.
    ///
    /// ```
    /// use monocoque::zmq::{PubSocket, SubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let publisher = PubSocket::builder().invert_matching(true).build()?;
    ///         let subscriber = SubSocket::builder().invert_matching(true).build()?;
    ///         subscriber.connect(publisher.bind("tcp://127.0.0.1:0").await?).await?;
    ///         subscriber.subscribe("debug.")?;
    ///         publisher.wait_for_subscriptions(1).await?;
    ///
    ///         publisher.send("debug.cache").await?;
    ///         publisher.send("error.disk").await?;
    ///         assert_eq!(&subscriber.recv().await?[0], b"error.disk");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn invert_matching(mut self, invert: bool) -> Self {
        self.require(Capability::InvertMatching, "take the option `invert_matching`");
        self.options.inverted = invert;
        self
    }
}
