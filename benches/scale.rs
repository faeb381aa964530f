//! The cost of a message with many peers or subscriptions: first in the hubs and queues of the
//! core, without streams, then between sockets.
//!
//! `throughput` varies the size of messages, `compare` the number of idle peers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use monocoque_core::{Inbox, LaneConfig, Message, PeerKey, Room, RouterBehavior};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use monocoque_bench::fixtures::{Lanes, publisher, router, subjects, topic};
use monocoque_bench::{Library, Load, Pattern, config, group, measure};

fn route_in_turn(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, route in turn by peers");
    for peers in PEERS {
        let (mut hub, _) = router(RouterBehavior::RoundRobin, peers);
        group.bench_function(BenchmarkId::new("ours", peers), |bencher| {
            bencher.iter(|| {
                let to = hub.next_peer().expect("peers with room");
                hub.pass_turn(to, Room::Available);
            });
        });
    }
}

fn route_by_id(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, route by id by peers");
    for peers in PEERS {
        let (hub, ids) = router(RouterBehavior::ById, peers);
        let mut ids = ids.iter().cycle();
        group.bench_function(BenchmarkId::new("ours", peers), |bencher| {
            bencher.iter(|| hub.lookup(ids.next().expect("without end")));
        });
    }
}

/// An inbox with messages in all of its lanes.
fn push_and_take(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, push and take by lanes");
    for n in PEERS {
        let mut lanes = Lanes::new(n);
        group.bench_function(BenchmarkId::new("ours", n), |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                let mut taken = 0;
                while taken < times {
                    taken += lanes.push_and_take() as u64;
                }
                start.elapsed().mul_f64(times as f64 / taken as f64)
            });
        });
    }
}

/// Connecting and disconnecting, besides the existing connections of `connect`.
fn attach(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, attach a lane by lanes");
    for n in PEERS {
        let inbox = Inbox::<Message>::new();
        let attach = |slot| {
            let series = Some(u64::from(slot));
            inbox.open_lane(
                PeerKey::new(slot, 1),
                (),
                LaneConfig { ordering_group: series, ..LaneConfig::default() },
            )
        };
        for slot in 1..n {
            attach(slot);
        }
        group.bench_function(BenchmarkId::new("ours", n), |bencher| {
            bencher.iter(|| inbox.detach_lane(attach(0)));
        });
    }
}

/// One matching subscription among many.
fn match_topics(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, match by subscriptions");
    for topics in SUBSCRIPTIONS {
        let mut hub = publisher((0..topics).map(topic));
        let subjects = subjects(topics);
        let mut subjects = subjects.iter().cycle();
        let mut to = Vec::new();
        group.bench_function(BenchmarkId::new("ours", topics), |bencher| {
            bencher.iter(|| hub.matches(subjects.next().expect("without end").as_bytes(), &mut to));
        });
    }
}

/// Subscriptions of different lengths that differ from the subject in their last byte only: the
/// worst that a subscriber can do.
fn match_lengths(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, match the worst by subscriptions");
    for topics in [1, 10, 100, 1000] {
        let mut hub = publisher((0..topics).map(|n| [&*vec![b'a'; n], b"\0"].concat()));
        let subject = vec![b'a'; 1000];
        let mut to = Vec::new();
        group.bench_function(BenchmarkId::new("ours", topics), |bencher| {
            bencher.iter(|| hub.matches(black_box(&subject), &mut to));
        });
    }
}

/// DEALERs that each have one message in flight, with an echo.
fn dealers(criterion: &mut Criterion) {
    // Each peer needs one to three descriptors.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("a limit up to the maximum");
    let mut group = group(criterion, "scale, dealers and router by dealers");
    for from in [1, 10, 100, 1000] {
        for &library in LIBRARIES {
            measure(&mut group, library, from, Load { from, ..Load::of(Pattern::DealerRouterEcho) });
        }
    }
}

/// A SUB that matches every second message.
fn subscriptions(criterion: &mut Criterion) {
    let mut group = group(criterion, "scale, pub to sub by subscriptions");
    for topics in SUBSCRIPTIONS {
        for &library in LIBRARIES {
            measure(&mut group, library, topics, Load { topics, ..Load::of(Pattern::PubSub) });
        }
    }
}

const PEERS: [u32; 5] = [1, 10, 100, 1000, 10_000];
const SUBSCRIPTIONS: [usize; 6] = [1, 10, 100, 1000, 10_000, 100_000];
const LIBRARIES: &[Library] = &[
    #[cfg(feature = "zmq")]
    Library::Zmq,
    Library::Ours,
];

criterion_group!(
    name = hubs;
    config = config().warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    targets = route_in_turn, route_by_id, push_and_take, attach, match_topics, match_lengths
);
criterion_group!(name = sockets; config = config(); targets = dealers, subscriptions);
criterion_main!(hubs, sockets);
