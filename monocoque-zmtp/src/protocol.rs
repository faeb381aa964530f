//! The contract of the engine, implemented by the state machines of this crate.
//!
//! Implements the traits of the engine for the types of this crate, so that the other files need
//! not know them. Called by the pumps of the engine.

use std::collections::VecDeque;
use std::time::Instant;

use monocoque_core::{Decode, Encode, Message, Outbox, Protocol, Queued, SegmentedBuffer, Step};

use crate::auth::{AuthQuestion, AuthReply};
use crate::{Decoder, Encoder, Inbound, PeerInfo, QueuedFrames, ZmtpError, ZmtpSession};

impl Protocol for ZmtpSession {
    type Peer = PeerInfo;
    type Decoder = Decoder;
    type Encoder = Encoder;
    type Question = AuthQuestion;
    type Error = ZmtpError;

    fn advance(
        self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        now: Instant,
    ) -> Result<Step<Self>, ZmtpError> {
        self.run(input, output, now)
    }

    fn resume(self, reply: AuthReply) -> Self {
        self.on_reply(reply)
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
        self.needed()
    }
}

impl Encode for Encoder {
    type Error = ZmtpError;

    fn is_identity(&self) -> bool {
        self.is_identity()
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit {
            let Some(message) = queued.next_message() else { return };
            for frame in QueuedFrames::new(message) {
                self.put_frame(&frame, wire);
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
        last_received: Instant,
        output: &mut Outbox,
    ) -> Result<(), ZmtpError> {
        self.heartbeat.on_deadline(now, last_received, output)
    }
}
