//! The outgoing side of a socket: its links, and which of them get a message.
//!
//! Lives under one lock, which `send` takes once a message and a write pump once a batch. Nobody is woken under it: what
//! is to be woken is collected in [`Wakes`].
//!
//! Here is what it is made of. [`offering`] finds the peers of a message, [`peers`] is told who comes and goes, [`pumping`]
//! serves the write pumps.

mod offering;
mod peers;
mod pumping;

use std::collections::{HashMap, HashSet};
use std::num::NonZero;

use monocoque_core::{
    Frame, Hwm, Message, Outbox, PeerEvent, PeerKey, PeerTable, PubSubHub, Room, RouterBehavior, RouterHub,
    RoutingId, Waiters,
};
use monocoque_zmtp::Subscription;

use super::audience::Audience;
use super::backlog::Backlog;
use super::envelope::Dialogue;
use super::link::{Going, Link};
use super::tape::Tape;
use super::wakes::Wakes;
use super::{Framing, Pattern, Routing, WhenFull};
use crate::options::Options;

/// All that sending needs.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) phase: Phase,
    pub(crate) dialogue: Dialogue,
    /// Tasks inside `send`, in turn.
    pub(crate) senders: Waiters,
    /// Tasks that wait for peers to come or go.
    pub(crate) watchers: Waiters,
    /// Endpoints that are being connected, or are, by their numbers.
    dials: HashSet<u64>,
    /// Tasks of this socket that have not ended.
    pub(crate) tasks: usize,
    /// Messages that were queued for a peer, or for whichever comes first, or published, be it to nobody.
    pub(crate) sent: u64,
    /// Messages, one a peer, that were dropped: no such peer, no room, or a connection that ended before they were written.
    pub(crate) dropped: u64,
    /// Connections of our own that were established and have ended.
    pub(crate) lost: u64,
    links: PeerTable<Link>,
    hub: Hub,
    rules: Rules,
    /// What each peer gets first.
    greeting: Option<Message>,
    /// Messages that wait for a peer, for whichever is ready first.
    backlog: Backlog,
    /// Messages for the peer of an endpoint that we are connecting again, by its number.
    leftovers: HashMap<u64, Leftover>,
    /// The endpoints whose peers were given a name, by that: nobody else gets it.
    named: HashMap<RoutingId, u64>,
    /// Endpoints whose connections the application has ended, until that is noticed.
    dismissed: HashSet<u64>,
    /// Encodes a message that goes to many.
    scratch: Outbox,
    /// What goes to many and no pump has come for.
    tape: Tape,
    targets: Vec<PeerKey>,
    /// How what is being sent is to get going.
    pub(crate) going: Going,
    /// Something is held, and goes with what is sent next.
    pub(crate) holds: bool,
    /// How much was sent since a pump last took a batch, in bytes, with something added a message.
    unpaced: usize,
    /// Whether what is being sent may wait where it would else be dropped.
    pub(crate) patient: bool,
    /// Some queue may be full.
    tight: bool,
}

/// Whether a socket still takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Closed by its user; what is queued is being sent.
    Draining,
    /// What is queued now is lost.
    Aborted,
}

/// What pattern and options say about sending.
#[derive(Clone, Copy, Debug)]
struct Rules {
    hwm: Hwm,
    /// A sender waits, or is told, where else the message would be dropped.
    blocks: bool,
    immediate: bool,
    conflate: bool,
    handover: bool,
    relaxed: bool,
    exclusive: bool,
    /// A message without bytes ends the connection.
    empty_ends: bool,
    /// On how many connections a message may be begun that is lost with each of them.
    attempts: u32,
}

/// What a lost connection had not sent, to a peer that no other one can stand in for, and what was sent to it meanwhile.
#[derive(Debug, Default)]
struct Leftover {
    /// What the peer was called, where that matters.
    id: Option<RoutingId>,
    outbox: Outbox,
    /// A lost connection has given back what is first.
    returned: bool,
}

/// What is left of a connection that has ended.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// A message of the program was written whole.
    pub(crate) progress: bool,
    /// The program has ended the connection.
    pub(crate) cut: bool,
    /// A message was dropped that was begun on too many connections.
    pub(crate) undeliverable: Option<Undeliverable>,
    /// What nobody gets, to be dropped without the lock.
    pub(crate) garbage: Outbox,
}

/// A message that was begun on so many connections, and lost with each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undeliverable {
    /// Its length as it is written.
    pub(crate) bytes: usize,
    pub(crate) attempts: u32,
}

#[derive(Debug)]
enum Hub {
    Router(RouterHub),
    PubSub(Audience),
    /// Everybody.
    All,
    None,
}

/// Where a message is to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// Wherever the pattern sends it.
    Pattern,
    /// To the peer with this routing id.
    Id(&'a [u8]),
    /// To the connection that a request came from.
    Origin(PeerKey),
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Queued for the peer, or for whichever comes first.
    Queued(Option<PeerKey>),
    /// Not queued: nobody has room.
    Full,
    /// Not queued, and never will be: there is no such peer, or it has no room.
    Dropped,
    /// Not queued: there is no such peer, and the sender wants to know.
    Unreachable,
    /// It was no message but the wish to end the connection.
    Closed,
}

