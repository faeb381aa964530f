//! Batches made by the caller: messages buffered until a flush, and many messages received at once.

use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, join_all, select};
use futures::stream::FuturesUnordered;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket};
use monocoque::{Message, MonocoqueError};
use testing::{AtOnce, RawPeer, numbered, on_every_driver, on_every_driver_over_streams};

/// Leaves the connection idle: nothing is left to write, and the next send starts a new write.
async fn settle<S: Sends, R: Receives>(sender: &S, receiver: &R) {
    sender.send("settle").await.expect("sent");
    sender.flush().await.expect("open");
    assert_eq!(receiver.recv().await.expect("received"), "settle");
}

/// Waits until `n` messages are in the receive queue.
async fn wait_for_queued<R: Receives>(socket: &R, n: usize) {
    testing::eventually("all messages have arrived", || socket.stats().recv_queue == n).await;
}

async fn expect_numbers<R: Receives>(socket: &R, numbers: std::ops::Range<usize>) {
    for n in numbers {
        assert_eq!(socket.recv().await.expect("received"), numbered(n));
    }
}

/// A message large enough to fill the kernel buffers soon.
fn large(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 1 << 20]])
}

/// Number of large messages that exceeds the kernel buffers while the peer does not read.
const TOO_MUCH: usize = 40;

/// Returns a socket with more to write than the kernel accepts, and its peer, which does not read.
async fn stalled_push(at: &testing::At) -> (PushSocket, RawPeer) {
    let (push, endpoint) = at.bound(PushSocket::builder().linger(Some(Duration::ZERO))).await;
    let wire = testing::on_blocking_thread(move || RawPeer::established(&endpoint, "PULL")).await;
    push.wait_for_peers(1).await.expect("open");
    for n in 0..TOO_MUCH {
        push.send_buffered(large(n)).await.expect("room");
    }
    (push, wire)
}

/// Reads the messages of [`stalled_push`], to the end of the stream.
fn read_all(mut wire: RawPeer) {
    for n in 0..TOO_MUCH {
        let frames = [wire.frame(), wire.frame()];
        assert_eq!(frames.map(|(_, body)| body), large(n).iter().map(<[u8]>::to_vec).collect::<Vec<_>>()[..]);
    }
    assert_eq!(wire.end(), b"");
}

