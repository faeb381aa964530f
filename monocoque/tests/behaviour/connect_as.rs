//! Endpoints whose peers are assigned a routing id by `connect_as`.

use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::{Builder, DealerSocket, RouterSocket};
use monocoque::{DisconnectReason, MonocoqueError, RouterNotify, RoutingId, SocketEvent};
use testing::{AtOnce, RawPeer, RawPeerListener, everywhere, frame, greeting, numbered, over_streams, ready};

fn id(name: &str) -> RoutingId {
    RoutingId::try_from(name).expect("an id")
}

fn router() -> Builder<RouterSocket> {
    RouterSocket::builder()
}

fn is_duplicate<T: std::fmt::Debug>(result: Result<T, MonocoqueError>) -> bool {
    matches!(result, Err(MonocoqueError::DuplicateRoutingId))
}

everywhere! {
    async fn messages_queue_until_peer_connects(at) {
        let endpoint = at.unused_endpoint("later");
        let router = at.build(router().send_hwm(10));
        router.connect_as(endpoint.clone(), "later").await.expect("connected");
        for n in 0..15 {
            router.send(["later".to_owned(), n.to_string()]).await.expect("queued or dropped");
        }
        assert_eq!((router.stats().send_queue, router.stats().dropped, router.stats().sent), (10, 5, 10));
        let dealer = at.build(DealerSocket::builder());
        testing::rebind(&dealer, &endpoint).await;
        for n in 0..10 {
            assert_eq!(dealer.recv().await.expect("received"), numbered(n));
        }
        router.send(["later", "now"]).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "now");
    }

    async fn mandatory_send_waits_when_full(at) {
        let endpoint = at.unused_endpoint("later");
        let router = at.build(router().send_hwm(2).router_mandatory(true));
        router.connect_as(endpoint.clone(), "later").await.expect("connected");
        for n in 0..2 {
            router.send_to(&id("later"), numbered(n)).await.expect("queued");
        }
        assert!(router.try_send(["later", "2"]).expect_err("full").reason().is_would_block());
        let later = id("later");
        let mut blocked = Box::pin(router.send_to(&later, numbered(2)));
        assert!(blocked.as_mut().at_once().is_none());
        let dealer = at.build(DealerSocket::builder());
        testing::rebind(&dealer, &endpoint).await;
        blocked.await.expect("sent");
        for n in 0..3 {
            assert_eq!(dealer.recv().await.expect("received"), numbered(n));
        }
    }

    async fn disconnect_makes_waiting_send_unreachable(at) {
        let endpoint = at.unused_endpoint("never");
        let router = at.build(router().send_hwm(1).router_mandatory(true));
        router.connect_as(endpoint.clone(), "never").await.expect("connected");
        let never = id("never");
        router.send_to(&never, "lost").await.expect("queued");
        let mut blocked = Box::pin(router.send_to(&never, "lost"));
        assert!(blocked.as_mut().at_once().is_none());
        router.disconnect(endpoint).await.expect("connected");
        let error = blocked.await.expect_err("no such peer");
        assert!(matches!(error.reason(), MonocoqueError::Unreachable), "{error}");
        assert_eq!((router.stats().send_queue, router.stats().dropped), (0, 1));
    }

    async fn immediate_send_without_peer_fails(at) {
        let endpoint = at.unused_endpoint("later");
        let router = at.build(router().router_mandatory(true).immediate(true));
        router.connect_as(endpoint.clone(), "later").await.expect("connected");
        let error = router.send_to(&id("later"), "now").await.expect_err("no such peer");
        assert!(matches!(error.reason(), MonocoqueError::Unreachable), "{error}");
        let dealer = at.build(DealerSocket::builder());
        testing::rebind(&dealer, &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        router.send_to(&id("later"), "now").await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "now");
    }

    async fn duplicate_name_is_rejected(at) {
        let (router, endpoint) = at.bound(router()).await;
        let dealer = at.connected(DealerSocket::builder().routing_id("accepted"), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let elsewhere = at.unused_endpoint("elsewhere");
        assert!(is_duplicate(router.connect_as(elsewhere.clone(), "accepted").await));
        router.connect_as(elsewhere.clone(), "given").await.expect("connected");
        assert!(is_duplicate(router.connect_as(elsewhere.clone(), "given").await));
        assert!(is_duplicate(router.connect_as(at.unused_endpoint("third"), "given").await));
        // The rejected call has left no endpoint behind.
        router.disconnect(elsewhere.clone()).await.expect("connected once");
        let again = router.disconnect(elsewhere.clone()).await;
        assert!(matches!(again, Err(MonocoqueError::UnknownEndpoint(_))), "{again:?}");
        router.connect_as(elsewhere, "given").await.expect("free again");
        dealer.close().await;
        testing::eventually("the peer has disconnected", || router.peer_count() == 0).await;
        router.connect_as(at.unused_endpoint("fourth"), "accepted").await.expect("free again");
    }

    async fn close_sends_queued_messages(at) {
        let endpoint = at.unused_endpoint("later");
        let router = at.build(router());
        router.connect_as(endpoint.clone(), "later").await.expect("connected");
        router.send(["later", "the last word"]).await.expect("queued");
        let dealer = at.build(DealerSocket::builder());
        let (message, ()) = futures::join!(async {
            testing::rebind(&dealer, &endpoint).await;
            dealer.recv().await.expect("received")
        }, router.close());
        assert_eq!(message, "the last word");
    }

    async fn invalid_name_is_rejected(at) {
        let router = at.build(router());
        let endpoint = at.unused_endpoint("nowhere");
        let empty = router.connect_as(endpoint.clone(), "").await;
        assert!(matches!(empty, Err(MonocoqueError::RoutingId(_))), "{empty:?}");
        let long = router.connect_as(endpoint.clone(), vec![1; 256]).await;
        assert!(matches!(long, Err(MonocoqueError::RoutingId(_))), "{long:?}");
        let reserved = router.connect_as(endpoint.clone(), b"\0name").await;
        assert!(matches!(reserved, Err(MonocoqueError::ReservedRoutingId)), "{reserved:?}");
        assert!(router.disconnect(endpoint).await.is_err(), "nothing was connected");
        router.connect_as("tcp://127.0.0.1:0", "name").await.expect_err("no port");
        router.close().await;
        let closed = router.connect_as("tcp://127.0.0.1:1", "name").await;
        assert!(matches!(closed, Err(MonocoqueError::Closed)), "{closed:?}");
    }

    async fn assigned_name_is_reported(at) {
        for announced in [DealerSocket::builder().routing_id("its own"), DealerSocket::builder()] {
            let (dealer, endpoint) = at.bound(announced).await;
            let router = at.build(router());
            let mut monitor = router.monitor();
            router.connect_as(endpoint, "ours").await.expect("connected");
            let reported = loop {
                if let Some(SocketEvent::HandshakeSucceeded { routing_id, .. }) = monitor.next().await {
                    break routing_id;
                }
            };
            dealer.send("up").await.expect("sent");
            let (_, peer) = router.recv_with_peer().await.expect("received");
            assert_eq!((&reported, peer.routing_id()), (&id("ours"), &id("ours")));
        }
    }
}

