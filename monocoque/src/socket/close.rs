//! The end of a socket: queued messages are sent, and all tasks end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use monocoque_core::runtime;

use super::Engine;
use crate::error::MonocoqueError;
use crate::meter;
use crate::monitor::SocketEvent;
use crate::pattern::outbound::{Outbound, Phase};
use crate::trace::{self, drops};

/// A task of a socket. The socket waits for all of them when it is closed.
#[derive(Debug)]
pub(crate) struct Task(Arc<Engine>);

/// The task that lives as long as the socket. It drains the socket after `close`, and aborts it if
/// the runtime ends.
#[derive(Debug)]
pub(super) struct Supervisor(Task);

/// The reason why a closed socket has nothing more to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drained {
    /// All messages are sent.
    Sent,
    /// The queued messages are for peers that cannot connect any more.
    Unreachable,
}

impl Engine {
    pub(crate) fn check_open(&self) -> Result<(), MonocoqueError> {
        if self.out.lock().lifecycle.phase == Phase::Open { Ok(()) } else { Err(MonocoqueError::Closed) }
    }

    /// Stops accepting messages, and sends those queued for at most `linger`. Returns at once.
    pub(crate) fn close(self: &Arc<Self>) {
        self.with_wakes(|out, wakes| {
            if out.lifecycle.phase == Phase::Open {
                out.enter(Phase::Draining, wakes);
            }
        });
        self.inbox.abort();
    }

    /// Closes the socket as [`close`](Self::close), and sends queued messages for at most `limit`.
    pub(crate) fn close_within(self: &Arc<Self>, limit: Option<Duration>) {
        self.set_linger(limit);
        self.close();
    }

    /// Changes the time for which a closed socket sends queued messages.
    pub(crate) fn set_linger(&self, linger: Option<Duration>) {
        self.update_options(|options, wakes| {
            options.linger = linger;
            if self.pattern.lingers {
                self.out.lock().set_linger(linger, wakes);
            }
        });
    }

    /// Limits the time for which a closed socket sends queued messages, unless it is shorter.
    pub(crate) fn limit_linger(&self, limit: Duration) {
        self.with_wakes(|out, wakes| {
            if out.lifecycle.linger.is_none_or(|linger| linger > limit) {
                out.set_linger(Some(limit), wakes);
            }
        });
    }

    /// Returns the number of messages that a closed socket has not sent.
    pub(crate) fn unsent(&self) -> u64 {
        self.out.lock().unsent()
    }

    /// Returns whether all tasks have ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.out.lock().lifecycle.tasks == 0
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(self: &Arc<Self>) {
        self.watch(|out| (out.lifecycle.tasks == 0).then_some(())).await;
    }

    /// Waits until queued messages are sent; drops them when `linger` is over.
    async fn drain(self: &Arc<Self>) {
        let mut sent = std::pin::pin!(async {
            // A lost connection gives back its unsent messages, so each endpoint is kept until its
            // last connection has ended by itself, with nothing left.
            let drained = self.watch(|out| self.drained(out)).await;
            if drained == Drained::Unreachable {
                self.with_wakes(Outbound::abort_waiting);
            }
            self.cancel_endpoints();
            self.watch(|out| out.lifecycle.is_only_supervised().then_some(())).await;
        });
        loop {
            let linger = self.out.lock().lifecycle.linger;
            let changed = self.watch(|out| (out.lifecycle.linger != linger).then_some(()));
            match runtime::within(linger, select(sent.as_mut(), std::pin::pin!(changed))).await {
                Some(Either::Left(_)) => return,
                Some(Either::Right(_)) => {}
                None => break,
            }
        }
        self.abort();
        self.cancel_endpoints();
    }

    /// Returns the reason why there is nothing more to wait for, if so. Changes only when an
    /// endpoint or a peer is removed.
    fn drained(&self, out: &Outbound) -> Option<Drained> {
        if out.peer_count() > 0 {
            None
        } else if !out.has_waiting() {
            Some(Drained::Sent)
        } else {
            (self.endpoints.is_empty() || out.waits_for_no_reply()).then_some(Drained::Unreachable)
        }
    }

    /// Drops queued messages.
    fn abort(&self) {
        self.with_wakes(|out, wakes| out.enter(Phase::Aborted, wakes));
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
        let work = async {
            let closed = engine.watch(|out| (out.lifecycle.phase != Phase::Open).then_some(()));
            select(std::pin::pin!(closed), std::pin::pin!(engine.timers.run())).await;
            engine.drain().await;
        };
        drops::beside(engine, meter::beside(engine, work)).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Task(engine) = &self.0;
        engine.abort();
        engine.cancel_endpoints();
        engine.inbox.drain();
    }
}

impl Task {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        engine.out.lock().lifecycle.tasks += 1;
        Self(engine.clone())
    }
}

impl Clone for Task {
    /// Registers another task of the same socket.
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Task {
    /// The end of the last task is the end of the socket.
    fn drop(&mut self) {
        let Self(engine) = self;
        // Before `ended` can return.
        if meter::ON && engine.out.lock().lifecycle.tasks == 1 {
            meter::ended(engine);
        }
        let left = {
            let mut out = engine.out.lock();
            out.lifecycle.tasks -= 1;
            out.lifecycle.tasks
        };
        if left == 0 {
            drops::ended(engine);
            if trace::ON {
                let (unsent, linger) = {
                    let out = engine.out.lock();
                    (out.unsent(), out.lifecycle.linger)
                };
                trace::unsent(&engine.span, unsent, linger == Some(Duration::ZERO));
            }
            engine.emit(|| SocketEvent::Closed);
            engine.monitors.close();
        }
        engine.with_wakes(|out, wakes| wakes.add(out.lifecycle.watchers.drain()));
    }
}
