//! `router_mandatory` and `nodrop`, where a send fails or waits instead of dropping, and
//! `router_handover`.

use std::time::Duration;

use monocoque::zmq::{DealerSocket, PubSocket, RouterSocket, SubSocket};
use monocoque::{Message, MonocoqueError, RoutingId};
use testing::{AtOnce, RawPeer, everywhere, numbered, over_streams};

fn id(name: &str) -> RoutingId {
    RoutingId::try_from(name).expect("an id")
}

fn large(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 100_000]])
}

everywhere! {
    async fn mandatory_send_rejects_absent_peer(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder().router_mandatory(true)).await;
        let refused = router.send_to(&id("nobody"), "lost").await.expect_err("no such peer");
        assert!(matches!(refused.reason(), MonocoqueError::Unreachable), "{refused}");
        assert_eq!(refused.into_message(), "lost");
        let refused = router.try_send(["nobody", "lost"]).expect_err("no such peer");
        assert!(matches!(refused.reason(), MonocoqueError::Unreachable), "{refused}");
        assert_eq!(refused.into_message(), ["nobody", "lost"]);
        assert_eq!(router.stats().dropped, 0);
        let dealer = at.connected(DealerSocket::builder().routing_id("somebody"), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        router.send_to(&id("somebody"), "found").await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "found");
    }

    async fn mandatory_send_awaits_full_peer(at) {
        let builder = RouterSocket::builder().router_mandatory(true).send_hwm(2);
        let (router, endpoint) = at.bound(builder).await;
        let slow = at.connected(DealerSocket::builder().routing_id("slow").recv_hwm(1), &endpoint).await;
        let quick = at.connected(DealerSocket::builder().routing_id("quick"), &endpoint).await;
        router.wait_for_peers(2).await.expect("open");
        let mut sent = 0;
        let mut full_attempts = 0;
        while full_attempts < 100 {
            let mut message = large(sent);
            message.push_front("slow");
            match router.try_send(message) {
                Ok(()) => (sent, full_attempts) = (sent + 1, 0),
                Err(error) => {
                    assert!(error.reason().is_would_block(), "{error}");
                    full_attempts += 1;
                    testing::pass_time(&at).await;
                }
            }
        }
        let slow_id = id("slow");
        let mut blocked = Box::pin(router.send_to(&slow_id, large(sent)));
        assert!(blocked.as_mut().at_once().is_none());
        for n in 0..100 {
            router.send_to(&id("quick"), numbered(n)).await.expect("sent");
            assert_eq!(quick.recv().await.expect("received"), numbered(n));
        }
        let (result, ()) = futures::join!(blocked, async {
            for n in 0..=sent {
                assert_eq!(slow.recv().await.expect("received"), large(n));
            }
        });
        result.expect("no longer full");
        assert_eq!(router.stats().dropped, 0);
    }

    async fn nodrop_pub_awaits_slow_subscriber(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true).send_hwm(2)).await;
        let slow = at.connected(SubSocket::builder().recv_hwm(1), &endpoint).await;
        let quick = at.connected(SubSocket::builder(), &endpoint).await;
        slow.subscribe("").expect("open");
        quick.subscribe("").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        let sent = testing::fill(&publisher, large).await;
        let total = sent + 50;
        let publish = async {
            for n in sent..total {
                publisher.send(large(n)).await.expect("sent");
            }
        };
        let hear = async |sub: &SubSocket| {
            for n in 0..total {
                assert_eq!(sub.recv().await.expect("received"), large(n));
            }
        };
        futures::join!(publish, hear(&slow), hear(&quick));
        assert_eq!(publisher.stats().dropped, 0);
    }
}

over_streams! {
    async fn lost_peer_fails_waiting_send(at) {
        let builder = RouterSocket::builder().router_mandatory(true).send_hwm(1);
        let (router, endpoint) = at.bound(builder).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&endpoint);
            wire.shake_hands("DEALER", b"stopped");
            wire
        })
        .await;
        router.wait_for_peers(1).await.expect("open");
        let stopped = id("stopped");
        let flood = async {
            loop {
                if let Err(error) = router.send_to(&stopped, large(0)).await {
                    break error;
                }
            }
        };
        let (error, ()) = futures::join!(flood, async {
            testing::eventually("the send queue is full", || router.stats().send_queue == 1).await;
            testing::pass_time(&at).await;
            wire.close();
        });
        assert!(matches!(error.reason(), MonocoqueError::Unreachable), "{error}");
    }

    async fn handover_moves_queued_messages(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder().router_handover(true)).await;
        let there = endpoint.clone();
        let old = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&there);
            wire.shake_hands("DEALER", b"name");
            wire
        })
        .await;
        router.wait_for_peers(1).await.expect("open");
        // More than the system accepts. Once a byte of it arrives, the rest waits behind it.
        router.send_to(&id("name"), vec![0; 40 << 20]).await.expect("sent");
        let old = testing::on_blocking_thread(move || {
            let mut old = old;
            old.take(1);
            old
        })
        .await;
        for n in 0..200 {
            router.send_to(&id("name"), large(n)).await.expect("sent");
        }
        let new = at.connected(DealerSocket::builder().routing_id("name"), &endpoint).await;
        for n in 0..200 {
            assert_eq!(new.recv().await.expect("queued messages are not lost"), large(n));
        }
        testing::eventually("the old connection has ended", || router.peer_count() == 1).await;
        assert_eq!(router.stats().dropped, 1, "the message that was being written");
        router.send_to(&id("name"), "for the new one").await.expect("sent");
        assert_eq!(new.recv().await.expect("received"), "for the new one");
        new.send("from the new one").await.expect("sent");
        assert_eq!(router.recv_from().await.expect("received"), (id("name"), "from the new one".into()));
        testing::on_blocking_thread(move || drop({ let mut old = old; old.end() })).await;
        // The end of the old connection does not affect the new one.
        router.send_to(&id("name"), "still there").await.expect("sent");
        assert_eq!(new.recv().await.expect("received"), "still there");
    }

    async fn nodrop_ignores_unmatched_full_peers(at) {
        let builder = PubSocket::builder().nodrop(true).send_hwm(1).send_timeout(Some(Duration::from_millis(50)));
        let (publisher, endpoint) = at.bound(builder).await;
        let there = endpoint.clone();
        let _stopped = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "SUB");
            wire.put(&testing::command("SUBSCRIBE", b"stopped"));
            wire
        })
        .await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        sub.subscribe("quick").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        let error = loop {
            if let Err(error) = publisher.send([&b"stopped"[..], &[0; 100_000]]).await {
                break error;
            }
        };
        assert!(error.reason().is_timeout(), "{error}");
        for _ in 0..100 {
            publisher.send("quick").await.expect("sent");
            assert_eq!(sub.recv().await.expect("received"), "quick");
        }
    }
}
