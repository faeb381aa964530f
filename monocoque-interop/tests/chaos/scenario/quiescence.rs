//! The end: what must hold once nothing happens any more.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{DEADLINE, SETTLED_MESSAGES, Scenario};
use crate::actor::{Actor, Role};
use testing::ledger::Class;
use testing::proxy::Proxy;

/// A scenario in which nothing more happens.
#[derive(Debug)]
pub(crate) struct Calm(pub(super) Scenario);

/// How a calm went.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// How many calms there were, with those before it that libzmq has disturbed.
    pub(super) calms: u8,
    /// How long it took until all have found each other, and which pair was the last one.
    pub(super) recovery: Duration,
    pub(super) last: String,
    /// How long it took then until all was received.
    pub(super) settling: Duration,
    /// What did not come about.
    missing: Vec<String>,
}

impl Calm {
    /// Lets all find each other again and proves that nothing is lost from then on; ends them, and
    /// says what was wrong.
    pub(crate) fn end(self) -> Vec<String> {
        let mut scenario = self.0;
        scenario.calm_down();
        let course = scenario.prove();
        scenario.end_all();
        scenario.sum_up(&course)
    }
}

impl Scenario {
    fn calm_down(&mut self) {
        let panicked = self.hostile.end();
        let Self { shared, actors, .. } = self;
        panicked.into_iter().for_each(|panic| shared.ledger.record_error(panic));
        self.proxies.iter().for_each(Proxy::heal);
        // Whoever was killed last has to have noticed, or would die later on.
        wait(|| actors.iter().all(Actor::lives) || !shared.ledger.errors().is_empty());
        shared.reconnected.store(true, Ordering::SeqCst);
        wait(|| shared.reconnecting.load(Ordering::SeqCst) == 0);
    }

    /// A calm in which libzmq has aborted is no proof that all is found and received: what it had
    /// is lost, and it comes back in the middle. Another one follows then, of which all must hold.
    fn prove(&self) -> Course {
        let (ledger, aborts) = (&self.shared.ledger, &self.shared.aborts);
        let mut course = Course::default();
        for calms in 1..=CALMS {
            let before = aborts.load(Ordering::SeqCst);
            let disturbed = || aborts.load(Ordering::SeqCst) != before;
            let phase = 2 * calms - 1;
            course = Course { calms, ..self.settle(phase, disturbed) };
            if !disturbed() {
                // What was wrong before has ended the calm early.
                if ledger.errors().is_empty() {
                    course.missing.drain(..).for_each(|missing| ledger.record_error(missing));
                }
                return course;
            }
        }
        ledger.record_error(format!("libzmq has aborted in each of {CALMS} calms"));
        course
    }

    /// One calm, of this phase and the next one. Ends early if it is disturbed, or if something is
    /// wrong.
    fn settle(&self, phase: u8, disturbed: impl Fn() -> bool) -> Course {
        let over = || disturbed() || !self.shared.ledger.errors().is_empty();
        let mut course = Course::default();
        self.shared.phase.store(phase, Ordering::SeqCst);
        course.recovery = wait(|| {
            let deaf = self.deaf(phase);
            if let Some(last) = deaf.last() {
                course.last.clone_from(last);
            }
            deaf.is_empty() || over()
        });
        course.missing = self.deaf(phase);
        if !disturbed() {
            self.shared.phase.store(phase + 1, Ordering::SeqCst);
            course.settling = wait(|| self.unreceived(phase + 1).is_empty() || over());
            course.missing.extend(self.unreceived(phase + 1));
        }
        course
    }

    /// Who does not hear whom in this phase.
    fn deaf(&self, phase: u8) -> Vec<String> {
        let name = |index: u8| self.actors[usize::from(index)].part.name();
        let pairs =
            self.pairs.iter().filter(|(from, to)| !self.shared.ledger.has_received_from(*from, *to, phase));
        pairs.map(|(from, to)| format!("{} is not heard by {}", name(*from), name(*to))).collect()
    }

    /// Of what less was received in this phase than was sent.
    fn unreceived(&self, phase: u8) -> Vec<String> {
        let sends = |role: fn(Role) -> bool| {
            (self.actors.iter().filter(|actor| role(actor.part.role)).count() * SETTLED_MESSAGES) as u64
        };
        let all = [
            (Class::Work, sends(|role| role == Role::Push)),
            (Class::Request, sends(|role| matches!(role, Role::Dealer(_)))),
            (Class::Reply, sends(|role| matches!(role, Role::Dealer(_)))),
            (Class::Publication, sends(|role| matches!(role, Role::Sub(_)))),
        ];
        let got = |class| self.shared.ledger.lossless_count(class, phase);
        let missing = all.into_iter().filter(|(class, n)| got(*class) < *n);
        let tell =
            |(class, n)| format!("{class:?}: {} of {n} messages were received in the calm", got(class));
        missing.map(tell).collect()
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

/// Waits for something, for how long it may take; how long it took.
fn wait(mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() && start.elapsed() < DEADLINE {
        thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}

/// How many calms there are at the most.
const CALMS: u8 = 5;
