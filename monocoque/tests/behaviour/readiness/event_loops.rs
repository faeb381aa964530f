//! The descriptor in event loops that follow the rules of `ZMQ_FD`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, Socket};
use monocoque::{Context, DriverType, Events, MonocoqueError};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;
use testing::{DEADLINE, everywhere, numbered, within};
use tokio::io::unix::AsyncFd;

use super::{events, expect_events};

const EDGE: EventFlags = EventFlags::IN.union(EventFlags::ET);

fn contexts() -> [Context; 2] {
    [DriverType::IoUring, DriverType::Polling]
        .map(|driver| Context::builder().driver_type(driver).build().expect("made"))
}

fn epoll_of<'a>(sockets: impl IntoIterator<Item = BorrowedFd<'a>>, flags: EventFlags) -> OwnedFd {
    let set = epoll::create(CreateFlags::CLOEXEC).expect("made");
    for (n, socket) in sockets.into_iter().enumerate() {
        epoll::add(&set, socket, EventData::new_u64(n as u64), flags).expect("registered");
    }
    set
}

fn wait(set: &OwnedFd) -> Vec<usize> {
    let mut events = Vec::with_capacity(64);
    epoll::wait(set, spare_capacity(&mut events), None).expect("waited");
    events.iter().map(|event| event.data.u64() as usize).collect()
}

fn is_signalled(descriptor: &impl AsFd, within: Duration) -> bool {
    let timeout = Timespec::try_from(within).expect("a time");
    poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&timeout)).expect("polled") > 0
}

fn would_block<T>(result: Result<T, MonocoqueError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(MonocoqueError::WouldBlock) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Sends and receives `n` messages by edges alone. After each wait it looks, receives until there
/// is nothing, and sends until there is no room. Returns how often it was woken.
fn exchange(dealer: &DealerSocket, n: usize, flags: EventFlags) -> usize {
    let set = epoll_of([dealer.as_fd()], flags);
    let (mut sent, mut received, mut wakes) = (0, 0, 0);
    while sent < n || received < n {
        wait(&set);
        wakes += 1;
        let mut events = dealer.events().expect("open");
        while (events.is_readable() && received < n) || (events.is_writable() && sent < n) {
            if events.is_readable()
                && let Some(message) = would_block(dealer.try_recv())
            {
                assert_eq!(message, numbered(received));
                received += 1;
            }
            if events.is_writable() && sent < n {
                let outcome = dealer.try_send(numbered(sent)).map_err(MonocoqueError::from);
                sent += usize::from(would_block(outcome).is_some());
            }
            events = dealer.events().expect("open");
        }
    }
    dealer.blocking().flush().expect("written");
    wakes
}

#[test]
fn epoll_loops_exchange_all_messages() {
    const N: usize = 100_000;
    within(4 * DEADLINE, || {
        for context in contexts() {
            for (flags, name) in [(EDGE, "inproc://edge"), (EventFlags::IN, "inproc://level")] {
                for endpoint in ["tcp://127.0.0.1:0", "ipc://*", name] {
                    let builder = || DealerSocket::builder().send_hwm(100).recv_hwm(100);
                    let one = builder().build_in(&context).expect("a socket");
                    let other = builder().build_in(&context).expect("a socket");
                    let bound = one.blocking().bind(endpoint).expect("bound");
                    other.blocking().connect(bound).expect("made");
                    let n = if flags == EDGE { N } else { N / 10 };
                    thread::scope(|scope| {
                        for dealer in [&one, &other] {
                            scope.spawn(move || {
                                let wakes = exchange(dealer, n, flags);
                                assert!(wakes <= 4 * n, "woken {wakes} times");
                            });
                        }
                    });
                }
            }
        }
    });
}

/// Receives until there is nothing, and does not look again before the next wait.
#[test]
fn loop_without_second_look_misses_none() {
    const N: usize = 100_000;
    within(DEADLINE, || {
        for context in contexts() {
            let pull = PullSocket::builder().recv_hwm(50).build_in(&context).expect("a socket");
            let push = PushSocket::builder().send_hwm(50).build_in(&context).expect("a socket");
            push.blocking().connect(pull.blocking().bind("tcp://127.0.0.1:0").expect("bound")).expect("made");
            let receiver = thread::spawn(move || {
                let set = epoll_of([pull.as_fd()], EDGE);
                let mut received = 0;
                while received < N {
                    wait(&set);
                    pull.events().expect("open");
                    while let Some(message) = would_block(pull.try_recv()) {
                        assert_eq!(message, numbered(received));
                        received += 1;
                    }
                }
            });
            let set = epoll_of([push.as_fd()], EDGE);
            let mut sent = 0;
            while sent < N {
                wait(&set);
                push.events().expect("open");
                while sent < N
                    && would_block(push.try_send(numbered(sent)).map_err(MonocoqueError::from)).is_some()
                {
                    sent += 1;
                }
            }
            receiver.join().expect("received");
        }
    });
}

#[test]
fn thousand_sockets_share_one_epoll() {
    const SOCKETS: usize = 1_000;
    const EACH: usize = 20;
    within(2 * DEADLINE, || {
        let context = Context::new().expect("made");
        let pulls: Vec<_> = (0..SOCKETS).map(|_| PullSocket::new_in(&context).expect("a socket")).collect();
        for (n, pull) in pulls.iter().enumerate() {
            pull.blocking().bind(format!("inproc://thousand-{n}")).expect("bound");
        }
        let sender = thread::spawn(move || {
            let pushes: Vec<_> = (0..SOCKETS)
                .map(|n| {
                    let push = PushSocket::new_in(&context).expect("a socket");
                    push.blocking().connect(format!("inproc://thousand-{n}")).expect("made");
                    push
                })
                .collect();
            for n in 0..EACH {
                pushes.iter().for_each(|push| push.blocking().send(numbered(n)).expect("sent"));
            }
        });
        let set = epoll_of(pulls.iter().map(AsFd::as_fd), EDGE);
        let mut received = vec![0; SOCKETS];
        while received.iter().sum::<usize>() < SOCKETS * EACH {
            for ready in wait(&set) {
                pulls[ready].events().expect("open");
                while let Some(message) = would_block(pulls[ready].try_recv()) {
                    assert_eq!(message, numbered(received[ready]));
                    received[ready] += 1;
                }
            }
        }
        sender.join().expect("sent");
    });
}

#[test]
fn req_rep_loops_take_turns() {
    const N: usize = 2_000;
    within(DEADLINE, || {
        for context in contexts() {
            let rep = RepSocket::new_in(&context).expect("a socket");
            let endpoint = rep.blocking().bind("tcp://127.0.0.1:0").expect("bound");
            let server = thread::spawn(move || {
                let set = epoll_of([rep.as_fd()], EDGE);
                let mut answered = 0;
                while answered < 2 * N {
                    wait(&set);
                    while rep.events().expect("open").is_readable() {
                        let request = rep.try_recv().expect("received");
                        assert!(rep.events().expect("open").is_writable());
                        rep.try_send(request).expect("sent");
                        answered += 1;
                    }
                }
                rep.blocking().close().expect("closed");
            });
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let req = ReqSocket::new_in(&context).expect("a socket");
                        req.blocking().connect(endpoint.clone()).expect("made");
                        let set = epoll_of([req.as_fd()], EDGE);
                        let (mut sent, mut received) = (0, 0);
                        while received < N {
                            let events = req.events().expect("open");
                            if events.is_readable() {
                                assert_eq!(req.try_recv().expect("received"), numbered(received));
                                received += 1;
                            } else if events.is_writable() {
                                req.try_send(numbered(sent)).expect("sent");
                                sent += 1;
                            } else {
                                wait(&set);
                            }
                        }
                    });
                }
            });
            server.join().expect("answered");
        }
    });
}

