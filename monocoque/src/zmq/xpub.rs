//! XPUB: publishes, and receives the subscriptions of its peers.

use monocoque_core::IntoMessage;

use super::Builder;
use super::capability::XpubOptions;
use super::kind::Capability;
use crate::error::MonocoqueError;

socket! {
    /// A [`PubSocket`](super::PubSocket) that receives the subscriptions of its peers. Its peers
    /// are SUB and XSUB sockets.
    ///
    /// A subscription is received as a message of one frame: a one and the topic when the first
    /// peer subscribes to it, a zero and the topic when the last one that had subscribed to it has
    /// cancelled that, or has gone. Other messages of XSUB peers are received as they are. A peer
    /// whose messages are not received is not read from, its subscriptions included.
    ///
    /// Messages of several peers are received in turn. The last message of a topic is always true,
    /// whatever the order: if one peer cancels a topic and another one subscribes to it before
    /// either is received, both may be left out. A program that adds a topic to a set for each one,
    /// and removes it for each zero, has the topics with a subscriber. With
    /// [`xpub_verboser`](Builder::xpub_verboser) or [`xpub_manual`](Builder::xpub_manual) it counts
    /// the subscribers of each.
    ///
    /// ```
    /// use monocoque::zmq::{SubSocket, XpubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let xpub = XpubSocket::new()?;
    ///         let sub = SubSocket::new()?;
    ///         sub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
    ///         sub.subscribe("news")?;
    ///
    ///         assert_eq!(&xpub.recv().await?[0], b"\x01news");
    ///         xpub.send("news of today").await?;
    ///         assert_eq!(&sub.recv().await?[0], b"news of today");
    ///         sub.close().await;
    ///         assert_eq!(&xpub.recv().await?[0], b"\0news");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct XpubSocket(XPUB):
        Sends + Receives + Publishes + Proxied + InvertMatching + OnlyFirstSubscribe + XpubOptions + Secure;
}

impl XpubSocket {
    /// Subscribes a peer to `topic`, with [`xpub_manual`](Builder::xpub_manual): the one whose
    /// subscription, or cancellation, was received last (`ZMQ_SUBSCRIBE`). The topic need not be
    /// the one of its request; one that it has already changes nothing.
    ///
    /// Does nothing if that peer has gone, or if nothing was received yet. Let one task at a time
    /// receive and decide: a subscription that another one receives in between is the last then. A
    /// proxy receives, too.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::ManualModeRequired`] if the socket was made without that option;
    /// [`MonocoqueError::Closed`] once it is closed.
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), MonocoqueError> {
        self.handle().engine().subscribe(topic.as_ref())
    }

    /// Cancels the subscription to `topic` of the peer whose subscription, or cancellation, was
    /// received last (`ZMQ_UNSUBSCRIBE`): one that [`subscribe`](Self::subscribe) has made.
    ///
    /// # Errors
    ///
    /// As `subscribe`.
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), MonocoqueError> {
        self.handle().engine().unsubscribe(topic.as_ref())
    }
}

impl<S: XpubOptions> Builder<S> {
    /// Receives every subscription, also to topics that another peer has subscribed to before
    /// (`ZMQ_XPUB_VERBOSE`). Default: false, only the first of each topic.
    pub fn xpub_verbose(mut self, verbose: bool) -> Self {
        self.require(Capability::XpubOptions, "take the option `xpub_verbose`");
        self.options.verbose = verbose;
        self
    }

    /// Sets a message that each peer gets before all others (`ZMQ_XPUB_WELCOME_MSG`). Default:
    /// none.
    ///
    /// SUB peers receive it if they have subscribed to it.
    pub fn xpub_welcome_msg(mut self, message: impl IntoMessage) -> Self {
        self.require(Capability::XpubOptions, "take the option `xpub_welcome_msg`");
        self.options.first_message = Some(message.into());
        self
    }

    /// Receives every subscription, and every cancellation, also while other peers still have the
    /// topic (`ZMQ_XPUB_VERBOSER`). Default: false, only the first and the last of each topic.
    ///
    /// When a peer has gone, the end of each of its subscriptions is received. Keep a count for
    /// each topic, not a set.
    pub fn xpub_verboser(mut self, verboser: bool) -> Self {
        self.require(Capability::XpubOptions, "take the option `xpub_verboser`");
        self.options.verbose = verboser;
        self.options.verboser = verboser;
        self
    }

    /// Receives subscriptions without making them (`ZMQ_XPUB_MANUAL`): the program decides, by
    /// [`subscribe`](XpubSocket::subscribe) and [`unsubscribe`](XpubSocket::unsubscribe), which
    /// topics a peer gets. Default: false, it gets those that it subscribes to.
    ///
    /// Every subscription and every cancellation is received then, whichever other peers have the
    /// topic. When a peer has gone, the end of each subscription that it had asked for is received,
    /// whatever it was given; `subscribe` does nothing then.
    /// [`subscription_count`](XpubSocket::subscription_count) counts those that were given.
    ///
    /// ```
    /// use monocoque::zmq::{SubSocket, XpubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let xpub = XpubSocket::builder().xpub_manual(true).build()?;
    ///         let sub = SubSocket::new()?;
    ///         sub.subscribe("")?;
    ///         sub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
    ///
    ///         assert_eq!(&xpub.recv().await?[0], b"\x01"); // it subscribes to everything
    ///         xpub.subscribe("public.")?; // and is given this
    ///         xpub.send("secret.plan").await?;
    ///         xpub.send("public.notice").await?;
    ///         assert_eq!(&sub.recv().await?[0], b"public.notice");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn xpub_manual(mut self, manual: bool) -> Self {
        self.require(Capability::XpubOptions, "take the option `xpub_manual`");
        self.options.manual = manual;
        self
    }

    /// Sets [`xpub_manual`](Self::xpub_manual), and sends the next message after a subscription was
    /// received to that peer only (`ZMQ_XPUB_MANUAL_LAST_VALUE`): the last value of a topic, which
    /// the others have had. Default: false.
    ///
    /// The peer gets the message if it has been [given](XpubSocket::subscribe) the topic; otherwise
    /// no peer does. If it has gone, the message goes to all. While one task receives, a message
    /// that another task sends may be taken for the last value.
    ///
    /// ```
    /// use monocoque::zmq::{SubSocket, XpubSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let xpub = XpubSocket::builder().xpub_manual_last_value(true).build()?;
    ///         let endpoint = xpub.bind("tcp://127.0.0.1:0").await?;
    ///         let mut subs = Vec::new();
    ///         for _ in 0..2 {
    ///             let sub = SubSocket::new()?;
    ///             sub.subscribe("stock")?;
    ///             sub.connect(endpoint.clone()).await?;
    ///             assert_eq!(&xpub.recv().await?[0], b"\x01stock");
    ///             xpub.subscribe("stock")?;
    ///             xpub.send(["stock", "17"]).await?; // the last value, for this one
    ///             subs.push(sub);
    ///         }
    ///         xpub.send(["stock", "18"]).await?; // for all
    ///         for sub in subs {
    ///             assert_eq!(&sub.recv().await?[1], b"17");
    ///             assert_eq!(&sub.recv().await?[1], b"18");
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn xpub_manual_last_value(mut self, last_value: bool) -> Self {
        self.require(Capability::XpubOptions, "take the option `xpub_manual_last_value`");
        self.options.manual = last_value;
        self.options.last_value = last_value;
        self
    }
}
