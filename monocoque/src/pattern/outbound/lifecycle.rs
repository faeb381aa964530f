//! The lifecycle of a socket: its phase, its tasks, and those who wait for either to change.

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
    /// Tasks that wait for peers, subscriptions or tasks to come or go.
    pub(crate) watchers: Waiters,
    /// Endpoints that are being connected, or are.
    dials: HashSet<EndpointId>,
}

/// The phases of a socket, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Open,
    /// Closed by its user: what is queued is being sent.
    Draining,
    /// What is still queued is lost.
    Aborted,
}

impl Lifecycle {
    /// Returns whether some endpoint is dialled: a peer may come without another call of the program's.
    #[inline]
    pub(crate) fn is_dialling(&self) -> bool {
        !self.dials.is_empty()
    }

    pub(super) fn remove_dial(&mut self, endpoint: EndpointId) {
        self.dials.remove(&endpoint);
    }
}

impl Outbound {
    /// An endpoint is being dialled: messages may wait for its peer. Once for each endpoint, before others see it.
    pub(crate) fn begin_dial(&mut self, endpoint: EndpointId, wakes: &mut Wakes) {
        self.lifecycle.dials.insert(endpoint);
        self.on_targets_changed(wakes);
    }

    /// An endpoint is not dialled any more. Nothing changes if it was [detached](Self::detach_endpoint) before.
    pub(crate) fn end_dial(&mut self, endpoint: EndpointId, wakes: &mut Wakes) {
        self.lifecycle.remove_dial(endpoint);
        self.on_targets_changed(wakes);
    }

    /// Enters a phase in which no more messages are taken; all who wait are woken.
    pub(crate) fn enter(&mut self, phase: Phase, wakes: &mut Wakes) {
        self.lifecycle.phase = phase;
        wakes.add(self.queue.senders.dismiss());
        wakes.add(self.lifecycle.watchers.dismiss());
        self.peers.interrupt_pumps(wakes);
        if phase == Phase::Aborted {
            self.drop_waiting();
        }
        self.close_drained(wakes);
    }
}
