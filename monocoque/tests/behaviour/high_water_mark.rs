//! High-water marks: a full queue rejects and returns the message, and the writer continues when
//! the reader does.

use std::io::Write;
use std::time::Duration;

use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use monocoque::{Message, MonocoqueError};
use testing::{AtOnce, RawPeer, fill, numbered, on_every_driver, on_every_driver_over_streams};

/// A message large enough to fill the kernel buffers soon.
fn large(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 100_000]])
}

on_every_driver! {
    async fn send_hwm_limits_pending_messages(at) {
        for hwm in [1, 2, 1000] {
            let endpoint = at.unused_endpoint(&hwm.to_string());
            let push = at.connected(PushSocket::builder().send_hwm(hwm), &endpoint).await;
            for n in 0..hwm {
                push.try_send(numbered(n)).expect("room");
            }
            let refused = push.try_send(numbered(hwm)).expect_err("full");
            assert!(refused.reason().is_would_block());
            assert_eq!(refused.into_message(), numbered(hwm));
            let mut blocked = Box::pin(push.send(numbered(hwm)));
            assert!(blocked.as_mut().at_once().is_none());

            let pull = at.build(PullSocket::builder());
            pull.bind(endpoint).await.expect("bound");
            let (sent, ()) = futures::join!(blocked, async {
                for n in 0..=hwm {
                    assert_eq!(pull.recv().await.expect("received"), numbered(n));
                }
            });
            sent.expect("no longer full");
            push.close().await;
        }
    }

    async fn recv_wakes_blocked_sender(at) {
        for (send_hwm, recv_hwm) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(recv_hwm)).await;
            let push = at.connected(PushSocket::builder().send_hwm(send_hwm), &endpoint).await;
            push.wait_for_peers(1).await.expect("open");
            let filled = fill(&push, large).await;
            let total = filled + 20;
            let writer = async {
                for n in filled..total {
                    push.send(large(n)).await.expect("sent");
                }
            };
            let reader = async {
                for n in 0..total {
                    assert_eq!(pull.recv().await.expect("received"), large(n), "in order, whole and once");
                }
            };
            futures::join!(writer, reader);
            assert!(pull.try_recv().expect_err("no more").is_would_block());
        }
    }

    async fn waiting_senders_are_served_fifo(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let filled = fill(&push, large).await;
        let mut writers: Vec<_> = (filled..filled + 20).map(|n| Box::pin(push.send(large(n)))).collect();
        for writer in &mut writers {
            assert!(writer.as_mut().at_once().is_none(), "full");
        }
        // Cancels one writer in the middle of the queue, and one at its head.
        drop(writers.remove(10));
        drop(writers.remove(0));
        let expected = (0..filled + 20).filter(|&n| n != filled && n != filled + 10);
        futures::join!(futures::future::join_all(writers), async {
            for n in expected {
                assert_eq!(pull.recv().await.expect("received"), large(n));
            }
        });
        assert!(pull.try_recv().is_err());
    }

    async fn close_fails_blocked_send(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at
            .connected(PushSocket::builder().send_hwm(1).linger(Some(Duration::ZERO)), &endpoint)
            .await;
        push.wait_for_peers(1).await.expect("open");
        let filled = fill(&push, large).await;
        let blocked = push.send(large(filled));
        let (refused, ()) = futures::join!(blocked, push.close());
        let refused = refused.expect_err("closed");
        assert!(refused.reason().is_closed());
        assert_eq!(refused.into_message(), large(filled));
        let mut received = 0;
        testing::eventually("the peer has disconnected", || {
            while let Ok(message) = pull.try_recv() {
                assert_eq!(message, large(received), "received messages are complete");
                received += 1;
            }
            pull.peer_count() == 0
        })
        .await;
        assert!((1..=filled).contains(&received), "{received} of {filled}");
        pull.close().await;
    }

    async fn full_reader_closes_cleanly(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(2)).await;
        let push = at
            .connected(PushSocket::builder().send_hwm(2).linger(Some(Duration::ZERO)), &endpoint)
            .await;
        push.wait_for_peers(1).await.expect("open");
        fill(&push, large).await;
        pull.close().await;
        assert!(matches!(pull.recv().await, Err(MonocoqueError::Closed)));
        push.close().await;
    }

    async fn mutual_dealer_flood_completes(at) {
        const EACH: usize = 300;
        let (one, endpoint) = at.bound(DealerSocket::builder().send_hwm(2).recv_hwm(2)).await;
        let other = at.connected(DealerSocket::builder().send_hwm(2).recv_hwm(2), &endpoint).await;
        let flood = async |socket: &DealerSocket| {
            for n in 0..EACH {
                socket.send(large(n)).await.expect("sent");
            }
        };
        let drain = async |socket: &DealerSocket| {
            for n in 0..EACH {
                assert_eq!(socket.recv().await.expect("received"), large(n));
            }
        };
        futures::join!(flood(&one), flood(&other), drain(&one), drain(&other));
    }
}

on_every_driver_over_streams! {
    async fn stalled_reader_applies_backpressure(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let (written, wire) = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            wire.write_timeout(Duration::from_millis(200));
            let message = testing::frame(0, &[7; 50_000]);
            let mut written = 0;
            while written < 200 << 20 {
                match wire.write(&message[written % message.len()..]) {
                    Ok(n) => written += n,
                    Err(_) => break,
                }
            }
            (written, wire)
        })
        .await;
        assert!(written < 100 << 20, "{written} bytes were read although the receiver does not receive");
        let whole = written / 50_009;
        for _ in 0..whole {
            assert_eq!(pull.recv().await.expect("received").byte_len(), 50_000);
        }
        drop(wire);
        testing::eventually("the peer has disconnected", || pull.peer_count() == 0).await;
        assert!(pull.try_recv().is_err(), "a partial message was received");
    }

    async fn hwm_changes_while_open(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let first = fill(&push, large).await;
        assert_eq!((pull.stats().recv_queue, push.stats().send_queue), (1, 1));
        let mut blocked = Box::pin(push.send(large(first)));
        assert!(blocked.as_mut().at_once().is_none());
        push.set_send_hwm(10);
        blocked.await.expect("no longer full");
        let second = first + 1 + fill(&push, |n| large(first + 1 + n)).await;
        assert_eq!(push.stats().send_queue, 10);
        pull.set_recv_hwm(5);
        testing::eventually("more messages are read", || pull.stats().recv_queue == 5).await;
        push.set_send_hwm(1);
        testing::eventually("no queued message is dropped", || pull.stats().recv_queue == 5).await;
        for n in 0..second {
            assert_eq!(pull.recv().await.expect("received"), large(n));
        }
        assert!(pull.try_recv().is_err());
        pull.set_recv_hwm(1);
        let waiting = || (pull.stats().recv_queue, push.stats().send_queue);
        while waiting() != (1, 1) {
            fill(&push, large).await;
            assert!(waiting().0 <= 1 && waiting().1 <= 1, "the new marks hold");
        }
    }
}
