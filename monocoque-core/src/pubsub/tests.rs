//! The prefix table against a scan of all topics, and the hub against a list of all subscriptions.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::{PeerEvent, PeerKey, PeerTable};

#[test]
fn diverging_topics_are_skipped() {
    let mut index = SubscriptionIndex::new();
    for topic in [&b""[..], b"a", b"a\0", b"aa\0", b"aaa", b"aaa\0", b"aaaa", b"b", b"\xff\xff"] {
        index.insert(Bytes::from_static(topic), ());
    }
    let found: Vec<_> = index.matches(b"aaaa").map(|(topic, ())| topic.to_vec()).collect();
    assert_eq!(found, [&b"aaaa"[..], b"aaa", b"a", b""]);
    assert_eq!(index.matches(b"\xff").count(), 1);
    index.remove(b"");
    assert!(index.get_key_value_mut(b"a").is_some() && index.get_key_value_mut(b"aa").is_none());
    assert!(!index.any_match(b"\xff") && !index.any_match(b"") && index.any_match(b"\xff\xff\0"));
}

/// The most branches that a walk may pass, for any set of topics.
fn most_steps(subject: &[u8]) -> usize {
    9 * (subject.len() + 1)
}

#[test]
fn match_steps_bounded_by_subject_length() {
    let chain = |len: usize, end: u8| [&*vec![b'a'; len], &[end]].concat();
    // Of every length, and each of them parts from the subject only in its last byte; at every bit;
    // and one in another.
    let last_byte: Vec<_> = (0..1000).map(|len| chain(len, 0)).collect();
    let every_bit: Vec<_> = (0..8000).map(|n| chain(n / 8, b'a' ^ 1 << (n % 8))).collect();
    let nested: Vec<_> = (0..1000).map(|len| vec![b'a'; len]).collect();
    for (topics, found) in [(last_byte, 0), (every_bit, 0), (nested, 1000)] {
        let mut index = SubscriptionIndex::new();
        for topic in &topics {
            assert_eq!(index.insert(topic.clone(), ()), None);
        }
        for subject in [vec![], vec![b'a'; 10], vec![0; 10], vec![b'a'; 1000], vec![b'a'; 4000]] {
            let steps = index.steps(&subject);
            assert!(steps <= most_steps(&subject), "{steps} for {} bytes", subject.len());
            assert_eq!(
                index.matches(&subject).count(),
                topics.iter().filter(|topic| subject.starts_with(topic)).count()
            );
        }
        assert_eq!(index.matches(&[b'a'; 1000]).count(), found);
        topics.iter().for_each(|topic| assert_eq!(index.remove(topic), Some(())));
        assert!(index.is_empty() && !index.any_match(b""));
    }
}

#[test]
fn removal_keeps_remaining_topics_sorted() {
    // Taken out in another order than put in, so that all places are used again.
    let topic = |n: usize| format!("{:04}", n * 7919 % 3001);
    let mut index: SubscriptionIndex<usize> = SubscriptionIndex::new();
    for round in 0..3 {
        for n in 0..3000 {
            index.insert(topic(n), n);
        }
        assert_eq!(index.iter().len(), 3000);
        assert!(index.iter().is_sorted_by_key(|(topic, _)| topic));
        for n in (0..3000).rev().filter(|n| n % 3 != round) {
            assert_eq!(index.remove(topic(n).as_bytes()), Some(n));
            assert_eq!(index.remove(topic(n).as_bytes()), None);
        }
        assert_eq!(index.iter().count(), 1000);
        for n in 0..3000 {
            assert_eq!(index.get(topic(n).as_bytes()), (n % 3 == round).then_some(&n));
        }
    }
}

