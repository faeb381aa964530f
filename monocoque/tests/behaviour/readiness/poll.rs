//! `poll`: several sockets and descriptors on a thread without an executor.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket};
use monocoque::{Context, DriverType, Events, MonocoqueError, PollItem, poll};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use testing::{DEADLINE, numbered, within};

fn contexts() -> [Context; 2] {
    [DriverType::IoUring, DriverType::Polling]
        .map(|driver| Context::builder().driver_type(driver).build().expect("made"))
}

#[test]
fn poll_reports_each_ready_item() {
    within(DEADLINE, || {
        for context in contexts() {
            let pull = PullSocket::new_in(&context).expect("a socket");
            let sub = SubSocket::new_in(&context).expect("a socket");
            let push = PushSocket::new_in(&context).expect("a socket");
            let publisher = PubSocket::new_in(&context).expect("a socket");
            let (mut writer, reader) = UnixStream::pair().expect("a pair");
            push.blocking().connect(pull.blocking().bind("tcp://127.0.0.1:0").expect("bound")).expect("made");
            sub.blocking().connect(publisher.blocking().bind("ipc://*").expect("bound")).expect("made");
            sub.subscribe("").expect("open");
            publisher.blocking().wait_for_subscriptions(1).expect("open");
            let mut items = [
                PollItem::socket(&pull, Events::READABLE),
                PollItem::socket(&sub, Events::READABLE),
                PollItem::descriptor(&reader, Events::READABLE),
            ];
            assert_eq!(poll(&mut items, Duration::ZERO).expect("polled"), 0);
            let feed = |which: usize| match which {
                0 => push.blocking().send("job").expect("sent"),
                1 => publisher.blocking().send("news").expect("sent"),
                _ => writer.write_all(b"x").expect("written"),
            };
            let mut feed = feed;
            for which in [0, 1, 2, 1, 0] {
                thread::scope(|scope| {
                    scope.spawn(|| feed(which));
                    assert_eq!(poll(&mut items, None).expect("polled"), 1);
                });
                let ready: Vec<_> = items.iter().map(PollItem::is_readable).collect();
                assert_eq!(ready, (0..3).map(|item| item == which).collect::<Vec<_>>());
                match which {
                    0 => drop(pull.try_recv().expect("received")),
                    1 => drop(sub.try_recv().expect("received")),
                    _ => drop((&reader).read(&mut [0]).expect("read")),
                }
            }
            drop(writer);
            assert_eq!(poll(&mut items, None).expect("polled"), 1);
            assert!(items[2].has_error(), "the other end is closed");
        }
    });
}

#[test]
fn poll_timeout_ends_wait() {
    within(DEADLINE, || {
        let pull = PullSocket::new_in(&Context::new().expect("made")).expect("a socket");
        let limit = Duration::from_millis(30);
        let began = Instant::now();
        assert_eq!(poll(&mut [PollItem::socket(&pull, Events::ALL)], limit).expect("polled"), 0);
        assert!(began.elapsed() >= limit);
        assert_eq!(poll(&mut [], limit).expect("polled"), 0);
        assert!(began.elapsed() >= 2 * limit);
        let ignored = &mut [PollItem::socket(&pull, Events::NONE)];
        assert_eq!(poll(ignored, limit).expect("polled"), 0);
    });
}

#[test]
fn poll_of_writable_waits_for_room() {
    within(DEADLINE, || {
        for context in contexts() {
            let push = PushSocket::builder().send_hwm(1).build_in(&context).expect("a socket");
            assert_eq!(poll(&mut [PollItem::socket(&push, Events::ALL)], Duration::ZERO).expect("polled"), 0);
            thread::scope(|scope| {
                scope.spawn(|| push.blocking().connect("tcp://127.0.0.1:9").expect("made"));
                let mut items = [PollItem::socket(&push, Events::ALL)];
                assert_eq!(poll(&mut items, Duration::MAX).expect("polled"), 1);
                assert_eq!(items[0].events(), Events::WRITABLE);
            });
            push.blocking().close_within(Duration::ZERO).expect("closed");
        }
    });
}

#[test]
fn many_polling_threads_all_wake() {
    const THREADS: usize = 4;
    const EACH: usize = 2_000;
    within(DEADLINE, || {
        for context in contexts() {
            let router = RouterSocket::new_in(&context).expect("a socket");
            let dealer = DealerSocket::new_in(&context).expect("a socket");
            let endpoint = router.blocking().bind("tcp://127.0.0.1:0").expect("bound");
            dealer.blocking().connect(endpoint).expect("made");
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    let (router, dealer) = (router.clone(), dealer.clone());
                    scope.spawn(move || {
                        for n in 0..EACH {
                            dealer.blocking().send(numbered(n)).expect("sent");
                            // Each thread takes any message, as many as it has sent.
                            loop {
                                poll(&mut [PollItem::socket(&router, Events::READABLE)], None)
                                    .expect("polled");
                                if router.try_recv().is_ok() {
                                    break;
                                }
                            }
                        }
                    });
                }
            });
            assert_eq!(router.stats().received, (THREADS * EACH) as u64);
        }
    });
}

#[test]
fn poll_fails_on_socket_thread() {
    within(DEADLINE, || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::new().expect("a socket");
            let polled = poll(&mut [PollItem::socket(&pull, Events::READABLE)], Duration::ZERO);
            assert!(matches!(polled, Err(MonocoqueError::WouldDeadlock)));
        });
    });
}

#[test]
fn close_ends_poll() {
    within(DEADLINE, || {
        for context in contexts() {
            let pull = PullSocket::new_in(&context).expect("a socket");
            let handle = pull.clone();
            let closing = thread::spawn(move || handle.blocking().close());
            let polled = poll(&mut [PollItem::socket(&pull, Events::READABLE)], None);
            assert!(matches!(polled, Err(MonocoqueError::Closed)));
            closing.join().expect("no panic").expect("closed");
        }
    });
}

#[test]
fn signal_interrupts_poll() {
    within(DEADLINE, || {
        let has_run = Arc::new(AtomicBool::new(false));
        let signal = Signal::SIGUSR2;
        signal_hook::flag::register(signal as i32, has_run.clone()).expect("registered");
        let pull = PullSocket::new_in(&Context::new().expect("made")).expect("a socket");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (waiting, is_over) = (pthread_self(), &is_over);
            scope.spawn(move || {
                // One that comes before the wait interrupts nothing.
                while !is_over.load(Ordering::Relaxed) {
                    pthread_kill(waiting, signal).expect("sent");
                    thread::yield_now();
                }
            });
            let polled = poll(&mut [PollItem::socket(&pull, Events::READABLE)], None);
            is_over.store(true, Ordering::Relaxed);
            assert!(matches!(polled, Err(MonocoqueError::Interrupted)), "{polled:?}");
        });
        assert!(has_run.load(Ordering::Relaxed));
    });
}
