//! Names within the process, and the connections between sockets that are bound and connected to them.
//!
//! There is no stream, no task and no thread between two neighbours: whoever sends puts the message into the lane of the
//! receiver. What each end needs of the other is a [`Neighbour`] in its link. A connection ends when one of the two lets its
//! link go: the end that was in it tells its socket, whose link then lets go of the other one.
//!
//! Locks, in this order: the names; what a subscriber wants; the outgoing side of a subscriber, or of whoever sends; the
//! outgoing side of a publisher who is subscribed to; the inbox. Only [`Names::settle`] holds two outgoing sides otherwise, and
//! holds the names meanwhile. All ends are let go of with no lock held.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};

use monocoque_core::sync::Mutex;
use monocoque_core::{
    Endpoint, Hwm, InprocName, LaneConfig, LaneKey, Message, Outbox, PeerKey, Room, RoutingId, Weigh, runtime,
};
use monocoque_zmtp::{Incompatible, Properties, Subscription};

use super::departures::Departure;
use super::endpoints::{Attached, Via};
use super::hearing::Heard;
use super::{Engine, Refusal};
use crate::monitor::{Connection, DisconnectReason, SocketEvent};
use crate::pattern::asking::List;
use crate::pattern::intake::{Verdict, judge, restore};
use crate::pattern::link::Neighbour;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Intake, Routing};
use crate::peer::Peer;
use crate::trace::{self, Span};

/// The names that the sockets of a context know.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<HashMap<InprocName, Place>>);

/// Who is at a name.
#[derive(Debug, Default)]
struct Place {
    bound: Option<Party>,
    /// They have connected, and are connected as soon as somebody is there who takes them.
    waiting: Vec<Party>,
}

/// A socket that has bound or connected.
#[derive(Clone, Debug)]
struct Party {
    engine: Weak<Engine>,
    via: Via,
}

/// One of the two who meet.
struct Side {
    engine: Arc<Engine>,
    via: Via,
}

/// What is to be done after two have met, with no lock held.
#[derive(Default)]
struct Afterwards {
    wakes: Wakes,
    traces: Vec<(Span, SocketEvent)>,
    /// Not dropped under a lock.
    sides: Vec<Side>,
}

impl Names {
    /// Those of all sockets that were made without a context of their own.
    pub(crate) fn of_process() -> Arc<Self> {
        static NAMES: OnceLock<Arc<Names>> = OnceLock::new();
        NAMES.get_or_init(Arc::default).clone()
    }

    /// Binds a socket to the name of its endpoint. `false` if another one is bound to it.
    pub(super) fn bind(&self, engine: &Arc<Engine>, via: &Via) -> bool {
        let Endpoint::Inproc(name) = &via.endpoint else { return false };
        {
            let mut places = self.0.lock();
            let place = places.entry(name.clone()).or_default();
            if place.bound.as_ref().is_some_and(Party::is_there) {
                return false;
            }
            place.bound = Some(Party::new(engine, via));
        }
        engine.tell(|| SocketEvent::Listening { endpoint: via.endpoint.clone() });
        self.settle(name);
        true
    }

    /// Connects a socket to the name of its endpoint, as soon as somebody is bound to it.
    pub(super) fn connect(&self, engine: &Arc<Engine>, via: &Via) {
        let Endpoint::Inproc(name) = &via.endpoint else { return };
        self.wait(name, Party::new(engine, via));
        self.settle(name);
    }

    /// An endpoint is no longer wanted, which changes nothing if it is none of these. Says whether its name can be bound now.
    pub(super) fn leave(&self, via: &Via) -> bool {
        let Endpoint::Inproc(name) = &via.endpoint else { return false };
        let mut places = self.0.lock();
        let Some(place) = places.get_mut(name) else { return false };
        let others = |party: &Party| !party.via.stop.is(&via.stop);
        let was_bound = place.bound.as_ref().is_some_and(|party| !others(party));
        place.bound = place.bound.take().filter(others);
        place.waiting.retain(others);
        if place.bound.is_none() && place.waiting.is_empty() {
            places.remove(name);
        }
        was_bound
    }

