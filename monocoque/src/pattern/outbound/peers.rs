//! The peers of a socket: their links, the hub that chooses among them, and messages for absent
//! ones.

use std::collections::HashMap;

use monocoque_core::{
    Frame, Hwm, Message, Outbox, PeerEvent, PeerKey, PeerTable, Room, RouterBehavior, RouterHub, RoutingId,
};

use crate::endpoint::EndpointId;
use crate::options::Options;
use crate::pattern::link::{Link, Way};
use crate::pattern::publisher::Publisher;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Pattern, Routing};

/// The peers of a socket.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) links: PeerTable<Link>,
    pub(super) hub: Hub,
    /// The first message of each connection (`ZMQ_HELLO_MSG`, `ZMQ_PROBE_ROUTER`,
    /// `ZMQ_XPUB_WELCOME_MSG`).
    pub(super) first_message: Option<Message>,
    /// Routing ids that are assigned to the peers of endpoints: no other peer may take them.
    names: HashMap<RoutingId, EndpointId>,
    /// Messages for the peers of endpoints that are reconnecting.
    pending: HashMap<EndpointId, Pending>,
}

/// The choice of peers for a message, by kind of routing.
#[derive(Debug)]
pub(super) enum Hub {
    Router(RouterHub),
    PubSub(Publisher),
    /// All peers.
    All,
    None,
}

/// The messages for the peer of an endpoint that no other peer can replace: unsent ones of a lost
/// connection, and those sent since.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The routing id of the peer, if messages are addressed by it.
    pub(super) id: Option<RoutingId>,
    pub(super) outbox: Outbox,
    /// The first of them were given back by a lost connection.
    pub(super) is_returned: bool,
}

impl Peers {
    pub(super) fn new(pattern: &Pattern, options: &Options) -> Self {
        let hub = match pattern.routing {
            Routing::RoundRobin => Hub::Router(RouterHub::new(RouterBehavior::RoundRobin)),
            Routing::ById => Hub::Router(RouterHub::new(RouterBehavior::ById)),
            Routing::ByPrefix => Hub::PubSub(Publisher::new(pattern, options)),
            Routing::ToAll => Hub::All,
            Routing::Nowhere | Routing::ToOrigin => Hub::None,
        };
        Self {
            links: PeerTable::new(),
            hub,
            first_message: options.first_message.clone(),
            names: HashMap::new(),
            pending: HashMap::new(),
        }
    }

    /// Returns whether a message for one peer may go to another.
    #[inline]
    pub(super) fn any_will_do(&self) -> bool {
        matches!(&self.hub, Hub::Router(hub) if hub.behavior() == RouterBehavior::RoundRobin)
    }

    /// Returns the number of messages waiting for a peer, connected or not.
    pub(super) fn queued(&self) -> usize {
        let pending = self.pending.values().map(|pending| pending.outbox.messages());
        pending.chain(self.links.iter().map(|(_, link)| link.messages())).sum()
    }

    /// Records the delivery attempts of the first message of a link.
    pub(super) fn set_last_attempts(&mut self, key: PeerKey, attempts: u32) {
        if let Some(Way::Stream(stream)) = self.links.get_mut(key).map(|link| &mut link.way) {
            stream.outbox.set_last_attempts(attempts);
        }
    }

    /// Checks the room of all links under a new high-water mark, and updates the hub.
    pub(super) fn check_room(&mut self, hwm: Hwm) {
        let Self { links, hub, .. } = self;
        for (key, link) in links.iter_mut() {
            let has_room = link.check_room(hwm);
            match hub {
                Hub::Router(hub) if has_room => hub.on_room(key),
                // A full link has no turn until it has room again.
                Hub::Router(hub) => hub.pass_turn(key, Room::Full),
                Hub::PubSub(..) | Hub::All | Hub::None => {}
            }
        }
    }

    /// Marks a link that may have been full as having room, if it is below the mark.
    pub(super) fn on_room(&mut self, key: PeerKey, hwm: Hwm) {
        if let Hub::Router(hub) = &mut self.hub
            && let Some(link) = self.links.get(key)
            && hwm.admits(link.messages())
        {
            hub.on_room(key);
        }
    }

