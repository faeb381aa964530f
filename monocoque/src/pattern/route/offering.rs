//! A message is offered: who gets it, or where it waits.

use monocoque_core::{BytePermits, Message, Outbox, PeerKey, Room, Ticket};
use monocoque_zmtp::encode_message;
use smallvec::SmallVec;

use super::{Hub, Leftover, Offer, Outbound, Phase, Rules, Target};
use crate::error::MonocoqueError;
use crate::pattern::Pattern;
use crate::pattern::envelope::Dialogue;
use crate::pattern::link::{Going, PACE_PER_MESSAGE};
use crate::pattern::wakes::Wakes;

impl Outbound {
    /// Queues `message` for its target, or says why not.
    #[inline]
    pub(crate) fn offer(&mut self, target: Target<'_>, message: &mut Message, wakes: &mut Wakes) -> Offer {
        if !self.any_will_do() {
            return self.offer_some(target, message, wakes);
        }
        let offer = self.offer_any(message, wakes);
        self.sent += u64::from(matches!(offer, Offer::Queued(_)));
        offer
    }

    /// The same where not everybody will do.
    fn offer_some(&mut self, target: Target<'_>, message: &mut Message, wakes: &mut Wakes) -> Offer {
        // Sockets that drop never wait: they are to pause even if nothing that they send finds a place.
        self.unpaced += PACE_PER_MESSAGE;
        let offer = match (&self.hub, target) {
            (_, Target::Origin(key)) => self.offer_one(key, message, wakes),
            (Hub::Router(hub), Target::Id(id)) => match (hub.lookup(id), self.named.get(id)) {
                (Some(key), _) if self.rules.ends(message) => self.dismiss(key, wakes),
                (None, Some(_)) if self.rules.ends(message) => Offer::Unreachable,
                (Some(key), _) => self.offer_one(key, message, wakes),
                (None, Some(via)) if !self.rules.immediate => self.offer_absent(*via, message),
                (None, _) if self.rules.blocks => Offer::Unreachable,
                (None, _) => {
                    self.dropped += 1;
                    Offer::Dropped
                }
            },
            (Hub::PubSub(..), _) => self.offer_matching(message, wakes),
            (Hub::All, _) => self.offer_all(message, wakes),
            _ => self.offer_any(message, wakes),
        };
        if matches!(offer, Offer::Queued(_)) {
            self.sent += 1;
            if let Hub::PubSub(audience) = &mut self.hub {
                audience.sent();
            }
        }
        offer
    }

    /// Whether `message` may be offered now, or has to wait for those who came before it.
    pub(crate) fn check_turn(
        &self,
        pattern: &Pattern,
        message: &Message,
        ticket: Option<Ticket>,
    ) -> Result<bool, MonocoqueError> {
        if self.phase != Phase::Open {
            return Err(MonocoqueError::Closed);
        }
        if message.is_empty() {
            return Err(MonocoqueError::EmptyMessage);
        }
        if !self.rules.relaxed {
            self.dialogue.check_send(pattern.envelope)?;
        }
        Ok(!self.any_will_do() || self.senders.is_next(ticket))
    }

    /// A request is about to be queued: an earlier one without a reply is given up. `false`, and nothing has changed, if
    /// there is no place for it even then.
    pub(crate) fn begin_request(&mut self, message: &Message, wakes: &mut Wakes) -> bool {
        if !self.rules.relaxed || matches!(self.dialogue, Dialogue::Idle) {
            return true;
        }
        let has_place = self.has_place_for_request(message.byte_len());
        if has_place {
            self.abandon(wakes);
        }
        has_place
    }

