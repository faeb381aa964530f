//! Subscribers that stop reading delay neither the publisher nor the other subscribers.

use std::time::Duration;

use monocoque::zmq::{PubSocket, SubSocket};
use testing::{RawPeer, over_streams};

const MESSAGES: usize = 5_000;

over_streams! {
    async fn stopped_subscriber_leaves_others_complete(at) {
        let publisher = at.build(PubSocket::builder().send_hwm(100).linger(Some(Duration::ZERO)));
        let endpoint = publisher.bind(at.wildcard_endpoint()).await.expect("bound");
        let there = endpoint.clone();
        let mut stopped = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "SUB");
            wire.put(&testing::command("SUBSCRIBE", b""));
            wire
        })
        .await;
        let good = at.connected(SubSocket::builder(), &endpoint).await;
        good.subscribe("").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        let body = vec![0; 4_000];
        for n in 0..MESSAGES {
            // This send never waits; it yields at most.
            publisher.send([n.to_string().into_bytes(), body.clone()]).await.expect("sent");
            if n % 50 == 49 {
                for n in n - 49..=n {
                    assert_eq!(&good.recv().await.expect("received")[0], n.to_string().as_bytes());
                }
            }
        }
        // Once it continues, the stopped subscriber receives complete messages in order, with gaps.
        publisher.close().await;
        testing::on_blocking_thread(move || {
            let mut last = None;
            let mut rest = stopped.end();
            let mut count = 0;
            while rest.len() > 1 + usize::from(rest[1]) + 2 + 9 + 4_000 {
                let len = usize::from(rest[1]);
                assert_eq!(rest[0], 1);
                let n: usize = std::str::from_utf8(&rest[2..2 + len]).expect("text").parse().expect("a number");
                assert!(last.is_none_or(|last| last < n), "{n} after {last:?}");
                assert_eq!(rest[2 + len], 2);
                last = Some(n);
                count += 1;
                rest.drain(..2 + len + 9 + 4_000);
            }
            assert!(count > 0 && count < MESSAGES, "{count} messages arrived");
        })
        .await;
    }
}
