//! PAIR: exactly two sockets.

socket! {
    /// A socket that exchanges messages with one peer, which is a PAIR socket too.
    ///
    /// A further peer is disconnected after the handshake, and tries again until the first one has
    /// left. [`send`](Self::send) waits while the queue is full, and while there is no peer.
    ///
    /// ```
    /// use monocoque::zmq::PairSocket;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let one = PairSocket::new()?;
    ///         let other = PairSocket::new()?;
    ///         other.connect(one.bind("tcp://127.0.0.1:0").await?).await?;
    ///
    ///         other.send("there").await?;
    ///         assert_eq!(&one.recv().await?[0], b"there");
    ///         one.send("and back").await?;
    ///         assert_eq!(&other.recv().await?[0], b"and back");
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub struct PairSocket(PAIR): Sends + Receives + Proxied + Secure;
}
