//! The faults that the parts are exposed to.

mod peers;
mod quiescence;
mod summary;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;

use crate::actor::Actor;
use crate::shared::Shared;
use testing::hostile::Hostile;
use testing::proxy::{self, FaultPlan, Proxy};

use peers::Parts;
pub(crate) use quiescence::QuietPeriod;

#[derive(Debug)]
pub(crate) struct Scenario {
    seed: u64,
    rng: Rng,
    shared: Arc<Shared>,
    actors: Vec<Actor>,
    proxies: Vec<Proxy>,
    hostile: Hostile,
    /// The pairs of sender and receiver that must exchange messages.
    pairs: Vec<(u8, u8)>,
    kills: u64,
    since: Instant,
    held: Duration,
    /// Dropped last.
    _directory: TempDir,
}

impl Scenario {
    /// Starts all parts. `topics` is the number of topics of a hostile subscriber.
    pub(crate) fn start(seed: u64, topics: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut rng = Rng::with_seed(seed);
        let Parts { parts, pairs, proxies, dialled, listening, .. } = Parts::new(directory.path(), &mut rng);
        let hostile = Hostile::start(dialled, listening, topics, rng.u64(..));
        let shared = Arc::new(Shared::new(seed));
        let mut start = |part| Actor::start(part, shared.clone(), rng.u64(..));
        let actors = parts.into_iter().map(&mut start).collect();
        Self {
            seed,
            rng,
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

    /// Injects faults for some time. Ends early after an error.
    pub(crate) fn disturb(mut self, time: Duration) -> QuietPeriod {
        let is_over = |scenario: &Self| {
            !scenario.shared.ledger.errors().is_empty() || scenario.actors.iter().any(Actor::is_finished)
        };
        while self.since.elapsed() < time && !is_over(&self) {
            thread::sleep(Duration::from_millis(self.rng.u64(5..80)));
            self.inject_fault();
        }
        self.held = self.since.elapsed();
        QuietPeriod(self)
    }

    fn inject_fault(&mut self) {
        let what = self.rng.u8(0..20);
        if what < 6 {
            let victims: Vec<_> = self.actors.iter().filter(|actor| actor.part.killable).collect();
            let victim = self.rng.choice(victims).expect("not empty");
            self.kills += u64::from(victim.kill());
            return;
        }
        let at = self.rng.usize(..self.proxies.len());
        let mut millis = |range| Duration::from_millis(self.rng.u64(range));
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
            _ => proxy.set(faults(&mut self.rng)),
        }
    }
}

/// Chooses the faults that a proxy injects by itself.
fn faults(rng: &mut Rng) -> FaultPlan {
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
        records: false,
        fragment: if rng.bool() { rng.usize(64..4_096) } else { 0 },
        delay: if rng.u8(0..4) == 0 { Duration::from_micros(rng.u64(50..1_500)) } else { Duration::ZERO },
        faults: ends.to_vec(),
        // Some of them during the handshake.
        after: if rng.u8(0..4) == 0 { 0..3_000 } else { 1_000..1_500_000 },
    }
}
