//! The task of a connected endpoint: dials, runs the connection, and reconnects.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::transport::Stream;
use monocoque_core::{Backoff, runtime};

use super::EndpointRef;
use super::panic::catch_panic;
use super::reconnect::{Next, after_connection, after_failure, give_up, is_wanted};
use crate::connection::{self, Ended};
use crate::meter;
use crate::monitor::{DisconnectReason, SocketEvent};
use crate::socket::Engine;
use crate::socket::close::Task;
use crate::trace::{Failure, Span};

/// Keeps an endpoint connected until it is cancelled, or the closed socket has sent everything.
pub(super) async fn run(engine: Arc<Engine>, endpoint: EndpointRef, task: Task) {
    let mut backoff = endpoint.options.backoff();
    let mut next = Next::Nothing;
    while is_wanted(&engine, &endpoint) {
        let connecting = catch_panic(&engine, &endpoint.address, connect(&endpoint));
        let Some(connected) = endpoint.token.run_until_cancelled(connecting).await else { break };
        let connected = connected.unwrap_or_else(|| Err(io::Error::other("the task has panicked")));
        let delay;
        (next, delay) = match connected {
            Ok(stream) => serve(&engine, &endpoint, stream, &mut backoff).await,
            Err(error) => {
                let next = after_failure(&engine, &endpoint, &error);
                let delay = backoff.next_delay();
                meter::connect_failed(&engine);
                log_failure(&engine.span, &endpoint, Failure::Connect, &error, (next, delay));
                let failed = || endpoint.address.clone();
                engine.emit(|| SocketEvent::ConnectFailed { endpoint: failed(), error: error.into() });
                (next, delay)
            }
        };
        if next != Next::Reconnect {
            break;
        }
        engine.emit(|| SocketEvent::Retrying { endpoint: endpoint.address.clone(), delay });
        if endpoint.token.run_until_cancelled(runtime::sleep(delay)).await.is_none() {
            break;
        }
    }
    if next == Next::GiveUp {
        give_up(&engine, &endpoint);
    } else {
        engine.with_wakes(|out, wakes| out.end_dial(endpoint.key.id, wakes));
    }
    drop(task);
}

/// Runs a connection to its end. Returns the next step, and its delay.
async fn serve(
    engine: &Arc<Engine>,
    endpoint: &EndpointRef,
    stream: Stream,
    backoff: &mut Backoff,
) -> (Next, Duration) {
    let run = catch_panic(engine, &endpoint.address, connection::run(engine, stream, endpoint, None)).await;
    let ended = run.unwrap_or_else(Ended::by_panic);
    if ended.was_up {
        backoff.on_established();
    }
    let delay = match &ended {
        Ended { reason, .. } if reason.is_lasting() => backoff.rejected_delay(),
        Ended { has_progress: true, .. } => {
            backoff.reset();
            backoff.next_delay()
        }
        Ended { was_up: true, .. } => backoff.early_disconnect_delay(),
        // A server does not say that it cannot open a HELLO: it ends the connection.
        Ended { .. } if endpoint.options.security.is_secured() => backoff.early_disconnect_delay(),
        Ended { .. } => backoff.next_delay(),
    };
    let next = after_connection(engine, endpoint, &ended);
    let is_by_peer = matches!(ended.reason, DisconnectReason::ByPeer | DisconnectReason::Io(_));
    let is_early = ended.was_up && !ended.has_progress && is_by_peer;
    endpoint.failures.note_end(&ended.span, &endpoint.address, is_early, ended.has_progress);
    if !ended.was_up && !matches!(ended.reason, DisconnectReason::ByUs) {
        log_failure(&ended.span, endpoint, Failure::Handshake, &ended.reason, (next, delay));
    }
    (next, delay)
}

/// Logs a failed attempt, with the time until the next one if there is any.
fn log_failure(
    span: &Span,
    endpoint: &EndpointRef,
    step: Failure,
    reason: &dyn Display,
    (next, delay): (Next, Duration),
) {
    let retry_in = (next == Next::Reconnect).then_some(delay);
    endpoint.failures.failed(span, step, &endpoint.address, reason, retry_in);
}

async fn connect(EndpointRef { address, options, .. }: &EndpointRef) -> io::Result<Stream> {
    let connecting = Stream::connect(address, &options.sockets);
    let connected = runtime::within(options.connect_timeout, connecting).await;
    connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}
