//! Peers that are added and removed, and redelivery of the messages that waited for them.

use std::sync::Arc;

use monocoque_core::{Outbox, PeerEvent, PeerKey, Room, RoutingId};
use monocoque_zmtp::{Subscription, encode_message};
use smallvec::SmallVec;

use super::{ClosedLink, Hub, Outbound, Pending, Phase, Undeliverable, is_generated};
use crate::endpoint::{EndpointId, EndpointKey};
use crate::monitor::ConnectionId;
use crate::pattern::envelope::Dialogue;
use crate::pattern::link::{Batch, DirectWrite, Flow, Flush, InprocPeer, Life, Link, Pump, SendContext, Way};
use crate::pattern::publisher::Publisher;
use crate::pattern::wakes::Wakes;
use crate::peer::Peer;

impl Outbound {
    /// Adds a peer after its handshake. Returns `None` if its routing id is in use, or the one peer
    /// of the socket is connected already.
    pub(crate) fn add_peer(
        &mut self,
        id: RoutingId,
        endpoint: EndpointKey,
        direct: Option<DirectWrite>,
        wakes: &mut Wakes,
    ) -> Option<PeerKey> {
        // A direct write could not be replaced by later messages.
        let direct = direct.filter(|_| !self.rules.conflate);
        let key = self.insert(id, Link::stream(endpoint, direct), wakes)?;
        self.begin(key, wakes);
        Some(key)
    }

    /// Adds an inproc peer that is [connected](Self::connect_peer) later. Returns `None` like
    /// [`add_peer`](Self::add_peer).
    pub(crate) fn reserve_peer(
        &mut self,
        id: RoutingId,
        endpoint: EndpointKey,
        wakes: &mut Wakes,
    ) -> Option<PeerKey> {
        let key = self.insert(id, Link::inproc(endpoint), wakes)?;
        if let Some(publisher) = self.publisher() {
            publisher.lift_limits(key);
        }
        Some(key)
    }

    /// Connects a [reserved](Self::reserve_peer) inproc peer: messages are delivered to it from now
    /// on.
    pub(crate) fn connect_peer(&mut self, key: PeerKey, peer: Box<dyn InprocPeer>, wakes: &mut Wakes) {
        let hwm = self.rules.hwm;
        self.with_link(key, Flush::Batched, wakes, |link, cx| link.connect(peer, cx));
        let has_room = self.peers.links.get_mut(key).is_none_or(|link| link.check_room(hwm));
        if !has_room && let Hub::Router(hub) = &mut self.peers.hub {
            hub.pass_turn(key, Room::Full);
        }
        self.begin(key, wakes);
        self.close_drained(wakes);
    }

    /// Handles the notification that an inproc peer may have room again.
    pub(crate) fn on_inproc_room(&mut self, key: PeerKey, wakes: &mut Wakes) {
        let hwm = self.rules.hwm;
        if let Some(link) = self.peers.links.get_mut(key)
            && link.check_room(hwm)
        {
            link.flow = Flow::Moving;
            self.peers.on_room(key, hwm);
            self.dispatch(wakes);
            self.wake_senders(wakes);
        }
    }

    /// Reserves a routing id for the peer of an endpoint. Returns `false` if another peer or
    /// endpoint has it.
    pub(crate) fn reserve_name(&mut self, name: &RoutingId, endpoint: EndpointId) -> bool {
        self.peers.reserve(name, endpoint)
    }

    /// Returns whether another connection has the routing id.
    pub(crate) fn is_held_by_other(&self, key: PeerKey, id: &[u8]) -> bool {
        matches!(&self.peers.hub, Hub::Router(hub) if hub.lookup(id).is_some_and(|holder| holder != key))
    }

    /// Returns whether a newer connection has taken over the routing id of this one, which is still
    /// ending.
    pub(crate) fn is_replaced(&self, key: PeerKey) -> bool {
        let link = self.peers.links.get(key);
        link.is_some_and(|link| matches!(link.life, Life::Aborted { is_replaced: true }))
    }

