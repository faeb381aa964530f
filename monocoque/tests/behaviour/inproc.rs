//! The `inproc` transport, where it differs from the other transports.

use std::io::ErrorKind;
use std::thread;

use bytes::Bytes;
use futures::StreamExt;
use futures::executor::block_on;
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket, XpubSocket,
};
use monocoque::{Context, DisconnectReason, Message, MonocoqueError, SocketEvent};
use testing::{AtOnce, Placement, Transport, eventually, numbered};

/// Runs a body on the caller's runtime and on an I/O thread.
fn on_both_runtimes<F: Future<Output = ()>>(body: impl FnOnce(testing::At) -> F + Send + Copy + 'static) {
    for placement in [Placement::Current, Placement::Thread] {
        testing::run(Transport::Inproc, placement, body);
    }
}

/// Counts the messages that `try_send` accepts.
fn count_accepted(push: &PushSocket) -> usize {
    (0..10_000).take_while(|n| push.try_send(numbered(*n)).is_ok()).count()
}

#[test]
fn inproc_limit_is_both_hwms() {
    on_both_runtimes(async |at| {
        for (send, recv, expected) in
            [(1000, 1000, 2000), (1, 1, 2), (3, 4, 7), (0, 1, 10_000), (1, 0, 10_000)]
        {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(recv)).await;
            let push = at.connected(PushSocket::builder().send_hwm(send), &endpoint).await;
            assert_eq!(count_accepted(&push), expected, "{send} and {recv}");
            for n in 0..expected {
                assert_eq!(pull.recv().await.expect("received"), numbered(n));
            }
        }
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        assert_eq!(count_accepted(&push), 2);
        push.set_send_hwm(4);
        assert_eq!(count_accepted(&push), 3);
        pull.set_recv_hwm(10);
        assert_eq!(count_accepted(&push), 9);
        assert_eq!((pull.stats().recv_queue, push.stats().send_queue), (14, 0));
    });
}

#[test]
fn unbound_inproc_limit_is_send_hwm() {
    on_both_runtimes(async |at| {
        let endpoint = at.unused_endpoint("later");
        let push = at.connected(PushSocket::builder().send_hwm(2), &endpoint).await;
        assert_eq!(count_accepted(&push), 2);
        let mut third = Box::pin(push.send("third"));
        assert!(third.as_mut().at_once().is_none());
        let pull = at.build(PullSocket::builder().recv_hwm(1));
        pull.bind(endpoint).await.expect("bound");
        assert!(third.at_once().is_some_and(|sent| sent.is_ok()), "not full");
        for expected in ["0", "1", "third"] {
            assert_eq!(pull.try_recv().expect("a message is queued"), expected);
        }
    });
}

#[test]
fn one_thread_sends_then_receives() {
    const MESSAGES: usize = 2000;
    let context = Context::new().expect("a context");
    let pull = PullSocket::new_in(&context).expect("a socket");
    let push = PushSocket::new_in(&context).expect("a socket");
    pull.blocking().bind("inproc://all").expect("bound");
    push.blocking().connect("inproc://all").expect("connected");
    for n in 0..MESSAGES {
        push.blocking().send(numbered(n)).expect("sent");
    }
    for n in 0..MESSAGES {
        assert_eq!(pull.blocking().recv().expect("received"), numbered(n));
    }
    on_both_runtimes(async |at| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        for n in 0..10 * MESSAGES {
            push.send(numbered(n)).await.expect("sent");
        }
        for n in 0..10 * MESSAGES {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    });
}

#[test]
fn inproc_try_calls_complete_immediately() {
    let runtime = compio::runtime::Runtime::new().expect("a runtime");
    let (rep, req) = runtime.block_on(async {
        let rep = RepSocket::new().expect("a socket");
        let req = ReqSocket::new().expect("a socket");
        req.connect("inproc://still").await.expect("connected");
        rep.bind("inproc://still").await.expect("bound");
        (rep, req)
    });
    for n in 0..10 {
        req.try_send(numbered(n)).expect("sent");
        let request = rep.try_recv().expect("a message is queued");
        rep.try_send(request).expect("sent");
        assert_eq!(req.try_recv().expect("a message is queued"), numbered(n));
    }
}

#[test]
fn large_body_is_not_copied() {
    on_both_runtimes(async |at| {
        let body = Bytes::from(vec![1; 100_000]);
        let is_body = |message: Message| message[1].as_ptr() == body.as_ptr();
        let message = || Message::from([Bytes::from("topic"), body.clone()]);
        let early = at.unused_endpoint("early");
        let push = at.connected(PushSocket::builder(), &early).await;
        push.send(message()).await.expect("sent");
        let pull = at.build(PullSocket::builder());
        pull.bind(early).await.expect("bound");
        push.send(message()).await.expect("sent");
        assert!(is_body(pull.recv().await.expect("received")));
        assert!(is_body(pull.recv().await.expect("received")));
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscribers = [at.socket(), at.socket(), at.socket()] as [SubSocket; 3];
        for subscriber in &subscribers {
            subscriber.subscribe("t").expect("open");
            subscriber.connect(&endpoint).await.expect("connected");
        }
        publisher.send(message()).await.expect("sent");
        for subscriber in &subscribers {
            assert!(is_body(subscriber.try_recv().expect("a message is queued")));
        }
    });
}

