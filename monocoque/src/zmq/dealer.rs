//! DEALER: sends and receives without waiting for replies.

use monocoque_core::IntoMessage;

use super::Builder;
use super::capability::HiccupMsg;
use super::kind::Capability;

socket! {
    /// A socket that sends messages to its peers in turn and receives from all of them. Its peers
    /// are ROUTER, REP and DEALER sockets.
    ///
    /// Nothing is added to a message. A request for a REP socket needs an empty frame in front.
    ///
    /// ```
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let router = RouterSocket::new()?;
    ///         let endpoint = router.bind("tcp://127.0.0.1:0").await?;
    ///         let dealer = DealerSocket::builder().routing_id("worker-1").build()?;
    ///         dealer.connect(endpoint).await?;
    ///
    ///         dealer.send("hello").await?;
    ///         let (peer, message) = router.recv_from().await?;
    ///         assert_eq!(&*peer, b"worker-1");
    ///         router.send_to(&peer, ["re", "hello"]).await?;
    ///         assert_eq!(&dealer.recv().await?[1], b"hello");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct DealerSocket(DEALER): Sends + Receives + Proxied + Conflate + HelloMsg + HiccupMsg + ProbeRouter + Secure;
}

impl<S: HiccupMsg> Builder<S> {
    /// Sets a message that is received when the connection to a peer that was connected to is lost
    /// (`ZMQ_HICCUP_MSG`), behind all messages of that peer. It is being connected to again by
    /// then. Default: none.
    ///
    /// ```
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let server = RouterSocket::new()?;
    ///         let client = DealerSocket::builder().hiccup_msg("LOST").build()?;
    ///         client.connect(server.bind("tcp://127.0.0.1:0").await?).await?;
    ///         client.wait_for_peers(1).await?;
    ///         server.close().await;
    ///         assert_eq!(client.recv().await?, "LOST");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn hiccup_msg(mut self, message: impl IntoMessage) -> Self {
        self.require(Capability::HiccupMsg, "take the option `hiccup_msg`");
        self.options.hiccup_msg = Some(message.into());
        self
    }
}
