//! Programs that end without having closed their sockets, and processes that fork.
//!
//! Each test runs once more in a process of its own, which plays the program.

#[allow(dead_code, unused_imports, unused_macros, reason = "each test file uses a part")]
mod common;

use std::cell::RefCell;
use std::env;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fork::Fork;
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket};
use monocoque::{Context, MonocoqueError};

/// Where the program sends to.
const TO: &str = "MONOCOQUE_TEST_TO";

/// Starts this test as a program of its own.
fn start(name: &str, to: &str) -> Child {
    Command::new(env::current_exe().expect("a path"))
        .args([name, "--exact", "--nocapture"])
        .env(TO, to)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// In the program: does what it does. Else: starts it, again and again, and receives five messages of each.
fn five_are_delivered(name: &str, program: impl FnOnce(&str)) {
    if let Ok(to) = env::var(TO) {
        return program(&to);
    }
    for _ in 0..5 {
        let pull = PullSocket::new_in(&Context::new().expect("a context")).expect("a socket");
        let endpoint = pull.blocking_bind("tcp://127.0.0.1:0").expect("bound");
        let mut child = start(name, &endpoint.to_string());
        for n in 0..5_u8 {
            let message = pull.blocking_recv_timeout(common::DEADLINE).expect("it is delivered");
            assert_eq!(message[0], [n]);
        }
        assert!(child.wait().expect("it ends").success());
    }
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
fn return_from_main_delivers() {
    five_are_delivered("return_from_main_delivers", |to| drop(send_five_blocking(to)));
}

#[test]
fn exit_with_an_open_socket_delivers() {
    five_are_delivered("exit_with_an_open_socket_delivers", |to| {
        let _open = send_five_blocking(to);
        std::process::exit(0);
    });
}

#[test]
fn end_of_a_multi_thread_tokio_program_delivers() {
    five_are_delivered("end_of_a_multi_thread_tokio_program_delivers", |to| {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
        let to = to.to_owned();
        let sent = runtime.block_on(async { tokio::spawn(async move { send_five(&to).await }).await });
        drop(sent.expect("no panic"));
    });
}

#[test]
fn end_of_a_current_thread_tokio_program_delivers() {
    five_are_delivered("end_of_a_current_thread_tokio_program_delivers", |to| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        drop(runtime.block_on(send_five(to)));
    });
}

#[test]
fn end_of_a_program_waits_no_longer_than_linger() {
    let name = "end_of_a_program_waits_no_longer_than_linger";
    if let Ok(to) = env::var(TO) {
        let push = PushSocket::builder().linger(Some(Duration::from_millis(50))).build().expect("a socket");
        push.blocking_connect(&*to).expect("connected");
        push.try_send("to nobody").expect("queued");
        std::process::exit(0);
    }
    let start_of_it = Instant::now();
    let mut child = start(name, "tcp://127.0.0.1:1");
    assert!(child.wait().expect("it ends").success());
    assert!(start_of_it.elapsed() < Duration::from_secs(20), "its linger is 50 ms, the default 30 s");
}

#[test]
fn destructor_of_a_thread_local_can_send() {
    struct Logger(RefCell<Option<PushSocket>>);
    impl Drop for Logger {
        fn drop(&mut self) {
            if let Some(push) = self.0.take() {
                push.blocking_send("last words").expect("it works here too");
                push.blocking_flush().expect("written");
            }
        }
    }
    thread_local!(static LOGGER: Logger = const { Logger(RefCell::new(None)) });
    let context = Context::new().expect("a context");
    let pull = PullSocket::new_in(&context).expect("a socket");
    let endpoint = pull.blocking_bind("tcp://127.0.0.1:0").expect("bound");
    let ends = std::thread::spawn(move || {
        // Before all other thread-locals, so that it is destroyed after them.
        LOGGER.with(|logger| {
            let push = PushSocket::new_in(&context).expect("a socket");
            push.blocking_connect(endpoint).expect("connected");
            push.blocking_wait_for_peers(1).expect("open");
            logger.0.replace(Some(push));
        });
    });
    ends.join().expect("no panic");
    assert_eq!(pull.blocking_recv_timeout(common::DEADLINE).expect("received"), "last words".into());
}

/// What each call of a child says to a handle of its parent's.
fn all_are_closed(dealer: &DealerSocket, publisher: &PubSocket, subscriber: &SubSocket, context: &Context) {
    let closed = |error: &MonocoqueError| assert!(error.is_closed(), "{error}");
    closed(dealer.try_send("of a child").expect_err("closed").reason());
    closed(dealer.blocking_send("of a child").expect_err("closed").reason());
    closed(dealer.blocking_send_timeout("of a child", Duration::MAX).expect_err("closed").reason());
    closed(&dealer.try_recv().expect_err("closed"));
    closed(&dealer.blocking_recv().expect_err("closed"));
    closed(&dealer.blocking_recv_timeout(Duration::MAX).expect_err("closed"));
    closed(&dealer.blocking_recv_batch(&mut Vec::new(), 9).expect_err("closed"));
    closed(&dealer.blocking_recv_with_peer().expect_err("closed"));
    closed(&dealer.blocking_bind("tcp://127.0.0.1:0").expect_err("closed"));
    closed(&dealer.blocking_unbind("tcp://127.0.0.1:1").expect_err("closed"));
    closed(&dealer.blocking_connect("tcp://127.0.0.1:1").expect_err("closed"));
    closed(&dealer.blocking_disconnect("tcp://127.0.0.1:1").expect_err("closed"));
    closed(&dealer.blocking_wait_for_peers(1).expect_err("closed"));
    closed(&dealer.blocking_flush().expect_err("closed"));
    closed(&dealer.disconnect_peer(0).expect_err("closed"));
    closed(publisher.try_send("of a child").expect_err("closed").reason());
    closed(&publisher.blocking_wait_for_subscriptions(9).expect_err("closed"));
    closed(&subscriber.subscribe("more").expect_err("closed"));
    closed(&subscriber.blocking_recv().expect_err("closed"));
    closed(&monocoque::blocking_proxy(dealer, dealer).expect_err("closed"));
    closed(&PushSocket::new_in(context).expect_err("closed"));
    assert_eq!((dealer.peer_count(), dealer.stats().sent), (0, 0));
    dealer.blocking_close().expect("it is");
    publisher.blocking_close().expect("it is");
    context.blocking_shutdown().expect("it is");
    drop((dealer.clone(), context.clone()));
    // It can have its own.
    let pull = PullSocket::new().expect("a socket in a shared context of its own");
    let endpoint = pull.blocking_bind("tcp://127.0.0.1:0").expect("bound");
    let push = PushSocket::new_in(&Context::new().expect("a context")).expect("a socket");
    push.blocking_connect(endpoint).expect("connected");
    push.blocking_send("within the child").expect("sent");
    assert_eq!(pull.blocking_recv().expect("received"), "within the child".into());
}

#[test]
fn forked_child_finds_its_handles_closed() {
    let name = "forked_child_finds_its_handles_closed";
    if env::var(TO).is_err() {
        let mut child = start(name, "itself");
        common::within(common::DEADLINE, move || assert!(child.wait().expect("it ends").success()));
        return;
    }
    let context = Context::new().expect("a context");
    let router = RouterSocket::new_in(&context).expect("a socket");
    let endpoint = router.blocking_bind("tcp://127.0.0.1:0").expect("bound");
    let dealer = DealerSocket::new().expect("a socket");
    dealer.blocking_connect(endpoint).expect("connected");
    // So that the direct write is open.
    dealer.blocking_send("there").expect("sent");
    let message = router.blocking_recv().expect("received");
    router.blocking_send(message).expect("sent");
    dealer.blocking_recv().expect("received");
    let publisher = PubSocket::new().expect("a socket");
    let endpoint = publisher.blocking_bind("tcp://127.0.0.1:0").expect("bound");
    let subscriber = SubSocket::new().expect("a socket");
    subscriber.subscribe("").expect("open");
    subscriber.blocking_connect(endpoint).expect("connected");
    publisher.blocking_wait_for_subscriptions(1).expect("open");
    match fork::fork().expect("forked") {
        Fork::Child => {
            let shared = Context::shared().expect("a context of its own");
            drop(shared);
            all_are_closed(&dealer, &publisher, &subscriber, &context);
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            let status = fork::waitpid(child).expect("it has ended");
            assert_eq!(status, 0, "no call of the child failed in another way");
            dealer.blocking_send("of the parent").expect("sent");
            assert_eq!(&router.blocking_recv().expect("received")[1], b"of the parent");
            publisher.blocking_send("of the parent").expect("sent");
            assert_eq!(subscriber.blocking_recv().expect("received"), "of the parent".into());
        }
    }
}
