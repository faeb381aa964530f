//! Readiness to send: whether a message would be queued now, and the observer of changes.

use std::task::Waker;

use monocoque_core::{PeerKey, Room, Ticket};

use super::{Hub, Outbound, Phase};
use crate::pattern::link::Link;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Framing, Pattern, Routing};

/// The observer of the sending side, beside the queue of senders. It is woken by the next change
/// after a look has found that the application has to wait.
#[derive(Debug, Default)]
pub(crate) struct SendObserver {
    waker: Option<Waker>,
    /// It waits for room, a peer, or the turn of the application among senders.
    for_room: bool,
    /// It waits for the dialogue to advance.
    for_turn: bool,
}

impl SendObserver {
    /// Asks for a signal when there may be room, if there is an observer.
    #[inline]
    pub(crate) fn watch_room(&mut self) {
        self.for_room = self.waker.is_some();
    }

    /// Asks for a signal when the dialogue advances, if there is an observer.
    fn watch_turn(&mut self) {
        self.for_turn = self.waker.is_some();
    }

    /// Wakes the observer if it waits for room.
    #[inline]
    pub(super) fn notify_room(&mut self, wakes: &mut Wakes) {
        if self.for_room {
            self.signal(wakes);
        }
    }

    /// Wakes the observer if it waits for the dialogue to advance.
    #[inline]
    pub(crate) fn notify_turn(&mut self, wakes: &mut Wakes) {
        if self.for_turn {
            self.signal(wakes);
        }
    }

    /// Wakes the observer, if there is one.
    #[cold]
    pub(super) fn signal(&mut self, wakes: &mut Wakes) {
        (self.for_room, self.for_turn) = (false, false);
        wakes.add(self.waker.clone());
    }
}

impl Outbound {
    /// Sets the observer of the sending side. A later one has no effect.
    pub(crate) fn observe(&mut self, observer: &Waker) {
        self.queue.observer.waker.get_or_insert_with(|| observer.clone());
    }

    /// Returns whether the application may receive at this point of a dialogue. If not, the
    /// observer is woken once the dialogue has advanced.
    pub(crate) fn may_receive(&mut self, envelope: Envelope) -> bool {
        let may_receive = self.queue.dialogue.check_recv(envelope).is_ok();
        if !may_receive {
            self.queue.observer.watch_turn();
        }
        may_receive
    }

    /// Returns whether a small message would be queued or dropped now, without waiting. If not, the
    /// observer is woken at the next change.
    pub(crate) fn is_writable(&mut self, pattern: &Pattern) -> bool {
        let may_send = self.queue.dialogue.check_send(pattern.envelope).is_ok();
        if !may_send {
            self.queue.observer.watch_turn();
        }
        let is_writable = self.lifecycle.phase == Phase::Open
            && if may_send { self.admits_message(pattern) } else { self.admits_another_request() };
        if !is_writable && (may_send || self.rules.relaxed) && pattern.routing != Routing::Nowhere {
            self.queue.observer.watch_room();
        }
        is_writable
    }

    /// Returns whether a request would be queued while another one is open.
    fn admits_another_request(&self) -> bool {
        self.rules.relaxed && self.queue.senders.is_empty() && self.has_place_for_request(SMALL)
    }

    fn admits_message(&mut self, pattern: &Pattern) -> bool {
        match pattern.routing {
            Routing::Nowhere => false,
            Routing::RoundRobin => self.queue.senders.is_empty() && self.has_place(),
            Routing::ById => !self.rules.blocks || self.has_named_place(pattern),
            Routing::ByPrefix => !self.rules.blocks || self.peers.links.iter().all(|peer| self.admits(peer)),
            Routing::ToOrigin | Routing::ToAll => true,
        }
    }

    /// Returns whether a peer whose turn it is, or the backlog, has room.
    fn has_place(&mut self) -> bool {
        self.queue.backlog.is_empty() && self.has_next_peer() || self.has_place_in_backlog(SMALL)
    }

    /// Returns whether a peer has a turn. Those without room for a message lose it, as in sending.
    fn has_next_peer(&mut self) -> bool {
        let Hub::Router(hub) = &mut self.peers.hub else { return false };
        while let Ok(key) = hub.next_peer() {
            let link = self.peers.links.get(key);
            if link.is_some_and(|link| self.rules.conflate || link.admits_bytes(SMALL)) {
                return true;
            }
            hub.pass_turn(key, Room::Full);
        }
        false
    }

    /// Returns whether some peer that can be named has room. A STREAM without peers is writable, as
    /// in libzmq: an error tells that there is none.
    fn has_named_place(&self, pattern: &Pattern) -> bool {
        let links = &self.peers.links;
        links.iter().any(|peer| self.admits(peer))
            || (links.is_empty() && pattern.framing == Framing::Raw)
            || (!self.rules.immediate && self.peers.has_absent_place(self.rules.hwm))
    }

    fn admits(&self, (_, link): (PeerKey, &Link)) -> bool {
        !link.is_stopped() && (self.rules.conflate || link.admits(self.rules.hwm, SMALL))
    }

    /// Removes a sender that waits no longer. The next one is woken, or the observer if there is
    /// none.
    #[inline]
    pub(crate) fn remove_sender(&mut self, ticket: &mut Option<Ticket>, wakes: &mut Wakes) {
        if ticket.is_some() {
            wakes.add(self.queue.senders.remove(ticket));
            if self.queue.senders.is_empty() {
                self.queue.observer.notify_room(wakes);
            }
        }
    }
}

/// The length of the message that readiness is about, in bytes.
const SMALL: usize = 1;
