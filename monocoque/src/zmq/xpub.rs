//! XPUB: tells all who want to know, and hears what they want.

use monocoque_core::Message;

use super::{Builder, Socket, kind::Xpub};

/// A [`PubSocket`](super::PubSocket) that receives what its peers subscribe to; its peers are SUB and XSUB sockets.
///
/// A subscription is received as a message of one frame: a one and the topic when the first peer asks for it, a zero and the
/// topic when the last one that had asked for it has taken it back, or is gone. What XSUB peers send beside subscriptions is
/// received as it is. A peer whose messages are not received is not read from, its subscriptions included.
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

impl Builder<Xpub> {
    /// Whether every subscription is received, also to topics that a peer has asked for before (`ZMQ_XPUB_VERBOSE`). Default:
    /// false, only the first of each topic.
    pub fn xpub_verbose(mut self, verbose: bool) -> Self {
        self.options.verbose = verbose;
        self
    }

    /// A message that each peer gets before all others (`ZMQ_XPUB_WELCOME_MSG`). Default: none.
    ///
    /// SUB peers receive it if they have subscribed to it.
    pub fn xpub_welcome_msg(mut self, message: impl Into<Message>) -> Self {
        self.options.greeting = Some(message.into());
        self
    }

    /// Whether every subscription is received, and every end of one, also while other peers still have the topic
    /// (`ZMQ_XPUB_VERBOSER`). Default: false, only the first and the last of each topic.
    ///
    /// When a peer is gone only the topics are told that nobody is left to want.
    pub fn xpub_verboser(mut self, verboser: bool) -> Self {
        self.options.verbose = verboser;
        self.options.verboser = verboser;
        self
    }
}
