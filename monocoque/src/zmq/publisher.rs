//! PUB: tells all who want to know.

use super::kind::{Matches, Pub, Publishes};
use super::{Builder, Socket};
use crate::error::MonocoqueError;

/// Sends each message to every peer that has subscribed to a prefix of its first frame; its peers are SUB and XSUB sockets.
///
/// A message for a peer whose queue is full is dropped for that peer if its connection takes nothing; `send` waits while it
/// takes some, or for 10 ms until it does again, and `try_send` drops at once. With [`nodrop`](Builder::nodrop) both refuse
/// the message instead. A message that nobody has subscribed to is sent to nobody.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{PubSocket, SubSocket};
///
/// let publisher = PubSocket::new()?;
/// let endpoint = publisher.bind("tcp://127.0.0.1:0").await?;
/// let subscriber = SubSocket::new()?;
/// subscriber.subscribe("weather.")?;
/// subscriber.connect(endpoint).await?;
/// publisher.wait_for_subscriptions(1).await?;
///
/// publisher.send(["weather.oslo", "rain"]).await?;
/// assert_eq!(&subscriber.recv().await?[1], b"rain");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type PubSocket = Socket<Pub>;

impl<K: Publishes> Socket<K> {
    /// How many subscriptions the connected peers have: each topic of each peer counts.
    pub fn subscription_count(&self) -> usize {
        self.engine().subscription_count()
    }

    /// Waits until the connected peers have at least `n` subscriptions. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] once the socket is closed.
    pub async fn wait_for_subscriptions(&self, n: usize) -> Result<(), MonocoqueError> {
        self.engine().wait_for_subscriptions(n).await
    }
}

impl<K: Publishes> Builder<K> {
    /// Whether `send` waits while a peer that is to get the message has no room (`ZMQ_XPUB_NODROP`). Default: false, the
    /// message is dropped for that peer, and counted.
    ///
    /// One peer that does not read then holds up all others; see [`send_timeout`](Self::send_timeout).
    pub fn nodrop(mut self, nodrop: bool) -> Self {
        self.options.mandatory = nodrop;
        self
    }
}

impl<K: Matches> Builder<K> {
    /// Whether messages go to the peers that have *not* subscribed to them, or on a SUB are received if they match none of its
    /// subscriptions (`ZMQ_INVERT_MATCHING`). Default: false.
    ///
    /// A peer without subscriptions then gets everything, one that has subscribed to the empty topic nothing. To be set at both
    /// ends, since a SUB sorts what it receives by itself; an XSUB does not, and has no need of it.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{PubSocket, SubSocket};
    ///
    /// let publisher = PubSocket::builder().invert_matching(true).build()?;
    /// let subscriber = SubSocket::builder().invert_matching(true).build()?;
    /// subscriber.connect(publisher.bind("tcp://127.0.0.1:0").await?).await?;
    /// subscriber.subscribe("debug.")?;
    /// publisher.wait_for_subscriptions(1).await?;
    ///
    /// publisher.send("debug.cache").await?;
    /// publisher.send("error.disk").await?;
    /// assert_eq!(&subscriber.recv().await?[0], b"error.disk");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn invert_matching(mut self, invert: bool) -> Self {
        self.options.inverted = invert;
        self
    }
}
