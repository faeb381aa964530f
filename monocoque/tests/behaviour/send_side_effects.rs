//! Side effects of `send`: none while it waits, or when it fails or is cancelled; and no memory of
//! the program is kept after delivery.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use monocoque::zmq::{PubSocket, PushSocket, RepSocket, ReqSocket, SubSocket, XpubSocket};
use monocoque::{Frame, Message, MonocoqueError};
use testing::{RawPeer, RawPeerListener, everywhere, over_streams};

/// A way to send that fails.
#[derive(Clone, Copy, Debug)]
enum Failing {
    Try,
    Timeout,
    Dropped,
}

const FAILING: [Failing; 3] = [Failing::Try, Failing::Timeout, Failing::Dropped];

async fn fail_send(request: &ReqSocket, how: Failing) {
    match how {
        Failing::Try => {
            let error = request.try_send("another").expect_err("full");
            assert!(matches!(error.reason(), MonocoqueError::WouldBlock));
        }
        Failing::Timeout => {
            request.send("another").await.expect_err("full");
        }
        Failing::Dropped => {
            let mut sending = std::pin::pin!(request.send("another"));
            assert!(futures::poll!(&mut sending).is_pending());
        }
    }
}

everywhere! {
    async fn failed_relaxed_send_keeps_reply(at) {
        for how in FAILING {
            for correlate in [true, false] {
                let options = ReqSocket::builder()
                    .req_relaxed(true)
                    .req_correlate(correlate)
                    .send_timeout(Some(Duration::from_millis(20)));
                let (request, endpoint) = at.bound(options).await;
                let reply = at.connected(RepSocket::builder(), &endpoint).await;
                request.send("question").await.expect("queued");
                let question = reply.recv().await.expect("received");
                reply.send(question).await.expect("queued");
                testing::eventually("the reply has arrived", || request.stats().recv_queue == 1).await;
                if correlate {
                    // With a connected peer the send would succeed.
                    reply.close().await;
                    testing::eventually("the peer has disconnected", || request.peer_count() == 0).await;
                }
                fail_send(&request, how).await;
                let peers = request.peer_count();
                assert_eq!(peers, usize::from(!correlate), "the connection is kept");
                assert_eq!(request.recv().await.expect("received"), "question", "{how:?}");
            }
        }
    }

    async fn relaxed_send_abandons_earlier_request(at) {
        let (reply, endpoint) = at.bound(RepSocket::builder()).await;
        let options = ReqSocket::builder().req_relaxed(true).reconnect_interval(Duration::from_millis(1));
        let request = at.connected(options, &endpoint).await;
        request.send("first").await.expect("queued");
        assert_eq!(reply.recv().await.expect("received"), "first");
        request.send("second").await.expect("queued");
        reply.send("late").await.expect("dropped or not");
        assert_eq!(reply.recv().await.expect("received"), "second");
        reply.send("answer").await.expect("queued");
        assert_eq!(request.recv().await.expect("received"), "answer");
    }

    async fn published_body_freed_after_delivery(at) {
        for size in [100, 4_096, 100_000] {
            let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
            let mut subscribers = Vec::new();
            for _ in 0..3 {
                let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
                subscriber.subscribe("").expect("open");
                subscribers.push(subscriber);
            }
            publisher.wait_for_subscriptions(3).await.expect("open");
            let owner = Arc::new(vec![7; size]);
            publisher.send(Message::from(owned(&owner))).await.expect("sent");
            for subscriber in &subscribers {
                assert_eq!(subscriber.recv().await.expect("received").byte_len(), size);
            }
            testing::eventually("the body is released", || Arc::strong_count(&owner) == 1).await;
        }
    }
}

/// A frame that borrows the owner's memory.
fn owned(owner: &Arc<Vec<u8>>) -> Frame {
    struct Owner(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Frame::from(Bytes::from_owner(Owner(owner.clone())))
}

over_streams! {
    async fn waiting_last_value_keeps_target(at) {
        let options =
            XpubSocket::builder().xpub_manual(true).xpub_manual_last_value(true).nodrop(true).send_hwm(1);
        let (publisher, endpoint) = at.bound(options).await;
        let there = endpoint.clone();
        let lazy = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "SUB");
            wire.put(&testing::command("SUBSCRIBE", b""));
            wire
        })
        .await;
        assert_eq!(publisher.recv().await.expect("received"), "\x01");
        publisher.subscribe("").expect("open");
        publisher.try_send(vec![1; 8 << 20]).expect("sent to the first subscriber");
        // The write pump has taken the message and cannot write it.
        testing::eventually("the write pump has taken it", || publisher.try_send("fills").is_ok()).await;
        let mut waiting = std::pin::pin!(publisher.send("for the first"));
        assert!(futures::poll!(&mut waiting).is_pending());

        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        subscriber.subscribe("").expect("open");
        assert_eq!(publisher.recv().await.expect("received"), "\x01");
        publisher.subscribe("").expect("open");
        assert!(futures::poll!(&mut waiting).is_pending(), "for the first subscriber, which is full");
        publisher.send("last value").await.expect("for the second subscriber only");
        assert_eq!(subscriber.recv().await.expect("received"), "last value");
        drop(lazy);
    }

    async fn conflate_replaces_queued_large_message(at) {
        const LARGE: usize = 40 << 20;
        let (listener, endpoint) = RawPeerListener::bind(&at, "conflate");
        let push = at.connected(PushSocket::builder().conflate(true), &endpoint).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            // The first message is being written.
            wire.take(9);
            wire
        });
        push.send(vec![1; LARGE]).await.expect("queued");
        let mut wire = wire.await;
        for byte in [2, 3, 4] {
            push.try_send(vec![byte; LARGE]).expect("never full");
        }
        assert_eq!(push.stats().dropped, 2);
        let last = testing::on_blocking_thread(move || {
            std::io::copy(&mut std::io::Read::take(&mut wire, LARGE as u64), &mut std::io::sink()).expect("read");
            wire.frame().1
        });
        assert_eq!(last.await, vec![4; LARGE]);
    }

    async fn conflate_replaces_queued_large_publication(at) {
        const LARGE: usize = 40 << 20;
        for peers in [1, 2] {
            let (publisher, endpoint) = at.bound(PubSocket::builder().conflate(true)).await;
            let met = testing::on_blocking_thread(move || {
                let meet = || {
                    let mut wire = RawPeer::established(&endpoint, "SUB");
                    wire.put(&testing::command("SUBSCRIBE", b""));
                    wire
                };
                (0..peers).map(|_| meet()).collect::<Vec<_>>()
            });
            let wires = met.await;
            publisher.wait_for_subscriptions(peers).await.expect("open");
            publisher.send(vec![1; LARGE]).await.expect("sent");
            let begun = testing::on_blocking_thread(move || {
                let mut wires = wires;
                wires.iter_mut().for_each(|wire| drop(wire.take(9)));
                wires
            });
            let wires = begun.await;
            publisher.send(vec![2; LARGE]).await.expect("sent");
            publisher.send(vec![3; LARGE]).await.expect("sent");
            let last = testing::on_blocking_thread(move || {
                let read = |mut wire: RawPeer| {
                    let mut first = std::io::Read::take(&mut wire, LARGE as u64);
                    std::io::copy(&mut first, &mut std::io::sink()).expect("read");
                    wire.frame().1[0]
                };
                wires.into_iter().map(read).collect::<Vec<_>>()
            });
            assert_eq!(last.await, vec![3; peers]);
        }
    }
}
