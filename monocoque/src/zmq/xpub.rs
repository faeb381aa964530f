//! XPUB: tells all who want to know, and hears what they want.

use monocoque_core::Message;
use monocoque_zmtp::Subscription;

use super::{Builder, Socket, kind::Xpub};
use crate::error::MonocoqueError;

/// A [`PubSocket`](super::PubSocket) that receives what its peers subscribe to; its peers are SUB and XSUB sockets.
///
/// A subscription is received as a message of one frame: a one and the topic when the first peer asks for it, a zero and the
/// topic when the last one that had asked for it has taken it back, or is gone. What XSUB peers send beside subscriptions is
/// received as it is. A peer whose messages are not received is not read from, its subscriptions included.
///
/// Messages of several peers are received in turn. What is received of one topic is true in the end whatever the order: if one
/// peer takes a topic back and another one subscribes to it before either is received, both may be left out. A program that
/// adds a topic to a set for each one, and takes it out for each zero, has the topics that somebody wants. With
/// [`xpub_verboser`](Builder::xpub_verboser) or [`xpub_manual`](Builder::xpub_manual) it counts how many want each.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{SubSocket, XpubSocket};
///
/// let xpub = XpubSocket::new()?;
/// let sub = SubSocket::new()?;
/// sub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
/// sub.subscribe("news")?;
///
/// assert_eq!(&xpub.recv().await?[0], b"\x01news");
/// xpub.send("news of today").await?;
/// assert_eq!(&sub.recv().await?[0], b"news of today");
/// sub.close().await;
/// assert_eq!(&xpub.recv().await?[0], b"\0news");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type XpubSocket = Socket<Xpub>;

impl XpubSocket {
    /// Subscribes the peer whose subscription, or end of one, was received last to `topic` (`ZMQ_SUBSCRIBE`), with
    /// [`xpub_manual`](Builder::xpub_manual). Whatever it had asked for; a topic that it has already changes nothing.
    ///
    /// If that peer is gone, or nothing was received yet, nothing happens. One task at a time should receive and decide: what
    /// another one receives in between is the last then. A proxy receives, too.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::ManualModeRequired`] if the socket was made without that option; [`MonocoqueError::Closed`] once it is closed.
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), MonocoqueError> {
        self.engine().change_manually(Subscription::Subscribe, topic.as_ref())
    }

    /// Takes `topic` from the peer whose subscription, or end of one, was received last (`ZMQ_UNSUBSCRIBE`), as
    /// [`subscribe`](Self::subscribe) gives it.
    ///
    /// # Errors
    ///
    /// As `subscribe`.
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<(), MonocoqueError> {
        self.engine().change_manually(Subscription::Cancel, topic.as_ref())
    }
}

impl Builder<Xpub> {
    /// Whether every subscription is received, also to topics that another peer has asked for before (`ZMQ_XPUB_VERBOSE`).
    /// Default: false, only the first of each topic.
    pub fn xpub_verbose(mut self, verbose: bool) -> Self {
        self.options.verbose = verbose;
        self
    }

    /// A message that each peer gets before all others (`ZMQ_XPUB_WELCOME_MSG`). Default: none.
    ///
    /// SUB peers receive it if they have subscribed to it.
    pub fn xpub_welcome_msg(mut self, message: impl Into<Message>) -> Self {
        self.options.first_message = Some(message.into());
        self
    }

    /// Whether every subscription is received, and every end of one, also while other peers still have the topic
    /// (`ZMQ_XPUB_VERBOSER`). Default: false, only the first and the last of each topic.
    ///
    /// When a peer is gone the end of each of its subscriptions is told. Keep a count for each topic, not a set.
    pub fn xpub_verboser(mut self, verboser: bool) -> Self {
        self.options.verbose = verboser;
        self.options.verboser = verboser;
        self
    }

    /// Whether subscriptions are received and have no other effect (`ZMQ_XPUB_MANUAL`): [`subscribe`](Socket::subscribe) and
    /// [`unsubscribe`](Socket::unsubscribe) decide what a peer gets. Default: false, it gets what it asks for.
    ///
    /// Every subscription is received then, and every end of one, whoever else has the topic. When a peer is gone the end of each
    /// of those that it had asked for is received, whatever it was given; there is nobody to decide about then.
    /// [`subscription_count`](Socket::subscription_count) counts what was given.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{SubSocket, XpubSocket};
    ///
    /// let xpub = XpubSocket::builder().xpub_manual(true).build()?;
    /// let sub = SubSocket::new()?;
    /// sub.subscribe("")?;
    /// sub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
    ///
    /// assert_eq!(&xpub.recv().await?[0], b"\x01"); // it asks for everything
    /// xpub.subscribe("public.")?; // and is given this
    /// xpub.send("secret.plan").await?;
    /// xpub.send("public.notice").await?;
    /// assert_eq!(&sub.recv().await?[0], b"public.notice");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn xpub_manual(mut self, manual: bool) -> Self {
        self.options.manual = manual;
        self
    }

    /// As [`xpub_manual`](Self::xpub_manual), and the message that is sent next after a subscription was received goes to no
    /// other peer (`ZMQ_XPUB_MANUAL_LAST_VALUE`): the last value of a topic, which the others have had. Default: false.
    ///
    /// The peer gets it if it has been [given](Socket::subscribe) the topic; otherwise nobody does. If it is gone, the message
    /// goes to all. So whoever sends beside the one who receives may have its message taken for that one.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{SubSocket, XpubSocket};
    ///
    /// let xpub = XpubSocket::builder().xpub_manual_last_value(true).build()?;
    /// let endpoint = xpub.bind("tcp://127.0.0.1:0").await?;
    /// let mut subs = Vec::new();
    /// for _ in 0..2 {
    ///     let sub = SubSocket::new()?;
    ///     sub.subscribe("stock")?;
    ///     sub.connect(endpoint.clone()).await?;
    ///     assert_eq!(&xpub.recv().await?[0], b"\x01stock");
    ///     xpub.subscribe("stock")?;
    ///     xpub.send(["stock", "17"]).await?; // how things stand, for this one
    ///     subs.push(sub);
    /// }
    /// xpub.send(["stock", "18"]).await?; // for all
    /// for sub in subs {
    ///     assert_eq!(&sub.recv().await?[1], b"17");
    ///     assert_eq!(&sub.recv().await?[1], b"18");
    /// }
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn xpub_manual_last_value(mut self, last_value: bool) -> Self {
        self.options.manual = last_value;
        self.options.last_value = last_value;
        self
    }
}
