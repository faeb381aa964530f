//! The lifecycle of a socket: its phase, its tasks, and the tasks that wait for either to change.

use std::collections::HashSet;
use std::time::Duration;

use monocoque_core::Waiters;

use super::Outbound;
use crate::endpoint::EndpointId;
use crate::pattern::wakes::Wakes;

/// The state of a socket as a whole.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    pub(crate) phase: Phase,
    /// The time for sending queued messages once the socket is closed; `None` for no limit.
    pub(crate) linger: Option<Duration>,
    /// The number of messages dropped before the socket was closed.
    dropped_before: u64,
    /// The number of tasks that have not ended.
    pub(crate) tasks: usize,
    /// The number of inproc connections of which the end was not reported.
    pipes: usize,
    /// Tasks that wait for a change of peers, subscriptions or tasks.
    pub(crate) watchers: Waiters,
    /// Endpoints that are connecting or connected.
    dials: HashSet<EndpointId>,
}

/// The phases of a socket, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Open,
    /// Closed by its user: queued messages are being sent.
    Draining,
    /// Aborted: messages still queued are lost.
    Aborted,
}

impl Lifecycle {
    pub(super) fn new(linger: Option<Duration>) -> Self {
        Self { linger, ..Self::default() }
    }

    /// Returns whether some endpoint is dialled: a peer may connect without a further call of the
    /// application.
    #[inline]
    pub(crate) fn is_dialling(&self) -> bool {
        !self.dials.is_empty()
    }

    /// Notes that an inproc connection has begun.
    pub(crate) fn begin_pipe(&mut self) {
        self.pipes += 1;
    }

    /// Notes that the end of an inproc connection was reported.
    pub(crate) fn end_pipe(&mut self, wakes: &mut Wakes) {
        self.pipes -= 1;
        wakes.add(self.watchers.drain());
    }

    /// Returns whether all tasks except the supervisor have ended, and with them all connections.
    pub(crate) fn is_only_supervised(&self) -> bool {
        self.tasks <= 1 && self.pipes == 0
    }

    pub(super) fn remove_dial(&mut self, endpoint: EndpointId) {
        self.dials.remove(&endpoint);
    }
}

impl Outbound {
    /// Marks an endpoint as dialled: messages may wait for its peer. Once for each endpoint, before
    /// other tasks see it.
    pub(crate) fn begin_dial(&mut self, endpoint: EndpointId, wakes: &mut Wakes) {
        self.lifecycle.dials.insert(endpoint);
        self.on_targets_changed(wakes);
    }

    /// Marks an endpoint as not dialled. Has no effect if it was [detached](Self::detach_endpoint)
    /// before.
    pub(crate) fn end_dial(&mut self, endpoint: EndpointId, wakes: &mut Wakes) {
        self.lifecycle.remove_dial(endpoint);
        self.on_targets_changed(wakes);
    }

    /// Returns the number of messages that were dropped since the socket was closed.
    pub(crate) fn unsent(&self) -> u64 {
        match self.lifecycle.phase {
            Phase::Open => 0,
            Phase::Draining | Phase::Aborted => self.counters.dropped - self.lifecycle.dropped_before,
        }
    }

    /// Changes the time for sending queued messages. If the socket is closed already, it starts
    /// again.
    pub(crate) fn set_linger(&mut self, linger: Option<Duration>, wakes: &mut Wakes) {
        self.lifecycle.linger = linger;
        wakes.add(self.lifecycle.watchers.drain());
    }

    /// Enters a phase in which no messages are accepted, and wakes all waiting tasks.
    pub(crate) fn enter(&mut self, phase: Phase, wakes: &mut Wakes) {
        if self.lifecycle.phase == Phase::Open {
            self.lifecycle.dropped_before = self.counters.dropped;
        }
        self.lifecycle.phase = phase;
        wakes.add(self.queue.senders.drain());
        self.queue.observer.signal(wakes);
        wakes.add(self.lifecycle.watchers.drain());
        self.peers.interrupt_pumps(wakes);
        if phase == Phase::Aborted {
            self.drop_waiting();
        }
        self.close_drained(wakes);
    }
}
