//! Connections without a stream, for fuzz targets: whoever makes one plays the two pumps.
//!
//! Owns nothing of its own: what it calls is what the pumps call. It is there under `cfg(fuzzing)` only, which nobody but
//! cargo-fuzz sets.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use monocoque_core::actor::{Accepted, Outlet};
use monocoque_core::{Endpoint, Message, Outbox, RoutingId};
use monocoque_zmtp::{Inbound, PeerInfo, Properties, Revision, SocketType, TopicAllowance};

use super::{Meeting, Owner, SessionInlet, SessionOutlet};
use crate::engine::endpoints::{Attached, Via};
use crate::engine::stop::Stop;
use crate::monitor::Connection;
use crate::zmq::Socket;

/// A peer of a socket, whose handshake is done.
#[derive(Debug)]
pub struct Peer {
    outlet: SessionOutlet,
    inlet: SessionInlet,
}

impl Peer {
    /// Joins a socket under a routing id; an empty one is none. `None` if the socket refuses it.
    pub fn join<S: Socket>(socket: &S, socket_type: SocketType, routing_id: &[u8]) -> Option<Self> {
        let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().ok()?;
        let connection = Connection { id: 0, endpoint: endpoint.clone(), peer: String::new() };
        let owner = Owner {
            engine: socket.handle().engine().clone(),
            via: Via { id: 0, endpoint, stop: Stop::default(), kind: Attached::Bound, name: None },
            connection: connection.into(),
            meeting: Rc::new(Cell::new(Meeting::Ahead)),
            course: Rc::default(),
        };
        let info = PeerInfo {
            socket_type,
            routing_id: Bytes::copy_from_slice(routing_id),
            revision: Revision::V3_1,
            properties: Properties::default(),
            topics: TopicAllowance::default(),
        };
        let (outlet, inlet) = owner.attach(info, None)?;
        Some(Self { outlet, inlet })
    }

    /// What the socket calls it.
    pub fn id(&self) -> &RoutingId {
        &self.inlet.id
    }

    /// Says something, as the read pump passes it on. `None` if there is no room.
    pub fn say(&mut self, message: Message) -> Option<Accepted> {
        let Poll::Ready(true) = self.inlet.poll_room(&mut Context::from_waker(Waker::noop())) else {
            return None;
        };
        self.inlet.items().push_back(message);
        let accepted = self.inlet.accept(Inbound::Message);
        self.inlet.flush();
        Some(accepted)
    }

    /// Takes the next batch, as the write pump does; empty if there is none.
    pub fn take(&mut self) -> Outbox {
        let mut batch = Outbox::new();
        let _ = self.outlet.poll_take(&mut Context::from_waker(Waker::noop()), &mut batch);
        batch
    }

    /// Ends the connection.
    pub fn leave(mut self) {
        self.outlet.close(Outbox::new());
    }
}
