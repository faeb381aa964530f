//! Replay of all subscriptions to a publisher that reconnects, for any number of topics.

use std::time::Duration;

use monocoque::zmq::{PubSocket, SubSocket};
use testing::{everywhere, rebind};

const TOPICS: usize = 3_000;

everywhere! {
    async fn topics_survive_publisher_restart(at) {
        let endpoint = at.unused_endpoint("publisher");
        let subscriber = at.build(SubSocket::builder().send_hwm(10).reconnect_interval(Duration::from_millis(5)));
        subscriber.connect(endpoint.clone()).await.expect("connected");
        for n in 0..TOPICS {
            subscriber.subscribe(format!("topic {n};")).expect("open");
        }
        subscriber.subscribe("taken back").expect("open");
        subscriber.unsubscribe("taken back").expect("open");
        for round in 0..3 {
            let publisher = at.build(PubSocket::builder());
            rebind(&publisher, &endpoint).await;
            publisher.wait_for_subscriptions(TOPICS).await.expect("open");
            assert_eq!(publisher.subscription_count(), TOPICS);
            publisher.send("taken back").await.expect("sent");
            for n in [0, TOPICS / 2, TOPICS - 1] {
                publisher.send([format!("topic {n};"), round.to_string()]).await.expect("sent");
                let expected = [format!("topic {n};"), round.to_string()];
                assert_eq!(subscriber.recv().await.expect("received"), expected);
            }
            publisher.close().await;
        }
    }

    async fn offline_subscription_changes_are_replayed(at) {
        let endpoint = at.unused_endpoint("publisher");
        let publisher = at.build(PubSocket::builder());
        rebind(&publisher, &endpoint).await;
        let subscriber = at.build(SubSocket::builder().reconnect_interval(Duration::from_millis(5)));
        subscriber.subscribe("before").expect("open");
        subscriber.connect(endpoint.clone()).await.expect("connected");
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.close().await;
        testing::eventually("the lost connection is detected", || subscriber.peer_count() == 0).await;
        subscriber.subscribe("meanwhile").expect("open");
        subscriber.unsubscribe("before").expect("open");
        let publisher = at.build(PubSocket::builder());
        rebind(&publisher, &endpoint).await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("before").await.expect("sent");
        publisher.send("meanwhile").await.expect("sent");
        assert_eq!(subscriber.recv().await.expect("received"), "meanwhile");
    }
}
