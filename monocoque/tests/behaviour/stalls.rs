//! Stalls of a thread or process: heartbeats do not disconnect peers for a stall of their own side.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket};
use monocoque::{DisconnectReason, Endpoint, Monitor, SocketEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testing::{At, AtOnce, Placement, RawPeer, Transport, command, frame, greeting, over_streams, ready};

const BEAT: Duration = Duration::from_millis(300);

/// Peers that answer each PING, with a counter for each.
#[derive(Clone, Debug, Default)]
struct Answers(Vec<Arc<AtomicU32>>);

impl Answers {
    fn of(endpoint: &Endpoint, socket_type: &str, peers: usize) -> Self {
        let answer = |()| {
            let (mut wire, answered) =
                (RawPeer::established(endpoint, socket_type), Arc::new(AtomicU32::new(0)));
            let counter = answered.clone();
            thread::spawn(move || {
                let mut header = [0; 2];
                while wire.read_exact(&mut header).is_ok() {
                    let body = RawPeer::take(&mut wire, header[1].into());
                    if body.starts_with(b"\x04PING") {
                        let Ok(()) = wire.write_all(&command("PONG", b"")) else { break };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                }
                counter.store(GONE, Ordering::Relaxed);
            });
            answered
        };
        Self(vec![(); peers].into_iter().map(answer).collect())
    }

    fn counts(&self) -> Vec<u32> {
        self.0.iter().map(|answered| answered.load(Ordering::Relaxed)).collect()
    }

    /// Returns true if each peer has answered `more` PINGs since `before`. Panics if one was
    /// disconnected.
    fn have_answered(&self, before: &[u32], more: u32) -> bool {
        let counts = self.counts();
        assert!(!counts.contains(&GONE), "a peer that answered was disconnected");
        counts.iter().zip(before).all(|(now, before)| *now >= before + more)
    }
}

const GONE: u32 = u32::MAX;

/// Asserts that no peer was disconnected.
fn assert_no_disconnects(monitor: &mut Monitor) {
    while let Some(Some(event)) = monitor.next().at_once() {
        assert!(!matches!(event, SocketEvent::Disconnected { .. }), "{event:?}");
    }
}

async fn wait_for_heartbeat_timeout(monitor: &mut Monitor) {
    loop {
        if let SocketEvent::Disconnected { reason, .. } = monitor.next().await.expect("open") {
            assert!(matches!(reason, DisconnectReason::HeartbeatTimeout), "{reason}");
            break;
        }
    }
}

over_streams! {
    async fn stalled_pub_keeps_answering_subscribers(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().heartbeat_interval(Some(BEAT))).await;
        let answers = testing::on_blocking_thread(move || Answers::of(&endpoint, "SUB", 5)).await;
        publisher.wait_for_peers(5).await.expect("open");
        let mut monitor = publisher.monitor();
        for stall in [4, 1, 2, 6, 3, 3] {
            thread::sleep(BEAT * stall);
            let before = answers.counts();
            testing::eventually("the next PING is answered", || answers.have_answered(&before, 1)).await;
        }
        // Stalls in a row, with a single yield in between.
        for _ in 0..12 {
            thread::sleep(BEAT * 3 / 2);
            testing::yield_now().await;
        }
        let before = answers.counts();
        testing::eventually("PINGs are still answered", || answers.have_answered(&before, 2)).await;
        assert_no_disconnects(&mut monitor);
    }

    async fn stall_before_ping_keeps_peers(at) {
        let builder = DealerSocket::builder().heartbeat_interval(Some(BEAT)).heartbeat_timeout(BEAT / 3);
        let (dealer, endpoint) = at.bound(builder).await;
        let answers = testing::on_blocking_thread(move || Answers::of(&endpoint, "DEALER", 3)).await;
        dealer.wait_for_peers(3).await.expect("open");
        let mut monitor = dealer.monitor();
        // The next PING is due during a stall, or just before one.
        for n in 0..20 {
            thread::sleep(BEAT / 2 + BEAT / 20 * n);
            testing::yield_now().await;
        }
        let before = answers.counts();
        testing::eventually("PINGs are still answered", || answers.have_answered(&before, 2)).await;
        assert_no_disconnects(&mut monitor);
    }

    async fn stalled_receiver_keeps_ttl_peers(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let (start, promising) = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            let promising = thread::spawn(move || {
                // Each PING follows within its TTL of a fifth of a second.
                for n in 0..60 {
                    wire.put(&command("PING", b"\0\x02"));
                    thread::park_timeout(Duration::from_millis(50));
                    if n == 59 {
                        wire.put(&frame(0, b"still there"));
                    }
                }
                wire
            });
            (Instant::now(), promising)
        })
        .await;
        pull.wait_for_peers(1).await.expect("open");
        while start.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_millis(700));
            testing::yield_now().await;
        }
        assert_eq!(pull.recv().await.expect("received"), "still there");
        drop(promising.join());
    }

    async fn dead_peer_after_stall_times_out(at) {
        let (dealer, endpoint) = at.bound(DealerSocket::builder().heartbeat_interval(Some(BEAT))).await;
        let mut monitor = dealer.monitor();
        let silent = testing::on_blocking_thread(move || RawPeer::established(&endpoint, "DEALER")).await;
        dealer.wait_for_peers(1).await.expect("open");
        thread::sleep(BEAT * 4);
        wait_for_heartbeat_timeout(&mut monitor).await;
        drop(silent);
    }

    async fn dead_peer_during_stalls_times_out(at) {
        let (dealer, endpoint) = at.bound(DealerSocket::builder().heartbeat_interval(Some(BEAT / 3))).await;
        let silent = testing::on_blocking_thread(move || RawPeer::established(&endpoint, "DEALER")).await;
        dealer.wait_for_peers(1).await.expect("open");
        let mut stalls = 0;
        while dealer.peer_count() > 0 {
            thread::sleep(BEAT);
            for _ in 0..10 {
                testing::yield_now().await;
            }
            stalls += 1;
            assert!(stalls < 40, "never disconnected");
        }
        drop(silent);
    }

    async fn stall_after_accept_keeps_handshakes(at) {
        let builder = PullSocket::builder().handshake_timeout(Some(Duration::from_millis(300)));
        let (pull, endpoint) = at.bound(builder).await;
        let mut monitor = pull.monitor();
        let shaking = thread::spawn(move || {
            let mut wires = [(); 3].map(|()| RawPeer::connect(&endpoint));
            for wire in &mut wires {
                wire.put(&greeting());
            }
            thread::park_timeout(Duration::from_millis(50));
            for wire in &mut wires {
                wire.put(&ready("PUSH", b""));
            }
            wires
        });
        let mut accepted = 0;
        while accepted < 3 {
            accepted += usize::from(matches!(monitor.next().await.expect("open"), SocketEvent::Accepted { .. }));
        }
        for _ in 0..5 {
            thread::sleep(Duration::from_secs(1));
            testing::yield_now().await;
        }
        pull.wait_for_peers(3).await.expect("open");
        drop(shaking.join());
    }
}

