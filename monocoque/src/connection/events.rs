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
    pub(super) connection: Arc<Connection>,
    pub(super) span: Span,
    is_ended: bool,
}

impl<'a> ConnectionEvents<'a> {
    pub(super) fn begin(engine: &'a Engine, endpoint: &EndpointRef, peer: Endpoint) -> Self {
        let connection = engine.new_connection(endpoint, peer);
        let span = Span::of(&connection);
        span.within(|| engine.emit(|| begun(endpoint, &connection)));
        Self { engine, connection, span, is_ended: false }
    }

    pub(super) fn end(mut self, was_up: bool, reason: DisconnectReason) {
        let Self { engine, connection, span, is_ended } = &mut self;
        *is_ended = true;
        span.within(|| {
            if !was_up {
                let (connection, reason) = (connection.clone(), reason.clone());
                engine.emit(|| SocketEvent::HandshakeFailed { connection, reason });
            }
            engine.emit(|| SocketEvent::Disconnected { connection: connection.clone(), reason });
        });
    }
}

impl Drop for ConnectionEvents<'_> {
    /// The runtime may end before the connection.
    fn drop(&mut self) {
        if !self.is_ended {
            let (connection, reason) = (self.connection.clone(), DisconnectReason::ByUs);
            self.span.within(|| self.engine.emit(|| SocketEvent::Disconnected { connection, reason }));
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
