//! The registry of inproc names.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock, Weak};

use monocoque_core::sync::Mutex;
use monocoque_core::{Endpoint, InprocName, Outbox};
use monocoque_zmtp::{Incompatible, Subscription};

use super::pipe::{DisconnectOnDrop, Participant, PipeEnd};
use crate::connection::Ended;
use crate::connection::events::begun;
use crate::endpoint::EndpointRef;
use crate::endpoint::reconnect::{Next, after_connection};
use crate::monitor::{DisconnectReason, SocketEvent};
use crate::pattern::wakes::Wakes;
use crate::socket::Engine;
use crate::trace::{self, Span};

/// The inproc names of one context.
#[derive(Debug, Default)]
pub(crate) struct InprocRegistry(Mutex<HashMap<InprocName, NameEntry>>);

/// The sockets registered under one name.
#[derive(Debug, Default)]
struct NameEntry {
    bound: Option<Registration>,
    /// Connected sockets that wait for a compatible bound one.
    waiting: Vec<Registration>,
}

/// A socket that is bound or connected to a name.
#[derive(Clone, Debug)]
struct Registration {
    engine: Weak<Engine>,
    endpoint: EndpointRef,
}

/// The effects of new connections that are applied once no lock is held.
#[derive(Default)]
struct Deferred {
    wakes: Wakes,
    traces: Vec<(Span, SocketEvent)>,
    /// Dropped after the locks are released.
    participants: Vec<Participant>,
}

impl InprocRegistry {
    /// Returns the registry of all sockets created without a context of their own.
    pub(crate) fn of_process() -> Arc<Self> {
        static REGISTRY: OnceLock<Arc<InprocRegistry>> = OnceLock::new();
        REGISTRY.get_or_init(Arc::default).clone()
    }

    /// Binds a socket to the name of its endpoint. `false` if another one is bound to it.
    pub(crate) fn bind(&self, engine: &Arc<Engine>, endpoint: &EndpointRef) -> bool {
        let Endpoint::Inproc(name) = &endpoint.address else { return false };
        {
            let mut entries = self.0.lock();
            let entry = entries.entry(name.clone()).or_default();
            if entry.bound.as_ref().is_some_and(Registration::is_live) {
                return false;
            }
            entry.bound = Some(Registration::new(engine, endpoint));
        }
        engine.emit(|| SocketEvent::Listening { endpoint: endpoint.address.clone() });
        self.settle(name);
        true
    }

    /// Connects a socket to the name of its endpoint, as soon as another one is bound to it.
    pub(crate) fn connect(&self, engine: &Arc<Engine>, endpoint: &EndpointRef) {
        let Endpoint::Inproc(name) = &endpoint.address else { return };
        self.wait(name, engine, endpoint);
        self.settle(name);
    }

    /// Removes an endpoint, if it is registered. Returns whether the name is free now.
    pub(crate) fn remove(&self, endpoint: &EndpointRef) -> bool {
        let Endpoint::Inproc(name) = &endpoint.address else { return false };
        let mut entries = self.0.lock();
        let Some(entry) = entries.get_mut(name) else { return false };
        let is_other = |registration: &Registration| !registration.endpoint.token.is(&endpoint.token);
        let was_bound = entry.bound.as_ref().is_some_and(|bound| !is_other(bound));
        entry.bound = entry.bound.take().filter(is_other);
        entry.waiting.retain(is_other);
        if entry.bound.is_none() && entry.waiting.is_empty() {
            entries.remove(name);
        }
        was_bound
    }

    /// Registers a socket as waiting, unless its endpoint is cancelled: it would stay registered.
    fn wait(&self, name: &InprocName, engine: &Arc<Engine>, endpoint: &EndpointRef) {
        let registration = Registration::new(engine, endpoint);
        let mut entries = self.0.lock();
        if registration.is_live() {
            entries.entry(name.clone()).or_default().waiting.push(registration);
        }
    }

    #[cfg(all(test, monocoque_loom))]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Connects the sockets that wait for a name with the one bound to it. A refused socket waits
    /// for the next call.
    fn settle(&self, name: &InprocName) {
        let mut deferred = Deferred::default();
        let mut entries = self.0.lock();
        if let Some(entry) = entries.get_mut(name)
            && let Some(bound) = entry.bound.as_ref().and_then(Registration::upgrade)
        {
            entry.waiting.retain(|registration| {
                let Some(connected) = registration.upgrade() else { return false };
                let result = connect(&connected, &bound, &mut deferred);
                if let Err(reason) = &result {
                    for participant in [&connected, &bound] {
                        deferred.emit_refused(participant, reason);
                    }
                }
                deferred.participants.push(connected);
                result.is_err()
            });
            deferred.participants.push(bound);
        }
        drop(entries);
        deferred.wakes.wake();
        for (span, event) in &deferred.traces {
            span.within(|| trace::event(event));
        }
    }
}