    /// Lets a party wait at a name, unless its endpoint is not wanted any more: nobody would take it away again.
    fn wait(&self, name: &InprocName, party: Party) {
        let mut places = self.0.lock();
        if party.is_there() {
            places.entry(name.clone()).or_default().waiting.push(party);
        }
    }

    #[cfg(all(test, monocoque_loom))]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Lets those who wait at a name meet whoever is bound to it. Who is refused waits for the next occasion.
    fn settle(&self, name: &InprocName) {
        let mut after = Afterwards::default();
        let mut places = self.0.lock();
        if let Some(place) = places.get_mut(name)
            && let Some(bound) = place.bound.as_ref().and_then(Party::here)
        {
            place.waiting.retain(|party| {
                let Some(connected) = party.here() else { return false };
                let met = meet(&connected, &bound, &mut after);
                if let Err(reason) = &met {
                    for side in [&connected, &bound] {
                        after.tell_refused(side, reason);
                    }
                }
                after.sides.push(connected);
                met.is_err()
            });
            after.sides.push(bound);
        }
        drop(places);
        after.wakes.wake();
        for (span, event) in &after.traces {
            span.within(|| trace::event(event));
        }
    }
}

/// Connects two sockets, or says why not.
fn meet(connected: &Side, bound: &Side, after: &mut Afterwards) -> Result<(), DisconnectReason> {
    if Arc::ptr_eq(&connected.engine, &bound.engine) {
        return Err(DisconnectReason::Io(Arc::new(io::Error::new(io::ErrorKind::Unsupported, OWN_PEER))));
    }
    let (ours, theirs) = (connected.engine.pattern.socket_type, bound.engine.pattern.socket_type);
    if !ours.is_compatible_with(theirs) {
        return Err(DisconnectReason::Protocol(Incompatible::SocketType { ours, theirs }.into()));
    }
    // As when it subscribes: who does that comes first.
    let (first, second) = if connected.subscribes() { (connected, bound) } else { (bound, connected) };
    let wakes = &mut after.wakes;
    let topics = first.engine.filter.topics.read();
    let mut first_out = first.engine.out.lock();
    let mut second_out = second.engine.out.lock();
    if !first_out.wants_peers() || !second_out.wants_peers() {
        return Err(DisconnectReason::ByPeer);
    }
    let refused = |side: &Side| match side.engine.refusal() {
        Refusal::Taken => DisconnectReason::Taken,
        _ => DisconnectReason::DuplicateRoutingId,
    };
    let second_id = first.engine.name_of(&first.via, &second.engine.options.announced_id());
    let first_id = second.engine.name_of(&second.via, &first.engine.options.announced_id());
    let first_key = first_out.approach(second_id.clone(), first.via.through(), wakes);
    let first_key = first_key.ok_or_else(|| refused(first))?;
    let Some(second_key) = second_out.approach(first_id.clone(), second.via.through(), wakes) else {
        first_out.down(first_key, Outbox::new(), wakes);
        return Err(refused(second));
    };
    let to_first = first.end(first_key, second_id, second_out.hwm(), (second, second_key));
    let to_second = second.end(second_key, first_id, first_out.hwm(), (first, first_key));
    first_out.set_connection(first_key, to_first.connection.id);
    second_out.set_connection(second_key, to_second.connection.id);
    let stories = [to_first.story(second), to_second.story(first)];
    second_out.meet(second_key, Box::new(Guarded(Some(to_first))), wakes);
    first_out.meet(first_key, Box::new(Guarded(Some(to_second))), wakes);
    drop(second_out);
    for (topic, _) in topics.iter() {
        first_out.subscribe_one(first_key, Subscription::Subscribe, topic, wakes);
    }
    // While nobody can have ended the connection.
    for (side, (span, events)) in [first, second].into_iter().zip(stories) {
        for event in events {
            after.tell(&side.engine, &span, event);
        }
    }
    Ok(())
}

