//! The sending side of a socket: the peers of a message, and the messages that wait for a peer.
//!
//! [`Outbound`] owns three things: the socket's [`Lifecycle`], its [`Peers`], and its
//! [`SendQueue`]. It lives under one lock, which `send` takes once a message and a write pump once
//! a batch. No task is woken under it: wakers are collected in [`Wakes`].
//!
//! [`send`] finds the peers of a message, [`connections`] adds and removes peers, [`pump`] serves
//! the write pumps.

mod connections;
mod lifecycle;
mod peers;
mod pump;
mod readiness;
mod send;
mod send_queue;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::{Hwm, Message, Outbox, PeerKey, PubSubHub};
use monocoque_zmtp::Subscription;

pub(crate) use lifecycle::{Lifecycle, Phase};
pub(crate) use peers::{is_generated, routing_id};
pub(crate) use send::{SendOutcome, SendRequest, Target};

use self::peers::{Hub, Peers, Pending};
use self::send_queue::SendQueue;
use super::envelope::Dialogue;
use super::link::Flush;
use super::publisher::Publisher;
use super::wakes::Wakes;
use super::{Framing, Pattern};
use crate::options::Options;
use crate::peer::Peer;
use crate::trace::drops::DropLog;

/// The sending side of a socket.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) queue: SendQueue,
    pub(crate) counters: Counters,
    peers: Peers,
    rules: SendRules,
    pub(crate) drops: DropLog,
}

/// Counters of messages and connections since the socket was created.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Messages queued for a peer or the backlog, or published, also to no peer.
    pub(crate) sent: u64,
    /// Messages dropped, counted once a peer: it was not connected, its queue was full, or its
    /// connection ended before they were written.
    pub(crate) dropped: u64,
    /// Connections made by this socket that were established and have ended.
    pub(crate) lost: u64,
    /// Connections that ended before their handshake was done, and not by this socket.
    pub(crate) failed_handshakes: u64,
    /// The part of them of which the peer did not prove who it is, or may not come in.
    pub(crate) auth_failures: u64,
    /// Messages of lost connections that were queued again.
    pub(crate) redelivered: u64,
    /// Connections that ended by a violation of the protocol or of a limit, after their handshake.
    pub(crate) violations: u64,
}

/// The parts of pattern and options that sending depends on.
#[derive(Clone, Copy, Debug)]
struct SendRules {
    hwm: Hwm,
    /// `send` waits or fails where the message would otherwise be dropped.
    blocks: bool,
    immediate: bool,
    conflate: bool,
    handover: bool,
    relaxed: bool,
    exclusive: bool,
    /// A message without bytes ends the connection.
    empty_ends: bool,
    /// The number of connections on which transmission of a message may begin.
    attempts: u32,
}

impl SendRules {
    fn new(pattern: &Pattern, options: &Options) -> Self {
        Self {
            hwm: if options.conflate { Hwm::UNLIMITED } else { options.send_hwm },
            blocks: !pattern.drops_when_full(options),
            immediate: options.immediate,
            conflate: options.conflate,
            handover: options.handover,
            relaxed: options.relaxed,
            exclusive: pattern.exclusive,
            empty_ends: pattern.framing == Framing::Raw,
            attempts: options.delivery_attempts.map_or(u32::MAX, NonZero::get),
        }
    }
}

/// The outcome of a connection that has ended.
#[derive(Debug, Default)]
pub(crate) struct ClosedLink {
    /// A message of the application was written whole.
    pub(crate) has_progress: bool,
    /// The number of messages that were written.
    pub(crate) written: u64,
    /// The application has ended the connection.
    pub(crate) is_disconnected: bool,
    /// The endpoint is to be connected again.
    pub(crate) comes_back: bool,
    /// A message was dropped after its last delivery attempt.
    pub(crate) undeliverable: Option<Undeliverable>,
    /// Messages that no peer gets, to be dropped after the lock is released.
    pub(crate) garbage: Outbox,
}

/// A message that was dropped after its last delivery attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undeliverable {
    /// Its encoded length.
    pub(crate) bytes: usize,
    pub(crate) attempts: u32,
}

impl Outbound {
    pub(crate) fn new(pattern: &Pattern, options: &Options) -> Self {
        Self {
            lifecycle: Lifecycle::new(if pattern.lingers { options.linger } else { Some(Duration::ZERO) }),
            queue: SendQueue::default(),
            counters: Counters::default(),
            peers: Peers::new(pattern, options),
            drops: DropLog::default(),
            rules: SendRules::new(pattern, options),
        }
    }

    /// Applies options that have changed, and wakes senders that they concern.
    pub(crate) fn reconfigure(&mut self, pattern: &Pattern, options: &Options, wakes: &mut Wakes) {
        self.rules = SendRules::new(pattern, options);
        self.peers.first_message = options.first_message.clone();
        if let Some(publisher) = self.publisher() {
            publisher.set_verbose(options);
        }
        self.set_hwm(options.send_hwm, wakes);
        self.on_targets_changed(wakes);
    }

    /// Returns the number of peers whose handshake is done.
    pub(crate) fn peer_count(&self) -> usize {
        self.peers.links.len()
    }

