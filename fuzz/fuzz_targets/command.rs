//! Commands have exactly the effect that their specification gives them, in a handshake and in
//! traffic; metadata is preserved.
//!
//! Input: socket type, then the body of a command.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use monocoque_fuzz::{Inbound, Script, TestPeer, counterpart, frame, greeting};
use monocoque_zmtp::{CommandKind, Malformed, Misbehaved, PeerInfo, SessionConfig, SocketType, ZmtpError};

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let ours = *script.choose(&SocketType::ALL);
    let body = script.rest();
    in_handshake(ours, body);
    in_traffic(ours, body);
});

/// Checks that the command ends the handshake, with success or an error.
fn in_handshake(ours: SocketType, body: &[u8]) {
    let mut ends = [usize::MAX, 1].map(|chunk_len| {
        let mut end = TestPeer::new(SessionConfig::new(ours), Instant::now());
        end.feed(&greeting(1), usize::MAX);
        end.feed(&frame(COMMAND, body), chunk_len);
        end
    });
    let [end, chopped] = &mut ends;
    assert_eq!(end.error(), chopped.error());
    assert_eq!(end.written(), chopped.written());
    match (&end.peer, end.error()) {
        (Some(peer), None) => check_peer(ours, peer, body),
        (None, Some(_)) => {}
        undecided => panic!("{undecided:?}"),
    }
}

fn check_peer(ours: SocketType, peer: &PeerInfo, body: &[u8]) {
    let properties = &peer.properties;
    let metadata = properties.iter().flat_map(|(name, value)| {
        [&[name.len() as u8], name.as_bytes(), &(value.len() as u32).to_be_bytes(), value].concat()
    });
    assert!(b"\x05READY".iter().copied().chain(metadata).eq(body.iter().copied()), "{properties:?}");
    for (name, _) in properties.iter() {
        let first = properties.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        assert_eq!(properties.get(name), first.map(|(_, value)| value));
    }
    assert!(ours.is_compatible_with(peer.socket_type));
    assert_eq!(properties.get("socket-type"), Some(peer.socket_type.name().as_bytes()));
    assert_eq!(properties.get("IDENTITY").unwrap_or_default(), peer.routing_id);
    assert!(peer.routing_id.len() <= 255 && !peer.routing_id.starts_with(&[0]));
}

/// The effect of a command in traffic.
#[derive(Debug, Default, PartialEq)]
struct Effect {
    received: Vec<Inbound>,
    answer: Vec<u8>,
    /// The time within which the peer promises to send something.
    ttl: Duration,
    /// The reason that the peer gave for closing.
    refusal: Option<String>,
    error: Option<ZmtpError>,
}

fn in_traffic(ours: SocketType, body: &[u8]) {
    let expected = effect(ours, body);
    for chunk_len in [usize::MAX, 1] {
        let mut end = TestPeer::established(SessionConfig::new(ours), counterpart(ours));
        end.feed(&frame(COMMAND, body), chunk_len);
        let (refusal, error) = match end.error().cloned() {
            Some(ZmtpError::PeerError(reason)) => (Some(reason.to_string()), None),
            error => (None, error),
        };
        let ttl = end.deadline().map_or(Duration::ZERO, |at| at - end.now);
        let found = Effect { received: end.recv(), answer: end.written(), ttl, refusal, error };
        assert_eq!(found, expected);
        if !ttl.is_zero() {
            check_ttl_expiry(end, ttl);
        }
    }
}

/// Checks that a silent peer is disconnected when its TTL has expired, and not before.
fn check_ttl_expiry(mut end: TestPeer, ttl: Duration) {
    end.now += ttl - Duration::from_millis(1);
    end.tick();
    assert_eq!(end.error(), None);
    end.now += Duration::from_millis(1);
    end.tick();
    assert_eq!(end.error(), Some(&ZmtpError::TtlExpired));
}

/// Returns the effect that RFC 23 and 37 give a command in traffic.
fn effect(ours: SocketType, body: &[u8]) -> Effect {
    let fails = |error: ZmtpError| Effect { error: Some(error), ..Effect::default() };
    let unexpected = |kind| fails(Misbehaved::UnexpectedCommand(kind).into());
    let [name_len, rest @ ..] = body else { return fails(Malformed::EmptyCommand.into()) };
    if *name_len == 0 {
        return fails(Malformed::EmptyCommandName.into());
    }
    if rest.len() < usize::from(*name_len) {
        return fails(Malformed::CommandNameOverrun.into());
    }
    let (name, data) = rest.split_at(usize::from(*name_len));
    match (name, data) {
        (b"PING", [high, low, context @ ..]) => {
            let context = &context[..context.len().min(16)];
            Effect {
                answer: frame(COMMAND, &[b"\x04PONG", context].concat()),
                ttl: Duration::from_millis(100) * u16::from_be_bytes([*high, *low]).into(),
                ..Effect::default()
            }
        }
        (b"PING", _) => fails(Malformed::Ping.into()),
        (b"SUBSCRIBE", topic) if ours.takes_subscriptions() => {
            Effect { received: vec![Inbound::Subscribe(topic.into())], ..Effect::default() }
        }
        (b"CANCEL", topic) if ours.takes_subscriptions() => {
            Effect { received: vec![Inbound::Cancel(topic.into())], ..Effect::default() }
        }
        (b"SUBSCRIBE", _) => unexpected(CommandKind::Subscribe),
        (b"CANCEL", _) => unexpected(CommandKind::Cancel),
        (b"READY", _) => unexpected(CommandKind::Ready),
        (b"HELLO", _) => unexpected(CommandKind::Hello),
        (b"WELCOME", _) => unexpected(CommandKind::Welcome),
        (b"INITIATE", _) => unexpected(CommandKind::Initiate),
        (b"MESSAGE", _) => unexpected(CommandKind::Message),
        (b"ERROR", [len, reason @ ..]) if reason.len() == usize::from(*len) => {
            let printable = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
            Effect { refusal: Some(reason.iter().map(printable).collect()), ..Effect::default() }
        }
        (b"ERROR", _) => fails(Malformed::ErrorReason.into()),
        _ => Effect::default(),
    }
}

const COMMAND: u8 = 4;