on_every_driver! {
    async fn buffered_messages_precede_next_send(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        settle(&push, &pull).await;
        for n in 0..9 {
            push.send_buffered(numbered(n)).await.expect("room");
        }
        push.send(numbered(9)).await.expect("room");
        expect_numbers(&pull, 0..10).await;
    }

    async fn buffered_messages_precede_direct_reply(at) {
        let (one, endpoint) = at.bound(DealerSocket::builder()).await;
        let other = at.connected(DealerSocket::builder(), &endpoint).await;
        for round in 0..20 {
            settle(&one, &other).await;
            other.send("question").await.expect("room");
            assert_eq!(one.recv().await.expect("received"), "question");
            for n in 0..round {
                one.send_buffered(numbered(n)).await.expect("room");
            }
            one.send(numbered(round)).await.expect("room");
            expect_numbers(&other, 0..round + 1).await;
        }
    }

    async fn send_flushes_other_peers(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let pulls = [
            at.connected(PullSocket::builder(), &endpoint).await,
            at.connected(PullSocket::builder(), &endpoint).await,
        ];
        push.wait_for_peers(2).await.expect("open");
        for _ in 0..2 {
            push.send("settle").await.expect("room");
        }
        push.flush().await.expect("open");
        push.send_buffered("held").await.expect("room");
        push.send("sent").await.expect("room");
        let mut received = Vec::new();
        for pull in &pulls {
            assert_eq!(pull.recv().await.expect("received"), "settle");
            received.push(pull.recv().await.expect("one each"));
        }
        assert!(received.contains(&"held".into()) && received.contains(&"sent".into()));
    }

    async fn full_buffered_queue_flushes_itself(at) {
        const MESSAGES: usize = 500;
        for hwm in [1, 2, 7] {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(hwm)).await;
            let push = at.connected(PushSocket::builder().send_hwm(hwm), &endpoint).await;
            settle(&push, &pull).await;
            let sender = async {
                for n in 0..MESSAGES {
                    push.send_buffered(numbered(n)).await.expect("room");
                }
                push.flush().await.expect("open");
            };
            futures::join!(sender, expect_numbers(&pull, 0..MESSAGES));
        }
    }

    async fn full_buffered_queue_accepts_send(at) {
        for hwm in [1, 2, 7] {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let push = at.connected(PushSocket::builder().send_hwm(hwm), &endpoint).await;
            settle(&push, &pull).await;
            for n in 0..hwm {
                push.send_buffered(numbered(n)).at_once().expect("at once").expect("room");
            }
            push.send(numbered(hwm)).await.expect("full only for a moment");
            expect_numbers(&pull, 0..hwm + 1).await;
            settle(&push, &pull).await;
            for n in 0..hwm {
                push.send_buffered(numbered(n)).at_once().expect("at once").expect("room");
            }
            testing::eventually("the send queue is not full", || push.try_send(numbered(hwm)).is_ok()).await;
            expect_numbers(&pull, 0..hwm + 1).await;
        }
    }

    async fn close_sends_buffered_messages(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        settle(&push, &pull).await;
        for n in 0..10 {
            push.send_buffered(numbered(n)).await.expect("room");
        }
        push.close().await;
        expect_numbers(&pull, 0..10).await;
    }

    async fn idle_flush_returns_immediately(at) {
        let endpoint = at.unused_endpoint("later");
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.flush().at_once().expect("no peer").expect("open");
        push.send_buffered(numbered(0)).await.expect("room");
        push.flush().at_once().expect("queued for the first peer").expect("open");
        let pull = at.build(PullSocket::builder());
        pull.bind(endpoint).await.expect("bound");
        expect_numbers(&pull, 0..1).await;
        settle(&push, &pull).await;
        push.flush().at_once().expect("nothing is queued").expect("open");

        let publisher = at.build(PubSocket::builder());
        publisher.bind(at.wildcard_endpoint()).await.expect("bound");
        publisher.send_buffered("to nobody").await.expect("sent");
        publisher.flush().at_once().expect("no peer").expect("open");
    }

    async fn recv_batch_respects_maximum(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut messages = vec!["before".into()];
        let none = pull.recv_batch(&mut messages, 0).at_once();
        assert_eq!(none.expect("completes at once").expect("open"), 0);
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for n in 0..10 {
            push.send(numbered(n)).await.expect("sent");
        }
        wait_for_queued(&pull, 10).await;
        assert_eq!(pull.recv_batch(&mut messages, 0).await.expect("open"), 0);
        for (max, expected) in [(1, 1), (3, 3), (100, 6)] {
            let before = messages.len();
            let got = pull.recv_batch(&mut messages, max).at_once().expect("a message is queued").expect("open");
            assert_eq!((got, messages.len()), (expected, before + expected));
        }
        assert_eq!(messages[0], "before");
        assert!(messages[1..].iter().enumerate().all(|(n, message)| *message == numbered(n)));
        assert!(pull.recv_batch(&mut messages, 100).at_once().is_none());
        assert_eq!((messages.len(), pull.stats().received), (11, 10));
    }

    async fn batches_under_load_keep_order(at) {
        const MESSAGES: usize = 5_000;
        let mut chance = testing::seeded_rng();
        for (send_hwm, recv_hwm) in [(1, 1), (2, 7), (1000, 10), (1000, 1000), (0, 0)] {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(recv_hwm)).await;
            let push = at.connected(PushSocket::builder().send_hwm(send_hwm), &endpoint).await;
            let mut also = chance.clone();
            let sender = async {
                for n in 0..MESSAGES {
                    match also.u8(..8) {
                        0 => push.send(numbered(n)).await.expect("sent"),
                        _ => push.send_buffered(numbered(n)).await.expect("sent"),
                    }
                    if also.u8(..64) == 0 {
                        push.flush().await.expect("open");
                    }
                }
                push.flush().await.expect("open");
            };
            let receiver = async {
                let mut messages = Vec::new();
                let mut next = 0;
                while next < MESSAGES {
                    let max = chance.usize(1..200);
                    let got = pull.recv_batch(&mut messages, max).await.expect("open");
                    assert!((1..=max).contains(&got) && got == messages.len());
                    for message in messages.drain(..) {
                        assert_eq!(message, numbered(next));
                        next += 1;
                    }
                }
            };
            futures::join!(sender, receiver);
            assert!(pull.try_recv().is_err());
        }
    }

    async fn recv_batch_alternates_between_peers(at) {
        const EACH: usize = 50;
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut pushes = Vec::new();
        for who in 0..2 {
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            for n in 0..EACH {
                push.send([who.to_string(), n.to_string()]).await.expect("sent");
            }
            pushes.push(push);
        }
        wait_for_queued(&pull, 2 * EACH).await;
        let mut messages = Vec::new();
        while messages.len() < 2 * EACH {
            pull.recv_batch(&mut messages, 30).await.expect("open");
        }
        for who in ["0", "1"] {
            let of_one: Vec<_> = messages.iter().filter(|message| message[0] == *who.as_bytes()).collect();
            assert!(of_one.iter().enumerate().all(|(n, message)| message[1] == *n.to_string().as_bytes()));
        }
        assert!(messages.windows(2).all(|pair| pair[0][0] != pair[1][0]), "strictly in turn");
    }

    async fn req_rep_batches_hold_one(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let mut reqs = Vec::new();
        for n in 0..3 {
            let req = at.connected(ReqSocket::builder(), &endpoint).await;
            req.send(numbered(n)).await.expect("in turn");
            reqs.push(req);
        }
        wait_for_queued(&rep, 3).await;
        for answered in 0..3 {
            let mut requests = Vec::new();
            assert_eq!(rep.recv_batch(&mut requests, 10).await.expect("in turn"), 1);
            let early = rep.recv_batch(&mut requests, 10).await;
            assert!(matches!(early, Err(MonocoqueError::OutOfTurn(_))));
            assert_eq!((requests.len(), rep.stats().recv_queue), (1, 2 - answered));
            rep.send(requests.remove(0)).await.expect("in turn");
        }
        for (n, req) in reqs.iter().enumerate() {
            let mut replies = Vec::new();
            assert_eq!(req.recv_batch(&mut replies, 10).await.expect("in turn"), 1);
            assert_eq!(replies, [numbered(n)]);
            assert!(matches!(req.recv_batch(&mut replies, 10).await, Err(MonocoqueError::OutOfTurn(_))));
        }
    }

    async fn recv_batch_filters_by_subscription(at) {
        const MESSAGES: usize = 100;
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        subscriber.subscribe("wanted").expect("open");
        subscriber.subscribe("not").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        let wanted = |n: usize| n % 7 > 3;
        for n in 0..MESSAGES {
            let topic = if wanted(n) { "wanted" } else { "not" };
            publisher.send([topic.to_owned(), n.to_string()]).await.expect("sent");
        }
        wait_for_queued(&subscriber, MESSAGES).await;
        subscriber.unsubscribe("not").expect("open");
        let expected: Vec<_> = (0..MESSAGES).filter(|n| wanted(*n)).collect();
        let mut messages = Vec::new();
        while messages.len() < expected.len() {
            let before = messages.len();
            let got = subscriber.recv_batch(&mut messages, 10).await.expect("open");
            assert!((1..=10).contains(&got) && messages.len() == before + got);
        }
        for (message, n) in messages.iter().zip(&expected) {
            assert_eq!(*message, ["wanted".to_owned(), n.to_string()]);
        }
        assert!(subscriber.recv_batch(&mut messages, 10).at_once().is_none());
        assert_eq!(messages.len(), expected.len());
        assert_eq!(subscriber.stats().discarded, (MESSAGES - expected.len()) as u64);
    }

    async fn cancelled_recv_batch_loses_nothing(at) {
        const EACH: usize = 5_000;
        for peers in [1, 4] {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(100)).await;
            let mut pushes = Vec::new();
            for _ in 0..peers {
                pushes.push(at.connected(PushSocket::builder(), &endpoint).await);
            }
            let senders = pushes.iter().enumerate().map(|(who, push)| async move {
                for n in 0..EACH {
                    push.send([who.to_string(), n.to_string()]).await.expect("sent");
                }
            });
            let receiver = async {
                let mut messages = Vec::new();
                let mut cancelled = 0;
                while messages.len() < EACH * peers || cancelled < 1_000 {
                    let batch = Box::pin(pull.recv_batch(&mut messages, 10));
                    if cancelled % 2 == 0 {
                        cancelled += usize::from(batch.at_once().is_none());
                        testing::yield_now().await;
                    } else if let Either::Right(_) = select(batch, Box::pin(testing::yield_now())).await {
                        cancelled += 1;
                    }
                }
                let mut next = vec![0; peers];
                for message in messages {
                    let text = |frame| std::str::from_utf8(&message[frame]).expect("text");
                    let who: usize = text(0).parse().expect("a number");
                    assert_eq!(text(1), next[who].to_string(), "lost, doubled or out of order");
                    next[who] += 1;
                }
                assert_eq!(next, vec![EACH; peers]);
            };
            futures::join!(join_all(senders), receiver);
        }
    }

    async fn leftover_messages_wake_next_receiver(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        settle(&push, &pull).await;
        for round in 0..100 {
            let mut cancelled = Box::pin(pull.recv());
            assert!(cancelled.as_mut().at_once().is_none());
            // Each future is polled only when it is woken.
            let mut waiting: FuturesUnordered<_> = (0..3)
                .map(|_| async {
                    let mut messages = Vec::new();
                    let got = pull.recv_batch(&mut messages, 2).await.expect("open");
                    assert!(got == messages.len() && (1..=2).contains(&got));
                    messages
                })
                .collect();
            assert!(waiting.next().at_once().is_none());
            if round % 2 == 0 {
                drop(cancelled);
                cancelled = Box::pin(pull.recv());
            }
            // One batch causes one wake.
            for n in 0..6 {
                push.send_buffered(numbered(n)).await.expect("room");
            }
            push.flush().await.expect("open");
            if round % 4 == 1 {
                testing::yield_now().await;
            }
            drop(cancelled);
            let mut messages = Vec::new();
            while let Some(batch) = waiting.next().await {
                messages.extend(batch);
            }
            // The batch may arrive in pieces.
            while messages.len() < 6 {
                pull.recv_batch(&mut messages, 6).await.expect("open");
            }
            messages.sort_by_key(|message| message[0].to_vec());
            assert!(messages.iter().enumerate().all(|(n, message)| *message == numbered(n)));
        }
    }

    async fn close_ends_waiting_recv_batch(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        settle(&push, &pull).await;
        let mut messages = vec!["before".into()];
        let mut batch = Box::pin(pull.recv_batch(&mut messages, 10));
        assert!(batch.as_mut().at_once().is_none());
        let (batch, ()) = futures::join!(batch, pull.close());
        assert!(matches!(batch, Err(MonocoqueError::Closed)));
        assert_eq!(messages, ["before"]);
    }
}