#[test]
fn hundred_thousand_topics_match_exactly() {
    let mut hub = PubSubHub::default();
    let keys = up(&mut hub, 2);
    let topic = |n: u32| format!("instrument.{n:06}.");
    for n in 0..100_000 {
        assert_eq!(hub.subscribe(keys[n as usize % 2], topic(n)), Subscribed::First);
    }
    let mut to = Vec::new();
    for n in 0..100_000 {
        hub.matches(format!("{}price", topic(n)).as_bytes(), &mut to);
        assert_eq!(to, [keys[n as usize % 2]]);
    }
    hub.matches(b"instrument.", &mut to);
    assert!(to.is_empty());
    for (key, left) in [(keys[0], 50_000), (keys[1], 0)] {
        hub.on_event(PeerEvent::Down { key });
        assert_eq!((hub.subscription_count(), hub.topic_count()), (left, left + 50_000));
        assert_eq!(swept(&mut hub).len(), 50_000);
        assert_eq!((hub.subscription_count(), hub.topic_count()), (left, left));
    }
}

#[test]
fn huge_topic_subscribes_and_cancels() {
    let mut hub = PubSubHub::default();
    let key = up(&mut hub, 1)[0];
    let topic = Bytes::from(vec![7; 16 << 20]);
    let subject = [&topic[..], b"tail"].concat();
    let mut to = Vec::new();
    for _ in 0..2 {
        assert_eq!(hub.subscribe(key, &topic), Subscribed::First);
        assert_eq!(hub.subscribe(key, &topic[1..]), Subscribed::First);
        hub.matches(&subject, &mut to);
        assert_eq!(to, [key]);
        hub.matches(&topic[2..], &mut to);
        assert!(to.is_empty());
        assert_eq!(hub.cancel(key, &topic), Cancelled::Last);
        assert_eq!(hub.cancel(key, &topic), Cancelled::NotSubscribed);
        assert_eq!(hub.cancel(key, &topic[1..]), Cancelled::Last);
    }
    hub.subscribe(key, &topic);
    drop(hub);
}

#[test]
fn duplicate_subscriptions_match_peer_once() {
    let mut hub = PubSubHub::default();
    let keys = up(&mut hub, 32);
    for key in &keys {
        hub.subscribe(*key, "");
        hub.subscribe(*key, "a");
        assert_eq!(hub.subscribe(*key, "a"), Subscribed::AlreadySubscribed);
    }
    hub.subscribe(keys[5], "ab");
    assert_eq!((hub.subscription_count(), hub.topic_count()), (65, 3));
    let mut to = vec![keys[0]; 9];
    for subject in ["abc", "abc", "b"] {
        hub.matches(subject.as_bytes(), &mut to);
        to.sort();
        assert_eq!(to, keys);
    }
    assert_eq!(hub.cancel(keys[5], b"ab"), Cancelled::Last);
    assert_eq!(hub.cancel(keys[5], b"a"), Cancelled::OthersRemain);
    assert_eq!(hub.cancel(keys[5], b"never"), Cancelled::NotSubscribed);
}

#[test]
fn reused_slot_inherits_no_subscriptions() {
    let mut hub = PubSubHub::default();
    let (old, new, other) = (PeerKey::new(0, 1), PeerKey::new(0, 3), PeerKey::new(1, 2));
    let mut to = Vec::new();
    assert_eq!(hub.subscribe(old, "early"), Subscribed::NoPeer);
    hub.on_event(PeerEvent::Up { key: old, id: () });
    hub.on_event(PeerEvent::Up { key: other, id: () });
    for topic in ["both", "mine", "again"] {
        hub.subscribe(old, topic);
    }
    hub.subscribe(other, "both");

    // The slot is used again before the hub gets the end.
    hub.on_event(PeerEvent::Up { key: new, id: () });
    hub.subscribe(new, "new");
    assert_eq!(hub.subscribe(old, "late"), Subscribed::NoPeer);
    assert_eq!(hub.cancel(old, b"new"), Cancelled::NotSubscribed);
    hub.on_event(PeerEvent::Down { key: old });
    hub.on_event(PeerEvent::Up { key: old, id: () });
    // Before and after its topics are taken down.
    for gone in [
        &[
            (old, "again", Cancelled::Last),
            (old, "both", Cancelled::OthersRemain),
            (old, "mine", Cancelled::Last),
        ][..],
        &[],
    ] {
        assert_eq!(hub.subscription_count(), 2);
        assert_eq!(hub.is_departed(old), !gone.is_empty());
        for (subject, wanted) in [("new", Some(new)), ("both", Some(other)), ("mine", None)] {
            hub.matches(subject.as_bytes(), &mut to);
            assert_eq!(to, Vec::from_iter(wanted));
            hub.non_matching(subject.as_bytes(), &mut to);
            assert_eq!(to.len(), 2 - wanted.iter().len());
        }
        let gone: Vec<_> = gone.iter().map(|(key, topic, left)| (*key, (*topic).to_owned(), *left)).collect();
        assert_eq!(swept(&mut hub), gone);
    }
    assert_eq!(hub.topic_count(), 2);

    hub.on_event(PeerEvent::Down { key: new });
    hub.on_event(PeerEvent::Down { key: other });
    let gone = [(new, "new".to_owned(), Cancelled::Last), (other, "both".to_owned(), Cancelled::Last)];
    assert_eq!(swept(&mut hub), gone);
    hub.on_event(PeerEvent::Up { key: other, id: () });
    assert_eq!(hub.subscribe(other, "late"), Subscribed::NoPeer, "also when the hub has become empty");
}

