//! `only_first_subscribe`: the first frame decides whether a multipart message is a subscription.

use monocoque::Message;
use monocoque::zmq::{XpubSocket, XsubSocket};
use testing::{RawPeer, everywhere, frame, over_streams};

/// Multipart messages with a subscription in the first frame, and in a later one.
const LISTS: [&[&[u8]]; 3] = [&[b"\x01a", b"data", b"\0more"], &[b"\x01b", b"\0a"], &[b"data", b"\x01c"]];
/// The messages received for [`LISTS`], and the final message.
const TAKEN_APART: [&[&[u8]]; 6] =
    [&[b"\x01a"], &[b"data"], &[b"\x01b"], &[b"\0a"], &[b"data", b"\x01c"], &[b"end"]];

fn message(frames: &[&[u8]]) -> Message {
    frames.iter().copied().collect()
}

everywhere! {
    async fn xsub_splits_multipart_subscriptions(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let xsub = at.connected(XsubSocket::builder().only_first_subscribe(true), &endpoint).await;
        xsub.wait_for_peers(1).await.expect("open");
        for list in LISTS {
            xsub.send(message(list)).await.expect("sent");
        }
        xsub.send("end").await.expect("sent");
        // Subscriptions overtake messages; the subscription to "more" never existed.
        let mut received = Vec::new();
        for _ in TAKEN_APART {
            received.push(xpub.recv().await.expect("received"));
        }
        for expected in TAKEN_APART {
            assert!(received.contains(&message(expected)), "{expected:?}");
        }
        assert_eq!(xpub.subscription_count(), 1);
        xpub.send("b").await.expect("sent");
        assert_eq!(xsub.recv().await.expect("received"), "b");
    }

    async fn xpub_splits_multipart_subscriptions(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().only_first_subscribe(true)).await;
        let xsub = at.connected(XsubSocket::builder(), &endpoint).await;
        xsub.wait_for_peers(1).await.expect("open");
        for list in LISTS {
            xsub.send(message(list)).await.expect("sent");
        }
        xsub.send("end").await.expect("sent");
        for expected in TAKEN_APART {
            assert_eq!(xpub.recv().await.expect("received"), message(expected));
        }
        assert_eq!(xpub.subscription_count(), 1);
        xpub.send("b").await.expect("sent");
        assert_eq!(xsub.recv().await.expect("received"), "b");
    }

    async fn endless_subscription_sends_yield(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let xsub = at.connected(XsubSocket::builder().only_first_subscribe(true).send_hwm(0), &endpoint).await;
        xsub.wait_for_peers(1).await.expect("open");
        // On a single-threaded runtime nothing is received unless the sender yields.
        while xpub.stats().recv_queue == 0 {
            xsub.send([&b"\x01a"[..], b"data"]).await.expect("sent");
        }
        assert_eq!(xpub.recv().await.expect("received"), b"\x01a");
    }

    async fn subscription_lists_default_to_whole(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let xsub = at.connected(XsubSocket::builder(), &endpoint).await;
        xsub.wait_for_peers(1).await.expect("open");
        for list in LISTS {
            xsub.send(message(list)).await.expect("sent");
            assert_eq!(xpub.recv().await.expect("received"), message(list));
        }
        assert_eq!(xpub.subscription_count(), 0);
    }
}

over_streams! {
    async fn long_subscription_list_exceeds_hwm(at) {
        const TOPICS: u16 = 1000;
        let (xpub, endpoint) = at.bound(XpubSocket::builder().only_first_subscribe(true).recv_hwm(1)).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "XSUB");
            for n in 0..TOPICS {
                let [high, low] = n.to_be_bytes();
                wire.put(&frame(u8::from(n + 1 < TOPICS), &[1, high, low]));
            }
            wire
        })
        .await;
        for n in 0..TOPICS {
            let [high, low] = n.to_be_bytes();
            assert_eq!(xpub.recv().await.expect("received"), (&[1, high, low]));
        }
        assert_eq!(xpub.subscription_count(), usize::from(TOPICS));
        drop(wire);
    }
}
