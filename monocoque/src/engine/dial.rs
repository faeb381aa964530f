//! A connected endpoint: dials, runs the connection, and dials again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::transport::Stream;
use monocoque_core::{Backoff, Endpoint, runtime};

use super::closing::Task;
use super::endpoints::Via;
use super::guard::guarded;
use super::session::Ended;
use super::{Engine, session};
use crate::monitor::{DisconnectReason, SocketEvent};

/// Keeps a connection to `endpoint` until told to stop, or until the socket has nothing more to send.
pub(crate) async fn run(engine: Arc<Engine>, endpoint: Endpoint, via: Via, task: Task) {
    let mut backoff = Backoff::new(engine.options.reconnect_interval, engine.options.reconnect_interval_max);
    let mut given_up = false;
    while engine.wants_peers() && !via.stop.is_said() {
        let connecting = guarded(&engine, &endpoint, connect(&engine, &endpoint));
        let Some(connected) = via.stop.unless(connecting).await else { break };
        let connected = connected.unwrap_or_else(|| Err(io::Error::other("the task has panicked")));
        let delay = match connected {
            Ok(stream) => {
                let run = guarded(&engine, &endpoint, session::run(&engine, stream, &via)).await;
                let ended = run.unwrap_or_else(Ended::by_panic);
                after_connection(&engine, &via, &ended, &mut backoff)
            }
            Err(error) => {
                let stops = engine.options.reconnect_stop.connection_refused && is_refusal(&endpoint, &error);
                engine
                    .tell(|| SocketEvent::ConnectFailed { endpoint: endpoint.clone(), error: error.into() });
                (!stops).then(|| backoff.next_delay())
            }
        };
        if !engine.wants_peers() || via.stop.is_said() {
            break;
        }
        let Some(delay) = delay else {
            engine.give_up(&via);
            given_up = true;
            break;
        };
        engine.tell(|| SocketEvent::Retrying { endpoint: endpoint.clone(), delay });
        if via.stop.unless(runtime::sleep(delay)).await.is_none() {
            break;
        }
    }
    engine.end_dial(&via);
    if given_up {
        engine.tell(|| SocketEvent::GivenUp { endpoint });
    }
    drop(task);
}

/// How long to wait after a connection has ended; `None` if no other is to follow.
fn after_connection(engine: &Engine, via: &Via, ended: &Ended, backoff: &mut Backoff) -> Option<Duration> {
    let is_wanted = {
        let mut out = engine.out.lock();
        out.lost += u64::from(ended.was_up);
        !out.take_dismissed(via.id)
    };
    let stops = engine.options.reconnect_stop;
    let stops = match ended {
        Ended { was_up: false, .. } => stops.handshake_failed,
        Ended { reason: DisconnectReason::ByUs, .. } => false,
        Ended { .. } => stops.connection_lost,
    };
    if !is_wanted || stops {
        return None;
    }
    Some(match ended {
        Ended { reason, .. } if reason.is_lasting() => backoff.rejected_delay(),
        Ended { progress: true, .. } => {
            backoff.reset();
            backoff.next_delay()
        }
        Ended { was_up: true, .. } => backoff.early_disconnect_delay(),
        Ended { .. } => backoff.next_delay(),
    })
}

/// Nobody listens there, which for a Unix domain socket shows in that its file is missing, too.
fn is_refusal(endpoint: &Endpoint, error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => true,
        io::ErrorKind::NotFound => matches!(endpoint, Endpoint::Ipc(_)),
        _ => false,
    }
}

async fn connect(engine: &Engine, endpoint: &Endpoint) -> io::Result<Stream> {
    let connecting = Stream::connect(endpoint, &engine.options.sockets);
    let connected = runtime::within(engine.options.connect_timeout, connecting).await;
    connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}
