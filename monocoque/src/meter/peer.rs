//! The values that sockets keep for their meters: failures, and peers connected over streams.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use metrics::{Label, counter, gauge};
use monocoque_core::PeerKey;
use monocoque_core::sync::Mutex;

use super::on::{TARGET, socket_labels};
use crate::metrics::names;
use crate::monitor::{Connection, ConnectionId};
use crate::peer::Peer;
use crate::socket::Engine;

/// The values of a socket that its counters do not have: its failures, its peers, and the bytes of
/// peers that have left.
#[derive(Debug, Default)]
pub(crate) struct SocketMeter {
    pub(super) failures: Mutex<Failures>,
    peers: Mutex<HashMap<ConnectionId, Weak<Values>>>,
    /// The number of peers with series of their own.
    listed: AtomicUsize,
    /// Sent and received.
    departed: [AtomicU64; 2],
}

/// The numbers of failures.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    pub(super) connects: u64,
    /// By reason, of which there are few.
    pub(super) handshakes: BTreeMap<&'static str, u64>,
}

/// The values of one peer, which both of its pumps hold. The last one reports them at the end.
#[derive(Clone, Debug)]
pub(crate) struct PeerMeter(Arc<Values>);

#[derive(Debug)]
struct Values {
    engine: Arc<Engine>,
    key: PeerKey,
    peer: Arc<Peer>,
    received: AtomicU64,
    /// Set at the end: until then the link knows it.
    sent: AtomicU64,
    /// The peer has series of its own.
    is_listed: bool,
}

impl SocketMeter {
    /// Returns the peers that are connected.
    pub(super) fn all(&self) -> Vec<PeerMeter> {
        let peers = self.peers.lock();
        peers.values().filter_map(Weak::upgrade).map(PeerMeter).collect()
    }

    /// Returns the bytes that were sent and received, with those of the given peers.
    pub(super) fn bytes(&self, peers: &[PeerMeter]) -> (u64, u64) {
        let [sent, received] = &self.departed;
        let start = (sent.load(Ordering::Relaxed), received.load(Ordering::Relaxed));
        peers.iter().fold(start, |(sent, received), PeerMeter(values)| {
            let bytes = &values.peer.bytes;
            (sent + bytes.written(), received + bytes.read())
        })
    }
}

impl PeerMeter {
    pub(crate) fn begin(engine: &Arc<Engine>, key: PeerKey, peer: &Arc<Peer>) -> Self {
        let meter = &engine.meter;
        let values = Arc::new(Values {
            engine: engine.clone(),
            key,
            peer: peer.clone(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            is_listed: meter.listed.fetch_add(1, Ordering::Relaxed) < MAX_LISTED,
        });
        meter.peers.lock().insert(peer.connection.id, Arc::downgrade(&values));
        Self(values)
    }

    /// Counts messages that were received. Once a batch.
    pub(crate) fn add_received(&self, messages: usize) {
        self.0.received.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Sets the number of sent messages, at the end.
    pub(crate) fn set_sent(&self, messages: u64) {
        self.0.sent.store(messages, Ordering::Relaxed);
    }

    /// Reports the values of the peer. Returns whether it has series of its own.
    pub(super) fn publish(&self) -> bool {
        let Self(values) = self;
        if values.is_listed {
            let (sent, queued) = values.engine.out.lock().sent_and_queued(values.key).unwrap_or_default();
            values.publish(sent.max(values.sent.load(Ordering::Relaxed)), queued);
        }
        values.is_listed
    }
}

impl Values {
    fn publish(&self, sent: u64, queued: usize) {
        let Connection { id, endpoint, peer } = &*self.peer.connection;
        let mut labels = socket_labels(&self.engine);
        labels.push(Label::new("connection", id.to_string()));
        labels.push(Label::new("endpoint", endpoint.to_string()));
        labels.push(Label::new("peer", peer.to_string()));
        let bytes = &self.peer.bytes;
        for (name, value) in [
            (names::PEER_SENT_MESSAGES, sent),
            (names::PEER_RECEIVED_MESSAGES, self.received.load(Ordering::Relaxed)),
            (names::PEER_SENT_BYTES, bytes.written()),
            (names::PEER_RECEIVED_BYTES, bytes.read()),
        ] {
            counter!(target: TARGET, name, labels.clone()).absolute(value);
        }
        gauge!(target: TARGET, names::PEER_SEND_QUEUE, labels).set(queued as f64);
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let meter = &self.engine.meter;
        meter.peers.lock().remove(&self.peer.connection.id);
        meter.listed.fetch_sub(1, Ordering::Relaxed);
        let [sent, received] = &meter.departed;
        sent.fetch_add(self.peer.bytes.written(), Ordering::Relaxed);
        received.fetch_add(self.peer.bytes.read(), Ordering::Relaxed);
        if self.is_listed {
            self.publish(self.sent.load(Ordering::Relaxed), 0);
        }
    }
}

/// The most peers of a socket with series of their own: peers decide how many there are.
const MAX_LISTED: usize = 256;
