//! REP: replies to requests.

socket! {
    /// A socket that receives requests, from its peers in turn, and sends the reply to each. Its
    /// peers are REQ and DEALER sockets.
    ///
    /// Requests and replies alternate, whichever handles are used: while one task has a request to
    /// answer, `recv` of another one fails when the next request comes. The frames up to and
    /// including the first empty one are kept and put in front of the reply; a message without an
    /// empty frame is dropped. A reply to a peer that has gone is dropped.
    ///
    /// ```
    /// use monocoque::zmq::{DealerSocket, RepSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let rep = RepSocket::new()?;
    ///         let endpoint = rep.bind("tcp://127.0.0.1:0").await?;
    ///         let dealer = DealerSocket::new()?;
    ///         dealer.connect(endpoint).await?;
    ///
    ///         dealer.send(["", "question"]).await?;
    ///         assert_eq!(&rep.recv().await?[0], b"question");
    ///         rep.send("answer").await?;
    ///         assert_eq!(&dealer.recv().await?[1], b"answer");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct RepSocket(REP): Sends + Receives + Secure;
}
