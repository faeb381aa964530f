//! Which peer gets a message: the next in turn, or the one with an id.
//!
//! A state machine under its socket's lock. It is told of peers and of which of them have room, and answers with a
//! [`PeerKey`]. It holds no messages, and does not know what an id looks like in one.

use std::collections::{HashMap, VecDeque};

use thiserror::Error;

use crate::peer::PeerRows;
use crate::{PeerEvent, PeerKey, RoutingId};

/// The peers of a socket by id, and those with room in the order in which it is their turn.
///
/// Ids are unique among live peers. Where a socket does not care for ids, its peers are given made-up ones.
///
/// ```
/// use monocoque_core::{PeerEvent, PeerKey, Room, RouterBehavior, RouterCmd, RouterHub, RoutingId};
///
/// let mut hub = RouterHub::new(RouterBehavior::RoundRobin);
/// for (slot, id) in ["a", "b"].into_iter().enumerate() {
///     let key = PeerKey::new(slot as u32, 1);
///     hub.on_event(PeerEvent::Up { key, id: RoutingId::try_from(id)? })?;
/// }
///
/// let first = hub.route(RouterCmd::Next("hello"))?;
/// hub.served(first.key, Room::Available);
/// let second = hub.route(RouterCmd::Next("hello"))?;
/// assert_ne!(first.key, second.key);
///
/// let to_b = hub.route(RouterCmd::To(b"b", "hello"))?;
/// assert_eq!(to_b.key, PeerKey::new(1, 1));
/// assert_eq!(hub.route(RouterCmd::To(b"c", "hello")).unwrap_err().message, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RouterHub {
    behavior: RouterBehavior,
    peers: PeerRows<Peer>,
    by_id: HashMap<RoutingId, PeerKey>,
    /// Each live peer with room once, and keys of ended connections here and there.
    ring: VecDeque<PeerKey>,
}

#[derive(Debug)]
struct Peer {
    id: RoutingId,
    in_ring: bool,
}

impl RouterHub {
    /// A hub without peers.
    pub fn new(behavior: RouterBehavior) -> Self {
        Self { behavior, peers: PeerRows::default(), by_id: HashMap::new(), ring: VecDeque::new() }
    }

    /// Takes note of a peer that has come, with room, or gone.
    ///
    /// Events of an ended connection change nothing.
    ///
    /// # Errors
    ///
    /// If another live peer has the id. Nothing has changed then: the caller refuses the newcomer, or lets it
    /// [`take_over`](Self::take_over), or gives it another id and tries again.
    pub fn on_event(&mut self, event: PeerEvent<RoutingId>) -> Result<(), DuplicateId> {
        match event {
            PeerEvent::Up { key, .. } if self.peers.is_late(key) => {}
            PeerEvent::Up { key, id } => match self.lookup(&id) {
                // One that holds the id from the same place is the peer itself, or ended without a word.
                Some(holder) if holder.slot() != key.slot() => return Err(DuplicateId { id, holder }),
                _ => self.admit(key, id),
            },
            PeerEvent::Down { key } => self.forget(key),
        }
        Ok(())
    }

    /// Brings a peer up under an id, whoever has it, or gives another id to one that is up.
    ///
    /// Gives back the key of the peer that had the id. To the hub that one is gone; closing it is up to the caller, as is
    /// giving it another id beforehand if it is to stay.
    pub fn take_over(&mut self, key: PeerKey, id: RoutingId) -> Option<PeerKey> {
        if self.peers.is_late(key) {
            return None;
        }
        let old = self.lookup(&id).filter(|holder| *holder != key);
        if let Some(old) = old {
            self.forget(old);
        }
        self.admit(key, id);
        old
    }

    /// The live peer with this id.
    #[inline]
    pub fn lookup(&self, id: &[u8]) -> Option<PeerKey> {
        self.by_id.get(id).copied()
    }

    /// The id of a live peer.
    #[inline]
    pub fn id_of(&self, key: PeerKey) -> Option<&RoutingId> {
        self.peers.get(key).map(|peer| &peer.id)
    }

    /// Finds the peer for a command.
    ///
    /// Asking changes nobody's turn: that is for [`served`](Self::served), once the message is queued.
    ///
    /// # Errors
    ///
    /// If there is no such peer; the message comes back with the reason.
    #[inline]
    pub fn route<M>(&mut self, cmd: RouterCmd<'_, M>) -> Result<PeerCmd<M>, Unroutable<M>> {
        let (found, message) = match cmd {
            RouterCmd::Next(message) => (self.next(), message),
            RouterCmd::To(id, message) => (self.lookup(id).ok_or(NoRoute::UnknownId), message),
        };
        match found {
            Ok(key) => Ok(PeerCmd { key, message }),
            Err(reason) => Err(Unroutable { reason, message }),
        }
    }

