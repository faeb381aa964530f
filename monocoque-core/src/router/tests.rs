//! The router hub, by itself and against lists.

use proptest::prelude::*;

use super::*;
use crate::PeerTable;

#[test]
fn round_robin_skips_full_peers() {
    let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 3);
    assert_eq!(serve(&mut hub, 6), [keys[0], keys[1], keys[2], keys[0], keys[1], keys[2]]);
    hub.pass_turn(keys[0], Room::Full);
    assert_eq!(serve(&mut hub, 3), [keys[1], keys[2], keys[1]]);
    hub.on_room(keys[0]);
    hub.on_room(keys[0]);
    assert_eq!(serve(&mut hub, 6), [keys[2], keys[1], keys[0], keys[2], keys[1], keys[0]]);
}

#[test]
fn unroutable_message_returns_with_reason() {
    let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 1);
    hub.pass_turn(keys[0], Room::Full);
    assert_eq!(hub.next_peer(), Err(NoRoute::AllFull));
    assert_eq!(hub.lookup(b""), None, "any bytes can be looked up");
    hub.on_event(PeerEvent::Down { key: keys[0] }).unwrap();
    assert_eq!(hub.next_peer(), Err(NoRoute::NoPeer));
}

#[test]
fn id_routing_keeps_no_ring() {
    let (mut hub, keys) = hub_of(RouterBehavior::ById, 2);
    hub.pass_turn(keys[0], Room::Available);
    hub.on_room(keys[1]);
    assert!(hub.ring.is_empty());
    assert_eq!(hub.next_peer(), Err(NoRoute::NoPeer));
    assert_eq!(hub.lookup(b"1"), Some(keys[1]));
}

#[test]
fn duplicate_id_is_rejected_until_takeover() {
    let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 2);
    let (old, new) = (keys[0], PeerKey::new(2, 3));
    let up = PeerEvent::Up { key: new, id: id(0) };
    assert_eq!(hub.on_event(up), Err(DuplicateId { id: id(0), holder: old }));
    assert_eq!((hub.lookup(b"0"), hub.len(), hub.id_of(new)), (Some(old), 2, None));

    assert_eq!(hub.take_over(new, id(0)), Some(old));
    assert_eq!((hub.lookup(b"0"), hub.len(), hub.id_of(old)), (Some(new), 2, None));
    hub.on_event(PeerEvent::Down { key: old }).unwrap();
    hub.on_event(PeerEvent::Up { key: old, id: id(5) }).unwrap();
    assert_eq!((hub.lookup(b"0"), hub.lookup(b"5"), hub.len()), (Some(new), None, 2));
    assert_eq!(serve(&mut hub, 3), [keys[1], new, keys[1]]);
}

#[test]
fn renamed_holder_frees_its_id() {
    let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 1);
    let new = PeerKey::new(1, 2);
    assert_eq!(hub.take_over(keys[0], id(9)), None);
    hub.on_event(PeerEvent::Up { key: new, id: id(0) }).unwrap();
    assert_eq!((hub.lookup(b"9"), hub.lookup(b"0")), (Some(keys[0]), Some(new)));
    assert_eq!(serve(&mut hub, 2), [keys[0], new]);
}

#[test]
fn stale_epoch_events_are_ignored() {
    let mut hub = RouterHub::new(RouterBehavior::RoundRobin);
    let (old, new) = (PeerKey::new(0, 1), PeerKey::new(0, 2));
    hub.on_event(PeerEvent::Up { key: old, id: id(0) }).unwrap();
    // The slot is used again, under the same id, before the hub gets the end.
    hub.on_event(PeerEvent::Up { key: new, id: id(0) }).unwrap();
    hub.on_event(PeerEvent::Down { key: old }).unwrap();
    hub.pass_turn(old, Room::Full);
    hub.on_room(old);
    hub.on_event(PeerEvent::Up { key: old, id: id(1) }).unwrap();
    assert_eq!(hub.take_over(old, id(0)), None);
    assert_eq!((hub.len(), hub.lookup(b"0"), hub.lookup(b"1")), (1, Some(new), None));
    assert_eq!(serve(&mut hub, 2), [new, new]);

    hub.on_event(PeerEvent::Down { key: new }).unwrap();
    hub.on_event(PeerEvent::Up { key: new, id: id(0) }).unwrap();
    assert!(hub.is_empty() && hub.lookup(b"0").is_none(), "also when the hub has become empty");
}

