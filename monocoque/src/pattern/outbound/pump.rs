//! The requests of write pumps: the next batch, progress, idleness, and reasons to stop.

use std::task::{Context, Poll};

use monocoque_core::{BytePermits, Outbox, PeerKey};

use super::{Outbound, Phase};
use crate::pattern::link::{Batch, Flow, Life, Pump, Way};
use crate::pattern::wakes::Wakes;

impl Outbound {
    /// Fills the next batch of a write pump. Returns `false` if nothing is left and nothing will
    /// follow.
    pub(crate) fn poll_take(
        &mut self,
        key: PeerKey,
        cx: &Context<'_>,
        batch: &mut Outbox,
        wakes: &mut Wakes,
    ) -> Poll<bool> {
        self.settle_segment(key);
        let Some(link) = self.peers.links.get_mut(key) else { return Poll::Ready(false) };
        let is_stopped = self.lifecycle.phase == Phase::Aborted || link.is_stopped();
        let Way::Stream(stream) = &mut link.way else { return Poll::Ready(false) };
        if is_stopped {
            return Poll::Ready(false);
        }
        // A pump asks for more only once it has written its batch.
        link.counters.written = link.counters.queued - stream.messages() as u64;
        // A message that a direct write has begun is completed first.
        if !stream.control.is_empty() && !stream.outbox.is_partly_written() {
            stream.pump = Pump::Writing { batch: Batch::Control, waker: None };
            std::mem::swap(&mut stream.control, batch);
            return Poll::Ready(true);
        }
        if stream.outbox.is_empty() {
            let is_drained = self.lifecycle.phase == Phase::Draining && self.queue.backlog.is_empty();
            if is_drained || matches!(link.life, Life::Leaving) {
                stream.pump = Pump::Running;
                return Poll::Ready(false);
            }
            stream.outbox.shrink();
            stream.pump = Pump::Parked(cx.waker().clone());
            wakes.add(self.lifecycle.watchers.drain());
            return Poll::Pending;
        }
        stream.pump = Pump::Writing { batch: Batch::Messages, waker: None };
        std::mem::swap(&mut stream.outbox, batch);
        stream.budget = BytePermits::default();
        link.flow = Flow::Moving;
        self.queue.yield_budget.reset();
        self.peers.on_room(key, self.rules.hwm);
        self.dispatch(wakes);
        self.on_targets_changed(wakes);
        Poll::Ready(true)
    }

    /// Records that the system has accepted a part of a batch.
    pub(crate) fn on_progress(&mut self, key: PeerKey, wakes: &mut Wakes) {
        if let Some(link) = self.peers.links.get_mut(key)
            && std::mem::take(&mut link.flow) != Flow::Moving
        {
            self.wake_senders(wakes);
        }
    }

    /// Flushes deferred messages: a message is sent after them, maybe to another peer, or a sender
    /// has to wait.
    #[inline]
    pub(crate) fn flush_deferred(&mut self, wakes: &mut Wakes) {
        if std::mem::take(&mut self.queue.has_deferred) {
            self.peers.wake_pumps(|link| link.messages() > 0, wakes);
        }
    }

    /// Wakes all parked pumps that have something to write. Returns for each link the number of
    /// messages that it will have written once its present queue is written.
    pub(crate) fn flush(&mut self, wakes: &mut Wakes) -> Vec<(PeerKey, u64)> {
        self.queue.has_deferred = false;
        // A direct write is known to be complete once the pump looks for more.
        self.peers.wake_pumps(|link| link.is_behind(), wakes);
        self.goals()
    }

    /// Returns the goal of each link with something to write: its number of written messages once
    /// its present queue is written.
    fn goals(&self) -> Vec<(PeerKey, u64)> {
        let queued = self.peers.links.iter().filter(|(_, link)| link.is_behind());
        queued.map(|(key, link)| (key, link.counters.queued)).collect()
    }

    /// Returns whether all `goals` are reached. Messages given back by a lost connection are still
    /// to be written: by the next connection or another peer, whose goals replace those of the lost
    /// one.
    pub(crate) fn has_written(&self, goals: &mut Vec<(PeerKey, u64)>) -> bool {
        let links = &self.peers.links;
        let is_lost = goals.iter().any(|(key, _)| links.get(*key).is_none());
        if is_lost && self.lifecycle.phase == Phase::Open {
            if self.has_returned() {
                return false;
            }
            *goals = self.goals();
        }
        goals.retain(|(key, messages)| links.get(*key).is_none_or(|link| link.counters.written < *messages));
        goals.is_empty()
    }

    /// Marks a pump as running for another purpose. Returns `false` if a direct write has begun a
    /// message meanwhile: the pump is being woken then.
    pub(crate) fn unpark(&mut self, key: PeerKey) -> bool {
        let Some(link) = self.peers.links.get_mut(key) else { return true };
        let Way::Stream(stream) = &mut link.way else { return true };
        stream.pump.unpark();
        !stream.outbox.is_partly_written()
    }

    /// Releases the memory of empty queues, after the connection has been idle for a while.
    pub(crate) fn release_memory(&mut self, key: PeerKey) {
        let Some(link) = self.peers.links.get_mut(key) else { return };
        let Way::Stream(stream) = &mut link.way else { return };
        for outbox in [&mut stream.outbox, &mut stream.control] {
            if outbox.is_empty() {
                *outbox = Outbox::new();
            }
        }
    }

    /// Waits until a pump that is writing has to stop.
    pub(crate) fn poll_abort(&mut self, key: PeerKey, cx: &Context<'_>) -> Poll<()> {
        match self.peers.links.get_mut(key) {
            Some(link) if self.lifecycle.phase != Phase::Aborted && !link.is_stopped() => {
                if let Way::Stream(stream) = &mut link.way {
                    stream.pump.watch(cx.waker().clone());
                }
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Moves the messages of the broadcast log to the outboxes of their links.
    pub(super) fn seal_log(&mut self) {
        let sealed = self.queue.broadcast.log.seal();
        for key in &sealed.users {
            if let Some(Way::Stream(stream)) = self.peers.links.get_mut(*key).map(|link| &mut link.way) {
                sealed.share(&mut stream.segment, &mut stream.outbox);
            }
        }
    }

    /// Moves the messages of one link from the broadcast log to its outbox.
    pub(super) fn settle_segment(&mut self, key: PeerKey) {
        let Some(Way::Stream(stream)) = self.peers.links.get_mut(key).map(|link| &mut link.way) else {
            return;
        };
        if stream.segment.is_long() {
            self.seal_log();
        } else if !stream.segment.is_empty() {
            self.queue.broadcast.log.copy(&mut stream.segment, &mut stream.outbox);
        }
    }
}
