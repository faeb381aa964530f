//! Two sessions of PLAIN or CURVE and the connection between them, however it splits, changes and
//! repeats the bytes: with CURVE each side receives a part of what the other sends, from the first
//! message on, unchanged and once; unchanged bytes are received whole, and nothing panics.
//!
//! Input: the mechanism, the answer of the application, then one step after another.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use monocoque_core::Message;
use monocoque_fuzz::{Connection, Inbound, Script, TestPeer};
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
    connection: Connection,
    sent: [Vec<Inbound>; 2],
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
            connection: Connection::new([client, server]),
            sent: Default::default(),
            allows,
            is_corrupted: false,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.below(10);
        let end = what % 2;
        match what {
            0 | 1 => self.send(end, script),
            2..=5 => self.connection.carry(end, usize::from(script.byte()) + 1),
            6 | 7 => self.is_corrupted |= self.connection.change_byte(end, script),
            _ => self.repeat(end, script),
        }
        self.write();
    }

    fn send(&mut self, from: usize, script: &mut Script<'_>) {
        if !self.connection.ends[from].is_ready() || self.sent[from].len() == SENT_MAX {
            return;
        }
        let message: Message =
            (0..=script.below(3)).map(|_| vec![script.byte(); *script.choose(&SIZES)]).collect();
        self.connection.ends[from].send(message.clone());
        self.sent[from].push(Inbound::Message(message));
    }

    /// Repeats the first bytes in flight.
    fn repeat(&mut self, from: usize, script: &mut Script<'_>) {
        let wire = &mut self.connection.wires[from];
        let n = usize::from(script.byte()).min(wire.len());
        let again = wire[..n].to_vec();
        self.is_corrupted |= n > 0;
        wire.splice(..0, again);
    }

    /// Answers questions, and moves the output of both sides into flight.
    fn write(&mut self) {
        for end in &mut self.connection.ends {
            if end.question().is_some() {
                let refusal = AuthReply::Refuse(RefusalStatus::Denied);
                end.answer(if self.allows { AuthReply::allow() } else { refusal });
            }
        }
        self.connection.write();
    }

    fn carry_all(&mut self) {
        self.write();
        while self.connection.is_busy() {
            self.connection.carry(0, usize::MAX);
            self.write();
            self.connection.carry(1, usize::MAX);
            self.write();
        }
    }

    fn check(&self, is_sealed: bool) {
        let Connection { ends, received, .. } = &self.connection;
        for at in [0, 1] {
            let (sent, received) = (&self.sent[1 - at], &received[at]);
            assert!(!is_sealed || sent.starts_with(received), "changed, repeated or reordered");
            if !self.is_corrupted {
                assert_eq!(received, sent);
                assert_eq!(ends[at].is_ready(), self.allows, "{:?}", ends[at].error());
            }
        }
    }
}

const SIZES: [usize; 8] = [0, 1, 5, 255, 256, 257, 4100, 20_000];
const SENT_MAX: usize = 20;
const STEPS_MAX: usize = 256;
