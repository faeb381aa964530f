//! All kinds of sockets under load, while they are killed and their connections reset, stalled and
//! cut.
//!
//! Five PUSHes and four PULLs, two ROUTERs with twelve DEALERs, a PUB with five SUBs, of which one
//! does not read and one is slow; a pair over each transport, and a PUB with a SUB, that nothing
//! happens to. libzmq is among each of them, on both sides; it and some of ours are in
//! [processes](child) of their own, which are stopped now and then. They talk over tcp and ipc, in
//! part through [proxies](testing::proxy).
//! [Hostile peers](testing::hostile) dial those that are bound, and are dialled. [Two
//! threads](reconnects) connect and disconnect one PUSH and one DEALER all the time.
//! [`ledger`](testing::ledger) and the [end](scenario::Calm::end) tell what must hold.
//!
//! `CHAOS_SECONDS` is how long it takes (default: 7), `CHAOS_TOPICS` how many topics one hostile
//! peer subscribes to (default: 3,000); `SEED` repeats what was decided by chance.
//! `scripts/chaos.sh` runs the long form.

mod actor;
mod blocking;
mod child;
mod child_main;
mod libzmq_peers;
mod monocoque_peers;
mod reconnects;
mod scenario;

use std::time::{Duration, Instant};

use scenario::Scenario;
use testing::process_stats::ProcessStats;

#[test]
fn chaos_run_keeps_all_invariants() {
    if child_main::play() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..));
    let time = Duration::from_secs(number("CHAOS_SECONDS").unwrap_or(7));
    let topics = number("CHAOS_TOPICS").unwrap_or(3_000) as usize;
    eprintln!("SEED={seed} CHAOS_SECONDS={} CHAOS_TOPICS={topics}", time.as_secs());
    // What is made once and kept, such as the arenas of the allocator, is made by the first round.
    let warm_up = run(seed ^ 1, topics, Duration::from_secs(2));
    let before = settle(None);
    let wrongs = [warm_up, run(seed, topics, time)].concat();
    let after = settle(Some(before));
    println!("held before: {before:?}, after: {after:?}");
    assert!(wrongs.is_empty(), "SEED={seed}: {}", wrongs.join("\n"));
    assert!(after.fds <= before.fds, "SEED={seed}: {after:?}: {:#?}", ProcessStats::descriptors());
    assert!(after.threads <= before.threads, "SEED={seed}: {after:?}");
    let grown = after.rss_kb.saturating_sub(before.rss_kb);
    assert!(grown < RSS_SLACK_KB + topics / 2, "SEED={seed}: {grown} kB more than before");
}

/// What was wrong in one round.
fn run(seed: u64, topics: usize, time: Duration) -> Vec<String> {
    let scenario = Scenario::start(seed, topics);
    scenario.disturb(time).end()
}

/// What is held once all that ends by itself has ended.
fn settle(target: Option<ProcessStats>) -> ProcessStats {
    let start = Instant::now();
    loop {
        let now = ProcessStats::now();
        let enough = match target {
            Some(target) => now.fds <= target.fds && now.threads <= target.threads,
            // The test, and the thread that runs it.
            None => now.threads <= 2,
        };
        if enough || start.elapsed() > Duration::from_secs(10) {
            return now;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the allocator may keep beyond what the first round has left: it has arenas for many
/// threads. 512 bytes come on top for each topic that one peer subscribes to.
const RSS_SLACK_KB: usize = 96 * 1024;
