//! The outgoing side of one connection: its state, its counters, and its way out.
//!
//! A link is in exactly one [`Life`] and has exactly one [`Way`]: a queue that the write pump of a stream empties, or
//! an inproc peer that takes each message at once. It knows neither the protocol nor the socket type.

mod inproc;
mod stream;

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
use crate::monitor::ConnectionId;

/// The outgoing side of one connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) endpoint: EndpointKey,
    pub(super) life: Life,
    pub(super) way: Way,
    /// The number by which the program knows the connection.
    pub(super) connection: Option<ConnectionId>,
    pub(super) counters: LinkCounters,
    /// Whether the connection takes bytes, as far as senders that drop have found out.
    pub(super) flow: Flow,
}

/// The state of a connection, as the socket's sending side sees it.
#[derive(Debug, Default)]
pub(super) enum Life {
    /// A peer of the socket.
    #[default]
    Active,
    /// No peer any more: the connection ends once its queue is written.
    Leaving,
    /// The program has ended the connection: its write pump stops, and its messages go to the next connection.
    Disconnected {
        /// The routing id that the peer had, if it was addressed by one.
        id: Option<RoutingId>,
        /// Whether the endpoint is connected again.
        comes_back: bool,
    },
    /// The connection stops, and its messages are dropped.
    Aborted {
        /// A newer connection has the routing id, and its messages are received after those of this one.
        is_replaced: bool,
    },
}

/// The path of messages to the peer.
#[derive(Debug)]
pub(super) enum Way {
    Stream(StreamLink),
    Inproc(InprocLink),
}

/// Numbers of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinkCounters {
    /// Queued since the connection began.
    pub(super) queued: u64,
    /// Of these, written to the stream or taken by the inproc peer.
    pub(super) written: u64,
    /// Of these, not sent by the program: the first message of the connection.
    pub(super) first: u64,
}

/// A message for many connections, encoded once.
#[derive(Debug)]
pub(super) enum Encoded<'a> {
    /// The message of this number on the log.
    OnLog(&'a mut BroadcastLog, usize),
    /// A message that each outbox gets a copy of, or a reference to.
    Apart(&'a Outbox),
}

/// Whether a connection takes bytes while its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does, or there was room whenever something was to be queued.
    #[default]
    Moving,
    /// A sender has found the queue full at this time, and no byte was taken since.
    Full(Instant),
    /// No byte was taken for so long that senders do not wait any more.
    Stalled,
}

/// When a queued message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// With those that the write pump takes next, as soon as it can.
    Batched,
    /// At once if the message is a lone reply: nothing else has been received that is to be answered first.
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

    /// Makes the link of an inproc peer that is still to be connected.
    pub(super) fn inproc(endpoint: EndpointKey) -> Self {
        Self::new(endpoint, Way::Inproc(InprocLink::default()))
    }

    fn new(endpoint: EndpointKey, way: Way) -> Self {
        Self {
            endpoint,
            life: Life::Active,
            way,
            connection: None,
            counters: LinkCounters::default(),
            flow: Flow::Moving,
        }
    }

    /// Returns the number of messages that wait to be written.
    #[inline]
    pub(super) fn messages(&self) -> usize {
        match &self.way {
            Way::Stream(stream) => stream.messages(),
            Way::Inproc(_) => 0,
        }
    }

    /// Returns whether messages wait to be written, or are not known to be.
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

    /// Returns whether the write pump is to stop, whatever is queued.
    #[inline]
    pub(super) fn is_stopped(&self) -> bool {
        match self.life {
            Life::Active | Life::Leaving => false,
            Life::Disconnected { .. } | Life::Aborted { .. } => true,
        }
    }

    /// Returns whether the endpoint of this connection is connected again once the connection has ended: the one place
    /// where that is decided. Reconnection policies may still [give the endpoint up](crate::endpoint).
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

    /// Ends the connection at once. Its messages go where those of any lost connection go.
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

    /// Notes that a newer connection has the routing id, and gives up the messages that are for it.
    pub(super) fn replace(&mut self) -> Outbox {
        self.life = Life::Aborted { is_replaced: true };
        match &mut self.way {
            Way::Stream(stream) => stream.take_queue(),
            Way::Inproc(_) => Outbox::new(),
        }
    }

    /// Drops what is queued, and returns how many messages that were.
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

    /// Returns whether the byte budget admits a message of `len` bytes; the hub knows about the high-water mark.
    #[inline]
    pub(super) fn admits_bytes(&self, len: usize) -> bool {
        match &self.way {
            Way::Stream(stream) => stream.budget.admits(len),
            Way::Inproc(_) => true,
        }
    }

    /// Asks anew whether there is room for another message.
    pub(super) fn check_room(&mut self, hwm: Hwm) -> bool {
        match &mut self.way {
            Way::Stream(stream) => hwm.admits(stream.messages()),
            Way::Inproc(inproc) => inproc.check_room(hwm),
        }
    }

    /// Returns whether a sender that would drop a message waits instead: the queue is full, and the connection is not
    /// known to be stalled.
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

    /// Returns how long the connection may take nothing before it counts as stalled. A pump that only has not run yet
    /// gets more time than one that writes.
    fn stall_timeout(&self) -> Duration {
        match &self.way {
            Way::Stream(StreamLink { pump: Pump::Writing { waker: Some(_), .. }, .. }) | Way::Inproc(_) => {
                STALL_TIMEOUT
            }
            Way::Stream(_) => PUMP_STALL_TIMEOUT,
        }
    }

    /// Queues a message, and returns whether there is room for another; `None` if the peer is gone. An inproc peer
    /// takes the message itself.
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

    /// Queues a message that goes to many connections. `false` if the peer is gone.
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

    /// Queues a subscription. `false` if the peer does not take them.
    pub(super) fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        match &mut self.way {
            Way::Stream(stream) => stream.subscribe(kind, topic, wakes),
            Way::Inproc(inproc) => inproc.subscribe(kind, topic, wakes),
        }
    }

    /// Queues messages that have waited for the peer.
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

    /// Connects the inproc peer of a link that was made for one. Gives it what has waited since.
    pub(super) fn connect(&mut self, peer: Box<dyn InprocPeer>, cx: &mut SendContext<'_>) {
        let connected = InprocLink::Connected { peer, is_full: false };
        if let Way::Inproc(InprocLink::Reserved(held)) =
            std::mem::replace(&mut self.way, Way::Inproc(connected))
        {
            self.transfer(cx, held);
        }
    }
}

/// How long a sender that would drop a message waits for a connection to take something.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_millis(10);
/// How long such a sender waits for a write pump to run that was woken: its thread may have much to do.
const PUMP_STALL_TIMEOUT: Duration = Duration::from_secs(1);
