//! Two sessions and the wire between them, whatever the pieces in which it carries: they agree on
//! who they are, or both
//! refuse, and what one sends the other receives, in order. With bytes changed on the way up,
//! none of this may break on
//! the way down, and nothing may panic.
//!
//! Input: the two types, their routing ids and heartbeats, then what happens, step by step.

#![no_main]

use std::time::{Duration, Instant};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use monocoque_core::Message;
use monocoque_fuzz::{End, Inbound, Script};
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

/// Who is at the lower end of the wire, and who at the upper.
const LOWER: usize = 0;
const UPPER: usize = 1;

struct Pair {
    types: [SocketType; 2],
    ends: [End; 2],
    /// What each end has written and the other has not got.
    wires: [Vec<u8>; 2],
    /// What each end has sent, as the other is to receive it.
    sent: [Vec<Inbound>; 2],
    received: [Vec<Inbound>; 2],
    /// Bytes were changed on the way up.
    tampered: bool,
    /// Somebody may have been given up.
    waited: bool,
    budget: usize,
}

impl Pair {
    fn new(configs: &[SessionConfig; 2]) -> Self {
        let now = Instant::now();
        Self {
            types: [LOWER, UPPER].map(|end| configs[end].socket_type),
            ends: [LOWER, UPPER].map(|end| End::new(configs[end].clone(), now)),
            wires: Default::default(),
            sent: Default::default(),
            received: Default::default(),
            tampered: false,
            waited: false,
            budget: SENT_MAX,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.below(8);
        let end = what % 2;
        match what {
            0 | 1 => self.send(end, script),
            2..=5 => self.carry(end, usize::from(script.byte()) + 1),
            6 => self.wait(Duration::from_millis(10) * script.byte().into()),
            _ => self.tamper(script),
        }
        self.write();
    }

    /// A message, or a subscription where that makes sense.
    fn send(&mut self, from: usize, script: &mut Script<'_>) {
        let to = 1 - from;
        let frames = script.below(4);
        if !self.ends[from].is_ready() {
            return;
        }
        if frames == 0 && self.types[to].takes_subscriptions() {
            let kind = *script.choose(&[Subscription::Subscribe, Subscription::Cancel]);
            let topic = script.string(64);
            self.ends[from].subscribe(kind, topic);
            self.sent[from].push(match kind {
                Subscription::Subscribe => Inbound::Subscribe(topic.into()),
                Subscription::Cancel => Inbound::Cancel(topic.into()),
            });
            return;
        }
        let message: Message = (0..=frames).map(|_| self.body(script)).collect();
        self.ends[from].send(message.clone());
        self.sent[from].push(meant(self.types[to], message));
    }

    fn body(&mut self, script: &mut Script<'_>) -> Bytes {
        let len = (*script.choose(&SIZES)).min(self.budget);
        self.budget -= len;
        Bytes::from(vec![script.byte(); len])
    }

    fn wait(&mut self, time: Duration) {
        self.waited = true;
        for end in &mut self.ends {
            end.now += time;
            end.tick();
        }
    }

    /// Changes a byte that is on its way up.
    fn tamper(&mut self, script: &mut Script<'_>) {
        let (at, bits) = (usize::from(script.byte()), script.byte());
        if let Some(byte) = self.wires[LOWER].get_mut(at) {
            *byte ^= bits;
            self.tampered |= bits != 0;
        }
    }

    /// Takes what the ends have put out onto the wire.
    fn write(&mut self) {
        for (end, wire) in self.ends.iter_mut().zip(&mut self.wires) {
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
            self.carry(LOWER, usize::MAX);
            self.carry(UPPER, usize::MAX);
            self.write();
        }
    }

    fn check(&self, configs: &[SessionConfig; 2]) {
        // What comes down was written by a session and is as that wrote it.
        self.check_end(LOWER, configs);
        if !self.tampered {
            self.check_end(UPPER, configs);
            assert_eq!(self.ends[LOWER].peer.is_some(), self.ends[UPPER].peer.is_some());
        }
    }

    fn check_end(&self, at: usize, configs: &[SessionConfig; 2]) {
        let (end, other) = (&self.ends[at], 1 - at);
        let (ours, theirs) = (self.types[at], self.types[other]);
        if let Some(peer) = &end.peer {
            assert!(ours.is_compatible_with(theirs));
            assert_eq!(peer.socket_type, theirs);
            let announced = if theirs.announces_routing_id() { &*configs[other].routing_id } else { &[] };
            assert_eq!(peer.routing_id, announced);
        }
        let (sent, received) = (&self.sent[other], &self.received[at]);
        match end.error() {
            None if self.tampered => assert!(sent.starts_with(received)),
            None => {
                assert!(end.is_ready() && end.input.is_empty());
                assert_eq!(received, sent);
            }
            Some(ZmtpError::HeartbeatTimeout | ZmtpError::TtlExpired) if self.waited => {
                assert!(sent.starts_with(received));
            }
            Some(ZmtpError::PeerError(_)) if self.tampered => assert!(sent.starts_with(received)),
            Some(error) => {
                let expected: ZmtpError = Incompatible::SocketType { ours, theirs }.into();
                assert_eq!(*error, expected);
                assert!(!ours.is_compatible_with(theirs) && end.peer.is_none());
            }
        }
    }
}

/// What a message is to a receiver of this type.
fn meant(to: SocketType, message: Message) -> Inbound {
    if !to.takes_subscriptions() || message.len() > 1 {
        return Inbound::Message(message);
    }
    match &message[0] {
        [1, topic @ ..] => Inbound::Subscribe(topic.into()),
        [0, topic @ ..] => Inbound::Cancel(topic.into()),
        _ => Inbound::Message(message),
    }
}

/// Where something changes: headers, inline messages, copied bodies, chained bodies.
const SIZES: [usize; 12] = [0, 1, 5, 72, 73, 255, 256, 512, 513, 4095, 4096, 70_000];
/// How much all bodies come to.
const SENT_MAX: usize = 256 * 1024;
const STEPS_MAX: usize = 512;
