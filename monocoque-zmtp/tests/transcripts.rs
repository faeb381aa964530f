//! Golden transcripts: the bytes that libzmq and this crate write, in both directions.

use std::time::Instant;

use monocoque_core::{Message, Outbox};
use monocoque_zmtp::{Revision, SessionConfig, SocketType, Subscription, ZmtpError, encode_message};
use testing::for_each_chunk_size;
use testing::session::{Inbound, Pair, TestPeer, greeting, ready};

const OUR_GREETING: &[u8; 64] = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const DEALER_READY: &[u8; 43] = b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0";
const ROUTER_READY: &[u8; 43] = b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";

for_each_chunk_size! {
    fn libzmq_dealer_connects_to_router(chunk_len) {
        let mut router = TestPeer::new(SessionConfig::new(SocketType::Router), Instant::now());
        assert_eq!(router.written(), OUR_GREETING, "whole, before anything arrives");
        // libzmq sends ten bytes and waits; byte 8 is not zero.
        router.feed(b"\xff\0\0\0\0\0\0\0\x01\x7f", chunk_len);
        assert_eq!(router.written(), b"");
        router.feed(&greeting(1)[10..], chunk_len);
        assert_eq!(router.written(), ROUTER_READY, "at once, without the peer's READY");
        assert!(!router.is_ready());
        router.feed(DEALER_READY, chunk_len);
        assert!(router.is_ready());
        let peer = router.peer.as_ref().expect("a peer");
        assert_eq!(peer.socket_type, SocketType::Dealer);
        assert_eq!(peer.routing_id, "");
        assert_eq!(peer.revision, Revision::V3_1);
        assert_eq!(peer.properties.get("identity"), Some(&b""[..]));
        assert_eq!(router.written(), b"");
    }

    fn libzmq_staged_greeting_is_accepted(chunk_len) {
        let mut end = TestPeer::new(SessionConfig::new(SocketType::Dealer), Instant::now());
        let bytes = greeting(1);
        for stage in [&bytes[..10], &bytes[10..11], &bytes[11..]] {
            end.feed(stage, chunk_len);
        }
        end.feed(&ready(SocketType::Router), chunk_len);
        assert!(end.is_ready());
    }

    fn messages_match_golden_bytes(chunk_len) {
        let table: [(Message, Vec<u8>); 8] = [
            ("HELLO".into(), b"\x00\x05HELLO".to_vec()),
            (["", "Hi"].into(), b"\x01\x00\x00\x02Hi".to_vec()),
            (
                [&b"\x01\0\0\0"[..], b"", b"Hi"].into(),
                b"\x01\x04\x01\0\0\0\x01\x00\x00\x02Hi".to_vec(),
            ),
            (["A", "B"].into(), b"\x01\x01A\x00\x01B".to_vec()),
            ("".into(), b"\x00\x00".to_vec()),
            (vec![7; 255].into(), [&b"\x00\xff"[..], &[7; 255]].concat()),
            (vec![7; 256].into(), [&b"\x02\0\0\0\0\0\0\x01\0"[..], &[7; 256]].concat()),
            (
                [vec![7; 256], b"B".to_vec()].into(),
                [&b"\x03\0\0\0\0\0\0\x01\0"[..], &[7; 256], b"\x00\x01B"].concat(),
            ),
        ];
        for (message, bytes) in table {
            let mut out = Outbox::new();
            encode_message(&message, &mut out);
            assert_eq!(out.slices().collect::<Vec<_>>().concat(), bytes, "{message:?}");
            assert_eq!(out.messages(), 1);
            let mut end = TestPeer::established(SessionConfig::new(SocketType::Dealer), SocketType::Router);
            end.feed(&bytes, chunk_len);
            assert_eq!(end.recv(), [Inbound::Message(message)]);
            assert_eq!(end.written(), b"");
        }
    }

    fn subscriptions_match_golden_bytes(chunk_len) {
        use Revision::{V3_0, V3_1};
        use Subscription::{Cancel, Subscribe};
        let long = |len: usize| vec![b't'; len];
        let table = [
            (Subscribe, vec![], V3_1, b"\x04\x0a\x09SUBSCRIBE".to_vec()),
            (Subscribe, b"A".to_vec(), V3_1, b"\x04\x0b\x09SUBSCRIBEA".to_vec()),
            (Cancel, b"A".to_vec(), V3_1, b"\x04\x08\x06CANCELA".to_vec()),
            (Subscribe, long(245), V3_1, [&b"\x04\xff\x09SUBSCRIBE"[..], &long(245)].concat()),
            (
                Subscribe,
                long(246),
                V3_1,
                [&b"\x06\0\0\0\0\0\0\x01\0\x09SUBSCRIBE"[..], &long(246)].concat(),
            ),
            (Cancel, long(248), V3_1, [&b"\x04\xff\x06CANCEL"[..], &long(248)].concat()),
            (Cancel, long(249), V3_1, [&b"\x06\0\0\0\0\0\0\x01\0\x06CANCEL"[..], &long(249)].concat()),
            (Subscribe, vec![], V3_0, b"\x00\x01\x01".to_vec()),
            (Subscribe, b"A".to_vec(), V3_0, b"\x00\x02\x01A".to_vec()),
            (Cancel, b"A".to_vec(), V3_0, b"\x00\x02\x00A".to_vec()),
            (Subscribe, long(254), V3_0, [&b"\x00\xff\x01"[..], &long(254)].concat()),
            (Subscribe, long(255), V3_0, [&b"\x02\0\0\0\0\0\0\x01\0\x01"[..], &long(255)].concat()),
            (Cancel, long(256), V3_0, [&b"\x02\0\0\0\0\0\0\x01\x01\x00"[..], &long(256)].concat()),
        ];
        for (kind, topic, revision, bytes) in table {
            let minor = u8::from(revision == V3_1);
            let config = SessionConfig::new(SocketType::Sub);
            let mut subscriber = TestPeer::established_over(minor, config, SocketType::Pub);
            subscriber.subscribe(kind, &topic);
            assert_eq!(subscriber.output.messages(), 1);
            assert_eq!(subscriber.written(), bytes, "{kind:?} of {} bytes, {revision:?}", topic.len());
            let topic = Message::from(topic);
            let item = match kind {
                Subscribe => Inbound::Subscribe(topic),
                Cancel => Inbound::Cancel(topic),
            };
            // A publisher accepts both forms.
            for ours in [SocketType::Pub, SocketType::Xpub] {
                let mut end = TestPeer::established(SessionConfig::new(ours), SocketType::Sub);
                end.feed(&bytes, chunk_len);
                assert_eq!(end.recv(), std::slice::from_ref(&item));
            }
        }
    }

    fn ping_is_answered_by_pong(chunk_len) {
        let long_context = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789";
        let table = [
            (b"\x04\x0a\x04PING\0\0LOL".to_vec(), &b"\x04\x08\x04PONGLOL"[..]),
            (b"\x04\x07\x04PING\0\0".to_vec(), b"\x04\x05\x04PONG"),
            ([&b"\x04\x41\x04PING\0\0"[..], long_context].concat(), b"\x04\x15\x04PONG0123456789abcdef"),
        ];
        // Types that only send or only receive answer as well.
        for (ours, theirs) in [
            (SocketType::Dealer, SocketType::Router),
            (SocketType::Push, SocketType::Pull),
            (SocketType::Pub, SocketType::Sub),
        ] {
            for (ping, pong) in &table {
                let mut end = TestPeer::established(SessionConfig::new(ours), theirs);
                end.feed(ping, chunk_len);
                assert_eq!(end.written(), *pong);
                assert_eq!(end.recv(), []);
            }
        }
    }

    fn peer_error_closes_connection(chunk_len) {
        let error = b"\x04\x0a\x05ERROR\x03400";
        let refused = |end: &TestPeer| match end.error() {
            Some(ZmtpError::PeerError(reason)) => reason.as_str() == "400",
            _ => false,
        };
        let mut end = TestPeer::new(SessionConfig::new(SocketType::Dealer), Instant::now());
        end.feed(&greeting(1), chunk_len);
        end.feed(error, chunk_len);
        assert!(refused(&end), "in the handshake: {:?}", end.error());
        let mut end = TestPeer::established(SessionConfig::new(SocketType::Dealer), SocketType::Router);
        end.feed(error, chunk_len);
        assert!(refused(&end), "in traffic: {:?}", end.error());
    }

    fn unknown_commands_are_ignored(chunk_len) {
        let mut end = TestPeer::established(SessionConfig::new(SocketType::Dealer), SocketType::Router);
        end.feed(b"\x04\x06\x04JOINg\x04\x04\x03XYZ\x04\x05\x04PONG\x00\x05HELLO", chunk_len);
        assert_eq!(end.recv(), [Inbound::Message("HELLO".into())]);
        assert_eq!(end.written(), b"");
    }

    fn zmtp30_peer_gets_subscription_messages(chunk_len) {
        let mut end = TestPeer::new(SessionConfig::new(SocketType::Xsub), Instant::now());
        end.feed(&greeting(0), chunk_len);
        end.feed(&ready(SocketType::Pub), chunk_len);
        assert_eq!(end.peer.as_ref().expect("a peer").revision, Revision::V3_0);
        end.written();
        end.subscribe(Subscription::Subscribe, b"A");
        let large = vec![7; 5_000];
        end.send([&large[..], b"", b"end"]);
        end.subscribe(Subscription::Cancel, b"A");
        let message = [&b"\x03\0\0\0\0\0\0\x13\x88"[..], &large, b"\x01\0\0\x03end"].concat();
        assert_eq!(end.written(), [&b"\x00\x02\x01A"[..], &message, b"\x00\x02\x00A"].concat());
    }

    fn handshake_succeeds_for_compatible_types(chunk_len) {
        for client in SocketType::ALL {
            for server in SocketType::ALL {
                let config = SessionConfig::new;
                let mut pair = Pair::new(config(client), config(server), chunk_len);
                pair.drive();
                assert_eq!(pair.client.is_ready(), client.is_compatible_with(server));
                assert_eq!(pair.server.is_ready(), client.is_compatible_with(server));
            }
        }
    }

    fn routing_id_announced_by_applicable_types(chunk_len) {
        for (client, server) in [
            (SocketType::Req, SocketType::Router),
            (SocketType::Dealer, SocketType::Router),
            (SocketType::Router, SocketType::Router),
            (SocketType::Push, SocketType::Pull),
            (SocketType::Sub, SocketType::Pub),
        ] {
            let mut config = SessionConfig::new(client);
            config.routing_id = "worker-1".into();
            let mut pair = Pair::new(config, SessionConfig::new(server), chunk_len);
            pair.handshake();
            let expected = if client.announces_routing_id() { "worker-1" } else { "" };
            let peer = pair.server.peer.as_ref().expect("a peer");
            assert_eq!(peer.routing_id, expected);
            assert_eq!(peer.properties.get("IDENTITY").is_some(), client.announces_routing_id());
        }
    }
}

#[test]
fn ready_matches_libzmq_bytes() {
    for (ours, theirs) in [
        (SocketType::Xpub, SocketType::Sub),
        (SocketType::Sub, SocketType::Xpub),
        (SocketType::Req, SocketType::Rep),
        (SocketType::Rep, SocketType::Req),
        (SocketType::Pair, SocketType::Pair),
    ] {
        let mut end = TestPeer::new(SessionConfig::new(ours), Instant::now());
        end.written();
        end.feed(&greeting(1), usize::MAX);
        assert_eq!(end.written(), ready(ours), "to {theirs}");
    }
    assert_eq!(ready(SocketType::Xpub).len(), 28);
    assert_eq!(ready(SocketType::Sub).len(), 27);
    assert_eq!(ready(SocketType::Dealer), DEALER_READY);
}