    pub(super) fn interrupt_pumps(&mut self, wakes: &mut Wakes) {
        for (_, link) in self.links.iter_mut() {
            if let Way::Stream(stream) = &mut link.way {
                stream.interrupt_pump(wakes);
            }
        }
    }

    /// Wakes the parked write pumps of the links for which `which` holds.
    pub(super) fn wake_pumps(&mut self, which: impl Fn(&Link) -> bool, wakes: &mut Wakes) {
        for (_, link) in self.links.iter_mut().filter(|(_, link)| which(link)) {
            if let Way::Stream(stream) = &mut link.way {
                stream.wake_pump(wakes);
            }
        }
    }

    /// Reserves a routing id for the peer of an endpoint. Returns `false` if another peer or
    /// endpoint has it.
    pub(super) fn reserve(&mut self, name: &RoutingId, endpoint: EndpointId) -> bool {
        let is_held = matches!(&self.hub, Hub::Router(hub) if hub.lookup(name).is_some());
        let is_free = !is_held && !self.names.contains_key(name);
        if is_free {
            self.names.insert(name.clone(), endpoint);
        }
        is_free
    }

    /// Returns the endpoint to whose peer this routing id is assigned.
    pub(super) fn endpoint_of(&self, name: &[u8]) -> Option<EndpointId> {
        self.names.get(name).copied()
    }

    pub(super) fn release_names(&mut self, endpoint: EndpointId) {
        self.names.retain(|_, of| *of != endpoint);
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn has_returned(&self) -> bool {
        self.pending.values().any(|pending| pending.is_returned)
    }

    /// Returns whether messages to an absent peer with an assigned routing id may wait for it.
    pub(super) fn has_absent_place(&self, hwm: Hwm) -> bool {
        let has_peer = |endpoint| self.links.iter().any(|(_, link)| link.endpoint.id == endpoint);
        let admits =
            |endpoint| self.pending.get(endpoint).is_none_or(|pending| hwm.admits(pending.outbox.messages()));
        self.names.values().any(|endpoint| !has_peer(*endpoint) && admits(endpoint))
    }

    /// Returns the messages for the absent peer of an endpoint.
    pub(super) fn pending_mut(&mut self, endpoint: EndpointId) -> &mut Pending {
        self.pending.entry(endpoint).or_default()
    }

    pub(super) fn set_pending(&mut self, endpoint: EndpointId, pending: Pending) {
        self.pending.insert(endpoint, pending);
    }

    pub(super) fn take_pending(&mut self, endpoint: EndpointId) -> Option<Pending> {
        self.pending.remove(&endpoint)
    }

    /// Drops the messages for absent peers. Returns their number.
    pub(super) fn clear_pending(&mut self) -> u64 {
        self.pending.drain().map(|(_, pending)| pending.outbox.messages() as u64).sum()
    }
}

impl Hub {
    /// Removes a peer. Returns its routing id, if messages are addressed by it.
    pub(super) fn remove(&mut self, key: PeerKey) -> Option<RoutingId> {
        match self {
            Self::Router(hub) => {
                let id = hub.id_of(key).cloned();
                // Only new peers can be refused.
                let _done = hub.on_event(PeerEvent::Down { key });
                id
            }
            Self::PubSub(publisher) => {
                publisher.remove_peer(key);
                None
            }
            Self::All | Self::None => None,
        }
    }

    /// Returns the routing id of a peer, if messages are addressed by it.
    pub(super) fn id_of(&self, key: PeerKey) -> Option<RoutingId> {
        match self {
            Self::Router(hub) => hub.id_of(key).cloned(),
            Self::PubSub(..) | Self::All | Self::None => None,
        }
    }

    /// Returns whether there is no peer to take turns.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Router(hub) if hub.is_empty())
    }
}

/// Returns whether a routing id was generated, not announced.
pub(crate) fn is_generated(id: &RoutingId) -> bool {
    id.starts_with(&[0])
}

/// Returns the routing id that a peer announced, or a generated one.
pub(crate) fn routing_id(announced: &[u8], number: u32) -> RoutingId {
    RoutingId::try_from(announced).unwrap_or_else(|_| {
        let mut id = [0; 5];
        id[1..].copy_from_slice(&number.to_be_bytes());
        match RoutingId::try_from(Frame::from(&id)) {
            Ok(id) => id,
            Err(_) => unreachable!("five bytes are a routing id"),
        }
    })
}
