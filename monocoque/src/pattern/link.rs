//! The outgoing side of one connection: its outbox, and the ways out of it. A neighbour in the same process has none: what it
//! gets is handed over.

use std::fmt::Debug;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::transport::DirectWriter;
use monocoque_core::{BytePermits, Hwm, Message, Outbox, PeerKey, Room, RoutingId};
use monocoque_zmtp::{Subscription, encode_message, encode_subscription};

use super::tape::{Stretch, Tape};
use super::wakes::Wakes;

/// The outgoing side of one connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) outbox: Outbox,
    /// What it gets of the tape, behind what is in the outbox.
    pub(super) stretch: Stretch,
    /// Subscriptions: exempt from the high water mark, ahead of messages.
    pub(super) control: Outbox,
    pub(super) budget: BytePermits,
    pub(super) through: Through,
    pub(super) direct: Option<Direct>,
    /// Takes all there is to take: nothing is ever in the outbox.
    pub(super) neighbour: Option<Box<dyn Neighbour>>,
    /// The neighbour has no room, and will say so when it has.
    pub(super) full: bool,
    /// The write pump, while it waits for a batch.
    pub(super) pump: Option<Waker>,
    /// The write pump, while it writes.
    pub(super) writer: Option<Waker>,
    /// The batch that the pump has is of the control lane.
    pub(super) control_taken: bool,
    /// No peer of this socket any more once all is sent.
    pub(super) leaving: bool,
    /// No peer of this socket any more, whatever is left.
    pub(super) doomed: bool,
    /// A newcomer has its name, and is received after it.
    pub(super) replaced: bool,
    /// The program has ended the connection.
    pub(super) cut: bool,
    /// What the peer was called before that.
    pub(super) id: Option<RoutingId>,
    /// By which number the program knows the connection.
    pub(super) connection: Option<u64>,
    /// Messages that were queued since it is there, and those of them that the system has taken.
    pub(super) put: u64,
    pub(super) written: u64,
    /// How many of them are not of the program: a greeting.
    pub(super) greeted: u64,
    /// Whether the connection takes bytes, as far as senders that drop have found out.
    pub(super) flow: Flow,
}

/// Whether a connection takes bytes while its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does, or there was room whenever something was to be queued.
    #[default]
    Moving,
    /// A sender has found the queue full then, and no byte was taken since.
    Full(Instant),
    /// No byte was taken for so long that senders do not wait any more.
    Stalled,
}

/// The endpoint that a connection came about through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Through {
    pub(crate) via: u64,
    /// We have connected, and will again.
    pub(crate) dialled: bool,
}

/// The other end of a connection within the process: takes what it is given under the lock of the one who gives.
///
/// It is dropped, behind the lock, when the connection ends.
pub(crate) trait Neighbour: Debug + Send {
    /// Takes a message, and says whether there is room for another. Leaves it and gives `None` if nobody will receive it.
    fn deliver(&mut self, message: &mut Message, wakes: &mut Wakes) -> Option<Room>;

    /// Takes a subscription, and says whether it may have it.
    fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool;

    /// Whether there is room, when senders let so many messages wait.
    fn room(&mut self, hwm: Hwm) -> Room;
}

/// How a message gets going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// With those that the pump takes next, as soon as it can.
    InBatch,
    /// At once if it is an answer that a peer may wait for: nothing else has been received that comes first.
    Alone,
    /// When others do, or the pump is told to.
    Held,
}

/// The short way out, for an answer: a message that is alone, to a peer that waits for it.
///
/// A sender that is the first to send after the peer has said something, with nothing else received that is to be
/// answered first, writes to the stream itself if the pump is waiting, which saves it a turn of the runtime. All else
/// goes the long way, in batches: a socket that only sends writes no more than the first message of a connection by
/// itself. The two ways cannot overtake each other: both take from the outbox, under the same lock, and the short one
/// is open only while the pump is parked with nothing in flight. What the system does not take at once stays in the
/// outbox, and is the first thing that the pump finds.
#[derive(Debug)]
pub(crate) struct Direct {
    stream: Arc<dyn DirectWriter>,
    /// The peer has said something since the last time, or there was none yet.
    heard: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(through: Through, direct: Option<Direct>) -> Self {
        Self {
            outbox: Outbox::new(),
            stretch: Stretch::default(),
            control: Outbox::new(),
            budget: BytePermits::default(),
            through,
            direct,
            neighbour: None,
            full: false,
            pump: None,
            writer: None,
            control_taken: false,
            leaving: false,
            doomed: false,
            replaced: false,
            cut: false,
            id: None,
            connection: None,
            put: 0,
            written: 0,
            greeted: 0,
            flow: Flow::Moving,
        }
    }

    /// Drops what waits, and says how many messages that were.
    pub(super) fn forget(&mut self) -> u64 {
        let messages = self.outbox.messages() as u64;
        self.outbox.clear();
        self.budget = BytePermits::default();
        self.put -= messages;
        messages
    }

    pub(super) fn admits(&self, hwm: Hwm, len: usize) -> bool {
        !self.full && hwm.admits(self.messages()) && self.budget.admits(len)
    }

    /// How long it is waited for. A pump that writes, or a neighbour, takes nothing; one that has only not run yet will.
    fn patience(&self) -> Duration {
        if self.writer.is_some() || self.neighbour.is_some() { PATIENCE } else { PUMP_PATIENCE }
    }

    /// Whether it is of a peer that takes part.
    pub(super) fn is_peer(&self) -> bool {
        !self.doomed && !self.leaving && !self.cut
    }

    /// Whether its pump is to end, whatever waits.
    pub(super) fn is_ended(&self) -> bool {
        self.doomed || self.cut
    }

