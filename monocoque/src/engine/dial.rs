//! A connected endpoint: dials, runs the connection, and dials again.

use std::io;
use std::sync::Arc;

use monocoque_core::transport::{SocketOptions, Stream};
use monocoque_core::{Backoff, Endpoint, home};

use super::closing::Task;
use super::endpoints::Via;
use super::{Engine, session};
use crate::monitor::SocketEvent;

/// Keeps a connection to `endpoint` until told to stop, or until the socket has nothing more to send.
pub(crate) async fn run(engine: Arc<Engine>, endpoint: Endpoint, via: Via, task: Task) {
    let mut backoff = Backoff::new(engine.options.reconnect_interval, engine.options.reconnect_interval_max);
    while engine.wants_peers() && !via.stop.is_said() {
        let Some(connected) = via.stop.unless(connect(&engine, &endpoint)).await else { break };
        let delay = match connected {
            Ok(stream) => {
                let ended = session::run(&engine, stream, &via).await;
                if ended.was_up {
                    backoff.reset();
                    engine.out.lock().lost += 1;
                }
                if ended.was_up || !ended.reason.is_lasting() {
                    backoff.next_delay()
                } else {
                    backoff.longest_delay()
                }
            }
            Err(error) => {
                engine
                    .tell(|| SocketEvent::ConnectFailed { endpoint: endpoint.clone(), error: error.into() });
                backoff.next_delay()
            }
        };
        if !engine.wants_peers() || via.stop.is_said() {
            break;
        }
        engine.tell(|| SocketEvent::Retrying { endpoint: endpoint.clone(), delay });
        if via.stop.unless(home::sleep(delay)).await.is_none() {
            break;
        }
    }
    engine.with_wakes(|out, wakes| out.end_dial(wakes));
    drop(task);
}

async fn connect(engine: &Engine, endpoint: &Endpoint) -> io::Result<Stream> {
    let options = SocketOptions::default();
    let connected = home::within(engine.options.connect_timeout, Stream::connect(endpoint, &options)).await;
    connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}
