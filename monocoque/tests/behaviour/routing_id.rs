//! Routing ids of a ROUTER's peers: announced, generated and duplicate.

use std::time::Duration;

use monocoque::zmq::{DealerSocket, ReqSocket, RouterSocket};
use monocoque::{MonocoqueError, RoutingId};
use testing::{RawPeer, everywhere, over_streams};

everywhere! {
    async fn announced_routing_id_is_used(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let longest = vec![b'x'; 255];
        let dealer = at.connected(DealerSocket::builder().routing_id(longest.clone()), &endpoint).await;
        dealer.send(["a", "b"]).await.expect("sent");
        let (peer, message) = router.recv_from().await.expect("received");
        assert_eq!((&*peer, message), (&*longest, ["a", "b"].into()));
        router.send_to(&peer, "direct").await.expect("sent");
        router.send([&*longest, b"framed"]).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "direct");
        assert_eq!(dealer.recv().await.expect("received"), "framed");
    }

    async fn anonymous_peers_get_generated_ids(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let one = at.connected(DealerSocket::builder(), &endpoint).await;
        let other = at.connected(ReqSocket::builder(), &endpoint).await;
        one.send("one").await.expect("sent");
        let (one_id, _) = router.recv_from().await.expect("received");
        other.send("other").await.expect("sent");
        let (other_id, request) = router.recv_from().await.expect("received");
        assert_eq!(request, ["", "other"]);
        assert_ne!(one_id, other_id);
        for id in [&one_id, &other_id] {
            assert_eq!((id.len(), id[0]), (5, 0));
        }
        router.send_to(&one_id, "for one").await.expect("sent");
        router.send_to(&other_id, ["", "for the other"]).await.expect("sent");
        assert_eq!(one.recv().await.expect("received"), "for one");
        assert_eq!(other.recv().await.expect("received"), "for the other");
    }

    async fn probe_router_introduces_peer(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder().routing_id("dealer").probe_router(true), &endpoint).await;
        assert_eq!(router.recv().await.expect("received"), ["dealer", ""]);
        router.send(["dealer", "welcome"]).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "welcome");
        let req = at.connected(ReqSocket::builder().routing_id("req").probe_router(true), &endpoint).await;
        assert_eq!(router.recv().await.expect("received"), ["req", ""]);
        req.send("question").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["req", "", "question"]);
        let other = at.connected(RouterSocket::builder().routing_id("router").probe_router(true), &endpoint).await;
        assert_eq!(router.recv().await.expect("received"), ["router", ""]);
        drop(other);
    }

    async fn unknown_id_message_is_dropped(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder().routing_id("here"), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let unknown = RoutingId::try_from("nobody").expect("an id");
        router.send_to(&unknown, "lost").await.expect("dropped");
        router.send(["", "lost"]).await.expect("dropped");
        router.send([vec![1; 300], b"lost".to_vec()]).await.expect("dropped");
        assert!(matches!(
            router.send("here").await.expect_err("nothing behind the id").reason(),
            MonocoqueError::EmptyMessage
        ));
        router.send(["here", "found"]).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "found");
    }

    async fn returning_peer_keeps_routing_id(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        for n in 0..10 {
            let dealer = at.connected(DealerSocket::builder().routing_id("regular"), &endpoint).await;
            dealer.send(testing::numbered(n)).await.expect("sent");
            let message = router.recv().await.expect("received");
            assert_eq!(message, ["regular".to_owned(), n.to_string()]);
            router.send(message).await.expect("sent");
            assert_eq!(dealer.recv().await.expect("received"), testing::numbered(n));
            dealer.close().await;
        }
        testing::eventually("no peer is left", || router.peer_count() == 0).await;
    }
}

over_streams! {
    async fn duplicate_id_waits_for_departure(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let named = || DealerSocket::builder().routing_id("twin").reconnect_interval(Duration::from_millis(1));
        let first = at.connected(named(), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let there = endpoint.clone();
        let refused = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&there);
            let message = testing::frame(0, b"from an impostor");
            wire.put(&[&testing::greeting()[..], &testing::ready("DEALER", b"twin"), &message].concat());
            wire.end()
        })
        .await;
        assert!(refused.len() >= 64, "refused after the handshake");
        let second = at.connected(named(), &endpoint).await;
        for n in 0..20 {
            router.send(["twin".to_owned(), n.to_string()]).await.expect("sent");
            assert_eq!(first.recv().await.expect("still the first"), testing::numbered(n));
            first.send("first").await.expect("sent");
            assert_eq!(router.recv().await.expect("received"), ["twin", "first"]);
        }
        first.close().await;
        // Messages sent while the peer was refused may be lost.
        let arrives = async || {
            second.send("second").await.expect("queued");
            router.try_recv().is_ok_and(|message| message == ["twin", "second"])
        };
        testing::eventually_async("the second peer's message is received", arrives).await;
        router.send(["twin", "you"]).await.expect("sent");
        assert_eq!(second.recv().await.expect("received"), "you");
    }
}

#[test]
fn invalid_routing_id_fails_build() {
    assert!(matches!(DealerSocket::builder().routing_id("").build(), Err(MonocoqueError::RoutingId(_))));
    assert!(matches!(
        DealerSocket::builder().routing_id(vec![1; 256]).build(),
        Err(MonocoqueError::RoutingId(_))
    ));
    assert!(matches!(
        DealerSocket::builder().routing_id(&b"\0id"[..]).build(),
        Err(MonocoqueError::ReservedRoutingId)
    ));
    assert!(DealerSocket::builder().routing_id(vec![1; 255]).build().is_ok());
    assert!(
        DealerSocket::builder().routing_id("").routing_id("good").build().is_err(),
        "the first one counts"
    );
}
