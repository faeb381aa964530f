//! Yielding of busy tasks: the connections of their thread and the other tasks of their executor
//! make progress.

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use monocoque::zmq::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, ReqSocket, RouterSocket, Socket, SubSocket,
    XsubSocket,
};
use monocoque::{Context, DisconnectReason, Endpoint, Proxy, SocketEvent};
use testing::{At, RawPeer, command, frame, over_streams};

/// Progress of the caller, and the flag that ends it.
#[derive(Debug, Default)]
struct Load {
    handled: AtomicU64,
    over: AtomicBool,
}

impl Load {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Keeps the thread busy for the time of one message.
    fn handle(&self, work: Duration) {
        spin(work);
        self.handled.fetch_add(1, Ordering::Relaxed);
    }
}

fn spin(work: Duration) {
    let start = Instant::now();
    while start.elapsed() < work {
        std::hint::spin_loop();
    }
}

/// Ends the load when dropped.
struct EndOnDrop(Arc<Load>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Sends messages of 12 bytes until the load is over.
fn flood(endpoint: &Endpoint, socket_type: &'static str, load: &Arc<Load>) {
    let (mut wire, load) = (RawPeer::established(endpoint, socket_type), load.clone());
    let many = frame(0, b"twelve bytes").repeat(1000);
    thread::spawn(move || {
        wire.write_timeout(Duration::from_millis(50));
        let mut rest = &many[..];
        while !load.is_over() {
            match wire.write(rest) {
                Ok(n) => rest = if n == rest.len() { &many } else { &rest[n..] },
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
    });
}

/// Answers each PING to the end of the connection.
fn answer_pings(endpoint: &Endpoint, socket_type: &'static str) {
    let mut wire = RawPeer::established(endpoint, socket_type);
    thread::spawn(move || {
        let mut header = [0; 2];
        while wire.read_exact(&mut header).is_ok() {
            let body = RawPeer::take(&mut wire, header[1].into());
            if body.starts_with(b"\x04PING") && wire.write_all(&command("PONG", b"")).is_err() {
                break;
            }
        }
    });
}

/// Measures how many messages the caller handles until a PING is answered, and until a new
/// connection completes its handshake: the median of five.
fn measure_waits(endpoint: &Endpoint, socket_type: &'static str, load: &Load) -> [u64; 2] {
    let mut idle = RawPeer::established(endpoint, socket_type);
    let handled = || load.handled.load(Ordering::Relaxed);
    let mut waits = [(); 2].map(|()| Vec::new());
    for _ in 0..5 {
        let before = handled();
        idle.put(&command("PING", b"\0\0"));
        // A heartbeat of the socket may arrive in between.
        while &idle.frame().1[..5] != b"\x04PONG" {}
        waits[0].push(handled() - before);
        let before = handled();
        let _newcomer = RawPeer::established(endpoint, socket_type);
        waits[1].push(handled() - before);
    }
    waits.map(|mut waits| {
        waits.sort_unstable();
        waits[2]
    })
}

/// Repeats `call`, each time followed by `work`, while peers flood the socket. Asserts that PINGs
/// are answered, new connections complete their handshake, and responsive peers stay connected.
async fn assert_stays_responsive<S: Socket>(
    at: &At,
    builder: Builder<S>,
    (peer_type, floods): (&'static str, usize),
    work: Duration,
    mut call: impl AsyncFnMut(&S),
) {
    let (socket, endpoint) = at.bound(builder.heartbeat_interval(Some(Duration::from_millis(500)))).await;
    let load = Arc::new(Load::default());
    let (there, flooding) = (endpoint.clone(), load.clone());
    testing::on_blocking_thread(move || {
        (0..3).for_each(|_| answer_pings(&there, peer_type));
        (0..floods).for_each(|_| flood(&there, peer_type, &flooding));
    })
    .await;
    let mut monitor = socket.monitor();
    let asking = load.clone();
    let asked = thread::spawn(move || {
        let _end = EndOnDrop(asking.clone());
        let start = Instant::now();
        let mut waits = [0; 2];
        // Lasts for some heartbeats.
        while start.elapsed() < Duration::from_millis(1200) {
            let more = measure_waits(&endpoint, peer_type, &asking);
            waits = [waits[0].max(more[0]), waits[1].max(more[1])];
        }
        waits
    });
    while !load.is_over() {
        call(&socket).await;
        load.handle(work);
    }
    let waits = asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let most = Duration::from_millis(400).div_duration_f64(work) as u64;
    assert!(
        waits.iter().all(|&handled| handled < most),
        "{peer_type}: {waits:?} messages handled before the reply"
    );
    while let Some(event) = testing::at_once(monitor.next()) {
        let event = event.expect("open");
        let late =
            matches!(event, SocketEvent::Disconnected { reason: DisconnectReason::HeartbeatTimeout, .. });
        assert!(!late, "{event:?}");
    }
}

const SLOW: Duration = Duration::from_millis(1);
const QUICK: Duration = Duration::from_micros(200);

over_streams! {
    async fn recv_with_slow_work_yields(at) {
        for work in [SLOW, QUICK] {
            assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 8), work, async |pull| {
                pull.recv().await.expect("open");
            })
            .await;
        }
    }

    async fn recv_from_with_slow_work_yields(at) {
        assert_stays_responsive(&at, RouterSocket::builder(), ("DEALER", 8), SLOW, async |router| {
            router.recv_from().await.expect("open");
        })
        .await;
    }

    async fn recv_with_peer_yields(at) {
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 8), SLOW, async |pull| {
            pull.recv_with_peer().await.expect("open");
        })
        .await;
    }

    async fn recv_batch_with_slow_work_yields(at) {
        let mut messages = Vec::new();
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 8), SLOW, async |pull| {
            messages.clear();
            pull.recv_batch(&mut messages, 3).await.expect("open");
        })
        .await;
    }

    async fn stream_with_slow_work_yields(at) {
        let mut stream = None;
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 8), SLOW, async |pull| {
            let stream = stream.get_or_insert_with(|| pull.stream());
            stream.next().await.expect("open").expect("received");
        })
        .await;
    }

    async fn stream_chunks_yield(at) {
        let mut stream = None;
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 8), QUICK, async |pull| {
            let stream = stream.get_or_insert_with(|| pull.stream());
            let chunk = stream.ready_chunks(16).next().await.expect("open");
            spin(QUICK * (chunk.len() - 1) as u32);
        })
        .await;
    }

    async fn empty_receives_yield(at) {
        let idle = || PullSocket::builder();
        assert_stays_responsive(&at, idle(), ("PUSH", 0), SLOW, async |pull| {
            assert!(pull.recv_timeout(Duration::ZERO).await.is_err());
        })
        .await;
        assert_stays_responsive(&at, idle().recv_timeout(Some(Duration::ZERO)), ("PUSH", 0), SLOW, async |pull| {
            assert!(pull.recv().await.is_err() && pull.recv_with_peer().await.is_err());
        })
        .await;
        assert_stays_responsive(&at, idle(), ("PUSH", 0), SLOW, async |pull| {
            assert_eq!(pull.recv_batch(&mut Vec::new(), 0).await.expect("open"), 0);
        })
        .await;
    }

    async fn immediately_failing_calls_yield(at) {
        let request = at.build(ReqSocket::builder());
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 0), SLOW, async |_| {
            assert!(request.recv().await.is_err());
        })
        .await;
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 0), SLOW, async |pull| {
            assert!(pull.bind("no endpoint").await.is_err());
        })
        .await;
        let router = at.build(RouterSocket::builder());
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 0), SLOW, async |_| {
            assert!(router.connect_as("no endpoint", "name").await.is_err());
        })
        .await;
        let closed = at.build(PullSocket::builder());
        let mut stream = closed.stream();
        closed.close().await;
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 0), SLOW, async |_| {
            assert!(closed.recv().await.is_err() && stream.next().await.is_none());
        })
        .await;
        let over = Context::new().expect("an I/O thread");
        over.shutdown().await;
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 0), SLOW, async |_| over.shutdown().await).await;
        let (front, back) = (at.build(PullSocket::builder()), at.build(PushSocket::builder()));
        let proxy = Proxy::new(&front, &back);
        proxy.control().terminate();
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 0), SLOW, async |_| {
            proxy.run().await.expect("terminated");
        })
        .await;
    }

    async fn selected_receivers_yield(at) {
        let idle = at.build(PullSocket::builder());
        let mut never = idle.stream();
        assert_stays_responsive(&at, PullSocket::builder(), ("PUSH", 8), SLOW, async |pull| {
            select(never.next(), std::pin::pin!(pull.recv())).await;
        })
        .await;
    }

    async fn send_with_slow_work_yields(at) {
        assert_stays_responsive(&at, PubSocket::builder(), ("SUB", 0), SLOW, async |publisher| {
            publisher.send("twelve bytes").await.expect("open");
        })
        .await;
    }

    async fn sink_with_slow_work_yields(at) {
        let mut sink = None;
        assert_stays_responsive(&at, PubSocket::builder(), ("SUB", 0), SLOW, async |publisher| {
            let sink = sink.get_or_insert_with(|| publisher.sink());
            sink.feed("twelve bytes").await.expect("open");
        })
        .await;
    }

    async fn subscription_messages_yield(at) {
        let mut n = 0_u64;
        assert_stays_responsive(&at, XsubSocket::builder(), ("XPUB", 0), SLOW, async |xsub| {
            n += 1;
            xsub.send([&[1][..], &n.to_be_bytes()].concat()).await.expect("open");
        })
        .await;
    }

    async fn calls_without_work_yield(at) {
        let nowhere = at.unused_endpoint("nobody");
        assert_stays_responsive(&at, PushSocket::builder(), ("PULL", 0), SLOW, async |push| {
            push.flush().await.expect("open");
        })
        .await;
        assert_stays_responsive(&at, PushSocket::builder(), ("PULL", 0), SLOW, async |push| {
            push.wait_for_peers(0).await.expect("open");
        })
        .await;
        assert_stays_responsive(&at, PushSocket::builder(), ("PULL", 0), SLOW, async |push| {
            push.connect(nowhere.clone()).await.expect("connected");
            push.disconnect(nowhere.clone()).await.expect("disconnected");
        })
        .await;
    }

    async fn recv_of_filtered_messages_yields(at) {
        let (sub, endpoint) = at.bound(SubSocket::builder()).await;
        sub.subscribe("wanted").expect("open");
        let load = Arc::new(Load::default());
        let flooding = load.clone();
        testing::on_blocking_thread(move || (0..4).for_each(|_| flood(&endpoint, "PUB", &flooding))).await;
        let others = async {
            while sub.stats().discarded < 100_000 {
                testing::yield_now().await;
            }
        };
        select(std::pin::pin!(sub.recv()), std::pin::pin!(others)).await;
        load.over.store(true, Ordering::Relaxed);
    }

    async fn proxy_of_undeliverable_messages_yields(at) {
        let (clients, endpoint) = at.bound(DealerSocket::builder()).await;
        let servers = at.build(RouterSocket::builder().router_mandatory(true));
        let load = Arc::new(Load::default());
        let flooding = load.clone();
        testing::on_blocking_thread(move || (0..4).for_each(|_| flood(&endpoint, "DEALER", &flooding))).await;
        let proxy = Proxy::new(&clients, &servers);
        let others = async {
            while clients.stats().discarded < 100_000 {
                testing::yield_now().await;
            }
        };
        select(std::pin::pin!(proxy.run()), std::pin::pin!(others)).await;
        load.over.store(true, Ordering::Relaxed);
    }

    async fn receiver_beside_slow_sender_progresses(at) {
        let (pull, load) = flooded_pull(&at).await;
        let publisher = at.build(PubSocket::builder());
        let mut received = 0;
        {
            let sending = async {
                for _ in 0..100 {
                    publisher.send("twelve bytes").await.expect("open");
                    load.handle(SLOW);
                    testing::yield_now().await;
                }
            };
            let receiving = async {
                loop {
                    pull.recv().await.expect("open");
                    received += 1;
                }
            };
            select(std::pin::pin!(sending), std::pin::pin!(receiving)).await;
        }
        load.over.store(true, Ordering::Relaxed);
        assert!(received >= 100, "{received} received beside 100 sent");
    }

    async fn slow_work_beside_receiver_yields(at) {
        let (pull, load) = flooded_pull(&at).await;
        let publisher = at.build(PubSocket::builder());
        let sending = async {
            for _ in 0..200 {
                publisher.send("twelve bytes").await.expect("open");
                load.handle(SLOW);
            }
        };
        let receiving = async {
            loop {
                pull.recv().await.expect("open");
            }
        };
        let (sending, receiving) = (std::pin::pin!(sending), std::pin::pin!(receiving));
        let (mut both, mut most) = (select(sending, receiving), 0);
        poll_fn(|cx| {
            let before = load.handled.load(Ordering::Relaxed);
            let ended = both.poll_unpin(cx).map(drop);
            most = most.max(load.handled.load(Ordering::Relaxed) - before);
            ended
        })
        .await;
        load.over.store(true, Ordering::Relaxed);
        assert!(most <= 10, "{most} messages are handled in a row");
    }

    async fn select_prefers_first_receiver(at) {
        let (control, load) = flooded_pull(&at).await;
        let (data, flooding) = flooded_pull(&at).await;
        let mut controls = 0;
        for _ in 0..100 {
            let (first, second) = (std::pin::pin!(control.recv()), std::pin::pin!(data.recv()));
            controls += usize::from(matches!(select(first, second).await, Either::Left(_)));
            load.handle(SLOW);
        }
        load.over.store(true, Ordering::Relaxed);
        flooding.over.store(true, Ordering::Relaxed);
        assert!(controls >= 90, "{controls} of 100, although there was always one");
    }
}

/// Returns a socket that always has a message to receive, and the load that floods it.
async fn flooded_pull(at: &At) -> (PullSocket, Arc<Load>) {
    let (pull, endpoint) = at.bound(PullSocket::builder()).await;
    let load = Arc::new(Load::default());
    let flooding = load.clone();
    testing::on_blocking_thread(move || (0..4).for_each(|_| flood(&endpoint, "PUSH", &flooding))).await;
    pull.wait_for_peers(4).await.expect("open");
    (pull, load)
}