impl Party {
    fn new(engine: &Arc<Engine>, via: &Via) -> Self {
        Self { engine: Arc::downgrade(engine), via: via.clone() }
    }

    fn is_there(&self) -> bool {
        self.engine.strong_count() > 0 && !self.via.stop.is_said()
    }

    fn here(&self) -> Option<Side> {
        if !self.is_there() {
            return None;
        }
        Some(Side { engine: self.engine.upgrade()?, via: self.via.clone() })
    }
}

impl Side {
    fn subscribes(&self) -> bool {
        self.engine.pattern.intake == Intake::Filtered || self.engine.pattern.routing == Routing::ToAll
    }

    /// What its new peer, called `id`, is to know of it. `hwm` is the peer's for what it sends.
    fn end(&self, key: PeerKey, id: RoutingId, hwm: Hwm, (peer, peer_key): (&Self, PeerKey)) -> End {
        let config = LaneConfig {
            sender_hwm: Some(hwm),
            conflate: peer.engine.options.conflate,
            ..LaneConfig::default()
        };
        let connection = self.engine.new_connection(&self.via, self.via.endpoint.to_string());
        let sender = Reopen { engine: Arc::downgrade(&peer.engine), key: peer_key };
        let about_peer = Peer {
            connection: connection.clone(),
            socket_type: peer.engine.pattern.socket_type,
            routing_id: peer.engine.options.routing_id.clone().unwrap_or_else(|| id.clone()),
            properties: Properties::default(),
        };
        End {
            engine: self.engine.clone(),
            key,
            lane: self.engine.open_lane(key, &self.via, about_peer, config),
            id,
            via: self.via.clone(),
            span: Span::of(&connection),
            connection,
            sender: Arc::new(sender).into(),
        }
    }
}

impl Afterwards {
    fn tell_refused(&mut self, side: &Side, reason: &DisconnectReason) {
        let connection = side.engine.new_connection(&side.via, side.via.endpoint.to_string());
        let span = Span::of(&connection);
        let reason = || reason.clone();
        for event in [
            side.via.begun(&connection),
            SocketEvent::HandshakeFailed { connection: connection.clone(), reason: reason() },
            SocketEvent::Disconnected { connection, reason: reason() },
        ] {
            self.tell(&side.engine, &span, event);
        }
    }

    fn tell(&mut self, engine: &Engine, span: &Span, event: SocketEvent) {
        self.wakes.add(engine.monitors.emit_deferred(|| event.clone()));
        if trace::ON {
            self.traces.push((span.clone(), event));
        }
    }
}

/// One end of a connection, as the other one holds it.
#[derive(Debug)]
struct End {
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    /// What the one who sends is called.
    id: RoutingId,
    via: Via,
    connection: Arc<Connection>,
    span: Span,
    /// Is told when there is room again.
    sender: Waker,
}

impl End {
    /// What its socket is told of a new connection.
    fn story(&self, peer: &Side) -> (Span, [SocketEvent; 2]) {
        let connection = self.connection.clone();
        let routing_id = peer.engine.options.routing_id.clone().unwrap_or_else(|| self.id.clone());
        let socket_type = peer.engine.pattern.socket_type;
        let welcome = SocketEvent::HandshakeSucceeded { connection, socket_type, routing_id };
        (self.span.clone(), [self.via.begun(&self.connection), welcome])
    }

    /// Queues a message. Leaves it if nobody will receive it.
    #[inline]
    fn offer(&self, message: &mut Message, wakes: &mut Wakes) -> Option<Room> {
        let mut receiver = None;
        let taken = std::mem::take(message);
        match self.engine.inbox.push_one(self.lane, taken, &self.sender, &mut receiver) {
            Ok(room) => {
                wakes.add(receiver);
                Some(room)
            }
            Err(left) => {
                *message = left;
                None
            }
        }
    }

