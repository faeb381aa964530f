//! CURVE between two honest peers.

use std::time::{Duration, Instant};

use monocoque_core::Message;
use monocoque_zmtp::{
    AuthReply, ConfigError, Credentials, Entropy, Incompatible, Limits, Misbehaved, SessionConfig,
    SocketType, Subscription, ZmtpError, ZmtpSession,
};
use testing::for_each_chunk_size;
use testing::session::{Inbound, Pair, TestPeer, greeting};

use crate::common::{
    client_key, config, curve_client, curve_client_of, curve_pair, curve_server, sealed_pair,
};

for_each_chunk_size! {
    fn messages_travel_sealed(chunk_len) {
        let mut pair = sealed_pair(SocketType::Dealer, SocketType::Router, chunk_len);
        let messages: Vec<Message> = vec![
            "".into(),
            "marker".into(),
            ["marker", "", "marker"].into(),
            vec![7; 255].into(),
            vec![7; 256].into(),
            vec![7; 257].into(),
            vec![7; 5000].into(),
            [vec![1; 70_000], vec![2; 3]].into(),
        ];
        for message in &messages {
            pair.send(message.clone());
            let wire = pair.client.written();
            assert!(!contains(&wire, b"marker") && !contains(&wire, &[7; 16]));
            pair.server.feed(&wire, chunk_len);
            assert_eq!(pair.server.recv(), [Inbound::Message(message.clone())]);
            pair.server.send(message.clone());
            let wire = pair.server.written();
            assert!(!contains(&wire, b"marker") && !contains(&wire, &[7; 16]));
            pair.client.feed(&wire, chunk_len);
            assert_eq!(pair.client.recv(), [Inbound::Message(message.clone())]);
        }
    }

    fn subscriptions_travel_sealed(chunk_len) {
        for minor in [0, 1] {
            let mut pair = curve_pair(SocketType::Sub, SocketType::Pub, chunk_len);
            let mut greeting = pair.server.written();
            greeting[11] = minor;
            pair.client.feed(&greeting, chunk_len);
            pair.handshake();
            for topic in [vec![], b"marker".to_vec(), vec![3; 300], vec![3; 100_000]] {
                for kind in [Subscription::Subscribe, Subscription::Cancel] {
                    pair.client.subscribe(kind, &topic);
                    let wire = pair.client.written();
                    assert!(!contains(&wire, b"marker") && !contains(&wire, b"SUBSCRIBE"));
                    pair.server.feed(&wire, chunk_len);
                    pair.server.peer.as_ref().expect("a peer").topic_budget.set_used(topic.len() as u64);
                    let topic = Message::from(topic.clone());
                    let expected = match kind {
                        Subscription::Subscribe => Inbound::Subscribe(topic),
                        Subscription::Cancel => Inbound::Cancel(topic),
                    };
                    assert_eq!(pair.server.recv(), [expected], "to a peer of 3.{minor}");
                }
            }
        }
    }
}

#[test]
fn heartbeats_travel_sealed() {
    let interval = Some(Duration::from_millis(10));
    let mut client = config(SocketType::Dealer, curve_client());
    client.heartbeat.interval = interval;
    let mut pair = Pair::new(client, config(SocketType::Router, curve_server()), usize::MAX);
    pair.handshake();
    pair.client.now += Duration::from_millis(10);
    pair.client.tick();
    let ping = pair.client.written();
    assert!(!ping.is_empty() && !contains(&ping, b"PING"));
    pair.server.feed(&ping, usize::MAX);
    let pong = pair.server.written();
    assert!(!pong.is_empty() && !contains(&pong, b"PONG"));
    pair.client.feed(&pong, usize::MAX);
    pair.advance(Duration::from_millis(100));
    assert!(pair.client.is_ready() && pair.server.is_ready());
}

#[test]
fn application_is_asked_about_client_key() {
    let mut client = config(SocketType::Dealer, curve_client());
    client.routing_id = "worker".into();
    client.properties.push("X-zone", b"north").expect("a property");
    let server = SessionConfig { authenticates: true, ..config(SocketType::Router, curve_server()) };
    for reply in [AuthReply::allow_user("anna"), AuthReply::deny()] {
        let mut pair = Pair::new(client.clone(), server.clone(), 7);
        pair.drive();
        let question = pair.server.question().expect("asked");
        match question.credentials {
            Credentials::Curve(key) => assert_eq!(key, client_key().public_key()),
            ref other => panic!("{other:?}"),
        }
        assert_eq!(question.routing_id, "worker");
        assert_eq!(question.properties.get("x-ZONE"), Some(&b"north"[..]));
        pair.server.answer(reply.clone());
        pair.drive();
        if reply == AuthReply::deny() {
            match pair.client.error() {
                Some(ZmtpError::PeerError(reason)) => assert_eq!(reason.status(), Some(400)),
                other => panic!("{other:?}"),
            }
        } else {
            assert_eq!(pair.server.peer.as_ref().expect("a peer").admission.user_id, "anna");
            assert!(pair.client.is_ready());
        }
    }
}

