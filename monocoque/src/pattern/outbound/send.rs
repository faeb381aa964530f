//! Routing of a message: to the queues of its peers, or to a queue that waits for a peer.

use monocoque_core::{BytePermits, Message, PeerKey, Room, Ticket};
use monocoque_zmtp::encode_message;
use smallvec::SmallVec;

use super::{Hub, Outbound, Phase, SendRules};
use crate::endpoint::EndpointId;
use crate::error::MonocoqueError;
use crate::pattern::Pattern;
use crate::pattern::envelope::Dialogue;
use crate::pattern::link::{Encoded, Flush, SendContext};
use crate::pattern::wakes::Wakes;
use crate::trace::drops::{DropReason, DropTarget};

/// The mode in which a message is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendRequest<'a> {
    pub(crate) target: Target<'a>,
    pub(crate) flush: Flush,
    /// The sender waits instead of dropping the message, unless the connection has stalled.
    pub(crate) waits: bool,
}

/// The target of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// The peers that the pattern chooses.
    Pattern,
    /// The peer with this routing id.
    Id(&'a [u8]),
    /// The connection that a request came over.
    Origin(PeerKey),
}

/// The outcome of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendOutcome {
    /// Queued for the peer, or for any peer.
    Queued(Option<PeerKey>),
    /// Not queued: the queues of all peers are full.
    Full,
    /// Dropped: there is no such peer, or its queue is full.
    Dropped,
    /// Not queued: there is no such peer, which the sender is to learn.
    Unreachable,
    /// Not queued: it was a request to end the connection.
    Closed,
}

impl Outbound {
    /// Queues `message` for its target.
    #[inline]
    pub(crate) fn send(
        &mut self,
        request: SendRequest<'_>,
        message: &mut Message,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        if !self.peers.any_will_do() {
            return self.send_to_some(request, message, wakes);
        }
        if self.queue.backlog.is_empty()
            && let Some(key) = self.send_next(message, request.flush, wakes)
        {
            self.counters.sent += 1;
            return SendOutcome::Queued(Some(key));
        }
        self.send_to_backlog(message)
    }

    /// Queues `message` for the first peer to connect, if one is awaited.
    fn send_to_backlog(&mut self, message: &mut Message) -> SendOutcome {
        if self.rules.conflate && self.is_early() {
            self.counters.dropped += self.queue.backlog.clear();
        }
        if self.has_place_in_backlog(message.byte_len()) {
            self.queue.backlog.push(std::mem::take(message));
            self.counters.sent += 1;
            return SendOutcome::Queued(None);
        }
        SendOutcome::Full
    }

    /// Returns whether the first peer is awaited, and messages wait for it.
    fn is_early(&self) -> bool {
        self.lifecycle.is_dialling() && !self.rules.immediate && self.peers.hub.is_empty()
    }

    /// Returns whether a message of `len` bytes may wait for the first peer to connect.
    pub(super) fn has_place_in_backlog(&self, len: usize) -> bool {
        let backlog = &self.queue.backlog;
        let fits = backlog.is_empty() || backlog.bytes() + len <= BytePermits::DEFAULT_CAPACITY;
        self.is_early() && (self.rules.conflate || (fits && self.rules.hwm.admits(backlog.len())))
    }

    /// Queues `message` where not every peer will do.
    fn send_to_some(
        &mut self,
        request: SendRequest<'_>,
        message: &mut Message,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        // Sockets that drop never wait: they must yield even if no peer accepts a message.
        self.queue.yield_budget.add_message(0);
        let outcome = match (&self.peers.hub, request.target) {
            (_, Target::Origin(key)) => self.send_to_one(request, key, message, wakes),
            (Hub::Router(hub), Target::Id(id)) => {
                let found = (hub.lookup(id), self.peers.endpoint_of(id));
                self.send_by_id(request, found, message, wakes)
            }
            (Hub::PubSub(..), _) => self.send_to_matching(request, message, wakes),
            (Hub::All, _) => self.send_to_all(request, message, wakes),
            // No such type sends: the caller returns an error.
            (Hub::Router(_) | Hub::None, _) => SendOutcome::Full,
        };
        if matches!(outcome, SendOutcome::Queued(_)) {
            self.counters.sent += 1;
            if let Hub::PubSub(publisher) = &mut self.peers.hub {
                publisher.on_sent();
            }
        }
        outcome
    }

