//! Sockets of one process on their way to each other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::{Endpoint, InprocName, Outbox, runtime};
use monocoque_zmtp::{Incompatible, Subscription};

use super::pipe::{DisconnectOnDrop, PipeEnd};
use crate::connection::Ended;
use crate::connection::events::begun;
use crate::endpoint::EndpointRef;
use crate::endpoint::reconnect::{Next, after_connection, give_up};
use crate::monitor::{DisconnectReason, SocketEvent};
use crate::pattern::wakes::Wakes;
use crate::pattern::{Incoming, Routing};
use crate::socket::{Engine, Refusal};
use crate::trace::{self, Failure, Span};

type Participant = super::registry::Participant<Engine>;

/// The effects of new connections that are applied once no lock is held.
#[derive(Default)]
struct Deferred {
    wakes: Wakes,
    traces: Vec<(Span, EndpointRef, SocketEvent)>,
}

/// Binds a socket to the name of its endpoint. `false` if another one is bound to it.
pub(crate) fn bind(engine: &Arc<Engine>, endpoint: &EndpointRef) -> bool {
    let Endpoint::Inproc(name) = &endpoint.address else { return false };
    let is_bound = engine.registry.bind(engine, endpoint);
    if is_bound {
        engine.emit(|| SocketEvent::Listening { endpoint: endpoint.address.clone() });
        settle(engine, name);
    }
    is_bound
}

/// Connects a socket to the name of its endpoint, as soon as another one is bound to it.
pub(crate) fn connect(engine: &Arc<Engine>, endpoint: &EndpointRef) {
    let Endpoint::Inproc(name) = &endpoint.address else { return };
    engine.registry.wait(engine, endpoint);
    settle(engine, name);
    if trace::ON && engine.peer_count() == 0 {
        trace::waits_for_name(&engine.span, &endpoint.address);
        warn_later(engine, endpoint.clone());
    }
}

/// Logs a name to which nothing is bound after a while. A socket that ends before is not kept.
fn warn_later(engine: &Arc<Engine>, endpoint: EndpointRef) {
    let (handle, engine) = (engine.runtime.clone(), Arc::downgrade(engine));
    let warn = || async move {
        let wait = endpoint.token.run_until_cancelled(runtime::sleep(LONG_WAIT));
        if wait.await.is_some()
            && let Some(engine) = engine.upgrade()
            && let Endpoint::Inproc(name) = &endpoint.address
            && !engine.registry.is_bound(name)
            && engine.check_open().is_ok()
        {
            trace::is_unbound(&engine.span, &endpoint.address);
        }
    };
    // A runtime that has ended connects nothing.
    let _gone = handle.spawn(warn);
}

/// Connects the sockets that wait for a name with the one bound to it. A refused socket waits for
/// the next call.
fn settle(engine: &Engine, name: &InprocName) {
    let (mut deferred, mut participants) = (Deferred::default(), Vec::new());
    let pair = |connected: &Participant, bound: &Participant| {
        let result = connect_pair(connected, bound, &mut deferred);
        if let Err(reason) = &result {
            for participant in [connected, bound] {
                deferred.emit_refused(participant, reason);
            }
        }
        result.is_ok()
    };
    engine.registry.settle(name, pair, &mut participants);
    deferred.wakes.wake();
    for (span, endpoint, event) in &deferred.traces {
        record(span, endpoint, event);
    }
}

/// Logs an event of a connection, and the outcome of its handshake for the endpoint.
fn record(span: &Span, endpoint: &EndpointRef, event: &SocketEvent) {
    let EndpointRef { address, failures, .. } = endpoint;
    match event {
        SocketEvent::HandshakeSucceeded { .. } => failures.succeeded(span, address),
        SocketEvent::HandshakeFailed { reason, .. } if endpoint.key.is_connected() => {
            failures.failed(span, Failure::Handshake, address, reason, None);
        }
        SocketEvent::HandshakeFailed { reason, .. } => failures.refused(span, reason),
        _ => {}
    }
    trace::event(span, event);
}