#[test]
fn connection_churn_keeps_memory_bounded() {
    let mut table = PeerTable::new();
    let mut hub = RouterHub::new(RouterBehavior::RoundRobin);
    let stays = table.insert(());
    hub.on_event(PeerEvent::Up { key: stays, id: id(0) }).unwrap();
    for n in 1..100_000u32 {
        let key = table.insert(());
        let id = RoutingId::try_from(&n.to_be_bytes()).unwrap();
        hub.on_event(PeerEvent::Up { key, id }).unwrap();
        hub.on_event(PeerEvent::Down { key }).unwrap();
        table.remove(key);
    }
    assert!(hub.ring.len() <= 2 + SPARE && hub.by_id.capacity() <= 4 + SPARE && hub.peers.slots() == 2);

    let keys: Vec<_> = (1..10_000u32).map(|_| table.insert(())).collect();
    for (key, n) in keys.iter().zip(1..10_000u32) {
        hub.on_event(PeerEvent::Up { key: *key, id: RoutingId::try_from(&n.to_be_bytes()).unwrap() })
            .unwrap();
    }
    keys.iter().for_each(|key| hub.on_event(PeerEvent::Down { key: *key }).unwrap());
    assert!(hub.ring.capacity() < 512 && hub.by_id.capacity() < 512);
    assert_eq!(serve(&mut hub, 2), [stays, stays]);
}

/// A naive model of the hub, which searches lists.
#[derive(Debug, Default)]
struct Naive {
    live: Vec<(PeerKey, RoutingId)>,
    ended: Vec<PeerKey>,
    ring: Vec<PeerKey>,
}

impl Naive {
    fn is_stale(&self, key: PeerKey) -> bool {
        let same_place = |other: &PeerKey| other.slot() == key.slot();
        self.ended.iter().filter(|other| same_place(other)).any(|other| other.epoch() >= key.epoch())
            || self.keys().filter(same_place).any(|other| other.epoch() > key.epoch())
    }

    fn keys(&self) -> impl Iterator<Item = PeerKey> {
        self.live.iter().map(|(key, _)| *key)
    }

    fn lookup(&self, id: &RoutingId) -> Option<PeerKey> {
        self.live.iter().find(|(_, other)| other == id).map(|(key, _)| *key)
    }

    fn down(&mut self, key: PeerKey) {
        self.live.retain(|(other, _)| *other != key);
        self.ring.retain(|other| *other != key);
        self.ended.push(key);
    }

    /// Returns the peer that has the id already, if there is one.
    fn up(&mut self, key: PeerKey, id: &RoutingId) -> Option<PeerKey> {
        if self.is_stale(key) {
            return None;
        }
        let other = self.lookup(id).filter(|holder| holder.slot() != key.slot());
        if other.is_none() {
            self.take_over(key, id);
        }
        other
    }

    fn take_over(&mut self, key: PeerKey, id: &RoutingId) -> Option<PeerKey> {
        if self.is_stale(key) {
            return None;
        }
        let holder = self.lookup(id).filter(|holder| *holder != key);
        let before = self.keys().find(|other| other.slot() == key.slot() && *other != key);
        holder.into_iter().chain(before).for_each(|gone| self.down(gone));
        match self.live.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = id.clone(),
            None => {
                self.live.push((key, id.clone()));
                self.ring.push(key);
            }
        }
        holder
    }

    fn pass_turn(&mut self, key: PeerKey, room: Room) {
        let before = self.ring.len();
        self.ring.retain(|other| *other != key);
        if self.ring.len() < before && room == Room::Available {
            self.ring.push(key);
        }
    }

    fn on_room(&mut self, key: PeerKey) {
        if self.keys().any(|other| other == key) && !self.ring.contains(&key) {
            self.ring.push(key);
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Open(u8),
    Up(usize, u8),
    TakeOver(usize, u8),
    /// The connection ends, and the hub gets the event or does not.
    End(usize, bool),
    Next(bool),
    To(u8, bool),
    Served(usize, bool),
    Room(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let id = 0..5u8;
    let at = 0..64usize;
    let op = prop_oneof![
        4 => id.clone().prop_map(Op::Open),
        1 => (at.clone(), id.clone()).prop_map(|(at, id)| Op::Up(at, id)),
        1 => (at.clone(), id.clone()).prop_map(|(at, id)| Op::TakeOver(at, id)),
        3 => (at.clone(), any::<bool>()).prop_map(|(at, told)| Op::End(at, told)),
        6 => any::<bool>().prop_map(Op::Next),
        2 => (id, any::<bool>()).prop_map(|(id, full)| Op::To(id, full)),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, full)| Op::Served(at, full)),
        3 => at.prop_map(Op::Room),
    ];
    proptest::collection::vec(op, 0..120)
}

