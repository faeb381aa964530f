//! The printed summary and the final checks of the ledger.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Scenario;
use super::quiescence::Outcome;
use crate::actor::Actor;
use testing::ledger::{Account, Class};
use testing::proxy::Counts;

impl Scenario {
    /// Evaluates all classes, prints a summary, and returns the errors.
    pub(super) fn sum_up(mut self, outcome: &Outcome) -> Vec<String> {
        let ledger = self.shared.ledger.clone();
        for actor in self.actors.drain(..).filter(Actor::is_finished) {
            actor.join().into_iter().for_each(|panic| ledger.record_error(panic));
        }
        let mut counts = Counts::default();
        self.proxies.iter().for_each(|proxy| counts.add(&proxy.counts()));
        let of_processes = load(&self.shared.stops) + load(&self.shared.aborts);
        let disturbances = (self.kills + of_processes + counts.accepted + counts.faults()) as usize;
        let of = |class| ledger.account(class, disturbances, 3, lost_at_most());
        let (work, request) = (of(Class::Work), of(Class::Request));
        let (reply, publications) = (of(Class::Reply), of(Class::Publication));
        self.print_load(&counts, outcome);
        print_losses("PUSH to PULL", &work);
        print_losses("DEALER to ROUTER", &request);
        self.print_drops(&reply, &publications);
        self.print_peers();
        self.check_all_happened();
        ledger.errors()
    }

    fn print_load(&self, counts: &Counts, outcome: &Outcome) {
        let Outcome { periods, recovery, last, settling, .. } = outcome;
        println!(
            "SEED={} load held {:.1} s: {} lives, {} kills, {} faults in {} connections through proxies \
             ({} resets, {} closes, {} stalls, {} pauses, {} cuts, {} refusals, {} fragments, {} delays); \
             {} messages checked; all pairs connected in {recovery:.1?}, the last one: {last:?}; \
             all received in {settling:.1?}, periods: {periods}",
            self.seed,
            self.held.as_secs_f64(),
            self.shared.ledger.stream_count(),
            self.kills,
            counts.faults(),
            counts.accepted,
            counts.resets,
            counts.closes,
            counts.stalls,
            counts.pauses,
            counts.cuts,
            counts.refusals,
            counts.fragments,
            counts.delays,
            self.shared.ledger.checked(),
        );
    }

    fn print_drops(&self, reply: &Account, publications: &Account) {
        println!(
            "  ROUTER to DEALER: {} sent, {} received, {} of them by a later life of the name; {} dropped by ROUTERs of \
             ours, the rest lost with a connection or a receiver; at most {} runs",
            load(&self.shared.replies),
            reply.received,
            load(&self.shared.stale_replies),
            load(&self.shared.replies_dropped),
            reply.runs,
        );
        println!(
            "  PUBs to SUBs: {} sent, {} received; {} dropped for those without room, the rest by those who were away",
            publications.sent,
            publications.received,
            load(&self.shared.publications_dropped),
        );
    }

    fn print_peers(&self) {
        let (peers, shared) = (self.hostile.counts(), &self.shared);
        println!(
            "  hostile peers: {} trickled, {} flooded, {} refused ({} of them dialled), {} left with {} topics, \
             {} whole messages of theirs received; processes stopped {} times; libzmq aborted {} times; \
             {} connects and disconnects from two threads; an endpoint was free again after {} ms at the most",
            load(&peers.trickles),
            load(&peers.floods),
            load(&peers.refusals),
            load(&peers.refusals_dialled),
            load(&peers.subscribers),
            self.hostile.topics(),
            load(&shared.hostile_messages),
            load(&shared.stops),
            load(&shared.aborts),
            load(&shared.reconnects),
            load(&shared.longest_bind),
        );
    }

    fn check_all_happened(&self) {
        let (peers, shared) = (self.hostile.counts(), &self.shared);
        let happened = [
            ("trickling peer", &peers.trickles),
            ("flooding peer", &peers.floods),
            ("refusing peer", &peers.refusals),
            ("subscriber to many topics", &peers.subscribers),
            ("whole message of a hostile peer", &shared.hostile_messages),
            ("stopped process", &shared.stops),
            ("connect or disconnect from two threads", &shared.reconnects),
        ];
        // A round that has ended early may lack some of them.
        if shared.ledger.errors().is_empty() && self.held > Duration::from_secs(5) {
            for (what, _) in happened.into_iter().filter(|(_, times)| load(times) == 0) {
                shared.ledger.record_error(format!("there was no {what}"));
            }
        }
    }
}

fn print_losses(name: &str, account: &Account) {
    println!(
        "  {name}: {} sent, {} received; lost with one of {} connections: {} (at most {} messages, {} bytes \
         with one of ours), with a killed sender: {}; at most {} runs",
        account.sent,
        account.received,
        account.connections,
        account.lost_with_a_connection,
        account.worst.0,
        account.worst.1,
        account.lost_with_the_sender,
        account.runs,
    );
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Returns how many bytes one connection may lose: the buffers of two kernels and of the proxy.
fn lost_at_most() -> u64 {
    let largest = |name: &str| -> u64 {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect("a limit");
        text.split_whitespace().nth(2).and_then(|text| text.parse().ok()).expect("a number")
    };
    largest("tcp_wmem") + largest("tcp_rmem") + (2 << 20)
}