impl Outbound {
    pub(crate) fn new(pattern: &Pattern, options: &Options) -> Self {
        Self {
            phase: Phase::Open,
            dialogue: Dialogue::Idle,
            senders: Waiters::default(),
            watchers: Waiters::default(),
            dials: HashSet::new(),
            tasks: 0,
            sent: 0,
            dropped: 0,
            lost: 0,
            links: PeerTable::new(),
            hub: match pattern.routing {
                Routing::RoundRobin => Hub::Router(RouterHub::new(RouterBehavior::RoundRobin)),
                Routing::ById => Hub::Router(RouterHub::new(RouterBehavior::ById)),
                Routing::ByPrefix => Hub::PubSub(Audience::new(pattern, options)),
                Routing::ToAll => Hub::All,
                Routing::Nowhere | Routing::ToOrigin => Hub::None,
            },
            rules: Rules {
                hwm: if options.conflate { Hwm::UNLIMITED } else { options.send_hwm },
                blocks: pattern.when_full == WhenFull::Block || options.mandatory,
                immediate: options.immediate,
                conflate: options.conflate,
                handover: options.handover,
                relaxed: options.relaxed,
                exclusive: pattern.exclusive,
                empty_ends: pattern.framing == Framing::Raw,
                attempts: options.delivery_attempts.map_or(u32::MAX, NonZero::get),
            },
            greeting: options.greeting.clone(),
            backlog: Backlog::default(),
            leftovers: HashMap::new(),
            named: HashMap::new(),
            dismissed: HashSet::new(),
            scratch: Outbox::new(),
            tape: Tape::default(),
            targets: Vec::new(),
            going: Going::InBatch,
            holds: false,
            unpaced: 0,
            patient: false,
            tight: false,
        }
    }

    /// How many peers are ready.
    pub(crate) fn peers(&self) -> usize {
        self.links.len()
    }

    /// Whether a connection has not ended.
    pub(crate) fn knows(&self, key: PeerKey) -> bool {
        self.links.get(key).is_some()
    }

    /// How many messages may wait for each peer.
    pub(crate) fn hwm(&self) -> Hwm {
        self.rules.hwm
    }

    /// How many messages wait to be written.
    pub(crate) fn queued(&self) -> usize {
        let left: usize = self.leftovers.values().map(|leftover| leftover.outbox.messages()).sum();
        self.backlog.len() + left + self.links.iter().map(|(_, link)| link.messages()).sum::<usize>()
    }

