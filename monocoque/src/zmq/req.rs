//! REQ: sends a request and waits for the reply.

use super::Builder;
use super::capability::Requests;
use super::kind::Capability;

socket! {
    /// A socket that sends requests, each to the next of its peers, and receives the reply. Its
    /// peers are REP and ROUTER sockets.
    ///
    /// Requests and replies alternate. Only the peer that got the request can reply. A request that
    /// the kernel had not taken when its connection was lost goes to the next peer; one that it had
    /// taken is not sent again, and without its reply the socket cannot send another one: then make
    /// a new socket, or set [`req_relaxed`](Builder::req_relaxed) and a
    /// [`recv_timeout`](Builder::recv_timeout).
    ///
    /// ```
    /// use monocoque::zmq::{RepSocket, ReqSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let rep = RepSocket::new()?;
    ///         let endpoint = rep.bind("tcp://127.0.0.1:0").await?;
    ///         let server = async {
    ///             let request = rep.recv().await?;
    ///             rep.send(request).await?;
    ///             Ok::<_, monocoque::MonocoqueError>(())
    ///         };
    ///
    ///         let req = ReqSocket::new()?;
    ///         req.connect(endpoint).await?;
    ///         let (reply, served) = futures::join!(req.request("echo"), server);
    ///         served?;
    ///         assert_eq!(&reply?[0], b"echo");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct ReqSocket(REQ): Sends + Receives + Requests + ProbeRouter + Secure;
}

impl<S: Requests> Builder<S> {
    /// Allows a request while the one before it has no reply (`ZMQ_REQ_RELAXED`). That reply is no
    /// longer waited for. Default: false.
    ///
    /// The connection of the earlier request is closed, so that a late reply is not taken for the
    /// next one; with [`req_correlate`](Self::req_correlate) it is kept.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::zmq::{RepSocket, ReqSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let rep = RepSocket::new()?;
    ///         let req = ReqSocket::builder()
    ///             .req_relaxed(true)
    ///             .req_correlate(true)
    ///             .recv_timeout(Some(Duration::from_millis(10)))
    ///             .build()?;
    ///         req.connect(rep.bind("tcp://127.0.0.1:0").await?).await?;
    ///         assert!(req.request("without a reply").await.unwrap_err().is_timeout());
    ///         req.send("another try").await?;
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn req_relaxed(mut self, relaxed: bool) -> Self {
        self.require(Capability::Requests, "take the option `req_relaxed`");
        self.options.relaxed = relaxed;
        self
    }

    /// Numbers the requests, and receives only a reply with the number of the request
    /// (`ZMQ_REQ_CORRELATE`). Default: false.
    ///
    /// The number is a frame in front of the delimiter. REP sockets send it back; a program that
    /// replies through a ROUTER has to do the same.
    pub fn req_correlate(mut self, correlate: bool) -> Self {
        self.require(Capability::Requests, "take the option `req_correlate`");
        self.options.correlate = correlate;
        self
    }
}
