//! The decision to reconnect an endpoint.

use super::EndpointRef;
use crate::connection::Ended;
use crate::monitor::DisconnectReason;
use crate::socket::Engine;

/// The next step of an endpoint whose connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The endpoint is connected again.
    Reconnect,
    /// The endpoint is removed, which an event reports.
    GiveUp,
    /// No step: the endpoint is detached, or the closed socket has nothing more to send.
    Nothing,
}

/// Decides the next step after a connection, over streams and inproc. Counts the lost connection.
pub(crate) fn after_connection(engine: &Engine, endpoint: &EndpointRef, ended: &Ended) -> Next {
    if !endpoint.key.is_connected() {
        return Next::Nothing;
    }
    engine.out.lock().counters.lost += u64::from(ended.was_up);
    if !is_wanted(engine, endpoint) {
        return Next::Nothing;
    }
    let stops = engine.options.reconnect_stop;
    let is_stopped = match ended {
        Ended { was_up: false, .. } => stops.handshake_failed,
        Ended { reason: DisconnectReason::ByUs, .. } => false,
        Ended { .. } => stops.connection_lost,
    };
    if is_stopped || !ended.comes_back { Next::GiveUp } else { Next::Reconnect }
}

/// Returns whether the endpoint is still attached, and the socket still needs peers.
pub(crate) fn is_wanted(engine: &Engine, endpoint: &EndpointRef) -> bool {
    engine.wants_peers() && !endpoint.token.is_cancelled()
}
