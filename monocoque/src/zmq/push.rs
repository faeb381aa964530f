//! PUSH: hands out work.

socket! {
    /// A socket that sends messages to its [`PullSocket`](super::PullSocket) peers in turn.
    ///
    /// A peer whose queue is full is left out until it has room; when all are full, `send` waits.
    /// While no peer is connected, a socket that has connected somewhere queues messages for the
    /// first to come; one that has only bound waits. Messages for a peer that is lost go to
    /// another, unless the kernel had taken them.
    ///
    /// ```
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let push = PushSocket::new()?;
    ///         let endpoint = push.bind("tcp://127.0.0.1:0").await?;
    ///         let pull = PullSocket::new()?;
    ///         pull.connect(endpoint).await?;
    ///
    ///         push.send("work").await?;
    ///         assert_eq!(&pull.recv().await?[0], b"work");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct PushSocket(PUSH): Sends + Proxied + Conflate + Secure;
}
