//! PULL: collects work.

socket! {
    /// A socket that receives messages from its [`PushSocket`](super::PushSocket) peers, one from
    /// each in turn.
    ///
    /// ```
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let pull = PullSocket::new()?;
    ///         let endpoint = pull.bind("tcp://127.0.0.1:0").await?;
    ///         let push = PushSocket::new()?;
    ///         push.connect(endpoint).await?;
    ///
    ///         push.send(["two", "frames"]).await?;
    ///         assert_eq!(pull.recv().await?.len(), 2);
    ///         Ok(())
    ///     })
    /// }
    /// ```
    ///
    /// It does not send:
    ///
    /// ```compile_fail,E0599
    /// # use monocoque::zmq::PullSocket;
    /// let pull = PullSocket::new()?;
    /// pull.try_send("a job")?; // no method named `try_send` found
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct PullSocket(PULL): Receives + Proxied + Conflate + Secure;
}
