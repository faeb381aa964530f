//! Embedded contexts: their event loops, threads and ends.

use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};
use monocoque::{Context, Driver, ErrorKind, MonocoqueError, SocketEvent};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use testing::{DEADLINE, numbered, within};

const MESSAGES: usize = 10_000;

/// Runs `body` in an embedded context, within the time limit of a test.
fn embedded<F: Future<Output = ()>>(body: impl FnOnce(Context) -> F + Send + 'static) {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        testing::event_loop::run(&driver, body(context));
    });
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut TaskContext::from_waker(Waker::noop()))
}

/// Turns until there is nothing left to run.
fn settle(driver: &Driver) -> Option<Duration> {
    loop {
        match driver.turn() {
            Some(Duration::ZERO) => {}
            sleep => return sleep,
        }
    }
}

/// Waits for the descriptor. Returns whether it is readable.
fn is_readable(driver: &Driver, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).expect("a short time");
    poll(&mut [PollFd::new(driver, PollFlags::IN)], Some(&limit)).expect("polled") == 1
}

/// A PULL and a PUSH that is connected to it.
async fn pipeline(pull_in: &Context, push_in: &Context) -> (PullSocket, PushSocket) {
    let pull = PullSocket::new_in(pull_in).expect("a socket");
    let push = PushSocket::new_in(push_in).expect("a socket");
    push.connect(pull.bind("tcp://127.0.0.1:0").await.expect("bound")).await.expect("connected");
    (pull, push)
}

async fn exchange_messages(pull: &PullSocket, push: &PushSocket) {
    let send = async {
        for n in 0..MESSAGES {
            push.send(numbered(n)).await.expect("sent");
        }
    };
    let receive = async {
        for n in 0..MESSAGES {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    };
    futures::join!(send, receive);
}

#[test]
fn one_loop_runs_both_ends() {
    embedded(async |context| {
        let (pull, push) = pipeline(&context, &context).await;
        exchange_messages(&pull, &push).await;
        context.shutdown().await;
        assert!(pull.recv().await.expect_err("shut down").is_closed());
    });
}

/// The loop of the documentation, with the waker of the driver for its future.
#[test]
fn driver_waker_wakes_loop() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let waker = driver.waker();
        let mut cx = TaskContext::from_waker(&waker);
        let mut work = pin!(async {
            let (pull, push) = pipeline(&context, &context).await;
            exchange_messages(&pull, &push).await;
            // Woken by another thread, without a connection.
            testing::on_blocking_thread(|| thread::sleep(Duration::from_millis(20))).await;
            context.shutdown().await;
        });
        loop {
            let sleep = driver.turn();
            if work.as_mut().poll(&mut cx).is_ready() {
                break;
            }
            is_readable(&driver, sleep.unwrap_or(DEADLINE * 2));
        }
    });
}

/// Edge-triggered, as event loops of runtimes are, and registered once.
#[test]
fn edge_triggered_epoll_loses_nothing() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let bound = pin!(pull.bind("tcp://127.0.0.1:0"));
        let endpoint = testing::event_loop::run(&driver, bound).expect("bound");
        let sender = thread::spawn(move || {
            let push = PushSocket::new_in(&Context::new().expect("a context")).expect("a socket");
            push.blocking().connect(endpoint).expect("connected");
            for n in 0..MESSAGES {
                push.blocking().send(numbered(n)).expect("sent");
                if n % 100 == 0 {
                    thread::yield_now();
                }
            }
            push.blocking().close().expect("closed");
        });

        let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("a descriptor");
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&set, driver.as_fd(), epoll::EventData::new_u64(0), flags).expect("added");
        let mut received = 0;
        loop {
            let sleep = driver.turn();
            let mut any = false;
            while let Ok(message) = pull.try_recv() {
                assert_eq!(message, numbered(received));
                received += 1;
                any = true;
            }
            if received == MESSAGES {
                break;
            }
            if any || sleep == Some(Duration::ZERO) {
                continue;
            }
            let sleep = sleep.map(|sleep| Timespec::try_from(sleep).expect("a short time"));
            let mut events = Vec::with_capacity(1);
            match epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), sleep.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("{error}"),
            }
        }
        sender.join().expect("no panic");
    });
}

