//! The outgoing side of one connection: its state, its counters, and its path to the peer.
//!
//! A link is in exactly one [`Life`] and has exactly one [`Way`]: a queue that the write pump of a
//! stream empties, or an inproc peer that takes each message at once. It knows the neutral
//! framing of queues, but neither the peer's protocol nor the socket type.

mod inproc;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use monocoque_core::{Hwm, Message, Outbox, PeerKey, Room, RoutingId};
use monocoque_zmtp::{Subscription, decode_messages, encode_message};

pub(super) use inproc::InprocLink;
pub(crate) use inproc::InprocPeer;
pub(crate) use stream::DirectWrite;
pub(super) use stream::{Batch, Pump, StreamLink};

use super::broadcast_log::BroadcastLog;
use super::wakes::Wakes;
use super::yield_budget::YieldBudget;
use crate::endpoint::EndpointKey;
use crate::peer::Peer;

/// The outgoing side of one connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) endpoint: EndpointKey,
    pub(super) life: Life,
    pub(super) way: Way,
    /// The description of the peer; `None` for a moment, until the connection is complete.
    pub(super) peer: Option<Arc<Peer>>,
    pub(super) counters: LinkCounters,
    /// The observed flow of the connection, for senders that drop.
    pub(super) flow: Flow,
}

/// The state of a connection for the sending side.
#[derive(Debug, Default)]
pub(super) enum Life {
    /// A peer of the socket.
    #[default]
    Active,
    /// Not a peer any more: the connection ends once its queue is written.
    Leaving,
    /// Disconnected by the application: the write pump stops, and the messages go to the next
    /// connection.
    Disconnected {
        /// The routing id of the peer, if messages were addressed by it.
        id: Option<RoutingId>,
        /// The endpoint is connected again.
        comes_back: bool,
    },
    /// Aborted: the connection stops, and its messages are dropped.
    Aborted {
        /// A newer connection has taken over the routing id; its messages are received after those
        /// of this one.
        is_replaced: bool,
    },
}

/// The path of messages to the peer.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all links are streams: a box would cost each message an access"
)]
pub(super) enum Way {
    Stream(StreamLink),
    Inproc(InprocLink),
}

/// Message counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinkCounters {
    /// Queued since the connection began.
    pub(super) queued: u64,
    /// Of these, written to the stream or taken by the inproc peer.
    pub(super) written: u64,
    /// Of these, the first message of the connection, which the application did not send.
    pub(super) first: u64,
}

/// A message for many connections, encoded once.
#[derive(Debug)]
pub(super) enum Encoded<'a> {
    /// The index of the message on the broadcast log.
    OnLog(&'a mut BroadcastLog, usize),
    /// A message that is copied to each outbox, or shared by reference.
    Apart(&'a Outbox),
}

/// The flow of bytes while the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    /// Bytes are accepted, or the queue was never found full.
    #[default]
    Moving,
    /// The queue was found full at this time, and no byte was accepted since.
    Full(Instant),
    /// No byte was accepted for so long that senders do not wait any more.
    Stalled,
}

/// The time when a queued message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// With the next batch of the write pump, as soon as possible.
    Batched,
    /// At once if the message is a lone reply: no other request has been received meanwhile.
    Immediate,
    /// With a later message, or when the queue is flushed.
    Deferred,
}

/// The conditions under which a message is queued.
#[derive(Debug)]
pub(super) struct SendContext<'a> {
    pub(super) hwm: Hwm,
    pub(super) flush: Flush,
    pub(super) yield_budget: &'a mut YieldBudget,
    pub(super) wakes: &'a mut Wakes,
}

impl Link {
    pub(super) fn stream(endpoint: EndpointKey, direct: Option<DirectWrite>) -> Self {
        Self::new(endpoint, Way::Stream(StreamLink::new(direct)))
    }

    /// Creates a link to an inproc peer that is not connected yet.
    pub(super) fn inproc(endpoint: EndpointKey) -> Self {
        Self::new(endpoint, Way::Inproc(InprocLink::default()))
    }

    fn new(endpoint: EndpointKey, way: Way) -> Self {
        Self {
            endpoint,
            life: Life::Active,
            way,
            peer: None,
            counters: LinkCounters::default(),
            flow: Flow::Moving,
        }
    }

