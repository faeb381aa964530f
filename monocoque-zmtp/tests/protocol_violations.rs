//! Violations by a peer: each is detected exactly, however its bytes arrive.

use std::time::Instant;

use monocoque_zmtp::{
    CommandKind, Incompatible, Limits, Malformed, Misbehaved, SessionConfig, SocketType, ZmtpError,
};
use testing::session::{Inbound, Pair, TestPeer, greeting, ready};
use testing::{for_each_chunk_size, frame};

/// Returns the error of a session for these first bytes.
fn first_bytes_error(bytes: &[u8], chunk_len: usize) -> ZmtpError {
    let mut end = TestPeer::new(SessionConfig::new(SocketType::Dealer), Instant::now());
    end.feed(bytes, chunk_len);
    end.error().expect("refused").clone()
}

/// Returns the error of a session for these bytes after a valid greeting.
fn handshake_error(bytes: &[u8], chunk_len: usize) -> ZmtpError {
    first_bytes_error(&[&greeting(1), bytes].concat(), chunk_len)
}

/// Creates a peer that has completed its handshake.
fn active(ours: SocketType) -> TestPeer {
    TestPeer::established(SessionConfig::new(ours), counterpart(ours))
}

fn counterpart(ours: SocketType) -> SocketType {
    SocketType::ALL.into_iter().find(|theirs| ours.is_compatible_with(*theirs)).expect("a peer")
}

/// Returns the error of a decoder for these bytes.
fn traffic_error(ours: SocketType, bytes: &[u8], chunk_len: usize) -> ZmtpError {
    let mut end = active(ours);
    end.feed(bytes, chunk_len);
    assert_eq!(end.recv(), [], "rejected bytes produce no item");
    end.error().expect("refused").clone()
}

fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name, &(value.len() as u32).to_be_bytes(), value].concat()
}

fn ready_with(metadata: &[u8]) -> Vec<u8> {
    frame(4, &[b"\x05READY", metadata].concat())
}

