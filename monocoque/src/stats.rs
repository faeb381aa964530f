//! The counters of a socket and of its peers.

use std::ops::Deref;
use std::sync::Arc;

use crate::peer::Peer;

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
    /// Connections that this socket ended after their handshake, since the peer violated the
    /// protocol or a limit: a message that is too large or has too many frames, a malformed frame,
    /// too many subscriptions.
    pub violations: u64,
}

/// A snapshot of one connected peer and of its counters; see
/// [`Socket::peers`](crate::zmq::Socket::peers).
///
/// It has the methods of [`Peer`]: address, routing id, user id, properties, and the time since it
/// has been connected. The counters are those of this connection, since its handshake.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{DealerSocket, RouterSocket};
///
/// let router = RouterSocket::new()?;
/// let dealer = DealerSocket::builder().routing_id("worker").build()?;
/// dealer.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
/// dealer.send("ready").await?;
/// router.recv().await?;
///
/// for peer in router.peers() {
///     println!("{} at {} since {:?}", peer.routing_id(), peer.remote_endpoint(), peer.age());
///     assert_eq!((peer.received, peer.sent, peer.recv_queue), (1, 0, 0));
/// }
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStats {
    /// The peer.
    pub peer: Arc<Peer>,
    /// Messages that were queued for this peer, with those of `send_queue`.
    pub sent: u64,
    /// Messages from this peer that were put into the receive queue, with those of `recv_queue`.
    /// With [`conflate`](crate::zmq::Builder::conflate), those that were replaced do not count.
    pub received: u64,
    /// Bytes that were written to the stream: messages with their framing, encrypted if the
    /// connection is, subscriptions and heartbeats. 0 over inproc.
    pub bytes_written: u64,
    /// Bytes that were read from the stream. 0 over inproc.
    pub bytes_read: u64,
    /// Messages waiting to be written to this peer, without the batch that is being written. 0 over
    /// inproc, where messages wait at the receiver.
    pub send_queue: usize,
    /// Messages of this peer waiting to be received.
    pub recv_queue: usize,
}

impl Deref for PeerStats {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}
