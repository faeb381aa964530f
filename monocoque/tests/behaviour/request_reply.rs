//! Requests and replies alternate, and each reply goes to its requester.

use monocoque::MonocoqueError;
use monocoque::zmq::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
use testing::{AtOnce, RawPeer, numbered, on_every_driver, on_every_driver_over_streams};

on_every_driver! {
    async fn req_and_rep_must_alternate(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &endpoint).await;
        assert!(matches!(req.recv().await, Err(MonocoqueError::OutOfTurn(_))));
        assert!(matches!(req.try_recv(), Err(MonocoqueError::OutOfTurn(_))));
        assert!(matches!(rep.send("x").await.expect_err("no request is pending").reason(), MonocoqueError::OutOfTurn(_)));
        for n in 0..10 {
            req.send(numbered(n)).await.expect("in turn");
            let refused = req.send("too early").await.expect_err("out of turn");
            assert!(matches!(refused.reason(), MonocoqueError::OutOfTurn(_)));
            assert_eq!(refused.into_message(), "too early");
            assert_eq!(rep.recv().await.expect("in turn"), numbered(n));
            assert!(matches!(rep.recv().await, Err(MonocoqueError::OutOfTurn(_))));
            rep.send(["re".to_owned(), n.to_string()]).await.expect("in turn");
            assert!(matches!(rep.try_send("twice").expect_err("once").reason(), MonocoqueError::OutOfTurn(_)));
            assert_eq!(req.recv().await.expect("in turn"), ["re".to_owned(), n.to_string()]);
        }
    }

    async fn request_call_returns_reply(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &endpoint).await;
        let serve = async {
            for _ in 0..100 {
                let request = rep.recv().await.expect("received");
                rep.send(request).await.expect("sent");
            }
        };
        let ask = async {
            for n in 0..100 {
                assert_eq!(req.request(numbered(n)).await.expect("answered"), numbered(n));
            }
        };
        futures::join!(serve, ask);
    }

    async fn rep_keeps_request_envelope(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        dealer.send(["hop 1", "hop 2", "", "question", "", "more"]).await.expect("sent");
        assert_eq!(rep.recv().await.expect("received"), ["question", "", "more"]);
        rep.send(["answer", ""]).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), ["hop 1", "hop 2", "", "answer", ""]);
    }

    async fn rep_drops_requests_without_delimiter(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        dealer.send("no delimiter").await.expect("sent");
        dealer.send(["still", "none"]).await.expect("sent");
        dealer.send(["nothing behind it", ""]).await.expect("sent");
        dealer.send(["", "question"]).await.expect("sent");
        assert_eq!(rep.recv().await.expect("received"), "question");
        rep.send("answer").await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), ["", "answer"]);
    }

    async fn reply_reaches_its_requester(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let mut reqs = Vec::new();
        for _ in 0..5 {
            reqs.push(at.connected(ReqSocket::builder(), &endpoint).await);
        }
        let ask = reqs.iter().enumerate().map(|(who, req)| async move {
            for n in 0..50 {
                let request = numbered(who * 1000 + n);
                assert_eq!(req.request(request.clone()).await.expect("answered"), request);
            }
        });
        let serve = async {
            for _ in 0..250 {
                let request = rep.recv().await.expect("received");
                rep.send(request).await.expect("sent");
            }
        };
        futures::join!(futures::future::join_all(ask), serve);
    }

    async fn concurrent_rep_receivers_keep_envelopes(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let first = at.connected(ReqSocket::builder(), &endpoint).await;
        let second = at.connected(ReqSocket::builder(), &endpoint).await;
        rep.wait_for_peers(2).await.expect("open");
        let clone = rep.clone();
        let mut one = Box::pin(rep.recv());
        let mut two = Box::pin(clone.recv());
        assert!(one.as_mut().at_once().is_none() && two.as_mut().at_once().is_none());
        first.send("first").await.expect("sent");
        second.send("second").await.expect("sent");
        let (request, other) = match futures::future::select(one, two).await {
            futures::future::Either::Left((request, other)) => (request, other),
            futures::future::Either::Right((request, other)) => (request, other),
        };
        let request = request.expect("received");
        // The other receiver waits for the reply to this request, or fails as out of turn.
        let mut other = other;
        for _ in 0..1000 {
            match other.as_mut().at_once() {
                None => testing::yield_now().await,
                Some(Err(MonocoqueError::OutOfTurn(_))) => break,
                Some(other) => panic!("two requests at the same time: {request:?} and {other:?}"),
            }
        }
        let asked = if request == "first" { &first } else { &second };
        rep.send(request.clone()).await.expect("in turn");
        assert_eq!(asked.recv().await.expect("the peer's own message"), request);
    }

    async fn cancelled_recv_keeps_reply(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &endpoint).await;
        let serve = async {
            loop {
                let request = rep.recv().await.expect("received");
                rep.send(request).await.expect("sent");
            }
        };
        let ask = async {
            for n in 0..2_000 {
                req.send(numbered(n)).await.expect("in turn");
                assert!(req.recv().at_once().is_none_or(|reply| reply.is_ok_and(|reply| reply == numbered(n))));
                match req.recv().await {
                    Ok(reply) => assert_eq!(reply, numbered(n)),
                    Err(MonocoqueError::OutOfTurn(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        futures::future::select(std::pin::pin!(serve), std::pin::pin!(ask)).await;
    }
    async fn threaded_rep_clones_keep_envelopes(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let serving: Vec<_> = (0..3)
            .map(|_| {
                let rep = rep.clone();
                testing::on_blocking_thread(move || {
                    loop {
                        match futures::executor::block_on(rep.recv()) {
                            Ok(request) => {
                                // Between the two calls no other thread may receive, so none may
                                // send.
                                futures::executor::block_on(rep.send(request)).expect("in turn");
                            }
                            Err(MonocoqueError::OutOfTurn(_)) => std::thread::yield_now(),
                            Err(_) => return,
                        }
                    }
                })
            })
            .collect();
        let mut reqs = Vec::new();
        for _ in 0..4 {
            reqs.push(at.connected(ReqSocket::builder(), &endpoint).await);
        }
        let ask = reqs.iter().enumerate().map(|(who, req)| async move {
            for n in 0..300 {
                let request = numbered(who * 1000 + n);
                assert_eq!(req.request(request.clone()).await.expect("answered"), request);
            }
        });
        futures::future::join_all(ask).await;
        rep.close().await;
        futures::future::join_all(serving).await;
    }
}

on_every_driver_over_streams! {
    async fn foreign_reply_is_discarded(at) {
        let (req, endpoint) = at.bound(ReqSocket::builder()).await;
        let asked = at.connected(RouterSocket::builder(), &endpoint).await;
        req.wait_for_peers(1).await.expect("open");
        req.send("question").await.expect("sent");
        let request = asked.recv().await.expect("received");
        let other = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "REP");
            wire.put(&[testing::frame(1, b""), testing::frame(0, b"from a stranger")].concat());
            wire.put(&testing::command("PING", b"\0\0"));
            assert_eq!(wire.frame().1, b"\x04PONG", "all frames have been read");
            wire
        })
        .await;
        let id = request.get(0).expect("an id").to_vec();
        asked.send([id.clone(), Vec::new(), b"answer".to_vec()]).await.expect("sent");
        asked.send([id, Vec::new(), b"late".to_vec()]).await.expect("sent");
        assert_eq!(req.recv().await.expect("received"), "answer");
        testing::eventually("the stranger's and the late reply have arrived", || {
            let stats = req.stats();
            stats.discarded + stats.recv_queue as u64 == 2
        })
        .await;
        req.send("again").await.expect("in turn");
        assert!(req.recv().at_once().is_none(), "neither the stranger's nor the late reply is accepted");
        drop(other);
    }

    async fn malformed_reply_envelope_disconnects(at) {
        let no_delimiter = [testing::frame(1, b"no"), testing::frame(0, b"delimiter")].concat();
        for reply in [testing::frame(0, b""), testing::frame(0, b"bare"), no_delimiter] {
            let (req, endpoint) = at.bound(ReqSocket::builder()).await;
            let mut wire = testing::on_blocking_thread(move || RawPeer::established(&endpoint, "REP")).await;
            req.send("question").await.expect("sent");
            let rest = testing::on_blocking_thread(move || {
                assert_eq!((wire.frame(), wire.frame()), ((1, vec![]), (0, b"question".to_vec())));
                wire.put(&reply);
                wire.end()
            });
            assert_eq!(rest.await, b"");
            let received = req.try_recv();
            assert!(matches!(received, Err(MonocoqueError::WouldBlock)), "{received:?}");
        }
    }
}
