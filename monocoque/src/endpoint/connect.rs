//! Connected endpoints, and attached streams.

use std::sync::Arc;

use monocoque_core::transport::ByteStream;
use monocoque_core::{AttachedStream, Endpoint, RoutingId, runtime};

use super::bind::check_framing;
use super::panic::catch_panic;
use super::{EndpointRef, Origin, dialer};
use crate::connection;
use crate::error::MonocoqueError;
use crate::inproc;
use crate::monitor::ConnectionId;
use crate::socket::Engine;
use crate::socket::close::Task;

/// Connects a socket to an address. The connection is made in the background, and again when it is
/// lost.
///
/// `name` is the routing id assigned to the peer.
pub(crate) fn connect(
    engine: &Arc<Engine>,
    address: Endpoint,
    name: Option<RoutingId>,
) -> Result<Endpoint, MonocoqueError> {
    engine.check_open()?;
    address.check_connect()?;
    check_framing(engine, &address)?;
    let options = engine.options();
    options.sockets.check(&address)?;
    if !engine.pattern.repeats && engine.endpoints.contains(Origin::Connected, &address) {
        return Ok(address);
    }
    let id = engine.endpoints.next_id();
    if let Some(name) = &name
        && !engine.out.lock().reserve_name(name, id)
    {
        return Err(MonocoqueError::DuplicateRoutingId);
    }
    // Before other tasks can see the endpoint and end it.
    engine.with_wakes(|out, wakes| out.begin_dial(id, wakes));
    let endpoint = EndpointRef::new(id, Origin::Connected, address.clone(), name, options);
    engine.attach_endpoint(&endpoint);
    if let Endpoint::Inproc(_) = address {
        inproc::connect::connect(engine, &endpoint);
        return Ok(address);
    }
    let task = Task::new(engine);
    let (socket, dialled) = (engine.clone(), endpoint.clone());
    let spawned = engine.runtime.spawn(move || dialer::run(socket, dialled, task));
    if spawned.is_err() {
        engine.remove_endpoint(&endpoint);
    }
    spawned.map_err(MonocoqueError::runtime_gone)?;
    Ok(address)
}

/// Runs a connection on an attached stream.
pub(crate) fn adopt<S: ByteStream>(engine: &Arc<Engine>, stream: S) -> Result<Endpoint, MonocoqueError> {
    engine.check_open()?;
    if !engine.runtime.is_current() {
        return Err(MonocoqueError::WrongThread);
    }
    let id = engine.endpoints.next_id();
    let address = Endpoint::Attached(AttachedStream::new(id.number(), stream.peer_label()));
    let endpoint = EndpointRef::new(id, Origin::Adopted, address.clone(), None, engine.options());
    engine.attach_endpoint(&endpoint);
    let (engine, task) = (engine.clone(), Task::new(engine));
    runtime::spawn_local(async move {
        let run = connection::run_on(&engine, stream, &endpoint, None);
        let _ended = catch_panic(&engine, &endpoint.address, run).await;
        engine.remove_endpoint(&endpoint);
        drop(task);
    });
    Ok(address)
}

/// Detaches a connected endpoint or a stream. Its connection ends once its queue is written.
pub(crate) fn disconnect(engine: &Engine, address: &Endpoint) -> Result<(), MonocoqueError> {
    let origin = match address {
        Endpoint::Attached(_) => Origin::Adopted,
        _ => Origin::Connected,
    };
    engine.detach_endpoint(origin, address).map(drop)
}

/// Ends one connection at once; see
/// [`Socket::disconnect_peer`](crate::zmq::Socket::disconnect_peer).
pub(crate) fn disconnect_peer(engine: &Engine, connection: ConnectionId) -> Result<(), MonocoqueError> {
    engine.check_open()?;
    let is_there = engine.with_wakes(|out, wakes| out.disconnect_peer(connection, wakes));
    if is_there { Ok(()) } else { Err(MonocoqueError::UnknownPeer(connection)) }
}
