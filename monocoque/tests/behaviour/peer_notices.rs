//! Connect and disconnect notices of peers.

use std::time::Duration;

use monocoque::zmq::{Builder, DealerSocket, RouterSocket};
use monocoque::{Message, RouterNotify, RoutingId};
use testing::{RawPeer, RawPeerListener, everywhere, frame, greeting, numbered, over_streams, ready};

/// A builder for a ROUTER that receives every notice.
fn notifying_router() -> Builder<RouterSocket> {
    RouterSocket::builder().router_notify([RouterNotify::Connect, RouterNotify::Disconnect])
}

fn named(name: &str) -> Builder<DealerSocket> {
    DealerSocket::builder().routing_id(name)
}

async fn expect_messages(router: &RouterSocket, expected: &[[&str; 2]]) {
    for expected in expected {
        assert_eq!(router.recv().await.expect("received"), (*expected));
    }
}

/// Completes the handshake as `name` and sends the numbers from zero on.
fn peer_sending_numbers(mut wire: RawPeer, name: &str, messages: usize) -> RawPeer {
    wire.shake_hands("DEALER", name.as_bytes());
    for n in 0..messages {
        wire.put(&frame(0, n.to_string().as_bytes()));
    }
    wire
}

over_streams! {
    async fn notices_enclose_peer_messages(at) {
        let (router, endpoint) = at.bound(notifying_router()).await;
        for n in 0..20 {
            let dealer = at.connected(named("peer"), &endpoint).await;
            dealer.send(numbered(n)).await.expect("sent");
            dealer.send("last").await.expect("sent");
            dealer.close().await;
            expect_messages(&router, &[["peer", ""], ["peer", &n.to_string()], ["peer", "last"], ["peer", ""]]).await;
        }
        assert!(router.try_recv().is_err());
    }

    async fn connect_notice_precedes_usable_peer(at) {
        let (router, endpoint) = at.bound(notifying_router().router_mandatory(true)).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        let (id, notice) = router.recv_from().await.expect("received");
        assert_eq!((id.len(), id[0], notice), (5, 0, "".into()));
        router.send_to(&id, "welcome").await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "welcome");
        dealer.close().await;
        assert_eq!(router.recv_from().await.expect("received"), (id, "".into()));
    }

    async fn unrequested_notices_are_not_sent(at) {
        for (wanted, expected) in [
            (RouterNotify::Connect, &[["peer", ""], ["peer", "said"]]),
            (RouterNotify::Disconnect, &[["peer", "said"], ["peer", ""]]),
        ] {
            let (router, endpoint) = at.bound(RouterSocket::builder().router_notify([wanted])).await;
            let dealer = at.connected(named("peer"), &endpoint).await;
            dealer.send("said").await.expect("sent");
            dealer.close().await;
            expect_messages(&router, expected).await;
            testing::eventually("the peer has disconnected", || router.peer_count() == 0).await;
            assert!(router.try_recv().is_err());
        }
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(named("peer"), &endpoint).await;
        dealer.send("said").await.expect("sent");
        dealer.close().await;
        expect_messages(&router, &[["peer", "said"]]).await;
        testing::eventually("the peer has disconnected", || router.peer_count() == 0).await;
        assert!(router.try_recv().is_err());
    }

    async fn full_receiver_keeps_notices(at) {
        let (router, endpoint) = at.bound(notifying_router().recv_hwm(1)).await;
        let wire = testing::on_blocking_thread(move || peer_sending_numbers(RawPeer::connect(&endpoint), "peer", 50)).await;
        wire.close();
        expect_messages(&router, &[["peer", ""]]).await;
        for n in 0..50 {
            assert_eq!(router.recv().await.expect("received"), ["peer", &n.to_string()]);
        }
        expect_messages(&router, &[["peer", ""]]).await;
    }

    async fn disconnect_notice_follows_failed_write(at) {
        let (router, endpoint) = at.bound(notifying_router().recv_hwm(2)).await;
        let wire = testing::on_blocking_thread(move || peer_sending_numbers(RawPeer::connect(&endpoint), "peer", 100)).await;
        testing::eventually("two messages are queued", || router.stats().recv_queue == 2).await;
        drop(wire);
        // Nothing is received: only a failed write detects the disconnect.
        let lost = async || {
            router.send(["peer", "anybody there?"]).await.expect("sent or dropped");
            router.peer_count() == 0
        };
        testing::eventually_async("the write side has ended", lost).await;
        expect_messages(&router, &[["peer", ""]]).await;
        let mut n = 0;
        loop {
            let (_, message) = router.recv_from().await.expect("received");
            if message == [""] {
                break;
            }
            assert_eq!(message, numbered(n));
            n += 1;
        }
        // Over TCP the kernel drops unread data when the peer resets the connection.
        assert!(n > 0);
        assert!(router.try_recv().is_err());
    }

    async fn refused_peer_sends_no_notice(at) {
        let (router, endpoint) = at.bound(notifying_router()).await;
        let first = at.connected(named("twin"), &endpoint).await;
        expect_messages(&router, &[["twin", ""]]).await;
        let there = endpoint.clone();
        testing::on_blocking_thread(move || {
            let mut twin = RawPeer::connect(&there);
            twin.put(&[&greeting()[..], &ready("DEALER", b"twin"), &frame(0, b"from an impostor")].concat());
            twin.end();
            let mut stranger = RawPeer::connect(&there);
            stranger.put(b"not a greeting, and long enough to be seen as such by whoever reads it, I hope");
            stranger.end();
        })
        .await;
        first.send("still the first").await.expect("sent");
        first.close().await;
        expect_messages(&router, &[["twin", "still the first"], ["twin", ""]]).await;
        assert!(router.try_recv().is_err());
    }

    async fn handover_sends_no_disconnect_notice(at) {
        let (router, endpoint) = at.bound(notifying_router().router_handover(true)).await;
        let there = endpoint.clone();
        let old = testing::on_blocking_thread(move || peer_sending_numbers(RawPeer::connect(&there), "name", 0)).await;
        expect_messages(&router, &[["name", ""]]).await;
        let new = at.connected(named("name"), &endpoint).await;
        expect_messages(&router, &[["name", ""]]).await;
        testing::eventually("the old connection has ended", || router.peer_count() == 1).await;
        testing::on_blocking_thread(move || drop({ let mut old = old; old.end() })).await;
        new.send("here").await.expect("sent");
        expect_messages(&router, &[["name", "here"]]).await;
        new.close().await;
        expect_messages(&router, &[["name", ""]]).await;
        assert!(router.try_recv().is_err());
    }

    async fn reconnect_notices_stay_in_order(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "listens");
        let router = at.connected(notifying_router().reconnect_interval(Duration::from_millis(1)), &endpoint).await;
        let peers = testing::on_blocking_thread(move || {
            for _ in 0..10 {
                peer_sending_numbers(listener.accept(), "peer", 5).close();
            }
            listener
        });
        for _ in 0..10 {
            expect_messages(&router, &[["peer", ""]]).await;
            // Messages that have not arrived by the next connection are lost; the others are in
            // order.
            let mut last = None;
            loop {
                let (_, message) = router.recv_from().await.expect("received");
                if message == [""] {
                    break;
                }
                let n: usize = std::str::from_utf8(&message[0]).expect("text").parse().expect("a number");
                assert!(last.replace(n) < Some(n));
            }
            assert_eq!(last, Some(4));
        }
        drop(peers.await);
    }

    async fn local_disconnect_sends_notice(at) {
        let (router, endpoint) = at.bound(notifying_router()).await;
        let dealer = at.connected(named("accepted"), &endpoint).await;
        expect_messages(&router, &[["accepted", ""]]).await;
        router.unbind(endpoint).await.expect("bound");
        expect_messages(&router, &[["accepted", ""]]).await;
        drop(dealer);
        let (listening, endpoint) = at.bound(named("dialled")).await;
        router.connect(endpoint.clone()).await.expect("connected");
        expect_messages(&router, &[["dialled", ""]]).await;
        router.disconnect(endpoint).await.expect("connected");
        expect_messages(&router, &[["dialled", ""]]).await;
        drop(listening);
    }

    async fn many_peers_notify_once_each(at) {
        let (router, endpoint) = at.bound(notifying_router()).await;
        let peers = testing::on_blocking_thread(move || {
            let mut wires: Vec<_> = (0..30).map(|n| peer_sending_numbers(RawPeer::connect(&endpoint), &format!("p{n}"), n)).collect();
            while let Some(wire) = wires.pop() {
                drop(wire);
            }
        });
        let mut by_peer = std::collections::HashMap::<RoutingId, Vec<Message>>::new();
        let mut gone = 0;
        while gone < 30 {
            let (id, message) = router.recv_from().await.expect("received");
            let of = by_peer.entry(id).or_default();
            gone += usize::from(message == [""] && !of.is_empty());
            of.push(message);
        }
        peers.await;
        for (id, messages) in by_peer {
            let n: usize = std::str::from_utf8(&id[1..]).expect("text").parse().expect("a number");
            let expected = (0..n).map(numbered);
            let expected: Vec<Message> =
                std::iter::once("".into()).chain(expected).chain(std::iter::once("".into())).collect();
            assert_eq!(messages, expected);
        }
    }
}