#[test]
fn sockets_work_from_other_threads() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let others = thread::spawn(move || {
            // Made, used and closed on another thread; only that of the driver must not block.
            let pull = PullSocket::new_in(&context).expect("a socket");
            let push = PushSocket::new_in(&context).expect("a socket");
            let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
            push.blocking().connect(endpoint).expect("connected");
            for n in 0..1000 {
                push.blocking().send(numbered(n)).expect("sent");
                assert_eq!(pull.blocking().recv().expect("received"), numbered(n));
            }
            push.blocking().close().expect("closed");
            context.blocking_shutdown().expect("shut down");
        });
        testing::event_loop::run(&driver, testing::eventually("the thread ends", || others.is_finished()));
        others.join().expect("no panic");
    });
}

#[test]
fn blocking_calls_on_driver_thread_fail() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let pull = PullSocket::new_in(&context).expect("a socket");
        for error in [
            pull.blocking().recv().expect_err("it would wait"),
            pull.blocking().bind("tcp://127.0.0.1:0").expect_err("it would wait"),
            pull.blocking().close().expect_err("it would wait"),
            context.blocking_shutdown().expect_err("it would wait"),
        ] {
            assert!(matches!(error, MonocoqueError::WouldDeadlock), "{error}");
            assert_eq!(error.kind(), ErrorKind::WrongThread);
        }
        assert!(pull.try_recv().expect_err("nothing to receive").is_would_block(), "it is open");
        settle(&driver);
    });
}

#[test]
fn driven_close_sends_queued_messages() {
    embedded(async |context| {
        let pull = PullSocket::new_in(&Context::new().expect("a context")).expect("a socket");
        let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
        let push = PushSocket::builder().send_hwm(0).build_in(&context).expect("a socket");
        push.connect(endpoint).await.expect("connected");
        for n in 0..1000 {
            push.send(numbered(n)).await.expect("queued");
        }
        push.close().await;
        for n in 0..1000 {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    });
}

#[test]
fn linger_ends_close_without_peer() {
    embedded(async |context| {
        let push =
            PushSocket::builder().linger(Duration::from_millis(50)).build_in(&context).expect("a socket");
        push.connect("tcp://127.0.0.1:1").await.expect("queued");
        push.send("for nobody").await.expect("queued");
        let start = Instant::now();
        push.close().await;
        assert!(start.elapsed() >= Duration::from_millis(50));
    });
}

#[test]
fn undriven_calls_wait_until_driven() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let mut bind = pin!(pull.bind("tcp://127.0.0.1:0"));
        let mut shutdown = pin!(context.shutdown());
        for _ in 0..100 {
            assert!(poll_once(bind.as_mut()).is_pending());
        }
        settle(&driver);
        assert!(poll_once(bind.as_mut()).is_ready());
        for _ in 0..100 {
            assert!(poll_once(shutdown.as_mut()).is_pending());
        }
        testing::event_loop::run(&driver, shutdown);
    });
}

#[test]
fn dropped_driver_closes_sockets() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let outside = PushSocket::new_in(&Context::new().expect("a context")).expect("a socket");
        let mut monitor = outside.monitor();
        let pull = PullSocket::new_in(&context).expect("a socket");
        testing::event_loop::run(&driver, async {
            let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
            outside.connect(endpoint).await.expect("connected");
            outside.wait_for_peers(1).await.expect("open");
        });
        let waiting = thread::spawn({
            let pull = pull.clone();
            move || pull.blocking().recv()
        });
        drop(driver);
        let ended = waiting.join().expect("no panic");
        assert!(ended.expect_err("the driver is gone").is_closed());
        assert!(block_on(pull.recv()).expect_err("the driver is gone").is_closed());
        block_on(pull.close());
        assert!(PullSocket::new_in(&context).expect_err("the driver is gone").is_closed());
        block_on(context.shutdown());
        block_on(async {
            use futures::StreamExt;
            while !matches!(monitor.next().await.expect("open"), SocketEvent::Disconnected { .. }) {}
        });
    });
}

#[test]
fn panic_drops_driver_without_abort() {
    let outcome = thread::spawn(|| {
        let (context, driver) = Context::embedded().expect("a context");
        testing::event_loop::run(&driver, async {
            let (pull, push) = pipeline(&context, &context).await;
            push.send("x").await.expect("sent");
            pull.recv().await.expect("received");
            std::panic::resume_unwind(Box::new("on purpose"));
        });
    });
    let panic = outcome.join().expect_err("it has panicked");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
}

