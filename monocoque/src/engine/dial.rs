//! A connected endpoint: dials, runs the connection, and dials again.

use std::sync::Arc;

use monocoque_core::transport::{SocketOptions, Stream};
use monocoque_core::{Backoff, Endpoint, home};

use super::closing::Task;
use super::endpoints::Via;
use super::{Engine, session};

/// Keeps a connection to `endpoint` until told to stop, or until the socket has nothing more to send.
pub(crate) async fn run(engine: Arc<Engine>, endpoint: Endpoint, via: Via, task: Task) {
    let options = SocketOptions::default();
    let mut backoff = Backoff::new(engine.options.reconnect_interval, engine.options.reconnect_interval_max);
    while engine.wants_peers() && !via.stop.is_said() {
        let was_up = match via.stop.unless(Stream::connect(&endpoint, &options)).await {
            None => break,
            Some(Ok(stream)) => session::run(&engine, stream, &via).await,
            Some(Err(_)) => false,
        };
        if was_up {
            backoff.reset();
            engine.out.lock().lost += 1;
        }
        if via.stop.unless(home::sleep(backoff.next_delay())).await.is_none() {
            break;
        }
    }
    engine.with_wakes(|out, wakes| out.end_dial(wakes));
    drop(task);
}
