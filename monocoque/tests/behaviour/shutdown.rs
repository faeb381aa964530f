//! Shutdown of contexts, and all orders of dropping sockets, contexts and runtimes.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use monocoque::{Context, MonocoqueError};
use testing::{numbered, over_streams};

over_streams! {
    async fn shutdown_closes_sockets_and_flushes(at) {
        let context = match at.placement {
            testing::Placement::Current => Context::current().expect("inside a runtime"),
            testing::Placement::Thread => Context::builder().io_threads(2).build().expect("threads"),
            testing::Placement::Embedded => at.context.clone(),
        };
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut pushes = Vec::new();
        for _ in 0..4 {
            let push = PushSocket::builder().send_hwm(0).build_in(&context).expect("a socket");
            push.connect(endpoint.clone()).await.expect("connected");
            for n in 0..1000 {
                push.send(numbered(n)).await.expect("sent");
            }
            pushes.push(push);
        }
        let idle = PullSocket::new_in(&context).expect("a socket");
        let waiting = idle.recv();
        let receive = async {
            for _ in 0..4000 {
                pull.recv().await.expect("received");
            }
        };
        let (ended, (), ()) = futures::join!(waiting, context.shutdown(), receive);
        assert!(ended.expect_err("closed").is_closed());
        for push in &pushes {
            assert!(push.send("late").await.expect_err("closed").reason().is_closed());
            assert_eq!(push.stats().dropped, 0);
        }
        assert!(matches!(PullSocket::new_in(&context), Err(MonocoqueError::Closed)));
        context.shutdown().await;
    }
}

over_streams! {
    async fn shutdown_timeout_counts_unsent_messages(at) {
        let context = match at.placement {
            testing::Placement::Current => Context::current().expect("inside a runtime"),
            testing::Placement::Thread => Context::new().expect("a thread"),
            testing::Placement::Embedded => at.context.clone(),
        };
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let reached = PushSocket::new_in(&context).expect("a socket");
        reached.connect(endpoint).await.expect("connected");
        reached.send("arrives").await.expect("sent");
        let mut lost = Vec::new();
        for n in 0..3 {
            let push = PushSocket::builder().linger(None).build_in(&context).expect("a socket");
            push.connect(at.unused_endpoint(&format!("nobody-{n}"))).await.expect("connected");
            push.send("lost").await.expect("queued");
            lost.push(push);
        }
        let (unsent, received) = futures::join!(context.shutdown_timeout(Duration::from_millis(100)), pull.recv());
        assert_eq!(unsent, 3);
        assert_eq!(received.expect("received"), "arrives");
        assert!(PushSocket::new_in(&context).expect_err("shut down").is_closed());
    }

    async fn shutdown_timeout_keeps_shorter_linger(at) {
        let context = match at.placement {
            testing::Placement::Current => Context::current().expect("inside a runtime"),
            testing::Placement::Thread => Context::new().expect("a thread"),
            testing::Placement::Embedded => at.context.clone(),
        };
        let push = PushSocket::builder().linger(Some(Duration::ZERO)).build_in(&context).expect("a socket");
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        push.send("lost").await.expect("queued");
        assert_eq!(context.shutdown_timeout(Duration::MAX).await, 1);
    }
}

/// Counts the threads of this process called `name`.
fn threads_named(name: &str) -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("threads")
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

#[test]
fn shutdown_ends_io_threads() {
    // Thread names are cut to 15 bytes; the other tests of this process have at most two threads
    // per context.
    let context = Context::builder().io_threads(5).build().expect("threads");
    let socket = DealerSocket::new_in(&context).expect("a socket");
    assert_eq!(threads_named("monocoque-io-4"), 1);
    block_on(context.shutdown());
    // The system lists a thread for a moment after it was joined.
    block_on(testing::eventually("the peer has disconnected", || threads_named("monocoque-io-4") == 0));
    assert!(block_on(socket.recv()).expect_err("closed").is_closed());
    assert!(block_on(socket.bind("tcp://127.0.0.1:0")).expect_err("closed").is_closed());
}

#[test]
fn shutdown_wakes_hundred_blocked_calls() {
    let context = Context::new().expect("a context");
    let push = PushSocket::new_in(&context).expect("a socket");
    let pull = PullSocket::new_in(&context).expect("a socket");
    let ready = Arc::new(Barrier::new(101));
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let (push, pull, ready) = (push.clone(), pull.clone(), ready.clone());
            thread::spawn(move || {
                ready.wait();
                match n % 2 {
                    0 => block_on(push.send("x")).map_err(MonocoqueError::from),
                    _ => block_on(pull.recv()).map(drop),
                }
            })
        })
        .collect();
    ready.wait();
    block_on(context.shutdown());
    for call in calls {
        assert!(call.join().expect("no panic").expect_err("closed").is_closed());
    }
}

#[test]
fn concurrent_connect_and_close_deliver() {
    let context = Context::new().expect("a context");
    let pull = PullSocket::new_in(&context).expect("a socket");
    let endpoint = block_on(pull.bind("tcp://127.0.0.1:0")).expect("bound");
    let threads: Vec<_> = (0..100)
        .map(|n| {
            let (context, endpoint) = (context.clone(), endpoint.clone());
            thread::spawn(move || {
                let push = PushSocket::new_in(&context).expect("a socket");
                block_on(async {
                    push.connect(endpoint).await.expect("connected");
                    push.send(numbered(n)).await.expect("sent");
                    push.close().await;
                });
            })
        })
        .collect();
    let mut numbers: Vec<_> = (0..100).map(|_| block_on(pull.recv()).expect("received")).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let number =
        |message: &monocoque::Message| std::str::from_utf8(&message[0]).expect("text").parse::<usize>();
    numbers.sort_by_key(|message| number(message).expect("a number"));
    assert!(numbers.iter().enumerate().all(|(n, message)| *message == numbered(n)));
    block_on(context.shutdown());
}

#[test]
fn any_drop_order_is_safe() {
    for order in 0..6 {
        let runtime = compio::runtime::Runtime::new().expect("a runtime");
        let (context, current, push, pull) = runtime.block_on(async {
            let context = Context::new().expect("a context");
            let current = Context::current().expect("inside a runtime");
            let pull = PullSocket::new_in(&context).expect("a socket");
            let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
            let push = PushSocket::builder()
                .linger(Some(Duration::from_secs(1)))
                .build_in(&current)
                .expect("a socket");
            push.connect(endpoint).await.expect("connected");
            push.send("x").await.expect("sent");
            pull.recv().await.expect("received");
            (context, current, push, pull)
        });
        let start = Instant::now();
        match order {
            0 => drop((context, current, push, pull, runtime)),
            1 => drop((runtime, pull, push, current, context)),
            2 => drop((push, runtime, context, pull, current)),
            3 => drop((current, context, runtime, push, pull)),
            4 => {
                block_on(context.shutdown());
                drop((runtime, push, pull));
            }
            _ => {
                drop(runtime);
                // The sockets were closed with their context.
                block_on(current.shutdown());
                block_on(context.shutdown());
                assert!(block_on(push.send("x")).expect_err("closed").reason().is_closed());
            }
        }
        assert!(start.elapsed() < Duration::from_secs(5), "order {order}");
    }
}

testing::embedded! { embedded: shutdown_timeout_keeps_shorter_linger }
