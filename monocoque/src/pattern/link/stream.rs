//! Links over streams: queues that the write pump empties, and the fast path beside it.

use std::io::IoSlice;
use std::sync::Arc;
use std::task::Waker;

use monocoque_core::actor::ByteCounters;
use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::transport::DirectWriter;
use monocoque_core::{BytePermits, Hwm, Outbox, PeerKey, Room};
use monocoque_zmtp::{Subscription, encode_subscription};

use super::{Flush, SendContext};
use crate::pattern::broadcast_log::{BroadcastLog, Segment};
use crate::pattern::wakes::Wakes;

/// The queues of a connection over a stream.
#[derive(Debug)]
pub(in crate::pattern) struct StreamLink {
    pub(in crate::pattern) outbox: Outbox,
    /// The messages of the broadcast log that follow those of the outbox.
    pub(in crate::pattern) segment: Segment,
    /// Subscriptions: exempt from the high-water mark, and written ahead of messages.
    pub(in crate::pattern) control: Outbox,
    pub(in crate::pattern) budget: BytePermits,
    pub(in crate::pattern) pump: Pump,
    direct: Option<DirectWrite>,
}

/// The state of the write pump.
#[derive(Debug)]
pub(in crate::pattern) enum Pump {
    /// Running, or woken: it checks the queues before it waits.
    Running,
    /// Waiting for a batch.
    Parked(Waker),
    /// Writing a batch.
    Writing {
        batch: Batch,
        /// Interrupts the write; `None` before the pump first waits for it.
        waker: Option<Waker>,
    },
}

/// The queue that a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pattern) enum Batch {
    Messages,
    Control,
    /// Replies of the protocol, which no queue of the link holds.
    Replies,
}

/// The fast path: writes a lone reply directly to the stream instead of waking the write pump.
///
/// The first send after the peer has sent something, with nothing else received meanwhile, writes
/// to the stream itself if the pump is parked, which saves a turn of the runtime. All other
/// messages go in batches: a socket that only sends writes at most the first message of a
/// connection directly. The two paths cannot overtake each other: both take from the outbox, under
/// the same lock, and the direct write requires a parked pump with nothing in flight. Bytes that
/// the system does not accept at once stay in the outbox, in front of everything else.
#[derive(Debug)]
pub(crate) struct DirectWrite {
    stream: Arc<dyn DirectWriter>,
    /// The peer has sent something since the last direct write, or there was none yet.
    has_input: Arc<AtomicBool>,
    bytes: Arc<ByteCounters>,
}

impl DirectWrite {
    pub(crate) fn new(
        stream: Arc<dyn DirectWriter>,
        has_input: Arc<AtomicBool>,
        bytes: Arc<ByteCounters>,
    ) -> Self {
        Self { stream, has_input, bytes }
    }
}

impl StreamLink {
    pub(super) fn new(direct: Option<DirectWrite>) -> Self {
        Self {
            outbox: Outbox::new(),
            segment: Segment::default(),
            control: Outbox::new(),
            budget: BytePermits::default(),
            pump: Pump::Running,
            direct,
        }
    }

    #[inline]
    pub(in crate::pattern) fn messages(&self) -> usize {
        self.outbox.messages() + self.segment.messages()
    }

    #[inline]
    pub(super) fn admits(&self, hwm: Hwm, len: usize) -> bool {
        hwm.admits(self.messages()) && self.budget.admits(len)
    }

    #[inline]
    pub(super) fn drop_queued(&mut self) -> u64 {
        let messages = self.outbox.messages() as u64;
        self.outbox.clear();
        self.budget = BytePermits::default();
        messages
    }

    /// Takes the queue, including the written part of a message that is not complete.
    pub(in crate::pattern) fn take_queue(&mut self) -> Outbox {
        self.outbox.rewind();
        std::mem::take(&mut self.outbox)
    }

    /// Appends encoded messages. The next message wakes the pump, or the pump is about to check the
    /// queue.
    pub(super) fn append(&mut self, waiting: &Outbox) {
        self.budget.acquire(waiting.bytes());
        self.outbox.append(waiting);
    }

