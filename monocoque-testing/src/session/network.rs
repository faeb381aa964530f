//! A simulated connection in virtual time: bytes on it arrive in pieces, late, or not at all.
//!
//! All of its behaviour follows from one seed. [`seeds`] runs a test with many of them and prints
//! the one that fails; `SEED` in the environment runs that one alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fastrand::Rng;
use monocoque_zmtp::{SessionConfig, Subscription, ZmtpError};

use super::{Inbound, TestPeer};

/// Runs a test with `count` random seeds, or with the one in the environment.
pub fn seeds(count: u64, test: impl Fn(Rng)) {
    let given = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    let first = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={first} and the following ones");
    for n in 0..given.map_or(count, |_| 1) {
        let seed = first.wrapping_add(n);
        let _print_seed = PrintSeedOnPanic(seed);
        test(Rng::with_seed(seed));
    }
}

/// Prints the seed of a test when it fails.
struct PrintSeedOnPanic(u64);

impl Drop for PrintSeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat the failure: SEED={}", self.0);
        }
    }
}

/// The chunk size and the delay of a connection.
#[derive(Clone, Copy, Debug)]
pub struct NetworkConditions {
    /// The largest chunk that arrives at a time.
    pub piece: usize,
    /// The longest delay of a chunk.
    pub delay: Duration,
}

impl NetworkConditions {
    /// Chooses a chunk size from one byte to unlimited, and a delay from none to `delay`.
    pub fn any(rng: &mut Rng, delay: Duration) -> Self {
        let piece = *rng.choice(&[1, 2, 7, 64, 1000, usize::MAX]).expect("six");
        Self { piece, delay: rng.choice([Duration::ZERO, delay / 10, delay]).expect("three") }
    }
}

/// Bytes in flight in both directions; each direction keeps its order.
pub struct Wire {
    rng: Rng,
    conditions: NetworkConditions,
    directions: [Direction; 2],
}

#[derive(Default)]
struct Direction {
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    cut: bool,
}

impl Wire {
    fn new(conditions: NetworkConditions, rng: Rng) -> Self {
        Self { rng, conditions, directions: Default::default() }
    }

    /// Queues bytes for the peer at that side.
    fn put(&mut self, to: usize, mut bytes: &[u8], now: Instant) {
        let direction = &mut self.directions[to];
        while !bytes.is_empty() && !direction.cut {
            let longest = self.conditions.piece.min(bytes.len());
            let (piece, rest) = bytes.split_at(self.rng.usize(1..=longest));
            let delay = Duration::from_micros(self.rng.u64(0..=self.conditions.delay.as_micros() as u64));
            let before = direction.in_flight.back().map_or(now, |(at, _)| *at);
            direction.in_flight.push_back((before.max(now + delay), piece.to_vec()));
            bytes = rest;
        }
    }

    /// Takes the next chunk that has arrived at that side.
    fn take(&mut self, to: usize, now: Instant) -> Option<Vec<u8>> {
        self.directions[to].in_flight.pop_front_if(|(at, _)| *at <= now).map(|(_, piece)| piece)
    }

    /// Returns the arrival time of the next chunk.
    fn next_arrival(&self) -> Option<Instant> {
        self.directions.iter().filter_map(|direction| direction.in_flight.front()).map(|(at, _)| *at).min()
    }

    /// Discards all further bytes to that side, without an error.
    pub fn cut(&mut self, to: usize) {
        self.directions[to].in_flight.clear();
        self.directions[to].cut = true;
    }

    /// Returns whether bytes are in flight.
    pub fn is_busy(&self) -> bool {
        self.next_arrival().is_some()
    }
}

/// Two peers and their connection.
pub struct SimulatedConnection {
    pub peers: [TestPeer; 2],
    pub wire: Wire,
    pub now: Instant,
    /// The items that each peer has sent.
    pub sent: [Vec<Inbound>; 2],
    /// The times at which each peer has sent a PING.
    pub pings: [Vec<Instant>; 2],
    over: bool,
}

impl SimulatedConnection {
    /// Creates two peers whose greetings are in flight.
    pub fn new(configs: [SessionConfig; 2], conditions: NetworkConditions, rng: &mut Rng) -> Self {
        let now = Instant::now();
        let mut connection = Self {
            peers: configs.map(|config| TestPeer::new(config, now)),
            wire: Wire::new(conditions, rng.fork()),
            now,
            sent: Default::default(),
            pings: Default::default(),
            over: false,
        };
        (0..2).for_each(|side| connection.write(side));
        connection
    }

    pub fn is_ready(&self) -> bool {
        self.peers.iter().all(TestPeer::is_ready)
    }

    /// Returns the first peer that has failed, and its error.
    pub fn first_error(&self) -> Option<(usize, &ZmtpError)> {
        self.peers.iter().enumerate().find_map(|(side, peer)| peer.error().map(|error| (side, error)))
    }

    /// Sends an item from one of the peers.
    pub fn send(&mut self, from: usize, what: Inbound) {
        let peer = &mut self.peers[from];
        match &what {
            Inbound::Message(message) => peer.send(message.clone()),
            Inbound::Subscribe(topic) => peer.subscribe(Subscription::Subscribe, &topic[0]),
            Inbound::Cancel(topic) => peer.subscribe(Subscription::Cancel, &topic[0]),
        }
        self.sent[from].push(what);
        self.write(from);
    }

    /// Advances time, up to the first error.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        while self.first_error().is_none() && self.step(until) {}
    }

    /// Advances to the next event. Without one, advances to `until` and returns `false`.
    pub fn step(&mut self, until: Instant) -> bool {
        let deadlines = self.peers.iter().filter_map(TestPeer::deadline);
        let next = deadlines.chain(self.wire.next_arrival()).min().filter(|at| *at <= until && !self.over);
        // The input that has just arrived may have moved a deadline into the past.
        self.now = self.now.max(next.unwrap_or(until));
        for side in 0..2 {
            self.peers[side].now = self.now;
            while let Some(piece) = self.wire.take(side, self.now) {
                self.peers[side].feed(&piece, usize::MAX);
                self.write(side);
            }
        }
        for side in 0..2 {
            self.tick(side);
        }
        next.is_some()
    }

    /// Ends the connection at both peers and discards what is in flight.
    pub fn reset(&mut self) {
        (0..2).for_each(|side| self.wire.cut(side));
        self.over = true;
    }

    /// Checks that each peer has received a prefix of what the other has sent: in order, each
    /// message whole.
    pub fn check_received(&self) {
        for side in 0..2 {
            let (received, sent) = (&self.peers[side].received, &self.sent[1 - side]);
            assert!(sent.starts_with(received), "{} of {} at side {side}", received.len(), sent.len());
        }
    }

    /// Checks that each peer has received all that the other has sent.
    pub fn check_all_received(&self) {
        self.check_received();
        assert_eq!(
            [1, 0].map(|side: usize| self.peers[side].received.len()),
            [0, 1].map(|side: usize| self.sent[side].len())
        );
    }

    fn tick(&mut self, side: usize) {
        let peer = &mut self.peers[side];
        peer.tick();
        assert!(
            peer.deadline().is_none_or(|at| at > self.now),
            "a served deadline must be replaced by a later one"
        );
        if !peer.output.is_empty() {
            self.pings[side].push(self.now);
        }
        self.write(side);
    }

    fn write(&mut self, side: usize) {
        let bytes = self.peers[side].written();
        self.wire.put(1 - side, &bytes, self.now);
    }
}
