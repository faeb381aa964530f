//! XSUB: subscribes by messages and passes everything on.

use super::Builder;
use super::capability::OnlyFirstSubscribe;
use super::kind::Capability;

socket! {
    /// A [`SubSocket`](super::SubSocket) that subscribes by messages and receives everything that
    /// its peers send. Its peers are PUB and XPUB sockets.
    ///
    /// A message of one frame that starts with a one subscribes to the topic behind it, one that
    /// starts with a zero cancels that, as [`subscribe`](Self::subscribe) and
    /// [`unsubscribe`](Self::unsubscribe) do. Every other message goes to all peers, and is dropped
    /// for those whose queue is full. Messages are received whether or not they match a
    /// subscription.
    ///
    /// ```
    /// use monocoque::zmq::{XpubSocket, XsubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let xpub = XpubSocket::new()?;
    ///         let xsub = XsubSocket::new()?;
    ///         xsub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
    ///         xsub.send(b"\x01news").await?;
    ///         assert_eq!(&xpub.recv().await?[0], b"\x01news");
    ///
    ///         xpub.send("news of today").await?;
    ///         assert_eq!(&xsub.recv().await?[0], b"news of today");
    ///         xsub.send("thanks").await?;
    ///         assert_eq!(&xpub.recv().await?[0], b"thanks");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct XsubSocket(XSUB): Sends + Receives + Subscribes + Proxied + OnlyFirstSubscribe + Secure;
}

impl<S: OnlyFirstSubscribe> Builder<S> {
    /// Lets the first frame of a message decide whether the frames of that message are
    /// subscriptions, as libzmq does (`ZMQ_ONLY_FIRST_SUBSCRIBE`). Default: false, a message of
    /// several frames is never a subscription.
    ///
    /// If the first frame is a subscription, which is one that starts with a one or a zero, then so
    /// is each further frame that starts like that; the other frames are a message of their own,
    /// behind them. If it is not, no frame of the message is one. This holds for the messages that
    /// an XSUB sends and for those that an XPUB receives.
    ///
    /// libzmq without this option looks for subscriptions in every frame of every message. There is
    /// no such mode here: it takes data for subscriptions.
    ///
    /// ```
    /// use monocoque::zmq::{XpubSocket, XsubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let xpub = XpubSocket::builder().only_first_subscribe(true).build()?;
    ///         let xsub = XsubSocket::builder().only_first_subscribe(true).build()?;
    ///         xsub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
    ///         xsub.wait_for_peers(1).await?;
    ///
    ///         xsub.send([&b"\x01news"[..], b"from", b"Oslo"]).await?;
    ///         assert_eq!(xpub.recv().await?, b"\x01news");
    ///         assert_eq!(xpub.recv().await?, ["from", "Oslo"]);
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.require(Capability::OnlyFirstSubscribe, "take the option `only_first_subscribe`");
        self.options.only_first = only_first;
        self
    }
}
