//! The state of a socket, its endpoints and its peers, as a program reads it.

use std::time::{Duration, SystemTime};

use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RouterSocket, SocketType, SubSocket,
};
use monocoque::{Context, Endpoint, MonocoqueError, PeerStats};
use testing::{Transport, everywhere, over_streams};

everywhere! {
    async fn socket_names_type_id_and_endpoints(at) {
        let dealer = at.build(DealerSocket::builder().routing_id("worker"));
        assert_eq!(dealer.socket_type(), SocketType::Dealer);
        assert_eq!(dealer.routing_id().as_deref(), Some(&b"worker"[..]));
        assert_eq!(at.build(DealerSocket::builder()).routing_id(), None);
        assert!(dealer.endpoints().is_empty());

        let (_router, endpoint) = at.bound(RouterSocket::builder()).await;
        dealer.connect(endpoint.clone()).await.expect("connected");
        let bound = dealer.bind("tcp://127.0.0.1:0").await.expect("bound");
        assert_eq!(dealer.endpoints(), [endpoint.clone(), bound.clone()]);
        assert_eq!(dealer.connected_endpoints(), std::slice::from_ref(&endpoint));
        assert_eq!(dealer.bound_endpoints(), std::slice::from_ref(&bound));
        dealer.disconnect(endpoint).await.expect("connected");
        assert_eq!(dealer.endpoints(), std::slice::from_ref(&bound));
        dealer.unbind(bound).await.expect("bound");
        assert!(dealer.endpoints().is_empty());
    }

    async fn closed_socket_says_so(at) {
        let pull = at.build(PullSocket::builder());
        let clone = pull.clone();
        assert!(!pull.is_closed());
        let connected = pull.connect(at.unused_endpoint("nobody")).await.expect("connected");
        assert_eq!(pull.endpoints(), [connected]);
        clone.close().await;
        assert!(pull.is_closed() && clone.is_closed());
        assert!(pull.endpoints().is_empty() && pull.connected_endpoints().is_empty());
        assert!(pull.peers().is_empty());
    }

    async fn peers_describe_their_connections(at) {
        let before = SystemTime::now();
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = DealerSocket::builder().routing_id("worker").metadata("X-Zone", "north");
        let dealer = at.connected(dealer, &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        dealer.wait_for_peers(1).await.expect("open");

        let [peer] = <[PeerStats; 1]>::try_from(router.peers()).expect("one peer");
        assert_eq!((&**peer.routing_id(), peer.socket_type()), (&b"worker"[..], SocketType::Dealer));
        assert_eq!(peer.user_id(), None);
        assert_eq!(peer.remote_endpoint(), &peer.connection().peer);
        assert!(peer.age() < Duration::from_secs(3600));
        assert!(peer.connected_at() >= before - Duration::from_secs(1));
        assert!(peer.connected_at() <= SystemTime::now() + Duration::from_secs(1));
        let [there] = <[PeerStats; 1]>::try_from(dealer.peers()).expect("one peer");
        match at.transport {
            Transport::Tcp => {
                let address = peer.socket_addr().expect("an address");
                assert_eq!(Some(address.ip()), peer.address());
                assert_eq!(*peer.remote_endpoint(), Endpoint::from(address));
                assert_eq!(there.remote_endpoint(), &endpoint);
                let zone = ("X-Zone", &b"north"[..]);
                assert!(peer.properties().any(|property| property == zone));
                assert_eq!(peer.property("x-zone"), Some(zone.1));
            }
            Transport::Ipc | Transport::Inproc => {
                assert_eq!(peer.remote_endpoint(), &endpoint);
                assert_eq!((peer.address(), peer.socket_addr()), (None, None));
            }
        }

        dealer.close().await;
        testing::eventually("the peer has gone", || router.peers().is_empty()).await;
    }

    async fn peers_count_their_messages(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut dealers = Vec::new();
        for name in ["a", "b"] {
            let dealer = at.connected(DealerSocket::builder().routing_id(name), &endpoint).await;
            router.wait_for_peers(1 + dealers.len()).await.expect("open");
            dealers.push(dealer);
        }
        for _ in 0..5 {
            dealers[0].send("up").await.expect("sent");
        }
        dealers[1].send("up").await.expect("sent");
        testing::eventually("all has arrived", || router.stats().recv_queue == 6).await;
        let counted = || -> Vec<_> {
            let peers = router.peers();
            peers.iter().map(|peer| (peer.received, peer.recv_queue, peer.sent)).collect()
        };
        assert_eq!(counted(), [(5, 5, 0), (1, 1, 0)]);

        for _ in 0..3 {
            router.recv().await.expect("received");
        }
        let waiting: Vec<_> = router.peers().iter().map(|peer| peer.recv_queue).collect();
        assert_eq!(waiting.iter().sum::<usize>(), 3);
        assert_eq!(waiting.iter().sum::<usize>(), router.stats().recv_queue);
        for _ in 0..3 {
            router.recv().await.expect("received");
        }
        router.send_to("b", "down").await.expect("sent");
        router.send_to("b", "down").await.expect("sent");
        assert_eq!(counted(), [(5, 0, 0), (1, 0, 2)]);
    }

    async fn builder_clones_and_subscribes(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let template = SubSocket::builder().subscribe("news.").subscribe("weather.");
        let first = at.connected(template.clone(), &endpoint).await;
        let second = at.connected(template, &endpoint).await;
        publisher.wait_for_subscriptions(4).await.expect("open");
        publisher.send("sports").await.expect("sent");
        publisher.send("weather.oslo").await.expect("sent");
        for subscriber in [&first, &second] {
            assert_eq!(subscriber.recv().await.expect("received"), "weather.oslo");
        }
        first.unsubscribe("news.").expect("open");
        testing::eventually("it is cancelled", || publisher.subscription_count() == 3).await;
    }
}

over_streams! {
    async fn peers_count_bytes_of_streams(at) {
        const BODY: usize = 100_000;
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        let bytes = || {
            let of = |peers: Vec<PeerStats>| peers.iter().map(|peer| (peer.bytes_read, peer.bytes_written)).next();
            (of(router.peers()).expect("a peer"), of(dealer.peers()).expect("a peer"))
        };
        dealer.send(vec![0; BODY]).await.expect("sent");
        let mut message = router.recv().await.expect("received");
        let frame = (BODY + 9) as u64;
        testing::eventually("its bytes are counted", || bytes().1.1 == frame).await;
        assert_eq!(bytes(), ((frame, 0), (0, frame)));

        // A lone reply, which may be written directly.
        message.pop_back();
        message.push_back("ok");
        router.send(message).await.expect("sent");
        dealer.recv().await.expect("received");
        testing::eventually("its bytes are counted", || bytes().0.1 == 4).await;
        assert_eq!(bytes(), ((frame, 4), (4, frame)));
    }
}

#[test]
fn rejected_option_survives_clone() {
    let builder = DealerSocket::builder().routing_id("");
    let clone = builder.clone();
    for built in [builder.build(), clone.build()] {
        assert!(matches!(built, Err(MonocoqueError::RoutingId(_))), "{built:?}");
    }
}

#[test]
fn context_of_socket_makes_others() {
    futures::executor::block_on(async {
        let pair = PairSocket::new_in(&Context::new().expect("a context")).expect("a socket");
        pair.bind("inproc://of-this-context").await.expect("bound");
        let other = PairSocket::new_in(&pair.context()).expect("a socket");
        other.connect("inproc://of-this-context").await.expect("connected");
        other.send("over it").await.expect("sent");
        assert_eq!(pair.recv().await.expect("received"), "over it");

        pair.context().shutdown().await;
        assert!(pair.is_closed() && other.is_closed());
        let error = PushSocket::new_in(&pair.context()).expect_err("it was shut down");
        assert!(error.is_closed());
    });
}

#[test]
fn context_debug_is_short() {
    let context = Context::builder().io_threads(2).build().expect("a context");
    let text = format!("{context:?}");
    assert!(text.starts_with("Context { io_threads: 2, driver: "), "{text}");
    assert!(text.len() < 60, "{text}");
}