#[test]
fn peer_subscription_limits_are_enforced() {
    let mut hub = PubSubHub::new(SubscriptionLimits { topics: 2, bytes: 6 });
    let keys = up(&mut hub, 2);
    assert_eq!(hub.subscribe(keys[0], "1234567"), Subscribed::Refused(SubscriptionLimit::Bytes));
    assert_eq!(hub.subscribe(keys[0], "123456"), Subscribed::First);
    assert_eq!(hub.subscribe(keys[0], "1"), Subscribed::Refused(SubscriptionLimit::Bytes));
    assert_eq!(hub.subscribe(keys[0], "123456"), Subscribed::AlreadySubscribed);
    assert_eq!(hub.subscribe(keys[0], ""), Subscribed::First);
    assert_eq!(hub.subscribe(keys[0], "1"), Subscribed::Refused(SubscriptionLimit::Topics));
    assert_eq!(hub.subscribe(keys[1], "123456"), Subscribed::Joined);
    hub.cancel(keys[0], b"123456");
    assert_eq!(hub.subscribe(keys[0], "654321"), Subscribed::First);
    assert_eq!((hub.subscription_count(), hub.topic_count()), (3, 3));
}

#[test]
fn topic_copy_releases_receive_buffer() {
    let mut hub = PubSubHub::default();
    let key = up(&mut hub, 1)[0];
    let page = Bytes::from(vec![b'x'; 65536]);
    hub.subscribe(key, page.slice(..3));
    assert!(page.is_unique());
}

/// A naive model of the hub, which searches lists.
#[derive(Debug, Default)]
struct Naive {
    live: Vec<PeerKey>,
    ended: Vec<PeerKey>,
    subscriptions: Vec<(PeerKey, Vec<u8>)>,
    /// The subscriptions of departed peers, in the order in which they are swept.
    departed: Vec<(PeerKey, Vec<u8>)>,
}

impl Naive {
    fn is_stale(&self, key: PeerKey) -> bool {
        let same_place = |other: &&PeerKey| other.slot() == key.slot();
        self.ended.iter().filter(same_place).any(|other| other.epoch() >= key.epoch())
            || self.live.iter().filter(same_place).any(|other| other.epoch() > key.epoch())
    }

    fn up(&mut self, key: PeerKey) {
        if self.is_stale(key) || self.live.contains(&key) {
            return;
        }
        let before = self.live.iter().copied().find(|other| other.slot() == key.slot());
        if let Some(before) = before {
            self.down(before);
        }
        self.live.push(key);
    }

    fn down(&mut self, key: PeerKey) {
        let topics = self.topics(key);
        self.live.retain(|other| *other != key);
        self.ended.push(key);
        if !self.departed.iter().any(|(other, _)| *other == key) {
            self.departed.extend(topics.into_iter().map(|topic| (key, topic)));
        }
    }

