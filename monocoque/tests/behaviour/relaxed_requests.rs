//! REQ sockets with `req_relaxed`: a late reply is never taken for the reply to a later request.

use std::time::Duration;

use monocoque::zmq::{RepSocket, ReqSocket, RouterSocket};
use testing::{AtOnce, everywhere, numbered};

everywhere! {
    async fn correlated_request_ignores_late_reply(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let req = at.connected(ReqSocket::builder().req_relaxed(true).req_correlate(true), &endpoint).await;
        req.send("first").await.expect("sent");
        let first = router.recv().await.expect("received");
        assert_eq!((first.len(), first[1].len(), &first[2], &first[3]), (4, 4, &b""[..], &b"first"[..]));
        req.send("second").await.expect("sent");
        let second = router.recv().await.expect("received");
        assert_eq!(first[0], second[0], "on the same connection");
        assert_ne!(first[1], second[1]);
        router.send(first).await.expect("sent");
        // Over a stream the late reply is discarded before it is queued.
        let has_come = || req.stats().recv_queue > 0 || req.stats().discarded > 0;
        testing::eventually("the late reply has arrived", has_come).await;
        assert!(req.recv().at_once().is_none());
        router.send(second).await.expect("sent");
        assert_eq!(req.recv().await.expect("received"), "second");
        assert!(req.recv().await.is_err(), "answered");
    }

    async fn uncorrelated_resend_opens_new_connection(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let builder = ReqSocket::builder().req_relaxed(true).reconnect_interval(Duration::from_millis(1));
        let req = at.connected(builder, &endpoint).await;
        req.send("first").await.expect("sent");
        let first = router.recv().await.expect("received");
        req.send("second").await.expect("sent");
        let second = router.recv().await.expect("received");
        assert_ne!(first[0], second[0], "over another connection");
        assert_eq!(second[2], *b"second");
        router.send(first).await.expect("dropped");
        router.send(second).await.expect("sent");
        assert_eq!(req.recv().await.expect("received"), "second");
    }

    async fn newest_unsent_request_is_sent(at) {
        for correlate in [false, true] {
            let endpoint = at.unused_endpoint(&format!("later {correlate}"));
            let req = at.connected(ReqSocket::builder().req_relaxed(true).req_correlate(correlate), &endpoint).await;
            for n in 0..10 {
                req.send(numbered(n)).await.expect("queued");
            }
            assert_eq!((req.stats().send_queue, req.stats().dropped), (1, 9));
            let rep = at.build(RepSocket::builder());
            testing::rebind(&rep, &endpoint).await;
            let request = rep.recv().await.expect("received");
            assert_eq!(request, numbered(9));
            rep.send(request).await.expect("sent");
            assert_eq!(req.recv().await.expect("received"), numbered(9));
            assert!(rep.try_recv().is_err());
        }
    }

    async fn many_correlated_requests_get_replies(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let mut reqs = Vec::new();
        for _ in 0..5 {
            reqs.push(at.connected(ReqSocket::builder().req_correlate(true), &endpoint).await);
        }
        let ask = reqs.iter().enumerate().map(|(who, req)| async move {
            for n in 0..100 {
                let request = numbered(who * 1000 + n);
                assert_eq!(req.request(request.clone()).await.expect("answered"), request);
            }
        });
        let serve = async {
            for _ in 0..500 {
                let request = rep.recv().await.expect("received");
                rep.send(request).await.expect("sent");
            }
        };
        futures::join!(futures::future::join_all(ask), serve);
    }
}
