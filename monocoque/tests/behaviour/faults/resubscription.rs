//! Replay of all subscriptions to each new publisher, even if the connection is reset in between.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use monocoque::zmq::{PubSocket, SubSocket};

use super::{SOON, number, through};
use testing::proxy::{Fault, FaultPlan};
use testing::{At, Placement, RawPeer, Transport, over_streams};

/// Moves the publisher three times, and resets the connection in the middle of each replay.
async fn check_topic_replay(at: At) {
    const TOPICS: usize = 100_000;
    let mut chance = testing::seeded_rng();
    let topic = |n: usize| format!("topic {n};");
    let subscriber = at.build(SubSocket::builder().reconnect_interval(SOON));
    for n in 0..TOPICS {
        subscriber.subscribe(topic(n)).expect("open");
    }
    subscriber.subscribe("taken back").expect("open");
    subscriber.unsubscribe("taken back").expect("open");

    let (first, endpoint) = at.bound(PubSocket::builder()).await;
    let cut = FaultPlan { faults: vec![Fault::Reset], after: 100_000..1_500_000, ..FaultPlan::default() };
    let proxy = through(&at, &endpoint, cut.clone(), chance.u64(..));
    subscriber.connect(proxy.endpoint()).await.expect("connected");
    let mut before = first;
    for round in 0..3 {
        let cuts = proxy.counts().resets + 3;
        wait_slowly("the replay is reset", || proxy.counts().resets >= cuts).await;
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        proxy.retarget(&endpoint.to_string());
        proxy.heal();
        proxy.inject_all(Fault::Reset);
        publisher.wait_for_subscriptions(TOPICS).await.expect("open");
        assert_eq!(publisher.subscription_count(), TOPICS, "round {round}");
        wait_slowly("the previous publisher has no subscriptions", || before.subscription_count() == 0).await;
        publisher.send("taken back").await.expect("sent");
        for _ in 0..100 {
            let n = chance.usize(..TOPICS);
            publisher.send([topic(n), round.to_string()]).await.expect("sent");
            assert_eq!(subscriber.recv().await.expect("received"), [topic(n), round.to_string()]);
        }
        before = publisher;
        proxy.set(cut.clone());
        proxy.inject_all(Fault::Reset);
    }
}

async fn wait_slowly(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT / 2, "not in time: {what}");
        testing::yield_now().await;
    }
}

#[test]
fn resets_over_tcp_replay_all_topics() {
    testing::run_within(LIMIT, Transport::Tcp, Placement::Thread, check_topic_replay);
}

#[test]
fn resets_over_ipc_replay_all_topics() {
    testing::run_within(LIMIT, Transport::Ipc, Placement::Current, check_topic_replay);
}

over_streams! {
    async fn subscriber_order_survives_reconnects(at) {
        const CONNECTIONS: u64 = 30;
        let mut chance = testing::seeded_rng();
        let ends = vec![Fault::Reset, Fault::Close, Fault::CutToClient, Fault::CutToTarget];
        let faults = FaultPlan { fragment: 500, faults: ends, after: 0..20_000, ..FaultPlan::default() };
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let subscriber = at.build(SubSocket::builder().reconnect_interval(SOON));
        for n in 0..50 {
            subscriber.subscribe(format!("other {n}")).expect("open");
        }
        for digit in 1..10 {
            subscriber.subscribe(digit.to_string()).expect("open");
        }
        subscriber.connect(proxy.endpoint()).await.expect("connected");
        let sent = Cell::new(1u64);
        let publish = async {
            loop {
                publisher.send([sent.get().to_string().into_bytes(), vec![0; 500]]).await.expect("open");
                sent.set(sent.get() + 1);
                testing::yield_now().await;
            }
        };
        let receive = async {
            let (mut last, mut good, mut healed) = (0, 0, false);
            while good < 100 {
                let n = number(&subscriber.recv().await.expect("open"));
                assert!(n > last, "{n} after {last}");
                good = if healed && n == last + 1 { good + 1 } else { 0 };
                last = n;
                if !healed && proxy.counts().accepted >= CONNECTIONS {
                    healed = true;
                    proxy.heal();
                }
            }
        };
        match select(pin!(publish), pin!(receive)).await {
            Either::Left(((), _)) => unreachable!("the load has no end"),
            Either::Right(((), _)) => {}
        }
        testing::eventually("all subscriptions are restored", || publisher.subscription_count() == 59).await;
    }

    async fn new_peer_inherits_no_topics(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        for round in 0..5 {
            let there = endpoint.clone();
            let first = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::established(&there, "SUB");
                wire.put(&testing::command("SUBSCRIBE", b"a"));
                wire
            })
            .await;
            publisher.wait_for_subscriptions(1).await.expect("open");
            first.close();
            drop(first);
            testing::eventually("the peer has disconnected", || publisher.peer_count() == 0).await;
            let there = endpoint.clone();
            let second = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::established(&there, "SUB");
                wire.put(&testing::command("SUBSCRIBE", b"b"));
                wire
            })
            .await;
            publisher.wait_for_subscriptions(1).await.expect("open");
            publisher.send("a").await.expect("sent");
            publisher.send(format!("b{round}")).await.expect("sent");
            let got = testing::on_blocking_thread(move || {
                let mut wire = second;
                let frame = wire.frame();
                wire.close();
                frame
            })
            .await;
            assert_eq!(got, (0, format!("b{round}").into_bytes()));
            testing::eventually("the second peer has disconnected", || publisher.peer_count() == 0).await;
        }
    }
}

const LIMIT: Duration = Duration::from_secs(90);