proptest! {
    #[test]
    fn hub_matches_naive_model(ops in ops()) {
        let mut table = PeerTable::new();
        let mut keys = vec![table.insert(())];
        let mut hub = RouterHub::new(RouterBehavior::RoundRobin);
        let mut naive = Naive::default();
        let room = |full| if full { Room::Full } else { Room::Available };
        for op in ops {
            let pick = |at: usize| keys[at % keys.len()];
            match op {
                Op::Open(n) => {
                    let key = table.insert(());
                    let blamed = hub.on_event(PeerEvent::Up { key, id: id(n) }).err().map(|error| error.holder);
                    prop_assert_eq!(blamed, naive.up(key, &id(n)));
                    keys.push(key);
                }
                Op::Up(at, n) => {
                    let key = pick(at);
                    let blamed = hub.on_event(PeerEvent::Up { key, id: id(n) }).err().map(|error| error.holder);
                    prop_assert_eq!(blamed, naive.up(key, &id(n)));
                }
                Op::TakeOver(at, n) => {
                    prop_assert_eq!(hub.take_over(pick(at), id(n)), naive.take_over(pick(at), &id(n)));
                }
                Op::End(at, told) => {
                    let key = pick(at);
                    table.remove(key);
                    if told {
                        hub.on_event(PeerEvent::Down { key }).unwrap();
                        naive.down(key);
                    }
                }
                Op::Next(full) => {
                    let found = hub.next_peer().ok();
                    prop_assert_eq!(found, naive.ring.first().copied());
                    if let Some(key) = found {
                        hub.pass_turn(key, room(full));
                        naive.pass_turn(key, room(full));
                    }
                }
                Op::To(n, full) => {
                    let found = hub.lookup(&id(n));
                    prop_assert_eq!(found, naive.lookup(&id(n)));
                    if let Some(key) = found {
                        hub.pass_turn(key, room(full));
                        naive.pass_turn(key, room(full));
                    }
                }
                Op::Served(at, full) => {
                    hub.pass_turn(pick(at), room(full));
                    naive.pass_turn(pick(at), room(full));
                }
                Op::Room(at) => {
                    hub.on_room(pick(at));
                    naive.on_room(pick(at));
                }
            }
            let ring: Vec<_> = hub.ring.iter().copied().filter(|key| hub.id_of(*key).is_some()).collect();
            prop_assert_eq!(&ring, &naive.ring);
            prop_assert_eq!((hub.len(), hub.by_id.len()), (naive.live.len(), naive.live.len()));
            for (key, id) in &naive.live {
                prop_assert_eq!((hub.id_of(*key), hub.lookup(id)), (Some(id), Some(*key)));
            }
        }
    }
}

fn id(n: u8) -> RoutingId {
    RoutingId::try_from(n.to_string()).expect("has one byte")
}

fn hub_of(behavior: RouterBehavior, peers: u8) -> (RouterHub, Vec<PeerKey>) {
    let mut hub = RouterHub::new(behavior);
    let keys: Vec<_> = (0..peers).map(|n| PeerKey::new(n.into(), 1 + u64::from(n))).collect();
    for (key, n) in keys.iter().zip(0..) {
        hub.on_event(PeerEvent::Up { key: *key, id: id(n) }).expect("ids differ");
    }
    (hub, keys)
}

fn serve(hub: &mut RouterHub, times: usize) -> Vec<PeerKey> {
    let mut next = || {
        let key = hub.next_peer().expect("a peer has room");
        hub.pass_turn(key, Room::Available);
        key
    };
    (0..times).map(|_| next()).collect()
}
