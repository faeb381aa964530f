//! Who gets what is published: the subscriptions of a socket's peers.
//!
//! A state machine under its socket's lock. It is told of peers and of what they ask for, and answers whom a subject
//! goes to. It holds no messages and does not know whether a peer has room.

use std::collections::{BTreeSet, VecDeque, btree_set};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::peer::PeerRows;
use crate::pubsub::SubscriptionIndex;
use crate::{PeerEvent, PeerKey};

/// The subscriptions of all peers of a socket.
///
/// Each peer has a set of topics: asking twice for one counts once, taking back what was not asked for does nothing. The set
/// belongs to the connection and ends with it; a later one in the same place starts with none.
///
/// A peer that has gone is matched no more from then on. Its topics may be many, and are taken down a part at a time, by
/// [`sweep`](Self::sweep).
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
/// let mut gone = Vec::new();
/// while hub.sweep(100, |key, topic, left| gone.push((key, topic, left))) {}
/// assert_eq!(gone, [(key, "weather.rome".into(), Cancelled::Last)], "nobody else wanted this");
/// ```
#[derive(Debug, Default)]
pub struct PubSubHub {
    limits: SubscriptionLimits,
    peers: PeerRows<Peer>,
    index: SubscriptionIndex<Subscribers>,
    /// Peers that have gone, in this order, and the topics that still list them.
    departed: VecDeque<(PeerKey, btree_set::IntoIter<Bytes>)>,
    subscriptions: usize,
    /// For each place, the last walk that came across the peer there.
    seen: Vec<u64>,
    walk: u64,
}

/// Sorted. The peers of a topic are live, or [departed](PubSubHub::departed).
type Subscribers = SmallVec<[PeerKey; 1]>;

#[derive(Debug, Default)]
struct Peer {
    /// Share the bytes of the topics in the index.
    topics: BTreeSet<Bytes>,
    bytes: usize,
    /// May have as much as it wants.
    unlimited: bool,
}

impl PubSubHub {
    /// A hub without peers that lets each of them have as much as `limits` says.
    pub fn new(limits: SubscriptionLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes note of a peer that has come or gone. Events of an ended connection change nothing.
    pub fn on_event(&mut self, event: PeerEvent<()>) {
        match event {
            PeerEvent::Up { key, id: () } => self.admit(key),
            PeerEvent::Down { key } => self.forget(key),
        }
    }

    /// Takes up to `max` topics of peers that have gone off the lists, first those of the one that went first, sorted.
    /// Says whether there are more.
    ///
    /// `each` is told the peer, the topic, and whether somebody else has it still, as [`cancel`](Self::cancel) says.
    pub fn sweep(&mut self, max: usize, mut each: impl FnMut(PeerKey, Bytes, Cancelled)) -> bool {
        for _ in 0..max {
            let Some((key, topics)) = self.departed.front_mut() else { break };
            let (key, topic, is_last) = (*key, topics.next(), topics.len() == 0);
            if is_last {
                self.departed.pop_front();
            }
            if let Some(topic) = topic {
                let left = self.leave(key, &topic);
                each(key, topic, left);
            }
        }
        if self.peers.is_empty() && self.departed.is_empty() {
            self.index = SubscriptionIndex::new();
            self.seen = Vec::new();
        }
        !self.departed.is_empty()
    }

    /// True for a peer that has gone and whose topics are not all [swept](Self::sweep).
    pub fn is_departed(&self, key: PeerKey) -> bool {
        self.departed.iter().any(|(departed, _)| *departed == key)
    }

    /// Lets a peer have as much as it wants: one that does not decide about somebody else's memory.
    pub fn lift_limits(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.unlimited = true;
        }
    }

    /// Adds a topic to what a peer wants; the empty one stands for everything.
    ///
    /// The topic is copied when it is new to the hub, so that it does not keep the memory it was received in.
    pub fn subscribe(&mut self, key: PeerKey, topic: impl AsRef<[u8]>) -> Subscribed {
        let topic = topic.as_ref();
        let Some(peer) = self.peers.get_mut(key) else { return Subscribed::NoPeer };
        let others = self.index.get_key_value_mut(topic);
        let at = match others.as_ref().map(|(_, subscribers)| subscribers.binary_search(&key)) {
            Some(Ok(_)) => return Subscribed::Already,
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

    /// Takes a topic from what a peer wants. Exactly this topic: those it is a prefix of stay.
    pub fn cancel(&mut self, key: PeerKey, topic: &[u8]) -> Cancelled {
        let Some(peer) = self.peers.get_mut(key) else { return Cancelled::Unknown };
        if !peer.topics.remove(topic) {
            return Cancelled::Unknown;
        }
        peer.bytes -= topic.len();
        self.subscriptions -= 1;
        self.leave(key, topic)
    }

    /// Fills `out`, which is emptied first, with the peers that a subject goes to: each once, in no set order.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "`admit` makes a place for each peer, and subscribers are peers"
    )]
    pub fn matches(&mut self, subject: &[u8], out: &mut Vec<PeerKey>) {
        out.clear();
        if !self.departed.is_empty() {
            return self.matches_alive(subject, out);
        }
        let mut found = self.index.matches(subject);
        let Some((_, first)) = found.next() else { return };
        out.extend_from_slice(first);
        let Some((_, second)) = found.next() else { return };
        // Topics overlap, and a peer may have asked for several of them.
        self.walk += 1;
        first.iter().for_each(|key| self.seen[key.slot()] = self.walk);
        for &key in std::iter::once(second).chain(found.map(|(_, more)| more)).flatten() {
            if std::mem::replace(&mut self.seen[key.slot()], self.walk) != self.walk {
                out.push(key);
            }
        }
    }

