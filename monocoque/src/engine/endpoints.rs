//! The endpoints of a socket: what it is bound and connected to.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use monocoque_core::sync::Ordering;
use monocoque_core::transport::{ByteStream, Listener, SocketOptions};
use monocoque_core::{AttachedStream, Endpoint, RoutingId, RuntimeGone, runtime};

use super::closing::Task;
use super::guard::guarded;
use super::stop::{SayAtEnd, Stop};
use super::{Engine, dial, listen, session};
use crate::error::MonocoqueError;
use crate::monitor::{Connection, SocketEvent};
use crate::pattern::Framing;
use crate::pattern::link::Through;

/// An endpoint that the socket is bound or connected to, or a stream that it was given.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) via: Via,
    /// Said by its task: the address is free again.
    freed: Stop,
}

/// Which endpoint a connection came about through, and whether that one is still wanted.
#[derive(Clone, Debug)]
pub(super) struct Via {
    pub(super) id: u64,
    pub(super) endpoint: Endpoint,
    pub(super) stop: Stop,
    pub(super) kind: Attached,
    /// What its peer is called, whatever that one announces.
    pub(super) name: Option<RoutingId>,
}

impl Via {
    /// For an endpoint with one connection at a time: they are received one after the other.
    pub(super) fn series(&self) -> Option<u64> {
        (self.kind == Attached::Connected).then_some(self.id)
    }

    pub(super) fn through(&self) -> Through {
        Through { via: self.id, dialled: self.kind == Attached::Connected }
    }

    /// What is told of a new connection.
    pub(super) fn begun(&self, connection: &Arc<Connection>) -> SocketEvent {
        let connection = connection.clone();
        match self.kind {
            Attached::Bound | Attached::Given => SocketEvent::Accepted { connection },
            Attached::Connected => SocketEvent::Connected { connection },
        }
    }

    fn is(&self, kind: Attached, endpoint: &Endpoint) -> bool {
        self.kind == kind && self.endpoint == *endpoint
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    Bound,
    Connected,
    /// A stream that came connected.
    Given,
}

impl Engine {
    pub(crate) async fn bind(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        endpoint.check_bind()?;
        self.check_framing(&endpoint)?;
        self.options.sockets.check(&endpoint)?;
        if let Endpoint::Inproc(_) = endpoint {
            return self.bind_name(endpoint);
        }
        let wanted = endpoint.clone();
        let bound = self.listen(async move |options| Listener::bind(&wanted, options).await).await?;
        bound.map_err(|source| self.not_bound(endpoint, source))
    }

    /// Within the process messages are passed on as they are, and there is nothing to speak.
    fn check_framing(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        match (self.pattern.framing, endpoint) {
            (Framing::Raw, Endpoint::Inproc(_)) => Err(MonocoqueError::NoBytes),
            _ => Ok(()),
        }
    }

    fn not_bound(&self, endpoint: Endpoint, source: io::Error) -> MonocoqueError {
        let error = || io::Error::new(source.kind(), source.to_string());
        self.tell(|| SocketEvent::BindFailed { endpoint: endpoint.clone(), error: error().into() });
        MonocoqueError::Io { endpoint: endpoint.into(), source }
    }

    /// Binds a name: nobody listens, whoever connects is met at once.
    fn bind_name(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, MonocoqueError> {
        let (via, freed) = self.attach(self.new_via(), Attached::Bound, endpoint.clone(), None);
        freed.say();
        if !self.names.bind(self, &via) {
            self.endpoints.lock().retain(|other| other.via.id != via.id);
            return Err(self.not_bound(endpoint, io::ErrorKind::AddrInUse.into()));
        }
        Ok(endpoint)
    }

    /// Accepts on a socket that listens already.
    pub(crate) async fn bind_fd(self: &Arc<Self>, listener: OwnedFd) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        let bound = self.listen(async move |options| Listener::adopt(listener, options)).await?;
        bound.map_err(MonocoqueError::Descriptor)
    }

    /// Makes a listener on the home, and accepts from then on.
    async fn listen(
        self: &Arc<Self>,
        make: impl AsyncFnOnce(&SocketOptions) -> io::Result<(Listener, Endpoint)> + Send + 'static,
    ) -> Result<io::Result<Endpoint>, RuntimeGone> {
        let engine = self.clone();
        let listening = self.home.run(move || async move {
            let (listener, resolved) = make(&engine.options.sockets).await?;
            let id = engine.new_via();
            let (via, freed) = engine.attach(id, Attached::Bound, resolved.clone(), None);
            let task = Task::new(&engine);
            engine.tell(|| SocketEvent::Listening { endpoint: resolved.clone() });
            runtime::spawn_local(listen::run(engine, listener, via, SayAtEnd(freed), task));
            Ok(resolved)
        });
        listening.await
    }

