//! CURVE with a peer, or a wire, that breaks the rules: each change is found.

use std::time::Instant;

use monocoque_zmtp::{CommandKind, Malformed, Misbehaved, SocketType, ZmtpError};
use testing::session::{Inbound, Pair, TestPeer};

use crate::common::{config, curve_client, curve_pair, curve_server, sealed_pair};

/// The commands of one handshake, with the greetings that precede them.
struct Transcript {
    client: TestPeer,
    server: TestPeer,
    /// Each command, in order: HELLO, WELCOME, INITIATE, READY.
    commands: Vec<Vec<u8>>,
}

/// Runs a handshake with the same entropy each time, up to the command with this index.
fn transcript(up_to: usize) -> Transcript {
    let now = Instant::now();
    let mut client = TestPeer::with_entropy(config(SocketType::Dealer, curve_client()), [1; 96], now);
    let mut server = TestPeer::with_entropy(config(SocketType::Router, curve_server()), [2; 96], now);
    let greetings = [client.written(), server.written()];
    server.feed(&greetings[0], 64);
    client.feed(&greetings[1], 64);
    let mut commands = Vec::new();
    for turn in 0..=up_to {
        let (from, to) = if turn % 2 == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
        let command = from.written();
        if turn < up_to {
            to.feed(&command, 64);
        }
        commands.push(command);
    }
    Transcript { client, server, commands }
}

/// Returns the receiver of the last command of a transcript, and that command.
fn receiver(up_to: usize) -> (TestPeer, Vec<u8>) {
    let Transcript { client, server, mut commands } = transcript(up_to);
    let receiver = if up_to % 2 == 0 { server } else { client };
    (receiver, commands.pop().expect("a command"))
}

const NAMES: [CommandKind; 4] =
    [CommandKind::Hello, CommandKind::Welcome, CommandKind::Initiate, CommandKind::Ready];

#[test]
fn unchanged_commands_are_accepted() {
    for up_to in 0..4 {
        let (mut receiver, command) = receiver(up_to);
        receiver.feed(&command, 64);
        assert_eq!(receiver.error(), None);
    }
}

#[test]
fn any_flipped_bit_ends_handshake() {
    for (up_to, name) in NAMES.into_iter().enumerate() {
        let (_, command) = receiver(up_to);
        for at in 0..command.len() {
            let (mut receiver, mut command) = receiver(up_to);
            command[at] ^= 1 << (at % 8);
            receiver.feed(&command, usize::MAX);
            // A longer length in the header is not wrong before that many bytes have arrived.
            receiver.feed(&[0; 300], usize::MAX);
            let is_long = command.len() > 257;
            let waits_for_more = at < if is_long { 9 } else { 2 };
            assert!(receiver.error().is_some() || waits_for_more, "{name}, byte {at}");
            assert!(!receiver.is_ready(), "{name}, byte {at}");
        }
    }
}

#[test]
fn other_lengths_are_rejected() {
    for (up_to, name) in NAMES.into_iter().enumerate() {
        for change in [-1_i32, 1] {
            let (mut receiver, command) = receiver(up_to);
            let (header, mut body) = split(&command);
            body.resize(body.len().checked_add_signed(change as isize).expect("longer"), 0);
            receiver.feed(&join(header, &body), usize::MAX);
            assert!(receiver.error().is_some(), "{name}, {change}");
        }
        let (mut receiver, _) = receiver(up_to);
        let only_name = [&[name.to_string().len() as u8], name.to_string().as_bytes()].concat();
        receiver.feed(&join(4, &only_name), usize::MAX);
        assert_eq!(receiver.error(), Some(&Malformed::Form(name).into()));
    }
}

#[test]
fn repeated_and_reordered_commands_are_rejected() {
    let Transcript { commands, .. } = transcript(3);
    for up_to in 0..4 {
        for (other, name) in NAMES.into_iter().enumerate() {
            if other == up_to {
                continue;
            }
            let (mut receiver, _) = receiver(up_to);
            receiver.feed(&commands[other], usize::MAX);
            let unexpected = ZmtpError::from(Misbehaved::UnexpectedCommand(name));
            assert_eq!(receiver.error(), Some(&unexpected), "{name} at {up_to}");
        }
    }
}

#[test]
fn cookie_of_other_connection_is_rejected() {
    let (_, initiate) = receiver(2);
    let now = Instant::now();
    let mut server = TestPeer::with_entropy(config(SocketType::Router, curve_server()), [3; 96], now);
    let Transcript { commands, .. } = transcript(3);
    let mut client = TestPeer::with_entropy(config(SocketType::Dealer, curve_client()), [1; 96], now);
    server.feed(&client.written(), 64);
    server.feed(&commands[0], 64);
    server.feed(&initiate, 64);
    assert_eq!(server.error(), Some(&Misbehaved::Cookie.into()));
}

#[test]
fn message_before_ready_is_rejected() {
    for up_to in 0..4 {
        let (mut receiver, _) = receiver(up_to);
        receiver.feed(b"\x00\x05HELLO", 7);
        assert_eq!(receiver.error(), Some(&Misbehaved::MessageInHandshake.into()));
    }
}

