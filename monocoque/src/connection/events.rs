//! The events of one connection: its beginning and, in any case, its end.

use std::sync::Arc;

use monocoque_core::Endpoint;

use crate::endpoint::{EndpointRef, Origin};
use crate::monitor::{Connection, DisconnectReason, SocketEvent};
use crate::socket::Engine;
use crate::trace::Span;

/// Reports a connection to monitors. Reports its end at the latest when dropped.
pub(super) struct ConnectionEvents<'a> {
    engine: &'a Engine,
    endpoint: &'a EndpointRef,
    pub(super) connection: Arc<Connection>,
    pub(super) span: Span,
    is_ended: bool,
}

impl<'a> ConnectionEvents<'a> {
    pub(super) fn begin(engine: &'a Engine, endpoint: &'a EndpointRef, peer: Endpoint) -> Self {
        let connection = engine.new_connection(endpoint, peer);
        let span = engine.span.connection(&connection);
        engine.emit_in(&span, || begun(endpoint, &connection));
        Self { engine, endpoint, connection, span, is_ended: false }
    }

    /// Reports the end, with its reason. A failed handshake with a connected endpoint is logged by
    /// the dialer, which knows when it tries again.
    pub(super) fn end(mut self, was_up: bool, reason: DisconnectReason) {
        let Self { engine, endpoint, connection, span, is_ended } = &mut self;
        *is_ended = true;
        if was_up {
            endpoint.failures.lost(span, endpoint, &reason);
        } else {
            if !endpoint.key.is_connected() {
                endpoint.failures.refused(span, &reason);
            }
            let (connection, reason) = (connection.clone(), reason.clone());
            engine.emit_in(span, || SocketEvent::HandshakeFailed { connection, reason });
        }
        engine.emit_in(span, || SocketEvent::Disconnected { connection: connection.clone(), reason });
    }
}

impl Drop for ConnectionEvents<'_> {
    /// The runtime may end before the connection.
    fn drop(&mut self) {
        if !self.is_ended {
            let (connection, reason) = (self.connection.clone(), DisconnectReason::ByUs);
            self.engine.emit_in(&self.span, || SocketEvent::Disconnected { connection, reason });
        }
    }
}

/// Returns the first event of a connection.
pub(crate) fn begun(endpoint: &EndpointRef, connection: &Arc<Connection>) -> SocketEvent {
    let connection = connection.clone();
    match endpoint.key.origin {
        Origin::Bound | Origin::Adopted => SocketEvent::Accepted { connection },
        Origin::Connected => SocketEvent::Connected { connection },
    }
}
