//! Exhaustion of descriptors and threads: short-lived peers leak none, and sockets recover once
//! some are available again.
//!
//! The tests run one at a time, since they count and limit the descriptors of the process. `CYCLES`
//! is the number of times that peers connect and disconnect in each of four placements (default:
//! 500). Threads are limited in a process of its own.

use std::env;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};
use monocoque::{Context, Monitor, MonocoqueError, SocketEvent};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Uid, setuid};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use testing::{At, AtOnce, Placement, RawPeer, Transport, numbered};

fn lock_exclusively() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

#[test]
fn peer_churn_leaks_no_descriptors() {
    let _alone = lock_exclusively();
    for transport in [Transport::Tcp, Transport::Ipc] {
        for placement in [Placement::Current, Placement::Thread] {
            let limit = testing::DEADLINE * 2 + Duration::from_millis(20) * cycles() as u32;
            testing::run_within(limit, transport, placement, check_peer_churn);
        }
    }
}

fn cycles() -> usize {
    std::env::var("CYCLES").map_or(500, |cycles| cycles.parse().expect("a number"))
}

/// Connects and disconnects peers with one routing id and with many, with a handshake and without,
/// connecting and accepting.
async fn check_peer_churn(at: At) {
    let (router, endpoint) = at.bound(RouterSocket::builder()).await;
    let cycle = async |n: usize| {
        let dealer = match n % 2 {
            0 => DealerSocket::builder(),
            _ => DealerSocket::builder().routing_id("same"),
        };
        let dealer = at.connected(dealer.reconnect_interval(Duration::from_millis(1)), &endpoint).await;
        dealer.send(numbered(n)).await.expect("sent");
        let (peer, message) = router.recv_from().await.expect("received");
        assert_eq!(message, numbered(n));
        router.send_to(&peer, message).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), numbered(n));
        dealer.close().await;
        testing::eventually("the peer has disconnected", || router.peer_count() == 0).await;
        let there = endpoint.clone();
        testing::on_blocking_thread(move || drop(RawPeer::connect(&there))).await;
    };
    for n in 0..100 {
        cycle(n).await;
    }
    let before = (open_descriptors(), testing::resident_bytes());
    for n in 0..cycles() {
        cycle(n).await;
    }
    testing::eventually("the number of descriptors is back to its start", || {
        open_descriptors() <= before.0 + 2
    })
    .await;
    let grown = testing::resident_bytes().saturating_sub(before.1);
    assert!(grown < 8 << 20, "{grown} bytes more after {} peers", 2 * cycles());
    router.close().await;
}

#[test]
fn descriptor_exhaustion_is_survived() {
    let _alone = lock_exclusively();
    testing::run(Transport::Tcp, Placement::Thread, async |at| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let good = at.connected(PushSocket::builder(), &endpoint).await;
        good.send("good").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "good");
        let mut monitor = pull.monitor();

        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        setrlimit(Resource::RLIMIT_NOFILE, open_descriptors() as u64 + 8, hard).expect("a lower limit");
        let mut held = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            held.push(file);
        }
        held.truncate(held.len() - 2);
        // The last two descriptors are for the peers. An accept that was submitted before uses the
        // old limit; the next one fails.
        let address = endpoint.to_string().trim_start_matches("tcp://").to_owned();
        let late = [(); 2].map(|()| std::net::TcpStream::connect(&address).expect("connected"));
        let start = Instant::now();
        let mut failures = 0;
        while start.elapsed() < Duration::from_millis(500) {
            if let Some(Some(event)) = monitor.next().at_once() {
                failures += usize::from(matches!(event, SocketEvent::AcceptFailed { .. }));
            }
            good.send("still good").await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), "still good");
        }
        assert!((1..=20).contains(&failures), "{failures} failures: the accept loop has stopped or spins");

        drop(held);
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the old limit");
        let mut accepted = false;
        while !accepted {
            accepted = matches!(monitor.next().await.expect("open"), SocketEvent::Accepted { .. });
        }
        drop(late);
        good.close().await;
    });
}

/// A socket for whose descriptor there is none left shares a spare one: nothing is missed.
#[test]
fn exhausted_descriptors_leave_readiness() {
    let _alone = lock_exclusively();
    testing::run(Transport::Tcp, Placement::Thread, async |at| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("made");
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        setrlimit(Resource::RLIMIT_NOFILE, open_descriptors() as u64 + 8, hard).expect("a lower limit");
        let held: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let refused = pull.descriptor().map(drop);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        let added = epoll::add(&set, pull.as_fd(), epoll::EventData::new_u64(0), flags);
        let mut received = 0;
        for n in 0..100 {
            push.send(numbered(n)).await.expect("sent");
            while received == n {
                let mut events = Vec::with_capacity(1);
                epoll::wait(&set, spare_capacity(&mut events), None).expect("waited");
                if pull.events().expect("open").is_readable() {
                    received += usize::from(pull.try_recv().is_ok());
                }
            }
        }
        drop(held);
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the old limit");
        added.expect("registered");
        assert!(matches!(refused, Err(MonocoqueError::Readiness(_))), "{refused:?}");
        assert!(pull.descriptor().is_ok());
    });
}

/// Returns the kind of the next connect failure, and panics if a task panicked.
fn connect_failed(monitor: &mut Monitor) -> ErrorKind {
    loop {
        match block_on(monitor.next()).expect("open") {
            SocketEvent::ConnectFailed { error, .. } => return error.kind(),
            SocketEvent::TaskPanicked { message, .. } => panic!("{message}"),
            _ => {}
        }
    }
}

#[test]
fn thread_exhaustion_is_survived() {
    let _alone = lock_exclusively();
    if env::var_os(CHILD).is_none() {
        let child = Command::new(env::current_exe().expect("a path"))
            .args(["thread_exhaustion_is_survived", "--exact", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .expect("a process");
        let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
        assert!(child.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", child.status);
        return;
    }
    testing::within(testing::DEADLINE, || {
        // The limit does not apply to root.
        if Uid::effective().is_root() {
            setuid(Uid::from_raw(NOBODY)).expect("another user");
        }
        let context = Context::new().expect("a context");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let bound = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound").to_string();
        let by_name = bound.replace("127.0.0.1", "localhost");
        let push = PushSocket::builder()
            .reconnect_interval(Duration::from_millis(1))
            .build_in(&context)
            .expect("a socket");
        let mut monitor = push.monitor();

        let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).expect("a limit");
        setrlimit(Resource::RLIMIT_NPROC, 1, hard).expect("a lower limit");
        assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "the thread limit holds");
        push.blocking().connect(&*by_name).expect("connecting in the background");
        for _ in 0..2 {
            assert_eq!(connect_failed(&mut monitor), ErrorKind::WouldBlock);
        }
        let error = pull.blocking().bind("tcp://localhost:0").expect_err("no thread can be started");
        let MonocoqueError::Io { source, .. } = error else { panic!("another error: {error}") };
        assert_eq!(source.kind(), ErrorKind::WouldBlock);

        setrlimit(Resource::RLIMIT_NPROC, soft, hard).expect("the old limit");
        push.blocking().send("there").expect("sent");
        assert_eq!(pull.blocking().recv().expect("received"), "there");
        pull.blocking().bind("tcp://localhost:0").expect("bound");
    });
}

/// Environment variable that marks the process with few threads.
const CHILD: &str = "MONOCOQUE_FEW_THREADS";
/// User id of an unprivileged user.
const NOBODY: u32 = 65_534;