    /// Whether a sender that would drop a message waits instead: the queue is full, and it is not known yet that the
    /// connection takes nothing.
    pub(super) fn is_waited_for(&mut self) -> bool {
        if !self.is_peer() {
            return false;
        }
        match self.flow {
            Flow::Moving => {
                self.flow = Flow::Full(Instant::now());
                true
            }
            Flow::Full(since) if since.elapsed() < self.patience() => true,
            Flow::Full(_) => {
                self.flow = Flow::Stalled;
                false
            }
            Flow::Stalled => false,
        }
    }

    /// Asks anew whether there is room.
    pub(super) fn has_room(&mut self, hwm: Hwm) -> bool {
        if let Some(neighbour) = &mut self.neighbour {
            self.full = neighbour.room(hwm) == Room::Full;
        }
        !self.full && hwm.admits(self.messages())
    }

    /// Queues a subscription. `false` if the peer does not take them.
    pub(super) fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        if let Some(neighbour) = &mut self.neighbour {
            return neighbour.subscribe(kind, topic, wakes);
        }
        encode_subscription(kind, topic, &mut self.control);
        wakes.add(self.pump.take());
        self.control.bytes() <= CONTROL_MAX
    }

    /// Whether messages wait to be written, or are not known to be.
    pub(super) fn is_behind(&self) -> bool {
        self.messages() > 0 || self.written < self.put
    }

    /// How many messages wait to be written.
    #[inline]
    pub(super) fn messages(&self) -> usize {
        self.outbox.messages() + self.stretch.messages()
    }

    /// Adds a message that is on the tape, and wakes the pump if it waits for one.
    #[inline]
    pub(super) fn put_taped(
        &mut self,
        key: PeerKey,
        tape: &mut Tape,
        message: usize,
        going: Going,
        unpaced: &mut usize,
        wakes: &mut Wakes,
    ) {
        self.budget.acquire(tape.extend(key, &mut self.stretch, message, &mut self.outbox));
        self.put += 1;
        if going != Going::Held {
            wakes.add(self.pump.take());
        }
        let bytes = self.outbox.bytes() + self.stretch.bytes;
        *unpaced = (*unpaced).max(bytes + self.messages() * PACE_PER_MESSAGE);
    }

    /// Gives the peer a message, and says whether it may have another; `None` if it is gone. A neighbour takes the message
    /// itself.
    #[inline]
    pub(super) fn put(
        &mut self,
        hwm: Hwm,
        going: Going,
        unpaced: &mut usize,
        wakes: &mut Wakes,
        message: &mut Message,
    ) -> Option<Room> {
        if self.neighbour.is_some() {
            return self.hand_over(unpaced, wakes, message);
        }
        Some(self.put_encoded(hwm, going, unpaced, wakes, |outbox| encode_message(message, outbox)))
    }

    /// Lets `put` add a message to the outbox, and wakes the pump if it waits for one.
    #[inline]
    pub(super) fn put_encoded(
        &mut self,
        hwm: Hwm,
        going: Going,
        unpaced: &mut usize,
        wakes: &mut Wakes,
        put: impl FnOnce(&mut Outbox),
    ) -> Room {
        debug_assert!(self.stretch.is_empty(), "it would be overtaken");
        let before = self.outbox.bytes();
        put(&mut self.outbox);
        self.budget.acquire(self.outbox.bytes() - before);
        self.put += 1;
        match going {
            Going::Held => {}
            Going::Alone if self.pump.is_none() || self.write_now() => {}
            Going::Alone | Going::InBatch => wakes.add(self.pump.take()),
        }
        let messages = self.outbox.messages();
        *unpaced = (*unpaced).max(self.outbox.bytes() + messages * PACE_PER_MESSAGE);
        if hwm.admits(messages) { Room::Available } else { Room::Full }
    }

    /// Gives the neighbour a message.
    fn hand_over(&mut self, unpaced: &mut usize, wakes: &mut Wakes, message: &mut Message) -> Option<Room> {
        let len = message.byte_len();
        let room = self.neighbour.as_mut()?.deliver(message, wakes)?;
        self.full = room == Room::Full;
        self.put += 1;
        self.written += 1;
        *unpaced += PACE_PER_MESSAGE + len;
        Some(room)
    }

    /// Takes the short way if it is open, and says whether nothing is left to write.
    fn write_now(&mut self) -> bool {
        let Some(direct) = &self.direct else { return false };
        let lone = self.outbox.bytes() <= DIRECT_MAX && self.outbox.is_contiguous();
        if !direct.heard.swap(false, Ordering::Relaxed) || !lone {
            return false;
        }
        // An error is met again by the pump, which knows what to do.
        let written = direct.stream.try_write(self.outbox.chunk()).unwrap_or(0);
        self.outbox.consume(written);
        self.budget.release(written);
        self.outbox.is_empty()
    }
}

impl Direct {
    pub(crate) fn new(stream: Arc<dyn DirectWriter>, heard: Arc<AtomicBool>) -> Self {
        Self { stream, heard }
    }
}

/// How long a sender that would drop a message waits for a connection to take something.
pub(crate) const PATIENCE: Duration = Duration::from_millis(10);
/// How long such a sender waits for a pump to run that was called: its thread may have much to do.
const PUMP_PATIENCE: Duration = Duration::from_secs(1);
/// The most that is written under the lock.
const DIRECT_MAX: usize = 16 * 1024;
/// How many bytes of subscriptions a connection may leave lying.
const CONTROL_MAX: usize = 64 * 1024 * 1024;
/// What a message counts for beside its bytes, so that 512 of the smallest are enough.
pub(super) const PACE_PER_MESSAGE: usize = 256;