/// Runs a publisher in a process that the parent stops and continues.
fn publish_in_child(placement: Placement, transport: Transport) {
    testing::run(transport, placement, async |at: At| {
        let (publisher, endpoint) = at.bound(PubSocket::builder().heartbeat_interval(Some(BEAT))).await;
        println!("\n{ENDPOINT}{endpoint}");
        // Runs until the parent closes the pipe.
        testing::on_blocking_thread(|| std::io::stdin().read_to_end(&mut Vec::new())).await.expect("the end");
        drop(publisher);
    });
}

const ENDPOINT: &str = "it publishes at ";
const IN_CHILD: &str = "MONOCOQUE_TEST_CHILD";

fn run_stopped_process(name: &str, placement: Placement, transport: Transport) {
    if std::env::var_os(IN_CHILD).is_some() {
        return publish_in_child(placement, transport);
    }
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", name, "--nocapture"])
        .env(IN_CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let endpoint_text =
        lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.strip_prefix(ENDPOINT)?.to_owned()));
    let endpoint: Endpoint = endpoint_text.expect("an endpoint").parse().expect("an endpoint");
    let answers = Answers::of(&endpoint, "SUB", 5);
    let wait = |before: &[u32]| {
        let start = Instant::now();
        while !answers.have_answered(before, 2) {
            assert!(start.elapsed() < testing::DEADLINE / 2, "no PING");
            thread::yield_now();
        }
    };
    wait(&answers.counts());
    let process = Pid::from_raw(child.id().try_into().expect("a process"));
    for stop in [8, 2, 5] {
        kill(process, Signal::SIGSTOP).expect("stopped");
        // The process is stopped for this time.
        thread::sleep(BEAT * stop);
        kill(process, Signal::SIGCONT).expect("continued");
        wait(&answers.counts());
    }
    drop(child.stdin.take());
    lines.for_each(drop);
    assert!(child.wait().expect("ended").success());
}

macro_rules! stopped {
    ($($name:ident = $placement:ident, $transport:ident;)+) => {
        mod stopped_process_keeps_answering_peers {
            use super::*;
            $(
                #[test]
                fn $name() {
                    let name = concat!("stalls::stopped_process_keeps_answering_peers::", stringify!($name));
                    run_stopped_process(name, Placement::$placement, Transport::$transport);
                }
            )+
        }
    };
}

stopped! {
    tcp_current_runtime = Current, Tcp;
    tcp_io_thread = Thread, Tcp;
    ipc_current_runtime = Current, Ipc;
    ipc_io_thread = Thread, Ipc;
}
