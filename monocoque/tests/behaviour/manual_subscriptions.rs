//! `xpub_manual` and `xpub_manual_last_value`: peers request topics, and the program grants them.

use std::collections::HashMap;
use std::pin::pin;

use futures::StreamExt;
use futures::future::{Either, select};
use monocoque::zmq::{PubSocket, SubSocket, XpubSocket, XsubSocket};
use monocoque::{Message, MonocoqueError, proxy};
use testing::everywhere;

async fn expect_messages(xpub: &XpubSocket, expected: &[&[u8]]) {
    for expected in expected {
        assert_eq!(xpub.recv().await.expect("received"), Message::from(*expected));
    }
}

everywhere! {
    async fn manual_peer_receives_granted_topics(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let one = at.connected(XsubSocket::builder(), &endpoint).await;
        one.subscribe("A").expect("open");
        xpub.subscribe("too early").expect("no subscription received yet");
        expect_messages(&xpub, &[b"\x01A"]).await;
        assert_eq!(xpub.subscription_count(), 0);
        let other = at.connected(XsubSocket::builder(), &endpoint).await;
        other.subscribe("A").expect("open");
        expect_messages(&xpub, &[b"\x01A"]).await;
        xpub.subscribe("B").expect("open");
        xpub.subscribe("B").expect("open");
        assert_eq!(xpub.subscription_count(), 1);
        xpub.send("A").await.expect("sent");
        xpub.send("B1").await.expect("sent");
        assert_eq!(other.recv().await.expect("received"), "B1");

        // The last subscriber is another peer now.
        one.subscribe("C").expect("open");
        expect_messages(&xpub, &[b"\x01C"]).await;
        xpub.subscribe("").expect("open");
        xpub.unsubscribe("B").expect("no such topic");
        other.unsubscribe("A").expect("open");
        expect_messages(&xpub, &[b"\0A"]).await;
        xpub.send("B2").await.expect("sent");
        assert_eq!(other.recv().await.expect("received"), "B2");
        xpub.unsubscribe("B").expect("open");
        xpub.send("B3").await.expect("sent");
        for expected in ["B2", "B3"] {
            assert_eq!(one.recv().await.expect("received"), expected);
        }
        assert!(one.try_recv().is_err() && other.try_recv().is_err());
        xpub.close().await;
        assert!(matches!(xpub.subscribe("D"), Err(MonocoqueError::Closed)));
    }

    async fn message_keeps_last_subscriber(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let one = at.connected(XsubSocket::builder(), &endpoint).await;
        let other = at.connected(XsubSocket::builder(), &endpoint).await;
        xpub.wait_for_peers(2).await.expect("open");
        one.subscribe("A").expect("open");
        expect_messages(&xpub, &[b"\x01A"]).await;
        other.send("hello").await.expect("sent");
        expect_messages(&xpub, &[b"hello"]).await;
        xpub.subscribe("A").expect("open");
        xpub.send("A").await.expect("sent");
        assert_eq!(one.recv().await.expect("received"), "A");
        assert!(other.try_recv().is_err());
    }

    async fn departed_peer_emits_cancels(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let stays = at.connected(SubSocket::builder(), &endpoint).await;
        stays.subscribe("b").expect("open");
        expect_messages(&xpub, &[b"\x01b"]).await;
        let leaves = at.connected(SubSocket::builder(), &endpoint).await;
        for topic in ["a", "b"] {
            leaves.subscribe(topic).expect("open");
        }
        expect_messages(&xpub, &[b"\x01a", b"\x01b"]).await;
        xpub.subscribe("given").expect("open");
        leaves.close().await;
        // The cancels name the topics that the peer requested, also one that another peer has, and
        // no granted topic.
        expect_messages(&xpub, &[b"\0a", b"\0b"]).await;
        assert_eq!(xpub.subscription_count(), 0);
        xpub.subscribe("b").expect("no peer to receive the grant");
        assert_eq!(xpub.subscription_count(), 0);
        assert!(xpub.try_recv().is_err());
    }

    async fn departed_peer_gets_no_grant(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual_last_value(true)).await;
        let stays = at.connected(SubSocket::builder(), &endpoint).await;
        stays.subscribe("a").expect("open");
        expect_messages(&xpub, &[b"\x01a"]).await;
        xpub.subscribe("a").expect("open");
        xpub.send("a1").await.expect("sent");
        let leaves = at.connected(SubSocket::builder(), &endpoint).await;
        leaves.subscribe("a").expect("open");
        expect_messages(&xpub, &[b"\x01a"]).await;
        leaves.close().await;
        testing::eventually("the cancel is queued", || xpub.stats().recv_queue == 1).await;
        xpub.subscribe("a").expect("no peer to receive the grant");
        assert_eq!(xpub.subscription_count(), 1);
        // No grant is kept for a disconnected peer.
        xpub.send("a2").await.expect("sent");
        for expected in ["a1", "a2"] {
            assert_eq!(stays.recv().await.expect("received"), expected);
        }
        expect_messages(&xpub, &[b"\0a"]).await;
    }

    async fn subscribe_without_manual_is_rejected(at) {
        let xpub = at.build(XpubSocket::builder());
        assert!(matches!(xpub.subscribe("a"), Err(MonocoqueError::ManualModeRequired)));
        assert!(matches!(xpub.unsubscribe("a"), Err(MonocoqueError::ManualModeRequired)));
    }

    async fn every_receive_call_selects_subscriber(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let mut subs = Vec::new();
        for n in 0..4 {
            let sub = at.connected(SubSocket::builder(), &endpoint).await;
            sub.subscribe("").expect("open");
            let request = Message::from(b"\x01");
            match n {
                0 => assert_eq!(xpub.recv().await.expect("received"), request),
                1 => {
                    testing::eventually("a message is queued", || xpub.stats().recv_queue == 1).await;
                    assert_eq!(xpub.try_recv().expect("received"), request);
                }
                2 => assert_eq!(xpub.stream().next().await.expect("open").expect("received"), request),
                _ => {
                    let mut batch = Vec::new();
                    assert_eq!(xpub.recv_batch(&mut batch, 10).await.expect("received"), 1);
                    assert_eq!(batch, [request]);
                }
            }
            xpub.subscribe(n.to_string()).expect("open");
            subs.push(sub);
        }
        for n in (0..4).rev() {
            xpub.send(n.to_string()).await.expect("sent");
        }
        for (n, sub) in subs.iter().enumerate() {
            assert_eq!(sub.recv().await.expect("received"), n.to_string());
            assert!(sub.try_recv().is_err());
        }
    }

    async fn recv_batch_ends_after_subscription(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let one = at.connected(SubSocket::builder(), &endpoint).await;
        let other = at.connected(SubSocket::builder(), &endpoint).await;
        one.subscribe("1").expect("open");
        other.subscribe("2").expect("open");
        testing::eventually("both messages are queued", || xpub.stats().recv_queue == 2).await;
        let mut batch = Vec::new();
        while batch.len() < 2 {
            assert_eq!(xpub.recv_batch(&mut batch, 10).await.expect("received"), 1);
            xpub.subscribe(&batch[batch.len() - 1][0][1..]).expect("open");
        }
        xpub.send("1").await.expect("sent");
        xpub.send("2").await.expect("sent");
        assert_eq!(one.recv().await.expect("received"), "1");
        assert_eq!(other.recv().await.expect("received"), "2");
    }

    async fn last_value_reaches_newcomer_only(at) {
        const NEWCOMERS: usize = 10;
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual_last_value(true)).await;
        let mut last = HashMap::new();
        let mut subs: Vec<SubSocket> = Vec::new();
        for n in 0..NEWCOMERS {
            let sub = at.connected(SubSocket::builder(), &endpoint).await;
            for topic in ["a", "b"] {
                sub.subscribe(topic).expect("open");
                let request = xpub.recv().await.expect("received");
                assert_eq!(&request[0], [b"\x01", topic.as_bytes()].concat());
                xpub.subscribe(topic).expect("open");
                let value: usize = last.get(topic).copied().unwrap_or(0);
                xpub.send([topic.to_owned(), value.to_string()]).await.expect("sent");
            }
            subs.push(sub);
            for topic in ["a", "b"] {
                xpub.send([topic.to_owned(), (n + 1).to_string()]).await.expect("sent");
                last.insert(topic, n + 1);
            }
        }
        for (first, sub) in subs.iter().enumerate() {
            let mut values: HashMap<String, Vec<usize>> = HashMap::new();
            for _ in 0..2 * (NEWCOMERS - first + 1) {
                let message = sub.recv().await.expect("received");
                let text = |frame: &[u8]| String::from_utf8_lossy(frame).into_owned();
                values.entry(text(&message[0])).or_default().push(text(&message[1]).parse().expect("a number"));
            }
            let expected: Vec<_> = (first..=NEWCOMERS).collect();
            assert_eq!(values, HashMap::from(["a", "b"].map(|topic| (topic.to_owned(), expected.clone()))));
            assert!(sub.try_recv().is_err(), "each value once");
        }
    }

    async fn last_value_targets_one_message(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual_last_value(true)).await;
        let one = at.connected(SubSocket::builder(), &endpoint).await;
        one.subscribe("").expect("open");
        expect_messages(&xpub, &[b"\x01"]).await;
        xpub.subscribe("").expect("open");
        xpub.send("1").await.expect("sent");
        let other = at.connected(SubSocket::builder(), &endpoint).await;
        other.subscribe("x").expect("open");
        expect_messages(&xpub, &[b"\x01x"]).await;
        // The targeted peer has no matching grant, so no peer receives the message.
        xpub.send("2").await.expect("sent");
        xpub.subscribe("").expect("open");
        xpub.send("3").await.expect("sent");
        // A cancelled subscription needs no answer.
        other.unsubscribe("x").expect("open");
        expect_messages(&xpub, &[b"\0x"]).await;
        xpub.unsubscribe("").expect("open");
        xpub.send("4").await.expect("sent");
        for expected in ["1", "3", "4"] {
            assert_eq!(one.recv().await.expect("received"), expected);
        }
        other.subscribe("3").expect("open");
        assert_eq!(other.recv().await.expect("received"), "3");
        assert!(other.try_recv().is_err());
    }

    async fn proxy_forwards_manual_subscriptions(at) {
        let publisher = at.build(PubSocket::builder());
        let front = at.build(XsubSocket::builder());
        front.connect(publisher.bind(at.wildcard_endpoint()).await.expect("bound")).await.expect("connected");
        let (back, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let body = async {
            let sub = at.connected(SubSocket::builder(), &endpoint).await;
            for topic in ["a", "b"] {
                sub.subscribe(topic).expect("open");
            }
            publisher.wait_for_subscriptions(2).await.expect("open");
            // Subscriptions that pass through are not subject to grants; the proxy has received the
            // last request.
            testing::eventually("both requests are received", || back.stats().received == 2).await;
            back.subscribe("a").expect("open");
            for n in 0..100 {
                publisher.send(["b".to_owned(), n.to_string()]).await.expect("sent");
                publisher.send(["a".to_owned(), n.to_string()]).await.expect("sent");
                assert_eq!(sub.recv().await.expect("received"), ["a".to_owned(), n.to_string()]);
            }
            sub.close().await;
            testing::eventually("all subscriptions are cancelled", || publisher.subscription_count() == 0).await;
        };
        match select(pin!(proxy(&front, &back)), pin!(body)).await {
            Either::Left(_) => panic!("the proxy has ended"),
            Either::Right(((), _)) => {}
        }
    }

    async fn many_peers_receive_granted_topics(at) {
        const PEERS: usize = 30;
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_manual(true)).await;
        let mut subs = Vec::new();
        for n in 0..PEERS {
            let sub = at.connected(SubSocket::builder(), &endpoint).await;
            sub.subscribe(format!("{n}.")).expect("open");
            sub.subscribe("all").expect("open");
            subs.push(sub);
        }
        for _ in 0..2 * PEERS {
            let request = xpub.recv().await.expect("received");
            xpub.subscribe(&request[0][1..]).expect("open");
        }
        assert_eq!(xpub.subscription_count(), 2 * PEERS);
        for n in 0..PEERS {
            xpub.send(format!("{n}.")).await.expect("sent");
        }
        xpub.send("all").await.expect("sent");
        for (n, sub) in subs.iter().enumerate() {
            assert_eq!(sub.recv().await.expect("received"), format!("{n}."));
            assert_eq!(sub.recv().await.expect("received"), "all");
        }
    }
}
