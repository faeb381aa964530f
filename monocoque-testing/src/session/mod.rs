//! Two protocol peers and the connection between them, in virtual time.
//!
//! A [`TestPeer`] does what the engine does: it feeds input, keeps output, and serves the deadline.
//! A [`Pair`] carries the output of each to the other, in chunks.
#![expect(missing_debug_implementations, reason = "half of their parts have none")]

pub mod network;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use monocoque_core::{Decode, Encode, Message, Outbox, Protocol, QueuedCursor, SegmentedBuffer, Step};
use monocoque_zmtp::{
    AuthQuestion, AuthReply, Decoder, Encoder, Entropy, PeerInfo, SessionConfig, SocketType, Subscription,
    ZmtpError, ZmtpSession, encode_message, encode_subscription,
};

/// Makes tests of each function for input that arrives in chunks of 1, 2 or 7 bytes, and all at
/// once.
#[macro_export]
macro_rules! for_each_chunk_size {
    ($(fn $name:ident($chunk_len:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            fn check($chunk_len: usize) $body

            #[test]
            fn chunks_of_one_byte() {
                check(1);
            }

            #[test]
            fn chunks_of_two_bytes() {
                check(2);
            }

            #[test]
            fn chunks_of_seven_bytes() {
                check(7);
            }

            #[test]
            fn whole_input_at_once() {
                check(usize::MAX);
            }
        }
    )*};
}

/// An item that a peer has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    Message(Message),
    Subscribe(Message),
    Cancel(Message),
}

/// A protocol session with its buffers, without I/O.
pub struct TestPeer {
    phase: Phase,
    pub input: SegmentedBuffer,
    pub output: Outbox,
    /// The output of the handshake that is not taken.
    handshake: Vec<u8>,
    pub peer: Option<PeerInfo>,
    pub received: Vec<Inbound>,
    pub now: Instant,
    pub last_received: Instant,
}

enum Phase {
    Handshake(Option<ZmtpSession>),
    Asked(Option<ZmtpSession>, AuthQuestion),
    Active(Box<(Decoder, Encoder)>),
    Closed(ZmtpError),
}

impl TestPeer {
    /// Creates a peer whose output has its greeting.
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut entropy = [0; Entropy::LEN];
        entropy.iter_mut().for_each(|byte| *byte = fastrand::u8(..));
        Self::with_entropy(config, entropy, now)
    }

    /// Does the same with random bytes that a test chooses.
    pub fn with_entropy(config: SessionConfig, entropy: [u8; Entropy::LEN], now: Instant) -> Self {
        let session = ZmtpSession::with_entropy(config, Entropy::new(entropy));
        let session = session.expect("a valid configuration");
        let mut end = Self {
            phase: Phase::Handshake(Some(session)),
            input: SegmentedBuffer::new(),
            output: Outbox::new(),
            handshake: Vec::new(),
            peer: None,
            received: Vec::new(),
            now,
            last_received: now,
        };
        end.run();
        end
    }

    /// Creates a peer that has completed the handshake with a ZMTP 3.1 peer of that type; its own
    /// part of the handshake is taken out of the output.
    pub fn established(config: SessionConfig, peer: SocketType) -> Self {
        Self::established_over(1, config, peer)
    }

    /// Does the same with a peer of ZMTP 3.`minor`.
    pub fn established_over(minor: u8, config: SessionConfig, peer: SocketType) -> Self {
        let mut end = Self::new(config, Instant::now());
        end.feed(&greeting(minor), usize::MAX);
        end.feed(&ready(peer), usize::MAX);
        assert!(end.is_ready(), "{:?}", end.error());
        end.written();
        end
    }

    /// Feeds input in chunks of `chunk_len` bytes.
    pub fn feed(&mut self, bytes: &[u8], chunk_len: usize) {
        for piece in bytes.chunks(chunk_len) {
            self.input.push(Bytes::copy_from_slice(piece));
            self.last_received = self.now;
            self.run();
        }
    }

    /// Takes the output, as encoded bytes.
    pub fn written(&mut self) -> Vec<u8> {
        let output = std::mem::take(&mut self.output);
        let mut wire = Outbox::new();
        match &mut self.phase {
            Phase::Active(halves) if !halves.1.is_identity() => {
                halves.1.encode(&mut output.read_queued(&mut QueuedCursor::default()), &mut wire, usize::MAX);
            }
            _ => wire.append(&output),
        }
        let mut written = std::mem::take(&mut self.handshake);
        wire.slices().for_each(|slice| written.extend_from_slice(slice));
        written
    }

    /// Returns the question that is not answered.
    pub fn question(&self) -> Option<&AuthQuestion> {
        match &self.phase {
            Phase::Asked(_, question) => Some(question),
            _ => None,
        }
    }

    /// Answers the question.
    pub fn answer(&mut self, reply: AuthReply) {
        let Phase::Asked(session, _) = &mut self.phase else { panic!("no question was asked") };
        let session = session.take().expect("a session that waits for an answer");
        self.phase = Phase::Handshake(Some(session.resume(reply)));
        self.run();
    }

    pub fn send(&mut self, message: impl Into<Message>) {
        encode_message(&message.into(), &mut self.output);
    }

    pub fn subscribe(&mut self, kind: Subscription, topic: &[u8]) {
        encode_subscription(kind, topic, &mut self.output);
    }

    /// Returns the items that have arrived since the last call.
    pub fn recv(&mut self) -> Vec<Inbound> {
        std::mem::take(&mut self.received)
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    pub fn error(&self) -> Option<&ZmtpError> {
        match &self.phase {
            Phase::Closed(error) => Some(error),
            _ => None,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Active(halves) => halves.1.deadline(),
            _ => None,
        }
    }

    pub fn need(&self) -> usize {
        match &self.phase {
            Phase::Active(halves) => halves.0.need(),
            _ => 1,
        }
    }

    /// Serves the deadline if it has passed.
    pub fn tick(&mut self) {
        if self.deadline().is_some_and(|at| at <= self.now) {
            self.serve_deadline();
        }
    }

    /// Serves the deadline, even if it has not passed.
    pub fn serve_deadline(&mut self) {
        if let Phase::Active(halves) = &mut self.phase
            && let Err(error) = halves.1.on_deadline(self.now, self.last_received, &mut self.output)
        {
            self.phase = Phase::Closed(error);
        }
    }

    fn run(&mut self) {
        if let Err(error) = self.try_run() {
            self.phase = Phase::Closed(error);
        }
    }

    fn try_run(&mut self) -> Result<(), ZmtpError> {
        if let Phase::Handshake(session) = &mut self.phase {
            let session = session.take().expect("a session between two steps");
            match session.advance(&mut self.input, &mut self.output, self.now)? {
                Step::NeedInput(session) => self.phase = Phase::Handshake(Some(session)),
                Step::Ask(session, question) => self.phase = Phase::Asked(Some(session), question),
                Step::Established(established) => {
                    self.handshake = self.written();
                    self.peer = Some(established.peer);
                    self.phase = Phase::Active(Box::new((established.decoder, established.encoder)));
                }
            }
        }
        if let Phase::Active(halves) = &mut self.phase {
            let mut messages = VecDeque::new();
            while let Some(what) = halves.0.next(&mut self.input, &mut self.output, &mut messages)? {
                let [message] =
                    std::mem::take(&mut messages).into_iter().collect::<Vec<_>>().try_into().expect("one");
                self.received.push(match what {
                    monocoque_zmtp::Inbound::Message => Inbound::Message(message),
                    monocoque_zmtp::Inbound::Subscribe => Inbound::Subscribe(message),
                    monocoque_zmtp::Inbound::Cancel => Inbound::Cancel(message),
                });
            }
            assert!(messages.is_empty(), "a message was decoded without an item");
            assert!(
                self.input.is_empty() || halves.0.need() > self.input.len(),
                "the decoder waits for input that it has"
            );
        }
        Ok(())
    }
}

