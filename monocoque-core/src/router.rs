//! Routing of messages to peers: to the next one in turn, or to the one with a routing id.
//!
//! A state machine under the lock of its socket. Its inputs are events of peers and which of them
//! have room; its answers are [`PeerKey`]s. It holds no messages, and does not know where in a
//! message an id is.

use std::collections::{HashMap, VecDeque};

use thiserror::Error;

use crate::peer::PeerRows;
use crate::{PeerEvent, PeerKey, RoutingId};

/// The peers of a socket by id, and those with room in the order of their turns.
///
/// Ids are unique among live peers. A socket that does not use ids generates them.
///
/// ```
/// use monocoque_core::{PeerEvent, PeerKey, Room, RouterBehavior, RouterHub, RoutingId};
///
/// let mut hub = RouterHub::new(RouterBehavior::RoundRobin);
/// for (slot, id) in ["a", "b"].into_iter().enumerate() {
///     let key = PeerKey::new(slot as u32, 1);
///     hub.on_event(PeerEvent::Up { key, id: RoutingId::try_from(id)? })?;
/// }
///
/// let first = hub.next_peer()?;
/// hub.pass_turn(first, Room::Available);
/// assert_ne!(hub.next_peer()?, first);
///
/// assert_eq!(hub.lookup(b"b"), Some(PeerKey::new(1, 1)));
/// assert_eq!(hub.lookup(b"c"), None);
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

    /// Adds a new peer, with room, or removes one that has gone.
    ///
    /// Events of an ended connection change nothing.
    ///
    /// # Errors
    ///
    /// If another live peer has the id. Nothing has changed then: the caller refuses the new peer,
    /// or lets it [`take_over`](Self::take_over), or gives it another id and tries again.
    pub fn on_event(&mut self, event: PeerEvent<RoutingId>) -> Result<(), DuplicateId> {
        match event {
            PeerEvent::Up { key, .. } if self.peers.is_stale(key) => {}
            PeerEvent::Up { key, id } => match self.lookup(&id) {
                // A holder in the same slot is the peer itself, or an earlier one whose end was not
                // reported.
                Some(holder) if holder.slot() != key.slot() => return Err(DuplicateId { id, holder }),
                _ => self.insert_peer(key, id),
            },
            PeerEvent::Down { key } => self.remove_peer(key),
        }
        Ok(())
    }

    /// Adds a peer under an id that another one may have, or gives a live peer another id.
    ///
    /// Returns the key of the peer that had the id. The hub has removed it; closing its connection
    /// is up to the caller. To keep it, give it another id before.
    pub fn take_over(&mut self, key: PeerKey, id: RoutingId) -> Option<PeerKey> {
        if self.peers.is_stale(key) {
            return None;
        }
        let old = self.lookup(&id).filter(|holder| *holder != key);
        if let Some(old) = old {
            self.remove_peer(old);
        }
        self.insert_peer(key, id);
        old
    }

    /// Returns the live peer with this id. Any bytes will do.
    #[inline]
    pub fn lookup(&self, id: &[u8]) -> Option<PeerKey> {
        self.by_id.get(id).copied()
    }

    /// Returns the id of a live peer.
    #[inline]
    pub fn id_of(&self, key: PeerKey) -> Option<&RoutingId> {
        self.peers.get(key).map(|peer| &peer.id)
    }

    /// Returns the peer whose turn it is.
    ///
    /// The turn passes on with [`pass_turn`](Self::pass_turn), once the message is queued.
    ///
    /// # Errors
    ///
    /// If no peer takes turns, or all of them are full.
    #[inline]
    pub fn next_peer(&mut self) -> Result<PeerKey, NoRoute> {
        while let Some(&key) = self.ring.front() {
            if self.peers.get(key).is_some() {
                return Ok(key);
            }
            self.ring.pop_front();
        }
        let has_peers = self.behavior == RouterBehavior::RoundRobin && !self.peers.is_empty();
        Err(if has_peers { NoRoute::AllFull } else { NoRoute::NoPeer })
    }

    /// Ends the turn of a peer that a message was queued for, or that is full: it goes to the back
    /// of the ring, or out of it.
    ///
    /// For the peer whose turn it is this costs next to nothing, for another a search of the ring.
    #[inline]
    pub fn pass_turn(&mut self, key: PeerKey, room: Room) {
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

    /// Notes that a full peer has room again: it joins the ring at the back, unless it is in it.
    pub fn on_room(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if self.behavior == RouterBehavior::RoundRobin && !peer.in_ring {
            peer.in_ring = true;
            self.ring.push_back(key);
        }
    }

    /// Returns whether peers take turns.
    pub fn behavior(&self) -> RouterBehavior {
        self.behavior
    }

    /// Returns how many live peers there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Returns true if there is no live peer.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Gives a live or new peer an id that no peer in another slot has.
    fn insert_peer(&mut self, key: PeerKey, id: RoutingId) {
        if let Some(peer) = self.peers.get_mut(key) {
            self.by_id.remove(&peer.id);
            peer.id = id.clone();
            self.by_id.insert(id, key);
            return;
        }
        if let Some(old) = self.peers.at_slot(key.slot()) {
            self.remove_peer(old);
        }
        self.by_id.insert(id.clone(), key);
        self.peers.insert(key, Peer { id, in_ring: false });
        self.on_room(key);
    }

    fn remove_peer(&mut self, key: PeerKey) {
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

/// The way in which a hub picks peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterBehavior {
    /// Peers with room take turns.
    RoundRobin,
    /// Every message names its peer. There is no ring, so [`RouterHub::next_peer`] finds none.
    ById,
}

/// The capacity of a queue for another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Another message fits.
    Available,
    /// No message fits until a later event, which for a peer is [`RouterHub::on_room`].
    Full,
}

/// The reason why no peer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRoute {
    /// There is no peer that takes turns.
    #[error("no peer is connected")]
    NoPeer,
    /// No peer has room.
    #[error("every peer is full")]
    AllFull,
}

/// A new peer has the id of a live one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the routing id {id} belongs to peer {holder}")]
pub struct DuplicateId {
    /// The id.
    pub id: RoutingId,
    /// The live peer that has it.
    pub holder: PeerKey,
}

/// How much larger than its peers need a map or ring may be before it is made smaller.
const SPARE: usize = 64;

#[cfg(test)]
mod tests;
