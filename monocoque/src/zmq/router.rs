//! ROUTER: talks to many, by name.

use monocoque_core::Message;

use super::{Builder, Socket, kind::Router};
use crate::options::RouterNotify;

/// Receives from all its peers and sends to the one that is named; its peers are DEALER, REQ and ROUTER sockets.
///
/// [`recv`](Socket::recv) puts the sender's routing id in front of the message, as its first frame, and
/// [`send`](Socket::send) takes the first frame for the name of the receiver; [`recv_from`](Self::recv_from) and
/// [`send_to`](Self::send_to) keep the two apart. A peer that announced no routing id is given one of five bytes, the first
/// of them zero, that lasts as long as its connection.
///
/// A message for a peer that is not there, or that has no room, is dropped, unless
/// [`router_mandatory`](Builder::router_mandatory) is set. A peer that announces the routing id of another that is connected is
/// refused until that one has left, unless [`router_handover`](Builder::router_handover) is set.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{ReqSocket, RouterSocket};
///
/// let router = RouterSocket::new()?;
/// let endpoint = router.bind("tcp://127.0.0.1:0").await?;
/// let req = ReqSocket::new()?;
/// req.connect(endpoint).await?;
///
/// req.send("ping").await?;
/// let request = router.recv().await?; // the routing id, the delimiter of REQ, the body
/// assert_eq!(&request[2], b"ping");
/// router.send(request).await?;
/// assert_eq!(&req.recv().await?[0], b"ping");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type RouterSocket = Socket<Router>;

impl Builder<Router> {
    /// Whether a message that cannot be delivered is an error (`ZMQ_ROUTER_MANDATORY`): if its peer is not there `send` fails
    /// with [`MonocoqueError::Unreachable`](crate::MonocoqueError::Unreachable), if the peer has no room `send` waits.
    /// Default: false, it is dropped and counted.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::MonocoqueError;
    /// use monocoque::zmq::RouterSocket;
    ///
    /// let router = RouterSocket::builder().router_mandatory(true).build()?;
    /// let error = router.send(["nobody", "hello"]).await.unwrap_err();
    /// assert!(matches!(error.reason(), MonocoqueError::Unreachable));
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn router_mandatory(mut self, mandatory: bool) -> Self {
        self.options.mandatory = mandatory;
        self
    }

    /// Which of its peers' comings and goings the socket receives (`ZMQ_ROUTER_NOTIFY`): each as the routing id and an empty
    /// frame. Default: none.
    ///
    /// That a peer has connected is received before its first message, and that it is gone after its last one, whichever side
    /// has ended the connection. Over inproc nobody is told, as in libzmq. A peer whose routing id a newcomer [has taken
    /// over](Self::router_handover) is not gone. That one has come back is received after all of its earlier connection.
    ///
    /// Such a message looks like an empty one of the peer, and counts like one in [`stats`](Socket::stats) and for
    /// [`recv_hwm`](Self::recv_hwm).
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::RouterNotify;
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// let router =
    ///     RouterSocket::builder().router_notify([RouterNotify::Connect, RouterNotify::Disconnect]).build()?;
    /// let endpoint = router.bind("tcp://127.0.0.1:0").await?;
    /// let dealer = DealerSocket::builder().routing_id("worker").build()?;
    /// dealer.connect(endpoint).await?;
    ///
    /// assert_eq!(router.recv().await?, ["worker", ""].into()); // it has come
    /// dealer.close().await;
    /// assert_eq!(router.recv().await?, ["worker", ""].into()); // it is gone
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn router_notify(mut self, events: impl IntoIterator<Item = RouterNotify>) -> Self {
        self.options.notices = Some(events.into_iter().collect());
        self
    }

    /// A message that is received in the name of an accepted peer when it is gone (`ZMQ_DISCONNECT_MSG`), behind all its others
    /// and in place of what [`router_notify`](Self::router_notify) tells then. Default: none.
    ///
    /// With a [heartbeat](Self::heartbeat_interval) a protocol needs no other goodbye.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// let router = RouterSocket::builder().disconnect_msg("GONE").build()?;
    /// let worker = DealerSocket::builder().routing_id("worker").build()?;
    /// worker.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
    /// worker.send("READY").await?;
    /// worker.close().await;
    /// assert_eq!(router.recv().await?, ["worker", "READY"].into());
    /// assert_eq!(router.recv().await?, ["worker", "GONE"].into());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn disconnect_msg(mut self, message: impl Into<Message>) -> Self {
        self.options.disconnect_msg = Some(message.into());
        self
    }

    /// Whether a peer takes over the routing id of one that is connected (`ZMQ_ROUTER_HANDOVER`): that one is disconnected, and
    /// what waits for it goes to the newcomer. Default: false, the newcomer is refused.
    ///
    /// What the old one has sent is received first, to its end if it has closed: for as long as there is no room for it, and
    /// otherwise until nothing has come for 200 ms, or for a second in all; no more than 16 MiB, or it sends without end.
    ///
    /// Anyone who knows a routing id can take it over. Two programs that live and have the same one put each other out again and
    /// again: names must be unique all the same.
    pub fn router_handover(mut self, handover: bool) -> Self {
        self.options.handover = handover;
        self
    }
}
