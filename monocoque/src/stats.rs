//! What a socket has counted.

/// Counters of one socket, as they stand at one moment; see [`Socket::stats`](crate::zmq::Socket::stats).
///
/// ```
/// use monocoque::zmq::PubSocket;
///
/// let publisher = PubSocket::new()?;
/// assert_eq!(publisher.stats().dropped, 0);
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Messages that `send` has taken, and for a ROUTER or REP not dropped at once. A PUB counts each message once, whether
    /// it goes to many, to one or to nobody.
    pub sent: u64,
    /// Messages that have come out of the queue of received messages. Those that turn out to match no subscription, and
    /// late or malformed replies and requests, are among them and in `discarded` as well.
    pub received: u64,
    /// Messages that were to be sent and were dropped, counted once for each peer: it had no room, or was not there, or its
    /// connection ended before they were written and no other peer could have them.
    pub dropped: u64,
    /// Messages that arrived and were dropped: the socket does not receive, they match no subscription, they are replies
    /// that nobody waits for or requests without an envelope.
    pub discarded: u64,
    /// Messages that wait to be written, without the batches that are being written.
    pub send_queue: usize,
    /// Messages that wait to be received.
    pub recv_queue: usize,
    /// Peers that are connected and have completed the handshake.
    pub peers: usize,
    /// Connections made by `connect` that were established and have ended, for whatever reason.
    pub lost_connections: u64,
}