#[test]
fn inproc_name_binds_once() {
    on_both_runtimes(async |at| {
        let (one, endpoint) = at.bound(PullSocket::builder()).await;
        let other: PullSocket = at.socket();
        let refused = other.bind(&endpoint).await.expect_err("already bound");
        assert!(
            matches!(refused, MonocoqueError::Io { source, .. } if source.kind() == ErrorKind::AddrInUse)
        );
        assert_eq!(other.last_endpoint(), None);
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.send("for the one").await.expect("sent");
        one.unbind(&endpoint).await.expect("it was bound");
        assert_eq!((push.peer_count(), one.peer_count()), (0, 0));
        push.send("for whoever is next").await.expect("queued");
        testing::rebind(&other, &endpoint).await;
        assert_eq!(other.try_recv().expect("a message is queued"), "for whoever is next");
        assert_eq!(one.try_recv().expect("a message is queued"), "for the one");
        other.close().await;
        assert_eq!(push.peer_count(), 0);
        testing::rebind(&one, &endpoint).await;
        assert_eq!(push.peer_count(), 1);
        push.disconnect(&endpoint).await.expect("it was connected");
        assert_eq!((push.peer_count(), one.peer_count()), (0, 0));
        assert!(push.disconnect(&endpoint).await.is_err());
        assert_eq!(push.stats().lost_connections, 3, "each end counts as a lost connection");
    });
}

#[test]
fn contexts_have_separate_inproc_names() {
    let contexts = [Context::new().expect("a context"), Context::new().expect("a context")];
    let pulls = contexts.each_ref().map(|context| {
        let pull = PullSocket::new_in(context).expect("a socket");
        pull.blocking().bind("inproc://own").expect("free in each of them");
        pull
    });
    for (n, context) in contexts.iter().enumerate() {
        let push = PushSocket::new_in(context).expect("a socket");
        push.blocking().connect("inproc://own").expect("connected");
        push.blocking().send(numbered(n)).expect("sent");
        assert_eq!(pulls[n].blocking().recv().expect("received"), numbered(n));
        assert!(pulls[1 - n].try_recv().is_err());
    }
}

#[test]
fn runtimes_share_default_inproc_names() {
    const EACH: usize = 5_000;
    const SENDERS: usize = 3;
    let collector = thread::spawn(|| {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::new().expect("a socket");
            pull.bind("inproc://threads").await.expect("bound");
            let mut next = [0; SENDERS];
            for _ in 0..SENDERS * EACH {
                let message = pull.recv().await.expect("received");
                let number = |frame: usize| -> usize {
                    std::str::from_utf8(&message[frame]).expect("text").parse().expect("a number")
                };
                let (sender, n) = (number(0), number(1));
                assert_eq!(n, next[sender], "in order");
                next[sender] += 1;
            }
        });
    });
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            thread::spawn(move || {
                let send = async {
                    let push = PushSocket::new().expect("a socket");
                    push.connect("inproc://threads").await.expect("connected");
                    for n in 0..EACH {
                        push.send([sender.to_string(), n.to_string()]).await.expect("sent");
                    }
                    push.close().await;
                };
                match sender {
                    0 => block_on(send),
                    _ => compio::runtime::Runtime::new().expect("a runtime").block_on(send),
                }
            })
        })
        .collect();
    for thread in senders.into_iter().chain([collector]) {
        thread.join().expect("no panic");
    }
}

#[test]
fn delivered_messages_outlive_sender() {
    on_both_runtimes(async |at| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for n in 0..100 {
            push.send(numbered(n)).await.expect("sent");
        }
        push.close().await;
        assert_eq!((pull.peer_count(), push.stats().dropped), (0, 0));
        for n in 0..100 {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    });
}

#[test]
fn close_lingers_for_inproc_bind() {
    on_both_runtimes(async |at| {
        let endpoint = at.unused_endpoint("late");
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.send("still here").await.expect("queued");
        let pull: PullSocket = at.socket();
        let bind = async {
            testing::pass_time(&at).await;
            pull.bind(&endpoint).await.expect("bound");
        };
        futures::join!(push.close(), bind);
        assert_eq!(pull.try_recv().expect("a message is queued"), "still here");
        assert_eq!(pull.peer_count(), 0);
    });
}

#[test]
fn incompatible_inproc_types_fail_handshake() {
    on_both_runtimes(async |at| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let sub: SubSocket = at.socket();
        let monitors = [pull.monitor(), sub.monitor()];
        sub.connect(&endpoint).await.expect("connected");
        for mut monitor in monitors {
            let reason = loop {
                if let Some(SocketEvent::HandshakeFailed { reason, .. }) = monitor.next().await {
                    break reason;
                }
            };
            assert!(matches!(reason, DisconnectReason::Protocol(_)), "{reason}");
        }
        assert_eq!((pull.peer_count(), sub.peer_count()), (0, 0));
        let pair: PairSocket = at.socket();
        let own = at.unused_endpoint("own");
        pair.bind(&own).await.expect("bound");
        pair.connect(&own).await.expect("connected without a peer");
        assert_eq!(pair.peer_count(), 0, "a socket is not its own peer");
    });
}