/// Two peers and a connection that loses nothing.
pub struct Pair {
    pub client: TestPeer,
    pub server: TestPeer,
    pub now: Instant,
    /// The largest number of bytes that arrive at a time.
    pub chunk_len: usize,
}

impl Pair {
    pub fn new(client: SessionConfig, server: SessionConfig, chunk_len: usize) -> Self {
        let now = Instant::now();
        Self { client: TestPeer::new(client, now), server: TestPeer::new(server, now), now, chunk_len }
    }

    /// Creates two peers that have completed their handshake.
    pub fn connected(client: SocketType, server: SocketType, chunk_len: usize) -> Self {
        let mut pair = Self::new(SessionConfig::new(client), SessionConfig::new(server), chunk_len);
        pair.handshake();
        pair
    }

    pub fn handshake(&mut self) {
        self.drive();
        assert!(self.client.is_ready(), "{:?}", self.client.error());
        assert!(self.server.is_ready(), "{:?}", self.server.error());
    }

    /// Carries bytes until neither peer has output.
    pub fn drive(&mut self) {
        loop {
            let (up, down) = (self.client.written(), self.server.written());
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.server.feed(&up, self.chunk_len);
            self.client.feed(&down, self.chunk_len);
        }
    }

    /// Advances time by single milliseconds, at both peers and on the connection.
    pub fn advance(&mut self, time: Duration) {
        for _ in 0..time.as_millis() {
            self.now += Duration::from_millis(1);
            for end in [&mut self.client, &mut self.server] {
                end.now = self.now;
                end.tick();
            }
            self.drive();
        }
    }

    pub fn send(&mut self, message: impl Into<Message>) {
        self.client.send(message);
    }

    pub fn recv(&mut self) -> Vec<Inbound> {
        self.drive();
        self.server.recv()
    }
}

/// Returns the greeting of a NULL peer of ZMTP 3.`minor`, as libzmq sends it.
pub fn greeting(minor: u8) -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00NULL".to_vec();
    bytes[11] = minor;
    bytes.resize(64, 0);
    bytes
}

/// Returns the READY of an anonymous peer, as libzmq sends it.
pub fn ready(socket_type: SocketType) -> Vec<u8> {
    let name = socket_type.name().as_bytes();
    let mut body = [&b"\x05READY\x0bSocket-Type\0\0\0"[..], &[name.len() as u8], name].concat();
    if socket_type.announces_routing_id() {
        body.extend_from_slice(b"\x08Identity\0\0\0\0");
    }
    [&[4, body.len() as u8][..], &body].concat()
}
