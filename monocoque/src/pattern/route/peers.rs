//! Peers that come and go, and what becomes of the messages that wait for them.

use monocoque_core::{Outbox, PeerEvent, PeerKey, Room, RoutingId};
use monocoque_zmtp::{Subscription, decode_messages, encode_message};
use smallvec::SmallVec;

use super::{Hub, Leftover, Offer, Outbound, Phase, Remains, Undeliverable, is_made_up};
use crate::pattern::envelope::Dialogue;
use crate::pattern::link::{Direct, Flow, Link, Neighbour, Through};
use crate::pattern::wakes::Wakes;

impl Outbound {
    /// A handshake is done. `None` if a peer with that routing id is already there, or the only one that there can be.
    pub(crate) fn up(
        &mut self,
        id: RoutingId,
        through: Through,
        direct: Option<Direct>,
        wakes: &mut Wakes,
    ) -> Option<PeerKey> {
        // What went out on the short way could not be replaced by what comes after it.
        let direct = direct.filter(|_| !self.rules.conflate);
        let key = self.admit(id, Link::new(through, direct), wakes)?;
        self.begin(key, wakes);
        Some(key)
    }

    /// A neighbour has come, who is to be [met](Self::meet). `None` as with [`up`](Self::up).
    pub(crate) fn approach(&mut self, id: RoutingId, through: Through, wakes: &mut Wakes) -> Option<PeerKey> {
        let key = self.admit(id, Link::new(through, None), wakes)?;
        if let Some(audience) = self.audience() {
            audience.lift_limits(key);
        }
        Some(key)
    }

    /// The neighbour takes part from now on.
    pub(crate) fn meet(&mut self, key: PeerKey, neighbour: Box<dyn Neighbour>, wakes: &mut Wakes) {
        let hwm = self.rules.hwm;
        let Some(link) = self.links.get_mut(key) else { return };
        link.neighbour = Some(neighbour);
        if !link.has_room(hwm)
            && let Hub::Router(hub) = &mut self.hub
        {
            hub.pass_turn(key, Room::Full);
        }
        self.begin(key, wakes);
        self.part(wakes);
    }

    /// A neighbour that had no room may have some.
    pub(crate) fn reopen(&mut self, key: PeerKey, wakes: &mut Wakes) {
        let hwm = self.rules.hwm;
        if let Some(link) = self.links.get_mut(key)
            && link.has_room(hwm)
        {
            link.flow = Flow::Moving;
            self.on_room(key);
            self.dispatch(wakes);
            self.wake_senders(wakes);
        }
    }

    /// Adds a link, if the hub takes it.
    pub(super) fn admit(&mut self, id: RoutingId, link: Link, wakes: &mut Wakes) -> Option<PeerKey> {
        let is_reserved = self.named.get(&id).is_some_and(|via| *via != link.through.via);
        if is_reserved || (self.rules.exclusive && !self.links.is_empty()) {
            return None;
        }
        let key = self.links.insert(link);
        match &mut self.hub {
            Hub::Router(hub) => {
                let up = PeerEvent::Up { key, id: id.clone() };
                if hub.on_event(up).is_err() {
                    if !self.rules.handover {
                        self.links.remove(key);
                        return None;
                    }
                    let old = hub.take_over(key, id);
                    self.replace(old, key, wakes);
                }
            }
            Hub::PubSub(audience) => audience.up(key),
            Hub::All | Hub::None => {}
        }
        Some(key)
    }

    /// A new link gets what waits for it, ahead of all else.
    pub(super) fn begin(&mut self, key: PeerKey, wakes: &mut Wakes) {
        let id = self.hub.id_of(key);
        if let Some(greeting) = &self.greeting {
            let mut outbox = Outbox::new();
            encode_message(greeting, &mut outbox);
            self.bequeath(outbox, key, wakes);
            if let Some(link) = self.links.get_mut(key) {
                link.greeted = 1;
            }
        }
        let via = self.links.get(key).map(|link| link.through.via);
        if let Some(leftover) = via.and_then(|via| self.leftovers.remove(&via)) {
            if leftover.id.is_none() || leftover.id == id {
                self.bequeath(leftover.outbox, key, wakes);
            } else {
                self.dropped += leftover.outbox.messages() as u64;
            }
        }
        self.dispatch(wakes);
        self.wake_senders(wakes);
        wakes.add(self.watchers.drain());
    }