on_every_driver_over_streams! {
    async fn flush_sends_buffered_messages(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        settle(&push, &pull).await;
        for round in 0..3 {
            for n in 0..10 {
                push.send_buffered(numbered(n)).await.expect("room");
            }
            testing::pass_time(&at).await;
            assert_eq!(push.stats().send_queue, 10, "round {round}");
            assert!(pull.try_recv().expect_err("held").is_would_block());
            push.flush().await.expect("open");
            assert_eq!(push.stats().send_queue, 0);
            expect_numbers(&pull, 0..10).await;
        }
    }

    async fn buffered_publications_wait_for_flush(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let mut subscribers = Vec::new();
        for _ in 0..2 {
            let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
            subscriber.subscribe("").expect("open");
            subscribers.push(subscriber);
        }
        publisher.wait_for_subscriptions(2).await.expect("open");
        settle(&publisher, &subscribers[0]).await;
        assert_eq!(subscribers[1].recv().await.expect("received"), "settle");
        for n in 0..10 {
            publisher.send_buffered(numbered(n)).await.expect("sent");
        }
        testing::pass_time(&at).await;
        assert_eq!(publisher.stats().send_queue, 20);
        assert!(subscribers.iter().all(|subscriber| subscriber.try_recv().is_err()));
        publisher.flush().await.expect("open");
        assert_eq!(publisher.stats().send_queue, 0);
        for subscriber in &subscribers {
            expect_numbers(subscriber, 0..10).await;
        }
    }

    async fn lost_peer_returns_buffered_messages(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let leaving = at.connected(PullSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        settle(&push, &leaving).await;
        for n in 0..10 {
            push.send_buffered(numbered(n)).await.expect("room");
        }
        let staying = at.connected(PullSocket::builder(), &endpoint).await;
        push.wait_for_peers(2).await.expect("open");
        // The round-robin position is unknown; with one message for each peer, both connections
        // become idle.
        for _ in 0..2 {
            push.send_buffered("rest").await.expect("room");
        }
        push.flush().await.expect("open");
        expect_numbers(&leaving, 0..10).await;
        assert_eq!(leaving.recv().await.expect("received"), "rest");
        assert_eq!(staying.recv().await.expect("received"), "rest");
        for n in 0..2 {
            push.send_buffered(numbered(n)).await.expect("room");
        }
        leaving.close().await;
        testing::eventually("the peer has disconnected", || push.peer_count() == 1).await;
        push.flush().await.expect("open");
        let mut received = [
            staying.recv().await.expect("the peer's own message"),
            staying.recv().await.expect("the message of the lost peer"),
        ];
        received.sort_by_key(|message| message[0].to_vec());
        assert_eq!(received, [numbered(0), numbered(1)]);
    }

    async fn lost_peer_returns_flushed_messages(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let there = endpoint.clone();
        // The peer does not read, so its messages stay queued.
        let wire = testing::on_blocking_thread(move || RawPeer::established(&there, "PULL")).await;
        push.wait_for_peers(1).await.expect("open");
        for n in 0..TOO_MUCH {
            push.send(large(n)).await.expect("room");
        }
        let pull = at.connected(PullSocket::builder(), &endpoint).await;
        push.wait_for_peers(2).await.expect("open");
        for _ in 0..2 {
            push.send("one each").await.expect("room");
        }
        assert_eq!(pull.recv().await.expect("received"), "one each");
        testing::pass_time(&at).await;
        let mut flush = Box::pin(push.flush());
        assert!(flush.as_mut().at_once().is_none());
        for _ in 0..2 {
            push.send_buffered("held").await.expect("room");
        }
        wire.close();
        flush.await.expect("open");
        testing::eventually("all messages go to the other peer", || {
            while pull.try_recv().is_ok() {}
            push.stats().send_queue == 0 && push.peer_count() == 1
        })
        .await;
    }

    async fn flush_waits_for_complete_write(at) {
        let (push, wire) = stalled_push(&at).await;
        let mut flush = Box::pin(push.flush());
        assert!(flush.as_mut().at_once().is_none());
        match select(flush, Box::pin(testing::pass_time(&at))).await {
            Either::Left(_) => panic!("the peer has not read it"),
            Either::Right(((), flush)) => {
                let reading = testing::on_blocking_thread(move || read_all(wire));
                flush.await.expect("open");
                assert_eq!(push.stats().send_queue, 0);
                // The linger is zero: data that the kernel has not accepted by now is lost.
                push.close().await;
                reading.await;
            }
        }
    }

    async fn close_ends_waiting_flush(at) {
        let (push, wire) = stalled_push(&at).await;
        let mut flush = Box::pin(push.flush());
        assert!(flush.as_mut().at_once().is_none());
        let (flushed, ()) = futures::join!(flush, push.close());
        assert!(matches!(flushed, Err(MonocoqueError::Closed)), "{flushed:?}");
        drop(wire);
    }

    async fn flush_waits_for_returned_messages(at) {
        let (push, wire) = stalled_push(&at).await;
        let mut flush = Box::pin(push.flush());
        assert!(flush.as_mut().at_once().is_none());
        wire.close();
        testing::eventually("the unsent messages are back in the queue", || push.stats().send_queue > 0 && push.peer_count() == 0).await;
        assert!(flush.as_mut().at_once().is_none(), "waits for another peer");
    }

    async fn cancelled_flush_loses_nothing(at) {
        let (push, wire) = stalled_push(&at).await;
        for _ in 0..100 {
            assert!(push.flush().at_once().is_none());
        }
        let reading = testing::on_blocking_thread(move || read_all(wire));
        // The next waiter is woken all the same.
        push.flush().await.expect("open");
        push.close().await;
        reading.await;

        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        settle(&push, &pull).await;
        for n in 0..100 {
            push.send_buffered(numbered(n)).await.expect("room");
        }
        push.flush().at_once();
        expect_numbers(&pull, 0..100).await;
    }
}
