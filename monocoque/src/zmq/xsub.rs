//! XSUB: asks for what others want to hear.

use super::kind::{Relays, Xsub};
use super::{Builder, Socket};

/// A [`SubSocket`](super::SubSocket) that subscribes by messages and passes on all it gets; its peers are PUB and XPUB sockets.
///
/// A message of one frame with a one in front asks for the topic behind it, one with a zero in front takes that back, as
/// [`subscribe`](Socket::subscribe) and [`unsubscribe`](Socket::unsubscribe) do. Every other message goes to all peers, and is
/// dropped for those that have no room. What its peers send is received, whether it matches a subscription or not.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{XpubSocket, XsubSocket};
///
/// let xpub = XpubSocket::new()?;
/// let xsub = XsubSocket::new()?;
/// xsub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
/// xsub.send(b"\x01news").await?;
/// assert_eq!(&xpub.recv().await?[0], b"\x01news");
///
/// xpub.send("news of today").await?;
/// assert_eq!(&xsub.recv().await?[0], b"news of today");
/// xsub.send("thanks").await?;
/// assert_eq!(&xpub.recv().await?[0], b"thanks");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type XsubSocket = Socket<Xsub>;

impl<K: Relays> Builder<K> {
    /// Whether the first frame of a message decides what the whole of it is, as with libzmq (`ZMQ_ONLY_FIRST_SUBSCRIBE`).
    /// Default: false, a message of several frames is never a subscription.
    ///
    /// If that frame is a subscription, which is one that starts with a one or a zero, then so is each further frame that starts
    /// like that; the other frames are a message of their own, behind them. If it is not, nothing in the message is one. It holds
    /// for what an XSUB sends and for what an XPUB receives.
    ///
    /// libzmq without this option looks for subscriptions in every frame of every message. There is nothing here that does: it
    /// takes data for subscriptions.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{XpubSocket, XsubSocket};
    ///
    /// let xpub = XpubSocket::builder().only_first_subscribe(true).build()?;
    /// let xsub = XsubSocket::builder().only_first_subscribe(true).build()?;
    /// xsub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
    /// xsub.wait_for_peers(1).await?;
    ///
    /// xsub.send([&b"\x01news"[..], b"from", b"Oslo"]).await?;
    /// assert_eq!(xpub.recv().await?, b"\x01news".into());
    /// assert_eq!(xpub.recv().await?, ["from", "Oslo"].into());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn only_first_subscribe(mut self, only_first: bool) -> Self {
        self.options.only_first = only_first;
        self
    }
}