    /// A connection has ended. What the kernel did not take goes back to the front of the backlog, if any peer will do, or
    /// is kept for the next connection to the same endpoint. A message that was begun on too many connections is dropped.
    pub(crate) fn down(&mut self, key: PeerKey, unsent: Outbox, wakes: &mut Wakes) -> Remains {
        self.settle(key);
        let Some(mut link) = self.links.remove(key) else { return Remains::default() };
        let mut garbage = Outbox::new();
        wakes.leave(link.neighbour.take());
        let id = self.hub.down(key).or_else(|| link.id.take());
        let mut orphans = if link.control_taken { Outbox::new() } else { unsent };
        // Of a message that was begun on the short way the whole is kept.
        link.outbox.rewind();
        orphans.append(&link.outbox);
        let progress = link.put > link.greeted + orphans.messages() as u64;
        let lost = self.phase == Phase::Aborted || link.doomed;
        let undeliverable = if lost { None } else { self.drop_undeliverable(&mut orphans) };
        // A name that was made up is not to be met again.
        let comes_back =
            link.through.dialled && !link.leaving && id.as_ref().is_none_or(|id| !is_made_up(id));
        if !lost && self.any_will_do() {
            if let Dialogue::Asked { of, .. } = &mut self.dialogue
                && *of == Some(key)
                && !orphans.is_empty()
            {
                // Nobody has the request now.
                *of = None;
            }
            self.backlog.take_back(orphans);
            self.dispatch(wakes);
        } else if !lost && comes_back && !orphans.is_empty() {
            self.leftovers.insert(link.through.via, Leftover { id, outbox: orphans, returned: true });
        } else {
            self.dropped += orphans.messages() as u64;
            garbage = orphans;
        }
        self.wake_senders(wakes);
        wakes.add(self.watchers.drain());
        Remains { progress, cut: link.cut, undeliverable, garbage }
    }

    /// Drops the first message if it was begun on as many connections as it may be.
    fn drop_undeliverable(&mut self, orphans: &mut Outbox) -> Option<Undeliverable> {
        let attempts = orphans.first_attempts();
        (attempts >= self.rules.attempts).then(|| {
            self.dropped += 1;
            Undeliverable { bytes: orphans.drop_first(), attempts }
        })
    }

    /// A newcomer has the name of a peer, and gets what waits for it.
    pub(super) fn replace(&mut self, old: Option<PeerKey>, new: PeerKey, wakes: &mut Wakes) {
        let Some(old) = old else { return };
        if let Some(link) = self.links.get_mut(old) {
            link.replaced = true;
            link.outbox.rewind();
            let waiting = std::mem::take(&mut link.outbox);
            self.bequeath(waiting, new, wakes);
        }
        self.doom(old, wakes);
    }

