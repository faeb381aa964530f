//! Bursts on sockets that drop messages: a peer that reads loses none, and the cost of a peer that
//! does not read is bounded.

use std::time::{Duration, Instant};

use monocoque::zmq::capability::Receives;
use monocoque::zmq::{DealerSocket, PubSocket, PushSocket, RouterSocket, SubSocket, XpubSocket, XsubSocket};
use monocoque::{Message, MonocoqueError};
use testing::{Placement, RawPeer, Transport, everywhere, over_streams};

const BURST: usize = 2_500;
/// Burst size where each message waits for a thread to take the previous one.
const SHORT: usize = 500;
const SIZES: [usize; 6] = [1, 4, 64, 1_000, 10_000, 100_000];

/// Number of messages for a body size, smaller for bodies of 100 kB to bound the time of the test.
fn count(size: usize) -> usize {
    if size == 100_000 { 1_000 } else { BURST }
}

/// Receives `count` messages, or stops once one is dropped.
async fn receive_all<S: Receives>(socket: &S, count: usize, dropped: impl Fn() -> u64) {
    let mut received = 0;
    while received < count {
        match socket.recv_timeout(Duration::from_millis(100)).await {
            Ok(_) => received += 1,
            Err(_) if dropped() > 0 => return,
            Err(error) => assert!(error.is_timeout(), "{error}"),
        }
    }
}

/// Repeats `attempt` until it loses nothing, at most ten times. A peer that gets no CPU time while
/// the sender waits is indistinguishable from one that does not read; that may happen in some
/// attempts, but not in all.
async fn retry_until_lossless(what: impl std::fmt::Display, attempt: impl AsyncFn() -> u64) {
    for _ in 0..10 {
        if attempt().await == 0 {
            return;
        }
    }
    panic!("messages are lost each time: {what}");
}

everywhere! {
    async fn pub_burst_loses_nothing(at) {
        for (size, peers) in SIZES.into_iter().flat_map(|size| [(size, 1), (size, 2)]) {
            retry_until_lossless(format_args!("{size} bytes to {peers}"), async || {
                let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
                let mut subscribers = Vec::new();
                for _ in 0..peers {
                    let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
                    subscriber.subscribe("").expect("open");
                    subscribers.push(subscriber);
                }
                publisher.wait_for_subscriptions(peers).await.expect("open");
                let sending = async {
                    for _ in 0..count(size) {
                        publisher.send(vec![7; size]).await.expect("sent");
                    }
                };
                let dropped = || publisher.stats().dropped;
                let receiving = subscribers.iter().map(|to| receive_all(to, count(size), dropped));
                futures::join!(sending, futures::future::join_all(receiving));
                dropped()
            })
            .await;
        }
    }

    async fn small_hwm_burst_loses_nothing(at) {
        for hwm in [1, 10, 100] {
            retry_until_lossless(format_args!("a mark of {hwm}"), async || {
                let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(hwm)).await;
                let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
                subscriber.subscribe("").expect("open");
                publisher.wait_for_subscriptions(1).await.expect("open");
                let sending = async {
                    for _ in 0..SHORT {
                        publisher.send("x").await.expect("sent");
                    }
                };
                let dropped = || publisher.stats().dropped;
                futures::join!(sending, receive_all(&subscriber, SHORT, dropped));
                dropped()
            })
            .await;
        }
    }

    async fn sink_burst_loses_nothing(at) {
        retry_until_lossless("a sink", async || {
            let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(10)).await;
            let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
            subscriber.subscribe("").expect("open");
            publisher.wait_for_subscriptions(1).await.expect("open");
            let sending = async {
                let mut sink = publisher.sink();
                for _ in 0..SHORT {
                    sink.send(Message::from("x")).await.expect("sent");
                }
            };
            let dropped = || publisher.stats().dropped;
            futures::join!(sending, receive_all(&subscriber, SHORT, dropped));
            dropped()
        })
        .await;
    }

    async fn router_burst_loses_nothing(at) {
        retry_until_lossless("a router", async || {
            let (router, endpoint) = at.bound(RouterSocket::builder().send_hwm(10)).await;
            let dealer = at.connected(DealerSocket::builder().routing_id("peer"), &endpoint).await;
            dealer.send("there").await.expect("sent");
            router.recv().await.expect("received");
            let sending = async {
                for _ in 0..SHORT {
                    router.send(["peer", "x"]).await.expect("sent");
                }
            };
            let dropped = || router.stats().dropped;
            futures::join!(sending, receive_all(&dealer, SHORT, dropped));
            dropped()
        })
        .await;
    }

    async fn xsub_burst_loses_nothing(at) {
        retry_until_lossless("an XSUB", async || {
            let (publisher, endpoint) = at.bound(XpubSocket::builder()).await;
            let subscriber = at.connected(XsubSocket::builder().send_hwm(10), &endpoint).await;
            subscriber.wait_for_peers(1).await.expect("open");
            let sending = async {
                for _ in 0..SHORT {
                    subscriber.send("x").await.expect("sent");
                }
            };
            let dropped = || subscriber.stats().dropped;
            futures::join!(sending, receive_all(&publisher, SHORT, dropped));
            dropped()
        })
        .await;
    }

    async fn try_send_drops_immediately(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(1)).await;
        let subscriber = at.connected(SubSocket::builder().recv_hwm(1), &endpoint).await;
        subscriber.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        while publisher.stats().dropped == 0 {
            publisher.try_send(vec![7; 100_000]).expect("never blocks");
        }
    }
}

