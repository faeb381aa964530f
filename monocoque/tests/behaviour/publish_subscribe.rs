//! Topic matching of PUB and SUB, and the count of subscriptions.

use monocoque::zmq::{PubSocket, SubSocket};
use testing::{RawPeer, numbered, on_every_driver, on_every_driver_over_streams};

on_every_driver! {
    async fn topic_is_first_frame_prefix(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let some = at.connected(SubSocket::builder(), &endpoint).await;
        some.subscribe("a.b").expect("open");
        let all = at.connected(SubSocket::builder(), &endpoint).await;
        all.subscribe("").expect("open");
        let none = at.connected(SubSocket::builder(), &endpoint).await;
        publisher.wait_for_subscriptions(2).await.expect("open");
        publisher.wait_for_peers(3).await.expect("open");
        let sent = ["a", "a.", "a.b", "a.bc", "b", "", "a.b.c"];
        for topic in sent {
            publisher.send([topic, "a.b"]).await.expect("sent");
        }
        for topic in sent {
            assert_eq!(&all.recv().await.expect("received")[0], topic.as_bytes());
        }
        for topic in ["a.b", "a.bc", "a.b.c"] {
            assert_eq!(some.recv().await.expect("received"), [topic, "a.b"]);
        }
        assert!(some.try_recv().is_err() && none.try_recv().is_err());
    }

    async fn overlapping_subscriptions_deliver_once(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        for topic in ["", "x", "xy", "xyz"] {
            subscriber.subscribe(topic).expect("open");
        }
        publisher.wait_for_subscriptions(4).await.expect("open");
        for n in 0..10 {
            publisher.send(["xyz".to_owned(), n.to_string()]).await.expect("sent");
        }
        for n in 0..10 {
            assert_eq!(subscriber.recv().await.expect("once each"), ["xyz".to_owned(), n.to_string()]);
        }
        assert!(subscriber.try_recv().is_err());
    }

    async fn subscriptions_are_counted(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        let marks = at.connected(SubSocket::builder(), &endpoint).await;
        marks.subscribe("mark").expect("open");
        subscriber.subscribe("topic").expect("open");
        subscriber.subscribe("topic").expect("open");
        subscriber.unsubscribe("topic").expect("open");
        subscriber.unsubscribe("never asked for").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        assert_eq!(publisher.subscription_count(), 2);
        publisher.send("topic 1").await.expect("sent");
        assert_eq!(subscriber.recv().await.expect("still subscribed"), "topic 1");
        subscriber.unsubscribe("topic").expect("open");
        testing::eventually("the subscription is cancelled", || publisher.subscription_count() == 1).await;
        subscriber.subscribe("mark").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        publisher.send("topic 2").await.expect("sent");
        publisher.send("mark").await.expect("sent");
        assert_eq!(subscriber.recv().await.expect("received"), "mark");
    }

    async fn unsubscribe_takes_effect_immediately(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        subscriber.subscribe("old").expect("open");
        subscriber.subscribe("new").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        for n in 0..10 {
            publisher.send(["old".to_owned(), n.to_string()]).await.expect("sent");
        }
        publisher.send("new").await.expect("sent");
        assert_eq!(&subscriber.recv().await.expect("received")[1], b"0");
        subscriber.unsubscribe("old").expect("open");
        assert_eq!(subscriber.recv().await.expect("messages in flight are filtered"), "new");
    }

    async fn sub_receives_from_many_publishers(at) {
        let subscriber = at.socket::<SubSocket>();
        subscriber.subscribe("").expect("open");
        let endpoint = subscriber.bind(at.wildcard_endpoint()).await.expect("bound");
        let mut publishers = Vec::new();
        for _ in 0..3 {
            let publisher = at.connected(PubSocket::builder(), &endpoint).await;
            publisher.wait_for_subscriptions(1).await.expect("open");
            publishers.push(publisher);
        }
        for (n, publisher) in publishers.iter().enumerate() {
            publisher.send(numbered(n)).await.expect("sent");
            assert_eq!(subscriber.recv().await.expect("received"), numbered(n));
        }
    }
}

on_every_driver_over_streams! {
    async fn subscriptions_end_with_their_connection(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        for n in 0..10 {
            let there = endpoint.clone();
            let wire = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::established(&there, "SUB");
                wire.put(&testing::command("SUBSCRIBE", format!("old {n}").as_bytes()));
                // The form of a ZMTP 3.0 peer.
                wire.put(&testing::frame(0, b"\x01old"));
                wire
            })
            .await;
            publisher.wait_for_subscriptions(2).await.expect("open");
            drop(wire);
            testing::eventually("the peers have disconnected", || publisher.subscription_count() == 0).await;
        }
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        subscriber.subscribe("new").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("old").await.expect("sent");
        publisher.send("new").await.expect("sent");
        assert_eq!(subscriber.recv().await.expect("received"), "new");
    }
}
