//! Received messages together with their sender.

use futures::StreamExt;
use monocoque::SocketEvent;
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SocketType,
    SubSocket,
};
use testing::{Transport, everywhere, numbered};

everywhere! {
    async fn recv_with_peer_names_sender(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut dealers = Vec::new();
        for name in ["one", "two", "three"] {
            dealers.push(at.connected(DealerSocket::builder().routing_id(name), &endpoint).await);
        }
        for dealer in &dealers {
            for n in 0..10 {
                dealer.send(numbered(n)).await.expect("sent");
            }
        }
        for _ in 0..30 {
            let (message, peer) = router.recv_with_peer().await.expect("received");
            assert_eq!(&message[0], &**peer.routing_id());
            assert_eq!((peer.socket_type(), peer.user_id()), (SocketType::Dealer, None));
            assert_eq!(&peer.connection().endpoint, &endpoint);
            match at.transport {
                Transport::Tcp => {
                    assert!(peer.address().is_some_and(|address| address.is_loopback()));
                    assert_eq!(peer.property("identity"), Some(&**peer.routing_id()));
                }
                _ => assert_eq!(peer.address(), None),
            }
        }
        assert!(router.try_recv_with_peer().expect_err("nothing is left").is_would_block());
    }

    async fn departed_peer_info_stays_available(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut monitor = pull.monitor();
        for round in 0..3 {
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            push.send(numbered(round)).await.expect("sent");
            push.close().await;
        }
        testing::eventually("the peers have disconnected", || pull.peer_count() == 0 && pull.stats().recv_queue == 3).await;
        let mut known = Vec::new();
        while known.len() < 3 {
            if let Some(SocketEvent::Accepted { connection }) = monitor.next().await {
                known.push(connection.id);
            }
        }
        for _ in 0..3 {
            let (_, peer) = pull.recv_with_peer().await.expect("received");
            let at = known.iter().position(|id| *id == peer.connection().id);
            known.remove(at.expect("each from another peer"));
        }
    }

    async fn recv_with_peer_skips_filtered_messages(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let sub = at.connected(SubSocket::builder().recv_timeout(Some(std::time::Duration::ZERO)), &endpoint).await;
        sub.subscribe("a").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        assert!(sub.recv_with_peer().await.expect_err("nothing was sent").is_timeout());
        publisher.send("b").await.expect("sent");
        publisher.send("a").await.expect("sent");
        testing::eventually("the message has arrived", || sub.stats().recv_queue == 1).await;
        let (message, peer) = sub.recv_with_peer().await.expect("received");
        assert_eq!((message, peer.socket_type()), ("a".into(), SocketType::Pub));

        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &endpoint).await;
        assert!(req.recv_with_peer().await.is_err(), "out of turn");
        req.send("question").await.expect("sent");
        let (question, peer) = rep.recv_with_peer().await.expect("received");
        assert_eq!((question, peer.socket_type()), ("question".into(), SocketType::Req));
        rep.send("answer").await.expect("sent");
        let (answer, peer) = req.recv_with_peer().await.expect("received");
        assert_eq!((answer, peer.socket_type()), ("answer".into(), SocketType::Rep));
    }
}
