//! The step from handshake to messages: the peer is accepted, and the pumps are attached to the
//! socket.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use monocoque_core::actor::{ByteCounters, ConnectionHandler};
use monocoque_core::sync::AtomicBool;
use monocoque_core::transport::DirectWriter;
use monocoque_core::{Decode, LaneConfig, Message, Protocol};
use monocoque_zmtp::{AuthQuestion, AuthReply, Inbound, PeerInfo};

use super::Course;
use super::inlet::SessionInlet;
use super::outlet::SessionOutlet;
use crate::endpoint::EndpointRef;
use crate::endpoint::handshakes::HandshakePlace;
use crate::meter::PeerMeter;
use crate::monitor::{Connection, SocketEvent};
use crate::pattern::link::DirectWrite;
use crate::peer::{Peer, Since};
use crate::security::authenticate;
use crate::socket::{Engine, Refusal};
use crate::trace::Span;

/// The outcome of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeOutcome {
    Pending,
    Accepted,
    Refused(Refusal),
}

/// Waits for the handshake, then attaches the pumps to the socket.
pub(super) struct SessionHandler {
    pub(super) engine: Arc<Engine>,
    pub(super) endpoint: EndpointRef,
    pub(super) connection: Arc<Connection>,
    pub(super) span: Span,
    pub(super) outcome: Rc<Cell<HandshakeOutcome>>,
    pub(super) course: Rc<Course>,
    /// The place of the handshake, which ends with the handler.
    pub(super) place: Option<HandshakePlace>,
}

impl<P> ConnectionHandler<P> for SessionHandler
where
    P: Protocol<Peer = PeerInfo, Question = AuthQuestion>,
    P::Decoder: Decode<Item = Message, Kind = Inbound>,
{
    type Outlet = SessionOutlet;
    type Inlet = SessionInlet;

    async fn answer(&self, question: AuthQuestion) -> AuthReply {
        if let Some(place) = &self.place {
            place.keep();
        }
        self.span.record_claim(&question.credentials);
        self.span.around(authenticate(&self.engine, &self.endpoint, &self.connection, question)).await
    }

    fn on_established(
        self,
        peer: PeerInfo,
        direct: Option<Arc<dyn DirectWriter>>,
        bytes: &Arc<ByteCounters>,
    ) -> Option<(SessionOutlet, SessionInlet)> {
        self.accept(peer, direct, bytes)
    }
}

impl SessionHandler {
    /// Accepts the peer, for any protocol. `None` if the socket refuses it.
    pub(super) fn accept(
        self,
        peer: PeerInfo,
        direct: Option<Arc<dyn DirectWriter>>,
        bytes: &Arc<ByteCounters>,
    ) -> Option<(SessionOutlet, SessionInlet)> {
        let Self { engine, endpoint, connection, span, outcome, course, place } = self;
        drop(place);
        let has_input = Arc::new(AtomicBool::new(true));
        let direct = direct.map(|stream| DirectWrite::new(stream, has_input.clone(), bytes.clone()));
        let PeerInfo { socket_type, routing_id, properties, admission, topic_budget: topics, .. } = peer;
        let id = engine.peer_id(&endpoint, &routing_id);
        let routing_id = Engine::visible_id(&endpoint, &routing_id, &id);
        let peer = Arc::new(Peer {
            connection: connection.clone(),
            socket_type,
            routing_id: routing_id.clone(),
            properties,
            admission: *admission,
            since: Since::now(),
            bytes: bytes.clone(),
        });
        let key = match engine.accept_peer(&peer, &id, &endpoint, direct) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                if refusal == Refusal::DuplicateId {
                    span.record_routing_id(&routing_id);
                }
                outcome.set(HandshakeOutcome::Refused(refusal));
                return None;
            }
        };
        outcome.set(HandshakeOutcome::Accepted);
        endpoint.failures.succeeded(&span, &endpoint.address);
        engine.emit_in(&span, || SocketEvent::HandshakeSucceeded {
            connection: connection.clone(),
            socket_type,
            routing_id,
        });
        let meter = PeerMeter::begin(&engine, key, &peer);
        let lane = engine.open_lane(key, &endpoint, peer, LaneConfig::default());
        let outlet =
            SessionOutlet::new(engine.clone(), key, lane, connection, span, meter.clone(), course.clone());
        let inlet = SessionInlet::new(engine, key, lane, id, endpoint, has_input, topics, meter, course);
        Some((outlet, inlet))
    }
}
