//! The quiet period at the end, and the invariants that it checks.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::actor::Actor;
use crate::part::Role;
use crate::shared::{DEADLINE, LOSSLESS_MESSAGES};
use testing::ledger::Class;
use testing::proxy::Proxy;

/// A scenario after its faults.
#[derive(Debug)]
pub(crate) struct QuietPeriod(pub(super) Scenario);

/// The course of the quiet periods.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The number of quiet periods, including those that libzmq has disturbed.
    pub(super) periods: u8,
    /// The time until all pairs had exchanged a message, and the last such pair.
    pub(super) recovery: Duration,
    pub(super) last: String,
    /// The time after that until all messages were received.
    pub(super) settling: Duration,
    /// The unmet expectations.
    missing: Vec<String>,
}

impl QuietPeriod {
    /// Waits until all pairs exchange messages, checks that none is lost from then on, and ends all
    /// parts. Returns the errors.
    pub(crate) fn end(self) -> Vec<String> {
        let mut scenario = self.0;
        scenario.end_faults();
        let outcome = scenario.prove();
        scenario.end_all();
        scenario.sum_up(&outcome)
    }
}

impl Scenario {
    fn end_faults(&mut self) {
        let panicked = self.hostile.end();
        let Self { shared, actors, .. } = self;
        panicked.into_iter().for_each(|panic| shared.ledger.record_error(panic));
        self.proxies.iter().for_each(Proxy::heal);
        // Waits until killed parts have noticed and started again.
        wait(|| actors.iter().all(Actor::is_alive) || !shared.ledger.errors().is_empty());
        shared.reconnected.store(true, Ordering::SeqCst);
        wait(|| shared.reconnecting.load(Ordering::SeqCst) == 0);
    }

    /// Repeats quiet periods until one is not disturbed. An abort of libzmq loses the messages that
    /// it had, and its part returns in the middle, so that period proves nothing.
    fn prove(&self) -> Outcome {
        let (ledger, aborts) = (&self.shared.ledger, &self.shared.aborts);
        let mut outcome = Outcome::default();
        for periods in 1..=MAX_PERIODS {
            let before = aborts.load(Ordering::SeqCst);
            let disturbed = || aborts.load(Ordering::SeqCst) != before;
            let phase = 2 * periods - 1;
            outcome = Outcome { periods, ..self.settle(phase, disturbed) };
            if !disturbed() {
                // An earlier error has ended the period early.
                if ledger.errors().is_empty() {
                    outcome.missing.drain(..).for_each(|missing| ledger.record_error(missing));
                }
                return outcome;
            }
        }
        ledger.record_error(format!("libzmq has aborted in each of {MAX_PERIODS} periods"));
        outcome
    }

    /// Runs one quiet period, of this phase and the next one. Ends early if it is disturbed, or
    /// after an error.
    fn settle(&self, phase: u8, disturbed: impl Fn() -> bool) -> Outcome {
        let over = || disturbed() || !self.shared.ledger.errors().is_empty();
        let mut outcome = Outcome::default();
        self.shared.phase.store(phase, Ordering::SeqCst);
        outcome.recovery = wait(|| {
            let missing_pairs = self.missing_pairs(phase);
            if let Some(last) = missing_pairs.last() {
                outcome.last.clone_from(last);
            }
            missing_pairs.is_empty() || over()
        });
        outcome.missing = self.missing_pairs(phase);
        if !disturbed() {
            self.shared.phase.store(phase + 1, Ordering::SeqCst);
            outcome.settling = wait(|| self.unreceived(phase + 1).is_empty() || over());
            outcome.missing.extend(self.unreceived(phase + 1));
        }
        outcome
    }

    /// Returns the pairs that have not exchanged a message in this phase.
    fn missing_pairs(&self, phase: u8) -> Vec<String> {
        let name = |index: u8| self.actors[usize::from(index)].part.name();
        let pairs =
            self.pairs.iter().filter(|(from, to)| !self.shared.ledger.has_received_from(*from, *to, phase));
        pairs.map(|(from, to)| format!("{} has sent nothing to {}", name(*from), name(*to))).collect()
    }

    /// Returns the classes of which fewer messages were received in this phase than sent.
    fn unreceived(&self, phase: u8) -> Vec<String> {
        let sends = |role: fn(Role) -> bool| {
            (self.actors.iter().filter(|actor| role(actor.part.role)).count() * LOSSLESS_MESSAGES) as u64
        };
        let all = [
            (Class::Work, sends(|role| role == Role::Push)),
            (Class::Request, sends(|role| matches!(role, Role::Dealer(_)))),
            (Class::Reply, sends(|role| matches!(role, Role::Dealer(_)))),
            (Class::Publication, sends(|role| matches!(role, Role::Sub(_)))),
        ];
        let got = |class| self.shared.ledger.lossless_count(class, phase);
        let missing = all.into_iter().filter(|(class, n)| got(*class) < *n);
        let describe = |(class, n)| {
            format!("{class:?}: {} of {n} messages were received in the quiet period", got(class))
        };
        missing.map(describe).collect()
    }

    fn end_all(&self) {
        let Self { shared, actors, .. } = self;
        shared.ended.store(true, Ordering::SeqCst);
        wait(|| {
            actors.iter().for_each(|actor| {
                actor.kill();
            });
            actors.iter().all(Actor::is_finished)
        });
        let late = actors.iter().filter(|actor| !actor.is_finished());
        late.for_each(|actor| shared.ledger.record_error(format!("{} does not end", actor.part.name())));
    }
}

/// Waits until a condition holds, or for [`DEADLINE`]. Returns the time taken.
fn wait(mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() && start.elapsed() < DEADLINE {
        thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}

/// The largest number of quiet periods.
const MAX_PERIODS: u8 = 5;