everywhere! {
    async fn hello_and_disconnect_enclose_messages(at) {
        let builder = RouterSocket::builder().disconnect_msg(["over", "and out"]);
        let (router, endpoint) = at.bound(builder).await;
        for _ in 0..3 {
            let dealer = at.connected(named("peer").hello_msg("hello"), &endpoint).await;
            dealer.send("more").await.expect("sent");
            dealer.close().await;
            expect_messages(&router, &[["peer", "hello"], ["peer", "more"]]).await;
            assert_eq!(router.recv().await.expect("received"), ["peer", "over", "and out"]);
        }
        let dealer = at.connected(named("peer"), &endpoint).await;
        dealer.wait_for_peers(1).await.expect("open");
        router.wait_for_peers(1).await.expect("open");
        router.unbind(&endpoint).await.expect("bound");
        testing::eventually("the peer has disconnected", || router.peer_count() == 0).await;
        assert!(router.try_recv().is_err(), "no notice of a local unbind");
    }

    async fn lost_connection_delivers_hiccup_message(at) {
        let endpoint = at.unused_endpoint("lost");
        let router = at.build(RouterSocket::builder().hello_msg("welcome"));
        testing::rebind(&router, &endpoint).await;
        let dealer = at.connected(named("peer").hiccup_msg("lost"), &endpoint).await;
        for _ in 0..3 {
            assert_eq!(dealer.recv().await.expect("received"), "welcome");
            router.unbind(&endpoint).await.expect("bound");
            assert_eq!(dealer.recv().await.expect("received"), "lost");
            testing::rebind(&router, &endpoint).await;
        }
        assert_eq!(dealer.recv().await.expect("received"), "welcome");
        dealer.disconnect(&endpoint).await.expect("connected");
        testing::eventually("the peer has disconnected", || dealer.peer_count() == 0).await;
        assert!(dealer.try_recv().is_err());
    }
}
