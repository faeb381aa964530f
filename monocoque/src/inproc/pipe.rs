//! One direction of an inproc connection.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use bytes::Bytes;
use monocoque_core::{Hwm, LaneConfig, LaneKey, Message, Outbox, PeerKey, Room, RoutingId, Weigh, runtime};
use monocoque_zmtp::{Admission, Properties, Subscription};

use crate::connection::Ended;
use crate::connection::cleanup::{remove_peer, remove_receiver};
use crate::connection::events::begun;
use crate::connection::subscriptions::{disconnect_message, on_subscription, prepend_id};
use crate::endpoint::EndpointRef;
use crate::monitor::{DisconnectReason, SocketEvent};
use crate::pattern::incoming::{Disposition, classify, restore};
use crate::pattern::link::InprocPeer;
use crate::pattern::publisher::SubscriptionOutcome;
use crate::pattern::subscription_frame::{SubscriptionList, report};
use crate::pattern::wakes::Wakes;
use crate::peer::{Peer, Since};
use crate::socket::Engine;
use crate::socket::departures::Departure;
use crate::trace::Span;

type Participant = super::registry::Participant<Engine>;

/// The receiving end of a pipe, as the link of the sender holds it.
#[derive(Debug)]
pub(super) struct PipeEnd {
    /// The receiver.
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    /// The routing id of the sender.
    id: RoutingId,
    endpoint: EndpointRef,
    /// The sender, as the receiver sees it.
    pub(super) peer: Arc<Peer>,
    span: Span,
    /// Wakes the sender when there is room again.
    sender: Waker,
}

impl PipeEnd {
    /// Creates the pipe to `receiver` for the messages of the peer `id`, whose send mark is `hwm`.
    pub(super) fn new(
        receiver: &Participant,
        key: PeerKey,
        id: RoutingId,
        hwm: Hwm,
        (peer, peer_key): (&Participant, PeerKey),
    ) -> Self {
        let Participant { socket: engine, endpoint } = receiver;
        let config = LaneConfig {
            sender_hwm: Some(hwm),
            conflate: peer.socket.options.conflate,
            ..LaneConfig::default()
        };
        let connection = engine.new_connection(endpoint, endpoint.address.clone());
        let span = engine.span.connection(&connection);
        let sender = RoomWaker { engine: Arc::downgrade(&peer.socket), key: peer_key };
        let about_peer = Arc::new(Peer {
            connection,
            socket_type: peer.socket.pattern.socket_type,
            routing_id: visible_id(endpoint, peer, &id),
            properties: Properties::default(),
            admission: Admission::default(),
            since: Since::now(),
            bytes: Arc::default(),
        });
        Self {
            engine: engine.clone(),
            key,
            lane: engine.open_lane(key, endpoint, about_peer.clone(), config),
            peer: about_peer,
            id,
            endpoint: endpoint.clone(),
            span,
            sender: Arc::new(sender).into(),
        }
    }

    /// Returns the events of the new connection for the receiver.
    pub(super) fn events(&self, peer: &Participant) -> (Span, [SocketEvent; 2]) {
        let connection = self.peer.connection.clone();
        let routing_id = visible_id(&self.endpoint, peer, &self.id);
        let socket_type = peer.socket.pattern.socket_type;
        let succeeded = SocketEvent::HandshakeSucceeded { connection, socket_type, routing_id };
        (self.span.clone(), [begun(&self.endpoint, &self.peer.connection), succeeded])
    }