    #[inline]
    pub(super) fn offer_any(&mut self, message: &mut Message, wakes: &mut Wakes) -> Offer {
        if self.backlog.is_empty()
            && let Some(key) = self.put_next(message, wakes)
        {
            return Offer::Queued(Some(key));
        }
        let nobody_yet = self.is_dialling() && !self.rules.immediate && self.hub.is_empty();
        if nobody_yet && self.rules.conflate {
            self.dropped += self.backlog.clear();
        }
        let fits = self.backlog.is_empty()
            || self.backlog.bytes() + message.byte_len() <= BytePermits::DEFAULT_CAPACITY;
        if nobody_yet && fits && self.rules.hwm.admits(self.backlog.len()) {
            self.backlog.push(std::mem::take(message));
            return Offer::Queued(None);
        }
        Offer::Full
    }

    /// Gives a message to the peer whose turn it is, of those that have room for it.
    #[inline]
    pub(super) fn put_next(&mut self, message: &mut Message, wakes: &mut Wakes) -> Option<PeerKey> {
        let Hub::Router(hub) = &mut self.hub else { return None };
        let len = message.byte_len();
        loop {
            let key = hub.next_peer().ok()?;
            if let Some(link) = self.links.get_mut(key)
                && (self.rules.conflate || link.budget.admits(len))
            {
                if self.rules.conflate {
                    self.dropped += link.forget();
                }
                let room = link.put(self.rules.hwm, self.going, &mut self.unpaced, wakes, message);
                hub.pass_turn(key, room.unwrap_or(Room::Full));
                if room.is_some() {
                    return Some(key);
                }
            } else {
                hub.pass_turn(key, Room::Full);
            }
        }
    }

    pub(super) fn offer_one(&mut self, key: PeerKey, message: &mut Message, wakes: &mut Wakes) -> Offer {
        let Rules { hwm, blocks, conflate, .. } = self.rules;
        let Some(link) = self.links.get_mut(key) else {
            self.dropped += 1;
            return Offer::Dropped;
        };
        let admits = !link.is_ended() && (conflate || link.admits(hwm, message.byte_len()));
        if admits {
            if conflate {
                self.dropped += link.forget();
            }
            let len = message.byte_len();
            if link.put(hwm, self.going, &mut self.unpaced, wakes, message).is_some() {
                self.tight |= !link.admits(hwm, len);
                return Offer::Queued(Some(key));
            }
        }
        if blocks || (!admits && self.patient && link.is_waited_for()) {
            return Offer::Full;
        }
        self.dropped += 1;
        Offer::Dropped
    }

    /// Whether a message of that length, which is to go to all of `keys`, has to wait for one of them that is full and may
    /// have room soon.
    #[cold]
    fn waits_for_any(&mut self, keys: &[PeerKey], len: usize) -> bool {
        let hwm = self.rules.hwm;
        let (mut waits, mut tight) = (false, false);
        for key in keys {
            let Some(link) = self.links.get_mut(*key) else { continue };
            if !link.admits(hwm, len) {
                tight = true;
                waits |= link.is_waited_for();
            }
        }
        self.tight = tight || (self.tight && keys.len() < self.links.len());
        waits
    }

    /// Queues a message for the peer of an endpoint, which is not there at the moment.
    pub(super) fn offer_absent(&mut self, via: u64, message: &Message) -> Offer {
        let Leftover { outbox, .. } = self.leftovers.entry(via).or_default();
        let fits = outbox.is_empty() || outbox.bytes() + message.byte_len() <= BytePermits::DEFAULT_CAPACITY;
        if fits && self.rules.hwm.admits(outbox.messages()) {
            encode_message(message, outbox);
            return Offer::Queued(None);
        }
        if self.rules.blocks {
            return Offer::Full;
        }
        self.dropped += 1;
        Offer::Dropped
    }