    fn sweep(&mut self, max: usize) -> Vec<(PeerKey, Vec<u8>, Cancelled)> {
        let gone: Vec<_> = self.departed.drain(..max.min(self.departed.len())).collect();
        let told = gone.into_iter().map(|(key, topic)| {
            self.subscriptions.retain(|(other, wanted)| *other != key || *wanted != topic);
            let left = if self.wanted(&topic) == 0 { Cancelled::Last } else { Cancelled::OthersRemain };
            (key, topic, left)
        });
        told.collect()
    }

    fn wanted(&self, topic: &[u8]) -> usize {
        self.subscriptions.iter().filter(|(_, other)| other == topic).count()
    }

    fn subscribe(&mut self, key: PeerKey, topic: &[u8], limits: SubscriptionLimits) -> Subscribed {
        let mine: Vec<_> = self.subscriptions.iter().filter(|(other, _)| *other == key).collect();
        if !self.live.contains(&key) {
            Subscribed::NoPeer
        } else if mine.iter().any(|(_, other)| other == topic) {
            Subscribed::AlreadySubscribed
        } else if mine.len() == limits.topics {
            Subscribed::Refused(SubscriptionLimit::Topics)
        } else if mine.iter().map(|(_, other)| other.len()).sum::<usize>() + topic.len() > limits.bytes {
            Subscribed::Refused(SubscriptionLimit::Bytes)
        } else {
            let first = self.wanted(topic) == 0;
            self.subscriptions.push((key, topic.to_vec()));
            if first { Subscribed::First } else { Subscribed::Joined }
        }
    }

    fn cancel(&mut self, key: PeerKey, topic: &[u8]) -> Cancelled {
        if !self.live.contains(&key) {
            return Cancelled::NotSubscribed;
        }
        let before = self.subscriptions.len();
        self.subscriptions.retain(|(other, wanted)| *other != key || wanted != topic);
        match self.subscriptions.len() < before {
            true if self.wanted(topic) == 0 => Cancelled::Last,
            true => Cancelled::OthersRemain,
            false => Cancelled::NotSubscribed,
        }
    }

    fn all(&self) -> Vec<PeerKey> {
        let mut keys = self.live.clone();
        keys.sort();
        keys
    }

    fn topics(&self, key: PeerKey) -> Vec<Vec<u8>> {
        if !self.live.contains(&key) {
            return Vec::new();
        }
        let mine = self.subscriptions.iter().filter(|(other, _)| *other == key);
        let mut topics: Vec<_> = mine.map(|(_, topic)| topic.clone()).collect();
        topics.sort();
        topics
    }

    fn matches(&self, subject: &[u8]) -> Vec<PeerKey> {
        let alive = self.subscriptions.iter().filter(|(key, _)| self.live.contains(key));
        let wanting = alive.filter(|(_, topic)| subject.starts_with(topic));
        let mut keys: Vec<_> = wanting.map(|(key, _)| *key).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

#[derive(Clone, Debug)]
enum Op {
    Open,
    Up(usize),
    /// The connection ends, and the hub gets the event or does not.
    End(usize, bool),
    Subscribe(usize, Vec<u8>),
    Cancel(usize, Vec<u8>),
    /// Sweeps so many topics of departed peers.
    Sweep(usize),
    Match(Vec<u8>),
}

fn topic() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(select(b"ab".as_slice()), 0..=6), vec(select(b"a\x00\xff".as_slice()), 0..=6)]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let at = 0..64usize;
    let op = prop_oneof![
        2 => Just(Op::Open),
        1 => at.clone().prop_map(Op::Up),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, told)| Op::End(at, told)),
        8 => (at.clone(), topic()).prop_map(|(at, topic)| Op::Subscribe(at, topic)),
        3 => (at, topic()).prop_map(|(at, topic)| Op::Cancel(at, topic)),
        3 => (0..6usize).prop_map(Op::Sweep),
        6 => topic().prop_map(Op::Match),
    ];
    vec(op, 0..160)
}

