//! The same calls under every executor: tokio with several threads, smol, compio, and none.

use std::thread;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket};
use monocoque::{Context, MonocoqueError};
use testing::{DEADLINE, numbered, within};

const MESSAGES: usize = 5_000;
#[test]
fn tokio_multi_thread_runs_sockets() {
    within(DEADLINE, || {
        let builder = || tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_time().build();
        builder().expect("a runtime").block_on(async {
            let context = Context::new().expect("an I/O thread");
            let other = Context::new().expect("an I/O thread");
            // Tasks may move to another thread at each await.
            tokio::spawn(echo(context.clone(), other.clone())).await.expect("no panic");
            tokio::spawn(push_through_sink_and_batches(context.clone(), other.clone()))
                .await
                .expect("no panic");
            tokio::spawn(publish_through_stream(context.clone(), other.clone())).await.expect("no panic");
            cancel_some_receives(&context, async || tokio::time::sleep(Duration::from_micros(50)).await)
                .await;
            futures::join!(context.shutdown(), other.shutdown());
        });
    });
}

#[test]
fn smol_executor_runs_sockets() {
    within(DEADLINE, || {
        smol::block_on(async {
            let context = Context::new().expect("an I/O thread");
            let other = Context::new().expect("an I/O thread");
            smol::spawn(echo(context.clone(), other.clone())).await;
            smol::spawn(push_through_sink_and_batches(context.clone(), other.clone())).await;
            smol::spawn(publish_through_stream(context.clone(), other.clone())).await;
            cancel_some_receives(&context, async || {
                smol::Timer::after(Duration::from_micros(50)).await;
            })
            .await;
            futures::join!(context.shutdown(), other.shutdown());
        });
    });
}

#[test]
fn compio_and_io_threads_mix() {
    within(DEADLINE, || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let current = Context::current().expect("inside a runtime");
            let io_thread = Context::new().expect("an I/O thread");
            for (one, other) in [
                (&current, &current),
                (&current, &io_thread),
                (&io_thread, &current),
                (&io_thread, &io_thread),
            ] {
                let task = compio::runtime::spawn(echo(one.clone(), other.clone()));
                task.await.expect("no panic");
                push_through_sink_and_batches(one.clone(), other.clone()).await;
                publish_through_stream(one.clone(), other.clone()).await;
            }
            for context in [&current, &io_thread] {
                cancel_some_receives(context, async || compio::time::sleep(Duration::from_micros(50)).await)
                    .await;
            }
            futures::join!(current.shutdown(), io_thread.shutdown());
        });
    });
}

#[test]
fn plain_threads_run_blocking_calls() {
    within(DEADLINE, || {
        let context = Context::new().expect("an I/O thread");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        let sender = thread::spawn(move || {
            let push = PushSocket::new_in(&Context::new()?)?;
            push.blocking().connect(endpoint)?;
            for n in 0..MESSAGES {
                push.blocking().send(numbered(n))?;
            }
            push.blocking().close()
        });
        for n in 0..MESSAGES {
            assert_eq!(pull.blocking().recv().expect("received"), numbered(n));
        }
        sender.join().expect("no panic").expect("sent");
        // Any executor works, even one with nothing but wakers.
        futures::executor::block_on(echo(context.clone(), context.clone()));
        context.blocking_shutdown().expect("called outside the I/O thread");
    });
}

/// Exchanges requests and replies between a DEALER and a ROUTER.
async fn echo(context: Context, other: Context) {
    let router = RouterSocket::new_in(&context).expect("a socket");
    let dealer = DealerSocket::new_in(&other).expect("a socket");
    let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("bound");
    dealer.connect(endpoint).await.expect("connected");
    for n in 0..MESSAGES / 10 {
        dealer.send(numbered(n)).await.expect("sent");
        let (peer, message) = router.recv_from().await.expect("received");
        router.send_to(&peer, message).await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), numbered(n));
    }
    dealer.close().await;
    router.close().await;
}

/// Sends more messages than the queues hold through a sink, and receives them in batches.
async fn push_through_sink_and_batches(context: Context, other: Context) {
    let pull = PullSocket::builder().recv_hwm(10).build_in(&context).expect("a socket");
    let push = PushSocket::builder().send_hwm(10).build_in(&other).expect("a socket");
    push.connect(pull.bind("ipc://*").await.expect("bound")).await.expect("connected");
    let sending = async {
        let mut sink = push.sink();
        for n in 0..MESSAGES {
            sink.feed(numbered(n)).await.expect("sent");
        }
        sink.close().await.expect("closed");
    };
    let receiving = async {
        let mut messages = Vec::new();
        while messages.len() < MESSAGES {
            pull.recv_batch(&mut messages, 100).await.expect("received");
        }
        assert!(messages.into_iter().eq((0..MESSAGES).map(numbered)));
        pull.close().await;
    };
    futures::join!(sending, receiving);
}

/// Publishes two topics, and receives one of them through a stream.
async fn publish_through_stream(context: Context, other: Context) {
    let publisher = PubSocket::builder().nodrop(true).build_in(&context).expect("a socket");
    let subscriber = SubSocket::new_in(&other).expect("a socket");
    subscriber.subscribe("even").expect("open");
    let endpoint = publisher.bind("tcp://127.0.0.1:0").await.expect("bound");
    subscriber.connect(endpoint).await.expect("connected");
    publisher.wait_for_subscriptions(1).await.expect("open");
    let telling = async {
        for n in 0..MESSAGES {
            let topic = if n % 2 == 0 { "even" } else { "odd" };
            publisher.send([topic.to_owned(), n.to_string()]).await.expect("sent");
        }
    };
    let mut events = subscriber.stream();
    let hearing = async {
        for n in (0..MESSAGES).step_by(2) {
            let event = events.next().await.expect("open").expect("received");
            assert_eq!(event, ["even".to_owned(), n.to_string()]);
        }
    };
    futures::join!(telling, hearing);
    publisher.close().await;
}

/// Cancels some receives by timers of the executor.
async fn cancel_some_receives(context: &Context, mut pause: impl AsyncFnMut()) {
    let pull = PullSocket::new_in(context).expect("a socket");
    let push = PushSocket::new_in(context).expect("a socket");
    push.connect(pull.bind("tcp://127.0.0.1:0").await.expect("bound")).await.expect("connected");
    let mut cancelled = 0;
    let mut next = 0;
    for n in 0..MESSAGES / 10 {
        loop {
            let received = {
                let waited = std::pin::pin!(pause());
                match futures::future::select(std::pin::pin!(pull.recv()), waited).await {
                    futures::future::Either::Left((received, _)) => received,
                    futures::future::Either::Right(_) => Err(MonocoqueError::TimedOut),
                }
            };
            match received {
                Ok(message) => {
                    assert_eq!(message, numbered(next), "lost, doubled or out of order");
                    next += 1;
                }
                Err(error) => {
                    assert!(error.is_timeout());
                    cancelled += 1;
                    break;
                }
            }
        }
        push.send(numbered(n)).await.expect("sent");
    }
    while next < MESSAGES / 10 {
        assert_eq!(pull.recv().await.expect("received"), numbered(next));
        next += 1;
    }
    assert!(cancelled > 0);
}
