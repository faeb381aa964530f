//! Bound endpoints.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use monocoque_core::transport::{Listener, SocketOptions};
use monocoque_core::{Endpoint, runtime};

use super::cancellation::CancelOnDrop;
use super::{EndpointRef, Origin, listener};
use crate::error::MonocoqueError;
use crate::inproc;
use crate::monitor::SocketEvent;
use crate::pattern::Framing;
use crate::socket::Engine;
use crate::socket::close::Task;

/// Binds a socket to an address. Returns the resolved address.
pub(crate) async fn bind(engine: &Arc<Engine>, address: Endpoint) -> Result<Endpoint, MonocoqueError> {
    engine.check_open()?;
    address.check_bind()?;
    check_framing(engine, &address)?;
    engine.options().sockets.check(&address)?;
    if let Endpoint::Inproc(_) = address {
        return bind_name(engine, address);
    }
    let wanted = address.clone();
    let bound = listen(engine, async move |options| Listener::bind(&wanted, options).await).await?;
    bound.map_err(|source| bind_failed(engine, address, source))
}

/// Accepts connections on a listening file descriptor.
pub(crate) async fn bind_fd(engine: &Arc<Engine>, listener: OwnedFd) -> Result<Endpoint, MonocoqueError> {
    engine.check_open()?;
    let bound = listen(engine, async move |options| Listener::adopt(listener, options)).await?;
    bound.map_err(MonocoqueError::Descriptor)
}

/// Stops listening, and returns once the address can be bound again.
pub(crate) async fn unbind(engine: &Engine, address: &Endpoint) -> Result<(), MonocoqueError> {
    let released = engine.detach_endpoint(Origin::Bound, address)?.released;
    let released = runtime::unless_forked(async move { released.cancelled().await }).await;
    released.map_err(MonocoqueError::runtime_gone)
}

/// Rejects inproc endpoints of STREAM sockets: inproc carries messages, not bytes.
pub(super) fn check_framing(engine: &Engine, address: &Endpoint) -> Result<(), MonocoqueError> {
    match (engine.pattern.framing, address) {
        (Framing::Raw, Endpoint::Inproc(_)) => Err(MonocoqueError::RawInproc),
        _ => Ok(()),
    }
}

fn bind_failed(engine: &Engine, address: Endpoint, error: io::Error) -> MonocoqueError {
    let copy = || io::Error::new(error.kind(), error.to_string());
    engine.emit(|| SocketEvent::BindFailed { endpoint: address.clone(), error: copy().into() });
    MonocoqueError::Io { endpoint: address.into(), source: error }
}

/// Binds an inproc name. There is no listener task: connecting sockets are connected at once.
fn bind_name(engine: &Arc<Engine>, address: Endpoint) -> Result<Endpoint, MonocoqueError> {
    let id = engine.endpoints.next_id();
    let endpoint = EndpointRef::new(id, Origin::Bound, address.clone(), None, engine.options());
    engine.attach_endpoint(&endpoint).cancel();
    if !inproc::connect::bind(engine, &endpoint) {
        engine.endpoints.remove(endpoint.key.id);
        return Err(bind_failed(engine, address, io::ErrorKind::AddrInUse.into()));
    }
    Ok(address)
}

/// Creates a listener on the socket's runtime, and starts to accept connections.
async fn listen(
    engine: &Arc<Engine>,
    make: impl AsyncFnOnce(&SocketOptions) -> io::Result<(Listener, Endpoint)> + Send + 'static,
) -> Result<io::Result<Endpoint>, MonocoqueError> {
    let socket = engine.clone();
    let listening = engine.runtime.run(move || async move {
        let options = socket.options();
        let (listener, resolved) = make(&options.sockets).await?;
        let id = socket.endpoints.next_id();
        let endpoint = EndpointRef::new(id, Origin::Bound, resolved.clone(), None, options);
        let released = CancelOnDrop(socket.attach_endpoint(&endpoint));
        let task = Task::new(&socket);
        socket.emit(|| SocketEvent::Listening { endpoint: resolved.clone() });
        runtime::spawn_local(listener::run(socket, listener, endpoint, released, task));
        Ok(resolved)
    });
    listening.await.map_err(MonocoqueError::runtime_gone)
}