    /// Takes note that a message was queued for a peer: it goes to the back of the ring, or out of it.
    ///
    /// For the peer whose turn it was this costs next to nothing, for another a search of the ring.
    #[inline]
    pub fn served(&mut self, key: PeerKey, room: Room) {
        if room == Room::Available && self.ring.len() == 1 && self.ring.front() == Some(&key) {
            return;
        }
        let Some(peer) = self.peers.get_mut(key) else { return };
        if !peer.in_ring {
            return;
        }
        if self.ring.front() == Some(&key) {
            self.ring.pop_front();
        } else if let Some(at) = self.ring.iter().position(|other| *other == key) {
            self.ring.remove(at);
        }
        match room {
            Room::Available => self.ring.push_back(key),
            Room::Full => peer.in_ring = false,
        }
    }

    /// Takes note that a full peer has room again: it joins the ring at the back, unless it is in it.
    pub fn on_room(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if self.behavior == RouterBehavior::RoundRobin && !peer.in_ring {
            peer.in_ring = true;
            self.ring.push_back(key);
        }
    }

    /// How commands without an envelope go out.
    pub fn behavior(&self) -> RouterBehavior {
        self.behavior
    }

    /// How many live peers there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is no live peer.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    #[inline]
    fn next(&mut self) -> Result<PeerKey, NoRoute> {
        while let Some(&key) = self.ring.front() {
            if self.peers.get(key).is_some() {
                return Ok(key);
            }
            self.ring.pop_front();
        }
        let someone = self.behavior == RouterBehavior::RoundRobin && !self.peers.is_empty();
        Err(if someone { NoRoute::AllFull } else { NoRoute::NoPeer })
    }

    /// Gives a live or new peer an id that no other place holds.
    fn admit(&mut self, key: PeerKey, id: RoutingId) {
        if let Some(peer) = self.peers.get_mut(key) {
            self.by_id.remove(&peer.id);
            peer.id = id.clone();
            self.by_id.insert(id, key);
            return;
        }
        if let Some(old) = self.peers.occupant(key.slot()) {
            self.forget(old);
        }
        self.by_id.insert(id.clone(), key);
        self.peers.insert(key, Peer { id, in_ring: false });
        self.on_room(key);
    }

    fn forget(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(key) else { return };
        self.by_id.remove(&peer.id);
        if self.by_id.capacity() > SPARE + 4 * self.by_id.len() {
            self.by_id.shrink_to(2 * self.by_id.len());
        }
        if self.ring.len() > SPARE + 2 * self.peers.len() {
            self.ring.retain(|key| self.peers.get(*key).is_some());
            self.ring.shrink_to(2 * self.peers.len());
        }
    }
}

/// Whether a hub keeps a ring of peers that take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterBehavior {
    /// Peers with room take turns.
    RoundRobin,
    /// Every command names its peer. No ring is kept, so [`RouterCmd::Next`] finds nobody.
    ById,
}

/// What a socket wants done with a message: the envelope and the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterCmd<'a, M> {
    /// Send it to the peer whose turn it is.
    Next(M),
    /// Send it to the peer with this id. Any bytes will do: what cannot be an id is that of nobody.
    To(&'a [u8], M),
}

/// What a link is to do: queue the message for its peer. The envelope has been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCmd<M> {
    /// The peer.
    pub key: PeerKey,
    /// The message.
    pub message: M,
}

/// Whether a peer that was served can take another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It can.
    Available,
    /// It cannot, until [`RouterHub::on_room`].
    Full,
}

/// A message that no peer was found for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unroutable<M> {
    /// Why.
    pub reason: NoRoute,
    /// The message.
    pub message: M,
}

/// Why no peer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRoute {
    /// Nobody is there to take turns.
    #[error("no peer is connected")]
    NoPeer,
    /// No peer has room.
    #[error("every peer is full")]
    AllFull,
    /// No live peer has the id.
    #[error("no peer has this routing id")]
    UnknownId,
}

/// A peer came up under an id that a live peer has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the routing id {id} belongs to peer {holder}")]
pub struct DuplicateId {
    /// The id.
    pub id: RoutingId,
    /// Who has it.
    pub holder: PeerKey,
}