#[test]
fn each_key_must_match() {
    // The client takes another key for the server's: its HELLO cannot be opened.
    let other = client_key().public_key();
    let mut pair = Pair::new(
        config(SocketType::Dealer, curve_client_of(other)),
        config(SocketType::Router, curve_server()),
        7,
    );
    pair.drive();
    let error = Misbehaved::CannotOpen(monocoque_zmtp::CommandKind::Hello);
    assert_eq!(pair.server.error(), Some(&error.into()));
    assert!(!pair.client.is_ready());
}

#[test]
fn incompatible_client_is_refused_before_ready() {
    let mut pair = curve_pair(SocketType::Push, SocketType::Router, 7);
    pair.drive();
    assert!(matches!(pair.server.error(), Some(ZmtpError::Incompatible(Incompatible::SocketType { .. }))));
    assert!(matches!(pair.client.error(), Some(ZmtpError::PeerError(_))));
}

#[test]
fn peer_of_another_mechanism_is_refused() {
    for mechanism in [curve_client(), curve_server()] {
        let mut end = TestPeer::new(config(SocketType::Dealer, mechanism), Instant::now());
        end.feed(&greeting(1), 64);
        assert!(matches!(end.error(), Some(ZmtpError::Incompatible(Incompatible::Mechanism { .. }))));
    }
}

#[test]
fn limits_apply_to_opened_frames() {
    let limits = Limits { max_frame_size: 100_000, max_message_size: 150_000, max_frames: 3 };
    let server = SessionConfig { limits, ..config(SocketType::Pull, curve_server()) };
    let sends = |messages: Vec<Message>| {
        let mut pair = Pair::new(config(SocketType::Push, curve_client()), server.clone(), usize::MAX);
        pair.handshake();
        for message in messages {
            pair.send(message);
        }
        pair.drive();
        (pair.server.recv().len(), pair.server.error().cloned())
    };
    assert_eq!(sends(vec![vec![0; 100_000].into()]), (1, None));
    let (size, limit) = (100_001, 100_000);
    let error = Misbehaved::FrameTooLarge { size, limit }.into();
    assert_eq!(sends(vec![vec![0; 100_001].into()]), (0, Some(error)));
    assert_eq!(sends(vec![[vec![0; 100_000], vec![0; 50_000]].into()]), (1, None));
    let (_, error) = sends(vec![[vec![0; 100_000], vec![0; 50_001]].into()]);
    let error = error.expect("refused");
    let is_too_large = matches!(error, ZmtpError::Misbehaved(Misbehaved::MessageTooLarge { .. }));
    assert!(is_too_large, "{error:?}");
    assert_eq!(sends(vec![["a", "b", "c"].into()]), (1, None));
    let error = Misbehaved::TooManyFrames { limit: 3 }.into();
    assert_eq!(sends(vec!["x".into(), ["a", "b", "c", "d"].into()]), (1, Some(error)));
}

#[test]
fn session_without_entropy_is_refused() {
    let config = config(SocketType::Dealer, curve_client());
    assert_eq!(ZmtpSession::new(config.clone()).err(), Some(ConfigError::NoEntropy));
    assert!(ZmtpSession::with_entropy(config, Entropy::new([1; Entropy::LEN])).is_ok());
}

#[test]
fn secrets_are_not_printed() {
    let secret = client_key().to_z85().to_string();
    let bytes = format!("{:?}", client_key().expose());
    let mut pair = curve_pair(SocketType::Dealer, SocketType::Router, 7);
    pair.drive();
    let session =
        ZmtpSession::with_entropy(config(SocketType::Dealer, curve_client()), Entropy::new([9; 96]));
    for text in [format!("{:?}", config(SocketType::Dealer, curve_client())), format!("{session:?}")] {
        assert!(!text.contains(&secret) && !text.contains(&bytes), "{text}");
    }
}

fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker)
}
