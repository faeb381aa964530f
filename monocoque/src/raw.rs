//! The other wire: bytes as they are, with no greeting and no frames.
//!
//! Owns how the bytes of a connection are cut into messages, and how messages are put as bytes. Beside ZMTP in
//! `monocoque-zmtp` it is what a socket can speak; a connection is run by the same engine.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use monocoque_core::{
    Decode, Established, Message, Outbox, Part, PlainEncoder, Protocol, SegmentedBuffer, Step,
};
use monocoque_zmtp::{Inbound, PeerInfo, Properties, Revision, SocketType, TopicAllowance, ZmtpError};

/// A connection without a handshake: it is established before the first byte.
#[derive(Debug)]
pub(crate) struct RawSession;

/// Its receiving half. Nothing that arrives can be wrong.
#[derive(Debug)]
pub(crate) struct RawDecoder;

impl Protocol for RawSession {
    type Peer = PeerInfo;
    type Decoder = RawDecoder;
    type Encoder = PlainEncoder<ZmtpError>;
    type Error = ZmtpError;

    fn advance(self, _: &mut SegmentedBuffer, _: &mut Outbox, _: Instant) -> Result<Step<Self>, ZmtpError> {
        let peer = PeerInfo {
            socket_type: SocketType::Stream,
            routing_id: Bytes::new(),
            revision: Revision::V3_1,
            properties: Properties::default(),
            topics: TopicAllowance::default(),
        };
        Ok(Step::Established(Established { peer, decoder: RawDecoder, encoder: PlainEncoder::new() }))
    }
}

impl Decode for RawDecoder {
    type Item = Message;
    type Kind = Inbound;
    type Error = ZmtpError;

    /// What has arrived, as it was read, in chunks.
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

/// Puts the bytes of a message, as one message of the outbox: its frames one after the other.
pub(crate) fn encode_raw(message: &Message, out: &mut Outbox) {
    for part in message.parts() {
        match part {
            Part::Inline(body) => out.put(body),
            Part::Shared(body) => out.put_shared(body),
        }
    }
    out.end_message();
}

/// The longest chunk, as in libzmq.
pub(crate) const CHUNK_MAX: usize = 8192;
/// Chunks up to this length are copied, so that one that is kept does not keep the memory it was read into.
const COPY_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn established() -> RawDecoder {
        let (mut input, mut output) = (SegmentedBuffer::new(), Outbox::new());
        match RawSession.advance(&mut input, &mut output, Instant::now()) {
            Ok(Step::Established(established)) if output.is_empty() => established.decoder,
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn every_byte_arrives_once_and_in_order_however_it_is_read() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
        for read in [1, 2, 511, 512, 513, 8191, 8192, 8193, 20_000, 40_000] {
            let mut decoder = established();
            let (mut input, mut replies) = (SegmentedBuffer::new(), Outbox::new());
            let mut chunks = VecDeque::new();
            for (n, segment) in bytes.chunks(read).enumerate() {
                input.push(Bytes::copy_from_slice(segment));
                // Now and then nobody asks before more has arrived.
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
    fn frames_are_written_one_after_the_other() {
        let large = vec![b'l'; 100_000];
        let mut out = Outbox::new();
        encode_raw(&Message::from([&b"a"[..], b"", &large, b"z"]), &mut out);
        encode_raw(&"next".into(), &mut out);
        assert_eq!(out.messages(), 2);
        let written: Vec<u8> = out.slices().flatten().copied().collect();
        assert_eq!(written, [&b"a"[..], &large, b"znext"].concat());
    }
}