    /// Inserts a link, if the hub accepts it.
    fn insert(&mut self, id: RoutingId, link: Link, wakes: &mut Wakes) -> Option<PeerKey> {
        let is_reserved = self.peers.endpoint_of(&id).is_some_and(|endpoint| endpoint != link.endpoint.id);
        if is_reserved || (self.rules.exclusive && !self.peers.links.is_empty()) {
            return None;
        }
        let key = self.peers.links.insert(link);
        match &mut self.peers.hub {
            Hub::Router(hub) => {
                let up = PeerEvent::Up { key, id: id.clone() };
                if hub.on_event(up).is_err() {
                    if !self.rules.handover {
                        self.peers.links.remove(key);
                        return None;
                    }
                    let old = hub.take_over(key, id);
                    self.replace(old, key, wakes);
                }
            }
            Hub::PubSub(publisher) => publisher.add_peer(key),
            Hub::All | Hub::None => {}
        }
        Some(key)
    }

    /// Queues the messages that waited for a new link, ahead of all others.
    fn begin(&mut self, key: PeerKey, wakes: &mut Wakes) {
        let id = self.peers.hub.id_of(key);
        if let Some(first) = &self.peers.first_message {
            let mut outbox = Outbox::new();
            encode_message(first, &mut outbox);
            self.transfer(outbox, key, wakes);
            if let Some(link) = self.peers.links.get_mut(key) {
                link.counters.first = 1;
            }
        }
        let endpoint = self.peers.links.get(key).map(|link| link.endpoint.id);
        if let Some(pending) = endpoint.and_then(|endpoint| self.peers.take_pending(endpoint)) {
            if pending.id.is_none() || pending.id == id {
                self.transfer(pending.outbox, key, wakes);
            } else {
                self.counters.dropped += pending.outbox.messages() as u64;
            }
        }
        self.dispatch(wakes);
        self.on_targets_changed(wakes);
    }

    /// Removes a connection that has ended, and redelivers its unsent messages: to the front of the
    /// backlog if any peer will do, else to the next connection of the same endpoint. A message
    /// that has used up its delivery attempts is dropped.
    pub(crate) fn remove_peer(&mut self, key: PeerKey, unsent: Outbox, wakes: &mut Wakes) -> ClosedLink {
        self.settle_segment(key);
        let Some(mut link) = self.peers.links.remove(key) else {
            return ClosedLink { comes_back: true, ..ClosedLink::default() };
        };
        let comes_back = link.comes_back();
        let mut unsent = unsent_of(&mut link.way, unsent, wakes);
        let has_progress = link.counters.queued > link.counters.first + unsent.messages() as u64;
        let written = link.counters.queued.saturating_sub(unsent.messages() as u64);
        let is_lost = self.lifecycle.phase == Phase::Aborted || matches!(link.life, Life::Aborted { .. });
        let (id, is_disconnected) = match link.life {
            Life::Disconnected { id, .. } => (self.peers.hub.remove(key).or(id), true),
            Life::Active | Life::Leaving | Life::Aborted { .. } => (self.peers.hub.remove(key), false),
        };
        let mut closed =
            ClosedLink { has_progress, written, is_disconnected, comes_back, ..ClosedLink::default() };
        if is_lost {
            self.counters.dropped += unsent.messages() as u64;
            closed.garbage = unsent;
        } else {
            closed.undeliverable = self.drop_undeliverable(&mut unsent);
            let endpoint = Some(link.endpoint.id).filter(|_| comes_back);
            closed.garbage = self.give_back(key, id, endpoint, unsent, wakes);
        }
        self.on_targets_changed(wakes);
        closed
    }

    /// Gives back the unsent messages of a connection: to any peer, or to the next connection of
    /// its endpoint. Returns those that neither will get.
    fn give_back(
        &mut self,
        key: PeerKey,
        id: Option<RoutingId>,
        endpoint: Option<EndpointId>,
        unsent: Outbox,
        wakes: &mut Wakes,
    ) -> Outbox {
        if self.peers.any_will_do() {
            if let Dialogue::Asked { of, .. } = &mut self.queue.dialogue
                && *of == Some(key)
                && !unsent.is_empty()
            {
                // The request is with no peer now.
                *of = None;
            }
            self.counters.redelivered += unsent.messages() as u64;
            self.queue.backlog.take_back(unsent);
            self.dispatch(wakes);
            return Outbox::new();
        }
        // A generated routing id never comes back.
        let endpoint = endpoint.filter(|_| id.as_ref().is_none_or(|id| !is_generated(id)));
        match endpoint {
            Some(endpoint) if !unsent.is_empty() => {
                self.counters.redelivered += unsent.messages() as u64;
                self.peers.set_pending(endpoint, Pending { id, outbox: unsent, is_returned: true });
                Outbox::new()
            }
            _ => {
                self.counters.dropped += unsent.messages() as u64;
                unsent
            }
        }
    }

