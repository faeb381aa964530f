//! Messages queued when a connection is lost: sent on the next one complete, in order and once.

use std::time::Duration;

use monocoque::Message;
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket};
use testing::{RawPeer, RawPeerListener, numbered, on_every_driver, on_every_driver_over_streams, rebind};

fn large(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 50_000]])
}

on_every_driver! {
    async fn rebound_pull_receives_queued_messages(at) {
        let endpoint = at.unused_endpoint("rebound");
        let pull = at.build(PullSocket::builder());
        rebind(&pull, &endpoint).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.send("first").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "first");
        pull.close().await;
        testing::eventually("the lost connection is detected", || push.peer_count() == 0).await;
        for n in 0..500 {
            push.send(numbered(n)).await.expect("queued");
        }
        let pull = at.build(PullSocket::builder());
        rebind(&pull, &endpoint).await;
        for n in 0..500 {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    }
}

on_every_driver_over_streams! {
    async fn connecting_push_resends_after_cuts(at) {
        const MESSAGES: usize = 1000;
        let (listener, endpoint) = RawPeerListener::bind(&at, "cut");
        let push = at.build(PushSocket::builder().send_hwm(0).reconnect_interval(Duration::from_millis(1)));
        push.connect(endpoint).await.expect("connected");
        for n in 0..MESSAGES {
            push.send(large(n)).await.expect("sent");
        }
        let received = testing::on_blocking_thread(move || {
            let mut numbers = Vec::new();
            for cut in [1, 0, 5, 2, 1000] {
                let mut wire = listener.accept();
                wire.shake_hands("PULL", b"");
                for _ in 0..cut {
                    let (flags, number) = wire.frame();
                    assert_eq!(flags, 1, "a connection begins with a whole message");
                    let n: usize = std::str::from_utf8(&number).expect("text").parse().expect("a number");
                    assert_eq!(wire.frame(), (2, vec![n as u8; 50_000]));
                    numbers.push(n);
                    if n == MESSAGES - 1 {
                        return numbers;
                    }
                }
                // Ends the connection in the middle of the next message.
                wire.take(3);
                wire.close();
            }
            unreachable!("the last connection is not cut")
        })
        .await;
        assert!(received.windows(2).all(|pair| pair[0] < pair[1]), "out of order or twice: {received:?}");
        // Data that the kernel had accepted is lost, at most as much as its buffers hold.
        assert!(received.len() > MESSAGES / 4, "{} of {MESSAGES}", received.len());
        push.close().await;
    }

    async fn lost_peer_messages_move_on(at) {
        let (push, endpoint) = at.bound(PushSocket::builder().send_hwm(0)).await;
        let there = endpoint.clone();
        let stopped = testing::on_blocking_thread(move || RawPeer::established(&there, "PULL")).await;
        push.wait_for_peers(1).await.expect("open");
        for n in 0..400 {
            push.send(large(n)).await.expect("sent");
        }
        let pull = at.connected(PullSocket::builder(), &endpoint).await;
        push.wait_for_peers(2).await.expect("open");
        stopped.close();
        testing::eventually("the lost connection is detected", || push.peer_count() == 1).await;
        push.send(large(400)).await.expect("sent");
        let mut last = None;
        loop {
            let message = pull.recv().await.expect("received");
            let n: usize = std::str::from_utf8(&message[0]).expect("text").parse().expect("a number");
            assert_eq!(message, large(n), "whole");
            assert!(last.is_none_or(|last| last < n), "{n} after {last:?}");
            if last.is_none() {
                assert!(n < 300, "a message that the kernel had not accepted is missing");
            }
            last = Some(n);
            if n == 400 {
                break;
            }
        }
    }

    async fn departed_peer_messages_are_received(at) {
        let (dealer, endpoint) = at.bound(DealerSocket::builder()).await;
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "DEALER");
            for n in 0..100 {
                wire.put(&testing::frame(0, n.to_string().as_bytes()));
            }
            wire.put(b"\x01\x01x\x00\x05par");
        })
        .await;
        for n in 0..100 {
            assert_eq!(dealer.recv().await.expect("received"), numbered(n));
        }
        testing::eventually("the lost connection is detected", || dealer.peer_count() == 0).await;
        assert!(dealer.try_recv().is_err(), "a partial message was received");
    }

    async fn router_messages_await_same_peer(at) {
        for hand_shaken in ["same", "other"] {
            let (listener, endpoint) = RawPeerListener::bind(&at, hand_shaken);
            let router = at.build(RouterSocket::builder().send_hwm(0).reconnect_interval(Duration::from_millis(1)));
            router.connect(endpoint).await.expect("connected");
            let (listener, wire) = testing::on_blocking_thread(move || {
                let mut wire = listener.accept();
                wire.shake_hands("DEALER", b"same");
                (listener, wire)
            })
            .await;
            router.wait_for_peers(1).await.expect("open");
            for n in 0..400 {
                let mut message = large(n);
                message.push_front("same");
                router.send(message).await.expect("sent");
            }
            wire.close();
            testing::eventually("the lost connection is detected", || router.peer_count() == 0).await;
            let left = router.stats().send_queue;
            assert!(left > 100 && router.stats().dropped == 0, "{left}");
            let numbers = testing::on_blocking_thread(move || {
                let mut wire = listener.accept();
                wire.shake_hands("DEALER", hand_shaken.as_bytes());
                let mut numbers = Vec::new();
                while hand_shaken == "same" && numbers.last() != Some(&399) {
                    let (flags, number) = wire.frame();
                    assert_eq!(flags, 1, "a connection begins with a whole message");
                    let n: usize = std::str::from_utf8(&number).expect("text").parse().expect("a number");
                    assert_eq!(wire.frame(), (2, vec![n as u8; 50_000]));
                    numbers.push(n);
                }
                numbers
            })
            .await;
            if hand_shaken == "same" {
                assert_eq!(numbers, (400 - left..400).collect::<Vec<_>>());
            } else {
                testing::eventually("the drops are counted", || router.stats().dropped == left as u64).await;
            }
        }
    }

    async fn close_resends_to_reconnected_subscriber(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "subscriber");
        let publisher = at.build(PubSocket::builder().send_hwm(0).reconnect_interval(Duration::from_millis(1)));
        publisher.connect(endpoint).await.expect("connected");
        let (listener, wire) = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("SUB", b"");
            wire.put(&testing::command("SUBSCRIBE", b""));
            (listener, wire)
        })
        .await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        for n in 0..400 {
            publisher.send(large(n)).await.expect("sent");
        }
        wire.close();
        let take = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("SUB", b"");
            let mut last = None;
            loop {
                let (_, number) = wire.frame();
                let n: usize = std::str::from_utf8(&number).expect("text").parse().expect("a number");
                assert_eq!(wire.frame(), (2, vec![n as u8; 50_000]));
                assert!(last.is_none_or(|last| last + 1 == n), "{n} after {last:?}");
                last = Some(n);
                if n == 399 {
                    return wire;
                }
            }
        });
        let (_wire, ()) = futures::join!(take, publisher.close());
        assert_eq!(publisher.stats().dropped, 0);
    }
}
