//! Senders that never wait yield to the other tasks of their thread.

use std::time::{Duration, Instant};

use monocoque::zmq::{PubSocket, RouterSocket, SubSocket};
use monocoque::{Context, RoutingId};

const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test on a runtime of this thread, shared by the busy sender and its connections.
fn on_this_thread(test: impl AsyncFnOnce()) {
    compio::runtime::Runtime::new().expect("a runtime").block_on(test());
}

#[test]
fn pub_without_peers_still_accepts() {
    on_this_thread(async || {
        let publisher = PubSocket::new().expect("a socket");
        let endpoint = publisher.bind("tcp://127.0.0.1:0").await.expect("bound");
        let other_context = Context::new().expect("an I/O thread");
        let subscriber = SubSocket::new_in(&other_context).expect("a socket");
        subscriber.subscribe("").expect("open");
        subscriber.connect(endpoint).await.expect("connected");
        let started = Instant::now();
        while subscriber.try_recv().is_err() {
            publisher.send("into the void").await.expect("sent");
            assert!(started.elapsed() < DEADLINE, "no peer was accepted");
        }
    });
}

#[test]
fn router_dropping_all_still_accepts() {
    on_this_thread(async || {
        let router = RouterSocket::new().expect("a socket");
        router.bind("tcp://127.0.0.1:0").await.expect("bound");
        let endpoint = router.last_endpoint().expect("bound");
        let other_context = Context::new().expect("an I/O thread");
        let dealer = monocoque::zmq::DealerSocket::new_in(&other_context).expect("a socket");
        dealer.connect(endpoint).await.expect("connected");
        let unknown = RoutingId::try_from("nobody").expect("an id");
        let started = Instant::now();
        while dealer.peer_count() == 0 {
            router.send_to(&unknown, "dropped").await.expect("accepted");
            assert!(started.elapsed() < DEADLINE, "no peer was accepted");
        }
        assert!(router.stats().dropped > 0);
    });
}