    /// Calls `put` to add a message to the outbox, then wakes the pump or writes directly.
    #[inline]
    pub(in crate::pattern) fn send_encoded(
        &mut self,
        cx: &mut SendContext<'_>,
        put: impl FnOnce(&mut Outbox),
    ) -> Room {
        debug_assert!(self.segment.is_empty(), "it would be overtaken");
        let before = self.outbox.bytes();
        put(&mut self.outbox);
        self.budget.acquire(self.outbox.bytes() - before);
        match cx.flush {
            Flush::Deferred => {}
            Flush::Immediate if !self.pump.is_parked() || self.write_now() => {}
            Flush::Immediate | Flush::Batched => self.wake_pump(cx.wakes),
        }
        let messages = self.outbox.messages();
        cx.yield_budget.note_queue(messages, self.outbox.bytes());
        if cx.hwm.admits(messages) { Room::Available } else { Room::Full }
    }

    /// Adds a message of the broadcast log.
    #[inline]
    pub(in crate::pattern) fn send_shared(
        &mut self,
        cx: &mut SendContext<'_>,
        key: PeerKey,
        log: &mut BroadcastLog,
        message: usize,
    ) {
        self.budget.acquire(log.extend(key, &mut self.segment, message, &mut self.outbox));
        if cx.flush != Flush::Deferred {
            self.wake_pump(cx.wakes);
        }
        cx.yield_budget.note_queue(self.messages(), self.outbox.bytes() + self.segment.bytes);
    }

    pub(super) fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        encode_subscription(kind, topic, &mut self.control);
        self.wake_pump(wakes);
        self.control.bytes() <= CONTROL_MAX
    }

    /// Writes the queue directly if it is a lone reply. Returns whether the queue is empty then.
    fn write_now(&mut self) -> bool {
        let Some(direct) = &self.direct else { return false };
        if !direct.has_input.swap(false, Ordering::Relaxed) || self.outbox.bytes() > DIRECT_MAX {
            return false;
        }
        let Some(written) = self.write_slices(&*direct.stream) else { return false };
        direct.bytes.add_written(written);
        self.outbox.consume(written);
        self.budget.release(written);
        self.outbox.is_empty()
    }

    /// Writes the queue if it is one slice, or a header with a body by reference. The pump gets the
    /// same error, and ends the connection.
    fn write_slices(&self, stream: &dyn DirectWriter) -> Option<usize> {
        let mut slices = self.outbox.slices().map(IoSlice::new);
        let written = match (slices.next(), slices.next(), slices.next()) {
            (Some(only), None, _) => stream.try_write(&[only]),
            (Some(header), Some(body), None) => stream.try_write(&[header, body]),
            _ => return None,
        };
        Some(written.unwrap_or(0))
    }

    /// Wakes the write pump if it is parked.
    #[inline]
    pub(in crate::pattern) fn wake_pump(&mut self, wakes: &mut Wakes) {
        wakes.add(self.pump.unpark());
    }

    /// Wakes the write pump, also during a write.
    pub(in crate::pattern) fn interrupt_pump(&mut self, wakes: &mut Wakes) {
        match &mut self.pump {
            Pump::Running => {}
            Pump::Parked(_) => self.wake_pump(wakes),
            Pump::Writing { waker, .. } => wakes.add(waker.take()),
        }
    }
}

impl Pump {
    #[inline]
    pub(super) fn is_parked(&self) -> bool {
        matches!(self, Self::Parked(_))
    }

    /// Marks a parked pump as running.
    #[inline]
    pub(in crate::pattern) fn unpark(&mut self) -> Option<Waker> {
        if !self.is_parked() {
            return None;
        }
        match std::mem::replace(self, Self::Running) {
            Self::Parked(waker) => Some(waker),
            Self::Running | Self::Writing { .. } => None,
        }
    }

    /// Stores the waker that interrupts a write.
    pub(in crate::pattern) fn watch(&mut self, aborts: Waker) {
        let batch = match self {
            Self::Writing { batch, .. } => *batch,
            Self::Running | Self::Parked(_) => Batch::Replies,
        };
        *self = Self::Writing { batch, waker: Some(aborts) };
    }
}

/// The maximum length of a direct write, under the lock of the socket, in bytes.
const DIRECT_MAX: usize = 32 * 1024;
/// The maximum length of the subscriptions queued for one connection, in bytes.
const CONTROL_MAX: usize = 64 * 1024 * 1024;
