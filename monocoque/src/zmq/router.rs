//! ROUTER: sends to peers by routing id.

use monocoque_core::IntoMessage;

use super::Builder;
use super::capability::RouterOptions;
use super::kind::Capability;
use crate::options::RouterNotify;

socket! {
    /// A socket that receives from all its peers and sends by routing id. Its peers are DEALER, REQ
    /// and ROUTER sockets.
    ///
    /// [`recv`](Self::recv) puts the sender's routing id in front of the message, as its first
    /// frame, and [`send`](Self::send) takes the first frame for the routing id of the receiver;
    /// [`recv_from`](Self::recv_from) and [`send_to`](Self::send_to) keep the two apart. A peer
    /// that announced no routing id is given one of five bytes, the first of them zero, that is
    /// valid for as long as its connection.
    ///
    /// A message for a peer that is not connected, or whose queue is full, is dropped, unless
    /// [`router_mandatory`](Builder::router_mandatory) is set. A peer that announces the routing id
    /// of another one that is connected is refused until that one has left, unless
    /// [`router_handover`](Builder::router_handover) is set.
    ///
    /// ```
    /// use monocoque::zmq::{ReqSocket, RouterSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let router = RouterSocket::new()?;
    ///         let endpoint = router.bind("tcp://127.0.0.1:0").await?;
    ///         let req = ReqSocket::new()?;
    ///         req.connect(endpoint).await?;
    ///
    ///         req.send("ping").await?;
    ///         // The routing id, the delimiter of REQ, the body.
    ///         let request = router.recv().await?;
    ///         assert_eq!(&request[2], b"ping");
    ///         router.send(request).await?;
    ///         assert_eq!(&req.recv().await?[0], b"ping");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct RouterSocket(ROUTER): Sends + Receives + RoutesById + Proxied + HelloMsg + ProbeRouter + RouterOptions + Secure;
}

impl<S: RouterOptions> Builder<S> {
    /// Reports messages that cannot be delivered (`ZMQ_ROUTER_MANDATORY`): if the peer is not
    /// connected `send` fails with
    /// [`MonocoqueError::Unreachable`](crate::MonocoqueError::Unreachable), if its queue is full
    /// `send` waits. Default: false, the message is dropped and counted.
    ///
    /// ```
    /// use monocoque::MonocoqueError;
    /// use monocoque::zmq::RouterSocket;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let router = RouterSocket::builder().router_mandatory(true).build()?;
    ///         let error = router.send(["no such peer", "hello"]).await.unwrap_err();
    ///         assert!(matches!(error.reason(), MonocoqueError::Unreachable));
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn router_mandatory(mut self, mandatory: bool) -> Self {
        self.require(Capability::RouterOptions, "take the option `router_mandatory`");
        self.options.mandatory = mandatory;
        self
    }

    /// Makes the socket receive a message when a peer has connected, when it has gone, or both
    /// (`ZMQ_ROUTER_NOTIFY`): the routing id and an empty frame. Default: neither.
    ///
    /// The message of a peer that has connected is received before its first one, that of a peer
    /// that has gone after its last one, whichever side has ended the connection. Over inproc there
    /// is none, as in libzmq. A peer whose routing id a newcomer
    /// [has taken over](Self::router_handover) has not gone. The message of a peer that has come
    /// back is received after all messages of its earlier connection.
    ///
    /// Such a message looks like an empty one of the peer, and counts like one in
    /// [`stats`](RouterSocket::stats) and for [`recv_hwm`](Self::recv_hwm).
    ///
    /// ```
    /// use monocoque::RouterNotify;
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let events = [RouterNotify::Connect, RouterNotify::Disconnect];
    ///         let router = RouterSocket::builder().router_notify(events).build()?;
    ///         let endpoint = router.bind("tcp://127.0.0.1:0").await?;
    ///         let dealer = DealerSocket::builder().routing_id("worker").build()?;
    ///         dealer.connect(endpoint).await?;
    ///
    ///         assert_eq!(router.recv().await?, ["worker", ""]); // it has connected
    ///         dealer.close().await;
    ///         assert_eq!(router.recv().await?, ["worker", ""]); // it has gone
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn router_notify(mut self, events: impl IntoIterator<Item = RouterNotify>) -> Self {
        self.require(Capability::RouterOptions, "take the option `router_notify`");
        self.options.notices = Some(events.into_iter().collect());
        self
    }

    /// Sets a message that is received when an accepted peer has gone (`ZMQ_DISCONNECT_MSG`),
    /// behind its routing id and all its other messages, in place of that of
    /// [`router_notify`](Self::router_notify). Default: none.
    ///
    /// With a [heartbeat](Self::heartbeat_interval) a protocol needs no other goodbye.
    ///
    /// ```
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let router = RouterSocket::builder().disconnect_msg("GONE").build()?;
    ///         let worker = DealerSocket::builder().routing_id("worker").build()?;
    ///         worker.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
    ///         worker.send("READY").await?;
    ///         worker.close().await;
    ///         assert_eq!(router.recv().await?, ["worker", "READY"]);
    ///         assert_eq!(router.recv().await?, ["worker", "GONE"]);
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn disconnect_msg(mut self, message: impl IntoMessage) -> Self {
        self.require(Capability::RouterOptions, "take the option `disconnect_msg`");
        self.options.disconnect_msg = Some(message.into());
        self
    }

    /// Lets a peer take over the routing id of one that is connected (`ZMQ_ROUTER_HANDOVER`): that
    /// one is disconnected, and messages queued for it go to the newcomer. Default: false, the
    /// newcomer is refused.
    ///
    /// The batch that is being written to the old peer may have arrived in part: what is left of it
    /// is dropped and [counted](crate::SocketStats).
    ///
    /// Messages of the old peer are received first, to their end if it has closed: for as long as
    /// the queue is full, and otherwise until nothing has come for 200 ms, or for a second in all;
    /// at most 16 MiB of them, since it may send without end.
    ///
    /// Any peer that knows a routing id can take it over. Two programs that run with the same one
    /// displace each other again and again: routing ids must be unique all the same.
    pub fn router_handover(mut self, handover: bool) -> Self {
        self.require(Capability::RouterOptions, "take the option `router_handover`");
        self.options.handover = handover;
        self
    }
}
