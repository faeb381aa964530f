//! Blocking calls: they park their thread and need no executor.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};
use monocoque::{Context, DriverType, Endpoint, Message, MonocoqueError};
use rustix::time::{ClockId, clock_gettime};
use testing::{DEADLINE, RawPeer, within};

#[test]
fn blocking_threads_share_one_pull() {
    const EACH: usize = 20_000;
    within(DEADLINE, || {
        for driver in [DriverType::IoUring, DriverType::Polling] {
            let context = Context::builder().driver_type(driver).build().expect("an I/O thread");
            let pull = PullSocket::builder().recv_hwm(100).build_in(&context).expect("a socket");
            let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
            let pushes: Vec<_> = (0..4)
                .map(|who| {
                    let (context, endpoint) = (context.clone(), endpoint.clone());
                    thread::spawn(move || {
                        let push = PushSocket::builder().send_hwm(100).build_in(&context).expect("a socket");
                        push.blocking().connect(endpoint).expect("connected");
                        push.blocking().wait_for_peers(1).expect("open");
                        for n in 0..EACH {
                            push.blocking().send([who.to_string(), n.to_string()]).expect("sent");
                        }
                        push.blocking().flush().expect("written");
                        assert_eq!(push.stats().send_queue, 0);
                        push.blocking().close().expect("closed");
                    })
                })
                .collect();
            let pulls = [false, true].map(|batches| {
                let pull = pull.clone();
                thread::spawn(move || {
                    let mut got = Vec::new();
                    loop {
                        let outcome = match batches {
                            true => pull.blocking().recv_batch(&mut got, 50).map(drop),
                            false => pull.blocking().recv().map(|message| got.push(message)),
                        };
                        match outcome {
                            Ok(()) => {}
                            Err(MonocoqueError::Closed) => return got,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            });
            pushes.into_iter().for_each(|push| push.join().expect("sent"));
            while pull.stats().received < 4 * EACH as u64 {
                thread::yield_now();
            }
            pull.blocking().close().expect("closed");
            let mut next = [[0; 4]; 2];
            let mut seen = vec![[false; EACH]; 4];
            for (by, pull) in pulls.into_iter().enumerate() {
                for message in pull.join().expect("received") {
                    let [who, n] = [number(&message, 0), number(&message, 1)];
                    assert!(n >= next[by][who], "out of order");
                    next[by][who] = n + 1;
                    assert!(!std::mem::replace(&mut seen[who][n], true), "twice");
                }
            }
            assert!(seen.concat().into_iter().all(|seen| seen), "each of them");
            context.blocking_shutdown().expect("called outside the I/O thread");
        }
    });
}

#[test]
fn blocking_calls_cover_other_types() {
    within(DEADLINE, || {
        let context = Context::new().expect("an I/O thread");
        let rep = RepSocket::new_in(&context).expect("a socket");
        let endpoint = rep.blocking().bind("ipc://*").expect("bound");
        let server = thread::spawn(move || {
            while let Ok(request) = rep.blocking().recv() {
                rep.blocking().send(request).expect("answered");
            }
        });
        let req = ReqSocket::new_in(&context).expect("a socket");
        req.blocking().connect(endpoint.clone()).expect("connected");
        for n in 0..100 {
            let reply = req.blocking().request(n.to_string()).expect("answered");
            assert_eq!(number(&reply, 0), n);
        }
        req.blocking().disconnect(endpoint).expect("it was connected");

        let router = RouterSocket::new_in(&context).expect("a socket");
        let endpoint = router.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        let dealer = DealerSocket::builder().routing_id("me").build_in(&context).expect("a socket");
        dealer.blocking().connect(endpoint.clone()).expect("connected");
        dealer.blocking().send("hello").expect("sent");
        let (peer, message) = router.blocking().recv_from().expect("received");
        router.blocking().send_to(&peer, message).expect("sent");
        assert_eq!(dealer.blocking().recv().expect("received"), "hello");
        router.blocking().unbind(endpoint.clone()).expect("it was bound");
        router.blocking().bind(endpoint).expect("free again");

        let publisher = PubSocket::new_in(&context).expect("a socket");
        let endpoint = publisher.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        let subscriber = SubSocket::new_in(&context).expect("a socket");
        subscriber.subscribe("news").expect("open");
        subscriber.blocking().connect(endpoint).expect("connected");
        publisher.blocking().wait_for_subscriptions(1).expect("open");
        publisher.blocking().send("news").expect("sent");
        assert_eq!(subscriber.blocking().recv().expect("received"), "news");

        context.blocking_shutdown().expect("called outside the I/O thread");
        server.join().expect("ended by the shutdown");
    });
}

#[test]
fn blocking_timeout_uses_no_cpu() {
    const LIMIT: Duration = Duration::from_millis(300);
    within(DEADLINE, || {
        let context = Context::new().expect("an I/O thread");
        let limited = DealerSocket::builder().send_timeout(Some(LIMIT)).recv_timeout(Some(LIMIT));
        let dealer = limited.build_in(&context).expect("a socket");
        let (start, busy) = (Instant::now(), processor_time());
        assert!(dealer.blocking().recv().expect_err("no peer").is_timeout());
        assert!(dealer.blocking().recv_batch(&mut Vec::new(), 10).expect_err("no peer").is_timeout());
        let error = dealer.blocking().send("one").expect_err("no peer");
        assert!(error.reason().is_timeout());
        assert_eq!(error.into_message(), "one");
        assert!(start.elapsed() >= 3 * LIMIT);
        let busy = processor_time() - busy;
        assert!(busy < LIMIT / 10, "the thread was busy for {busy:?}");
    });
}

#[test]
fn close_wakes_blocked_threads() {
    within(DEADLINE, || {
        let context = Context::new().expect("an I/O thread");
        let dealer = DealerSocket::new_in(&context).expect("a socket");
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        let receiver = spawn("waits-to-recv").spawn({
            let dealer = dealer.clone();
            move || dealer.blocking().recv()
        });
        let sender = spawn("waits-to-send").spawn({
            let dealer = dealer.clone();
            move || dealer.blocking().send("never")
        });
        let (receiver, sender) = (receiver.expect("a thread"), sender.expect("a thread"));
        while !is_asleep("waits-to-recv") || !is_asleep("waits-to-send") {
            thread::yield_now();
        }
        dealer.blocking().close().expect("called outside the I/O thread");
        assert!(receiver.join().expect("no panic").expect_err("closed").is_closed());
        let error = sender.join().expect("no panic").expect_err("closed");
        assert!(error.reason().is_closed());
        assert_eq!(error.into_message(), "never");
    });
}

/// Calls that would block the I/O thread they wait for return an error; from another thread they
/// succeed.
#[test]
fn blocking_in_runtime_would_deadlock() {
    within(DEADLINE, || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let context = Context::current().expect("inside a runtime");
            let router = RouterSocket::new_in(&context).expect("a socket");
            assert_deadlock(router.blocking().bind("tcp://127.0.0.1:0"));
            let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("bound");
            assert_deadlock(router.blocking().unbind(endpoint.clone()));
            assert_deadlock(router.blocking().recv());
            assert_deadlock(router.blocking().recv_timeout(DEADLINE));
            assert_deadlock(monocoque::blocking_proxy(&router, &router));
            assert_deadlock(router.blocking().recv_from());
            assert_deadlock(router.blocking().recv_from_timeout(DEADLINE));
            assert_deadlock(router.blocking().recv_with_peer());
            assert_deadlock(router.blocking().recv_with_peer_timeout(DEADLINE));
            assert_deadlock(router.blocking().recv_batch(&mut Vec::new(), 1));
            assert_deadlock(router.blocking().recv_batch_timeout(&mut Vec::new(), 1, DEADLINE));
            assert_deadlock(router.blocking().wait_for_peers(1));
            assert_deadlock(router.blocking().wait_for_peers_timeout(1, DEADLINE));
            assert_deadlock(router.blocking().flush());
            assert_deadlock(router.blocking().flush_timeout(DEADLINE));
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            assert_deadlock(router.blocking().bind_fd(listener));
            assert_deadlock(router.blocking().close());
            assert_deadlock(context.blocking_shutdown());
            let error = router.blocking().send_to("peer", "body").expect_err("called on the I/O thread");
            assert!(matches!(error.reason(), MonocoqueError::WouldDeadlock));
            assert_eq!(error.into_message(), "body");
            let error = router.blocking().send(["peer", "body"]).expect_err("called on the I/O thread");
            assert_eq!(error.into_message(), ["peer", "body"]);
            let req = ReqSocket::new_in(&context).expect("a socket");
            assert_deadlock(req.blocking().request("question"));
            assert_deadlock(req.blocking().request_timeout("question", DEADLINE));
            let publisher = PubSocket::new_in(&context).expect("a socket");
            assert_deadlock(publisher.blocking().wait_for_subscriptions(1));
            assert_deadlock(publisher.blocking().wait_for_subscriptions_timeout(1, DEADLINE));

            // Another thread can wait for work of this one.
            let other_thread = thread::spawn(move || {
                let dealer = DealerSocket::new_in(&Context::new()?)?;
                dealer.blocking().connect(endpoint)?;
                dealer.blocking().send("hello")?;
                let answer = dealer.blocking().recv()?;
                dealer.blocking().close()?;
                Ok::<_, MonocoqueError>(answer)
            });
            let (peer, message) = router.recv_from().await.expect("received");
            let clone = router.clone();
            let (sent, sends) = futures::channel::oneshot::channel();
            thread::spawn(move || sent.send(clone.blocking().send_to(&peer, message)));
            sends.await.expect("no panic").expect("sent by the other thread");
            router.close().await;
            assert_eq!(other_thread.join().expect("no panic").expect("answered"), "hello");
        });
    });
}

fn assert_deadlock<T: std::fmt::Debug>(outcome: Result<T, MonocoqueError>) {
    assert!(matches!(outcome, Err(MonocoqueError::WouldDeadlock)), "{outcome:?}");
}

/// Returns true if the thread named `name` is asleep.
fn is_asleep(name: &str) -> bool {
    let is = |path: &Path| {
        let read = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
        read("comm").trim_end() == name && read("stat").contains(") S ")
    };
    fs::read_dir("/proc/self/task").expect("a directory").flatten().any(|thread| is(&thread.path()))
}

/// CPU time used by this thread.
fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

fn number(message: &Message, frame: usize) -> usize {
    std::str::from_utf8(&message[frame]).expect("text").parse().expect("a number")
}

#[test]
fn blocking_call_timeout_overrides_option() {
    let context = Context::new().expect("a context");
    let long = Some(Duration::from_secs(3600));
    let pull = PullSocket::builder().recv_timeout(long).build_in(&context).expect("a socket");
    let push = PushSocket::builder().send_timeout(long).build_in(&context).expect("a socket");
    let started = Instant::now();
    let short = Duration::from_millis(30);
    assert!(pull.blocking().recv_timeout(short).expect_err("nothing was sent").is_timeout());
    let error = push.blocking().send_timeout("x", short).expect_err("no peer");
    assert!(error.reason().is_timeout());
    assert_eq!(error.into_message(), "x");
    assert!(started.elapsed() >= 2 * short && started.elapsed() < DEADLINE);
    let endpoint = pull.blocking().bind("inproc://bounded").expect("bound");
    push.blocking().connect(endpoint).expect("connected");
    push.blocking().send_timeout("y", Duration::ZERO).expect("not full");
    assert_eq!(pull.blocking().recv_timeout(Duration::ZERO).expect("a message is queued"), "y");
    let receiver = std::thread::spawn(move || pull.blocking().recv_timeout(DEADLINE).expect("in time"));
    push.blocking().send_timeout("z", DEADLINE).expect("sent");
    assert_eq!(receiver.join().expect("received"), "z");
}

#[test]
fn blocking_waits_end_after_their_timeout() {
    fn assert_late<T: std::fmt::Debug>(outcome: Result<T, MonocoqueError>) {
        assert!(matches!(outcome, Err(MonocoqueError::TimedOut)), "{outcome:?}");
    }
    within(DEADLINE, || {
        let context = Context::new().expect("a context");
        let short = Duration::from_millis(5);
        let router = RouterSocket::builder().router_mandatory(true).send_hwm(1).recv_hwm(1);
        let router = router.build_in(&context).expect("a socket");
        let publisher = PubSocket::new_in(&context).expect("a socket");
        let req = ReqSocket::new_in(&context).expect("a socket");
        assert_late(router.blocking().wait_for_peers_timeout(1, short));
        assert_late(publisher.blocking().wait_for_subscriptions_timeout(1, short));
        assert_late(router.blocking().recv_from_timeout(short));
        assert_late(router.blocking().recv_with_peer_timeout(short));
        assert_late(router.blocking().recv_batch_timeout(&mut Vec::new(), 1, short));
        assert_late(req.blocking().request_timeout("no peer", short));

        // A peer that shakes hands and reads nothing more.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = Endpoint::from(listener.local_addr().expect("an address"));
        router.blocking().connect_as(endpoint, "deaf").expect("connected");
        let mut peer = RawPeer::Tcp(listener.accept().expect("a connection").0);
        peer.shake_hands("DEALER", b"");
        router.blocking().wait_for_peers_timeout(1, DEADLINE).expect("a peer");
        let large = vec![0; 8 << 20];
        let error = loop {
            match router.blocking().send_to_timeout("deaf", large.clone(), short) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert!(error.reason().is_timeout(), "{error}");
        assert_late(router.blocking().flush_timeout(short));
        drop(peer);
    });
}

#[test]
fn blocking_close_within_counts_unsent() {
    within(DEADLINE, || {
        let context = Context::new().expect("an I/O thread");
        let lost = || {
            let push = PushSocket::builder().linger(None).build_in(&context).expect("a socket");
            push.blocking().connect("ipc:///nowhere/nobody").expect("connected");
            push.blocking().send("lost").expect("queued");
            push
        };
        assert_eq!(lost().blocking().close_within(Duration::from_millis(10)).expect("closed"), 1);
        let open = [lost(), lost()];
        assert_eq!(context.blocking_shutdown_timeout(Duration::from_millis(10)).expect("ended"), 2);
        drop(open);
    });
}