fn sealed() -> Pair {
    sealed_pair(SocketType::Dealer, SocketType::Router, usize::MAX)
}

fn sealed_message(pair: &mut Pair, text: &str) -> Vec<u8> {
    pair.send(text);
    pair.client.written()
}

#[test]
fn replayed_or_reordered_messages_are_rejected() {
    let reused = ZmtpError::from(Misbehaved::NonceReused(CommandKind::Message));
    let mut pair = sealed();
    let [a, b] = ["a", "b"].map(|text| sealed_message(&mut pair, text));
    pair.server.feed(&b, 7);
    assert_eq!(pair.server.recv(), [Inbound::Message("b".into())], "gaps are accepted");
    pair.server.feed(&a, 7);
    assert_eq!(pair.server.error(), Some(&reused));

    let mut pair = sealed();
    let a = sealed_message(&mut pair, "a");
    pair.server.feed(&a, 7);
    pair.server.feed(&a, 7);
    assert_eq!(pair.server.error(), Some(&reused));
    assert_eq!(pair.server.recv(), [Inbound::Message("a".into())], "once");
}

#[test]
fn message_of_own_direction_is_rejected() {
    let mut pair = sealed();
    let message = sealed_message(&mut pair, "a");
    pair.client.feed(&message, 7);
    assert_eq!(pair.client.error(), Some(&Misbehaved::CannotOpen(CommandKind::Message).into()));
}

#[test]
fn any_flipped_bit_ends_sealed_link() {
    for len in [1, 300, 5000] {
        const COMMAND: u8 = 4;
        let text = "x".repeat(len);
        let wire_len = sealed_message(&mut sealed(), &text).len();
        for at in (0..wire_len).filter(|at| *at < 60 || *at % 97 == 0 || *at + 20 > wire_len) {
            let mut pair = sealed();
            let mut wire = sealed_message(&mut pair, &text);
            wire[at] ^= 1 << (at % 8);
            pair.server.feed(&wire, usize::MAX);
            assert_eq!(pair.server.recv(), [], "byte {at} of {len}");
            // A longer length is not wrong before that many bytes have arrived.
            let is_length = (1..if len < 200 { 2 } else { 9 }).contains(&at);
            assert!(pair.server.error().is_some() || is_length, "byte {at} of {len}");
        }
        // The one change that means the same: the header of a command, as RFC 26 has it.
        let mut pair = sealed();
        let mut wire = sealed_message(&mut pair, &text);
        wire[0] ^= COMMAND;
        pair.server.feed(&wire, 7);
        assert_eq!(pair.server.recv(), [Inbound::Message(text.into())]);
    }
}

#[test]
fn open_frames_are_rejected_when_sealed() {
    for frame in [
        &b"\x00\x05HELLO"[..],
        b"\x00\x00",
        b"\x04\x07\x04PING\0\0",
        b"\x04\x0a\x05ERROR\x03400",
        b"\x00\x2d012345678901234567890123456789012345678901234",
    ] {
        let mut pair = sealed();
        pair.server.feed(frame, 7);
        assert_eq!(pair.server.error(), Some(&Malformed::Unsealed.into()));
    }
}

#[test]
fn huge_sealed_frame_is_refused_at_header() {
    let mut server = config(SocketType::Router, curve_server());
    server.limits.max_frame_size = 100_000;
    let mut pair = Pair::new(config(SocketType::Dealer, curve_client()), server, usize::MAX);
    pair.handshake();
    pair.server.feed(&[&[2][..], &(100_034_u64).to_be_bytes()].concat(), 1);
    let (size, limit) = (100_001, 100_000);
    assert_eq!(pair.server.error(), Some(&Misbehaved::FrameTooLarge { size, limit }.into()));
}

#[test]
fn low_order_key_is_rejected() {
    let (mut server, mut hello) = receiver(0);
    // C' of the HELLO: frame header, name, version and zeros come before it.
    hello[2 + 80..2 + 112].fill(0);
    server.feed(&hello, 64);
    assert_eq!(server.error(), Some(&Misbehaved::WeakKey.into()));
}

#[test]
fn stranger_costs_no_memory_before_welcome() {
    let mut pair = curve_pair(SocketType::Dealer, SocketType::Router, usize::MAX);
    let greeting = pair.client.written();
    pair.server.feed(&greeting, usize::MAX);
    pair.server.feed(&[&[6][..], &(65_537_u64).to_be_bytes()].concat(), 1);
    assert_eq!(pair.server.error(), Some(&Misbehaved::HandshakeCommandTooLarge(65_537).into()));
}

/// Splits a command frame into its flags and its body.
fn split(frame: &[u8]) -> (u8, Vec<u8>) {
    let len = if frame[0] & 2 == 0 { 2 } else { 9 };
    (frame[0] & !2, frame[len..].to_vec())
}

fn join(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(len) => [&[flags, len][..], body].concat(),
        Err(_) => [&[flags | 2][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}
