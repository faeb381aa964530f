//! A bound endpoint: accepts for ever, each connection a task of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::runtime;
use monocoque_core::transport::{Listener, Stream};

use super::closing::Task;
use super::endpoints::Via;
use super::guard::guarded;
use super::stop::SayAtEnd;
use super::{Engine, session};
use crate::monitor::SocketEvent;

/// Accepts until told to stop, then says that the address is free.
pub(crate) async fn run(engine: Arc<Engine>, listener: Listener, via: Via, freed: SayAtEnd, task: Task) {
    while let Some(accepted) = via.stop.unless(guarded(&engine, &via.endpoint, listener.accept())).await {
        match accepted.unwrap_or_else(|| Err(io::Error::other("the task has panicked"))) {
            Ok((stream, _peer)) => {
                serve(engine.clone(), stream, via.clone(), task.another());
                runtime::yield_now().await;
            }
            // Out of descriptors or memory: what is there goes on, the next one has to wait.
            Err(error) => {
                let endpoint = || via.endpoint.clone();
                engine.tell(|| SocketEvent::AcceptFailed { endpoint: endpoint(), error: error.into() });
                let _stopped = via.stop.unless(runtime::sleep(RETRY)).await;
            }
        }
    }
    let _closed = listener.close().await;
    engine.tell(|| SocketEvent::Unbound { endpoint: via.endpoint.clone() });
    drop(freed);
    drop(task);
}

fn serve(engine: Arc<Engine>, stream: Stream, via: Via, task: Task) {
    runtime::spawn_local(async move {
        let _ended = guarded(&engine, &via.endpoint, session::run(&engine, stream, &via)).await;
        drop(task);
    });
}

/// How long a failed accept waits.
const RETRY: Duration = Duration::from_millis(50);
