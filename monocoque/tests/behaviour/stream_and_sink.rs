//! Sockets as streams and sinks: cancelled calls lose, double or reorder nothing.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::stream::{self, FusedStream};
use futures::{FutureExt, SinkExt, StreamExt, TryStreamExt, select};
use monocoque::zmq::{
    DealerSocket, MessageSink, MessageStream, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
    SubSocket,
};
use monocoque::{Message, MonocoqueError};
use testing::{AtOnce, eventually, fill, numbered, on_every_driver, yield_now};

on_every_driver! {
    async fn close_ends_message_stream(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let mut messages = pull.stream();
        for n in 0..100 {
            push.send(numbered(n)).await.expect("sent");
        }
        for n in 0..100 {
            assert_eq!(messages.next().await.expect("open").expect("received"), numbered(n));
        }
        assert!(!messages.is_terminated());
        let waiting = messages.next();
        let (end, ()) = futures::join!(waiting, pull.close());
        assert!(end.is_none());
        assert!(messages.is_terminated());
        assert!(messages.next().await.is_none());
    }

    async fn stream_keeps_socket_open(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut messages = pull.stream();
        drop(pull);
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let mut sink = push.sink();
        drop(push);
        sink.send("still there").await.expect("sent");
        assert_eq!(messages.next().await.expect("open").expect("received"), "still there");
    }

    async fn forwarded_stream_keeps_order(at) {
        const MESSAGES: usize = 20_000;
        let (entry, from) = at.bound(PullSocket::builder().recv_hwm(10)).await;
        let (exit, to) = at.bound(PullSocket::builder().recv_hwm(10)).await;
        let source = at.connected(PushSocket::builder().send_hwm(10), &from).await;
        let through = at.connected(PushSocket::builder().send_hwm(10), &to).await;
        let feed = stream::iter((0..MESSAGES).map(|n| Ok(numbered(n)))).forward(source.sink());
        let device = entry.stream().take(MESSAGES).forward(through.sink());
        let read = exit.stream().take(MESSAGES).enumerate().for_each(async |(n, message)| {
            assert_eq!(message.expect("received"), numbered(n), "lost, doubled or out of order");
        });
        let (fed, passed, ()) = futures::join!(feed, device, read);
        fed.expect("forwarded and closed");
        passed.expect("forwarded and closed");
        assert!(source.try_send("late").expect_err("closed").reason().is_closed());
        assert_eq!((source.stats().sent, through.stats().sent), (MESSAGES as u64, MESSAGES as u64));
    }

    async fn send_all_waits_and_flushes(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        let mut sink = push.sink();
        let mut messages = stream::iter(0..300).map(|n| Ok(large(n)));
        let read = async {
            for n in 0..300 {
                assert_eq!(pull.recv().await.expect("received"), large(n));
            }
        };
        let (sent, ()) = futures::join!(sink.send_all(&mut messages), read);
        sent.expect("all sent");
        assert_eq!(push.stats().send_queue, 0, "flushed");
        assert_eq!(sink.take_unsent(), None);
        sink.close().await.expect("closed");
        assert!(push.try_send("late").is_err());
    }

    async fn select_loops_lose_nothing(at) {
        const MESSAGES: usize = 3_000;
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(5)).await;
        let push = at.connected(PushSocket::builder().send_hwm(5), &endpoint).await;
        let writer = async {
            let mut sink = push.sink();
            let mut next = 0;
            let mut cancelled = 0;
            while next < MESSAGES {
                // The message was either accepted, and is sent by a later poll, or not.
                let handed_over = {
                    let mut feeding = sink.feed(numbered(next)).fuse();
                    let mut pause = pin!(yield_times(1 + next % 3).fuse());
                    select! {
                        fed = feeding => { fed.expect("open"); true }
                        () = pause => { cancelled += 1; false }
                    }
                };
                next += usize::from(handed_over);
                if next % 7 == 0 {
                    let mut flushing = sink.flush().fuse();
                    let mut pause = pin!(yield_times(1).fuse());
                    select! {
                        flushed = flushing => flushed.expect("open"),
                        () = pause => cancelled += 1,
                    }
                }
            }
            sink.close().await.expect("closed");
            cancelled
        };
        let reader = async {
            let mut messages = pull.stream();
            let mut next = 0;
            let mut cancelled = 0;
            while next < MESSAGES {
                let mut pause = pin!(yield_times(1 + next % 3).fuse());
                select! {
                    message = messages.select_next_some() => {
                        assert_eq!(message.expect("received"), numbered(next), "lost, doubled or out of order");
                        next += 1;
                    }
                    () = pause => cancelled += 1,
                }
                if cancelled % 100 == 99 {
                    messages = pull.stream();
                }
            }
            cancelled
        };
        let (writer, reader) = futures::join!(writer, reader);
        // With an I/O thread one of the two may never wait.
        assert!(writer + reader > 0, "no future was cancelled");
        assert!(pull.try_recv().is_err());
    }

    async fn streams_and_receivers_share_messages(at) {
        const MESSAGES: usize = 3_000;
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let readers = (0..4).map(|who| {
            let pull = &pull;
            async move {
                let mut got = Vec::new();
                let mut messages = pull.stream();
                loop {
                    let next = if who % 2 == 0 { messages.next().await } else { Some(pull.recv().await) };
                    match next {
                        None | Some(Err(MonocoqueError::Closed)) => return got,
                        Some(message) => got.push(number(&message.expect("received"))),
                    }
                }
            }
        });
        let writer = async {
            for n in 0..MESSAGES {
                push.send(numbered(n)).await.expect("sent");
            }
            eventually("all messages are received", || pull.stats().received == MESSAGES as u64).await;
            pull.close().await;
        };
        let (got, ()) = futures::join!(futures::future::join_all(readers), writer);
        assert!(got.iter().all(|one| one.is_sorted()));
        let mut all = got.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..MESSAGES), "each of them once");
    }

    async fn dropped_stream_passes_wake_on(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        for n in 0..200 {
            let mut first = pull.stream();
            assert!(first.next().at_once().is_none());
            let clone = pull.clone();
            let mut second = Box::pin(clone.recv());
            assert!(second.as_mut().at_once().is_none());
            push.send(numbered(n)).await.expect("sent");
            if n % 2 == 0 {
                yield_now().await;
            }
            drop(first);
            assert_eq!(second.await.expect("woken"), numbered(n));
        }
    }

    async fn full_sink_returns_unsent_message(at) {
        let (push, pull, filled) = full_push_and_pull(&at).await;
        let mut sink = push.sink();
        sink.feed(large(filled)).await.expect("kept");
        assert!(sink.feed(large(filled + 1)).at_once().is_none(), "only one message is kept");
        // A send behind the sink's message in the queue of waiters; the sink is at its head.
        let mut behind = Box::pin(push.send("behind"));
        assert!(behind.as_mut().at_once().is_none());
        assert!(sink.flush().at_once().is_none());
        assert_eq!(sink.take_unsent(), Some(large(filled)));
        assert_eq!(sink.take_unsent(), None);
        sink.feed(large(filled)).await.expect("kept behind the other message");
        let read = async {
            expect_numbers(&pull, filled).await;
            assert_eq!(pull.recv().await.expect("received"), "behind");
            assert_eq!(pull.recv().await.expect("received"), large(filled));
        };
        let (sent, flushed, ()) = futures::join!(behind, sink.flush(), read);
        sent.expect("sent");
        flushed.expect("flushed");
    }

    async fn dropped_sink_releases_other_senders(at) {
        let (push, pull, filled) = full_push_and_pull(&at).await;
        let mut sink = push.sink();
        sink.feed("dropped").await.expect("kept");
        assert!(sink.flush().at_once().is_none());
        let mut behind = Box::pin(push.send("behind"));
        assert!(behind.as_mut().at_once().is_none());
        let read = async {
            drop(sink);
            expect_numbers(&pull, filled).await;
            assert_eq!(pull.recv().await.expect("received"), "behind");
        };
        let (sent, ()) = futures::join!(behind, read);
        sent.expect("sent");
    }

    async fn sink_close_sends_kept_message(at) {
        let (push, pull, filled) = full_push_and_pull(&at).await;
        let mut sink = push.sink();
        sink.feed(large(filled)).await.expect("kept");
        let read = async {
            expect_numbers(&pull, filled + 1).await;
        };
        let (closed, ()) = futures::join!(sink.close(), read);
        closed.expect("closed");
        assert_eq!(sink.take_unsent(), None);
    }

    async fn flush_covers_messages_after_cancellation(at) {
        let large = |n: usize| Message::from([n.to_string().into_bytes(), vec![n as u8; 10_000_000]]);
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let mut sink = push.sink();
        sink.feed(large(0)).await.expect("queued");
        // The amount that the kernel accepts at once is unknown.
        let _cancelled = sink.flush().at_once();
        sink.feed(large(1)).await.expect("queued");
        sink.feed(large(2)).await.expect("queued");
        let mut received = 0;
        while sink.flush().at_once().is_none() {
            if let Ok(message) = pull.try_recv() {
                assert_eq!(message, large(received));
                received += 1;
            }
            yield_now().await;
        }
        assert_eq!(push.stats().send_queue, 0);
        while received < 3 {
            assert_eq!(pull.recv().await.expect("received"), large(received));
            received += 1;
        }
    }

    async fn stream_and_sink_return_errors(at) {
        let limit = Some(Duration::from_millis(20));
        let dealer = at.build(DealerSocket::builder().send_timeout(limit).recv_timeout(limit));
        let (mut sink, mut messages) = (dealer.sink(), dealer.stream());
        for _ in 0..2 {
            assert!(messages.next().await.expect("open").expect_err("no peer").is_timeout());
            assert!(sink.send("one").await.expect_err("no peer").is_timeout());
        }
        assert_eq!(sink.take_unsent(), Some("one".into()));
        assert!(matches!(sink.send(Message::default()).await, Err(MonocoqueError::EmptyMessage)));
        assert!(sink.send("after an error").await.expect_err("no peer").is_timeout());
        dealer.close().await;
        assert!(sink.send("two").await.expect_err("closed").is_closed());
        assert_eq!(sink.take_unsent(), Some("two".into()));
        sink.close().await.expect("already closed");
        assert!(messages.next().await.is_none());

        let req: ReqSocket = at.socket();
        assert!(matches!(req.stream().next().await, Some(Err(MonocoqueError::OutOfTurn(_)))));
        let rep: RepSocket = at.socket();
        assert!(matches!(rep.sink().feed("unasked").await, Err(MonocoqueError::OutOfTurn(_))));
    }

    async fn rep_stream_forwards_to_sink(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let service = rep.stream().map_ok(|mut message| {
            message.push_back("answered");
            message
        });
        let served = service.forward(rep.sink());
        let asking = async {
            let req = at.connected(ReqSocket::builder(), &endpoint).await;
            for n in 0..100 {
                let reply = req.request(numbered(n)).await.expect("answered");
                assert_eq!(reply, [n.to_string(), "answered".to_owned()]);
            }
            rep.close().await;
        };
        let (served, ()) = futures::join!(served, asking);
        served.expect("served until close");
    }

    async fn pub_sink_feed_yields(at) {
        const MESSAGES: usize = 50_000;
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(0)).await;
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        subscriber.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        let mut sink = publisher.sink();
        let mut turns = 0;
        let mut feeding = pin!(async {
            for n in 0..MESSAGES {
                sink.feed(numbered(n)).await.expect("open");
            }
        });
        while futures::poll!(&mut feeding).is_pending() {
            turns += 1;
            yield_now().await;
        }
        // On an I/O thread the pumps run anyway.
        assert!(at.placement == testing::Placement::Thread || turns >= MESSAGES / 2048, "it has yielded {turns} times");
        let mut messages = subscriber.stream().take(MESSAGES).enumerate();
        while let Some((n, message)) = messages.next().await {
            assert_eq!(message.expect("received"), numbered(n));
        }
    }
}