    /// Whether a new peer would have something to do.
    pub(crate) fn wants_peers(&self) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Draining => self.has_backlog(),
            Phase::Aborted => false,
        }
    }

    /// Whether something waits for a peer that a lost connection has given back.
    pub(crate) fn has_returned(&self) -> bool {
        self.backlog.has_returned() || self.leftovers.values().any(|leftover| leftover.returned)
    }

    /// Whether what waits is a request that nobody has taken: when the socket is closed nobody receives the reply.
    pub(crate) fn waits_for_no_reply(&self) -> bool {
        matches!(self.dialogue, Dialogue::Asked { of: None, .. })
    }

    /// Whether messages wait for a peer.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty() || !self.leftovers.is_empty()
    }

    /// Changes how many messages may wait for each peer.
    pub(crate) fn set_hwm(&mut self, hwm: Hwm, wakes: &mut Wakes) {
        if self.rules.conflate {
            return;
        }
        self.rules.hwm = hwm;
        self.tight = true;
        let links: Vec<_> = self.links.iter_mut().map(|(key, link)| (key, link.has_room(hwm))).collect();
        for (key, has_room) in links {
            match &mut self.hub {
                Hub::Router(hub) if has_room => hub.on_room(key),
                // It has no turn before it has room again.
                Hub::Router(hub) => hub.pass_turn(key, Room::Full),
                Hub::PubSub(..) | Hub::All | Hub::None => {}
            }
        }
        self.dispatch(wakes);
        self.wake_senders(wakes);
    }

    /// The peers of a publisher.
    pub(crate) fn audience(&mut self) -> Option<&mut Audience> {
        match &mut self.hub {
            Hub::PubSub(audience) => Some(audience),
            _ => None,
        }
    }

    /// The hub of a publisher.
    pub(crate) fn subscriptions(&mut self) -> Option<&mut PubSubHub> {
        self.audience().map(Audience::hub)
    }

    /// The receiving side of a connection has ended, and so have its subscriptions. Whether there are more topics than
    /// could be taken down at once.
    pub(crate) fn depart(&mut self, key: PeerKey) -> bool {
        self.hub.down(key);
        self.audience().is_some_and(|audience| audience.is_departed(key))
    }

    /// Keeps a name for the peer of an endpoint. `false` if somebody has it.
    pub(crate) fn reserve(&mut self, name: &RoutingId, via: u64) -> bool {
        let is_held = matches!(&self.hub, Hub::Router(hub) if hub.lookup(name).is_some());
        let is_free = !is_held && !self.named.contains_key(name);
        if is_free {
            self.named.insert(name.clone(), via);
        }
        is_free
    }

    /// Whether another connection than this one goes by the name.
    pub(crate) fn is_replaced(&self, key: PeerKey, id: &[u8]) -> bool {
        matches!(&self.hub, Hub::Router(hub) if hub.lookup(id).is_some_and(|holder| holder != key))
    }

    /// Whether a newcomer has the name of this connection, which is not over yet.
    pub(crate) fn has_heir(&self, key: PeerKey) -> bool {
        self.links.get(key).is_some_and(|link| link.replaced)
    }

    /// Messages may have fewer targets, or a first place to go to: lets senders and watchers look again. For every
    /// change of subscriptions, peers and endpoints.
    pub(crate) fn on_targets_changed(&mut self, wakes: &mut Wakes) {
        self.wake_senders(wakes);
        wakes.add(self.watchers.drain());
    }

    /// The report of what a peer has asked for leaves its lane. If the program decides about it, what is sent from now on may be
    /// the answer.
    pub(crate) fn on_report(
        &mut self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
        is_received: bool,
        wakes: &mut Wakes,
    ) {
        let since = self.senders.next_ticket();
        let Some(audience) = self.audience() else { return };
        if audience.is_manual() {
            audience.turn_to(key, kind, since);
            self.on_targets_changed(wakes);
        } else {
            audience.on_report(kind, topic, is_received);
        }
    }

    /// There may be room: for the one whose turn it is, or for whoever waits for the peer that has it.
    fn wake_senders(&mut self, wakes: &mut Wakes) {
        if self.any_will_do() {
            wakes.add(self.senders.first());
        } else {
            wakes.add(self.senders.drain());
        }
    }

    /// Whether so much was queued since a pump last took a batch that a sender is to let one run. Says so once.
    #[inline]
    pub(crate) fn take_pause(&mut self) -> bool {
        let pause = self.unpaced >= PACE;
        if pause {
            self.unpaced = 0;
        }
        pause
    }

    /// An endpoint is being dialled: messages may wait for its peer. Once for each endpoint, before others know it.
    pub(crate) fn begin_dial(&mut self, via: u64, wakes: &mut Wakes) {
        self.dials.insert(via);
        self.on_targets_changed(wakes);
    }

    /// An endpoint is not dialled any more. Nothing changes if it was [given up](Self::leave) before.
    pub(crate) fn end_dial(&mut self, via: u64, wakes: &mut Wakes) {
        self.dials.remove(&via);
        self.on_targets_changed(wakes);
    }

    /// Whether some endpoint is dialled: a peer may come by itself.
    #[inline]
    pub(crate) fn is_dialling(&self) -> bool {
        !self.dials.is_empty()
    }

    /// Takes no more messages; all who wait are told.
    pub(crate) fn enter(&mut self, phase: Phase, wakes: &mut Wakes) {
        self.phase = phase;
        wakes.add(self.senders.drain());
        wakes.add(self.watchers.drain());
        for (_, link) in self.links.iter_mut() {
            wakes.add(link.pump.take());
            wakes.add(link.writer.take());
        }
        if phase == Phase::Aborted {
            self.dropped += self.backlog.clear();
            for (_, leftover) in self.leftovers.drain() {
                self.dropped += leftover.outbox.messages() as u64;
            }
        }
        self.part(wakes);
    }

    /// Whether a message that was meant for one peer may go to another.
    fn any_will_do(&self) -> bool {
        matches!(&self.hub, Hub::Router(hub) if hub.behavior() == RouterBehavior::RoundRobin)
    }
}

impl Rules {
    /// Whether a message says that the connection is to end.
    #[inline]
    fn ends(&self, message: &Message) -> bool {
        self.empty_ends && message.byte_len() == 0
    }
}

impl Hub {
    /// A peer is gone. Gives what it was called, if it went by a name.
    fn down(&mut self, key: PeerKey) -> Option<RoutingId> {
        match self {
            Self::Router(hub) => {
                let id = hub.id_of(key).cloned();
                // Only a newcomer can be refused.
                let _done = hub.on_event(PeerEvent::Down { key });
                id
            }
            Self::PubSub(audience) => {
                audience.down(key);
                None
            }
            Self::All | Self::None => None,
        }
    }

    /// What a peer is called, if it goes by a name.
    fn id_of(&self, key: PeerKey) -> Option<RoutingId> {
        match self {
            Self::Router(hub) => hub.id_of(key).cloned(),
            Self::PubSub(..) | Self::All | Self::None => None,
        }
    }

    /// Whether nobody is there to take turns.
    fn is_empty(&self) -> bool {
        matches!(self, Self::Router(hub) if hub.is_empty())
    }
}

/// Whether a routing id is not one that a peer has announced.
pub(crate) fn is_made_up(id: &RoutingId) -> bool {
    id.starts_with(&[0])
}

/// The routing id of a peer that announced none, or the one it announced.
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

/// How much a sender queues before it lets the pumps run: about one large write.
const PACE: usize = 256 * 1024;

#[cfg(all(test, not(monocoque_loom)))]
mod ledger;

#[cfg(test)]
mod tests;
