//! The end of a socket: what is queued is sent, and every task has ended.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use monocoque_core::runtime;

use super::Engine;
use crate::error::MonocoqueError;
use crate::monitor::SocketEvent;
use crate::pattern::route::{Outbound, Phase};
use crate::trace;

/// A task of a socket; the socket waits for all of them when it is closed.
#[derive(Debug)]
pub(super) struct Task(Arc<Engine>);

/// Lives on the home for as long as the socket. Ends it in order when it is closed, and for good when the runtime ends.
#[derive(Debug)]
pub(super) struct Keeper(Task);

/// How a socket that is closed has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// All is sent.
    Sent,
    /// What waits is for nobody who could come.
    Lonely,
}

impl Engine {
    pub(super) fn check_open(&self) -> Result<(), MonocoqueError> {
        if self.out.lock().phase == Phase::Open { Ok(()) } else { Err(MonocoqueError::Closed) }
    }

    /// Takes no more messages and sends what is queued, for at most `linger`. Returns at once.
    pub(crate) fn close(self: &Arc<Self>) {
        self.with_wakes(|out, wakes| {
            if out.phase == Phase::Open {
                out.enter(Phase::Draining, wakes);
            }
        });
        self.inbox.abort();
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(self: &Arc<Self>) {
        self.watch(|out| (out.tasks == 0).then_some(())).await;
    }

    /// Waits for what is queued to be sent; when `linger` is over, drops it.
    async fn drain(self: &Arc<Self>) {
        let linger = if self.pattern.lingers { self.options.linger } else { Some(Duration::ZERO) };
        let sent = async {
            // A connection that is lost meanwhile gives back what it did not send: so its endpoint is kept until the last
            // one has ended by itself, with nothing left.
            let nobody = self.watch(|out| self.ends_with(out)).await;
            if nobody == Ends::Lonely {
                self.with_wakes(Outbound::give_up_waiting);
            }
            self.stop();
            // But for the keeper.
            self.watch(|out| (out.tasks <= 1).then_some(())).await;
        };
        if runtime::within(linger, sent).await.is_none() {
            self.abort();
            self.stop();
        }
    }

    /// Whether there is nothing more to wait for, and how that is; looked at again whenever an endpoint or a peer goes.
    fn ends_with(&self, out: &Outbound) -> Option<Ends> {
        match () {
            () if out.peers() > 0 => None,
            () if !out.has_backlog() => Some(Ends::Sent),
            () if self.has_no_endpoint() || out.waits_for_no_reply() => Some(Ends::Lonely),
            () => None,
        }
    }

    /// Gives up what is queued.
    fn abort(&self) {
        let unsent = self.with_wakes(|out, wakes| {
            let unsent = out.queued();
            out.enter(Phase::Aborted, wakes);
            unsent
        });
        trace::unsent(unsent);
    }

    /// Tells all endpoints that they are no longer wanted.
    fn stop(&self) {
        let vias: Vec<_> = self.endpoints.lock().iter().map(|attachment| attachment.via.clone()).collect();
        vias.iter().for_each(|via| self.let_go(via));
    }
}

impl Keeper {
    pub(super) fn new(task: Task) -> Self {
        Self(task)
    }

    pub(super) async fn keep(self) {
        let Task(engine) = &self.0;
        let closed = std::pin::pin!(engine.watch(|out| (out.phase != Phase::Open).then_some(())));
        select(closed, std::pin::pin!(engine.timers.keep())).await;
        engine.drain().await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let Task(engine) = &self.0;
        engine.abort();
        engine.stop();
        engine.inbox.drain();
    }
}

impl Task {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        engine.out.lock().tasks += 1;
        Self(engine.clone())
    }

    pub(crate) fn another(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Task {
    /// With the last one the socket has ended.
    fn drop(&mut self) {
        let Self(engine) = self;
        let left = {
            let mut out = engine.out.lock();
            out.tasks -= 1;
            out.tasks
        };
        if left == 0 {
            engine.tell(|| SocketEvent::Closed);
            engine.monitors.close();
        }
        engine.with_wakes(|out, wakes| wakes.add(out.watchers.drain()));
    }
}
