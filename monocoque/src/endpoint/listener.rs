//! The task of a bound endpoint: accepts connections, and runs each in a task of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::runtime;
use monocoque_core::transport::{Listener, Stream};

use super::EndpointRef;
use super::cancellation::CancelOnDrop;
use super::handshakes::{HandshakePlace, Handshakes};
use super::panic::catch_panic;
use crate::connection;
use crate::monitor::SocketEvent;
use crate::socket::Engine;
use crate::socket::close::Task;
use crate::trace::{Failure, FailureLog};

/// Accepts connections until the endpoint is cancelled, then signals that the address is free.
pub(super) async fn run(
    engine: Arc<Engine>,
    listener: Listener,
    endpoint: EndpointRef,
    released: CancelOnDrop,
    task: Task,
) {
    let handshakes = Handshakes::new(endpoint.options.pending_handshakes);
    let accept = async || {
        let accepted = catch_panic(&engine, &endpoint.address, listener.accept()).await;
        handshakes.wait_for_place().await;
        accepted
    };
    let failures = FailureLog::default();
    while let Some(accepted) = endpoint.token.run_until_cancelled(accept()).await {
        match accepted.unwrap_or_else(|| Err(io::Error::other("the task has panicked"))) {
            Ok((stream, _peer)) => {
                failures.succeeded(&engine.span, &endpoint.address);
                serve(engine.clone(), stream, endpoint.clone(), handshakes.begin(), task.clone());
                runtime::yield_now().await;
            }
            // File descriptors or memory have run out: existing connections continue, the next one
            // has to wait.
            Err(error) => {
                failures.failed(&engine.span, Failure::Accept, &endpoint.address, &error, Some(RETRY));
                let address = || endpoint.address.clone();
                engine.emit(|| SocketEvent::AcceptFailed { endpoint: address(), error: error.into() });
                let _cancelled = endpoint.token.run_until_cancelled(runtime::sleep(RETRY)).await;
            }
        }
    }
    let _closed = listener.close().await;
    engine.emit(|| SocketEvent::Unbound { endpoint: endpoint.address.clone() });
    drop(released);
    drop(task);
}

fn serve(engine: Arc<Engine>, stream: Stream, endpoint: EndpointRef, place: HandshakePlace, task: Task) {
    runtime::spawn_local(async move {
        let run = connection::run(&engine, stream, &endpoint, Some(place));
        let _ended = catch_panic(&engine, &endpoint.address, run).await;
        drop(task);
    });
}

/// The delay after a failed accept.
const RETRY: Duration = Duration::from_millis(50);
