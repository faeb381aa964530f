//! The end of a socket: what is queued is sent, and every task has ended.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use monocoque_core::home;

use super::Engine;
use crate::error::MonocoqueError;
use crate::monitor::SocketEvent;
use crate::pattern::outbound::{Outbound, Phase};
use crate::trace;

/// A task of a socket. The socket waits for all of them when it is closed.
#[derive(Debug)]
pub(crate) struct Task(Arc<Engine>);

/// The task that lives as long as the socket. Ends it in order when it is closed, and at once when the runtime ends.
#[derive(Debug)]
pub(super) struct Supervisor(Task);

/// The reason for which a closed socket has nothing more to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drained {
    /// All is sent.
    Sent,
    /// What waits is for peers that cannot come.
    Unreachable,
}

impl Engine {
    pub(crate) fn check_open(&self) -> Result<(), MonocoqueError> {
        if self.out.lock().lifecycle.phase == Phase::Open { Ok(()) } else { Err(MonocoqueError::Closed) }
    }

    /// Takes no more messages and sends what is queued, for at most `linger`. Returns at once.
    pub(crate) fn close(self: &Arc<Self>) {
        self.with_wakes(|out, wakes| {
            if out.lifecycle.phase == Phase::Open {
                out.enter(Phase::Draining, wakes);
            }
        });
        self.inbox.close();
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(self: &Arc<Self>) {
        self.watch(|out| (out.lifecycle.tasks == 0).then_some(())).await;
    }

    /// Waits for what is queued to be sent; when `linger` is over, drops it.
    async fn drain(self: &Arc<Self>) {
        let linger = if self.pattern.lingers { self.options.linger } else { Some(Duration::ZERO) };
        let sent = async {
            // A connection that is lost meanwhile gives back what it did not send: so its endpoint is kept until the last
            // one has ended by itself, with nothing left.
            let drained = self.watch(|out| self.drained(out)).await;
            if drained == Drained::Unreachable {
                self.with_wakes(Outbound::abort_waiting);
            }
            self.cancel_endpoints();
            // But for the supervisor.
            self.watch(|out| (out.lifecycle.tasks <= 1).then_some(())).await;
        };
        if home::within(linger, sent).await.is_none() {
            self.abort();
            self.cancel_endpoints();
        }
    }

    /// Returns why there is nothing more to wait for, if so. It changes whenever an endpoint or a peer goes.
    fn drained(&self, out: &Outbound) -> Option<Drained> {
        match () {
            () if out.peer_count() > 0 => None,
            () if !out.has_waiting() => Some(Drained::Sent),
            () if self.endpoints.is_empty() || out.waits_for_no_reply() => Some(Drained::Unreachable),
            () => None,
        }
    }

    /// Drops what is queued.
    fn abort(&self) {
        let unsent = self.with_wakes(|out, wakes| {
            let unsent = out.queued();
            out.enter(Phase::Aborted, wakes);
            unsent
        });
        trace::unsent(unsent);
    }

    fn cancel_endpoints(&self) {
        self.endpoints.all().iter().for_each(|endpoint| self.cancel_endpoint(endpoint));
    }
}

impl Supervisor {
    pub(super) fn new(task: Task) -> Self {
        Self(task)
    }

    pub(super) async fn run(self) {
        let Task(engine) = &self.0;
        let closed = engine.watch(|out| (out.lifecycle.phase != Phase::Open).then_some(()));
        select(std::pin::pin!(closed), std::pin::pin!(engine.timers.run())).await;
        engine.drain().await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Task(engine) = &self.0;
        engine.abort();
        engine.cancel_endpoints();
        engine.inbox.finish();
    }
}

impl Task {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        engine.out.lock().lifecycle.tasks += 1;
        Self(engine.clone())
    }
}

impl Clone for Task {
    /// Makes another task of the same socket.
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Task {
    /// With the last one the socket has ended.
    fn drop(&mut self) {
        let Self(engine) = self;
        let left = {
            let mut out = engine.out.lock();
            out.lifecycle.tasks -= 1;
            out.lifecycle.tasks
        };
        if left == 0 {
            engine.emit(|| SocketEvent::Closed);
            engine.monitors.end();
        }
        engine.with_wakes(|out, wakes| wakes.add(out.lifecycle.watchers.dismiss()));
    }
}
