//! Sending by routing id, and receiving with it: kinds of arguments, attempts and time limits.

use std::time::Duration;

use bytes::Bytes;
use monocoque::zmq::{DealerSocket, RouterSocket};
use monocoque::{Frame, MonocoqueError, RoutingId};
use testing::{DEADLINE, everywhere};

everywhere! {
    async fn send_to_takes_text_and_bytes(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let worker = at.connected(DealerSocket::builder().routing_id("worker"), &endpoint).await;
        worker.send("ready").await.expect("sent");
        let (id, _) = router.recv_from().await.expect("received");
        let (text, bytes, frame) = ("worker".to_owned(), b"worker".to_vec(), Frame::from("worker"));

        router.send_to(&id, "0").await.expect("sent");
        router.send_to(id, "1").await.expect("sent");
        router.send_to("worker", "2").await.expect("sent");
        router.send_to(&text, "3").await.expect("sent");
        router.send_to(text, "4").await.expect("sent");
        router.send_to(b"worker", "5").await.expect("sent");
        router.send_to(*b"worker", "6").await.expect("sent");
        router.send_to(&bytes[..], "7").await.expect("sent");
        router.send_to(&bytes, "8").await.expect("sent");
        router.send_to(bytes, "9").await.expect("sent");
        router.send_to(&frame, "10").await.expect("sent");
        router.send_to(frame, "11").await.expect("sent");
        router.send_to(Bytes::from_static(b"worker"), "12").await.expect("sent");
        router.send_to_timeout("worker", "13", DEADLINE).await.expect("sent");
        router.try_send_to("worker", "14").expect("not full");
        for n in 0..15 {
            assert_eq!(worker.recv().await.expect("received"), n.to_string());
        }
    }

    async fn malformed_routing_id_returns_message(at) {
        let (router, _endpoint) = at.bound(RouterSocket::builder()).await;
        let long = [7; RoutingId::MAX_LEN + 1];
        for error in [
            router.send_to("", "body").await.expect_err("empty"),
            router.send_to(&long, "body").await.expect_err("too long"),
            router.send_to_timeout("", "body", DEADLINE).await.expect_err("empty"),
            router.try_send_to(long, "body").expect_err("too long"),
        ] {
            assert!(matches!(error.reason(), MonocoqueError::RoutingId(_)), "{error}");
            assert_eq!(error.into_message(), "body");
        }
        assert_eq!(router.stats().sent, 0);
    }

    async fn full_peer_refuses_try_send_to(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder().router_mandatory(true).send_hwm(1)).await;
        let error = router.try_send_to("nobody", "body").expect_err("not connected");
        assert!(matches!(error.reason(), MonocoqueError::Unreachable));
        let dealer = DealerSocket::builder().routing_id("full").recv_hwm(1);
        let dealer = at.connected(dealer, &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let large = vec![0; 4 << 20];
        let error = loop {
            if let Err(error) = router.send_to_timeout("full", large.clone(), Duration::from_millis(5)).await {
                break error;
            }
        };
        assert!(error.reason().is_timeout(), "{error}");
        let error = router.try_send_to("full", "body").expect_err("full");
        assert!(error.reason().is_would_block(), "{error}");
        assert_eq!(error.into_message(), "body");
        drop(dealer);
    }

    async fn recv_from_waits_within_limit(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        assert!(router.try_recv_from().expect_err("no message").is_would_block());
        let error = router.recv_from_timeout(Duration::from_millis(5)).await.expect_err("no message");
        assert!(error.is_timeout());
        let dealer = at.connected(DealerSocket::builder().routing_id("worker"), &endpoint).await;
        dealer.send("first").await.expect("sent");
        let (id, message) = router.recv_from_timeout(DEADLINE).await.expect("received");
        assert_eq!((&*id, message), (&b"worker"[..], "first".into()));
        dealer.send("second").await.expect("sent");
        testing::eventually("a message is queued", || router.stats().recv_queue == 1).await;
        let (id, message) = router.try_recv_from().expect("queued");
        assert_eq!((&*id, message), (&b"worker"[..], "second".into()));
    }
}
