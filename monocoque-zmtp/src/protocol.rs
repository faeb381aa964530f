//! The contract of the engine, implemented by the state machines of this crate.
//!
//! Owns nothing: it says which type plays which part, so that the other files need not know the engine's traits.
//! Called by the pumps of the engine.

use std::collections::VecDeque;
use std::time::Instant;

use monocoque_core::{Decode, Encode, Message, Outbox, Protocol, Queued, SegmentedBuffer, Step};

use crate::encoder::put_v3_0;
use crate::{Decoder, Encoder, Inbound, PeerInfo, QueuedFrames, ZmtpError, ZmtpSession};

impl Protocol for ZmtpSession {
    type Peer = PeerInfo;
    type Decoder = Decoder;
    type Encoder = Encoder;
    type Error = ZmtpError;

    fn advance(
        self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        now: Instant,
    ) -> Result<Step<Self>, ZmtpError> {
        self.run(input, output, now)
    }

    fn need(&self) -> usize {
        self.need
    }
}

impl Decode for Decoder {
    type Item = Message;
    type Kind = Inbound;
    type Error = ZmtpError;

    #[inline]
    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        self.next_item(input, replies, messages)
    }

    #[inline]
    fn need(&self) -> usize {
        self.need
    }
}

impl Encode for Encoder {
    type Error = ZmtpError;

    fn is_identity(&self) -> bool {
        !self.rewrites
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit {
            let Some(message) = queued.next_message() else { return };
            for frame in QueuedFrames::of(message) {
                if self.rewrites { put_v3_0(&frame, wire) } else { frame.put(wire) }
            }
            wire.end_message();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.heartbeat.deadline()
    }

    fn on_deadline(
        &mut self,
        now: Instant,
        last_heard: Instant,
        output: &mut Outbox,
    ) -> Result<(), ZmtpError> {
        self.heartbeat.on_deadline(now, last_heard, output)
    }
}
