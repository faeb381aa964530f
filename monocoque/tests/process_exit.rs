//! Programs that exit without closing their sockets, and processes that fork.
//!
//! Each test runs again as a child process, which is the program under test.

use std::cell::RefCell;
use std::env;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use futures::executor::block_on;
use futures::stream::FusedStream;
use futures::{SinkExt, StreamExt};
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket};
use monocoque::{Context, Events, MonocoqueError, PollItem, Proxy, SocketEvent, poll};
use testing::AtOnce;

/// Environment variable with the endpoint that the program sends to.
const TO: &str = "MONOCOQUE_TEST_TO";

/// Starts this test as a child process.
fn start(name: &str, to: &str) -> Child {
    Command::new(env::current_exe().expect("a path"))
        .args([name, "--exact", "--nocapture"])
        .env(TO, to)
        .stdout(Stdio::null())
        .spawn()
        .expect("the process starts")
}

/// Runs `program` in the child process. In the parent, starts the child five times and receives
/// five messages of each.
fn assert_five_delivered(name: &str, program: impl FnOnce(&str)) {
    if let Ok(to) = env::var(TO) {
        return program(&to);
    }
    for _ in 0..5 {
        let pull = PullSocket::new_in(&Context::new().expect("a context")).expect("a socket");
        let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        let mut child = start(name, &endpoint.to_string());
        for n in 0..5_u8 {
            let message = pull.blocking().recv_timeout(testing::DEADLINE).expect("delivered");
            assert_eq!(message[0], [n]);
        }
        assert!(child.wait().expect("the process ends").success());
    }
}

/// Returns whether this is the child process. In the parent, starts it and waits for its success.
fn is_child(name: &str) -> bool {
    if env::var(TO).is_ok() {
        return true;
    }
    let mut child = start(name, "itself");
    testing::within(testing::DEADLINE, move || assert!(child.wait().expect("the process ends").success()));
    false
}

async fn send_five(to: &str) -> PushSocket {
    let push = PushSocket::new().expect("a socket");
    push.connect(to).await.expect("connected");
    for n in 0..5_u8 {
        push.send(&[n]).await.expect("sent");
    }
    push
}

fn send_five_blocking(to: &str) -> PushSocket {
    monocoque_core::block_on(send_five(to))
}

#[test]
fn main_return_delivers_queued_messages() {
    assert_five_delivered("main_return_delivers_queued_messages", |to| drop(send_five_blocking(to)));
}

#[test]
fn process_exit_delivers_queued_messages() {
    assert_five_delivered("process_exit_delivers_queued_messages", |to| {
        let _open = send_five_blocking(to);
        std::process::exit(0);
    });
}

#[test]
fn tokio_multi_thread_exit_delivers() {
    assert_five_delivered("tokio_multi_thread_exit_delivers", |to| {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
        let to = to.to_owned();
        let sent = runtime.block_on(async { tokio::spawn(async move { send_five(&to).await }).await });
        drop(sent.expect("no panic"));
    });
}

#[test]
fn tokio_current_thread_exit_delivers() {
    assert_five_delivered("tokio_current_thread_exit_delivers", |to| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        drop(runtime.block_on(send_five(to)));
    });
}

#[test]
fn program_exit_respects_linger() {
    let name = "program_exit_respects_linger";
    if let Ok(to) = env::var(TO) {
        let push = PushSocket::builder().linger(Some(Duration::from_millis(50))).build().expect("a socket");
        push.blocking().connect(&*to).expect("connected");
        push.try_send("to nobody").expect("queued");
        std::process::exit(0);
    }
    let start_of_it = Instant::now();
    let mut child = start(name, "tcp://127.0.0.1:1");
    assert!(child.wait().expect("the process ends").success());
    assert!(start_of_it.elapsed() < Duration::from_secs(20), "it lingered for more than its 50 ms");
}

#[test]
fn thread_local_destructor_can_send() {
    struct Logger(RefCell<Option<PushSocket>>);
    impl Drop for Logger {
        fn drop(&mut self) {
            if let Some(push) = self.0.take() {
                push.blocking().send("last words").expect("sending works in a destructor");
                push.blocking().flush().expect("written");
            }
        }
    }
    thread_local!(static LOGGER: Logger = const { Logger(RefCell::new(None)) });
    let context = Context::new().expect("a context");
    let pull = PullSocket::new_in(&context).expect("a socket");
    let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
    let ends = std::thread::spawn(move || {
        // Initialized before all other thread-locals, so that it is destroyed after them.
        LOGGER.with(|logger| {
            let push = PushSocket::new_in(&context).expect("a socket");
            push.blocking().connect(endpoint).expect("connected");
            push.blocking().wait_for_peers(1).expect("open");
            logger.0.replace(Some(push));
        });
    });
    ends.join().expect("no panic");
    assert_eq!(pull.blocking().recv_timeout(testing::DEADLINE).expect("received"), "last words");
}

