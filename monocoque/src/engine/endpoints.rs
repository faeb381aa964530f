//! The endpoints of a socket: what it is bound and connected to.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use monocoque_core::sync::Ordering;
use monocoque_core::transport::{Listener, SocketOptions};
use monocoque_core::{Endpoint, HomeGone, RoutingId, home};

use super::closing::Task;
use super::stop::{SayAtEnd, Stop};
use super::{Engine, dial, listen};
use crate::error::MonocoqueError;
use crate::monitor::SocketEvent;
use crate::pattern::link::Through;

/// An endpoint that the socket is bound or connected to.
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

    fn is(&self, kind: Attached, endpoint: &Endpoint) -> bool {
        self.kind == kind && self.endpoint == *endpoint
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    Bound,
    Connected,
}

impl Engine {
    pub(crate) async fn bind(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        endpoint.check_bind()?;
        self.options.sockets.check(&endpoint)?;
        let wanted = endpoint.clone();
        let bound = self.listen(async move |options| Listener::bind(&wanted, options).await).await?;
        bound.map_err(|source| {
            let error = || io::Error::new(source.kind(), source.to_string());
            self.tell(|| SocketEvent::BindFailed { endpoint: endpoint.clone(), error: error().into() });
            MonocoqueError::Io { endpoint: endpoint.into(), source }
        })
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
    ) -> Result<io::Result<Endpoint>, HomeGone> {
        let engine = self.clone();
        let listening = self.home.run(move || async move {
            let (listener, resolved) = make(&engine.options.sockets).await?;
            let id = engine.next_via.fetch_add(1, Ordering::Relaxed);
            let (via, freed) = engine.attach(id, Attached::Bound, resolved.clone(), None);
            let task = Task::new(&engine);
            engine.tell(|| SocketEvent::Listening { endpoint: resolved.clone() });
            home::spawn_here(listen::run(engine, listener, via, SayAtEnd(freed), task));
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
        self.options.sockets.check(&endpoint)?;
        if !self.pattern.repeats && self.is_attached(Attached::Connected, &endpoint) {
            return Ok(endpoint);
        }
        let id = self.next_via.fetch_add(1, Ordering::Relaxed);
        if let Some(name) = &name
            && !self.out.lock().reserve(name, id)
        {
            return Err(MonocoqueError::DuplicateRoutingId);
        }
        let (via, _) = self.attach(id, Attached::Connected, endpoint.clone(), name);
        let task = Task::new(self);
        self.out.lock().dials += 1;
        let (engine, wanted) = (self.clone(), endpoint.clone());
        self.home.spawn(move || dial::run(engine, wanted, via, task))?;
        Ok(endpoint)
    }

    /// Stops listening, and returns once the address can be bound again.
    pub(crate) async fn unbind(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        let freed = self.detach(Attached::Bound, endpoint)?.freed;
        freed.said().await;
        Ok(())
    }

    pub(crate) fn disconnect(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        self.detach(Attached::Connected, endpoint).map(drop)
    }

    /// Lets go of an endpoint and of the connections made through it.
    fn detach(&self, kind: Attached, endpoint: &Endpoint) -> Result<Attachment, MonocoqueError> {
        let mut endpoints = self.endpoints.lock();
        let found = endpoints.iter().position(|other| other.via.is(kind, endpoint));
        let Some(at) = found else { return Err(MonocoqueError::UnknownEndpoint(endpoint.clone().into())) };
        let gone = endpoints.remove(at);
        drop(endpoints);
        gone.via.stop.say();
        self.with_wakes(|out, wakes| out.leave(gone.via.id, wakes));
        Ok(gone)
    }

    /// Lets go of a connected endpoint by itself.
    pub(super) fn give_up(&self, via: &Via) {
        self.endpoints.lock().retain(|other| other.via.id != via.id);
        via.stop.say();
        self.with_wakes(|out, wakes| out.leave(via.id, wakes));
    }

    pub(crate) fn last_endpoint(&self) -> Option<Endpoint> {
        self.endpoints.lock().last().map(|last| last.via.endpoint.clone())
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

    fn is_attached(&self, kind: Attached, endpoint: &Endpoint) -> bool {
        self.endpoints.lock().iter().any(|other| other.via.is(kind, endpoint))
    }
}
