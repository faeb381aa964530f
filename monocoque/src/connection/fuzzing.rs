//! Connections without a stream, for fuzz targets, which take the part of the two pumps.
//!
//! A thin layer: it calls the functions that the pumps call. Compiled under `cfg(fuzzing)` only,
//! which cargo-fuzz sets.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use monocoque_core::actor::{InletStatus, Outlet};
use monocoque_core::{Endpoint, Message, Outbox, RoutingId};
use monocoque_zmtp::{Inbound, PeerInfo, Properties, Revision, SocketType, TopicBudget};

use super::handler::{HandshakeOutcome, SessionHandler};
use super::inlet::SessionInlet;
use super::outlet::SessionOutlet;
use crate::endpoint::{EndpointId, EndpointRef, Origin};
use crate::monitor::{Connection, ConnectionId};
use crate::trace::Span;
use crate::zmq::Socket;

/// A peer of a socket, after its handshake.
#[derive(Debug)]
pub struct Peer {
    outlet: SessionOutlet,
    inlet: SessionInlet,
}

impl Peer {
    /// Connects a peer with a routing id, or none if it is empty. Returns `None` if the socket
    /// refuses it.
    pub fn join<S: Socket>(socket: &S, socket_type: SocketType, routing_id: &[u8]) -> Option<Self> {
        let address: Endpoint = "tcp://127.0.0.1:1".parse().ok()?;
        let connection =
            Connection { id: ConnectionId::new(0), endpoint: address.clone(), peer: address.clone() };
        let handler = SessionHandler {
            engine: socket.handle().engine().clone(),
            endpoint: EndpointRef::new(EndpointId::new(0), Origin::Bound, address, None, Arc::default()),
            connection: connection.into(),
            span: Span::none(),
            outcome: Rc::new(Cell::new(HandshakeOutcome::Pending)),
            course: Rc::default(),
            place: None,
        };
        let info = PeerInfo {
            socket_type,
            routing_id: Bytes::copy_from_slice(routing_id),
            revision: Revision::V3_1,
            properties: Properties::default(),
            admission: Box::default(),
            topic_budget: TopicBudget::default(),
        };
        let (outlet, inlet) = handler.accept(info, None, &Arc::default())?;
        Some(Self { outlet, inlet })
    }

    /// Returns the routing id of the peer at the socket.
    pub fn id(&self) -> &RoutingId {
        self.inlet.id()
    }

    /// Delivers a message, as the read pump does. `None` if there is no room.
    pub fn send(&mut self, message: Message) -> Option<InletStatus> {
        let Poll::Ready(true) = self.inlet.poll_room(&mut Context::from_waker(Waker::noop())) else {
            return None;
        };
        self.inlet.items().push_back(message);
        let accepted = self.inlet.on_item(Inbound::Message);
        self.inlet.flush();
        Some(accepted)
    }

    /// Takes the next batch, as the write pump does. Empty if there is none.
    pub fn take(&mut self) -> Outbox {
        let mut batch = Outbox::new();
        let _ = self.outlet.poll_take(&mut Context::from_waker(Waker::noop()), &mut batch);
        batch
    }

    /// Ends the connection.
    pub fn leave(mut self) {
        self.outlet.on_closed(Outbox::new());
    }
}