    /// Drops the first message if it has used up its delivery attempts.
    fn drop_undeliverable(&mut self, unsent: &mut Outbox) -> Option<Undeliverable> {
        let attempts = unsent.first_attempts();
        (attempts >= self.rules.attempts).then(|| {
            self.counters.dropped += 1;
            Undeliverable { bytes: unsent.drop_first(), attempts }
        })
    }

    /// Aborts the connection whose routing id a newer one has taken over. The newer one gets its
    /// messages.
    fn replace(&mut self, old: Option<PeerKey>, new: PeerKey, wakes: &mut Wakes) {
        let Some(old) = old else { return };
        if let Some(link) = self.peers.links.get_mut(old) {
            let waiting = link.replace();
            self.transfer(waiting, new, wakes);
        }
        self.abort_peer(old, wakes);
    }

    /// Queues the messages that waited for the peer of a new link.
    fn transfer(&mut self, waiting: Outbox, key: PeerKey, wakes: &mut Wakes) {
        self.queue.may_be_full = true;
        self.with_link(key, Flush::Batched, wakes, |link, cx| link.transfer(cx, waiting));
    }

    /// Changes a link, with the send context of the socket.
    fn with_link(
        &mut self,
        key: PeerKey,
        flush: Flush,
        wakes: &mut Wakes,
        change: impl FnOnce(&mut Link, &mut SendContext<'_>),
    ) {
        if let Some(link) = self.peers.links.get_mut(key) {
            let yield_budget = &mut self.queue.yield_budget;
            change(link, &mut SendContext { hwm: self.rules.hwm, flush, yield_budget, wakes });
        }
    }

    /// Aborts a connection and drops its messages.
    fn abort_peer(&mut self, key: PeerKey, wakes: &mut Wakes) {
        self.peers.hub.remove(key);
        match self.peers.links.get_mut(key) {
            Some(link) if link.is_inproc() => drop(self.remove_peer(key, Outbox::new(), wakes)),
            Some(link) => link.abort(wakes),
            None => {}
        }
    }

    /// Returns whether a request of `len` bytes would be queued once the open request is aborted.
    pub(super) fn has_place_for_request(&self, len: usize) -> bool {
        let aborted = match &self.queue.dialogue {
            Dialogue::Asked { of: Some(key), number: None, .. } => Some(*key),
            _ => None,
        };
        let links = self.peers.links.iter();
        let others = links.filter(|(key, link)| Some(*key) != aborted && link.is_active());
        let mut others = others.map(|(_, link)| link).peekable();
        match others.peek() {
            Some(_) => others.any(|link| link.admits(self.rules.hwm, len)),
            None => self.lifecycle.is_dialling() && !self.rules.immediate,
        }
    }

    /// Aborts the open request. Its reply must not be taken for the reply to the next one: without
    /// a request id to tell them apart, the connection is aborted.
    pub(super) fn abort_request(&mut self, wakes: &mut Wakes) {
        match std::mem::take(&mut self.queue.dialogue) {
            Dialogue::Asked { of: Some(key), number: None, .. } => self.abort_peer(key, wakes),
            Dialogue::Asked { of: None, .. } => self.counters.dropped += self.queue.backlog.clear(),
            _ => {}
        }
    }

    /// Ends a connection once its queue is written, and for good if this socket has connected it.
    pub(super) fn close_peer(&mut self, key: PeerKey, wakes: &mut Wakes) {
        self.peers.hub.remove(key);
        if let Some(link) = self.peers.links.get_mut(key) {
            link.leave(wakes);
            let EndpointKey { id, .. } = link.endpoint;
            if link.endpoint.is_connected() {
                self.peers.release_names(id);
            }
        }
        self.wake_senders(wakes);
    }

    /// Queues a subscription for one connection.
    pub(crate) fn subscribe_one(
        &mut self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) {
        if let Some(link) = self.peers.links.get_mut(key) {
            link.subscribe(kind, topic, wakes);
        }
    }

    /// Queues a subscription for all connections. One that does not accept it is aborted: the next
    /// connection announces all topics.
    pub(crate) fn subscribe_all(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) {
        let mut stuck = Vec::new();
        for (key, link) in self.peers.links.iter_mut() {
            if !link.subscribe(kind, topic, wakes) {
                stuck.push(key);
            }
        }
        for key in stuck {
            self.abort_peer(key, wakes);
        }
    }

    /// Detaches an endpoint: it is not dialled any more, its peers get no new messages, and their
    /// connections end once their queues are written.
    pub(crate) fn detach_endpoint(&mut self, endpoint: EndpointId, wakes: &mut Wakes) {
        self.lifecycle.remove_dial(endpoint);
        let (links, hub) = (&mut self.peers.links, &mut self.peers.hub);
        for (key, link) in links.iter_mut().filter(|(_, link)| link.endpoint.id == endpoint) {
            link.leave(wakes);
            hub.remove(key);
        }
        self.peers.release_names(endpoint);
        self.close_inproc(|link| matches!(link.life, Life::Leaving), wakes);
        let pending = self.peers.take_pending(endpoint);
        self.counters.dropped += pending.map_or(0, |pending| pending.outbox.messages() as u64);
        self.on_targets_changed(wakes);
    }

    /// Ends one connection at once, for the application. Its messages are redelivered like those of
    /// any lost connection. Returns `false` if there is no such connection.
    pub(crate) fn disconnect_peer(&mut self, connection: ConnectionId, wakes: &mut Wakes) -> bool {
        let is_it = |link: &Link| {
            link.peer.as_ref().is_some_and(|peer| peer.connection.id == connection)
                && !matches!(link.life, Life::Disconnected { .. })
        };
        let found = self.peers.links.iter().find(|(_, link)| is_it(link));
        let Some((key, is_inproc)) = found.map(|(key, link)| (key, link.is_inproc())) else { return false };
        if is_inproc {
            self.remove_peer(key, Outbox::new(), wakes);
            return true;
        }
        let id = self.peers.hub.remove(key);
        if let Some(link) = self.peers.links.get_mut(key) {
            link.disconnect(id, wakes);
        }
        self.on_targets_changed(wakes);
        true
    }

    /// Sets the description of the peer of a link.
    pub(crate) fn set_peer(&mut self, key: PeerKey, peer: Arc<Peer>) {
        if let Some(link) = self.peers.links.get_mut(key) {
            link.peer = Some(peer);
        }
    }

    /// Removes a peer's subscriptions, after the receiving side of its connection has ended.
    /// Returns whether there are more topics than could be removed at once.
    pub(crate) fn remove_subscriptions(&mut self, key: PeerKey) -> bool {
        self.peers.hub.remove(key);
        self.publisher().is_some_and(|publisher: &mut Publisher| publisher.is_departed(key))
    }

    /// Drops the messages that wait for a peer, since none can connect any more.
    pub(crate) fn abort_waiting(&mut self, wakes: &mut Wakes) {
        self.drop_waiting();
        self.close_drained(wakes);
        self.on_targets_changed(wakes);
    }

    /// Ends the connections to inproc peers once a closed socket has nothing left for them.
    pub(super) fn close_drained(&mut self, wakes: &mut Wakes) {
        let is_drained = match self.lifecycle.phase {
            Phase::Open => false,
            Phase::Draining => self.queue.backlog.is_empty(),
            Phase::Aborted => true,
        };
        if is_drained {
            self.close_inproc(|_| true, wakes);
        }
    }

    /// Ends the connections to the inproc peers for which `which` holds. Their queues are empty.
    fn close_inproc(&mut self, which: impl Fn(&Link) -> bool, wakes: &mut Wakes) {
        let links = self.peers.links.iter().filter(|(_, link)| link.is_inproc() && which(link));
        let keys: SmallVec<[PeerKey; 1]> = links.map(|(key, _)| key).collect();
        for key in &keys {
            self.peers.hub.remove(*key);
            if let Some(mut link) = self.peers.links.remove(*key) {
                unsent_of(&mut link.way, Outbox::new(), wakes);
            }
        }
        if !keys.is_empty() {
            self.on_targets_changed(wakes);
        }
    }
}

/// Takes the unsent messages of a link, behind those that its write pump gave back. An inproc peer
/// is dropped after the lock is released.
fn unsent_of(way: &mut Way, mut unsent: Outbox, wakes: &mut Wakes) -> Outbox {
    match way {
        Way::Stream(stream) => {
            if matches!(stream.pump, Pump::Writing { batch: Batch::Control, .. }) {
                unsent = Outbox::new();
            }
            unsent.append(&stream.take_queue());
        }
        Way::Inproc(inproc) => {
            if let Some(peer) = std::mem::take(inproc).into_peer() {
                wakes.drop_later(peer);
            }
        }
    }
    unsent
}
