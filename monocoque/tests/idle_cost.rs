//! CPU cost of idle sockets and of endpoints without a listener: close to zero.
//!
//! The tests run one at a time, since they measure the process.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};
use monocoque::{Monitor, SocketEvent};
use nix::sys::resource::{UsageWho, getrusage};
use testing::process_stats::ProcessStats;
use testing::{At, AtOnce, Placement, RawPeerListener, Transport, numbered};

/// Runs a body in all placements while no other test runs.
fn run_exclusively<F: Future<Output = ()>>(body: impl Fn(At) -> F + Copy + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for transport in [Transport::Tcp, Transport::Ipc] {
        for placement in [Placement::Current, Placement::Thread] {
            testing::run_within(testing::DEADLINE * 2, transport, placement, body);
        }
    }
}

/// CPU time used by this process.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("figures");
    let micros =
        [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>().try_into().expect("not negative"))
}

/// Measures the CPU time of a second in which the caller is idle.
async fn cpu_time_per_second() -> Duration {
    testing::on_blocking_thread(|| {
        let before = cpu_time();
        thread::sleep(Duration::from_secs(1));
        cpu_time() - before
    })
    .await
}

/// Waits until `n` connection attempts have failed.
async fn wait_for_failures(monitor: &mut Monitor, n: usize) {
    let mut failed = 0;
    while failed < n {
        match monitor.next().await.expect("open") {
            SocketEvent::ConnectFailed { .. } => failed += 1,
            SocketEvent::Lagged(_) => panic!("events arrive faster than they are counted"),
            _ => {}
        }
    }
}

/// Counts the attempts that have failed since the last call.
fn count_failures(monitor: &mut Monitor) -> usize {
    let mut failed = 0;
    while let Some(Some(event)) = monitor.next().at_once() {
        failed += match event {
            SocketEvent::ConnectFailed { .. } | SocketEvent::HandshakeFailed { .. } => 1,
            SocketEvent::Lagged(_) => panic!("events arrive faster than they are counted"),
            _ => 0,
        };
    }
    failed
}

#[test]
fn idle_connections_use_no_cpu() {
    run_exclusively(async |at: At| {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut dealers = Vec::new();
        for _ in 0..100 {
            dealers.push(at.connected(DealerSocket::builder(), &endpoint).await);
        }
        router.wait_for_peers(100).await.expect("open");
        // Receives that never complete.
        let mut waiting: Vec<_> = dealers.iter().map(|dealer| Box::pin(dealer.recv())).collect();
        for call in &mut waiting {
            assert!(call.as_mut().at_once().is_none());
        }
        let used = cpu_time_per_second().await;
        assert!(used < Duration::from_millis(30), "{used:?} of CPU time in an idle second");
        drop(waiting);
        for (n, dealer) in dealers.iter().enumerate() {
            dealer.send(numbered(n)).await.expect("sent");
            assert_eq!(router.recv_from().await.expect("received").1, numbered(n));
        }
    });
}

/// Measures endpoints that wait for their next attempt, each with its own timer.
#[test]
fn thousand_dead_endpoints_stay_cheap() {
    run_exclusively(async |at: At| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let nowhere: Vec<_> = (0..10).map(|n| at.unused_endpoint(&n.to_string())).collect();
        let push = at.build(PushSocket::builder().reconnect_interval(Duration::from_secs(60)));
        let mut monitor = push.monitor();
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
        let before = ProcessStats::now();
        for n in 0..100 {
            for nowhere in &nowhere {
                push.connect(nowhere.clone()).await.expect("connected");
            }
            wait_for_failures(&mut monitor, nowhere.len()).await;
            push.send(numbered(n)).await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
        let used = cpu_time_per_second().await;
        assert!(used < Duration::from_millis(30), "{used:?} of CPU time in an idle second");
        let now = ProcessStats::now();
        assert!(now.fds <= before.fds + 2, "{:#?}", ProcessStats::descriptors());
        assert!(now.threads <= before.threads + 1);
        assert!(now.rss_kb < before.rss_kb + 16 * 1024, "{before:?} {now:?}");
        push.close().await;
    });
}

/// Reconnects with an interval of zero to an endpoint that refuses at once: attempts are a
/// millisecond apart, at least half of that.
#[test]
fn zero_interval_does_not_spin() {
    run_exclusively(async |at: At| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.build(PushSocket::builder().reconnect_interval(Duration::ZERO));
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
        let (listener, hangs_up) = RawPeerListener::bind(&at, "hangs-up");
        thread::spawn(move || {
            loop {
                drop(listener.accept());
            }
        });
        let mut monitor = push.monitor();
        let start = Instant::now();
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        push.connect(hangs_up).await.expect("connected");
        let mut attempts = 0;
        let mut n = 0;
        while start.elapsed() < Duration::from_millis(500) {
            push.send(numbered(n)).await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
            attempts += count_failures(&mut monitor);
            n += 1;
        }
        let most = 2 * (2 * start.elapsed().as_millis() as usize + 1);
        assert!((10..=most).contains(&attempts), "{attempts} in {:?}", start.elapsed());
        push.close().await;
    });
}