    pub(super) fn offer_matching(&mut self, message: &mut Message, wakes: &mut Wakes) -> Offer {
        let Hub::PubSub(audience) = &mut self.hub else { return Offer::Dropped };
        let subject = message.frame(0).unwrap_or_default();
        self.targets.clear();
        audience.matches(subject, &mut self.targets);
        if self.targets.is_empty() {
            return Offer::Queued(None);
        }
        if let [only] = self.targets[..] {
            // It does not overtake what waits on the tape.
            self.settle(only);
            return match self.offer_one(only, message, wakes) {
                Offer::Full => Offer::Full,
                _ => Offer::Queued(None),
            };
        }
        let Rules { hwm, blocks, conflate, .. } = self.rules;
        let admits =
            |key: &PeerKey| self.links.get(*key).is_none_or(|link| link.admits(hwm, message.byte_len()));
        if blocks && !conflate && !self.targets.iter().all(admits) {
            return Offer::Full;
        }
        if self.tight && self.patient && !conflate {
            let targets = std::mem::take(&mut self.targets);
            let waits = self.waits_for_any(&targets, message.byte_len());
            self.targets = targets;
            if waits {
                return Offer::Full;
            }
        }
        encode_message(message, &mut self.scratch);
        let len = message.byte_len();
        let taped = self.scratch.is_contiguous() && !conflate;
        if !taped || self.tape.is_long() {
            self.cut();
        }
        let place = taped.then(|| self.tape.record(self.scratch.chunk()));
        for key in &self.targets {
            let Some(link) = self.links.get_mut(*key) else { continue };
            if conflate {
                self.dropped += link.forget();
            }
            match place {
                _ if !conflate && !link.admits(hwm, len) => self.dropped += 1,
                _ if link.neighbour.is_some() => {
                    let mut message = message.clone();
                    let put = link.put(hwm, self.going, &mut self.unpaced, wakes, &mut message);
                    self.dropped += u64::from(put.is_none());
                }
                Some(place) => {
                    link.put_taped(*key, &mut self.tape, place, self.going, &mut self.unpaced, wakes)
                }
                None => {
                    let append = |outbox: &mut Outbox| outbox.append(&self.scratch);
                    link.put_encoded(hwm, self.going, &mut self.unpaced, wakes, append);
                }
            }
            self.tight |= !link.admits(hwm, len);
        }
        // It may borrow memory of the program's.
        self.scratch.clear();
        Offer::Queued(None)
    }

    pub(super) fn offer_all(&mut self, message: &mut Message, wakes: &mut Wakes) -> Offer {
        let keys: SmallVec<[PeerKey; 8]> = self.links.iter().map(|(key, _)| key).collect();
        if self.patient && self.waits_for_any(&keys, message.byte_len()) {
            return Offer::Full;
        }
        for key in keys {
            let takes = self.links.get(key).is_some_and(|link| link.neighbour.is_some());
            if takes {
                self.offer_one(key, &mut message.clone(), wakes);
            } else {
                self.offer_one(key, message, wakes);
            }
        }
        Offer::Queued(None)
    }

    /// Puts what waits on the tape into the outboxes of those who are to get it.
    pub(super) fn cut(&mut self) {
        let cut = self.tape.cut();
        for key in &cut.users {
            if let Some(link) = self.links.get_mut(*key) {
                cut.share(&mut link.stretch, &mut link.outbox);
            }
        }
    }

    /// Puts what waits on the tape for one link into its outbox.
    pub(super) fn settle(&mut self, key: PeerKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.stretch.is_long() {
            self.cut();
        } else if !link.stretch.is_empty() {
            self.tape.copy(&mut link.stretch, &mut link.outbox);
        }
    }

    /// Gives the backlog to peers with room.
    pub(super) fn dispatch(&mut self, wakes: &mut Wakes) {
        // However the last sender wanted its message to go.
        self.going = Going::InBatch;
        let mut backlog = std::mem::take(&mut self.backlog);
        while let Some(mut waiting) = backlog.pop() {
            let Some(key) = self.put_next(&mut waiting.message, wakes) else {
                backlog.put_back(waiting);
                break;
            };
            if let Some(link) = self.links.get_mut(key) {
                link.outbox.set_last_attempts(waiting.attempts);
            }
            if let Dialogue::Asked { of, .. } = &mut self.dialogue {
                *of = Some(key);
            }
        }
        self.backlog = backlog;
        self.part(wakes);
    }
}