#[test]
fn two_drivers_share_a_thread() {
    within(DEADLINE, || {
        let (one, first) = Context::embedded().expect("a context");
        let (other, second) = Context::embedded().expect("a context");
        assert_ne!(first.as_raw_fd(), second.as_raw_fd());
        let mut exchange = pin!(async {
            let (pull, push) = pipeline(&one, &other).await;
            exchange_messages(&pull, &push).await;
        });
        while poll_once(exchange.as_mut()).is_pending() {
            first.turn();
            second.turn();
        }
        drop(first);
        assert!(PullSocket::new_in(&one).expect_err("its driver is gone").is_closed());
        let pull = PullSocket::new_in(&other).expect("the other one is there");
        testing::event_loop::run(&second, pull.bind("tcp://127.0.0.1:0")).expect("bound");
    });
}

#[test]
fn driver_works_inside_compio_runtime() {
    within(DEADLINE, || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let current = Context::current().expect("inside a runtime");
            let (context, driver) = Context::embedded().expect("a context");
            let mut exchange = pin!(async {
                let (pull, push) = pipeline(&context, &current).await;
                exchange_messages(&pull, &push).await;
            });
            let driven = async {
                loop {
                    driver.turn();
                    testing::yield_now().await;
                }
            };
            futures::future::select(exchange.as_mut(), pin!(driven)).await;
        });
    });
}

/// A turn within a turn: the waker of a program that drives in it.
#[test]
fn turn_within_turn_does_nothing() {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::task::Wake;

    thread_local! { static DRIVER: RefCell<Option<Driver>> = const { RefCell::new(None) } }
    #[derive(Default)]
    struct Reentrant(std::sync::atomic::AtomicUsize);
    impl Wake for Reentrant {
        fn wake(self: Arc<Self>) {
            DRIVER.with_borrow(|driver| {
                if let Some(driver) = driver {
                    assert_eq!(driver.turn(), Some(Duration::ZERO));
                    self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    }
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        DRIVER.set(Some(driver));
        let pull = PullSocket::new_in(&context).expect("a socket");
        let woken = Arc::new(Reentrant::default());
        let waker = woken.clone().into();
        let mut cx = TaskContext::from_waker(&waker);
        let mut bind = pin!(pull.bind("tcp://127.0.0.1:0"));
        while bind.as_mut().poll(&mut cx).is_pending() {
            DRIVER.with_borrow(|driver| driver.as_ref().map(settle));
        }
        assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed) > 0);
        drop(DRIVER.take());
    });
}

#[test]
fn idle_driver_needs_no_turns() {
    within(DEADLINE, || {
        let (context, driver) = Context::embedded().expect("a context");
        let (pull, push) = testing::event_loop::run(&driver, async {
            let (pull, push) = pipeline(&context, &context).await;
            push.send("x").await.expect("sent");
            pull.recv().await.expect("received");
            (pull, push)
        });
        // Work of the first seconds of a connection, such as giving memory back.
        let mut turns = 0;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            let sleep = settle(&driver).unwrap_or(Duration::MAX);
            turns += 1;
            is_readable(&driver, sleep.min(Duration::from_secs(1)));
        }
        assert!(turns < 40, "{turns} turns in three idle seconds");
        drop((pull, push));
    });
}

#[test]
fn heartbeats_keep_time_in_loop() {
    embedded(async |context| {
        let beat = Duration::from_millis(50);
        let router = RouterSocket::builder().heartbeat_interval(beat).heartbeat_timeout(beat);
        let router = router.build_in(&context).expect("a socket");
        let mut monitor = router.monitor();
        let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("bound");
        let start = Instant::now();
        let silent =
            testing::on_blocking_thread(move || testing::RawPeer::established(&endpoint, "DEALER")).await;
        use futures::StreamExt;
        while !matches!(monitor.next().await.expect("open"), SocketEvent::Disconnected { .. }) {}
        assert!(start.elapsed() >= beat * 2, "too early: {:?}", start.elapsed());
        assert!(start.elapsed() < beat * 20, "too late: {:?}", start.elapsed());
        drop(silent);
    });
}

#[test]
fn timeouts_of_calls_end_in_time() {
    embedded(async |context| {
        let dealer = DealerSocket::builder().recv_timeout(Duration::from_millis(30)).build_in(&context);
        let dealer = dealer.expect("a socket");
        for _ in 0..3 {
            let start = Instant::now();
            assert!(dealer.recv().await.expect_err("nobody sends").is_timeout());
            assert!(start.elapsed() >= Duration::from_millis(30));
            assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        }
    });
}
