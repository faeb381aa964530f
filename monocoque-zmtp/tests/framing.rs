//! Messages of every boundary size, and bytes joined or split at any position.

use std::time::Instant;

use bytes::Bytes;
use monocoque_core::Message;
use monocoque_zmtp::{Limits, SessionConfig, SocketType};
use proptest::prelude::*;
use testing::session::{Inbound, Pair, TestPeer, greeting, ready};
use testing::{for_each_chunk_size, frame};

const SIZES: [usize; 19] = [
    0,
    1,
    38,
    39,
    76,
    77,
    78,
    255,
    256,
    511,
    512,
    513,
    4096,
    8191,
    8192,
    8193,
    (64 << 10) - 1,
    64 << 10,
    1 << 20,
];

/// Returns a body in which a misplaced piece is recognizable.
fn body(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

for_each_chunk_size! {
    fn boundary_size_bodies_round_trip(chunk_len) {
        let mut pair = Pair::connected(SocketType::Push, SocketType::Pull, chunk_len);
        for size in SIZES {
            pair.send(body(size));
            pair.send([body(size), vec![], body(size)]);
            let expected = [Message::from(body(size)), [body(size), vec![], body(size)].into()];
            assert!(pair.recv() == expected.map(Inbound::Message), "size {size}");
        }
    }

    fn multi_frame_messages_round_trip(chunk_len) {
        let mut pair = Pair::connected(SocketType::Push, SocketType::Pull, chunk_len);
        for count in [1, 2, 100] {
            for size in [0, 1, 100, 600] {
                let message = Message::from(vec![body(size); count]);
                pair.send(message.clone());
                assert_eq!(pair.recv(), [Inbound::Message(message)]);
            }
        }
    }

    fn handshake_and_messages_in_one_read(chunk_len) {
        let mut end = TestPeer::new(SessionConfig::new(SocketType::Router), Instant::now());
        let hello = [greeting(1), ready(SocketType::Dealer), frame(0, b"one"), frame(1, b"two"), frame(0, b"")];
        end.feed(&hello.concat(), chunk_len);
        assert_eq!(end.recv(), [Inbound::Message("one".into()), Inbound::Message(["two", ""].into())]);
    }

    fn message_appears_at_last_byte(chunk_len) {
        let bytes = [frame(1, b"A"), frame(1, &body(300)), frame(0, b"B")].concat();
        let (last, rest) = bytes.split_last().expect("bytes");
        let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
        end.feed(rest, chunk_len);
        assert_eq!(end.recv(), []);
        end.feed(&[*last], chunk_len);
        assert_eq!(end.recv().len(), 1);
    }
}

#[test]
fn handshake_tolerates_any_split() {
    let hello = [greeting(1), ready(SocketType::Dealer), frame(0, b"one")].concat();
    for first in 0..hello.len() {
        for second in [first, (first + 1).min(hello.len()), (first + 10).min(hello.len())] {
            let mut end = TestPeer::new(SessionConfig::new(SocketType::Router), Instant::now());
            end.feed(&hello[..first], usize::MAX);
            end.feed(&hello[first..second], usize::MAX);
            end.feed(&hello[second..], usize::MAX);
            assert_eq!(end.recv(), [Inbound::Message("one".into())], "cut at {first} and {second}");
        }
    }
}

#[test]
fn bytes_after_handshake_stay_buffered() {
    use monocoque_core::{Outbox, Protocol, SegmentedBuffer, Step};
    let mut input = SegmentedBuffer::new();
    input.push([greeting(1), ready(SocketType::Push), frame(0, b"one")].concat().into());
    let session = monocoque_zmtp::ZmtpSession::new(SessionConfig::new(SocketType::Pull)).expect("valid");
    let step = session.advance(&mut input, &mut Outbox::new(), Instant::now()).expect("a good peer");
    assert!(matches!(step, Step::Established(_)));
    assert_eq!(input.take(input.len()).expect("all"), "\0\x03one");
}

#[test]
fn decoder_reports_needed_length() {
    let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
    let bytes = frame(0, &body(1000));
    for (fed, need) in [(0, 1), (1, 9), (8, 9), (9, 1009), (500, 1009), (1008, 1009)] {
        end.feed(&bytes[end.input.len()..fed], usize::MAX);
        assert_eq!(end.need(), need, "after {fed} bytes");
    }
    end.feed(&bytes[1008..], usize::MAX);
    assert_eq!(end.recv(), [Inbound::Message(body(1000).into())]);
}

#[test]
fn announced_length_allocates_nothing() {
    let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
    end.feed(b"\x02\x7f\xff\xff\xff\xff\xff\xff\xf6", usize::MAX);
    assert_eq!(end.error(), None, "the default limit is the largest frame that memory can hold");
    assert_eq!(end.need(), isize::MAX as usize);
}

#[test]
fn impossible_length_is_rejected_at_header() {
    for size in [i64::MAX as u64 - 8, i64::MAX as u64, u64::MAX - 38, u64::MAX] {
        let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
        end.feed(&[&[2][..], &size.to_be_bytes()].concat(), usize::MAX);
        assert!(end.error().is_some(), "{size:#x}");
    }
}

#[test]
fn small_message_releases_read_buffer() {
    for ours in [SocketType::Dealer, SocketType::Xpub] {
        for size in [0, 1, 76, 77, 78, 300, 512] {
            let theirs = if ours == SocketType::Xpub { SocketType::Sub } else { SocketType::Router };
            let mut end = TestPeer::established(SessionConfig::new(ours), theirs);
            let topic = [&b"\x01"[..], &vec![b't'; size.min(200)]].concat();
            let command = [&b"\x09SUBSCRIBE"[..], &vec![b't'; size]].concat();
            let mut bytes =
                [frame(0, &vec![b'x'; size]), frame(1, b"A"), frame(0, &vec![b'y'; size])].concat();
            if ours == SocketType::Xpub {
                bytes.extend([frame(0, &topic), frame(4, &command)].concat());
            }
            let page = Bytes::from(bytes);
            end.input.push(page.clone());
            end.feed(b"\x00", usize::MAX);
            assert!(end.recv().len() >= 2);
            assert!(page.is_unique(), "{ours}, {size} bytes");
        }
    }
}

#[test]
fn large_body_is_not_copied() {
    let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
    let page = Bytes::from(frame(0, &body(64 * 1024)));
    end.input.push(page.clone());
    end.feed(b"\x00", usize::MAX);
    match &*end.recv() {
        [Inbound::Message(message)] => assert_eq!(message[0].as_ptr(), page[9..].as_ptr()),
        other => panic!("{other:?}"),
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![8 => 0..100_usize, 4 => 200..600_usize, 1 => 4000..9000_usize];
    len.prop_flat_map(|len| proptest::collection::vec(any::<u8>(), len))
}

fn any_message() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(any_frame(), 1..6)
}

/// Bytes that reach deeper into a decoder than noise: frames, some of them invalid.
fn near_frames() -> impl Strategy<Value = Vec<u8>> {
    let command = proptest::sample::select(vec![
        &b"\x04PING\0\x01ctx"[..],
        b"\x04PING\0",
        b"\x04PONG",
        b"\x09SUBSCRIBEtopic",
        b"\x06CANCELtopic",
        b"\x05ERROR\x01!",
        b"\x05READY",
        b"\x03XYZ",
        b"\x09XYZ",
        b"",
    ]);
    let piece = prop_oneof![
        6 => (0..4_u8, any_frame()).prop_map(|(flags, body)| frame(flags & 1, &body)),
        2 => (0..4_u8, 0..9_u64).prop_map(|(flags, size)| {
            [&[flags | 2][..], &size.to_be_bytes(), &vec![1; size as usize]].concat()
        }),
        3 => command.prop_map(|body| frame(4, body)),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Feeds `bytes` in pieces of the given lengths, repeatedly.
fn feed_in_pieces(end: &mut TestPeer, mut bytes: &[u8], lens: &[usize]) {
    for len in lens.iter().cycle() {
        if bytes.is_empty() {
            return;
        }
        let (piece, rest) = bytes.split_at((*len).min(bytes.len()));
        end.feed(piece, usize::MAX);
        bytes = rest;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encoded_messages_decode_unchanged(
        messages in proptest::collection::vec(any_message(), 1..8),
        lens in proptest::collection::vec(1..5000_usize, 1..8),
    ) {
        let mut pair = Pair::connected(SocketType::Push, SocketType::Pull, usize::MAX);
        messages.iter().for_each(|frames| pair.send(frames.clone()));
        let bytes = pair.client.written();
        feed_in_pieces(&mut pair.server, &bytes, &lens);
        let expected: Vec<_> = messages.into_iter().map(|frames| Inbound::Message(frames.into())).collect();
        prop_assert!(pair.server.recv() == expected, "{:?}", pair.server.error());
    }

    #[test]
    fn chunking_never_changes_outcome(
        bytes in prop_oneof![near_frames(), proptest::collection::vec(any::<u8>(), 0..300)],
        lens in proptest::collection::vec(1..40_usize, 1..8),
        ours in proptest::sample::select(vec![SocketType::Xpub, SocketType::Dealer]),
        limits in proptest::sample::select(vec![
            Limits::default(),
            Limits { max_frame_size: 300, max_message_size: 500, max_frames: 3 },
        ]),
        during_handshake in any::<bool>(),
    ) {
        let outcome = |lens: &[usize]| {
            let mut config = SessionConfig::new(ours);
            config.limits = limits;
            let peer = if ours == SocketType::Xpub { SocketType::Sub } else { SocketType::Router };
            let mut end = if during_handshake {
                let mut end = TestPeer::new(config, Instant::now());
                end.feed(&greeting(1), usize::MAX);
                end
            } else {
                TestPeer::established(config, peer)
            };
            feed_in_pieces(&mut end, &bytes, lens);
            (end.recv(), end.error().cloned(), end.written())
        };
        prop_assert_eq!(outcome(&[usize::MAX]), outcome(&lens));
    }

    #[test]
    fn handshake_noise_outcome_ignores_chunking(
        good in 0..64_usize,
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        lens in proptest::collection::vec(1..20_usize, 1..4),
    ) {
        let bytes = [&greeting(1)[..good], &noise].concat();
        let outcome = |lens: &[usize]| {
            let mut end = TestPeer::new(SessionConfig::new(SocketType::Dealer), Instant::now());
            feed_in_pieces(&mut end, &bytes, lens);
            (end.recv(), end.error().cloned(), end.written())
        };
        prop_assert_eq!(outcome(&[usize::MAX]), outcome(&lens));
    }
}
