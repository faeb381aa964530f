//! Cancelled calls have no effect: no message is lost, and none is sent.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use monocoque::Message;
use monocoque::zmq::{PullSocket, PushSocket};
use testing::{fill, numbered, on_every_driver};

on_every_driver! {
    async fn cancelled_recv_loses_nothing(at) {
        const MESSAGES: usize = 20_000;
        for peers in [1, 8] {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let mut pushes = Vec::new();
            for _ in 0..peers {
                pushes.push(at.connected(PushSocket::builder(), &endpoint).await);
            }
            let each = MESSAGES / peers;
            let senders = pushes.iter().enumerate().map(|(who, push)| async move {
                for n in 0..each {
                    push.send([who.to_string(), n.to_string()]).await.expect("sent");
                }
            });
            let receiver = async {
                let mut next = vec![0; peers];
                let mut cancelled = 0;
                let mut got = 0;
                while got < each * peers || cancelled < 10_000 {
                    let message = if cancelled % 3 == 0 {
                        pull.recv().now_or_never()
                    } else {
                        // The future registers a waker, is woken or not, and is dropped.
                        match select(std::pin::pin!(pull.recv()), std::pin::pin!(testing::yield_now())).await {
                            Either::Left((message, _)) => Some(message),
                            Either::Right(((), _)) => None,
                        }
                    };
                    let Some(message) = message else {
                        cancelled += 1;
                        if cancelled % 16 == 0 {
                            testing::yield_now().await;
                        }
                        continue;
                    };
                    let message = message.expect("received");
                    let text = |frame| std::str::from_utf8(&message[frame]).expect("text");
                    let who: usize = text(0).parse().expect("a number");
                    assert_eq!(text(1), next[who].to_string(), "lost, doubled or out of order");
                    next[who] += 1;
                    got += 1;
                }
            };
            futures::join!(futures::future::join_all(senders), receiver);
            assert!(pull.try_recv().is_err());
        }
    }

    async fn dropped_receiver_passes_wake_on(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        for n in 0..200 {
            let clone = pull.clone();
            let mut first = Box::pin(pull.recv());
            let second = clone.recv();
            assert!(first.as_mut().now_or_never().is_none());
            let mut second = Box::pin(second);
            assert!(second.as_mut().now_or_never().is_none());
            push.send(numbered(n)).await.expect("sent");
            if n % 2 == 0 {
                testing::yield_now().await;
            }
            drop(first);
            assert_eq!(second.await.expect("woken"), numbered(n));
        }
    }

    async fn cancelled_send_sends_nothing(at) {
        let large = |n: usize| Message::from([n.to_string().into_bytes(), vec![n as u8; 100_000]]);
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let filled = fill(&push, large).await;
        for _ in 0..1000 {
            assert!(push.send("given up").now_or_never().is_none());
        }
        let mut sent = filled;
        let mut received = 0;
        while received < filled + 50 {
            if push.send(large(sent)).now_or_never().is_some_and(|sent| sent.is_ok()) {
                sent += 1;
            }
            if let Some(message) = pull.recv().now_or_never() {
                assert_eq!(message.expect("received"), large(received));
                received += 1;
            } else {
                testing::yield_now().await;
            }
        }
        assert!(sent >= received);
        push.close().now_or_never();
        while received < sent {
            assert_eq!(pull.recv().await.expect("received"), large(received));
            received += 1;
        }
        assert!(pull.try_recv().is_err());
    }
}

/// Timeouts of the caller's runtime around each wait, which almost never expire.
#[test]
fn caller_timeouts_lose_nothing() {
    const EACH: usize = 50_000;
    for peers in [1, 8] {
        testing::run(testing::Transport::Tcp, testing::Placement::Current, async move |at: testing::At| {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let mut pushes = Vec::new();
            for _ in 0..peers {
                pushes.push(at.connected(PushSocket::builder(), &endpoint).await);
            }
            let senders = pushes.iter().map(|push| async move {
                for n in 0..EACH / peers {
                    push.send(numbered(n)).await.expect("sent");
                }
            });
            let receiver = async {
                let mut got = 0;
                while got < EACH {
                    let limit =
                        if got % 5 == 0 { Duration::from_micros(50) } else { Duration::from_secs(10) };
                    if let Ok(message) = compio::time::timeout(limit, pull.recv()).await {
                        message.expect("received");
                        got += 1;
                    }
                }
            };
            futures::join!(futures::future::join_all(senders), receiver);
            assert!(pull.try_recv().is_err());
        });
    }
}

/// The socket's own timeouts around each wait, which never expire, with many waiters.
#[test]
fn million_unfired_timeouts_lose_nothing() {
    const MESSAGES: usize = 1_000_000;
    let limit = Duration::from_secs(120);
    for peers in [1, 8] {
        testing::run_within(
            limit,
            testing::Transport::Tcp,
            testing::Placement::Current,
            async move |at: testing::At| {
                let pull = PullSocket::builder().recv_timeout(Some(Duration::from_secs(10)));
                let (pull, endpoint) = at.bound(pull).await;
                let mut pushes = Vec::new();
                for _ in 0..peers {
                    pushes.push(at.connected(PushSocket::builder(), &endpoint).await);
                }
                let senders = pushes.iter().zip(0_u8..).map(|(push, who)| async move {
                    for n in 0..MESSAGES / peers {
                        push.send([&[who][..], &n.to_be_bytes()]).await.expect("sent");
                    }
                });
                let receiver = async {
                    let mut next = vec![0; peers];
                    for _ in 0..MESSAGES {
                        let message = pull.recv().await.expect("received");
                        let next = &mut next[usize::from(message[0][0])];
                        assert_eq!(message[1], usize::to_be_bytes(*next), "lost, doubled or out of order");
                        *next += 1;
                    }
                };
                futures::join!(futures::future::join_all(senders), receiver);
                assert!(pull.try_recv().is_err());
            },
        );
    }
}