/// Connects two sockets.
fn connect_pair(
    connected: &Participant,
    bound: &Participant,
    deferred: &mut Deferred,
) -> Result<(), DisconnectReason> {
    check_types(connected, bound)?;
    // The subscriber is locked first, as in `subscribe`.
    let (first, second) = if subscribes(connected) { (connected, bound) } else { (bound, connected) };
    let wakes = &mut deferred.wakes;
    let topics = first.socket.filter.topics.read();
    let mut first_out = first.socket.out.lock();
    let mut second_out = second.socket.out.lock();
    if !first_out.wants_peers() || !second_out.wants_peers() {
        return Err(DisconnectReason::ByPeer);
    }
    let second_id = first.socket.peer_id(&first.endpoint, &second.endpoint.options.announced_id());
    let first_id = second.socket.peer_id(&second.endpoint, &first.endpoint.options.announced_id());
    let first_key = first_out.reserve_peer(second_id.clone(), first.endpoint.key, wakes);
    let first_key = first_key.ok_or_else(|| refusal(first))?;
    let Some(second_key) = second_out.reserve_peer(first_id.clone(), second.endpoint.key, wakes) else {
        first_out.remove_peer(first_key, Outbox::new(), wakes);
        return Err(refusal(second));
    };
    let to_first = PipeEnd::new(first, first_key, second_id, second_out.hwm(), (second, second_key));
    let to_second = PipeEnd::new(second, second_key, first_id, first_out.hwm(), (first, first_key));
    first_out.set_peer(first_key, to_first.peer.clone());
    second_out.set_peer(second_key, to_second.peer.clone());
    let events = [to_first.events(second), to_second.events(first)];
    second_out.connect_peer(second_key, Box::new(DisconnectOnDrop::new(to_first, on_disconnected)), wakes);
    first_out.connect_peer(first_key, Box::new(DisconnectOnDrop::new(to_second, on_disconnected)), wakes);
    first_out.lifecycle.begin_pipe();
    second_out.lifecycle.begin_pipe();
    drop(second_out);
    for (topic, _) in topics.iter() {
        first_out.subscribe_one(first_key, Subscription::Subscribe, topic, wakes);
    }
    // Emitted under the locks, so that the end of the connection cannot be reported first.
    for (participant, (span, events)) in [first, second].into_iter().zip(events) {
        for event in events {
            deferred.emit(participant, &span, event);
        }
    }
    Ok(())
}

/// Connects an endpoint again whose connection has ended, or another one that waits for its name.
fn on_disconnected(engine: &Arc<Engine>, endpoint: &EndpointRef, ended: &Ended) {
    let Endpoint::Inproc(name) = &endpoint.address else { return };
    // A displaced peer waits for the next occasion, or two would evict each other for ever.
    let is_displaced = matches!(ended.reason, DisconnectReason::ByUs);
    if !is_displaced {
        settle(engine, name);
    }
    match after_connection(engine, endpoint, ended) {
        Next::Reconnect => engine.registry.wait(engine, endpoint),
        Next::GiveUp => give_up(engine, endpoint),
        Next::Nothing => {}
    }
    if is_displaced {
        settle(engine, name);
    }
}

fn check_types(connected: &Participant, bound: &Participant) -> Result<(), DisconnectReason> {
    if Arc::ptr_eq(&connected.socket, &bound.socket) {
        return Err(DisconnectReason::Io(Arc::new(io::Error::new(io::ErrorKind::Unsupported, OWN_PEER))));
    }
    let (ours, theirs) = (connected.socket.pattern.socket_type, bound.socket.pattern.socket_type);
    if !ours.is_compatible_with(theirs) {
        return Err(DisconnectReason::Protocol(Incompatible::SocketType { ours, theirs }.into()));
    }
    Ok(())
}

/// Returns whether a socket sends subscriptions.
fn subscribes(participant: &Participant) -> bool {
    let pattern = participant.socket.pattern;
    pattern.incoming == Incoming::Filtered || pattern.routing == Routing::ToAll
}

/// Returns why a socket takes no other peer.
fn refusal(participant: &Participant) -> DisconnectReason {
    match participant.socket.refusal() {
        Refusal::PairInUse => DisconnectReason::PairInUse,
        _ => DisconnectReason::DuplicateRoutingId,
    }
}

impl Deferred {
    fn emit_refused(&mut self, participant: &Participant, reason: &DisconnectReason) {
        let Participant { socket: engine, endpoint } = participant;
        let connection = engine.new_connection(endpoint, endpoint.address.clone());
        let span = engine.span.connection(&connection);
        let reason = || reason.clone();
        for event in [
            begun(endpoint, &connection),
            SocketEvent::HandshakeFailed { connection: connection.clone(), reason: reason() },
            SocketEvent::Disconnected { connection, reason: reason() },
        ] {
            self.emit(participant, &span, event);
        }
    }

    fn emit(&mut self, participant: &Participant, span: &Span, event: SocketEvent) {
        let Participant { socket: engine, endpoint } = participant;
        self.wakes.add(engine.monitors.emit_deferred(|| event.clone()));
        if trace::ON {
            self.traces.push((span.clone(), endpoint.clone(), event));
        }
    }
}

/// The time after which a name without a bound socket is reported.
const LONG_WAIT: Duration = Duration::from_secs(1);
const OWN_PEER: &str = "a socket cannot be its own peer within the process";