#[test]
fn displaced_inproc_peer_reconnects_later() {
    on_both_runtimes(async |at| {
        let (router, endpoint) = at.bound(RouterSocket::builder().router_handover(true)).await;
        let named = || DealerSocket::builder().routing_id("one");
        let one = at.connected(named(), &endpoint).await;
        let other = at.connected(named(), &endpoint).await;
        assert_eq!((one.peer_count(), other.peer_count(), router.peer_count()), (0, 1, 1));
        router.send(["one", "hello"]).await.expect("sent");
        assert_eq!(other.try_recv().expect("a message is queued"), "hello");
        other.close().await;
        assert_eq!((one.peer_count(), router.peer_count()), (1, 1));
        one.send("back").await.expect("sent");
        assert_eq!(router.try_recv().expect("a message is queued"), ["one", "back"]);
    });
}

#[test]
fn handover_from_stream_passes_queue_on() {
    on_both_runtimes(async |at| {
        let builder = RouterSocket::builder().router_handover(true).send_hwm(0);
        let (router, endpoint) = at.bound(builder).await;
        let tcp = router.bind("tcp://127.0.0.1:0").await.expect("bound");
        let stalled = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::connect(&tcp);
            wire.shake_hands("DEALER", b"one");
            wire
        });
        let stalled = stalled.await;
        router.wait_for_peers(1).await.expect("open");
        // More than the kernel accepts: the write pump never returns for the rest.
        router.send([Bytes::from("one"), vec![0; 64 << 20].into()]).await.expect("queued");
        eventually("the write pump has taken it", || router.stats().send_queue == 0).await;
        for message in ["a", "b"] {
            router.send(["one", message]).await.expect("queued");
        }
        assert_eq!(router.stats().send_queue, 2);
        let dealer = at.connected(DealerSocket::builder().routing_id("one"), &endpoint).await;
        router.send(["one", "c"]).await.expect("sent");
        for message in ["a", "b", "c"] {
            assert_eq!(dealer.try_recv().expect("handed over"), message);
        }
        drop(stalled);
    });
}

#[test]
fn inproc_topics_exceed_hwm() {
    on_both_runtimes(async |at| {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().recv_hwm(1)).await;
        let sub = at.connected(SubSocket::builder().recv_hwm(1), &endpoint).await;
        for n in 0..5_000 {
            sub.subscribe(format!("{n:04}")).expect("open");
        }
        assert_eq!(xpub.subscription_count(), 5_000);
        for n in 0..5_000 {
            assert_eq!(xpub.recv().await.expect("received")[0][1..], *format!("{n:04}").as_bytes());
        }
        xpub.send("4711 it is").await.expect("sent");
        assert_eq!(sub.try_recv().expect("a message is queued"), "4711 it is");
        drop(sub);
        eventually("the subscriptions end with their socket", || xpub.subscription_count() == 0).await;
        let mut ended = 0;
        while ended < 5_000 {
            ended += usize::from(xpub.recv().await.expect("received")[0][0] == 0);
        }
    });
}

#[test]
fn ended_runtime_frees_inproc_name() {
    let pull = thread::spawn(|| {
        let runtime = compio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let pull = PullSocket::new().expect("a socket");
            pull.bind("inproc://ends").await.expect("bound");
            pull
        })
    })
    .join()
    .expect("no panic");
    assert!(pull.try_recv().expect_err("its runtime has ended").is_closed());
    let other = PullSocket::new().expect("a socket");
    block_on(other.bind("inproc://ends")).expect("the name is free");
    let push = PushSocket::new().expect("a socket");
    block_on(push.connect("inproc://ends")).expect("connected");
    push.try_send("to the other").expect("sent");
    assert_eq!(other.try_recv().expect("a message is queued"), "to the other");
}

#[test]
fn surplus_inproc_reply_is_discarded() {
    on_both_runtimes(async |at| {
        for (hwm, surplus) in [(1, 2), (1_000, 1_099)] {
            let router = RouterSocket::builder().send_hwm(hwm).router_mandatory(true);
            let (router, endpoint) = at.bound(router).await;
            let request = at.connected(ReqSocket::builder().recv_hwm(hwm), &endpoint).await;
            request.send("one").await.expect("sent");
            let asked = router.recv().await.expect("received");
            let answer = |body: &str| Message::from([&asked[0], b"", body.as_bytes()]);
            router.send(answer("first")).await.expect("sent");
            for _ in 0..surplus {
                // The queue may be full.
                let _full = router.try_send(answer("stale"));
            }
            assert_eq!(request.recv().await.expect("received"), "first");
            request.send("two").await.expect("in turn");
            router.recv().await.expect("received");
            router.send(answer("second")).await.expect("sent");
            assert_eq!(request.recv().await.expect("received"), "second");
        }
    });
}
