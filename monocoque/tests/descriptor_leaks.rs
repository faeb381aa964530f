//! Descriptor leaks: no end of a socket leaves a descriptor open.

use std::any::Any;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compio::runtime::Runtime;
use monocoque::Endpoint;
use monocoque::zmq::PullSocket;
use testing::process_stats::ProcessStats;
use testing::yield_now;

/// Serializes the tests, since descriptors are counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn closed_socket_leaks_no_descriptors() {
    assert_no_descriptor_leak(async |pull| pull.close().await);
}

/// Covers connections that the runtime has not accepted before its end.
#[test]
fn ended_runtime_leaks_no_descriptors() {
    assert_no_descriptor_leak(async |_| ());
}

/// Connects peers just before the runtime ends, and asserts that no descriptor is leaked.
fn assert_no_descriptor_leak(end: impl AsyncFn(&PullSocket)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let live = |endpoint: &str| {
        let peers = Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::new().expect("a socket");
            let endpoint = pull.bind(endpoint).await.expect("bound");
            // One turn of the runtime submits the accept to the kernel.
            compio::time::sleep(Duration::from_millis(1)).await;
            let peers = [connect(&endpoint), connect(&endpoint)];
            end(&pull).await;
            peers
        });
        drop(peers);
    };
    for endpoint in ["tcp://127.0.0.1:0", "ipc://*"] {
        live(endpoint);
        let before = ProcessStats::now();
        for _ in 0..20 {
            live(endpoint);
        }
        let left = ProcessStats::now().fds.saturating_sub(before.fds);
        assert_eq!(left, 0, "{endpoint}: {:#?}", ProcessStats::descriptors());
    }
}

fn connect(endpoint: &Endpoint) -> Box<dyn Any> {
    let endpoint = endpoint.to_string();
    match endpoint.split_once("://").expect("an endpoint") {
        ("tcp", address) => Box::new(TcpStream::connect(address).expect("the socket is listening")),
        (_, path) => Box::new(UnixStream::connect(path).expect("the socket is listening")),
    }
}

/// Ends the runtime after each number of turns, at every stage of the close.
#[test]
fn runtime_end_during_close_leaks_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let live = |endpoint: &str, turns: usize| {
        Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::new().expect("a socket");
            pull.bind(endpoint).await.expect("bound");
            compio::time::sleep(Duration::from_millis(1)).await;
            drop(pull);
            for _ in 0..turns {
                yield_now().await;
            }
        });
    };
    for endpoint in ["tcp://127.0.0.1:0", "ipc://*"] {
        live(endpoint, 0);
        let before = ProcessStats::now();
        for turns in 0..50 {
            live(endpoint, turns);
            let left = ProcessStats::now().fds.saturating_sub(before.fds);
            assert_eq!(
                left,
                0,
                "{endpoint}, {turns} turns of the runtime: {:#?}",
                ProcessStats::descriptors()
            );
        }
    }
}
