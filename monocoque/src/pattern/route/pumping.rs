//! What write pumps ask for, and what they are let go for.

use std::task::{Context, Poll};

use monocoque_core::{BytePermits, Outbox, PeerKey};

use super::{Hub, Outbound, Phase};
use crate::pattern::link::Flow;
use crate::pattern::wakes::Wakes;

impl Outbound {
    /// A write pump fetches its next batch. `false`: nothing is left and nothing will follow.
    pub(crate) fn poll_take(
        &mut self,
        key: PeerKey,
        cx: &Context<'_>,
        batch: &mut Outbox,
        wakes: &mut Wakes,
    ) -> Poll<bool> {
        self.settle(key);
        let Some(link) = self.links.get_mut(key) else { return Poll::Ready(false) };
        if self.phase == Phase::Aborted || link.is_ended() {
            return Poll::Ready(false);
        }
        // Whatever it was woken for: it is parked no longer, and the short way is shut.
        link.pump = None;
        link.writer = None;
        // A pump comes back once it has written what it took.
        link.written = link.put - link.messages() as u64;
        // What a sender has begun by itself is ended first.
        link.control_taken = !link.control.is_empty() && !link.outbox.is_partly_written();
        if link.control_taken {
            std::mem::swap(&mut link.control, batch);
            return Poll::Ready(true);
        }
        if link.outbox.is_empty() {
            if link.leaving || (self.phase == Phase::Draining && self.backlog.is_empty()) {
                return Poll::Ready(false);
            }
            link.outbox.shrink();
            link.pump = Some(cx.waker().clone());
            wakes.add(self.watchers.drain());
            return Poll::Pending;
        }
        std::mem::swap(&mut link.outbox, batch);
        link.budget = BytePermits::default();
        link.flow = Flow::Moving;
        self.unpaced = 0;
        self.on_room(key);
        self.dispatch(wakes);
        self.wake_senders(wakes);
        wakes.add(self.watchers.drain());
        Poll::Ready(true)
    }

    /// The system has taken a part of what a pump writes.
    pub(crate) fn on_progress(&mut self, key: PeerKey, wakes: &mut Wakes) {
        if let Some(link) = self.links.get_mut(key)
            && std::mem::take(&mut link.flow) != Flow::Moving
        {
            self.wake_senders(wakes);
        }
    }

    /// A link that may have been full has room, if the mark says so.
    pub(super) fn on_room(&mut self, key: PeerKey) {
        if let Hub::Router(hub) = &mut self.hub
            && let Some(link) = self.links.get(key)
            && self.rules.hwm.admits(link.messages())
        {
            hub.on_room(key);
        }
    }

    /// What is held goes: something is sent behind it, maybe to another peer, or a sender has to wait.
    #[inline]
    pub(crate) fn let_go_held(&mut self, wakes: &mut Wakes) {
        if std::mem::take(&mut self.holds) {
            let held = self.links.iter_mut().filter(|(_, link)| link.messages() > 0);
            held.for_each(|(_, link)| wakes.add(link.pump.take()));
        }
    }

    /// Lets all pumps go that wait although there is something to write. Gives for each link how many messages will have
    /// been written once all that is queued now is.
    pub(crate) fn let_go(&mut self, wakes: &mut Wakes) -> Vec<(PeerKey, u64)> {
        self.holds = false;
        // One whose sender has written by itself says so when its pump looks for more.
        let held = self.links.iter_mut().filter(|(_, link)| link.is_behind());
        held.for_each(|(_, link)| wakes.add(link.pump.take()));
        self.goals()
    }

    /// For each link with something to write, how many messages it will have written once all that is queued now is.
    fn goals(&self) -> Vec<(PeerKey, u64)> {
        let queued = self.links.iter().filter(|(_, link)| link.is_behind());
        queued.map(|(key, link)| (key, link.put)).collect()
    }

    /// Whether all of `goals` are reached. What a lost connection has given back is still to be written: over the next
    /// one, or by another peer, whose goals take the place of the lost one's.
    pub(crate) fn has_written(&self, goals: &mut Vec<(PeerKey, u64)>) -> bool {
        let is_lost = goals.iter().any(|(key, _)| self.links.get(*key).is_none());
        if is_lost && self.phase == Phase::Open {
            if self.has_returned() {
                return false;
            }
            *goals = self.goals();
        }
        goals.retain(|(key, messages)| self.links.get(*key).is_none_or(|link| link.written < *messages));
        goals.is_empty()
    }

    /// The pump is to write something else. `false` if a sender has begun a message meanwhile: then it is being woken.
    pub(crate) fn unpark(&mut self, key: PeerKey) -> bool {
        let Some(link) = self.links.get_mut(key) else { return true };
        link.pump = None;
        !link.outbox.is_partly_written()
    }

    /// A connection has been quiet for a while: lets go of the memory of queues that are empty.
    pub(crate) fn rest(&mut self, key: PeerKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        for outbox in [&mut link.outbox, &mut link.control] {
            if outbox.is_empty() {
                *outbox = Outbox::new();
            }
        }
    }

    /// Ready once a pump that is writing has to give up.
    pub(crate) fn poll_abort(&mut self, key: PeerKey, cx: &Context<'_>) -> Poll<()> {
        match self.links.get_mut(key) {
            Some(link) if self.phase != Phase::Aborted && !link.is_ended() => {
                link.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}