over_streams! {
    async fn stopped_subscriber_delays_sender_once(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(10)).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "SUB");
            wire.put(&testing::command("SUBSCRIBE", b""));
            wire
        })
        .await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        while publisher.stats().dropped == 0 {
            publisher.send(vec![7; 100_000]).await.expect("sent");
        }
        let start = Instant::now();
        for _ in 0..10_000 {
            publisher.send(vec![7; 1_000]).await.expect("sent");
        }
        // A wait of 10 ms for each message would take 100 s.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        drop(wire);
    }
}

/// Polls a send once and asserts that it is pending.
async fn assert_waits(sending: &mut (impl Future<Output = Result<(), monocoque::SendError>> + Unpin)) {
    let waited = futures::poll!(sending);
    assert!(waited.is_pending(), "{waited:?}");
}

/// Fills a publisher with `nodrop`, whose subscriber does not read.
async fn fill(publisher: &PubSocket) {
    while publisher.try_send(vec![7; 200_000]).is_ok() {
        testing::yield_now().await;
    }
    // Continues until the kernel has accepted nothing for 50 ms.
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(50) {
        match publisher.try_send(vec![7; 200_000]) {
            Ok(()) => quiet = Instant::now(),
            Err(error) => assert!(matches!(error.reason(), MonocoqueError::WouldBlock)),
        }
        testing::yield_now().await;
    }
}

everywhere! {
    async fn unsubscribe_releases_waiting_send(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true).send_hwm(1)).await;
        let subscriber = at.connected(SubSocket::builder().recv_hwm(1), &endpoint).await;
        subscriber.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        fill(&publisher).await;
        let mut sending = std::pin::pin!(publisher.send("waits"));
        assert_waits(&mut sending).await;
        subscriber.unsubscribe("").expect("open");
        sending.await.expect("no matching subscriber");
    }

    async fn first_connect_releases_waiting_send(at) {
        let endpoint = at.unused_endpoint("first");
        let push = at.socket::<PushSocket>();
        let mut sending = std::pin::pin!(push.send("waits"));
        assert_waits(&mut sending).await;
        push.connect(endpoint).await.expect("connected");
        sending.await.expect("queued for the new endpoint");
        push.try_send("another").expect("queued for the new endpoint");
    }
}

/// The same for every socket type that connects and waits for its first peer.
#[test]
fn connect_releases_each_waiting_type() {
    testing::run(Transport::Inproc, Placement::Thread, async |at| {
        macro_rules! check {
            ($($socket:ident)+) => {$(
                let socket = monocoque::zmq::$socket::new_in(&at.context).expect("a socket");
                let mut sending = std::pin::pin!(socket.send("waits"));
                assert_waits(&mut sending).await;
                socket.connect(at.unused_endpoint("first")).await.expect("connected");
                sending.await.expect("queued for the new endpoint");
            )+};
        }
        check!(PushSocket DealerSocket ReqSocket PairSocket);
    });
}
