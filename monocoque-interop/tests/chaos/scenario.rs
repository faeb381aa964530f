//! What happens to those who take part, and what they share.

mod peers;
mod quiescence;
mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use monocoque::Context;
use tempfile::TempDir;

use crate::actor::{Actor, Role};
use testing::hostile::{self, Hostile};
use testing::ledger::{CHAOS, Ledger, is_lossless};
use testing::proxy::{self, FaultPlan, Proxy};

use peers::Cast;
pub(crate) use quiescence::Calm;

/// What the actors share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) context: Context,
    phase: AtomicU8,
    /// No thread connects and disconnects any more.
    pub(crate) reconnected: AtomicBool,
    /// Lives in which threads still do.
    pub(crate) reconnecting: AtomicU64,
    /// How many connections were begun or given up by those threads.
    pub(crate) reconnects: AtomicU64,
    /// Whole messages of hostile peers that were received.
    pub(crate) hostile_messages: AtomicU64,
    /// How long a life of ours has waited for its endpoint to be free, at the most: milliseconds.
    pub(crate) longest_bind: AtomicU64,
    /// How often a process was stopped.
    pub(crate) stops: AtomicU64,
    /// How often a process of libzmq has ended by an abort of its own.
    pub(crate) aborts: AtomicU64,
    /// Nobody is to live again.
    pub(crate) ended: AtomicBool,
    pub(crate) replies: AtomicU64,
    pub(crate) replies_dropped: AtomicU64,
    /// Replies to a DEALER of the same name, before it was killed.
    pub(crate) stale_replies: AtomicU64,
    pub(crate) news_dropped: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Scenario {
    seed: u64,
    chance: Rng,
    shared: Arc<Shared>,
    actors: Vec<Actor>,
    proxies: Vec<Proxy>,
    hostile: Hostile,
    /// Who must hear whom.
    pairs: Vec<(u8, u8)>,
    kills: u64,
    since: Instant,
    held: Duration,
    /// Goes last.
    _directory: TempDir,
}

impl Shared {
    fn new(seed: u64) -> Self {
        Self {
            ledger: Ledger::new(seed),
            context: Context::builder().io_threads(2).build().expect("I/O threads"),
            phase: AtomicU8::new(CHAOS),
            reconnected: AtomicBool::new(false),
            reconnecting: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            hostile_messages: AtomicU64::new(0),
            longest_bind: AtomicU64::new(0),
            stops: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            replies: AtomicU64::new(0),
            replies_dropped: AtomicU64::new(0),
            stale_replies: AtomicU64::new(0),
            news_dropped: AtomicU64::new(0),
        }
    }

    pub(crate) fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    /// How many messages are sent without a pause. Once it is calm, so few that what has piled up
    /// goes down.
    pub(crate) fn burst(&self, role: Role) -> usize {
        burst(self.phase(), role)
    }
}

/// How many messages are sent without a pause in this phase.
pub(crate) fn burst(phase: u8, role: Role) -> usize {
    let fast = if cfg!(debug_assertions) { 1 } else { 3 };
    match (phase, role) {
        (CHAOS, Role::Push) => 6 * fast,
        (CHAOS, _) => 2 * fast,
        _ => 1,
    }
}

/// How much a sender has still to send in a phase in which nothing may be lost.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    phase: u8,
    sent: usize,
}

impl Quota {
    pub(crate) fn left(&mut self, phase: u8) -> usize {
        if !is_lossless(phase) {
            return usize::MAX;
        }
        if phase != self.phase {
            *self = Self { phase, sent: 0 };
        }
        SETTLED_MESSAGES - self.sent
    }

    /// Notes that one was sent in the phase that was asked for last.
    pub(crate) fn count(&mut self, phase: u8) {
        self.sent += usize::from(phase == self.phase);
    }
}

impl Scenario {
    /// `topics` is how many one hostile peer subscribes to.
    pub(crate) fn start(seed: u64, topics: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut chance = Rng::with_seed(seed);
        let Cast { parts, pairs, proxies, dialled, listening, .. } = Cast::new(directory.path(), &mut chance);
        let hostile = Hostile::start(dialled, listening, topics, chance.u64(..));
        let shared = Arc::new(Shared::new(seed));
        let mut start = |part| Actor::start(part, shared.clone(), chance.u64(..));
        let actors = parts.into_iter().map(&mut start).collect();
        Self {
            seed,
            chance,
            shared,
            actors,
            proxies,
            hostile,
            pairs,
            kills: 0,
            since: Instant::now(),
            held: Duration::ZERO,
            _directory: directory,
        }
    }

    /// Lets things happen for a while. Ends early if something is wrong already.
    pub(crate) fn disturb(mut self, time: Duration) -> Calm {
        let is_over = |scenario: &Self| {
            !scenario.shared.ledger.errors().is_empty() || scenario.actors.iter().any(Actor::is_finished)
        };
        while self.since.elapsed() < time && !is_over(&self) {
            thread::sleep(Duration::from_millis(self.chance.u64(5..80)));
            self.happen();
        }
        self.held = self.since.elapsed();
        Calm(self)
    }

    fn happen(&mut self) {
        let what = self.chance.u8(0..20);
        if what < 6 {
            let victims: Vec<_> = self.actors.iter().filter(|actor| actor.part.mortal).collect();
            let victim = self.chance.choice(victims).expect("not empty");
            self.kills += u64::from(victim.kill());
            return;
        }
        let at = self.chance.usize(..self.proxies.len());
        let mut millis = |range| Duration::from_millis(self.chance.u64(range));
        let proxy = &self.proxies[at];
        match what {
            6..=8 => proxy.inject(proxy::Fault::Reset),
            9 => proxy.inject_all(proxy::Fault::Reset),
            10 => proxy.inject(proxy::Fault::Close),
            11 | 12 => proxy.inject(proxy::Fault::Stall(millis(100..2_000))),
            13 => proxy.inject_all(proxy::Fault::Stall(millis(100..1_000))),
            14 => proxy.inject(proxy::Fault::Pause(millis(50..500))),
            15 => proxy.inject(proxy::Fault::CutToClient),
            16 => proxy.inject(proxy::Fault::CutToTarget),
            17 => proxy.refuse(millis(20..400)),
            _ => proxy.set(faults(&mut self.chance)),
        }
    }
}

/// What a proxy does by itself.
fn faults(chance: &mut Rng) -> FaultPlan {
    use proxy::Fault::{Close, CutToClient, CutToTarget, Pause, Reset, Stall};
    let ends = [
        Reset,
        Reset,
        Close,
        CutToClient,
        CutToTarget,
        Stall(Duration::from_millis(700)),
        Pause(Duration::from_millis(300)),
    ];
    FaultPlan {
        fragment: if chance.bool() { chance.usize(64..4_096) } else { 0 },
        delay: if chance.u8(0..4) == 0 {
            Duration::from_micros(chance.u64(50..1_500))
        } else {
            Duration::ZERO
        },
        faults: ends.to_vec(),
        // Some within the handshake.
        after: if chance.u8(0..4) == 0 { 0..3_000 } else { 1_000..1_500_000 },
    }
}

/// The topic that all SUBs subscribe to.
pub(crate) const TOPIC: u8 = hostile::TOPIC;
/// How many messages each sends at last, of which none may be lost.
pub(crate) const SETTLED_MESSAGES: usize = 200;
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Between two bursts.
pub(crate) const PAUSE: Duration = Duration::from_millis(4);
