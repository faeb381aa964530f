//! The registry of inproc names: data only, which knows no socket.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use monocoque_core::sync::Mutex;
use monocoque_core::{Endpoint, InprocName};

use crate::endpoint::EndpointRef;

/// The inproc names of one context, with the sockets `S` that are bound and connected to them.
#[derive(Debug)]
pub(crate) struct InprocRegistry<S>(Mutex<HashMap<InprocName, NameEntry<S>>>);

/// The sockets registered under one name.
#[derive(Debug)]
struct NameEntry<S> {
    bound: Option<Registration<S>>,
    /// Connected sockets that wait for a compatible bound one.
    waiting: Vec<Registration<S>>,
}

/// A socket that is bound or connected to a name.
#[derive(Debug)]
struct Registration<S> {
    socket: Weak<S>,
    endpoint: EndpointRef,
}

/// One of two sockets that are being connected.
pub(super) struct Participant<S> {
    pub(super) socket: Arc<S>,
    pub(super) endpoint: EndpointRef,
}

impl<S> Default for InprocRegistry<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Default for NameEntry<S> {
    fn default() -> Self {
        Self { bound: None, waiting: Vec::new() }
    }
}

impl<S> InprocRegistry<S> {
    /// Registers a socket as bound to the name of its endpoint. `false` if another one is.
    pub(super) fn bind(&self, socket: &Arc<S>, endpoint: &EndpointRef) -> bool {
        let Endpoint::Inproc(name) = &endpoint.address else { return false };
        let mut entries = self.0.lock();
        let entry = entries.entry(name.clone()).or_default();
        let is_free = !entry.bound.as_ref().is_some_and(Registration::is_live);
        if is_free {
            entry.bound = Some(Registration::new(socket, endpoint));
        }
        is_free
    }

    /// Registers a socket as waiting for the name of its endpoint, unless the endpoint is
    /// cancelled: it would stay registered.
    pub(super) fn wait(&self, socket: &Arc<S>, endpoint: &EndpointRef) {
        let Endpoint::Inproc(name) = &endpoint.address else { return };
        let registration = Registration::new(socket, endpoint);
        let mut entries = self.0.lock();
        if registration.is_live() {
            entries.entry(name.clone()).or_default().waiting.push(registration);
        }
    }

    /// Removes an endpoint, if it is registered. Returns whether the name is free now.
    pub(crate) fn remove(&self, endpoint: &EndpointRef) -> bool {
        let Endpoint::Inproc(name) = &endpoint.address else { return false };
        let mut entries = self.0.lock();
        let Some(entry) = entries.get_mut(name) else { return false };
        let is_other = |registration: &Registration<S>| !registration.endpoint.token.is(&endpoint.token);
        let was_bound = entry.bound.as_ref().is_some_and(|bound| !is_other(bound));
        entry.bound = entry.bound.take().filter(is_other);
        entry.waiting.retain(is_other);
        if entry.bound.is_none() && entry.waiting.is_empty() {
            entries.remove(name);
        }
        was_bound
    }

    /// Returns whether a socket is bound to a name.
    pub(crate) fn is_bound(&self, name: &InprocName) -> bool {
        let entries = self.0.lock();
        entries.get(name).and_then(|entry| entry.bound.as_ref()).is_some_and(Registration::is_live)
    }

    /// Calls `connect` with each socket that waits for a name and the one bound to it, under the
    /// lock of the registry. A socket for which it returns `false` goes on waiting. The sockets are
    /// given to `done` under the lock, and must be dropped after it.
    pub(super) fn settle(
        &self,
        name: &InprocName,
        mut connect: impl FnMut(&Participant<S>, &Participant<S>) -> bool,
        done: &mut Vec<Participant<S>>,
    ) {
        let mut entries = self.0.lock();
        let Some(entry) = entries.get_mut(name) else { return };
        let Some(bound) = entry.bound.as_ref().and_then(Registration::upgrade) else { return };
        entry.waiting.retain(|registration| {
            let Some(connected) = registration.upgrade() else { return false };
            let is_connected = connect(&connected, &bound);
            done.push(connected);
            !is_connected
        });
        done.push(bound);
    }

    #[cfg(all(test, monocoque_loom))]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl<S> Registration<S> {
    fn new(socket: &Arc<S>, endpoint: &EndpointRef) -> Self {
        Self { socket: Arc::downgrade(socket), endpoint: endpoint.clone() }
    }

    fn is_live(&self) -> bool {
        self.socket.strong_count() > 0 && !self.endpoint.token.is_cancelled()
    }

    fn upgrade(&self) -> Option<Participant<S>> {
        if !self.is_live() {
            return None;
        }
        Some(Participant { socket: self.socket.upgrade()?, endpoint: self.endpoint.clone() })
    }
}
