//! Closing a socket: queued messages are delivered, or aborted after the linger, and no call waits
//! forever.

use std::time::{Duration, Instant};

use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};
use monocoque::{Message, MonocoqueError};
use testing::{RawPeer, RawPeerListener, fill, numbered, on_every_driver, on_every_driver_over_streams};

on_every_driver! {
    async fn close_delivers_one_message(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        for n in 0..20 {
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            push.send(numbered(n)).await.expect("sent");
            push.close().await;
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    }

    async fn close_delivers_ten_thousand_messages(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        for n in 0..10_000 {
            push.send(numbered(n)).await.expect("sent");
        }
        futures::join!(push.close(), async {
            for n in 0..10_000 {
                assert_eq!(pull.recv().await.expect("received"), numbered(n));
            }
        });
        assert!(pull.try_recv().is_err());
    }

    async fn close_waits_for_late_peer(at) {
        let endpoint = at.unused_endpoint("late");
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        for n in 0..10_000 {
            push.send(numbered(n)).await.expect("sent");
        }
        let mut closing = Box::pin(push.close());
        assert!(testing::at_once(closing.as_mut()).is_none());
        let pull = at.build(PullSocket::builder());
        pull.bind(endpoint).await.expect("bound");
        futures::join!(closing, async {
            for n in 0..10_000 {
                assert_eq!(pull.recv().await.expect("received"), numbered(n));
            }
        });
    }

    async fn close_within_counts_unsent_messages(at) {
        let push = at.connected(PushSocket::builder(), &at.unused_endpoint("nobody")).await;
        for n in 0..5 {
            push.send(numbered(n)).await.expect("queued");
        }
        let start = Instant::now();
        assert_eq!(push.close_within(Duration::from_millis(10)).await, 5);
        assert!(start.elapsed() < testing::DEADLINE / 3, "not the linger of 30 s");
        assert_eq!(push.stats().dropped, 5);
        assert_eq!(push.close_within(Duration::ZERO).await, 5, "a later call");
    }

    async fn close_within_sends_queued_messages(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder().send_hwm(0).linger(Some(Duration::ZERO)), &endpoint).await;
        for n in 0..1000 {
            push.send(numbered(n)).await.expect("sent");
        }
        let (unsent, ()) = futures::join!(push.close_within(Duration::MAX), async {
            for n in 0..1000 {
                assert_eq!(pull.recv().await.expect("received"), numbered(n));
            }
        });
        assert_eq!(unsent, 0);
    }

    async fn close_within_shortens_running_close(at) {
        let push = at.connected(PushSocket::builder().linger(None), &at.unused_endpoint("nobody")).await;
        push.send("lost").await.expect("queued");
        let mut closing = Box::pin(push.close());
        assert!(testing::at_once(closing.as_mut()).is_none());
        let (unsent, ()) = futures::join!(push.close_within(Duration::ZERO), closing);
        assert_eq!(unsent, 1);
    }

    async fn set_linger_changes_open_socket(at) {
        let push = at.connected(PushSocket::builder().linger(None), &at.unused_endpoint("nobody")).await;
        push.send("lost").await.expect("queued");
        push.set_linger(Duration::ZERO);
        push.close().await;
        assert_eq!(push.stats().dropped, 1);

        let endpoint = at.unused_endpoint("late");
        let push = at.connected(PushSocket::builder().linger(Some(Duration::ZERO)), &endpoint).await;
        push.send("kept").await.expect("queued");
        push.set_linger(None);
        let mut closing = Box::pin(push.close());
        assert!(testing::at_once(closing.as_mut()).is_none());
        let pull = at.build(PullSocket::builder());
        pull.bind(endpoint).await.expect("bound");
        let ((), received) = futures::join!(closing, pull.recv());
        assert_eq!(received.expect("received"), "kept");
    }

    async fn last_handle_drop_delivers_messages(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        let clone = push.clone();
        drop(push);
        for n in 0..1000 {
            clone.send(numbered(n)).await.expect("still open");
        }
        drop(clone);
        for n in 0..1000 {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    }

    async fn expired_linger_ends_close(at) {
        let push = at.build(PushSocket::builder().linger(Some(Duration::from_millis(50))));
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        push.send("lost").await.expect("queued");
        let start = Instant::now();
        push.close().await;
        assert!(start.elapsed() >= Duration::from_millis(50), "close did not linger");
    }

    async fn close_fails_all_waiting_calls(at) {
        let dealer = at.build(DealerSocket::builder().send_hwm(1).linger(Some(Duration::ZERO)));
        dealer.connect(at.unused_endpoint("nobody")).await.expect("connected");
        dealer.send("queued").await.expect("queued");
        let waiting = (0..50).map(|n| {
            let dealer = dealer.clone();
            async move {
                if n % 2 == 0 {
                    let error = dealer.send(numbered(n)).await.expect_err("closed");
                    assert!(error.reason().is_closed());
                    assert_eq!(error.into_message(), numbered(n));
                } else {
                    assert!(matches!(dealer.recv().await, Err(MonocoqueError::Closed)));
                }
            }
        });
        let peers = dealer.clone();
        let watching = async {
            assert!(matches!(peers.wait_for_peers(1).await, Err(MonocoqueError::Closed)));
        };
        let closing = async {
            testing::yield_now().await;
            dealer.close().await;
        };
        futures::join!(futures::future::join_all(waiting), watching, closing);
        assert!(matches!(dealer.recv().await, Err(MonocoqueError::Closed)));
        assert!(matches!(dealer.try_recv(), Err(MonocoqueError::Closed)));
        assert!(dealer.try_send("x").expect_err("closed").reason().is_closed());
        assert!(matches!(dealer.connect("tcp://127.0.0.1:1").await, Err(MonocoqueError::Closed)));
        assert!(matches!(dealer.bind("tcp://127.0.0.1:0").await, Err(MonocoqueError::Closed)));
        dealer.close().await;
    }
}

on_every_driver_over_streams! {
    async fn closing_socket_reconnects_lost_connection(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "lost");
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        for n in 0..100 {
            push.send(Message::from([n.to_string().into_bytes(), vec![0; 100_000]])).await.expect("sent");
        }
        let received = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            wire.frame();
            drop(wire);
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            let mut numbers = Vec::new();
            while numbers.last() != Some(&99) {
                let number = wire.frame().1;
                wire.frame();
                numbers.push(std::str::from_utf8(&number).expect("text").parse().expect("a number"));
            }
            numbers
        });
        let (numbers, ()): (Vec<usize>, ()) = futures::join!(received, push.close());
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    }

    async fn zero_linger_closes_immediately(at) {
        let soon = || PushSocket::builder().linger(Some(Duration::ZERO));
        let (without_peer, _endpoint) = at.bound(soon()).await;
        let dialling = at.connected(soon(), &at.unused_endpoint("nobody")).await;
        dialling.send("lost").await.expect("queued");
        let (listener, endpoint) = RawPeerListener::bind(&at, "silent");
        let silent = at.connected(soon(), &endpoint).await;
        silent.send("lost").await.expect("queued");
        let (listener, wire) = testing::on_blocking_thread(move || {
            let wire = listener.accept();
            (listener, wire)
        })
        .await;
        let (full_listener, full_at) = RawPeerListener::bind(&at, "full");
        let full = at.connected(soon(), &full_at).await;
        let stopped = testing::on_blocking_thread(move || {
            let mut wire = full_listener.accept();
            wire.shake_hands("PULL", b"");
            wire
        })
        .await;
        full.wait_for_peers(1).await.expect("open");
        fill(&full, |_| vec![0; 200_000].into()).await;
        let start = Instant::now();
        futures::join!(without_peer.close(), dialling.close(), silent.close(), full.close());
        assert!(start.elapsed() < Duration::from_secs(5), "close took {:?}", start.elapsed());
        drop((listener, wire, stopped));
    }

    async fn close_ends_peer_stream(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let there = endpoint.clone();
        let wire = testing::on_blocking_thread(move || RawPeer::established(&there, "DEALER")).await;
        router.wait_for_peers(1).await.expect("open");
        let gone = testing::on_blocking_thread(move || {
            let mut wire = wire;
            wire.end()
        });
        let (rest, ()) = futures::join!(gone, router.close());
        assert_eq!(rest, b"");
    }
}
