//! Two sessions and the connection between them, however it splits the bytes: they agree on their
//! types and ids, or both fail; each receives what the other sends, in order. Corrupting bytes in
//! one direction does not affect the other, and nothing panics.
//!
//! Input: the two types, their routing ids and heartbeats, then one step after another.

#![no_main]

use std::time::{Duration, Instant};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use monocoque_core::Message;
use monocoque_fuzz::{Connection, Inbound, Script, TestPeer};
use monocoque_zmtp::{Incompatible, SessionConfig, SocketType, Subscription, ZmtpError};

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let types = [*script.choose(&SocketType::ALL), *script.choose(&SocketType::ALL)];
    let configs = types.map(|ty| config(ty, &mut script));
    let mut pair = Pair::new(&configs);
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        pair.step(&mut script);
    }
    pair.carry_all();
    pair.check(&configs);
});

fn config(socket_type: SocketType, script: &mut Script<'_>) -> SessionConfig {
    let mut config = SessionConfig::new(socket_type);
    // A routing id does not start with a zero byte.
    let id = script.string(255).iter().copied().skip_while(|byte| *byte == 0);
    config.routing_id = id.collect();
    if script.below(2) == 1 {
        config.heartbeat.interval = Some(Duration::from_millis(100));
        config.heartbeat.ttl = Duration::from_millis(100) * script.byte().into();
    }
    config
}

/// The two sides of the connection. Bytes from the lower to the upper side may be corrupted.
const LOWER: usize = 0;
const UPPER: usize = 1;

struct Pair {
    types: [SocketType; 2],
    connection: Connection,
    /// The items that each side has sent, as the other should receive them.
    sent: [Vec<Inbound>; 2],
    /// Bytes towards the upper side were corrupted.
    corrupted: bool,
    /// Time has passed: a heartbeat may have timed out.
    waited: bool,
    budget: usize,
}

impl Pair {
    fn new(configs: &[SessionConfig; 2]) -> Self {
        let now = Instant::now();
        Self {
            types: [LOWER, UPPER].map(|end| configs[end].socket_type),
            connection: Connection::new([LOWER, UPPER].map(|end| TestPeer::new(configs[end].clone(), now))),
            sent: Default::default(),
            corrupted: false,
            waited: false,
            budget: SENT_MAX,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.below(8);
        let end = what % 2;
        match what {
            0 | 1 => self.send(end, script),
            2..=5 => self.connection.carry(end, usize::from(script.byte()) + 1),
            6 => self.wait(Duration::from_millis(10) * script.byte().into()),
            _ => self.corrupted |= self.connection.change_byte(LOWER, script),
        }
        self.connection.write();
    }

    /// Sends a message, or a subscription if the receiver takes those.
    fn send(&mut self, from: usize, script: &mut Script<'_>) {
        let to = 1 - from;
        let frames = script.below(4);
        if !self.connection.ends[from].is_ready() {
            return;
        }
        if frames == 0 && self.types[to].takes_subscriptions() {
            let kind = *script.choose(&[Subscription::Subscribe, Subscription::Cancel]);
            let topic = script.string(64);
            self.connection.ends[from].subscribe(kind, topic);
            self.sent[from].push(match kind {
                Subscription::Subscribe => Inbound::Subscribe(topic.into()),
                Subscription::Cancel => Inbound::Cancel(topic.into()),
            });
            return;
        }
        let message: Message = (0..=frames).map(|_| self.body(script)).collect();
        self.connection.ends[from].send(message.clone());
        self.sent[from].push(expected_inbound(self.types[to], message));
    }

    fn body(&mut self, script: &mut Script<'_>) -> Bytes {
        let len = (*script.choose(&SIZES)).min(self.budget);
        self.budget -= len;
        Bytes::from(vec![script.byte(); len])
    }

    fn wait(&mut self, time: Duration) {
        self.waited = true;
        for end in &mut self.connection.ends {
            end.now += time;
            end.tick();
        }
    }

    fn carry_all(&mut self) {
        self.connection.write();
        while self.connection.is_busy() {
            self.connection.carry(LOWER, usize::MAX);
            self.connection.carry(UPPER, usize::MAX);
            self.connection.write();
        }
    }

    fn check(&self, configs: &[SessionConfig; 2]) {
        // The lower side receives the bytes of a session, unchanged.
        self.check_end(LOWER, configs);
        if !self.corrupted {
            self.check_end(UPPER, configs);
            let [lower, upper] = &self.connection.ends;
            assert_eq!(lower.peer.is_some(), upper.peer.is_some());
        }
    }

    fn check_end(&self, at: usize, configs: &[SessionConfig; 2]) {
        let (end, other) = (&self.connection.ends[at], 1 - at);
        let (ours, theirs) = (self.types[at], self.types[other]);
        if let Some(peer) = &end.peer {
            assert!(ours.is_compatible_with(theirs));
            assert_eq!(peer.socket_type, theirs);
            let announced = if theirs.announces_routing_id() { &*configs[other].routing_id } else { &[] };
            assert_eq!(peer.routing_id, announced);
        }
        let (sent, received) = (&self.sent[other], &self.connection.received[at]);
        match end.error() {
            None if self.corrupted => assert!(sent.starts_with(received)),
            None => {
                assert!(end.is_ready() && end.input.is_empty());
                assert_eq!(received, sent);
            }
            Some(ZmtpError::HeartbeatTimeout | ZmtpError::TtlExpired) if self.waited => {
                assert!(sent.starts_with(received));
            }
            Some(ZmtpError::PeerError(_)) if self.corrupted => assert!(sent.starts_with(received)),
            Some(error) => {
                let expected: ZmtpError = Incompatible::SocketType { ours, theirs }.into();
                assert_eq!(*error, expected);
                assert!(!ours.is_compatible_with(theirs) && end.peer.is_none());
            }
        }
    }
}

/// Returns the item that a message arrives as at a receiver of this type.
fn expected_inbound(to: SocketType, message: Message) -> Inbound {
    if !to.takes_subscriptions() || message.len() > 1 {
        return Inbound::Message(message);
    }
    match &message[0] {
        [1, topic @ ..] => Inbound::Subscribe(topic.into()),
        [0, topic @ ..] => Inbound::Cancel(topic.into()),
        _ => Inbound::Message(message),
    }
}

/// Boundaries of representation: headers, inline messages, copied bodies, chained bodies.
const SIZES: [usize; 12] = [0, 1, 5, 72, 73, 255, 256, 512, 513, 4095, 4096, 70_000];
/// The total size of all bodies.
const SENT_MAX: usize = 256 * 1024;
const STEPS_MAX: usize = 512;
