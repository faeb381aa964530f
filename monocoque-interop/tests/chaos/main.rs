//! All kinds of sockets under load, while sockets are killed and connections are reset, stalled and
//! cut.
//!
//! Five PUSHes with four PULLs, two ROUTERs with twelve DEALERs, and a PUB with five SUBs, of which
//! one does not read and one is slow. One pair over each transport and a PUB with a SUB are spared
//! all faults. libzmq is used on both sides of each pattern; its sockets and some of Monocoque run
//! in [processes](child) of their own, which are stopped occasionally. The connections use tcp and
//! ipc, some of them through [proxies](testing::proxy). [Hostile peers](testing::hostile) connect
//! to bound sockets and accept connections of others. [Two threads](reconnects) continuously
//! connect and disconnect one PUSH and one DEALER. The [`ledger`](testing::ledger) and the [end of
//! the quiet period](scenario::QuietPeriod::end) check the invariants.
//!
//! `CHAOS_SECONDS` sets the duration (default: 7), `CHAOS_TOPICS` the number of topics of a hostile
//! subscriber (default: 3,000); `SEED` repeats random choices. `scripts/chaos.sh` runs the long
//! form.

mod actor;
mod blocking;
mod child;
mod child_main;
mod child_socket;
mod libzmq_peers;
mod monocoque_peers;
mod part;
mod reconnects;
mod scenario;
mod shared;

use std::time::{Duration, Instant};

use scenario::Scenario;
use testing::process_stats::ProcessStats;

#[test]
fn chaos_run_keeps_all_invariants() {
    if child_main::run() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..));
    let time = Duration::from_secs(number("CHAOS_SECONDS").unwrap_or(7));
    let topics = number("CHAOS_TOPICS").unwrap_or(3_000) as usize;
    eprintln!("SEED={seed} CHAOS_SECONDS={} CHAOS_TOPICS={topics}", time.as_secs());
    // The first round creates what is kept, such as the arenas of the allocator.
    let warm_up = run_round(seed ^ 1, topics, Duration::from_secs(2));
    let before = settle(None);
    let errors = [warm_up, run_round(seed, topics, time)].concat();
    let after = settle(Some(before));
    println!("held before: {before:?}, after: {after:?}");
    assert!(errors.is_empty(), "SEED={seed}: {}", errors.join("\n"));
    assert!(after.fds <= before.fds, "SEED={seed}: {after:?}: {:#?}", ProcessStats::descriptors());
    assert!(after.threads <= before.threads, "SEED={seed}: {after:?}");
    let grown = after.rss_kb.saturating_sub(before.rss_kb);
    assert!(grown < RSS_SLACK_KB + topics / 2, "SEED={seed}: {grown} kB more than before");
}

/// Runs one round. Returns its errors.
fn run_round(seed: u64, topics: usize, time: Duration) -> Vec<String> {
    let scenario = Scenario::start(seed, topics);
    scenario.disturb(time).end()
}

/// Waits until threads and descriptors are released. Returns the resources in use.
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

/// The memory that the allocator may keep beyond the first round: it has arenas for many threads.
/// 512 bytes are added for each topic of a hostile subscriber.
const RSS_SLACK_KB: usize = 96 * 1024;
