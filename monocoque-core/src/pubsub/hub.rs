//! The hub of a publisher: the subscriptions of its peers.
//!
//! A state machine under the lock of its socket. Its inputs are events of peers and their
//! subscriptions; it answers which peers a subject goes to. It holds no messages and does not know
//! whether a peer has room.

use std::collections::{BTreeSet, VecDeque, btree_set};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::peer::PeerRows;
use crate::pubsub::SubscriptionIndex;
use crate::{PeerEvent, PeerKey};

/// The subscriptions of all peers of a socket.
///
/// Each peer has a set of topics: subscribing twice counts once, cancelling a topic without a
/// subscription does nothing. The set belongs to the connection and ends with it; a later one in
/// the same slot starts with none.
///
/// A departed peer does not match any more. It may have many topics, so [`sweep`](Self::sweep)
/// removes a part of them at a time.
///
/// ```
/// use monocoque_core::{Cancelled, PeerEvent, PeerKey, PubSubHub, Subscribed};
///
/// let mut hub = PubSubHub::default();
/// let key = PeerKey::new(0, 1);
/// hub.on_event(PeerEvent::Up { key, id: () });
/// assert_eq!(hub.subscribe(key, b"weather"), Subscribed::First);
/// assert_eq!(hub.subscribe(key, b"weather.rome"), Subscribed::First);
///
/// let mut to = Vec::new();
/// hub.matches(b"weather.rome.today", &mut to);
/// assert_eq!(to, [key], "once, although two topics match");
///
/// assert_eq!(hub.cancel(key, b"weather"), Cancelled::Last);
/// hub.on_event(PeerEvent::Down { key });
/// let mut swept = Vec::new();
/// while hub.sweep(100, |key, topic, outcome| swept.push((key, topic, outcome))) {}
/// assert_eq!(swept, [(key, "weather.rome".into(), Cancelled::Last)], "no other subscriber");
/// ```
#[derive(Debug, Default)]
pub struct PubSubHub {
    limits: SubscriptionLimits,
    peers: PeerRows<Subscriber>,
    index: SubscriptionIndex<Subscribers>,
    /// Departed peers, in order, and the topics that still list them.
    departed: VecDeque<(PeerKey, btree_set::IntoIter<Bytes>)>,
    subscriptions: usize,
    /// For each slot, the last query that matched the peer in it.
    last_match: Vec<u64>,
    /// The number of the last query.
    query: u64,
}

/// The peers of a topic, sorted. They are live, or [departed](PubSubHub::departed).
type Subscribers = SmallVec<[PeerKey; 1]>;

#[derive(Debug, Default)]
struct Subscriber {
    /// The topics share their bytes with those of the index.
    topics: BTreeSet<Bytes>,
    bytes: usize,
    /// The limits do not apply.
    is_unlimited: bool,
}

impl PubSubHub {
    /// A hub without peers, with `limits` for each of them.
    pub fn new(limits: SubscriptionLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds a new peer, or removes one that has gone. Events of an ended connection change nothing.
    pub fn on_event(&mut self, event: PeerEvent<()>) {
        match event {
            PeerEvent::Up { key, id: () } => self.insert_peer(key),
            PeerEvent::Down { key } => self.remove_peer(key),
        }
    }

    /// Removes up to `max` topics of departed peers, in the order of departure, sorted for each
    /// peer. Returns true if there are more.
    ///
    /// `each` gets the peer, the topic, and the outcome, as of [`cancel`](Self::cancel).
    pub fn sweep(&mut self, max: usize, mut each: impl FnMut(PeerKey, Bytes, Cancelled)) -> bool {
        for _ in 0..max {
            let Some((key, topics)) = self.departed.front_mut() else { break };
            let (key, topic, is_last) = (*key, topics.next(), topics.len() == 0);
            if is_last {
                self.departed.pop_front();
            }
            if let Some(topic) = topic {
                let outcome = self.remove_subscriber(key, &topic);
                each(key, topic, outcome);
            }
        }
        if self.peers.is_empty() && self.departed.is_empty() {
            self.index = SubscriptionIndex::new();
            self.last_match = Vec::new();
        }
        !self.departed.is_empty()
    }

    /// Returns true for a departed peer with topics that are not [swept](Self::sweep).
    pub fn is_departed(&self, key: PeerKey) -> bool {
        self.departed.iter().any(|(departed, _)| *departed == key)
    }

    /// Lifts the limits for a peer, for one that uses its own memory.
    pub fn set_unlimited(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.is_unlimited = true;
        }
    }