/// Asserts that each call of a child on a handle of its parent fails as closed.
fn assert_all_closed(
    dealer: &DealerSocket,
    publisher: &PubSocket,
    subscriber: &SubSocket,
    context: &Context,
) {
    let closed = |error: &MonocoqueError| assert!(error.is_closed(), "{error}");
    closed(dealer.try_send("of a child").expect_err("closed").reason());
    closed(dealer.blocking().send("of a child").expect_err("closed").reason());
    closed(dealer.blocking().send_timeout("of a child", Duration::MAX).expect_err("closed").reason());
    closed(&dealer.try_recv().expect_err("closed"));
    closed(&dealer.blocking().recv().expect_err("closed"));
    closed(&dealer.blocking().recv_timeout(Duration::MAX).expect_err("closed"));
    closed(&dealer.blocking().recv_batch(&mut Vec::new(), 9).expect_err("closed"));
    closed(&dealer.blocking().recv_with_peer().expect_err("closed"));
    closed(&dealer.blocking().bind("tcp://127.0.0.1:0").expect_err("closed"));
    closed(&dealer.blocking().unbind("tcp://127.0.0.1:1").expect_err("closed"));
    closed(&dealer.blocking().connect("tcp://127.0.0.1:1").expect_err("closed"));
    closed(&dealer.blocking().disconnect("tcp://127.0.0.1:1").expect_err("closed"));
    closed(&dealer.blocking().wait_for_peers(1).expect_err("closed"));
    closed(&dealer.blocking().flush().expect_err("closed"));
    closed(&dealer.disconnect_peer(0).expect_err("closed"));
    closed(&dealer.events().expect_err("closed"));
    closed(&poll(&mut [PollItem::socket(dealer, Events::ALL)], None).expect_err("closed"));
    let _own = dealer.descriptor().expect("of a closed socket");
    closed(publisher.try_send("of a child").expect_err("closed").reason());
    closed(&publisher.blocking().wait_for_subscriptions(9).expect_err("closed"));
    closed(&subscriber.subscribe("more").expect_err("closed"));
    closed(&subscriber.blocking().recv().expect_err("closed"));
    closed(&monocoque::blocking_proxy(dealer, dealer).expect_err("closed"));
    closed(&PushSocket::new_in(context).expect_err("closed"));
    assert_eq!((dealer.peer_count(), dealer.stats().sent), (0, 0));
    dealer.blocking().close().expect("already closed");
    publisher.blocking().close().expect("already closed");
    context.blocking_shutdown().expect("already closed");
    drop((dealer.clone(), context.clone()));
    // The child can create sockets of its own.
    let pull = PullSocket::new().expect("a socket in a shared context of its own");
    let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
    let push = PushSocket::new_in(&Context::new().expect("a context")).expect("a socket");
    push.blocking().connect(endpoint).expect("connected");
    push.blocking().send("within the child").expect("sent");
    assert_eq!(pull.blocking().recv().expect("received"), "within the child");
}

#[test]
fn forked_child_handles_are_closed() {
    if !is_child("forked_child_handles_are_closed") {
        return;
    }
    let context = Context::new().expect("a context");
    let router = RouterSocket::new_in(&context).expect("a socket");
    let endpoint = router.blocking().bind("tcp://127.0.0.1:0").expect("bound");
    let dealer = DealerSocket::new().expect("a socket");
    dealer.blocking().connect(endpoint).expect("connected");
    // Makes the direct write available.
    dealer.blocking().send("there").expect("sent");
    let message = router.blocking().recv().expect("received");
    router.blocking().send(message).expect("sent");
    dealer.blocking().recv().expect("received");
    let publisher = PubSocket::new().expect("a socket");
    let endpoint = publisher.blocking().bind("tcp://127.0.0.1:0").expect("bound");
    let subscriber = SubSocket::new().expect("a socket");
    subscriber.subscribe("").expect("open");
    subscriber.blocking().connect(endpoint).expect("connected");
    publisher.blocking().wait_for_subscriptions(1).expect("open");
    // The descriptors of readiness, and of this thread, exist before the fork.
    let wakes_up = |router: &RouterSocket, dealer: &DealerSocket| {
        let mut items = [PollItem::socket(router, Events::READABLE)];
        assert_eq!(poll(&mut items, Duration::from_millis(1)).expect("polled"), 0);
        dealer.blocking().send("wake up").expect("sent");
        assert_eq!(poll(&mut items, testing::DEADLINE).expect("polled"), 1);
        router.try_recv().expect("received");
    };
    let _descriptor = dealer.descriptor().expect("made");
    wakes_up(&router, &dealer);
    match fork::fork().expect("forked") {
        Fork::Child => {
            let shared = Context::shared().expect("a context of its own");
            let (router, own) = (RouterSocket::new_in(&shared), DealerSocket::new_in(&shared));
            let (router, own) = (router.expect("a socket"), own.expect("a socket"));
            own.blocking()
                .connect(router.blocking().bind("inproc://child").expect("bound"))
                .expect("connected");
            wakes_up(&router, &own);
            drop((router, own, shared));
            assert_all_closed(&dealer, &publisher, &subscriber, &context);
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            wakes_up(&router, &dealer);
            let status = fork::waitpid(child).expect("the child has ended");
            assert_eq!(status, 0, "a call of the child failed differently");
            wakes_up(&router, &dealer);
            dealer.blocking().send("of the parent").expect("sent");
            assert_eq!(&router.blocking().recv().expect("received")[1], b"of the parent");
            publisher.blocking().send("of the parent").expect("sent");
            assert_eq!(subscriber.blocking().recv().expect("received"), "of the parent");
        }
    }
}