    /// Queues `message` for the peer with a routing id, or for the endpoint to whose peer it is
    /// assigned.
    fn send_by_id(
        &mut self,
        request: SendRequest<'_>,
        found: (Option<PeerKey>, Option<EndpointId>),
        message: &mut Message,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        match found {
            (Some(key), _) if self.rules.is_end(message) => {
                self.close_peer(key, wakes);
                SendOutcome::Closed
            }
            (None, Some(_)) if self.rules.is_end(message) => SendOutcome::Unreachable,
            (Some(key), _) => self.send_to_one(request, key, message, wakes),
            (None, Some(endpoint)) if !self.rules.immediate => self.send_to_absent(endpoint, message, wakes),
            (None, _) if self.rules.blocks => SendOutcome::Unreachable,
            (None, _) => {
                let target = match request.target {
                    Target::Id(id) => DropTarget::Id(id),
                    Target::Pattern | Target::Origin(_) => DropTarget::Unknown,
                };
                self.drop_message(DropReason::UnknownId, target, wakes)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_message(&mut self, reason: DropReason, target: DropTarget<'_>, wakes: &mut Wakes) -> SendOutcome {
        self.counters.dropped += 1;
        self.drops.note(reason, target, &mut self.lifecycle.watchers, wakes);
        SendOutcome::Dropped
    }

    /// Drops a message for a peer whose queue is full.
    #[cold]
    #[inline(never)]
    fn drop_for_full(&mut self, key: PeerKey, wakes: &mut Wakes) -> SendOutcome {
        let peer = self.peers.links.get(key).and_then(|link| link.peer.clone());
        let target = peer.as_ref().map_or(DropTarget::Unknown, DropTarget::Peer);
        self.drop_message(DropReason::QueueFull, target, wakes)
    }

    /// Returns whether `message` may be sent now, or waits behind earlier ones.
    pub(crate) fn check_turn(
        &self,
        pattern: &Pattern,
        message: &Message,
        ticket: Option<Ticket>,
    ) -> Result<bool, MonocoqueError> {
        if self.lifecycle.phase != Phase::Open {
            return Err(MonocoqueError::Closed);
        }
        if message.is_empty() {
            return Err(MonocoqueError::EmptyMessage);
        }
        if !self.rules.relaxed {
            self.queue.dialogue.check_send(pattern.envelope)?;
        }
        Ok(!self.peers.any_will_do() || self.queue.senders.is_next(ticket))
    }

    /// Prepares for a request: aborts an earlier one without a reply. Returns `false`, without any
    /// change, if there is no room for the request even then.
    pub(crate) fn begin_request(&mut self, message: &Message, wakes: &mut Wakes) -> bool {
        if !self.rules.relaxed || matches!(self.queue.dialogue, Dialogue::Idle) {
            return true;
        }
        let has_place = self.has_place_for_request(message.byte_len());
        if has_place {
            self.abort_request(wakes);
        }
        has_place
    }

    /// Queues a message for the next peer in turn with room for it.
    #[inline]
    pub(super) fn send_next(
        &mut self,
        message: &mut Message,
        flush: Flush,
        wakes: &mut Wakes,
    ) -> Option<PeerKey> {
        let Hub::Router(hub) = &mut self.peers.hub else { return None };
        let SendRules { hwm, conflate, .. } = self.rules;
        let mut cx = SendContext { hwm, flush, yield_budget: &mut self.queue.yield_budget, wakes };
        let len = message.byte_len();
        loop {
            let key = hub.next_peer().ok()?;
            if let Some(link) = self.peers.links.get_mut(key)
                && (conflate || link.admits_bytes(len))
            {
                if conflate {
                    self.counters.dropped += link.drop_queued();
                }
                let room = link.send(&mut cx, message);
                hub.pass_turn(key, room.unwrap_or(Room::Full));
                if room.is_some() {
                    return Some(key);
                }
            } else {
                hub.pass_turn(key, Room::Full);
            }
        }
    }

    fn send_to_one(
        &mut self,
        request: SendRequest<'_>,
        key: PeerKey,
        message: &mut Message,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        let SendRules { hwm, blocks, conflate, .. } = self.rules;
        let Some(link) = self.peers.links.get_mut(key) else {
            return self.drop_message(DropReason::PeerGone, DropTarget::Unknown, wakes);
        };
        let len = message.byte_len();
        let admits = !link.is_stopped() && (conflate || link.admits(hwm, len));
        if admits {
            if conflate {
                self.counters.dropped += link.drop_queued();
            }
            let yield_budget = &mut self.queue.yield_budget;
            let mut cx = SendContext { hwm, flush: request.flush, yield_budget, wakes };
            if link.send(&mut cx, message).is_some() {
                self.queue.may_be_full |= !link.admits(hwm, len);
                return SendOutcome::Queued(Some(key));
            }
        }
        if blocks || (!admits && request.waits && link.is_waited_for()) {
            return SendOutcome::Full;
        }
        self.drop_for_full(key, wakes)
    }

    /// Returns whether a message of `len` bytes for all of `keys` waits for one that is full and
    /// may have room soon.
    #[cold]
    fn waits_for_any(&mut self, keys: &[PeerKey], len: usize) -> bool {
        let hwm = self.rules.hwm;
        let (mut waits, mut is_full) = (false, false);
        for key in keys {
            let Some(link) = self.peers.links.get_mut(*key) else { continue };
            if !link.admits(hwm, len) {
                is_full = true;
                waits |= link.is_waited_for();
            }
        }
        let others = keys.len() < self.peers.links.len();
        self.queue.may_be_full = is_full || (self.queue.may_be_full && others);
        waits
    }

    /// Queues a message for the absent peer of an endpoint.
    fn send_to_absent(&mut self, endpoint: EndpointId, message: &Message, wakes: &mut Wakes) -> SendOutcome {
        let outbox = &mut self.peers.pending_mut(endpoint).outbox;
        let fits = outbox.is_empty() || outbox.bytes() + message.byte_len() <= BytePermits::DEFAULT_CAPACITY;
        if fits && self.rules.hwm.admits(outbox.messages()) {
            encode_message(message, outbox);
            return SendOutcome::Queued(None);
        }
        if self.rules.blocks {
            return SendOutcome::Full;
        }
        self.drop_message(DropReason::QueueFull, DropTarget::Unknown, wakes)
    }

    fn send_to_matching(
        &mut self,
        request: SendRequest<'_>,
        message: &mut Message,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        let Hub::PubSub(publisher) = &mut self.peers.hub else { return SendOutcome::Dropped };
        let targets = &mut self.queue.broadcast.targets;
        targets.clear();
        publisher.matches(message.get(0).unwrap_or_default(), targets);
        match targets[..] {
            [] => return SendOutcome::Queued(None),
            [only] => {
                // The message must not overtake those on the broadcast log.
                self.settle_segment(only);
                return match self.send_to_one(request, only, message, wakes) {
                    SendOutcome::Full => SendOutcome::Full,
                    _ => SendOutcome::Queued(None),
                };
            }
            _ => {}
        }
        // Taken out while it is iterated.
        let targets = std::mem::take(&mut self.queue.broadcast.targets);
        let is_full = self.has_full_target(request, &targets, message.byte_len());
        if !is_full {
            self.broadcast(request.flush, &targets, message, wakes);
        }
        self.queue.broadcast.targets = targets;
        if is_full { SendOutcome::Full } else { SendOutcome::Queued(None) }
    }

    /// Returns whether the sender of a message for many peers waits for one of them.
    #[inline]
    fn has_full_target(&mut self, request: SendRequest<'_>, targets: &[PeerKey], len: usize) -> bool {
        let SendRules { hwm, blocks, conflate, .. } = self.rules;
        if conflate {
            return false;
        }
        let links = &self.peers.links;
        let admits = |key: &PeerKey| links.get(*key).is_none_or(|link| link.admits(hwm, len));
        (blocks && !targets.iter().all(admits))
            || (self.queue.may_be_full && request.waits && self.waits_for_any(targets, len))
    }

    /// Queues a message for many peers. It is encoded once.
    fn broadcast(&mut self, flush: Flush, targets: &[PeerKey], message: &Message, wakes: &mut Wakes) {
        let SendRules { hwm, conflate, .. } = self.rules;
        let len = message.byte_len();
        encode_message(message, &mut self.queue.broadcast.scratch);
        let is_shared = self.queue.broadcast.scratch.is_contiguous() && !conflate;
        if !is_shared || self.queue.broadcast.log.is_long() {
            self.seal_log();
        }
        let super::send_queue::Broadcast { log, scratch, .. } = &mut self.queue.broadcast;
        let number = is_shared.then(|| log.append(scratch.chunk()));
        // A message for many peers is no lone reply: the pumps write it.
        let flush = if flush == Flush::Immediate { Flush::Batched } else { flush };
        let mut cx = SendContext { hwm, flush, yield_budget: &mut self.queue.yield_budget, wakes };
        for key in targets {
            let Some(link) = self.peers.links.get_mut(*key) else { continue };
            if conflate {
                self.counters.dropped += link.drop_queued();
            } else if !link.admits(hwm, len) {
                let target = link.peer.as_ref().map_or(DropTarget::Unknown, DropTarget::Peer);
                self.counters.dropped += 1;
                self.drops.note(DropReason::QueueFull, target, &mut self.lifecycle.watchers, cx.wakes);
                self.queue.may_be_full = true;
                continue;
            }
            let encoded = match number {
                Some(number) => Encoded::OnLog(log, number),
                None => Encoded::Apart(scratch),
            };
            let is_queued = link.send_broadcast(&mut cx, *key, encoded, message);
            self.counters.dropped += u64::from(!is_queued);
            self.queue.may_be_full |= !link.admits(hwm, len);
        }
        // The encoded message may borrow memory of the application.
        scratch.clear();
    }

    fn send_to_all(
        &mut self,
        request: SendRequest<'_>,
        message: &mut Message,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        let keys: SmallVec<[PeerKey; 8]> = self.peers.links.iter().map(|(key, _)| key).collect();
        if request.waits && self.waits_for_any(&keys, message.byte_len()) {
            return SendOutcome::Full;
        }
        for key in keys {
            // An inproc peer takes the message itself.
            if self.peers.links.get(key).is_some_and(|link| link.is_inproc()) {
                self.send_to_one(request, key, &mut message.clone(), wakes);
            } else {
                self.send_to_one(request, key, message, wakes);
            }
        }
        SendOutcome::Queued(None)
    }
}
