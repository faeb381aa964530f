//! The raw protocol of STREAM sockets: bytes without greeting, handshake or frames.
//!
//! Splits received bytes into messages, and writes queued messages as bytes. It stands beside ZMTP,
//! which is in `monocoque-zmtp`; the same engine runs connections of both.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use monocoque_core::{Decode, Encode, Established, Message, Outbox, Protocol, Queued, SegmentedBuffer, Step};
use monocoque_zmtp::{
    AuthQuestion, AuthReply, Inbound, PeerInfo, Properties, QueuedFrames, Revision, SocketType, TopicBudget,
    ZmtpError,
};

/// A raw connection. It is established before the first byte.
#[derive(Debug)]
pub(crate) struct RawSession;

/// The receiving half of a raw connection. No input is invalid.
#[derive(Debug)]
pub(crate) struct RawDecoder;

/// The sending half of a raw connection. Writes the bodies of the frames one after the other.
#[derive(Debug)]
pub(crate) struct RawEncoder;

impl Protocol for RawSession {
    type Peer = PeerInfo;
    type Decoder = RawDecoder;
    type Encoder = RawEncoder;
    type Question = AuthQuestion;
    type Error = ZmtpError;

    fn advance(self, _: &mut SegmentedBuffer, _: &mut Outbox, _: Instant) -> Result<Step<Self>, ZmtpError> {
        let peer = PeerInfo {
            socket_type: SocketType::Stream,
            routing_id: Bytes::new(),
            revision: Revision::V3_1,
            properties: Properties::default(),
            admission: Box::default(),
            topic_budget: TopicBudget::default(),
        };
        Ok(Step::Established(Established { peer, decoder: RawDecoder, encoder: RawEncoder }))
    }

    /// Not called: nothing is asked.
    fn resume(self, _: AuthReply) -> Self {
        self
    }
}

impl Decode for RawDecoder {
    type Item = Message;
    type Kind = Inbound;
    type Error = ZmtpError;

    /// Returns the received bytes in chunks, as they were read.
    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        _: &mut Outbox,
        chunks: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        let len = input.chunk().len().min(CHUNK_MAX);
        let mut chunk = Message::new();
        match input.chunk().get(..len) {
            None | Some([]) => return Ok(None),
            Some(bytes) if len <= COPY_MAX => {
                chunk.push_copy(bytes);
                input.advance(len);
            }
            Some(_) => input.take(len).into_iter().for_each(|bytes| chunk.push_bytes(bytes)),
        }
        chunks.push_back(chunk);
        Ok(Some(Inbound::Message))
    }
}

impl Encode for RawEncoder {
    type Error = ZmtpError;

    fn is_identity(&self) -> bool {
        false
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit
            && let Some(message) = queued.next_message()
        {
            QueuedFrames::new(message).for_each(|frame| wire.put_part(frame.body()));
            wire.end_message();
        }
    }
}

/// The maximum length of a chunk, as in libzmq.
pub(crate) const CHUNK_MAX: usize = 8192;
/// The maximum length of a chunk that is copied, so that it does not keep a whole read buffer
/// alive.
const COPY_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use monocoque_core::QueuedCursor;
    use monocoque_zmtp::encode_message;

    use super::*;

    fn established() -> RawDecoder {
        let (mut input, mut output) = (SegmentedBuffer::new(), Outbox::new());
        match RawSession.advance(&mut input, &mut output, Instant::now()) {
            Ok(Step::Established(established)) if output.is_empty() => established.decoder,
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn raw_bytes_arrive_in_order() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
        for read in [1, 2, 511, 512, 513, 8191, 8192, 8193, 20_000, 40_000] {
            let mut decoder = established();
            let (mut input, mut replies) = (SegmentedBuffer::new(), Outbox::new());
            let mut chunks = VecDeque::new();
            for (n, segment) in bytes.chunks(read).enumerate() {
                input.push(Bytes::copy_from_slice(segment));
                // Now and then more arrives before the next call.
                while n % 3 != 1
                    && decoder.next(&mut input, &mut replies, &mut chunks).expect("no error").is_some()
                {
                }
            }
            while decoder.next(&mut input, &mut replies, &mut chunks).expect("no error").is_some() {}
            assert!(input.is_empty() && replies.is_empty());
            assert!(
                chunks.iter().all(|chunk| chunk.len() == 1 && (1..=CHUNK_MAX).contains(&chunk.byte_len()))
            );
            let arrived: Vec<u8> = chunks.iter().flat_map(|chunk| chunk[0].to_vec()).collect();
            assert_eq!(arrived, bytes);
        }
    }

    #[test]
    fn raw_frames_are_concatenated() {
        let large = vec![b'l'; 100_000];
        let mut queued = Outbox::new();
        encode_message(&Message::from([&b"a"[..], b"", &large, b"z"]), &mut queued);
        encode_message(&"next".into(), &mut queued);
        let mut wire = Outbox::new();
        RawEncoder.encode(&mut queued.read_queued(&mut QueuedCursor::default()), &mut wire, usize::MAX);
        assert_eq!(wire.messages(), 2);
        let written: Vec<u8> = wire.slices().flatten().copied().collect();
        assert_eq!(written, [&b"a"[..], &large, b"znext"].concat());
    }
}