    /// Queues a message. Leaves it in place if no socket will receive it.
    #[inline]
    fn push(&self, message: &mut Message, wakes: &mut Wakes) -> Option<Room> {
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

    /// Applies a subscription of the sender. `false` if it exceeds the sender's limit.
    fn on_subscription(&self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        match on_subscription(&self.engine, self.key, kind, topic, None, wakes) {
            SubscriptionOutcome::Silent => true,
            SubscriptionOutcome::Report => {
                // A closed receiver receives no report.
                let _room = self.push(&mut report(kind, topic), wakes);
                true
            }
            SubscriptionOutcome::Refused => false,
        }
    }

    /// Applies the subscriptions of one message, and queues its other frames. Inproc has no limit
    /// for them.
    fn split_subscriptions(&self, message: Message, wakes: &mut Wakes) -> Option<Room> {
        let mut list = SubscriptionList::of(message);
        for (kind, topic) in list.subscriptions() {
            self.on_subscription(kind, topic, wakes);
        }
        if list.rest.is_empty() { Some(Room::Available) } else { self.push(&mut list.rest, wakes) }
    }

    /// Ends the connection at the receiver: the sender has dropped its link.
    fn disconnect(self, on_disconnected: OnDisconnected) {
        let Self { engine, key, lane, id, endpoint, peer, span, .. } = self;
        let by_us = !engine.out.lock().has_link(key);
        let mut last = disconnect_message(&endpoint).filter(|_| !by_us);
        if let Some(last) = &mut last {
            prepend_id(&engine, &id, last);
        }
        let bytes = last.as_ref().map_or(0, Weigh::weight);
        remove_receiver(&engine, Departure { key, lane, last: last.into_iter().collect(), bytes });
        let reason = if by_us { DisconnectReason::ByUs } else { DisconnectReason::ByPeer };
        let disconnected =
            SocketEvent::Disconnected { connection: peer.connection.clone(), reason: reason.clone() };
        endpoint.failures.lost(&span, &endpoint, &reason);
        engine.emit_in(&span, || disconnected);
        let closed = remove_peer(&engine, key, Outbox::new());
        let ended = Ended { was_up: true, has_progress: true, comes_back: closed.comes_back, reason, span };
        on_disconnected(&engine, &endpoint, &ended);
        engine.with_wakes(|out, wakes| out.lifecycle.end_pipe(wakes));
    }
}

/// Returns the routing id of a peer that the application sees, as over streams.
fn visible_id(endpoint: &EndpointRef, peer: &Participant, generated: &RoutingId) -> RoutingId {
    let announces = peer.socket.pattern.socket_type.announces_routing_id();
    let announced = if announces { peer.endpoint.options.announced_id() } else { Bytes::new() };
    Engine::visible_id(endpoint, &announced, generated)
}

/// Disconnects a pipe when it is dropped.
#[derive(Debug)]
pub(super) struct DisconnectOnDrop {
    end: Option<PipeEnd>,
    on_disconnected: OnDisconnected,
}

/// Decides about the endpoint of a connection that has ended.
type OnDisconnected = fn(&Arc<Engine>, &EndpointRef, &Ended);

impl DisconnectOnDrop {
    pub(super) fn new(end: PipeEnd, on_disconnected: OnDisconnected) -> Self {
        Self { end: Some(end), on_disconnected }
    }
}

impl InprocPeer for DisconnectOnDrop {
    #[inline]
    fn deliver(&mut self, message: &mut Message, wakes: &mut Wakes) -> Option<Room> {
        let end = self.end.as_ref()?;
        let Engine { pattern, options, .. } = &*end.engine;
        match classify(pattern, options, &end.id, message) {
            Disposition::Queue => end.push(message, wakes).or_else(|| {
                restore(pattern, options, message);
                None
            }),
            Disposition::SplitSubscriptions => end.split_subscriptions(std::mem::take(message), wakes),
            Disposition::Drop | Disposition::Violation => {
                end.engine.note_discarded(1);
                Some(Room::Available)
            }
        }
    }

    fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        self.end.as_ref().is_some_and(|end| end.on_subscription(kind, topic, wakes))
    }

    fn room(&mut self, hwm: Hwm) -> Room {
        self.end
            .as_ref()
            .map_or(Room::Full, |end| end.engine.inbox.set_sender_hwm(end.lane, hwm, &end.sender))
    }
}

impl Drop for DisconnectOnDrop {
    fn drop(&mut self) {
        let on_disconnected = self.on_disconnected;
        if let Some(end) = self.end.take() {
            runtime::run_outside_panic(move || end.disconnect(on_disconnected));
        }
    }
}

/// Wakes the senders of a socket whose inproc peer has room again.
#[derive(Debug)]
struct RoomWaker {
    engine: Weak<Engine>,
    key: PeerKey,
}

impl Wake for RoomWaker {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.engine.upgrade() {
            engine.with_wakes(|out, wakes| out.on_inproc_room(self.key, wakes));
        }
    }
}