    /// Subscribes a peer to a topic; the empty one matches everything.
    ///
    /// A topic that is new to the hub is copied, so that it does not keep the memory it was
    /// received in.
    pub fn subscribe(&mut self, key: PeerKey, topic: impl AsRef<[u8]>) -> Subscribed {
        let topic = topic.as_ref();
        let Some(peer) = self.peers.get_mut(key) else { return Subscribed::NoPeer };
        let others = self.index.get_key_value_mut(topic);
        let at = match others.as_ref().map(|(_, subscribers)| subscribers.binary_search(&key)) {
            Some(Ok(_)) => return Subscribed::AlreadySubscribed,
            Some(Err(at)) => at,
            None => 0,
        };
        if let Some(limit) = self.limits.exceeded_by(peer, topic) {
            return Subscribed::Refused(limit);
        }
        let (shared, outcome) = match others {
            Some((shared, subscribers)) => {
                subscribers.insert(at, key);
                (shared.clone(), Subscribed::Joined)
            }
            None => {
                let shared = Bytes::copy_from_slice(topic);
                self.index.insert(shared.clone(), Subscribers::from_slice(&[key]));
                (shared, Subscribed::First)
            }
        };
        peer.bytes += topic.len();
        peer.topics.insert(shared);
        self.subscriptions += 1;
        outcome
    }

    /// Cancels the subscription of a peer to exactly this topic: longer ones stay.
    pub fn cancel(&mut self, key: PeerKey, topic: &[u8]) -> Cancelled {
        let Some(peer) = self.peers.get_mut(key) else { return Cancelled::NotSubscribed };
        if !peer.topics.remove(topic) {
            return Cancelled::NotSubscribed;
        }
        peer.bytes -= topic.len();
        self.subscriptions -= 1;
        self.remove_subscriber(key, topic)
    }

