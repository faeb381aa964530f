//! Two sessions of PLAIN or CURVE and the connection between them, however it splits, changes and
//! repeats the bytes: with CURVE each side receives a part of what the other sends, from the first
//! message on, unchanged and once; unchanged bytes are received whole, and nothing panics.
//!
//! Input: the mechanism, the answer of the application, then one step after another.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use monocoque_core::Message;
use monocoque_fuzz::{Inbound, Script, TestPeer};
use monocoque_zmtp::{
    AuthReply, CurveSecretKey, Entropy, MechanismConfig, PlainCredentials, RefusalStatus, SessionConfig,
    SocketType, z85_decode, z85_encode,
};

fuzz_target!(|input: &[u8]| {
    check_z85(input);
    let mut script = Script::new(input);
    let is_sealed = script.below(2) == 0;
    let mechanisms = if is_sealed { curve() } else { plain(&mut script) };
    let mut pair = Pair::new(mechanisms, *script.choose(&[true, true, true, false]));
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        pair.step(&mut script);
    }
    pair.carry_all();
    pair.check(is_sealed);
});

/// Checks that what is read as Z85 is written in the same way, and the reverse.
fn check_z85(input: &[u8]) {
    if let Ok(text) = z85_encode(input) {
        assert_eq!(z85_decode(&text).expect("Z85"), input);
    }
    if let Some((text, bytes)) =
        std::str::from_utf8(input).ok().and_then(|text| Some((text, z85_decode(text).ok()?)))
    {
        assert_eq!(z85_encode(&bytes).expect("a multiple of four"), text);
    }
}

fn curve() -> [MechanismConfig; 2] {
    let [server, client] = [1, 2].map(|byte| CurveSecretKey::from_bytes([byte; 32]));
    let server_key = server.public_key();
    [
        MechanismConfig::CurveClient { secret_key: client, server_key },
        MechanismConfig::CurveServer { secret_key: server },
    ]
}

fn plain(script: &mut Script<'_>) -> [MechanismConfig; 2] {
    let username = script.string(16).to_vec().into();
    let password = script.string(16).into();
    [MechanismConfig::PlainClient(PlainCredentials { username, password }), MechanismConfig::PlainServer]
}

/// The two sides of the connection: the client connects.
struct Pair {
    ends: [TestPeer; 2],
    /// The bytes that each side has written and the other has not read.
    wires: [Vec<u8>; 2],
    sent: [Vec<Inbound>; 2],
    received: [Vec<Inbound>; 2],
    /// The answer of the application.
    allows: bool,
    /// Bytes were changed or repeated.
    is_corrupted: bool,
}

impl Pair {
    fn new([client, server]: [MechanismConfig; 2], allows: bool) -> Self {
        let now = Instant::now();
        let types = [SocketType::Dealer, SocketType::Router];
        let [client, server] =
            [(types[0], client, 3), (types[1], server, 4)].map(|(socket_type, mechanism, seed)| {
                let config =
                    SessionConfig { mechanism, authenticates: true, ..SessionConfig::new(socket_type) };
                TestPeer::with_entropy(config, [seed; Entropy::LEN], now)
            });
        Self {
            ends: [client, server],
            wires: Default::default(),
            sent: Default::default(),
            received: Default::default(),
            allows,
            is_corrupted: false,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.below(10);
        let end = what % 2;
        match what {
            0 | 1 => self.send(end, script),
            2..=5 => self.carry(end, usize::from(script.byte()) + 1),
            6 | 7 => self.change_byte(end, script),
            _ => self.repeat(end, script),
        }
        self.write();
    }

    fn send(&mut self, from: usize, script: &mut Script<'_>) {
        if !self.ends[from].is_ready() || self.sent[from].len() == SENT_MAX {
            return;
        }
        let message: Message =
            (0..=script.below(3)).map(|_| vec![script.byte(); *script.choose(&SIZES)]).collect();
        self.ends[from].send(message.clone());
        self.sent[from].push(Inbound::Message(message));
    }

    fn change_byte(&mut self, from: usize, script: &mut Script<'_>) {
        let (at, bits) = (usize::from(script.byte()), script.byte());
        if let Some(byte) = self.wires[from].get_mut(at) {
            *byte ^= bits;
            self.is_corrupted |= bits != 0;
        }
    }

    /// Repeats the first bytes in flight.
    fn repeat(&mut self, from: usize, script: &mut Script<'_>) {
        let n = usize::from(script.byte()).min(self.wires[from].len());
        let again = self.wires[from][..n].to_vec();
        self.is_corrupted |= n > 0;
        self.wires[from].splice(..0, again);
    }

    /// Moves the output of both sides into flight, and answers questions.
    fn write(&mut self) {
        for (end, wire) in self.ends.iter_mut().zip(&mut self.wires) {
            if end.question().is_some() {
                let refusal = AuthReply::Refuse(RefusalStatus::Denied);
                end.answer(if self.allows { AuthReply::allow() } else { refusal });
            }
            wire.append(&mut end.written());
        }
    }

    fn carry(&mut self, from: usize, n: usize) {
        let to = 1 - from;
        let wire = &mut self.wires[from];
        let piece: Vec<_> = wire.drain(..n.min(wire.len())).collect();
        self.ends[to].feed(&piece, usize::MAX);
        self.received[to].append(&mut self.ends[to].recv());
    }

    fn carry_all(&mut self) {
        self.write();
        while self.wires.iter().any(|wire| !wire.is_empty()) {
            self.carry(0, usize::MAX);
            self.write();
            self.carry(1, usize::MAX);
            self.write();
        }
    }

    fn check(&self, is_sealed: bool) {
        for at in [0, 1] {
            let (sent, received) = (&self.sent[1 - at], &self.received[at]);
            assert!(!is_sealed || sent.starts_with(received), "changed, repeated or reordered");
            if !self.is_corrupted {
                assert_eq!(received, sent);
                assert_eq!(self.ends[at].is_ready(), self.allows, "{:?}", self.ends[at].error());
            }
        }
    }
}

const SIZES: [usize; 8] = [0, 1, 5, 255, 256, 257, 4100, 20_000];
const SENT_MAX: usize = 20;
const STEPS_MAX: usize = 256;
