//! Sockets that keep only the last message (`conflate`), and sockets that queue only for connected
//! peers (`immediate`).

use monocoque::zmq::{PubSocket, PullSocket, PushSocket, SubSocket};
use testing::{AtOnce, everywhere, numbered};

everywhere! {
    async fn conflated_pull_receives_newest_message(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().conflate(true)).await;
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        for round in 0..5 {
            for n in 0..2000 {
                push.send(numbered(round * 2000 + n)).await.expect("sent");
            }
            let last = numbered(round * 2000 + 1999);
            let mut previous = None;
            loop {
                let message = pull.recv().await.expect("received");
                let n: usize = std::str::from_utf8(&message[0]).expect("text").parse().expect("a number");
                assert!(previous.is_none_or(|previous| previous < n), "{n} after {previous:?}");
                previous = Some(n);
                assert!(pull.stats().recv_queue <= 1);
                if message == last {
                    break;
                }
            }
            assert!(pull.recv().at_once().is_none());
        }
        testing::eventually("all messages are counted", || {
            let stats = pull.stats();
            stats.received + stats.discarded == 10_000
        })
        .await;
    }

    async fn conflated_push_keeps_newest_message(at) {
        let endpoint = at.unused_endpoint("late");
        let push = at.connected(PushSocket::builder().conflate(true), &endpoint).await;
        for n in 0..2000 {
            push.send(numbered(n)).await.expect("never blocks");
        }
        assert_eq!((push.stats().send_queue, push.stats().dropped), (1, 1999));
        let pull = at.build(PullSocket::builder());
        testing::rebind(&pull, &endpoint).await;
        assert_eq!(pull.recv().await.expect("received"), numbered(1999));
        assert!(pull.recv().at_once().is_none());
    }

    async fn conflated_subs_receive_last_value(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().conflate(true)).await;
        let mut subs = Vec::new();
        for _ in 0..3 {
            let sub = at.connected(SubSocket::builder().conflate(true), &endpoint).await;
            sub.subscribe("").expect("open");
            subs.push(sub);
        }
        publisher.wait_for_subscriptions(3).await.expect("open");
        for n in 0..1000 {
            publisher.send(numbered(n)).await.expect("sent");
        }
        for sub in &subs {
            while sub.recv().await.expect("received") != numbered(999) {}
        }
    }

    async fn immediate_push_queues_nothing(at) {
        let endpoint = at.unused_endpoint("nobody");
        let push = at.connected(PushSocket::builder().immediate(true), &endpoint).await;
        assert!(push.try_send("x").expect_err("no peer").reason().is_would_block());
        let mut blocked = Box::pin(push.send("waits"));
        assert!(blocked.as_mut().at_once().is_none());
        assert_eq!(push.stats().send_queue, 0);
        let pull = at.build(PullSocket::builder());
        testing::rebind(&pull, &endpoint).await;
        blocked.await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "waits");
    }
}