    /// Gives a new link what waits for its peer.
    pub(super) fn bequeath(&mut self, outbox: Outbox, key: PeerKey, wakes: &mut Wakes) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.neighbour.is_some() {
            for mut message in decode_messages(outbox) {
                link.put(self.rules.hwm, self.going, &mut self.unpaced, wakes, &mut message);
            }
            return;
        }
        self.tight = true;
        link.budget.acquire(outbox.bytes());
        link.put += outbox.messages() as u64;
        link.outbox.append(&outbox);
    }

    /// Gives a connection up, with all that waits for it.
    pub(super) fn doom(&mut self, key: PeerKey, wakes: &mut Wakes) {
        self.hub.down(key);
        if let Some(link) = self.links.get_mut(key) {
            if link.neighbour.is_some() {
                self.down(key, Outbox::new(), wakes);
                return;
            }
            link.doomed = true;
            wakes.add(link.pump.take());
            wakes.add(link.writer.take());
        }
    }

    /// Whether a request of that length would be queued once the one that is out is given up.
    pub(super) fn has_place_for_request(&self, len: usize) -> bool {
        let given_up = match &self.dialogue {
            Dialogue::Asked { of: Some(key), number: None, .. } => Some(*key),
            _ => None,
        };
        let mut peers = 0;
        for (key, link) in self.links.iter() {
            if Some(key) == given_up || !link.is_peer() {
                continue;
            }
            if link.admits(self.rules.hwm, len) {
                return true;
            }
            peers += 1;
        }
        peers == 0 && self.is_dialling() && !self.rules.immediate
    }

    /// A request is not waited for any more. Its reply must not be taken for that to the next one: if nothing tells them
    /// apart the connection is given up.
    pub(super) fn abandon(&mut self, wakes: &mut Wakes) {
        match std::mem::take(&mut self.dialogue) {
            Dialogue::Asked { of: Some(key), number: None, .. } => self.doom(key, wakes),
            Dialogue::Asked { of: None, .. } => {
                self.dropped += self.backlog.clear();
            }
            _ => {}
        }
    }

    /// The application ends a connection: once what is queued is sent, and for good if it was us who had connected.
    pub(super) fn dismiss(&mut self, key: PeerKey, wakes: &mut Wakes) -> Offer {
        self.hub.down(key);
        if let Some(link) = self.links.get_mut(key) {
            link.leaving = true;
            wakes.add(link.pump.take());
            let Through { via, dialled } = link.through;
            if dialled {
                self.dismissed.insert(via);
                self.named.retain(|_, of| *of != via);
            }
        }
        self.wake_senders(wakes);
        Offer::Closed
    }

    /// Whether the application has ended the connection of an endpoint. Says so once.
    pub(crate) fn take_dismissed(&mut self, via: u64) -> bool {
        self.dismissed.remove(&via)
    }

    /// Queues a subscription for one connection.
    pub(crate) fn subscribe_one(
        &mut self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) {
        if let Some(link) = self.links.get_mut(key) {
            link.subscribe(kind, topic, wakes);
        }
    }

    /// Queues a subscription for all connections. One that does not take them is given up: the next one gets them all.
    pub(crate) fn subscribe_all(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) {
        let mut stuck = Vec::new();
        for (key, link) in self.links.iter_mut() {
            if !link.subscribe(kind, topic, wakes) {
                stuck.push(key);
            }
        }
        for key in stuck {
            self.doom(key, wakes);
        }
    }

    /// An endpoint is given up: it is not dialled any more, its peers get nothing more, and their connections end once what
    /// is queued has been sent.
    pub(crate) fn leave(&mut self, via: u64, wakes: &mut Wakes) {
        self.dials.remove(&via);
        for (key, link) in self.links.iter_mut().filter(|(_, link)| link.through.via == via) {
            link.leaving = true;
            wakes.add(link.pump.take());
            self.hub.down(key);
        }
        self.named.retain(|_, of| *of != via);
        self.part_from(|link| link.leaving, wakes);
        let left = self.leftovers.remove(&via);
        self.dropped += left.map_or(0, |leftover| leftover.outbox.messages() as u64);
        self.on_targets_changed(wakes);
    }

    /// The program ends one connection, which is told by its number, at once. What waits for it is as with any other that
    /// is lost. `false` if there is none.
    pub(crate) fn disconnect_peer(&mut self, connection: u64, wakes: &mut Wakes) -> bool {
        let found = self.links.iter().find(|(_, link)| link.connection == Some(connection) && !link.cut);
        let Some(key) = found.map(|(key, _)| key) else { return false };
        if self.links.get(key).is_some_and(|link| link.neighbour.is_some()) {
            self.down(key, Outbox::new(), wakes);
            return true;
        }
        let id = self.hub.down(key);
        if let Some(link) = self.links.get_mut(key) {
            link.cut = true;
            link.id = id;
            wakes.add(link.pump.take());
            wakes.add(link.writer.take());
        }
        self.on_targets_changed(wakes);
        true
    }

    /// Notes the number of a connection, by which the program may end it.
    pub(crate) fn set_connection(&mut self, key: PeerKey, connection: u64) {
        if let Some(link) = self.links.get_mut(key) {
            link.connection = Some(connection);
        }
    }

    /// No other peer can come: gives up what waits for one.
    pub(crate) fn give_up_waiting(&mut self, wakes: &mut Wakes) {
        self.dropped += self.backlog.clear();
        for (_, leftover) in self.leftovers.drain() {
            self.dropped += leftover.outbox.messages() as u64;
        }
        self.part(wakes);
        self.on_targets_changed(wakes);
    }

    /// The socket is closed: ends the connections to neighbours that have nothing left to get.
    pub(super) fn part(&mut self, wakes: &mut Wakes) {
        let due = match self.phase {
            Phase::Open => false,
            Phase::Draining => self.backlog.is_empty(),
            Phase::Aborted => true,
        };
        if due {
            self.part_from(|_| true, wakes);
        }
    }

    /// Ends the connections to some neighbours. They have got all there was for them.
    pub(super) fn part_from(&mut self, which: impl Fn(&Link) -> bool, wakes: &mut Wakes) {
        let neighbours = self.links.iter().filter(|(_, link)| link.neighbour.is_some() && which(link));
        let keys: SmallVec<[PeerKey; 1]> = neighbours.map(|(key, _)| key).collect();
        for key in &keys {
            self.hub.down(*key);
            wakes.leave(self.links.remove(*key).and_then(|link| link.neighbour));
        }
        if !keys.is_empty() {
            self.wake_senders(wakes);
            wakes.add(self.watchers.drain());
        }
    }
}
