//! The endpoints of a socket: bound, connected and attached.
//!
//! This file is their data. Handles call [`bind`] and [`connect`]; the tasks [`listener`] and
//! [`dialer`] keep an endpoint at work; [`reconnect`] decides if it is connected again.

pub(crate) mod bind;
pub(crate) mod cancellation;
pub(crate) mod connect;
mod dialer;
pub(crate) mod handshakes;
mod listener;
pub(crate) mod panic;
pub(crate) mod reconnect;

use std::sync::Arc;

use monocoque_core::sync::{AtomicU64, Mutex, Ordering};
use monocoque_core::{Endpoint, RoutingId};

use self::cancellation::CancellationToken;
use crate::options::Options;
use crate::trace::FailureLog;

/// The id of an endpoint, unique within its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EndpointId(u64);

/// The side of a connection that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The peer has connected to a bound endpoint.
    Bound,
    /// This socket connects, and reconnects.
    Connected,
    /// The application has attached the stream.
    Adopted,
}

/// The identity of an endpoint, as links and peers keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndpointKey {
    pub(crate) id: EndpointId,
    pub(crate) origin: Origin,
}

/// An endpoint, as its tasks and connections keep it.
#[derive(Clone, Debug)]
pub(crate) struct EndpointRef {
    pub(crate) key: EndpointKey,
    pub(crate) address: Endpoint,
    /// Cancelled once the endpoint is detached.
    pub(crate) token: CancellationToken,
    /// The routing id assigned to its peer, instead of the announced one.
    pub(crate) name: Option<RoutingId>,
    pub(crate) failures: FailureLog,
    /// The options of the socket at the time when the endpoint was made.
    pub(crate) options: Arc<Options>,
}

/// The endpoints of one socket.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    entries: Mutex<Vec<EndpointEntry>>,
    next: AtomicU64,
}

/// A bound or connected endpoint, or an attached stream.
#[derive(Debug)]
pub(crate) struct EndpointEntry {
    pub(crate) endpoint: EndpointRef,
    /// Cancelled by the listener task once the address is free again.
    pub(crate) released: CancellationToken,
}

impl EndpointId {
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number, for labels and ordering groups.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

impl EndpointKey {
    /// Returns whether this socket opens the endpoint's connections.
    #[inline]
    pub(crate) fn is_connected(self) -> bool {
        self.origin == Origin::Connected
    }
}

impl EndpointRef {
    pub(crate) fn new(
        id: EndpointId,
        origin: Origin,
        address: Endpoint,
        name: Option<RoutingId>,
        options: Arc<Options>,
    ) -> Self {
        let key = EndpointKey { id, origin };
        let (token, failures) = (CancellationToken::default(), FailureLog::default());
        Self { key, address, token, name, failures, options }
    }

    /// Returns the ordering group of the endpoint's connections: there is one at a time, and their
    /// messages are received in that order.
    pub(crate) fn ordering_group(&self) -> Option<u64> {
        self.key.is_connected().then_some(self.key.id.number())
    }

    fn is(&self, origin: Origin, address: &Endpoint) -> bool {
        self.key.origin == origin && self.address == *address
    }
}

impl Endpoints {
    pub(crate) fn next_id(&self) -> EndpointId {
        EndpointId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds an endpoint. Returns the token that is cancelled when its address is free again.
    pub(crate) fn insert(&self, endpoint: EndpointRef) -> CancellationToken {
        let released = CancellationToken::default();
        self.entries.lock().push(EndpointEntry { endpoint, released: released.clone() });
        released
    }

    pub(crate) fn remove(&self, id: EndpointId) {
        self.entries.lock().retain(|entry| entry.endpoint.key.id != id);
    }

    /// Removes the first endpoint with this address.
    pub(crate) fn take(&self, origin: Origin, address: &Endpoint) -> Option<EndpointEntry> {
        let mut entries = self.entries.lock();
        let found = entries.iter().position(|entry| entry.endpoint.is(origin, address));
        found.map(|at| entries.remove(at))
    }

    pub(crate) fn contains(&self, origin: Origin, address: &Endpoint) -> bool {
        self.entries.lock().iter().any(|entry| entry.endpoint.is(origin, address))
    }

    /// Returns whether there are no endpoints, so that no peer can connect.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.lock().is_empty()
    }

    pub(crate) fn all(&self) -> Vec<EndpointRef> {
        self.entries.lock().iter().map(|entry| entry.endpoint.clone()).collect()
    }

    /// Returns the addresses of the endpoints of these origins, in the order in which they were
    /// made.
    pub(crate) fn addresses(&self, origins: &[Origin]) -> Vec<Endpoint> {
        let entries = self.entries.lock();
        let listed = entries.iter().filter(|entry| origins.contains(&entry.endpoint.key.origin));
        listed.map(|entry| entry.endpoint.address.clone()).collect()
    }

    /// Returns the address that was bound or connected last.
    pub(crate) fn last(&self) -> Option<Endpoint> {
        let entries = self.entries.lock();
        let last = entries.iter().rfind(|entry| entry.endpoint.key.origin != Origin::Adopted);
        last.map(|entry| entry.endpoint.address.clone())
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