/// Connects two sockets.
fn connect(
    connected: &Participant,
    bound: &Participant,
    deferred: &mut Deferred,
) -> Result<(), DisconnectReason> {
    check_types(connected, bound)?;
    // The subscriber is locked first, as in `subscribe`.
    let (first, second) = if connected.subscribes() { (connected, bound) } else { (bound, connected) };
    let wakes = &mut deferred.wakes;
    let topics = first.engine.filter.topics.read();
    let mut first_out = first.engine.out.lock();
    let mut second_out = second.engine.out.lock();
    if !first_out.wants_peers() || !second_out.wants_peers() {
        return Err(DisconnectReason::ByPeer);
    }
    let second_id = first.engine.peer_id(&first.endpoint, &second.engine.options.announced_id());
    let first_id = second.engine.peer_id(&second.endpoint, &first.engine.options.announced_id());
    let first_key = first_out.reserve_peer(second_id.clone(), first.endpoint.key, wakes);
    let first_key = first_key.ok_or_else(|| first.refusal())?;
    let Some(second_key) = second_out.reserve_peer(first_id.clone(), second.endpoint.key, wakes) else {
        first_out.remove_peer(first_key, Outbox::new(), wakes);
        return Err(second.refusal());
    };
    let to_first = PipeEnd::new(first, first_key, second_id, second_out.hwm(), (second, second_key));
    let to_second = PipeEnd::new(second, second_key, first_id, first_out.hwm(), (first, first_key));
    first_out.set_connection(first_key, to_first.connection.id);
    second_out.set_connection(second_key, to_second.connection.id);
    let events = [to_first.events(second), to_second.events(first)];
    second_out.connect_peer(second_key, Box::new(DisconnectOnDrop::new(to_first, on_disconnected)), wakes);
    first_out.connect_peer(first_key, Box::new(DisconnectOnDrop::new(to_second, on_disconnected)), wakes);
    drop(second_out);
    for (topic, _) in topics.iter() {
        first_out.subscribe_one(first_key, Subscription::Subscribe, topic, wakes);
    }
    // Emitted under the locks, so that the end of the connection cannot be reported first.
    for (participant, (span, events)) in [first, second].into_iter().zip(events) {
        for event in events {
            deferred.emit(&participant.engine, &span, event);
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
        engine.registry.settle(name);
    }
    match after_connection(engine, endpoint, ended) {
        Next::Reconnect => engine.registry.wait(name, engine, endpoint),
        Next::GiveUp => {
            engine.remove_endpoint(endpoint);
            engine.emit(|| SocketEvent::GivenUp { endpoint: endpoint.address.clone() });
        }
        Next::Nothing => {}
    }
    if is_displaced {
        engine.registry.settle(name);
    }
}

fn check_types(connected: &Participant, bound: &Participant) -> Result<(), DisconnectReason> {
    if Arc::ptr_eq(&connected.engine, &bound.engine) {
        return Err(DisconnectReason::Io(Arc::new(io::Error::new(io::ErrorKind::Unsupported, OWN_PEER))));
    }
    let (ours, theirs) = (connected.engine.pattern.socket_type, bound.engine.pattern.socket_type);
    if !ours.accepts(theirs) {
        return Err(DisconnectReason::Protocol(Incompatible::SocketType { ours, theirs }.into()));
    }
    Ok(())
}

impl Registration {
    fn new(engine: &Arc<Engine>, endpoint: &EndpointRef) -> Self {
        Self { engine: Arc::downgrade(engine), endpoint: endpoint.clone() }
    }

    fn is_live(&self) -> bool {
        self.engine.strong_count() > 0 && !self.endpoint.token.is_cancelled()
    }

    fn upgrade(&self) -> Option<Participant> {
        if !self.is_live() {
            return None;
        }
        Some(Participant { engine: self.engine.upgrade()?, endpoint: self.endpoint.clone() })
    }
}

impl Deferred {
    fn emit_refused(&mut self, participant: &Participant, reason: &DisconnectReason) {
        let Participant { engine, endpoint } = participant;
        let connection = engine.new_connection(endpoint, endpoint.address.to_string());
        let span = Span::of(&connection);
        let reason = || reason.clone();
        for event in [
            begun(endpoint, &connection),
            SocketEvent::HandshakeFailed { connection: connection.clone(), reason: reason() },
            SocketEvent::Disconnected { connection, reason: reason() },
        ] {
            self.emit(engine, &span, event);
        }
    }

    fn emit(&mut self, engine: &Engine, span: &Span, event: SocketEvent) {
        self.wakes.add(engine.monitors.tell_quietly(|| event.clone()));
        if trace::ON {
            self.traces.push((span.clone(), event));
        }
    }
}

const OWN_PEER: &str = "a socket cannot be its own peer within the process";