    /// Fills `out`, which is cleared first, with the peers that a subject goes to: each once, in no
    /// particular order.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "`insert_peer` makes a slot for each peer, and subscribers are peers"
    )]
    pub fn matches(&mut self, subject: &[u8], out: &mut Vec<PeerKey>) {
        out.clear();
        if !self.departed.is_empty() {
            return self.matches_live(subject, out);
        }
        let mut found = self.index.matches(subject);
        let Some((_, first)) = found.next() else { return };
        out.extend_from_slice(first);
        let Some((_, second)) = found.next() else { return };
        // Topics overlap, and a peer may have subscribed to several of them.
        self.query += 1;
        first.iter().for_each(|key| self.last_match[key.slot()] = self.query);
        for &key in std::iter::once(second).chain(found.map(|(_, more)| more)).flatten() {
            if std::mem::replace(&mut self.last_match[key.slot()], self.query) != self.query {
                out.push(key);
            }
        }
    }

    /// Adds the live peers that a subject goes to, while topics list departed ones as well.
    #[cold]
    #[expect(clippy::indexing_slicing, reason = "`insert_peer` makes a slot for each peer")]
    fn matches_live(&mut self, subject: &[u8], out: &mut Vec<PeerKey>) {
        self.query += 1;
        for &key in self.index.matches(subject).flat_map(|(_, subscribers)| subscribers) {
            if self.peers.get(key).is_some()
                && std::mem::replace(&mut self.last_match[key.slot()], self.query) != self.query
            {
                out.push(key);
            }
        }
    }

    /// Fills `out`, which is cleared first, with the peers that a subject does not go to, in no
    /// particular order.
    ///
    /// Takes time in proportion to the number of peers.
    #[expect(
        clippy::indexing_slicing,
        reason = "`insert_peer` makes a slot for each peer, and subscribers are peers"
    )]
    pub fn non_matching(&mut self, subject: &[u8], out: &mut Vec<PeerKey>) {
        out.clear();
        self.query += 1;
        for &key in self.index.matches(subject).flat_map(|(_, subscribers)| subscribers) {
            // A later peer may have the slot of a departed one.
            if self.peers.get(key).is_some() {
                self.last_match[key.slot()] = self.query;
            }
        }
        out.extend(self.peers.keys().filter(|key| self.last_match[key.slot()] != self.query));
    }

    /// Returns true for a live peer.
    pub fn contains(&self, key: PeerKey) -> bool {
        self.peers.get(key).is_some()
    }

    /// Returns the shared bytes of a topic, if a live peer has it, or a departed one that is not
    /// [swept](Self::sweep).
    pub fn topic(&self, topic: &[u8]) -> Option<&Bytes> {
        self.index.get_key_value(topic).map(|(topic, _)| topic)
    }

    /// Returns the topics of a peer, sorted.
    pub fn topics(&self, key: PeerKey) -> impl Iterator<Item = &Bytes> {
        self.peers.get(key).into_iter().flat_map(|peer| &peer.topics)
    }

    /// Returns how many bytes the topics of a peer have in all.
    pub fn topic_bytes(&self, key: PeerKey) -> usize {
        self.peers.get(key).map_or(0, |peer| peer.bytes)
    }

    /// Returns how many subscriptions there are. Those of two peers to one topic are two.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions
    }

    /// Returns how many different topics there are, with those of departed peers that are not
    /// [swept](Self::sweep).
    pub fn topic_count(&self) -> usize {
        self.index.len()
    }

    fn insert_peer(&mut self, key: PeerKey) {
        if self.peers.is_stale(key) || self.peers.get(key).is_some() {
            return;
        }
        if let Some(old) = self.peers.at_slot(key.slot()) {
            self.remove_peer(old);
        }
        self.peers.insert(key, Subscriber::default());
        if self.last_match.len() <= key.slot() {
            self.last_match.resize(key.slot() + 1, 0);
        }
    }

    fn remove_peer(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(key) else { return };
        self.subscriptions -= peer.topics.len();
        if !peer.topics.is_empty() {
            self.departed.push_back((key, peer.topics.into_iter()));
        }
    }

    /// Removes a peer from the list of a topic, and a topic without peers from the index.
    fn remove_subscriber(&mut self, key: PeerKey, topic: &[u8]) -> Cancelled {
        let Some(subscribers) = self.index.get_mut(topic) else { return Cancelled::NotSubscribed };
        if let Ok(at) = subscribers.binary_search(&key) {
            subscribers.remove(at);
        }
        if subscribers.is_empty() {
            self.index.remove(topic);
            return Cancelled::Last;
        }
        if subscribers.len() * 4 <= subscribers.capacity() {
            subscribers.shrink_to_fit();
        }
        Cancelled::OthersRemain
    }
}

/// The outcome of subscribing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// Added; no other peer has the topic.
    First,
    /// Added; other peers have the topic as well.
    Joined,
    /// The peer had it already.
    AlreadySubscribed,
    /// The peer is at a limit.
    Refused(SubscriptionLimit),
    /// The peer does not exist, or has departed.
    NoPeer,
}

/// The outcome of cancelling a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Removed; no other peer has the topic.
    Last,
    /// Removed; other peers have the topic as well.
    OthersRemain,
    /// The peer did not have it, or does not exist.
    NotSubscribed,
}

/// The limits on the subscriptions of one peer, which bound the memory that a peer can make us use.
///
/// ```
/// use monocoque_core::{PubSubHub, SubscriptionLimits};
///
/// let hub = PubSubHub::new(SubscriptionLimits { topics: 1000, ..SubscriptionLimits::default() });
/// assert_eq!(hub.subscription_count(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionLimits {
    /// The most topics. The default is 1,000,000; each costs about 200 bytes and its own length.
    pub topics: usize,
    /// The most bytes in all topics. The default is 64 MiB.
    pub bytes: usize,
}

impl SubscriptionLimits {
    fn exceeded_by(&self, peer: &Subscriber, topic: &[u8]) -> Option<SubscriptionLimit> {
        if peer.is_unlimited {
            None
        } else if peer.topics.len() >= self.topics {
            Some(SubscriptionLimit::Topics)
        } else if topic.len() > self.bytes.saturating_sub(peer.bytes) {
            Some(SubscriptionLimit::Bytes)
        } else {
            None
        }
    }
}

impl Default for SubscriptionLimits {
    fn default() -> Self {
        Self { topics: 1_000_000, bytes: 64 * 1024 * 1024 }
    }
}

/// The limit that refused a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionLimit {
    /// [`SubscriptionLimits::topics`].
    Topics,
    /// [`SubscriptionLimits::bytes`].
    Bytes,
}
