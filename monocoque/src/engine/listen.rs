//! A bound endpoint: accepts for ever, each connection a task of its own.

use std::sync::Arc;
use std::time::Duration;

use monocoque_core::home;
use monocoque_core::transport::{Listener, Stream};

use super::stop::SayAtEnd;
use super::{Engine, Stop, Task, session};

/// Accepts until told to stop, then says that the address is free.
pub(crate) async fn run(engine: Arc<Engine>, listener: Listener, stop: Stop, freed: SayAtEnd, task: Task) {
    while let Some(accepted) = stop.unless(listener.accept()).await {
        match accepted {
            Ok((stream, _peer)) => serve(engine.clone(), stream, stop.clone(), task.another()),
            // Out of descriptors or memory: what is there goes on, the next one has to wait.
            Err(_) => drop(stop.unless(home::sleep(RETRY)).await),
        }
    }
    let _closed = listener.close().await;
    drop(freed);
    drop(task);
}

fn serve(engine: Arc<Engine>, stream: Stream, stop: Stop, task: Task) {
    home::spawn_here(async move {
        session::run(&engine, stream, &stop).await;
        drop(task);
    });
}

/// How long a failed accept waits.
const RETRY: Duration = Duration::from_millis(50);