    /// Adds the peers to `out` that a subject goes to, where topics list others as well.
    #[cold]
    #[expect(clippy::indexing_slicing, reason = "`admit` makes a place for each peer")]
    fn matches_alive(&mut self, subject: &[u8], out: &mut Vec<PeerKey>) {
        self.walk += 1;
        for &key in self.index.matches(subject).flat_map(|(_, subscribers)| subscribers) {
            if self.peers.get(key).is_some()
                && std::mem::replace(&mut self.seen[key.slot()], self.walk) != self.walk
            {
                out.push(key);
            }
        }
    }

    /// Fills `out`, which is emptied first, with the peers that a subject does not go to, in no set order.
    ///
    /// Takes time in proportion to the number of peers.
    #[expect(
        clippy::indexing_slicing,
        reason = "`admit` makes a place for each peer, and subscribers are peers"
    )]
    pub fn others(&mut self, subject: &[u8], out: &mut Vec<PeerKey>) {
        out.clear();
        self.walk += 1;
        for &key in self.index.matches(subject).flat_map(|(_, subscribers)| subscribers) {
            // A later peer may have the place of one that has gone.
            if self.peers.get(key).is_some() {
                self.seen[key.slot()] = self.walk;
            }
        }
        out.extend(self.peers.keys().filter(|key| self.seen[key.slot()] != self.walk));
    }

    /// Whether a peer has come and not gone.
    pub fn has(&self, key: PeerKey) -> bool {
        self.peers.get(key).is_some()
    }

    /// A topic as the hub keeps it, if a peer has it, or has had it and is still to be [swept](Self::sweep).
    pub fn topic(&self, topic: &[u8]) -> Option<&Bytes> {
        self.index.get_key_value(topic).map(|(topic, _)| topic)
    }

    /// What a peer wants, sorted.
    pub fn topics(&self, key: PeerKey) -> impl Iterator<Item = &Bytes> {
        self.peers.get(key).into_iter().flat_map(|peer| &peer.topics)
    }

    /// How many bytes the topics of a peer have, all together.
    pub fn topic_bytes(&self, key: PeerKey) -> usize {
        self.peers.get(key).map_or(0, |peer| peer.bytes)
    }

    /// How many subscriptions there are, those of two peers to one topic being two.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions
    }

    /// How many different topics are subscribed to, and were by peers whose topics are still to be [swept](Self::sweep).
    pub fn topic_count(&self) -> usize {
        self.index.len()
    }

    fn admit(&mut self, key: PeerKey) {
        if self.peers.is_stale(key) || self.peers.get(key).is_some() {
            return;
        }
        if let Some(old) = self.peers.at_slot(key.slot()) {
            self.forget(old);
        }
        self.peers.insert(key, Peer::default());
        if self.seen.len() <= key.slot() {
            self.seen.resize(key.slot() + 1, 0);
        }
    }

    fn forget(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(key) else { return };
        self.subscriptions -= peer.topics.len();
        if !peer.topics.is_empty() {
            self.departed.push_back((key, peer.topics.into_iter()));
        }
    }

    /// Takes a peer off the list of a topic, and the topic out of the index when nobody is left.
    fn leave(&mut self, key: PeerKey, topic: &[u8]) -> Cancelled {
        let Some(subscribers) = self.index.get_mut(topic) else { return Cancelled::Unknown };
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
        Cancelled::Left
    }
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// Added; nobody had the topic before.
    First,
    /// Added; other peers have the topic as well.
    Joined,
    /// The peer had it already.
    Already,
    /// The peer has as much as it may have.
    Refused(SubscriptionLimit),
    /// There is no such peer, or no longer.
    NoPeer,
}

/// What became of the cancelling of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Taken away; nobody has the topic now.
    Last,
    /// Taken away; other peers still have the topic.
    Left,
    /// The peer did not have it, or there is no such peer.
    Unknown,
}

/// How much a peer may subscribe to, as all of it is memory that the peer decides about.
///
/// ```
/// use monocoque_core::{PubSubHub, SubscriptionLimits};
///
/// let hub = PubSubHub::new(SubscriptionLimits { topics: 1000, ..SubscriptionLimits::default() });
/// assert_eq!(hub.subscription_count(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionLimits {
    /// How many topics. The default is 1,000,000; each costs about two hundred bytes beside its own.
    pub topics: usize,
    /// How many bytes, all topics together. The default is 64 MiB.
    pub bytes: usize,
}

impl SubscriptionLimits {
    fn exceeded_by(&self, peer: &Peer, topic: &[u8]) -> Option<SubscriptionLimit> {
        if peer.unlimited {
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

/// The limit at which a subscription was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionLimit {
    /// [`SubscriptionLimits::topics`].
    Topics,
    /// [`SubscriptionLimits::bytes`].
    Bytes,
}