/// How much a map or ring may be larger than its peers need before it is made smaller.
const SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PeerTable;

    #[test]
    fn peers_with_room_take_strict_turns() {
        let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 3);
        assert_eq!(serve(&mut hub, 6), [keys[0], keys[1], keys[2], keys[0], keys[1], keys[2]]);
        hub.served(keys[0], Room::Full);
        assert_eq!(serve(&mut hub, 3), [keys[1], keys[2], keys[1]]);
        hub.on_room(keys[0]);
        hub.on_room(keys[0]);
        assert_eq!(serve(&mut hub, 6), [keys[2], keys[1], keys[0], keys[2], keys[1], keys[0]]);
    }

    #[test]
    fn a_message_without_a_peer_comes_back_with_the_reason() {
        let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 1);
        hub.served(keys[0], Room::Full);
        assert_eq!(hub.route(RouterCmd::Next(7)), Err(Unroutable { reason: NoRoute::AllFull, message: 7 }));
        let unknown = hub.route(RouterCmd::To(b"", 8)).unwrap_err();
        assert_eq!((unknown.reason, unknown.message), (NoRoute::UnknownId, 8));
        assert_eq!(unknown.to_string(), "no peer has this routing id");
        hub.on_event(PeerEvent::Down { key: keys[0] }).unwrap();
        assert_eq!(hub.route(RouterCmd::Next(9)).unwrap_err().reason, NoRoute::NoPeer);
    }

    #[test]
    fn by_id_keeps_no_ring() {
        let (mut hub, keys) = hub_of(RouterBehavior::ById, 2);
        hub.served(keys[0], Room::Available);
        hub.on_room(keys[1]);
        assert!(hub.ring.is_empty());
        assert_eq!(hub.route(RouterCmd::Next(())).unwrap_err().reason, NoRoute::NoPeer);
        assert_eq!(hub.route(RouterCmd::To(b"1", ())).unwrap().key, keys[1]);
    }

    #[test]
    fn a_duplicate_id_changes_nothing_until_it_takes_over() {
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
    fn the_holder_of_an_id_can_be_renamed_and_stay() {
        let (mut hub, keys) = hub_of(RouterBehavior::RoundRobin, 1);
        let new = PeerKey::new(1, 2);
        assert_eq!(hub.take_over(keys[0], id(9)), None);
        hub.on_event(PeerEvent::Up { key: new, id: id(0) }).unwrap();
        assert_eq!((hub.lookup(b"9"), hub.lookup(b"0")), (Some(keys[0]), Some(new)));
        assert_eq!(serve(&mut hub, 2), [keys[0], new]);
    }

    #[test]
    fn late_events_of_an_old_epoch_are_ignored() {
        let mut hub = RouterHub::new(RouterBehavior::RoundRobin);
        let (old, new) = (PeerKey::new(0, 1), PeerKey::new(0, 2));
        hub.on_event(PeerEvent::Up { key: old, id: id(0) }).unwrap();
        // The place is used again, under the same id, before the hub has heard of the end.
        hub.on_event(PeerEvent::Up { key: new, id: id(0) }).unwrap();
        hub.on_event(PeerEvent::Down { key: old }).unwrap();
        hub.served(old, Room::Full);
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
    fn nothing_grows_with_the_number_of_connections() {
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
        assert!(hub.ring.len() <= 2 + SPARE && hub.by_id.capacity() <= 4 + SPARE && hub.peers.places() == 2);

        let keys: Vec<_> = (1..10_000u32).map(|_| table.insert(())).collect();
        for (key, n) in keys.iter().zip(1..10_000u32) {
            hub.on_event(PeerEvent::Up { key: *key, id: RoutingId::try_from(&n.to_be_bytes()).unwrap() })
                .unwrap();
        }
        keys.iter().for_each(|key| hub.on_event(PeerEvent::Down { key: *key }).unwrap());
        assert!(hub.ring.capacity() < 512 && hub.by_id.capacity() < 512);
        assert_eq!(serve(&mut hub, 2), [stays, stays]);
    }

    /// What the hub is meant to do, by looking through lists.
    #[derive(Debug, Default)]
    struct Naive {
        live: Vec<(PeerKey, RoutingId)>,
        ended: Vec<PeerKey>,
        ring: Vec<PeerKey>,
    }

    impl Naive {
        fn is_late(&self, key: PeerKey) -> bool {
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

        /// Who is in the way of the id, if anyone is.
        fn up(&mut self, key: PeerKey, id: &RoutingId) -> Option<PeerKey> {
            if self.is_late(key) {
                return None;
            }
            let other = self.lookup(id).filter(|holder| holder.slot() != key.slot());
            if other.is_none() {
                self.take_over(key, id);
            }
            other
        }

        fn take_over(&mut self, key: PeerKey, id: &RoutingId) -> Option<PeerKey> {
            if self.is_late(key) {
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

        fn served(&mut self, key: PeerKey, room: Room) {
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
        /// The hub hears of the end, or does not.
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
        fn behaves_like_the_lists(ops in ops()) {
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
                        let found = hub.route(RouterCmd::Next(())).ok().map(|cmd| cmd.key);
                        prop_assert_eq!(found, naive.ring.first().copied());
                        if let Some(key) = found {
                            hub.served(key, room(full));
                            naive.served(key, room(full));
                        }
                    }
                    Op::To(n, full) => {
                        let found = hub.route(RouterCmd::To(&id(n), ())).ok().map(|cmd| cmd.key);
                        prop_assert_eq!(found, naive.lookup(&id(n)));
                        if let Some(key) = found {
                            hub.served(key, room(full));
                            naive.served(key, room(full));
                        }
                    }
                    Op::Served(at, full) => {
                        hub.served(pick(at), room(full));
                        naive.served(pick(at), room(full));
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
            let key = hub.route(RouterCmd::Next(())).expect("someone has room").key;
            hub.served(key, Room::Available);
            key
        };
        (0..times).map(|_| next()).collect()
    }
}