fn is_closed<T>(result: Result<T, MonocoqueError>) -> bool {
    result.is_err_and(|error| error.is_closed())
}

#[test]
fn forked_child_does_not_drive() {
    if !is_child("forked_child_does_not_drive") {
        return;
    }
    let (context, driver) = Context::embedded().expect("a context");
    let pull = PullSocket::new_in(&context).expect("a socket");
    let push = PushSocket::new_in(&context).expect("a socket");
    testing::event_loop::run(&driver, async {
        let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
    });
    match fork::fork().expect("forked") {
        Fork::Child => {
            assert_eq!(driver.turn(), None);
            assert!(is_closed(pull.try_recv()));
            assert!(PullSocket::new_in(&context).is_err_and(|error| error.is_closed()));
            drop((pull, push, driver));
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            assert_eq!(fork::waitpid(child).expect("the child has ended"), 0, "the child has failed");
            testing::event_loop::run(&driver, async {
                push.send("of the parent").await.expect("sent");
                assert_eq!(pull.recv().await.expect("received"), "of the parent");
            });
        }
    }
}

#[test]
fn forked_child_futures_are_closed() {
    if !is_child("forked_child_futures_are_closed") {
        return;
    }
    let context = Context::new().expect("a context");
    let dealer = DealerSocket::new_in(&context).expect("a socket");
    let mut monitor = dealer.monitor();
    let endpoint = dealer.blocking().bind("tcp://127.0.0.1:0").expect("bound");
    let peer = DealerSocket::new_in(&context).expect("a socket");
    peer.blocking().connect(endpoint).expect("connected");
    dealer.blocking().wait_for_peers(1).expect("open");
    let lonely = PushSocket::builder().send_hwm(1).build_in(&context).expect("a socket");
    lonely.blocking().connect("inproc://later").expect("connected");
    lonely.try_send("first").expect("queued");
    let (pull, push) = (PullSocket::new_in(&context), PushSocket::new_in(&context));
    let (pull, push) = (pull.expect("a socket"), push.expect("a socket"));
    let proxy = Proxy::new(&pull, &push);
    let control = proxy.control();
    // This socket lingers.
    let ending = Context::new().expect("a context");
    let leaving = PushSocket::new_in(&ending).expect("a socket");
    let receiver = PullSocket::new_in(&context).expect("a socket");
    let nowhere = receiver.blocking().bind("tcp://127.0.0.1:0").expect("bound");
    receiver.blocking().unbind(nowhere.clone()).expect("bound");
    leaving.blocking().connect(nowhere.clone()).expect("connected");
    leaving.try_send("last").expect("queued");

    let mut stream = dealer.stream();
    let mut sink = lonely.sink();
    assert!(stream.next().at_once().is_none());
    let mut recv = Box::pin(dealer.recv());
    let mut recv_timeout = Box::pin(dealer.recv_timeout(testing::DEADLINE));
    let mut recv_with_peer = Box::pin(dealer.recv_with_peer());
    let mut messages = Vec::new();
    let mut recv_batch = Box::pin(dealer.recv_batch(&mut messages, 9));
    let mut send = Box::pin(lonely.send("second"));
    let mut send_timeout = Box::pin(lonely.send_timeout("third", testing::DEADLINE));
    let mut wait = Box::pin(dealer.wait_for_peers(9));
    let mut readable = Box::pin(dealer.readable());
    let mut writable = Box::pin(lonely.writable());
    let mut bind = Box::pin(dealer.bind("tcp://localhost:0"));
    let mut run = Box::pin(proxy.run());
    let mut close = Box::pin(leaving.close());
    let mut shutdown = Box::pin(ending.shutdown());
    assert!(recv.as_mut().at_once().is_none());
    assert!(recv_timeout.as_mut().at_once().is_none());
    assert!(recv_with_peer.as_mut().at_once().is_none());
    assert!(recv_batch.as_mut().at_once().is_none());
    assert!(send.as_mut().at_once().is_none());
    assert!(send_timeout.as_mut().at_once().is_none());
    assert!(sink.feed("fourth").at_once().is_some_and(|kept| kept.is_ok()));
    assert!(sink.flush().at_once().is_none());
    assert!(wait.as_mut().at_once().is_none());
    assert!(readable.as_mut().at_once().is_none());
    assert!(writable.as_mut().at_once().is_none());
    assert!(run.as_mut().at_once().is_none());
    assert!(close.as_mut().at_once().is_none());
    assert!(shutdown.as_mut().at_once().is_none());
    // A fast I/O thread may have completed the bind already.
    let binds = bind.as_mut().at_once().is_none();

    // Locks held by another thread during the fork are never released in the child.
    let is_over = Arc::new(AtomicBool::new(false));
    let busy = {
        let (is_over, sockets) = (is_over.clone(), (dealer.clone(), lonely.clone(), leaving.clone()));
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let (dealer, lonely, leaving) = &sockets;
                let _stats = (dealer.stats(), lonely.stats(), leaving.stats(), control.stats());
            }
        })
    };
    for _ in 0..20 {
        if let Fork::Parent(child) = fork::fork().expect("forked") {
            assert_eq!(
                fork::waitpid(child).expect("the child has ended"),
                0,
                "a call of the child failed differently"
            );
            continue;
        }
        assert!(matches!(stream.next().at_once(), Some(None)));
        assert!(stream.is_terminated());
        assert!(matches!(monitor.next().at_once(), Some(None)), "events of the parent");
        assert!(recv.as_mut().at_once().is_some_and(is_closed));
        assert!(recv_timeout.as_mut().at_once().is_some_and(is_closed));
        assert!(recv_with_peer.as_mut().at_once().is_some_and(is_closed));
        assert!(recv_batch.as_mut().at_once().is_some_and(is_closed));
        let sent = send.as_mut().at_once().expect("at once").expect_err("closed");
        assert!(sent.reason().is_closed());
        assert_eq!(sent.into_message(), "second");
        assert!(send_timeout.as_mut().at_once().is_some_and(|sent| sent.is_err()));
        assert!(sink.flush().at_once().is_some_and(is_closed));
        assert_eq!(sink.take_unsent(), Some("fourth".into()));
        assert!(sink.feed("of a child").at_once().is_some_and(is_closed));
        assert!(sink.close().at_once().is_some_and(|closed| closed.is_ok()));
        assert!(wait.as_mut().at_once().is_some_and(is_closed));
        assert!(readable.as_mut().at_once().is_some_and(is_closed));
        assert!(writable.as_mut().at_once().is_some_and(is_closed));
        assert!(run.as_mut().at_once().is_some_and(is_closed));
        assert!(!binds || bind.as_mut().at_once().is_some_and(is_closed));
        assert!(close.as_mut().at_once().is_some());
        assert!(shutdown.as_mut().at_once().is_some());
        drop((recv, recv_timeout, recv_with_peer, recv_batch, send, send_timeout));
        drop((wait, readable, writable, run, bind, close, shutdown, stream, sink, monitor));
        std::process::exit(0);
    }
    is_over.store(true, Ordering::Relaxed);
    busy.join().expect("no panic");

    // The parent is not affected.
    assert!(matches!(block_on(monitor.next()), Some(SocketEvent::Listening { .. })));
    for n in ["1", "2", "3", "4", "5"] {
        peer.blocking().send(n).expect("sent");
    }
    block_on(readable).expect("open");
    assert_eq!(block_on(stream.next()).expect("open").expect("received"), "1");
    assert_eq!(block_on(recv).expect("received"), "2");
    assert_eq!(block_on(recv_timeout).expect("received"), "3");
    assert_eq!(block_on(recv_with_peer).expect("received").0, "4");
    assert_eq!(block_on(recv_batch).expect("received"), 1);
    let later = PullSocket::new_in(&context).expect("a socket");
    later.blocking().bind("inproc://later").expect("bound");
    block_on(send).expect("sent");
    block_on(send_timeout).expect("sent");
    block_on(sink.flush()).expect("sent");
    block_on(writable).expect("open");
    for message in ["first", "second", "third", "fourth"] {
        assert_eq!(later.blocking().recv().expect("received"), message);
    }
    if binds {
        block_on(bind).expect("bound");
    }
    receiver.blocking().bind(nowhere).expect("bound");
    assert_eq!(receiver.blocking().recv().expect("received"), "last");
    block_on(close);
    block_on(shutdown);
    assert!(wait.at_once().is_none() && run.at_once().is_none());
}