    /// Returns the peers, each with its key, the number of messages that were queued for it, and of
    /// those that wait.
    pub(crate) fn peers(&self) -> impl Iterator<Item = (PeerKey, &Arc<Peer>, u64, usize)> {
        let links = self.peers.links.iter();
        links
            .filter_map(|(key, link)| Some((key, link.peer.as_ref()?, link.counters.queued, link.messages())))
    }

    /// Returns whether the link of a connection exists, until it has ended.
    pub(crate) fn has_link(&self, key: PeerKey) -> bool {
        self.peers.links.get(key).is_some()
    }

    /// Returns the high-water mark of each peer, in messages.
    pub(crate) fn hwm(&self) -> Hwm {
        self.rules.hwm
    }

    /// Returns the number of messages waiting to be written.
    pub(crate) fn queued(&self) -> usize {
        self.queue.backlog.len() + self.peers.queued()
    }

    /// Returns the number of messages that the write pump of a link has taken, and of those that
    /// wait for it.
    #[cfg(feature = "metrics")]
    pub(crate) fn sent_and_queued(&self, key: PeerKey) -> Option<(u64, usize)> {
        let link = self.peers.links.get(key)?;
        let queued = link.messages();
        Some((link.counters.queued.saturating_sub(queued as u64), queued))
    }

    /// Returns whether a new peer would have something to do.
    pub(crate) fn wants_peers(&self) -> bool {
        match self.lifecycle.phase {
            Phase::Open => true,
            Phase::Draining => self.has_waiting(),
            Phase::Aborted => false,
        }
    }

    /// Returns whether messages wait for a peer that is not connected.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.queue.backlog.is_empty() || self.peers.has_pending()
    }

    /// Returns whether messages given back by a lost connection wait for a peer.
    fn has_returned(&self) -> bool {
        self.queue.backlog.has_returned() || self.peers.has_returned()
    }

    /// Returns whether the only waiting message is a request without a peer: on a closed socket its
    /// reply would not be received.
    pub(crate) fn waits_for_no_reply(&self) -> bool {
        matches!(self.queue.dialogue, Dialogue::Asked { of: None, .. })
    }

    /// Changes the high-water mark of each peer.
    pub(crate) fn set_hwm(&mut self, hwm: Hwm, wakes: &mut Wakes) {
        if self.rules.conflate {
            return;
        }
        self.rules.hwm = hwm;
        self.queue.may_be_full = true;
        self.peers.check_room(hwm);
        self.dispatch(wakes);
        self.wake_senders(wakes);
    }

    /// Returns the subscriptions of a publisher's peers.
    pub(crate) fn publisher(&mut self) -> Option<&mut Publisher> {
        match &mut self.peers.hub {
            Hub::PubSub(publisher) => Some(publisher),
            _ => None,
        }
    }

    /// Returns the hub of a publisher.
    pub(crate) fn subscriptions(&mut self) -> Option<&mut PubSubHub> {
        self.publisher().map(Publisher::hub)
    }

    /// Wakes senders and watchers after a change of subscriptions, peers or endpoints: a message
    /// may have fewer targets, or a first peer to go to.
    pub(crate) fn on_targets_changed(&mut self, wakes: &mut Wakes) {
        self.wake_senders(wakes);
        wakes.add(self.lifecycle.watchers.drain());
    }

    /// Handles a subscription report that leaves its lane. In manual mode its peer becomes the last
    /// subscriber, and messages sent from now on may be for it alone.
    pub(crate) fn on_report(
        &mut self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
        is_received: bool,
        wakes: &mut Wakes,
    ) {
        let since = self.queue.senders.next_ticket();
        let Some(publisher) = self.publisher() else { return };
        if publisher.is_manual() {
            publisher.set_last_subscriber(key, kind, since);
            self.on_targets_changed(wakes);
        } else {
            publisher.on_report(kind, topic, is_received);
        }
    }

    /// Wakes the sender whose turn it is, or all if each waits for a peer of its own.
    fn wake_senders(&mut self, wakes: &mut Wakes) {
        self.queue.observer.notify_room(wakes);
        if self.peers.any_will_do() {
            wakes.add(self.queue.senders.first());
        } else {
            wakes.add(self.queue.senders.drain());
        }
    }

    /// Queues messages of the backlog for peers with room.
    fn dispatch(&mut self, wakes: &mut Wakes) {
        let mut backlog = std::mem::take(&mut self.queue.backlog);
        while let Some(mut waiting) = backlog.pop() {
            let Some(key) = self.send_next(&mut waiting.message, Flush::Batched, wakes) else {
                backlog.put_back(waiting);
                break;
            };
            self.peers.set_last_attempts(key, waiting.attempts);
            if let Dialogue::Asked { of, .. } = &mut self.queue.dialogue {
                *of = Some(key);
            }
        }
        self.queue.backlog = backlog;
        self.close_drained(wakes);
    }

    /// Drops the messages that wait for peers that are not connected.
    fn drop_waiting(&mut self) {
        self.counters.dropped += self.queue.backlog.clear() + self.peers.clear_pending();
    }
}

impl SendRules {
    /// Returns whether a message is a request to end the connection.
    #[inline]
    fn is_end(&self, message: &Message) -> bool {
        self.empty_ends && message.byte_len() == 0
    }
}

#[cfg(all(test, not(monocoque_loom)))]
mod ledger;

#[cfg(test)]
mod tests;