proptest! {
    #[test]
    fn index_agrees_with_full_scan(topics in vec(topic(), 0..60), subjects in vec(topic(), 1..30)) {
        let mut index = SubscriptionIndex::new();
        let mut kept: Vec<&Vec<u8>> = Vec::new();
        for (n, topic) in topics.iter().enumerate() {
            if n % 3 == 2 {
                prop_assert_eq!(index.remove(topic).is_some(), kept.contains(&topic));
                kept.retain(|other| *other != topic);
            } else {
                let known = kept.contains(&topic);
                prop_assert_eq!(index.insert(topic.clone(), n).is_some(), known);
                if !known {
                    kept.push(topic);
                }
            }
        }
        prop_assert_eq!(index.len(), kept.len());
        let mut sorted = kept.clone();
        sorted.sort();
        prop_assert!(index.iter().map(|(topic, _)| topic).eq(sorted));
        for subject in &subjects {
            let mut expected: Vec<_> = kept.iter().filter(|topic| subject.starts_with(topic)).collect();
            expected.sort_by_key(|topic| std::cmp::Reverse(topic.len()));
            let found: Vec<_> = index.matches(subject).map(|(topic, _)| topic).collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(index.any_match(subject), !expected.is_empty());
            prop_assert!(index.steps(subject) <= most_steps(subject));
        }
    }

    #[test]
    fn hub_matches_naive_model(ops in ops()) {
        let limits = SubscriptionLimits { topics: 6, bytes: 20 };
        let mut table = PeerTable::new();
        let mut keys = std::vec![table.insert(())];
        let mut hub = PubSubHub::new(limits);
        let mut naive = Naive::default();
        let mut to = Vec::new();
        for op in ops {
            let pick = |at: usize| keys[at % keys.len()];
            match op {
                Op::Open => {
                    let key = table.insert(());
                    keys.push(key);
                    hub.on_event(PeerEvent::Up { key, id: () });
                    naive.up(key);
                }
                Op::Up(at) => {
                    hub.on_event(PeerEvent::Up { key: pick(at), id: () });
                    naive.up(pick(at));
                }
                Op::End(at, told) => {
                    let key = pick(at);
                    table.remove(key);
                    if told {
                        hub.on_event(PeerEvent::Down { key });
                        naive.down(key);
                    }
                }
                Op::Subscribe(at, topic) => {
                    let expected = naive.subscribe(pick(at), &topic, limits);
                    prop_assert_eq!(hub.subscribe(pick(at), &topic), expected);
                }
                Op::Cancel(at, topic) => {
                    prop_assert_eq!(hub.cancel(pick(at), &topic), naive.cancel(pick(at), &topic));
                }
                Op::Sweep(max) => {
                    let mut gone = Vec::new();
                    let more = hub.sweep(max, |key, topic, left| gone.push((key, topic.to_vec(), left)));
                    prop_assert_eq!(&gone, &naive.sweep(max));
                    prop_assert_eq!(more, !naive.departed.is_empty());
                }
                Op::Match(subject) => {
                    hub.matches(&subject, &mut to);
                    to.sort();
                    prop_assert_eq!(&to, &naive.matches(&subject));
                    hub.non_matching(&subject, &mut to);
                    to.extend(naive.matches(&subject));
                    to.sort();
                    prop_assert_eq!(&to, &naive.all());
                    for key in &keys {
                        prop_assert_eq!(hub.contains(*key), to.contains(key));
                        let topics: Vec<_> = hub.topics(*key).map(|topic| topic.to_vec()).collect();
                        prop_assert_eq!(topics, naive.topics(*key));
                    }
                }
            }
            prop_assert_eq!(hub.subscription_count(), naive.subscriptions.len() - naive.departed.len());
        }
    }
}

fn up(hub: &mut PubSubHub, peers: u32) -> Vec<PeerKey> {
    let keys: Vec<_> = (0..peers).map(|n| PeerKey::new(n, 1 + u64::from(n))).collect();
    keys.iter().for_each(|key| hub.on_event(PeerEvent::Up { key: *key, id: () }));
    keys
}

/// Sweeps the topics of departed peers, three at a time.
fn swept(hub: &mut PubSubHub) -> Vec<(PeerKey, String, Cancelled)> {
    let mut gone = Vec::new();
    while hub.sweep(3, |key, topic, left| {
        gone.push((key, String::from_utf8(topic.to_vec()).expect("text"), left));
    }) {}
    gone
}
