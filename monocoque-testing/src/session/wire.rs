//! Two ends on an emulated wire, in virtual time: what is on it arrives in pieces, late, or not at
//! all.
//!
//! All of it follows from one seed. A test is run with many of them by [`seeds`]; one that fails
//! says which it was, and `SEED` in the environment runs that one alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fastrand::Rng;
use monocoque_zmtp::{SessionConfig, Subscription, ZmtpError};

use super::{End, Inbound};

/// Runs a test with so many seeds that nobody has chosen, or with the one of the environment.
pub fn seeds(count: u64, test: impl Fn(Rng)) {
    let given = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    let first = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={first} and those after it");
    for n in 0..given.map_or(count, |_| 1) {
        let seed = first.wrapping_add(n);
        let _named = Named(seed);
        test(Rng::with_seed(seed));
    }
}

/// Says at the end of a test that fails which seed it was.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to have the same again: SEED={}", self.0);
        }
    }
}

/// What a wire does to what is put on it.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The largest piece that arrives at a time.
    pub piece: usize,
    /// The longest that a piece is on its way.
    pub delay: Duration,
}

impl Weather {
    /// From byte by byte to all at once, from at once to `delay`.
    pub fn any(chance: &mut Rng, delay: Duration) -> Self {
        let piece = *chance.choice(&[1, 2, 7, 64, 1000, usize::MAX]).expect("six");
        Self { piece, delay: chance.choice([Duration::ZERO, delay / 10, delay]).expect("three") }
    }
}

/// Bytes on their way in both directions. What goes in one of them arrives in order.
pub struct Wire {
    chance: Rng,
    weather: Weather,
    ways: [Way; 2],
}

#[derive(Default)]
struct Way {
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    cut: bool,
}

impl Wire {
    fn new(weather: Weather, chance: Rng) -> Self {
        Self { chance, weather, ways: Default::default() }
    }

    /// Takes bytes that are for the end of that side.
    fn put(&mut self, to: usize, mut bytes: &[u8], now: Instant) {
        let way = &mut self.ways[to];
        while !bytes.is_empty() && !way.cut {
            let longest = self.weather.piece.min(bytes.len());
            let (piece, rest) = bytes.split_at(self.chance.usize(1..=longest));
            let delay = Duration::from_micros(self.chance.u64(0..=self.weather.delay.as_micros() as u64));
            let before = way.in_flight.back().map_or(now, |(at, _)| *at);
            way.in_flight.push_back((before.max(now + delay), piece.to_vec()));
            bytes = rest;
        }
    }

    /// The next piece that has arrived at that side.
    fn take(&mut self, to: usize, now: Instant) -> Option<Vec<u8>> {
        self.ways[to].in_flight.pop_front_if(|(at, _)| *at <= now).map(|(_, piece)| piece)
    }

    /// When the next piece arrives.
    fn next_arrival(&self) -> Option<Instant> {
        self.ways.iter().filter_map(|way| way.in_flight.front()).map(|(at, _)| *at).min()
    }

    /// From now on nothing arrives at that side, and nobody is told.
    pub fn cut(&mut self, to: usize) {
        self.ways[to].in_flight.clear();
        self.ways[to].cut = true;
    }

    /// Whether something is on its way.
    pub fn is_busy(&self) -> bool {
        self.next_arrival().is_some()
    }
}

/// Two ends and their wire.
pub struct Link {
    pub ends: [End; 2],
    pub wire: Wire,
    pub now: Instant,
    /// What each of them has sent.
    pub sent: [Vec<Inbound>; 2],
    /// When each of them has sent a PING.
    pub pings: [Vec<Instant>; 2],
    over: bool,
}

impl Link {
    /// Two ends whose greetings are on the wire.
    pub fn new(configs: [SessionConfig; 2], weather: Weather, chance: &mut Rng) -> Self {
        let now = Instant::now();
        let mut link = Self {
            ends: configs.map(|config| End::new(config, now)),
            wire: Wire::new(weather, chance.fork()),
            now,
            sent: Default::default(),
            pings: Default::default(),
            over: false,
        };
        (0..2).for_each(|side| link.write(side));
        link
    }

    pub fn is_ready(&self) -> bool {
        self.ends.iter().all(End::is_ready)
    }

    /// The first of the two that has given up, and why.
    pub fn given_up(&self) -> Option<(usize, &ZmtpError)> {
        self.ends.iter().enumerate().find_map(|(side, end)| end.error().map(|error| (side, error)))
    }

    /// Lets one end say something to the other.
    pub fn send(&mut self, from: usize, what: Inbound) {
        let end = &mut self.ends[from];
        match &what {
            Inbound::Message(message) => end.send(message.clone()),
            Inbound::Subscribe(topic) => end.subscribe(Subscription::Subscribe, &topic[0]),
            Inbound::Cancel(topic) => end.subscribe(Subscription::Cancel, &topic[0]),
        }
        self.sent[from].push(what);
        self.write(from);
    }

    /// Lets time pass. Ends early if somebody gives up.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.given_up().is_none() && self.step(until) {}
    }

    /// Goes on to the next instant at which something happens, or to `until` if nothing does:
    /// `false`.
    pub fn step(&mut self, until: Instant) -> bool {
        let deadlines = self.ends.iter().filter_map(End::deadline);
        let next = deadlines.chain(self.wire.next_arrival()).min().filter(|at| *at <= until && !self.over);
        // A deadline that was made earlier by what has just arrived may have passed.
        self.now = self.now.max(next.unwrap_or(until));
        for side in 0..2 {
            self.ends[side].now = self.now;
            while let Some(piece) = self.wire.take(side, self.now) {
                self.ends[side].feed(&piece, usize::MAX);
                self.write(side);
            }
        }
        for side in 0..2 {
            self.tick(side);
        }
        next.is_some()
    }

    /// Both ends hear that the connection is over, and nothing that was on its way.
    pub fn reset(&mut self) {
        (0..2).for_each(|side| self.wire.cut(side));
        self.over = true;
    }

    /// What an end has received is the beginning of what the other has sent, in order, each message
    /// whole.
    pub fn check_received(&self) {
        for side in 0..2 {
            let (received, sent) = (&self.ends[side].received, &self.sent[1 - side]);
            assert!(sent.starts_with(received), "{} of {} at side {side}", received.len(), sent.len());
        }
    }

    /// All that was sent has been received.
    pub fn check_all_received(&self) {
        self.check_received();
        assert_eq!(
            [1, 0].map(|side: usize| self.ends[side].received.len()),
            [0, 1].map(|side: usize| self.sent[side].len())
        );
    }

    fn tick(&mut self, side: usize) {
        let end = &mut self.ends[side];
        end.tick();
        assert!(end.deadline().is_none_or(|at| at > self.now), "a deadline that was served is behind us");
        if !end.output.is_empty() {
            self.pings[side].push(self.now);
        }
        self.write(side);
    }

    fn write(&mut self, side: usize) {
        let bytes = self.ends[side].written();
        self.wire.put(1 - side, &bytes, self.now);
    }
}