over_streams! {
    async fn assigned_name_overrides_announced_id(at) {
        for announced in [DealerSocket::builder().routing_id("its own"), DealerSocket::builder()] {
            let (dealer, endpoint) = at.bound(announced).await;
            let router = at.build(router().router_notify([RouterNotify::Connect, RouterNotify::Disconnect]));
            let mut monitor = router.monitor();
            router.connect_as(endpoint.clone(), "ours").await.expect("connected");
            assert_eq!(router.recv().await.expect("received"), ["ours", ""]);
            let assigned = loop {
                if let Some(SocketEvent::HandshakeSucceeded { routing_id, .. }) = monitor.next().await {
                    break routing_id;
                }
            };
            assert_eq!(assigned, id("ours"));
            dealer.send("up").await.expect("sent");
            assert_eq!(router.recv_from().await.expect("received"), (id("ours"), "up".into()));
            router.send_to(&id("ours"), "down").await.expect("sent");
            router.send_to(&id("its own"), "lost").await.expect("dropped");
            assert_eq!(dealer.recv().await.expect("received"), "down");
            assert_eq!(router.stats().dropped, 1);
            router.disconnect(endpoint).await.expect("connected");
            assert_eq!(router.recv().await.expect("received"), ["ours", ""]);
        }
    }

    async fn assigned_name_survives_reconnects(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "listens");
        let quick = router().reconnect_interval(Duration::from_millis(1));
        let router = at.build(quick.router_mandatory(true));
        router.connect_as(endpoint, "name").await.expect("connected");
        let name = id("name");
        let mut listener = Some(listener);
        for round in 0..10 {
            router.send_to(&name, numbered(round)).await.expect("sent");
            let accepts = listener.take().expect("the peer has reconnected");
            listener = Some(testing::on_blocking_thread(move || {
                let mut wire = accepts.accept();
                wire.shake_hands("DEALER", format!("another {round}").as_bytes());
                assert_eq!(wire.frame(), (0, round.to_string().into_bytes()));
                wire.put(&frame(0, b"said"));
                wire.close();
                accepts
            }).await);
            assert_eq!(router.recv().await.expect("received"), ["name", "said"]);
            testing::eventually("the connection is lost", || router.peer_count() == 0).await;
        }
    }

    async fn assigned_name_rejects_impostor(at) {
        for handover in [false, true] {
            let (router, endpoint) = at.bound(router().router_handover(handover)).await;
            let mut monitor = router.monitor();
            let later = at.unused_endpoint(&format!("later {handover}"));
            router.connect_as(later.clone(), "ours").await.expect("connected");
            router.send(["ours", "for the right one"]).await.expect("queued");
            let impostor = async |there: monocoque::Endpoint| {
                testing::on_blocking_thread(move || {
                    let mut wire = RawPeer::connect(&there);
                    wire.put(&[&greeting()[..], &ready("DEALER", b"ours"), &frame(0, b"it is me")].concat());
                    wire.end();
                }).await;
            };
            impostor(endpoint.clone()).await;
            loop {
                if let Some(SocketEvent::HandshakeFailed { reason, .. }) = monitor.next().await {
                    assert!(matches!(reason, DisconnectReason::DuplicateRoutingId), "{reason}");
                    break;
                }
            }
            let dealer = at.build(DealerSocket::builder());
            testing::rebind(&dealer, &later).await;
            assert_eq!(dealer.recv().await.expect("received"), "for the right one");
            impostor(endpoint).await;
            router.send(["ours", "still"]).await.expect("sent");
            assert_eq!(dealer.recv().await.expect("received"), "still");
            dealer.send("here").await.expect("sent");
            assert_eq!(router.recv().await.expect("received"), ["ours", "here"]);
        }
    }
}

#[test]
fn inproc_peer_gets_assigned_name() {
    testing::run(testing::Transport::Tcp, testing::Placement::Current, async |at: testing::At| {
        let router = at.build(router().send_hwm(2));
        router.connect_as("inproc://named", "ours").await.expect("connected");
        assert!(is_duplicate(router.connect_as("inproc://other", "ours").await));
        for n in 0..3 {
            router.send(["ours".to_owned(), n.to_string()]).await.expect("queued or dropped");
        }
        assert_eq!((router.stats().send_queue, router.stats().dropped), (2, 1));
        let dealer = at.build(DealerSocket::builder().routing_id("its own"));
        dealer.bind("inproc://named").await.expect("bound");
        for n in 0..2 {
            assert_eq!(dealer.recv().await.expect("received"), numbered(n));
        }
        dealer.send("up").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["ours", "up"]);
    });
}