#[allow(deprecated, reason = "its successor cannot be called from safe code")]
fn async_fd<S: Socket>(socket: S) -> AsyncFd<S> {
    AsyncFd::new(socket).expect("registered")
}

#[test]
fn tokio_async_fd_receives_all() {
    const N: usize = 10_000;
    within(DEADLINE, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            for context in contexts() {
                let pull = PullSocket::new_in(&context).expect("a socket");
                let push = PushSocket::builder().send_hwm(10).build_in(&context).expect("a socket");
                push.connect(pull.bind("tcp://127.0.0.1:0").await.expect("bound")).await.expect("made");
                let sending = async {
                    let readiness = async_fd(push);
                    for n in 0..N {
                        while !readiness.get_ref().events().expect("open").is_writable() {
                            readiness.readable().await.expect("ready").clear_ready();
                        }
                        readiness.get_ref().try_send(numbered(n)).expect("sent");
                    }
                    readiness.get_ref().flush().await.expect("written");
                };
                let receiving = async {
                    let readiness = async_fd(pull);
                    for n in 0..N {
                        while !readiness.get_ref().events().expect("open").is_readable() {
                            readiness.readable().await.expect("ready").clear_ready();
                        }
                        assert_eq!(readiness.get_ref().try_recv().expect("received"), numbered(n));
                    }
                };
                tokio::join!(sending, receiving);
            }
        });
    });
}

everywhere! {
    async fn descriptor_signals_arrival_and_close(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let descriptor = pull.descriptor().expect("made");
        assert_eq!(descriptor.as_raw_fd(), pull.clone().as_raw_fd(), "handles share it");
        assert!(is_signalled(&descriptor, Duration::ZERO), "it is readable when it is made");
        assert!(events(&pull).is_empty() && !is_signalled(&descriptor, Duration::ZERO));
        push.send("one").await.expect("sent");
        testing::eventually("signalled", || is_signalled(&descriptor, Duration::ZERO)).await;
        expect_events(&pull, Events::READABLE).await;
        assert_eq!(pull.try_recv().expect("received"), "one");
        assert!(events(&pull).is_empty() && !is_signalled(&descriptor, Duration::ZERO));
        pull.close().await;
        assert!(is_signalled(&descriptor, Duration::ZERO));
    }

    async fn idle_socket_signals_nothing(at) {
        let (one, endpoint) = at.bound(DealerSocket::builder()).await;
        let other = at.connected(DealerSocket::builder(), &endpoint).await;
        other.send("hello").await.expect("sent");
        one.recv().await.expect("received");
        one.wait_for_peers(1).await.expect("open");
        expect_events(&one, Events::WRITABLE).await;
        let descriptor = one.descriptor().expect("made");
        // The work of the socket itself is over once time has passed.
        testing::pass_time(&at).await;
        events(&one);
        testing::pass_time(&at).await;
        assert!(!is_signalled(&descriptor, Duration::from_millis(50)));
        for _ in 0..100 {
            other.send("hello").await.expect("sent");
            one.recv().await.expect("received");
            one.send("hello").await.expect("sent");
            other.recv().await.expect("received");
        }
        events(&one);
        assert!(!is_signalled(&descriptor, Duration::from_millis(50)));
    }
}

#[test]
fn descriptor_is_not_inherited() {
    let pull = PullSocket::new_in(&Context::new().expect("made")).expect("a socket");
    let flags = rustix::io::fcntl_getfd(pull.as_fd()).expect("flags");
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let status = rustix::fs::fcntl_getfl(pull.as_fd());
    assert!(status.is_ok_and(|flags| flags.contains(rustix::fs::OFlags::NONBLOCK)));
}