    pub(crate) fn connect(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, MonocoqueError> {
        self.connect_as(endpoint, None)
    }

    /// Connects to an endpoint, and gives its peer a name.
    pub(crate) fn connect_as(
        self: &Arc<Self>,
        endpoint: Endpoint,
        name: Option<RoutingId>,
    ) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        endpoint.check_connect()?;
        self.check_framing(&endpoint)?;
        self.options.sockets.check(&endpoint)?;
        if !self.pattern.repeats && self.is_attached(Attached::Connected, &endpoint) {
            return Ok(endpoint);
        }
        let id = self.new_via();
        if let Some(name) = &name
            && !self.out.lock().reserve(name, id)
        {
            return Err(MonocoqueError::DuplicateRoutingId);
        }
        // Before others can see the endpoint and end it.
        self.with_wakes(|out, wakes| out.begin_dial(id, wakes));
        let (via, _) = self.attach(id, Attached::Connected, endpoint.clone(), name);
        if let Endpoint::Inproc(_) = endpoint {
            self.names.connect(self, &via);
            return Ok(endpoint);
        }
        let task = Task::new(self);
        let (engine, wanted, dialled) = (self.clone(), endpoint.clone(), via.clone());
        let spawned = self.home.spawn(move || dial::run(engine, wanted, dialled, task));
        if spawned.is_err() {
            self.give_up(&via);
        }
        spawned?;
        Ok(endpoint)
    }

    /// Runs a connection on a stream that somebody else has made.
    pub(crate) fn adopt<S: ByteStream>(self: &Arc<Self>, stream: S) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        if !self.home.is_current() {
            return Err(MonocoqueError::WrongThread);
        }
        let label = stream.peer_label();
        let id = self.new_via();
        let endpoint = Endpoint::Attached(AttachedStream::new(id, label));
        let (via, _) = self.attach(id, Attached::Given, endpoint.clone(), None);
        let (engine, task) = (self.clone(), Task::new(self));
        runtime::spawn_local(async move {
            let _ended = guarded(&engine, &via.endpoint, session::run_on(&engine, stream, &via)).await;
            engine.give_up(&via);
            drop(task);
        });
        Ok(endpoint)
    }

    /// Stops listening, and returns once the address can be bound again.
    pub(crate) async fn unbind(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        let freed = self.detach(Attached::Bound, endpoint)?.freed;
        Ok(runtime::unless_forked(async move { freed.said().await }).await?)
    }

    pub(crate) fn disconnect(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        let kind = match endpoint {
            Endpoint::Attached(_) => Attached::Given,
            _ => Attached::Connected,
        };
        self.detach(kind, endpoint).map(drop)
    }

    /// Lets go of an endpoint and of the connections made through it.
    fn detach(&self, kind: Attached, endpoint: &Endpoint) -> Result<Attachment, MonocoqueError> {
        let mut endpoints = self.endpoints.lock();
        let found = endpoints.iter().position(|other| other.via.is(kind, endpoint));
        let Some(at) = found else {
            drop(endpoints);
            self.check_open()?;
            return Err(MonocoqueError::UnknownEndpoint(endpoint.clone().into()));
        };
        let gone = endpoints.remove(at);
        drop(endpoints);
        self.let_go(&gone.via);
        self.with_wakes(|out, wakes| out.leave(gone.via.id, wakes));
        Ok(gone)
    }

    /// An endpoint is not dialled any more, by whatever came first.
    pub(super) fn end_dial(&self, via: &Via) {
        self.with_wakes(|out, wakes| out.end_dial(via.id, wakes));
    }

    /// An endpoint is no longer wanted.
    pub(super) fn let_go(&self, via: &Via) {
        via.stop.say();
        if self.names.leave(via) {
            self.tell(|| SocketEvent::Unbound { endpoint: via.endpoint.clone() });
        }
    }

    /// Lets go of a connected endpoint by itself.
    pub(super) fn give_up(&self, via: &Via) {
        self.endpoints.lock().retain(|other| other.via.id != via.id);
        via.stop.say();
        self.with_wakes(|out, wakes| out.leave(via.id, wakes));
    }

    pub(crate) fn last_endpoint(&self) -> Option<Endpoint> {
        let endpoints = self.endpoints.lock();
        let last = endpoints.iter().rfind(|other| other.via.kind != Attached::Given);
        last.map(|last| last.via.endpoint.clone())
    }

    fn new_via(&self) -> u64 {
        self.next_via.fetch_add(1, Ordering::Relaxed)
    }

    fn attach(&self, id: u64, kind: Attached, endpoint: Endpoint, name: Option<RoutingId>) -> (Via, Stop) {
        let via = Via { id, endpoint, stop: Stop::default(), kind, name };
        let freed = Stop::default();
        self.endpoints.lock().push(Attachment { via: via.clone(), freed: freed.clone() });
        // A socket that was closed meanwhile has said its word already.
        if self.check_open().is_err() {
            via.stop.say();
        }
        (via, freed)
    }

    /// Whether it is bound and connected nowhere, so that no other peer can come.
    pub(super) fn has_no_endpoint(&self) -> bool {
        self.endpoints.lock().is_empty()
    }

    /// Ends the connection with this number at once; see [`Socket::disconnect_peer`](crate::zmq::Socket::disconnect_peer).
    pub(crate) fn disconnect_peer(&self, connection: u64) -> Result<(), MonocoqueError> {
        self.check_open()?;
        let is_there = self.with_wakes(|out, wakes| out.disconnect_peer(connection, wakes));
        if is_there { Ok(()) } else { Err(MonocoqueError::UnknownPeer(connection)) }
    }

    fn is_attached(&self, kind: Attached, endpoint: &Endpoint) -> bool {
        self.endpoints.lock().iter().any(|other| other.via.is(kind, endpoint))
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
