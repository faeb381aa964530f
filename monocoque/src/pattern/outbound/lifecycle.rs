//! The lifecycle of a socket: its phase, its tasks, and the tasks that wait for either to change.

use std::collections::HashSet;

use monocoque_core::Waiters;

use super::Outbound;
use crate::endpoint::EndpointId;
use crate::pattern::wakes::Wakes;

/// The state of a socket as a whole.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    pub(crate) phase: Phase,
    /// The number of tasks that have not ended.
    pub(crate) tasks: usize,
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
    /// Returns whether some endpoint is dialled: a peer may connect without a further call of the
    /// application.
    #[inline]
    pub(crate) fn is_dialling(&self) -> bool {
        !self.dials.is_empty()
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

    /// Enters a phase in which no messages are accepted, and wakes all waiting tasks.
    pub(crate) fn enter(&mut self, phase: Phase, wakes: &mut Wakes) {
        self.lifecycle.phase = phase;
        wakes.add(self.queue.senders.drain());
        wakes.add(self.lifecycle.watchers.drain());
        self.peers.interrupt_pumps(wakes);
        if phase == Phase::Aborted {
            self.drop_waiting();
        }
        self.close_drained(wakes);
    }
}