for_each_chunk_size! {
    fn foreign_or_old_protocols_are_rejected(chunk_len) {
        let signature: ZmtpError = Malformed::Signature.into();
        let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        for bytes in [&[0; 64][..], http, tls, b"SSH-2.0-OpenSSH_9.6\r\n", b"\x01\x00", b"\xff\0\0\0\0\0\0\0\x01\0"] {
            assert_eq!(first_bytes_error(bytes, chunk_len), signature);
        }
        for major in 0..3 {
            let older = [&b"\xff\0\0\0\0\0\0\0\x01\x7f"[..], &[major], b"\x05\x00\x00"].concat();
            assert_eq!(first_bytes_error(&older, chunk_len), Incompatible::Version { major }.into());
        }
    }

    fn other_mechanisms_are_rejected(chunk_len) {
        for name in [&b"PLAIN"[..], b"CURVE", b"null", b"NULLX", b""] {
            let mut bytes = greeting(1);
            bytes[12..16].fill(0);
            bytes[12..12 + name.len()].copy_from_slice(name);
            match first_bytes_error(&bytes, chunk_len) {
                ZmtpError::Incompatible(Incompatible::Mechanism { theirs }) => {
                    assert_eq!(theirs.to_string().as_bytes(), name);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn malformed_metadata_is_rejected(chunk_len) {
        let socket_type = property(b"Socket-Type", b"ROUTER");
        let overrun: ZmtpError = Malformed::PropertyOverrun.into();
        let table: [(Vec<u8>, ZmtpError); 11] = [
            (b"\x0bSocket-Type\0\0\0\x07ROUTER".to_vec(), overrun.clone()),
            (b"\x0bSocket-Type\xff\xff\xff\xffROUTER".to_vec(), overrun.clone()),
            ([&socket_type[..], b"\x08"].concat(), overrun.clone()),
            ([&socket_type[..], b"\xff"].concat(), overrun),
            ([&socket_type[..], b"\0"].concat(), Malformed::EmptyPropertyName.into()),
            ([socket_type.clone(), property(b"a b", b"")].concat(), Malformed::PropertyName.into()),
            (vec![], Misbehaved::MissingSocketType.into()),
            (property(b"Identity", b""), Misbehaved::MissingSocketType.into()),
            (
                [socket_type.clone(), property(b"Identity", b"\0\x01\x02\x03\x04")].concat(),
                Misbehaved::RoutingIdReserved.into(),
            ),
            (
                [socket_type.clone(), property(b"identity", &[7; 256])].concat(),
                Misbehaved::RoutingIdTooLong(256).into(),
            ),
            ([socket_type, property(b"X", b"").repeat(256)].concat(), Misbehaved::TooManyProperties.into()),
        ];
        for (metadata, error) in table {
            assert_eq!(handshake_error(&ready_with(&metadata), chunk_len), error, "{}", metadata.escape_ascii());
        }
    }

    fn traffic_during_handshake_is_rejected(chunk_len) {
        let unexpected = |kind| ZmtpError::from(Misbehaved::UnexpectedCommand(kind));
        let table: [(&[u8], ZmtpError); 10] = [
            (b"\x00\x05HELLO", Misbehaved::MessageInHandshake.into()),
            (b"\x01\x00", Misbehaved::MessageInHandshake.into()),
            (b"\x02\0\0\0\0\0\0\0\x01A", Misbehaved::MessageInHandshake.into()),
            (b"\x04\x07\x04PING\0\0", unexpected(CommandKind::Ping)),
            (b"\x04\x0a\x09SUBSCRIBE", unexpected(CommandKind::Subscribe)),
            (b"\x04\x04\x03XYZ", unexpected(CommandKind::Unknown)),
            (b"\x04\x00", Malformed::EmptyCommand.into()),
            (b"\x04\x06\x06READY", Malformed::CommandNameOverrun.into()),
            (b"\x04\x07\x05ERROR\x01", Malformed::ErrorReason.into()),
            (b"\x08\x00", Malformed::ReservedFlags(8).into()),
        ];
        for (bytes, error) in table {
            assert_eq!(handshake_error(bytes, chunk_len), error, "{}", bytes.escape_ascii());
        }
        for size in [65_537, i64::MAX as u64] {
            let header = [&[6][..], &size.to_be_bytes()].concat();
            assert_eq!(handshake_error(&header, chunk_len), Misbehaved::HandshakeCommandTooLarge(size).into());
        }
    }

    fn second_ready_is_rejected(chunk_len) {
        let twice = ready(SocketType::Router).repeat(2);
        assert_eq!(handshake_error(&twice, chunk_len), Misbehaved::UnexpectedCommand(CommandKind::Ready).into());
    }

    fn incompatible_peer_receives_error(chunk_len) {
        let (ours, theirs) = (SocketType::Dealer, SocketType::Pub);
        for (name, error) in [
            (&b"PUB"[..], Incompatible::SocketType { ours, theirs }),
            (b"STREAM", Incompatible::UnknownSocketType),
            (b"dealer", Incompatible::UnknownSocketType),
            (b"", Incompatible::UnknownSocketType),
        ] {
            let mut end = TestPeer::new(SessionConfig::new(ours), Instant::now());
            end.feed(&greeting(1), chunk_len);
            end.written();
            end.feed(&ready_with(&property(b"Socket-Type", name)), chunk_len);
            assert_eq!(end.error(), Some(&error.into()));
            assert_eq!(end.written(), b"\x04\x20\x05ERROR\x19Incompatible socket types");
        }
    }

    fn traffic_flags_byte_is_validated(chunk_len) {
        for flags in 0..=255 {
            let mut end = active(SocketType::Dealer);
            end.feed(&[flags, 0, 0, 0, 0, 0, 0, 0, 0], chunk_len);
            match flags {
                0x00 | 0x02 => assert_eq!(end.recv()[0], Inbound::Message("".into())),
                0x01 | 0x03 => assert_eq!(end.recv().first(), (flags == 1).then(|| Inbound::Message(["", ""].into())).as_ref()),
                0x04 | 0x06 => assert_eq!(end.error(), Some(&Malformed::EmptyCommand.into())),
                0x05 | 0x07 => assert_eq!(end.error(), Some(&Malformed::CommandWithMore.into())),
                _ => assert_eq!(end.error(), Some(&Malformed::ReservedFlags(flags).into())),
            }
        }
    }

    fn malformed_commands_are_rejected(chunk_len) {
        let table: [(&[u8], Malformed); 9] = [
            (b"\x04\x00", Malformed::EmptyCommand),
            (b"\x04\x01\x00", Malformed::EmptyCommandName),
            (b"\x04\x03\x00AB", Malformed::EmptyCommandName),
            (b"\x04\x03\x03AB", Malformed::CommandNameOverrun),
            (b"\x04\x05\xffPING", Malformed::CommandNameOverrun),
            (b"\x04\x05\x04PING", Malformed::Ping),
            (b"\x04\x06\x04PING\0", Malformed::Ping),
            (b"\x04\x06\x05ERROR", Malformed::ErrorReason),
            (b"\x04\x09\x05ERROR\xff40", Malformed::ErrorReason),
        ];
        for (bytes, error) in table {
            assert_eq!(traffic_error(SocketType::Dealer, bytes, chunk_len), error.into(), "{}", bytes.escape_ascii());
        }
    }

    fn unexpected_subscription_is_rejected(chunk_len) {
        for ours in SocketType::ALL.into_iter().filter(|ours| !ours.takes_subscriptions()) {
            for (bytes, kind) in [
                (&b"\x04\x0b\x09SUBSCRIBEA"[..], CommandKind::Subscribe),
                (b"\x04\x08\x06CANCELA", CommandKind::Cancel),
            ] {
                assert_eq!(traffic_error(ours, bytes, chunk_len), Misbehaved::UnexpectedCommand(kind).into());
            }
            // There, the form of ZMTP 3.0 is an ordinary message.
            let mut end = active(ours);
            end.feed(b"\x00\x02\x01A", chunk_len);
            assert_eq!(end.recv(), [Inbound::Message("\x01A".into())]);
        }
    }

    fn publisher_receives_data_as_messages(chunk_len) {
        for ours in [SocketType::Pub, SocketType::Xpub] {
            let mut end = active(ours);
            end.feed(b"\x00\x01A\x00\x00\x01\x01\x01\x00\x01A\x00\x02\x00A", chunk_len);
            let cancel = Inbound::Cancel("A".into());
            let messages = ["A".into(), "".into(), ["\x01", "A"].into()].map(Inbound::Message);
            assert_eq!(end.recv(), [&messages[..], &[cancel]].concat());
        }
    }

    fn excess_length_is_rejected_at_header(chunk_len) {
        for size in [1 << 63, u64::MAX - 37, u64::MAX] {
            let header = [&[2][..], &size.to_be_bytes()].concat();
            assert_eq!(traffic_error(SocketType::Dealer, &header, chunk_len), Malformed::FrameLength(size).into());
        }
        let mut config = SessionConfig::new(SocketType::Dealer);
        config.limits = Limits { max_frame_size: 1000, max_message_size: 1500, max_frames: 4 };
        let refused = |bytes: &[u8]| {
            let mut end = TestPeer::established(config.clone(), SocketType::Router);
            end.feed(bytes, chunk_len);
            assert_eq!(end.recv(), []);
            end.error().cloned()
        };
        let header = |flags: u8, size: u64| [&[flags | 2][..], &size.to_be_bytes()].concat();
        let too_large = |size| Some(Misbehaved::FrameTooLarge { size, limit: 1000 }.into());
        assert_eq!(refused(&header(0, 1000)), None);
        assert_eq!(refused(&header(0, 1001)), too_large(1001));
        assert_eq!(refused(&header(0, i64::MAX as u64)), too_large(i64::MAX as u64));
        let first = frame(1, &[0; 1000]);
        assert_eq!(refused(&[&first[..], &header(0, 500)].concat()), None);
        assert_eq!(
            refused(&[&first[..], &header(0, 501)].concat()),
            Some(Misbehaved::MessageTooLarge { size: 1501, limit: 1500 }.into())
        );
        assert_eq!(refused(&b"\x01\x00".repeat(4)), None);
        assert_eq!(refused(&b"\x01\x00".repeat(5)), Some(Misbehaved::TooManyFrames { limit: 4 }.into()));
        assert_eq!(refused(b"\x01\x00\x01\x00\x01\x00\x01\x00\x00\x00"), Some(Misbehaved::TooManyFrames { limit: 4 }.into()));
        for header in [header(0, 500), header(1, 500)] {
            let one_too_many = [&b"\x01\x00".repeat(4)[..], &header].concat();
            assert_eq!(refused(&one_too_many), Some(Misbehaved::TooManyFrames { limit: 4 }.into()));
        }
        assert_eq!(refused(&[&b"\x01\x00".repeat(4)[..], &header(4, 500)].concat()), None);
    }

    fn limits_reset_per_message_ignore_commands(chunk_len) {
        let mut config = SessionConfig::new(SocketType::Dealer);
        config.limits = Limits { max_frame_size: 4, max_message_size: 6, max_frames: 2 };
        let mut end = TestPeer::established(config, SocketType::Router);
        for _ in 0..3 {
            end.feed(b"\x01\x04AAAA\x04\x07\x04PING\0\0\x00\x02BB", chunk_len);
            assert_eq!(end.recv(), [Inbound::Message(["AAAA", "BB"].into())], "{:?}", end.error());
            assert_eq!(end.written(), b"\x04\x05\x04PONG");
        }
    }

    fn oversize_command_is_rejected_at_name(chunk_len) {
        let small = Limits { max_frame_size: 1, max_message_size: 1, max_frames: 1 };
        let none = Limits::default();
        for (ours, limits) in SocketType::ALL.into_iter().flat_map(|ours| [(ours, small), (ours, none)]) {
            let mut config = SessionConfig::new(ours);
            config.limits = limits;
            let refused = |name: &str, size: u64| {
                let mut end = TestPeer::established(config.clone(), counterpart(ours));
                let header = [&[6][..], &size.to_be_bytes(), &[name.len() as u8], name.as_bytes()].concat();
                end.feed(&header, chunk_len);
                end.error().cloned()
            };
            let too_large = |kind, size, limit| Some(Misbehaved::CommandTooLarge { kind, size, limit }.into());
            for (name, kind) in [
                ("PING", CommandKind::Ping),
                ("PONG", CommandKind::Pong),
                ("ERROR", CommandKind::Error),
                ("FOO", CommandKind::Unknown),
                ("SUBSCRIBES", CommandKind::Unknown),
            ] {
                assert_eq!(refused(name, COMMAND_MAX), None, "{name} at {ours:?}");
                for size in [COMMAND_MAX + 1, 1 << 40, i64::MAX as u64] {
                    assert_eq!(refused(name, size), too_large(kind, size, COMMAND_MAX), "{name} at {ours:?}");
                }
            }
            let unexpected = |kind| Some(ZmtpError::from(Misbehaved::UnexpectedCommand(kind)));
            assert_eq!(refused("READY", 1000), unexpected(CommandKind::Ready), "{ours:?}");
            if ours.takes_subscriptions() {
                assert_eq!(refused("SUBSCRIBE", TOPICS_MAX + 10), None);
                let too_much = too_large(CommandKind::Subscribe, TOPICS_MAX + 11, TOPICS_MAX + 10);
                assert_eq!(refused("SUBSCRIBE", TOPICS_MAX + 11), too_much);
                assert_eq!(refused("CANCEL", COMMAND_MAX), None);
                let too_much = too_large(CommandKind::Cancel, COMMAND_MAX + 1, COMMAND_MAX);
                assert_eq!(refused("CANCEL", COMMAND_MAX + 1), too_much);
            } else {
                assert_eq!(refused("SUBSCRIBE", 1000), unexpected(CommandKind::Subscribe), "{ours:?}");
                assert_eq!(refused("CANCEL", 1000), unexpected(CommandKind::Cancel), "{ours:?}");
            }
        }
    }

    fn command_limit_applies_between_frames(chunk_len) {
        let mut end = active(SocketType::Pull);
        end.feed(&[&frame(1, b"first")[..], &[6], &(COMMAND_MAX + 1).to_be_bytes(), b"\x04PONG"].concat(), chunk_len);
        let (kind, size, limit) = (CommandKind::Pong, COMMAND_MAX + 1, COMMAND_MAX);
        assert_eq!(end.error(), Some(&Misbehaved::CommandTooLarge { kind, size, limit }.into()));
    }

    fn subscription_limited_by_remaining_topic_bytes(chunk_len) {
        let mut end = active(SocketType::Pub);
        let topics = end.peer.as_ref().expect("a peer").topic_budget.clone();
        topics.set_used(TOPICS_MAX - 100_000);
        let large = vec![b'x'; 100_000];
        end.feed(&frame(4, &[b"\x09SUBSCRIBE", &large[..]].concat()), chunk_len.max(100));
        assert_eq!(end.recv(), [Inbound::Subscribe(large.into())]);
        let header = [&[6][..], &100_011_u64.to_be_bytes(), b"\x09SUBSCRIBE"].concat();
        end.feed(&header, chunk_len);
        let (kind, size, limit) = (CommandKind::Subscribe, 100_011, 100_010);
        assert_eq!(end.error(), Some(&Misbehaved::CommandTooLarge { kind, size, limit }.into()));
    }

    fn legacy_subscription_has_topic_limit(chunk_len) {
        let mut config = SessionConfig::new(SocketType::Xpub);
        config.limits = Limits { max_frame_size: 1000, max_message_size: 1000, max_frames: 4 };
        let mut end = TestPeer::established(config.clone(), SocketType::Sub);
        let large = vec![b'x'; 2_000_000];
        end.feed(&frame(0, &[&[1], &large[..]].concat()), chunk_len.max(1000));
        assert_eq!(end.recv(), [Inbound::Subscribe(large.clone().into())]);
        end.peer.as_ref().expect("a peer").topic_budget.set_used(2_000_000);
        end.feed(&frame(0, &[&[0], &large[..]].concat()), chunk_len.max(1000));
        assert_eq!(end.recv(), [Inbound::Cancel(large.into())]);
        let refused = |size: u64, first: u8| {
            let mut end = TestPeer::established(config.clone(), SocketType::Sub);
            end.feed(&[&[2][..], &size.to_be_bytes()].concat(), chunk_len);
            assert_eq!(end.error(), None);
            end.feed(&[first], chunk_len);
            end.error().cloned()
        };
        let (size, limit) = (TOPICS_MAX + 2, TOPICS_MAX + 1);
        assert_eq!(refused(size, 1), Some(Misbehaved::SubscriptionTooLarge { size, limit }.into()));
        assert_eq!(refused(limit, 1), None);
        let (size, limit) = (COMMAND_MAX + 1, COMMAND_MAX);
        assert_eq!(refused(size, 0), Some(Misbehaved::SubscriptionTooLarge { size, limit }.into()));
        assert_eq!(refused(1001, b'x'), Some(Misbehaved::FrameTooLarge { size: 1001, limit: 1000 }.into()));
    }

    fn ping_flood_gets_one_pong(chunk_len) {
        let mut end = active(SocketType::Pull);
        end.feed(&b"\x04\x08\x04PING\0\0A".repeat(100), chunk_len);
        assert_eq!(end.written(), b"\x04\x06\x04PONGA");
        end.feed(b"\x04\x08\x04PING\0\0B", chunk_len);
        assert_eq!(end.written(), b"\x04\x06\x04PONGB");
    }

    fn long_form_small_length_is_accepted(chunk_len) {
        let mut end = active(SocketType::Dealer);
        end.feed(b"\x03\0\0\0\0\0\0\0\x01A\x02\0\0\0\0\0\0\0\x00", chunk_len);
        assert_eq!(end.recv(), [Inbound::Message(["A", ""].into())]);
        end.feed(b"\x06\0\0\0\0\0\0\0\x07\x04PING\0\0", chunk_len);
        assert_eq!(end.written(), b"\x04\x05\x04PONG");
    }

    fn echoed_bytes_connect_symmetric_types(chunk_len) {
        // An echo server appears as a socket of our own type: only types that are compatible with
        // themselves complete the handshake.
        for ours in SocketType::ALL {
            let mut end = TestPeer::new(SessionConfig::new(ours), Instant::now());
            for _ in 0..3 {
                let echo = end.written();
                end.feed(&echo, chunk_len);
            }
            let theirs = ours;
            match ours.is_compatible_with(theirs) {
                true => assert!(end.is_ready()),
                false => assert_eq!(end.error(), Some(&Incompatible::SocketType { ours, theirs }.into())),
            }
        }
    }

    fn ten_thousand_frames_are_received(chunk_len) {
        let mut pair = Pair::connected(SocketType::Dealer, SocketType::Router, chunk_len);
        let frames = vec![b"id".as_slice(); 10_000];
        pair.send(frames.clone());
        match &*pair.recv() {
            [Inbound::Message(message)] => assert!(message.iter().eq(frames)),
            other => panic!("{} items", other.len()),
        }
    }
}

/// The largest command without a topic.
const COMMAND_MAX: u64 = 64 * 1024;
/// The total size of the topics of one peer.
const TOPICS_MAX: u64 = 64 * 1024 * 1024;
