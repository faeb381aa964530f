//! The counters of a socket.

/// A snapshot of the counters of one socket; see [`Socket::stats`](crate::zmq::Socket::stats).
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
    /// Messages that `send` has accepted; for ROUTER and REP only those not dropped at once. A PUB
    /// counts each message once, whatever the number of its receivers, also if there are none.
    pub sent: u64,
    /// Messages taken out of the receive queue. Late or malformed replies and requests, and
    /// messages that no longer match a subscription, count here and in `discarded` as well.
    pub received: u64,
    /// Outgoing messages that were dropped, counted once for each peer: its queue was full, it was
    /// not connected, or its connection ended before the message was written and no other peer
    /// could take it.
    pub dropped: u64,
    /// Incoming messages that were dropped: the socket does not receive, no subscription matches, a
    /// reply without an open request, a request without an envelope.
    pub discarded: u64,
    /// Messages waiting to be written, without the batches that are being written.
    pub send_queue: usize,
    /// Messages waiting to be received.
    pub recv_queue: usize,
    /// Connected peers whose handshake is done.
    pub peers: usize,
    /// Connections made by `connect` that were established and have ended, for any reason.
    pub lost_connections: u64,
    /// Connections that the peer ended, or that failed, before their handshake was done.
    pub failed_handshakes: u64,
    /// The part of them that failed since the peer did not prove who it is, or may not come in:
    /// refused by the [authenticator](crate::zmq::Builder::authenticator), another mechanism, or a
    /// key that does not fit.
    pub auth_failures: u64,
    /// Messages that a lost connection has given back, and that were queued again: for another
    /// peer, or for the next connection to the same endpoint.
    pub redelivered: u64,
}