    /// The other end asks for something. `false` if that is too much.
    fn hear(&self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        match self.engine.hear(self.key, kind, topic, None, wakes) {
            Heard::ToItself => true,
            Heard::PassOn(mut message) => {
                // Nobody is there to receive it if this is none.
                let _room = self.offer(&mut message, wakes);
                true
            }
            Heard::TooMuch => false,
        }
    }

    /// The other end asks for several things in one message, and may say something else in it. Within the process nothing is too
    /// much.
    fn take_apart(&self, message: Message, wakes: &mut Wakes) -> Option<Room> {
        let mut list = List::of(message);
        for (kind, topic) in list.subscriptions() {
            self.hear(kind, topic, wakes);
        }
        if list.rest.is_empty() { Some(Room::Available) } else { self.offer(&mut list.rest, wakes) }
    }

    /// The other end has let go of it.
    fn leave(self) {
        let Self { engine, key, lane, id, via, connection, span, .. } = self;
        let by_us = !engine.out.lock().knows(key);
        let mut last = engine.last_words(&via).filter(|_| !by_us);
        if let Some(last) = &mut last {
            engine.put_in_envelope(&id, last);
        }
        let bytes = last.as_ref().map_or(0, Weigh::weight);
        engine.depart(Departure { key, lane, last: last.into_iter().collect(), bytes });
        let reason = if by_us { DisconnectReason::ByUs } else { DisconnectReason::ByPeer };
        span.within(|| engine.tell(|| SocketEvent::Disconnected { connection, reason }));
        let comes_back = via.kind == Attached::Connected && !via.stop.is_said();
        engine.link_down(key, Outbox::new());
        engine.out.lock().lost += u64::from(comes_back);
        let Endpoint::Inproc(name) = &via.endpoint else { return };
        let stops = !by_us && engine.options.reconnect_stop.connection_lost;
        let waits = || {
            if !comes_back || !engine.wants_peers() {
                return;
            }
            if stops {
                engine.give_up(&via);
                return engine.tell(|| SocketEvent::GivenUp { endpoint: via.endpoint.clone() });
            }
            engine.names.wait(name, Party::new(&engine, &via));
        };
        // Whoever was sent away waits for the next occasion, or two would push each other out for ever.
        if by_us {
            waits();
            engine.names.settle(name);
        } else {
            engine.names.settle(name);
            waits();
        }
    }
}

/// Lets an end go when it is dropped.
#[derive(Debug)]
struct Guarded(Option<End>);

impl Neighbour for Guarded {
    #[inline]
    fn deliver(&mut self, message: &mut Message, wakes: &mut Wakes) -> Option<Room> {
        let end = self.0.as_ref()?;
        let Engine { pattern, options, .. } = &*end.engine;
        match judge(pattern, options, &end.id, message) {
            Verdict::Queue => end.offer(message, wakes).or_else(|| {
                restore(pattern, options, message);
                None
            }),
            Verdict::TakeApart => end.take_apart(std::mem::take(message), wakes),
            Verdict::Drop | Verdict::Violation => {
                end.engine.note_discarded(1);
                Some(Room::Available)
            }
        }
    }

    fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        let Some(end) = &self.0 else { return false };
        end.hear(kind, topic, wakes)
    }

    fn room(&mut self, hwm: Hwm) -> Room {
        self.0.as_ref().map_or(Room::Full, |end| end.engine.inbox.set_sender_hwm(end.lane, hwm, &end.sender))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            runtime::run_outside_panic(move || end.leave());
        }
    }
}

/// Lets a sender go on whose neighbour has room again.
#[derive(Debug)]
struct Reopen {
    engine: Weak<Engine>,
    key: PeerKey,
}

impl Wake for Reopen {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.engine.upgrade() {
            engine.with_wakes(|out, wakes| out.reopen(self.key, wakes));
        }
    }
}

const OWN_PEER: &str = "a socket cannot be its own peer within the process";

#[cfg(all(test, monocoque_loom))]
mod models;