    /// Returns the number of messages waiting to be written.
    #[inline]
    pub(super) fn messages(&self) -> usize {
        match &self.way {
            Way::Stream(stream) => stream.messages(),
            Way::Inproc(_) => 0,
        }
    }

    /// Returns whether messages are waiting to be written, or may be.
    pub(super) fn is_behind(&self) -> bool {
        self.messages() > 0 || self.counters.written < self.counters.queued
    }

    pub(super) fn is_inproc(&self) -> bool {
        matches!(self.way, Way::Inproc(_))
    }

    #[inline]
    pub(super) fn is_active(&self) -> bool {
        matches!(self.life, Life::Active)
    }

    /// Returns whether the write pump is to stop, regardless of its queue.
    #[inline]
    pub(super) fn is_stopped(&self) -> bool {
        match self.life {
            Life::Active | Life::Leaving => false,
            Life::Disconnected { .. } | Life::Aborted { .. } => true,
        }
    }

    /// Returns whether the endpoint is connected again after this connection: the only place where
    /// that is decided. Reconnection policies may still [give the endpoint up](crate::endpoint).
    pub(super) fn comes_back(&self) -> bool {
        self.endpoint.is_connected()
            && match self.life {
                Life::Active | Life::Aborted { .. } => true,
                Life::Leaving => false,
                Life::Disconnected { comes_back, .. } => comes_back,
            }
    }

    /// Ends the connection once its queue is written.
    pub(super) fn leave(&mut self, wakes: &mut Wakes) {
        match &mut self.life {
            Life::Active => self.life = Life::Leaving,
            Life::Disconnected { comes_back, .. } => *comes_back = false,
            Life::Leaving | Life::Aborted { .. } => {}
        }
        if let Way::Stream(stream) = &mut self.way {
            stream.wake_pump(wakes);
        }
    }

    /// Ends the connection at once. Its messages are redelivered like those of any lost connection.
    pub(super) fn disconnect(&mut self, id: Option<RoutingId>, wakes: &mut Wakes) {
        let comes_back = self.comes_back();
        match self.life {
            Life::Active | Life::Leaving => self.life = Life::Disconnected { id, comes_back },
            Life::Disconnected { .. } | Life::Aborted { .. } => {}
        }
        if let Way::Stream(stream) = &mut self.way {
            stream.interrupt_pump(wakes);
        }
    }

    /// Ends the connection at once, and drops its messages.
    pub(super) fn abort(&mut self, wakes: &mut Wakes) {
        if !matches!(self.life, Life::Aborted { .. }) {
            self.life = Life::Aborted { is_replaced: false };
        }
        if let Way::Stream(stream) = &mut self.way {
            stream.interrupt_pump(wakes);
        }
    }

    /// Marks the connection as replaced by a newer one. Returns the messages that go to the newer
    /// one.
    pub(super) fn replace(&mut self) -> Outbox {
        self.life = Life::Aborted { is_replaced: true };
        match &mut self.way {
            Way::Stream(stream) => stream.take_queue(),
            Way::Inproc(_) => Outbox::new(),
        }
    }

    /// Drops the queue. Returns its number of messages.
    #[inline]
    pub(super) fn drop_queued(&mut self) -> u64 {
        let dropped = match &mut self.way {
            Way::Stream(stream) => stream.drop_queued(),
            Way::Inproc(_) => 0,
        };
        self.counters.queued -= dropped;
        dropped
    }

    /// Returns whether a message of `len` bytes may be queued.
    #[inline]
    pub(super) fn admits(&self, hwm: Hwm, len: usize) -> bool {
        match &self.way {
            Way::Stream(stream) => stream.admits(hwm, len),
            Way::Inproc(inproc) => inproc.has_room(),
        }
    }

    /// Returns whether the byte budget admits a message of `len` bytes; the hub knows about the
    /// high-water mark.
    #[inline]
    pub(super) fn admits_bytes(&self, len: usize) -> bool {
        match &self.way {
            Way::Stream(stream) => stream.budget.admits(len),
            Way::Inproc(_) => true,
        }
    }