/// A full sink rejects a message that breaks the `Sink` contract, and keeps the earlier one.
#[test]
fn start_send_when_full_fails() {
    let context = monocoque::Context::new().expect("an I/O thread");
    let push = PushSocket::new_in(&context).expect("a socket");
    let mut sink = push.sink();
    sink.start_send_unpin("kept".into()).expect("kept");
    assert!(sink.start_send_unpin("unasked".into()).expect_err("full").is_would_block());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(sink.poll_ready_unpin(&mut cx).is_pending());
    assert_eq!(sink.take_unsent(), Some("kept".into()));
    assert!(matches!(sink.poll_ready_unpin(&mut cx), Poll::Ready(Ok(()))));
}

#[test]
fn streams_and_sinks_are_send() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<MessageStream>();
    check::<MessageSink>();
}

/// Returns a full socket, its peer, and the number of messages sent.
async fn full_push_and_pull(at: &testing::At) -> (PushSocket, PullSocket, usize) {
    let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
    let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
    push.wait_for_peers(1).await.expect("open");
    let filled = fill(&push, large).await;
    (push, pull, filled)
}

/// Receives the first messages of [`full_push_and_pull`].
async fn expect_numbers(pull: &PullSocket, messages: usize) {
    for n in 0..messages {
        assert_eq!(pull.recv().await.expect("received"), large(n));
    }
}

fn large(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 100_000]])
}

/// Yields `turns` times.
async fn yield_times(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

fn number(message: &Message) -> usize {
    std::str::from_utf8(&message[0]).expect("text").parse().expect("a number")
}
