//! The decision to reconnect an endpoint, after a connection and after a failed attempt.

use std::io;

use monocoque_core::Endpoint;

use super::EndpointRef;
use crate::connection::Ended;
use crate::monitor::{DisconnectReason, SocketEvent};
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
    let stops = endpoint.options.reconnect_stop;
    let is_stopped = match ended {
        Ended { was_up: false, .. } => stops.handshake_failed,
        Ended { reason: DisconnectReason::ByUs, .. } => false,
        Ended { .. } => stops.connection_lost,
    };
    if is_stopped || !ended.comes_back { Next::GiveUp } else { Next::Reconnect }
}

/// Decides the next step after a failed attempt to connect.
pub(super) fn after_failure(engine: &Engine, endpoint: &EndpointRef, error: &io::Error) -> Next {
    let is_stopped =
        endpoint.options.reconnect_stop.connection_refused && is_refusal(&endpoint.address, error);
    if !is_wanted(engine, endpoint) {
        Next::Nothing
    } else if is_stopped {
        Next::GiveUp
    } else {
        Next::Reconnect
    }
}

/// Returns whether nothing listens at the address. The file of a Unix domain socket may be missing,
/// too.
fn is_refusal(address: &Endpoint, error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => true,
        io::ErrorKind::NotFound => matches!(address, Endpoint::Ipc(_)),
        _ => false,
    }
}

/// Removes an endpoint that is not connected again, and reports it.
pub(crate) fn give_up(engine: &Engine, endpoint: &EndpointRef) {
    engine.remove_endpoint(endpoint);
    engine.emit(|| SocketEvent::GivenUp { endpoint: endpoint.address.clone() });
}

/// Returns whether the endpoint is still attached, and the socket still needs peers.
pub(crate) fn is_wanted(engine: &Engine, endpoint: &EndpointRef) -> bool {
    engine.wants_peers() && !endpoint.token.is_cancelled()
}