    /// Checks again if there is room for another message.
    pub(super) fn check_room(&mut self, hwm: Hwm) -> bool {
        match &mut self.way {
            Way::Stream(stream) => hwm.admits(stream.messages()),
            Way::Inproc(inproc) => inproc.check_room(hwm),
        }
    }

    /// Returns whether a sender waits instead of dropping a message: the queue is full, but the
    /// connection has not stalled.
    pub(super) fn is_waited_for(&mut self) -> bool {
        if !self.is_active() {
            return false;
        }
        match self.flow {
            Flow::Moving => {
                self.flow = Flow::Full(Instant::now());
                true
            }
            Flow::Full(since) if since.elapsed() < self.stall_timeout() => true,
            Flow::Full(_) => {
                self.flow = Flow::Stalled;
                false
            }
            Flow::Stalled => false,
        }
    }

    /// Returns the time without progress after which the connection counts as stalled. It is longer
    /// for a pump that has not run yet than for one that is writing.
    fn stall_timeout(&self) -> Duration {
        match &self.way {
            Way::Stream(StreamLink { pump: Pump::Writing { waker: Some(_), .. }, .. }) | Way::Inproc(_) => {
                STALL_TIMEOUT
            }
            Way::Stream(_) => PUMP_STALL_TIMEOUT,
        }
    }

    /// Queues a message. Returns whether there is room for another, or `None` if the peer is gone.
    /// An inproc peer receives the message itself.
    #[inline]
    pub(super) fn send(&mut self, cx: &mut SendContext<'_>, message: &mut Message) -> Option<Room> {
        match &mut self.way {
            Way::Stream(stream) => {
                self.counters.queued += 1;
                Some(stream.send_encoded(cx, |outbox| encode_message(message, outbox)))
            }
            Way::Inproc(inproc) => {
                let room = inproc.send(cx, message)?;
                self.counters.queued += 1;
                self.counters.written += 1;
                Some(room)
            }
        }
    }

    /// Queues a message for many connections. Returns `false` if the peer is gone.
    #[inline]
    pub(super) fn send_broadcast(
        &mut self,
        cx: &mut SendContext<'_>,
        key: PeerKey,
        encoded: Encoded<'_>,
        message: &Message,
    ) -> bool {
        let Way::Stream(stream) = &mut self.way else {
            return self.send(cx, &mut message.clone()).is_some();
        };
        self.counters.queued += 1;
        match encoded {
            Encoded::OnLog(log, number) => stream.send_shared(cx, key, log, number),
            Encoded::Apart(encoded) => drop(stream.send_encoded(cx, |outbox| outbox.append(encoded))),
        }
        true
    }

    /// Queues a subscription. Returns `false` if the peer does not accept it.
    pub(super) fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        match &mut self.way {
            Way::Stream(stream) => stream.subscribe(kind, topic, wakes),
            Way::Inproc(inproc) => inproc.subscribe(kind, topic, wakes),
        }
    }

    /// Queues messages that waited for the peer.
    pub(super) fn transfer(&mut self, cx: &mut SendContext<'_>, waiting: Outbox) {
        match &mut self.way {
            Way::Stream(stream) => {
                self.counters.queued += waiting.messages() as u64;
                stream.append(&waiting);
            }
            Way::Inproc(InprocLink::Reserved(held)) => held.append(&waiting),
            Way::Inproc(InprocLink::Connected { .. }) => {
                for mut message in decode_messages(waiting) {
                    self.send(cx, &mut message);
                }
            }
        }
    }

    /// Connects the inproc peer of a reserved link. Delivers the messages that waited for it.
    pub(super) fn connect(&mut self, peer: Box<dyn InprocPeer>, cx: &mut SendContext<'_>) {
        let connected = InprocLink::Connected { peer, is_full: false };
        if let Way::Inproc(InprocLink::Reserved(held)) =
            std::mem::replace(&mut self.way, Way::Inproc(connected))
        {
            self.transfer(cx, held);
        }
    }
}

/// The time that a sender which would drop a message waits for a connection to accept bytes.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_millis(10);
/// The same for a write pump that was woken and has not run: its thread may be busy.
const PUMP_STALL_TIMEOUT: Duration = Duration::from_secs(1);
