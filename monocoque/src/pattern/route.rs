//! The outgoing side of a socket: its links, and which of them get a message.
//!
//! Lives under one lock, which `send` takes once a message and a write pump once a batch. Nobody is woken under it: what
//! is to be woken is collected in [`Wakes`].

use std::collections::{HashMap, HashSet};
use std::task::{Context, Poll};

use bytes::Bytes;
use monocoque_core::{
    BytePermits, Frame, Hwm, Message, Outbox, PeerCmd, PeerEvent, PeerKey, PeerTable, PubSubHub, Room,
    RouterBehavior, RouterCmd, RouterHub, RoutingId, Ticket, Waiters,
};
use monocoque_zmtp::{Revision, Subscription, decode_messages};
use smallvec::SmallVec;

use super::audience::Audience;
use super::backlog::Backlog;
use super::envelope::Dialogue;
use super::link::{Direct, Going, Link, Neighbour, PACE_PER_MESSAGE, Through};
use super::tape::Tape;
use super::wakes::Wakes;
use super::{Pattern, Routing, WhenFull, Wire};
use crate::error::MonocoqueError;
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
    /// Endpoints that are being connected, or are.
    pub(crate) dials: usize,
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
    wire: Wire,
}

/// What a lost connection had not sent, to a peer that no other one can stand in for, and what was sent to it meanwhile.
#[derive(Debug, Default)]
struct Leftover {
    /// What the peer was called, where that matters.
    id: Option<RoutingId>,
    outbox: Outbox,
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
            dials: 0,
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
                wire: pattern.wire,
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
        let links: Vec<_> = self.links.iter_mut().map(|(key, link)| (key, link.has_room(hwm))).collect();
        for (key, has_room) in links {
            match &mut self.hub {
                Hub::Router(hub) if has_room => hub.on_room(key),
                // It has no turn before it has room again.
                Hub::Router(hub) => hub.served(key, Room::Full),
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

    /// The receiving side of a connection has ended, and so have its subscriptions: gives the topics whose end is to be
    /// told.
    pub(crate) fn farewell(&mut self, key: PeerKey) -> Vec<Bytes> {
        self.hub.down(key);
        self.audience().map_or_else(Vec::new, |audience| audience.farewell(key))
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

    /// A handshake is done. `None` if a peer with that routing id is already there, or the only one that there can be.
    pub(crate) fn up(
        &mut self,
        id: RoutingId,
        revision: Revision,
        through: Through,
        direct: Option<Direct>,
        wakes: &mut Wakes,
    ) -> Option<PeerKey> {
        // What went out on the short way could not be replaced by what comes after it.
        let direct = direct.filter(|_| !self.rules.conflate);
        let key = self.admit(id, Link::new(revision, through, direct), wakes)?;
        self.begin(key, wakes);
        Some(key)
    }

    /// A neighbour has come, who is to be [met](Self::meet). `None` as with [`up`](Self::up).
    pub(crate) fn approach(&mut self, id: RoutingId, through: Through, wakes: &mut Wakes) -> Option<PeerKey> {
        let key = self.admit(id, Link::new(Revision::V3_1, through, None), wakes)?;
        if let Some(audience) = self.audience() {
            audience.lift_limits(key);
        }
        Some(key)
    }

    /// The neighbour takes part from now on.
    pub(crate) fn meet(&mut self, key: PeerKey, neighbour: Box<dyn Neighbour>, wakes: &mut Wakes) {
        let hwm = self.rules.hwm;
        let Some(link) = self.links.get_mut(key) else { return };
        link.neighbour = Some(neighbour);
        if !link.has_room(hwm)
            && let Hub::Router(hub) = &mut self.hub
        {
            hub.served(key, Room::Full);
        }
        self.begin(key, wakes);
        self.part(wakes);
    }

    /// A neighbour that had no room may have some.
    pub(crate) fn reopen(&mut self, key: PeerKey, wakes: &mut Wakes) {
        let hwm = self.rules.hwm;
        if self.links.get_mut(key).is_some_and(|link| link.has_room(hwm)) {
            self.on_room(key);
            self.dispatch(wakes);
            self.wake_senders(wakes);
        }
    }

    /// Adds a link, if the hub takes it.
    fn admit(&mut self, id: RoutingId, mut link: Link, wakes: &mut Wakes) -> Option<PeerKey> {
        let is_reserved = self.named.get(&id).is_some_and(|via| *via != link.through.via);
        if is_reserved || (self.rules.exclusive && !self.links.is_empty()) {
            return None;
        }
        link.wire = self.rules.wire;
        let key = self.links.insert(link);
        match &mut self.hub {
            Hub::Router(hub) => {
                let up = PeerEvent::Up { key, id: id.clone() };
                if hub.on_event(up).is_err() {
                    if !self.rules.handover {
                        self.links.remove(key);
                        return None;
                    }
                    let old = hub.take_over(key, id);
                    self.replace(old, key, wakes);
                }
            }
            Hub::PubSub(audience) => audience.up(key),
            Hub::All | Hub::None => {}
        }
        Some(key)
    }

    /// A new link gets what waits for it, ahead of all else.
    fn begin(&mut self, key: PeerKey, wakes: &mut Wakes) {
        let id = self.hub.id_of(key);
        if let Some(greeting) = &self.greeting {
            let mut outbox = Outbox::new();
            self.rules.wire.encode(greeting, &mut outbox);
            self.bequeath(outbox, key, wakes);
        }
        let via = self.links.get(key).map(|link| link.through.via);
        if let Some(leftover) = via.and_then(|via| self.leftovers.remove(&via)) {
            if leftover.id.is_none() || leftover.id == id {
                self.bequeath(leftover.outbox, key, wakes);
            } else {
                self.dropped += leftover.outbox.messages() as u64;
            }
        }
        self.dispatch(wakes);
        self.wake_senders(wakes);
        wakes.add(self.watchers.dismiss());
    }

    /// A connection has ended. What the kernel did not take goes back to the front of the backlog, if any peer will do, or
    /// is kept for the next connection to the same endpoint.
    pub(crate) fn down(&mut self, key: PeerKey, unsent: Outbox, wakes: &mut Wakes) {
        self.settle(key);
        let Some(mut link) = self.links.remove(key) else { return };
        wakes.leave(link.neighbour.take());
        let id = self.hub.down(key);
        let mut orphans = if link.control_taken { Outbox::new() } else { unsent };
        // Of a message that was begun on the short way the whole is kept.
        link.outbox.rewind();
        orphans.append(&link.outbox);
        let lost = self.phase == Phase::Aborted || link.doomed;
        // A name that was made up is not to be met again.
        let comes_back =
            link.through.dialled && !link.leaving && id.as_ref().is_none_or(|id| !is_made_up(id));
        if !lost && self.any_will_do() {
            if let Dialogue::Asked { of, .. } = &mut self.dialogue
                && *of == Some(key)
                && !orphans.is_empty()
            {
                // Nobody has the request now.
                *of = None;
            }
            self.backlog.take_back(orphans);
            self.dispatch(wakes);
        } else if !lost && comes_back && !orphans.is_empty() {
            self.leftovers.insert(link.through.via, Leftover { id, outbox: orphans });
        } else {
            self.dropped += orphans.messages() as u64;
        }
        self.wake_senders(wakes);
        wakes.add(self.watchers.dismiss());
    }

    /// A newcomer has the name of a peer, and gets what waits for it.
    fn replace(&mut self, old: Option<PeerKey>, new: PeerKey, wakes: &mut Wakes) {
        let Some(old) = old else { return };
        if let Some(link) = self.links.get_mut(old) {
            link.outbox.rewind();
            let waiting = std::mem::take(&mut link.outbox);
            self.bequeath(waiting, new, wakes);
        }
        self.doom(old, wakes);
    }

    /// Gives a new link what waits for its peer.
    fn bequeath(&mut self, outbox: Outbox, key: PeerKey, wakes: &mut Wakes) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.neighbour.is_some() {
            for mut message in decode_messages(outbox) {
                link.put(self.rules.hwm, self.going, &mut self.unpaced, wakes, &mut message);
            }
            return;
        }
        link.budget.take(outbox.bytes());
        link.put += outbox.messages() as u64;
        link.outbox.append(&outbox);
    }

    /// Gives a connection up, with all that waits for it.
    fn doom(&mut self, key: PeerKey, wakes: &mut Wakes) {
        self.hub.down(key);
        if let Some(link) = self.links.get_mut(key) {
            if link.neighbour.is_some() {
                return self.down(key, Outbox::new(), wakes);
            }
            link.doomed = true;
            wakes.add(link.pump.take());
            wakes.add(link.writer.take());
        }
    }

    /// A request is not waited for any more. Its reply must not be taken for that to the next one: if nothing tells them
    /// apart the connection is given up.
    fn abandon(&mut self, wakes: &mut Wakes) {
        match std::mem::take(&mut self.dialogue) {
            Dialogue::Asked { of: Some(key), number: None } => self.doom(key, wakes),
            Dialogue::Asked { of: None, .. } => {
                self.dropped += self.backlog.clear();
            }
            _ => {}
        }
    }

    /// Queues `message` for its target, or says why not.
    pub(crate) fn offer(&mut self, target: Target<'_>, message: &mut Message, wakes: &mut Wakes) -> Offer {
        if !self.any_will_do() {
            // Sockets that drop never wait: they are to pause even if nothing that they send finds a place.
            self.unpaced += PACE_PER_MESSAGE;
        }
        let offer = match (&self.hub, target) {
            (_, Target::Origin(key)) => self.offer_one(key, message, wakes),
            (Hub::Router(hub), Target::Id(id)) => match (hub.lookup(id), self.named.get(id)) {
                (Some(key), _) if self.rules.ends(message) => self.dismiss(key, wakes),
                (None, Some(_)) if self.rules.ends(message) => Offer::Unreachable,
                (Some(key), _) => self.offer_one(key, message, wakes),
                (None, Some(via)) if !self.rules.immediate => self.offer_absent(*via, message),
                (None, _) if self.rules.blocks => Offer::Unreachable,
                (None, _) => {
                    self.dropped += 1;
                    Offer::Dropped
                }
            },
            (Hub::PubSub(..), _) => self.offer_matching(message, wakes),
            (Hub::All, _) => self.offer_all(message, wakes),
            _ => self.offer_any(message, wakes),
        };
        if matches!(offer, Offer::Queued(_)) {
            self.sent += 1;
            if let Hub::PubSub(audience) = &mut self.hub {
                audience.sent();
            }
        }
        offer
    }

    /// Whether `message` may be offered now, or has to wait for those who came before it.
    pub(crate) fn check_turn(
        &self,
        pattern: &Pattern,
        message: &Message,
        ticket: Option<Ticket>,
    ) -> Result<bool, MonocoqueError> {
        if self.phase != Phase::Open {
            return Err(MonocoqueError::Closed);
        }
        if message.is_empty() {
            return Err(MonocoqueError::EmptyMessage);
        }
        if !self.rules.relaxed {
            self.dialogue.check_send(pattern.envelope)?;
        }
        Ok(!self.any_will_do() || self.senders.is_next(ticket))
    }

    /// A request is about to be sent: an earlier one without a reply is given up.
    pub(crate) fn begin_request(&mut self, wakes: &mut Wakes) {
        if self.rules.relaxed {
            self.abandon(wakes);
        }
    }

    /// There may be room: for the one whose turn it is, or for whoever waits for the peer that has it.
    fn wake_senders(&mut self, wakes: &mut Wakes) {
        if self.any_will_do() {
            wakes.add(self.senders.first());
        } else {
            wakes.add(self.senders.dismiss());
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

    /// A dialled endpoint is given up.
    pub(crate) fn end_dial(&mut self, wakes: &mut Wakes) {
        self.dials -= 1;
        wakes.add(self.watchers.dismiss());
    }

    #[inline]
    fn offer_any(&mut self, message: &mut Message, wakes: &mut Wakes) -> Offer {
        if self.backlog.is_empty()
            && let Some(key) = self.put_next(message, wakes)
        {
            return Offer::Queued(Some(key));
        }
        let nobody_yet = self.dials > 0 && !self.rules.immediate && self.hub.is_empty();
        if nobody_yet && self.rules.conflate {
            self.dropped += self.backlog.clear();
        }
        let fits = self.backlog.is_empty()
            || self.backlog.bytes() + message.byte_len() <= BytePermits::DEFAULT_CAPACITY;
        if nobody_yet && fits && self.rules.hwm.admits(self.backlog.len()) {
            self.backlog.push(std::mem::take(message));
            return Offer::Queued(None);
        }
        Offer::Full
    }

    /// Gives a message to the peer whose turn it is, of those that have room for it.
    #[inline]
    fn put_next(&mut self, message: &mut Message, wakes: &mut Wakes) -> Option<PeerKey> {
        let Hub::Router(hub) = &mut self.hub else { return None };
        let len = message.byte_len();
        loop {
            let PeerCmd { key, .. } = hub.route(RouterCmd::Next(())).ok()?;
            if let Some(link) = self.links.get_mut(key)
                && link.budget.admits(len)
            {
                if self.rules.conflate {
                    self.dropped += link.forget();
                }
                let room = link.put(self.rules.hwm, self.going, &mut self.unpaced, wakes, message);
                hub.served(key, room.unwrap_or(Room::Full));
                if room.is_some() {
                    return Some(key);
                }
            } else {
                hub.served(key, Room::Full);
            }
        }
    }

    fn offer_one(&mut self, key: PeerKey, message: &mut Message, wakes: &mut Wakes) -> Offer {
        let Rules { hwm, blocks, conflate, .. } = self.rules;
        let link = self.links.get_mut(key);
        let is_there = link.is_some();
        let admits = |link: &&mut Link| !link.doomed && link.admits(hwm, message.byte_len());
        if let Some(link) = link.filter(admits) {
            if conflate {
                self.dropped += link.forget();
            }
            if link.put(hwm, self.going, &mut self.unpaced, wakes, message).is_some() {
                return Offer::Queued(Some(key));
            }
        }
        if is_there && blocks {
            return Offer::Full;
        }
        self.dropped += 1;
        Offer::Dropped
    }

    /// Queues a message for the peer of an endpoint, which is not there at the moment.
    fn offer_absent(&mut self, via: u64, message: &Message) -> Offer {
        let Leftover { outbox, .. } = self.leftovers.entry(via).or_default();
        let fits = outbox.is_empty() || outbox.bytes() + message.byte_len() <= BytePermits::DEFAULT_CAPACITY;
        if fits && self.rules.hwm.admits(outbox.messages()) {
            self.rules.wire.encode(message, outbox);
            return Offer::Queued(None);
        }
        if self.rules.blocks {
            return Offer::Full;
        }
        self.dropped += 1;
        Offer::Dropped
    }

    /// The application ends a connection: once what is queued is sent, and for good if it was us who had connected.
    fn dismiss(&mut self, key: PeerKey, wakes: &mut Wakes) -> Offer {
        self.hub.down(key);
        if let Some(link) = self.links.get_mut(key) {
            link.leaving = true;
            wakes.add(link.pump.take());
            let Through { via, dialled } = link.through;
            if dialled {
                self.dismissed.insert(via);
                self.named.retain(|_, of| *of != via);
            }
        }
        self.wake_senders(wakes);
        Offer::Closed
    }

    /// Whether the application has ended the connection of an endpoint. Says so once.
    pub(crate) fn take_dismissed(&mut self, via: u64) -> bool {
        self.dismissed.remove(&via)
    }

    fn offer_matching(&mut self, message: &mut Message, wakes: &mut Wakes) -> Offer {
        let Hub::PubSub(audience) = &mut self.hub else { return Offer::Dropped };
        let subject = message.frame(0).unwrap_or_default();
        self.targets.clear();
        audience.matches(subject, &mut self.targets);
        if self.targets.is_empty() {
            return Offer::Queued(None);
        }
        if let [only] = self.targets[..] {
            // It does not overtake what waits on the tape.
            self.settle(only);
            return match self.offer_one(only, message, wakes) {
                Offer::Full => Offer::Full,
                _ => Offer::Queued(None),
            };
        }
        let Rules { hwm, blocks, conflate, .. } = self.rules;
        let admits =
            |key: &PeerKey| self.links.get(*key).is_none_or(|link| link.admits(hwm, message.byte_len()));
        if blocks && !self.targets.iter().all(admits) {
            return Offer::Full;
        }
        self.scratch.clear();
        self.rules.wire.encode(message, &mut self.scratch);
        let len = self.scratch.bytes();
        let taped = self.scratch.is_contiguous() && !conflate;
        if !taped || self.tape.is_long() {
            self.cut();
        }
        let place = taped.then(|| self.tape.record(self.scratch.chunk()));
        for key in &self.targets {
            let Some(link) = self.links.get_mut(*key) else { continue };
            if conflate {
                self.dropped += link.forget();
            }
            match place {
                _ if !link.admits(hwm, len) => self.dropped += 1,
                _ if link.neighbour.is_some() => {
                    let mut message = message.clone();
                    let put = link.put(hwm, self.going, &mut self.unpaced, wakes, &mut message);
                    self.dropped += u64::from(put.is_none());
                }
                Some(place) => {
                    link.put_taped(*key, &mut self.tape, place, self.going, &mut self.unpaced, wakes)
                }
                None => {
                    let append = |outbox: &mut Outbox| outbox.append(&self.scratch);
                    link.put_encoded(hwm, self.going, &mut self.unpaced, wakes, append);
                }
            }
        }
        Offer::Queued(None)
    }

    fn offer_all(&mut self, message: &mut Message, wakes: &mut Wakes) -> Offer {
        let keys: SmallVec<[PeerKey; 8]> = self.links.iter().map(|(key, _)| key).collect();
        for key in keys {
            let takes = self.links.get(key).is_some_and(|link| link.neighbour.is_some());
            if takes {
                self.offer_one(key, &mut message.clone(), wakes);
            } else {
                self.offer_one(key, message, wakes);
            }
        }
        Offer::Queued(None)
    }

    /// Puts what waits on the tape into the outboxes of those who are to get it.
    fn cut(&mut self) {
        let cut = self.tape.cut();
        for key in &cut.users {
            if let Some(link) = self.links.get_mut(*key) {
                cut.share(&mut link.stretch, &mut link.outbox);
            }
        }
    }

    /// Puts what waits on the tape for one link into its outbox.
    fn settle(&mut self, key: PeerKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.stretch.is_long() {
            self.cut();
        } else if !link.stretch.is_empty() {
            self.tape.copy(&mut link.stretch, &mut link.outbox);
        }
    }

    /// Gives the backlog to peers with room.
    fn dispatch(&mut self, wakes: &mut Wakes) {
        // However the last sender wanted its message to go.
        self.going = Going::InBatch;
        let mut backlog = std::mem::take(&mut self.backlog);
        while let Some(mut message) = backlog.pop() {
            let Some(key) = self.put_next(&mut message, wakes) else {
                backlog.put_back(message);
                break;
            };
            if let Dialogue::Asked { of, .. } = &mut self.dialogue {
                *of = Some(key);
            }
        }
        self.backlog = backlog;
        self.part(wakes);
    }

    /// A write pump fetches its next batch. `false`: nothing is left and nothing will follow.
    pub(crate) fn poll_take(
        &mut self,
        key: PeerKey,
        cx: &Context<'_>,
        batch: &mut Outbox,
        wakes: &mut Wakes,
    ) -> Poll<bool> {
        self.settle(key);
        let Some(link) = self.links.get_mut(key) else { return Poll::Ready(false) };
        if self.phase == Phase::Aborted || link.doomed {
            return Poll::Ready(false);
        }
        // Whatever it was woken for: it is parked no longer, and the short way is shut.
        link.pump = None;
        // A pump comes back once it has written what it took.
        link.written = link.put - link.messages() as u64;
        // What a sender has begun by itself is ended first.
        link.control_taken = !link.control.is_empty() && !link.outbox.is_begun();
        if link.control_taken {
            std::mem::swap(&mut link.control, batch);
            return Poll::Ready(true);
        }
        if link.outbox.is_empty() {
            if link.leaving || (self.phase == Phase::Draining && self.backlog.is_empty()) {
                return Poll::Ready(false);
            }
            link.outbox.shrink();
            link.pump = Some(cx.waker().clone());
            wakes.add(self.watchers.dismiss());
            return Poll::Pending;
        }
        std::mem::swap(&mut link.outbox, batch);
        link.budget = BytePermits::default();
        self.unpaced = 0;
        self.on_room(key);
        self.dispatch(wakes);
        self.wake_senders(wakes);
        wakes.add(self.watchers.dismiss());
        Poll::Ready(true)
    }

    /// A link that may have been full has room, if the mark says so.
    fn on_room(&mut self, key: PeerKey) {
        if let Hub::Router(hub) = &mut self.hub
            && let Some(link) = self.links.get(key)
            && self.rules.hwm.admits(link.messages())
        {
            hub.on_room(key);
        }
    }

    /// What is held goes: something is sent behind it, maybe to another peer, or a sender has to wait.
    #[inline]
    pub(crate) fn let_go_held(&mut self, wakes: &mut Wakes) {
        if std::mem::take(&mut self.holds) {
            let held = self.links.iter_mut().filter(|(_, link)| link.messages() > 0);
            held.for_each(|(_, link)| wakes.add(link.pump.take()));
        }
    }

    /// Lets all pumps go that wait although there is something to write. Gives for each link how many messages will have
    /// been written once all that is queued now is.
    pub(crate) fn let_go(&mut self, wakes: &mut Wakes) -> Vec<(PeerKey, u64)> {
        self.holds = false;
        let queued = self.links.iter_mut().filter(|(_, link)| link.messages() > 0 || link.written < link.put);
        queued
            .map(|(key, link)| {
                wakes.add(link.pump.take());
                (key, link.put)
            })
            .collect()
    }

    /// Whether a link has written so many messages since it was there, or is gone; not if it was us who ended it, since
    /// what it left then is lost.
    pub(crate) fn has_written(&self, key: PeerKey, messages: u64) -> bool {
        self.links.get(key).map_or(self.phase == Phase::Open, |link| link.written >= messages)
    }

    /// The pump is to write something else. `false` if a sender has begun a message meanwhile: then it is being woken.
    pub(crate) fn unpark(&mut self, key: PeerKey) -> bool {
        let Some(link) = self.links.get_mut(key) else { return true };
        link.pump = None;
        !link.outbox.is_begun()
    }

    /// Ready once a pump that is writing has to give up.
    pub(crate) fn poll_abort(&mut self, key: PeerKey, cx: &Context<'_>) -> Poll<()> {
        match self.links.get_mut(key) {
            Some(link) if self.phase != Phase::Aborted && !link.doomed => {
                link.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Queues a subscription for one connection.
    pub(crate) fn subscribe_one(
        &mut self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) {
        if let Some(link) = self.links.get_mut(key) {
            link.subscribe(kind, topic, wakes);
        }
    }

    /// Queues a subscription for all connections. One that does not take them is given up: the next one gets them all.
    pub(crate) fn subscribe_all(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) {
        let mut stuck = Vec::new();
        for (key, link) in self.links.iter_mut() {
            if !link.subscribe(kind, topic, wakes) {
                stuck.push(key);
            }
        }
        for key in stuck {
            self.doom(key, wakes);
        }
    }

    /// An endpoint is given up: its peers get nothing more, and their connections end once what is queued has been sent.
    pub(crate) fn leave(&mut self, via: u64, wakes: &mut Wakes) {
        for (key, link) in self.links.iter_mut().filter(|(_, link)| link.through.via == via) {
            link.leaving = true;
            wakes.add(link.pump.take());
            self.hub.down(key);
        }
        self.named.retain(|_, of| *of != via);
        self.part_from(|link| link.leaving, wakes);
        let left = self.leftovers.remove(&via);
        self.dropped += left.map_or(0, |leftover| leftover.outbox.messages() as u64);
        self.wake_senders(wakes);
    }

    /// Takes no more messages; all who wait are told.
    pub(crate) fn enter(&mut self, phase: Phase, wakes: &mut Wakes) {
        self.phase = phase;
        wakes.add(self.senders.dismiss());
        wakes.add(self.watchers.dismiss());
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

    /// The socket is closed: ends the connections to neighbours that have nothing left to get.
    fn part(&mut self, wakes: &mut Wakes) {
        let due = match self.phase {
            Phase::Open => false,
            Phase::Draining => self.backlog.is_empty(),
            Phase::Aborted => true,
        };
        if due {
            self.part_from(|_| true, wakes);
        }
    }

    /// Ends the connections to some neighbours. They have got all there was for them.
    fn part_from(&mut self, which: impl Fn(&Link) -> bool, wakes: &mut Wakes) {
        let neighbours = self.links.iter().filter(|(_, link)| link.neighbour.is_some() && which(link));
        let keys: SmallVec<[PeerKey; 1]> = neighbours.map(|(key, _)| key).collect();
        for key in &keys {
            self.hub.down(*key);
            wakes.leave(self.links.remove(*key).and_then(|link| link.neighbour));
        }
        if !keys.is_empty() {
            self.wake_senders(wakes);
            wakes.add(self.watchers.dismiss());
        }
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
        self.wire == Wire::Raw && message.byte_len() == 0
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
fn is_made_up(id: &RoutingId) -> bool {
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
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::task::Waker;

    use monocoque_core::sync::AtomicBool;
    use monocoque_core::transport::WriteNow;

    use super::super::{DEALER, PUB, REQ, XPUB};
    use super::*;

    /// A stream of which the system takes so many bytes.
    #[derive(Debug)]
    struct Takes(usize);

    impl WriteNow for Takes {
        fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len().min(self.0))
        }
    }

    fn outbound(pattern: &Pattern, hwm: usize) -> Outbound {
        Outbound::new(pattern, &Options { send_hwm: Hwm::new(hwm), ..Options::default() })
    }

    fn parked(pattern: &Pattern, hwm: usize, takes: Option<usize>) -> (Outbound, PeerKey) {
        let mut out = outbound(pattern, hwm);
        let key = join(&mut out, takes);
        (out, key)
    }

    fn join(out: &mut Outbound, takes: Option<usize>) -> PeerKey {
        let heard = Arc::new(AtomicBool::new(true));
        let direct = takes.map(|n| Direct::new(Arc::new(Takes(n)), heard));
        let id = routing_id(b"", out.peers() as u32);
        let mut wakes = Wakes::default();
        let through = Through { via: 0, dialled: false };
        let key = out.up(id, Revision::V3_1, through, direct, &mut wakes).expect("welcome");
        if out.queued() == 0 {
            assert_eq!(take(out, key), None, "nothing waits: the pump parks");
        }
        key
    }

    /// What the write pump of a link gets, if it does not have to wait.
    fn take(out: &mut Outbound, key: PeerKey) -> Option<Vec<u8>> {
        let mut batch = Outbox::new();
        let cx = Context::from_waker(Waker::noop());
        match out.poll_take(key, &cx, &mut batch, &mut Wakes::default()) {
            Poll::Ready(more) => more.then(|| batch.slices().collect::<Vec<_>>().concat()),
            Poll::Pending => None,
        }
    }

    fn send(out: &mut Outbound, body: &str) -> Offer {
        send_in(out, Going::Alone, body)
    }

    fn send_in(out: &mut Outbound, going: Going, body: &str) -> Offer {
        out.going = going;
        out.offer(Target::Pattern, &mut body.into(), &mut Wakes::default())
    }

    #[test]
    fn what_the_system_takes_at_once_is_not_left_for_the_pump() {
        let (mut out, key) = parked(&DEALER, 1, Some(usize::MAX));
        assert_eq!(send(&mut out, "answer"), Offer::Queued(Some(key)));
        assert_eq!(take(&mut out, key), None);
        assert_eq!(send(&mut out, "not asked for"), Offer::Queued(Some(key)), "there is room again");
        assert_eq!(take(&mut out, key).expect("the long way"), b"\0\x0dnot asked for");
    }

    #[test]
    fn what_others_have_to_wait_for_does_not_go_at_once() {
        for going in [Going::InBatch, Going::Held] {
            let (mut out, key) = parked(&DEALER, 10, Some(usize::MAX));
            send_in(&mut out, going, "one");
            send_in(&mut out, Going::Alone, "two");
            match going {
                // Its pump was woken, and may be on its way.
                Going::InBatch => assert_eq!(take(&mut out, key).expect("both"), b"\0\x03one\0\x03two"),
                _ => assert_eq!(take(&mut out, key), None, "both are gone"),
            }
        }
    }

    #[test]
    fn what_is_held_wakes_nobody_until_it_is_let_go() {
        let (dealer, key) = parked(&DEALER, 10, None);
        for (mut out, keys) in [(dealer, vec![key]), publisher(2, 10)] {
            let asleep = |out: &Outbound| out.links.iter().filter(|(_, link)| link.pump.is_some()).count();
            send_in(&mut out, Going::Held, "held");
            assert_eq!(asleep(&out), keys.len());
            let goals = out.let_go(&mut Wakes::default());
            assert_eq!((asleep(&out), goals.len()), (0, keys.len()));
            for (key, messages) in goals {
                assert!(!out.has_written(key, messages));
                assert_eq!(take(&mut out, key).expect("let go"), b"\0\x04held");
                assert!(!out.has_written(key, messages), "it was taken, and is not written");
                assert_eq!(take(&mut out, key), None);
                assert!(out.has_written(key, messages));
            }
        }
    }

    #[test]
    fn what_a_lost_connection_gives_back_is_not_held() {
        let (mut out, key) = parked(&DEALER, 10, None);
        let other = join(&mut out, None);
        // One for each; who is first is up to the hub.
        send_in(&mut out, Going::InBatch, "one");
        send_in(&mut out, Going::InBatch, "two");
        assert!(take(&mut out, other).is_some() && take(&mut out, other).is_none());
        send_in(&mut out, Going::Held, "held");
        assert_eq!(
            take(&mut out, other).is_some(),
            out.links.get(key).is_some_and(|link| link.messages() == 1)
        );
        take(&mut out, other);
        out.down(key, Outbox::new(), &mut Wakes::default());
        assert!(out.links.get(other).is_some_and(|link| link.pump.is_none() && link.messages() > 0));
    }

    #[test]
    fn what_was_begun_is_ended_by_the_pump() {
        let (mut out, key) = parked(&DEALER, 10, Some(3));
        send(&mut out, "first");
        send(&mut out, "second");
        assert_eq!(take(&mut out, key).expect("the rest"), b"irst\0\x06second");
    }

    #[test]
    fn what_was_begun_goes_whole_to_the_next_peer() {
        let (mut out, key) = parked(&DEALER, 10, Some(3));
        send(&mut out, "first");
        send(&mut out, "second");
        out.down(key, Outbox::new(), &mut Wakes::default());
        let next = join(&mut out, None);
        assert_eq!(take(&mut out, next).expect("both"), b"\0\x05first\0\x06second");
    }

    #[test]
    fn a_request_that_came_back_is_given_up_with_the_next_one() {
        let mut out = Outbound::new(&REQ, &Options { relaxed: true, ..Options::default() });
        out.dials = 1;
        let key = join(&mut out, None);
        send_in(&mut out, Going::InBatch, "first");
        out.dialogue = Dialogue::Asked { of: Some(key), number: None };
        out.down(key, Outbox::new(), &mut Wakes::default());
        assert_eq!((out.queued(), out.dropped), (1, 0), "it waits for another peer");
        out.begin_request(&mut Wakes::default());
        assert_eq!((out.queued(), out.dropped), (0, 1));
        assert_eq!(send_in(&mut out, Going::InBatch, "second"), Offer::Queued(None));
        let next = join(&mut out, None);
        assert_eq!(take(&mut out, next).expect("the second"), b"\0\x06second");
    }

    #[test]
    fn what_is_cut_off_is_counted() {
        let (mut out, key) = parked(&DEALER, 10, None);
        send(&mut out, "one");
        send(&mut out, "two");
        out.enter(Phase::Aborted, &mut Wakes::default());
        out.down(key, Outbox::new(), &mut Wakes::default());
        assert_eq!((out.dropped, out.queued()), (2, 0));
    }

    /// A publisher with links that have all subscribed to everything.
    fn publisher(links: usize, hwm: usize) -> (Outbound, Vec<PeerKey>) {
        let mut out = outbound(&PUB, hwm);
        let keys: Vec<_> = (0..links).map(|_| join(&mut out, None)).collect();
        for key in &keys {
            out.subscriptions().expect("a publisher has them").subscribe(*key, b"");
        }
        (out, keys)
    }

    #[test]
    fn what_is_for_one_waits_until_that_one_has_room() {
        let options = Options {
            manual: true,
            last_value: true,
            mandatory: true,
            send_hwm: Hwm::new(1),
            ..Options::default()
        };
        let mut out = Outbound::new(&XPUB, &options);
        let keys = [join(&mut out, None), join(&mut out, None)];
        for (key, body) in keys.iter().zip(["1", "2"]) {
            let audience = out.audience().expect("a publisher has one");
            audience.turn_to(*key, Subscription::Subscribe);
            audience.grant(Subscription::Subscribe, b"");
            send(&mut out, body);
        }
        assert_eq!(take(&mut out, keys[0]).expect("the first"), b"\0\x011");
        out.audience().expect("a publisher has one").turn_to(keys[1], Subscription::Subscribe);
        assert_eq!(send_in(&mut out, Going::InBatch, "3"), Offer::Full);
        assert_eq!(take(&mut out, keys[1]).expect("the second"), b"\0\x012");
        assert_eq!(send_in(&mut out, Going::InBatch, "3"), Offer::Queued(None));
        assert_eq!(take(&mut out, keys[1]).expect("the third"), b"\0\x013");
        send(&mut out, "4");
        for key in keys {
            assert_eq!(take(&mut out, key).expect("the fourth"), b"\0\x014");
        }
    }

    #[test]
    fn links_that_share_a_tape_have_each_its_own_mark() {
        let (mut out, keys) = publisher(3, 2);
        send(&mut out, "1");
        assert_eq!(take(&mut out, keys[0]).expect("one"), b"\0\x011");
        send(&mut out, "2");
        send(&mut out, "3");
        send(&mut out, "4");
        assert_eq!((out.queued(), out.dropped, out.sent), (6, 5, 4));
        assert_eq!(take(&mut out, keys[0]).expect("two"), b"\0\x012\0\x013");
        send(&mut out, "5");
        assert_eq!(take(&mut out, keys[0]).expect("one"), b"\0\x015");
        for key in &keys[1..] {
            assert_eq!(take(&mut out, *key).expect("two"), b"\0\x011\0\x012");
        }
        assert_eq!((out.queued(), out.dropped), (0, 7));
    }

    #[test]
    fn what_waits_on_the_tape_is_not_overtaken() {
        let (mut out, keys) = publisher(2, 0);
        let hub = out.subscriptions().expect("a publisher has them");
        hub.cancel(keys[1], b"");
        hub.subscribe(keys[1], b"both");
        let large = format!("both{}", "l".repeat(5_000));
        for body in ["both 1", "one 2", "both 3", &large, "one 4", "both 5"] {
            send(&mut out, body);
        }
        for (key, expected) in [(keys[0], &[1, 2, 3, 4, 5][..]), (keys[1], &[1, 3, 5])] {
            let bytes = take(&mut out, key).expect("something");
            let found: Vec<_> =
                bytes.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
            assert_eq!(found, expected);
            let large = bytes.windows(large.len()).position(|window| window == large.as_bytes());
            let at = |digit: u8| bytes.iter().position(|byte| *byte == digit);
            assert!(at(b'3') < large && large < at(b'5'));
        }
        assert_eq!(out.queued(), 0);
    }

    #[test]
    fn what_waits_on_the_tape_for_a_link_that_is_gone_is_counted() {
        let (mut out, keys) = publisher(2, 0);
        send(&mut out, "one");
        send(&mut out, &"x".repeat(70));
        out.down(keys[0], Outbox::new(), &mut Wakes::default());
        assert_eq!((out.dropped, out.queued()), (2, 2));
        let rest = take(&mut out, keys[1]).expect("both");
        assert_eq!((&rest[..5], rest.len()), (&b"\0\x03one"[..], 5 + 72));
    }

    #[test]
    fn a_publisher_that_nobody_hears_is_to_pause() {
        let (mut out, _) = parked(&PUB, 10, None);
        let mut sent = 0;
        while !out.take_pause() {
            send(&mut out, "");
            sent += 1;
            assert!(sent < 10_000, "it would never let anybody in");
        }
    }
}
