//! The load during the measurement.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use compio::runtime::Runtime;
use fastrand::Rng;
use futures::executor::block_on;
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, Socket, SubSocket};
use monocoque::{Context, Message};

use testing::hostile::{Hostile, Target};
use testing::proxy::{Fault, FaultPlan, Proxy, own_loopback};

/// A load that runs until [`end`](Self::end).
pub(crate) struct Load {
    shared: Arc<Shared>,
    /// Threads that each use a persistent socket.
    threads: Vec<JoinHandle<()>>,
    /// Threads that create and close sockets, or end by themselves.
    short_lived: Vec<JoinHandle<()>>,
    /// Closes the sockets of `threads`.
    close: Vec<Box<dyn FnOnce()>>,
    proxies: Arc<[Proxy]>,
    hostile: Hostile,
    /// Dropped last.
    _directory: tempfile::TempDir,
}

/// Round trips since the last call: in microseconds, and relative to those of a plain stream at the
/// same time, which other load of the machine affects alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) times_p50: f64,
    pub(crate) times_p99: f64,
}

struct Shared {
    context: Context,
    stop: AtomicBool,
    messages: AtomicU64,
    sockets: AtomicU64,
    trips: Mutex<Vec<u32>>,
    /// Round trips over a stream between two threads.
    plain_trips: Mutex<Vec<u32>>,
    /// The endpoints of a PULL, a ROUTER and a PUB: each over tcp and ipc.
    endpoints: [[String; 2]; 3],
}

impl Load {
    pub(crate) fn start(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let context = Context::builder().io_threads(2).build().expect("I/O threads");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let router = RouterSocket::new_in(&context).expect("a socket");
        let publisher = PubSocket::new_in(&context).expect("a socket");
        let place = |name: &str| format!("ipc://{}", directory.path().join(name).display());
        let endpoints = [
            bind(&pull, place("pull")),
            bind(&router, place("router")),
            bind(&publisher, place("publisher")),
        ];
        let through = |target: &String, seed| {
            let faults = FaultPlan { fragment: 4_000, ..FaultPlan::default() };
            Proxy::start(&format!("tcp://{}:0", own_loopback()), target, faults, seed)
        };
        let proxies: Arc<[Proxy]> =
            endpoints.iter().zip(seed..).map(|([target, _], seed)| through(target, seed)).collect();
        let [to_pull, to_router, to_publisher] = [0, 1, 2].map(|n: usize| proxies[n].endpoint().to_owned());
        let refusing = format!("tcp://{}:5555", own_loopback());
        let target = |endpoint: &String, socket_type| Target { endpoint: endpoint.clone(), socket_type };
        let socket_types = ["PUSH", "DEALER", "SUB"];
        let dialled = endpoints
            .iter()
            .zip(socket_types)
            .flat_map(|(each, kind)| each.each_ref().map(|endpoint| target(endpoint, kind)));
        let hostile = Hostile::start(dialled.collect(), vec![target(&refusing, "PULL")], TOPICS, seed);
        let shared = Arc::new(Shared {
            context: context.clone(),
            stop: AtomicBool::new(false),
            messages: AtomicU64::new(0),
            sockets: AtomicU64::new(0),
            trips: Mutex::default(),
            plain_trips: Mutex::default(),
            endpoints,
        });

        let mut load = Self {
            shared: shared.clone(),
            threads: Vec::new(),
            short_lived: Vec::new(),
            close: Vec::new(),
            proxies: proxies.clone(),
            hostile,
            _directory: directory,
        };
        load.serve(&pull, |shared, pull| {
            while block_on(pull.recv()).is_ok() {
                shared.count();
            }
        });
        load.serve(&router, |shared, router| {
            while let Ok((peer, message)) = block_on(router.recv_from()) {
                shared.count();
                if block_on(router.send_to(&peer, message)).is_err() {
                    return;
                }
            }
        });
        load.serve(&publisher, |shared, publisher| {
            // Short-lived subscribers wait for messages to the end.
            while block_on(publisher.send(["news", "of the day"])).is_ok() {
                shared.count();
                thread::sleep(Duration::from_millis(1));
            }
        });
        for endpoint in [to_pull, shared.endpoints[0][1].clone()] {
            let builder = PushSocket::builder()
                .linger(Some(Duration::ZERO))
                .reconnect_interval(Duration::from_millis(10));
            let push = builder.build_in(&context).expect("a socket");
            block_on(push.connect(endpoint)).expect("an endpoint");
            block_on(push.connect(&refusing)).expect("an endpoint");
            load.serve(&push, |shared, push| {
                let body = vec![7; 300];
                while !shared.stopped() {
                    for _ in 0..20 {
                        if block_on(push.send(Message::from([&body[..], &body[..]]))).is_err() {
                            return;
                        }
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let subscriber = SubSocket::new_in(&context).expect("a socket");
        subscriber.subscribe("news").expect("open");
        block_on(subscriber.connect(&to_publisher)).expect("an endpoint");
        load.serve(&subscriber, |shared, subscriber| {
            while block_on(subscriber.recv()).is_ok() {
                shared.count();
            }
        });
        let dealer = DealerSocket::new_in(&context).expect("a socket");
        block_on(dealer.connect(&shared.endpoints[1][0])).expect("an endpoint");
        load.serve(&dealer, |shared, dealer| {
            while !shared.stopped() {
                let start = Instant::now();
                if block_on(dealer.send("there and back")).is_err() || block_on(dealer.recv()).is_err() {
                    return;
                }
                note(&shared.trips, start);
                thread::sleep(Duration::from_millis(1));
            }
        });

        load.spawn(measure_plain_round_trips);
        load.spawn(move |shared| run_libzmq_peers(shared, &[&to_router, &to_publisher]));
        for n in 0..2 {
            load.spawn(move |shared| churn(shared, &mut Rng::with_seed(seed ^ n)));
        }
        load.spawn(move |shared| {
            let mut rng = Rng::with_seed(!seed);
            while !shared.stopped() {
                thread::sleep(Duration::from_millis(rng.u64(50..400)));
                let proxy = rng.choice(&proxies[..]).expect("not empty");
                proxy.inject(
                    *rng.choice(&[Fault::Reset, Fault::Close, Fault::CutToClient]).expect("not empty"),
                );
            }
        });
        load
    }

    pub(crate) fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::Relaxed)
    }

    /// Returns how many sockets were created and dropped.
    pub(crate) fn sockets(&self) -> u64 {
        self.shared.sockets.load(Ordering::Relaxed)
    }

    pub(crate) fn faults(&self) -> u64 {
        self.proxies.iter().map(|proxy| proxy.counts().faults()).sum()
    }

    pub(crate) fn take_latency(&self) -> Latency {
        let take = |trips: &Mutex<Vec<u32>>| {
            let mut trips = std::mem::take(&mut *trips.lock().expect("not poisoned"));
            assert!(!trips.is_empty(), "no round trip for a long time");
            trips.sort_unstable();
            [50, 99].map(|part| f64::from(trips[trips.len() * part / 100].max(1)))
        };
        let ([p50, p99], plain) = (take(&self.shared.trips), take(&self.shared.plain_trips));
        Latency { p50, p99, times_p50: p50 / plain[0], times_p99: p99 / plain[1] }
    }

    /// Returns how many connections hostile peers have made.
    pub(crate) fn hostile(&self) -> u64 {
        let counts = self.hostile.counts();
        let all = [&counts.trickles, &counts.floods, &counts.refusals, &counts.subscribers];
        all.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn end(mut self) {
        assert!(self.hostile.end().is_empty(), "a hostile peer panicked");
        self.shared.stop.store(true, Ordering::SeqCst);
        // The requesting sockets end first, while they receive replies.
        self.short_lived.into_iter().for_each(|thread| thread.join().expect("no panic"));
        self.close.into_iter().rev().for_each(|close| close());
        self.threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }

    /// Runs `work` with a socket on a thread of its own, until the socket is closed.
    fn serve<S: Socket>(&mut self, socket: &S, work: fn(&Shared, &S)) {
        let (shared, handle) = (self.shared.clone(), socket.clone());
        self.threads.push(thread::spawn(move || work(&shared, &handle)));
        let handle = socket.clone();
        self.close.push(Box::new(move || block_on(handle.close())));
    }

    fn spawn(&mut self, work: impl FnOnce(&Shared) + Send + 'static) {
        let shared = self.shared.clone();
        self.short_lived.push(thread::spawn(move || work(&shared)));
    }
}

/// The number of topics of a hostile subscriber; the memory for them is within the tolerance.
const TOPICS: usize = 20_000;

impl Shared {
    fn count(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn note(trips: &Mutex<Vec<u32>>, start: Instant) {
    let trip = start.elapsed().as_micros();
    trips.lock().expect("not poisoned").push(u32::try_from(trip).unwrap_or(u32::MAX));
}

/// Measures round trips over a plain stream.
fn measure_plain_round_trips(shared: &Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut here = TcpStream::connect(listener.local_addr().expect("an address")).expect("a listener");
    let (mut there, _) = listener.accept().expect("a connection");
    for stream in [&here, &there] {
        stream.set_nodelay(true).expect("an option");
    }
    let mut body = [0; 16];
    let echo = thread::spawn(move || {
        let mut body = [0; 16];
        while there.read_exact(&mut body).is_ok() && there.write_all(&body).is_ok() {}
    });
    while !shared.stopped() {
        let start = Instant::now();
        here.write_all(&body).expect("written");
        here.read_exact(&mut body).expect("an answer");
        note(&shared.plain_trips, start);
        thread::sleep(Duration::from_millis(1));
    }
    drop(here);
    echo.join().expect("no panic");
}

fn bind<S: Socket>(socket: &S, ipc: String) -> [String; 2] {
    let bind = |endpoint: String| block_on(socket.bind(endpoint)).expect("bound").to_string();
    [bind(format!("tcp://{}:0", own_loopback())), bind(ipc)]
}

/// Creates, uses and drops sockets continuously.
fn churn(shared: &Shared, rng: &mut Rng) {
    while !shared.stopped() {
        match rng.u8(0..4) {
            0 => block_on(use_one_socket(&shared.context, shared, rng)),
            1 => block_on(use_one_socket(&Context::new().expect("an I/O thread"), shared, rng)),
            2 => Runtime::new().expect("a runtime").block_on(async {
                use_one_socket(&Context::current().expect("inside a runtime"), shared, rng).await;
            }),
            _ => use_one_libzmq_socket(shared, rng),
        }
        shared.sockets.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_micros(rng.u64(0..6_000)));
    }
}

async fn use_one_socket(context: &Context, shared: &Shared, rng: &mut Rng) {
    let [pull, router, publisher] = &shared.endpoints;
    let transport = rng.usize(0..2);
    let in_order = rng.bool();
    match rng.u8(0..3) {
        0 => {
            let push = PushSocket::new_in(context).expect("a socket");
            push.connect(&pull[transport]).await.expect("an endpoint");
            for n in 0..rng.usize(1..100) {
                push.send(vec![n as u8; n * 10]).await.expect("open");
            }
            if in_order {
                push.close().await;
            }
        }
        1 => {
            let builder = DealerSocket::builder().linger(Some(Duration::ZERO));
            let builder = if in_order { builder.routing_id(format!("{}", rng.u64(..))) } else { builder };
            let dealer = builder.build_in(context).expect("a socket");
            dealer.connect(&router[transport]).await.expect("an endpoint");
            for _ in 0..rng.usize(1..30) {
                dealer.send("there and back").await.expect("open");
                dealer.recv().await.expect("open");
            }
            if in_order {
                dealer.close().await;
            }
        }
        _ => {
            let subscriber = SubSocket::new_in(context).expect("a socket");
            for n in 0..50 {
                subscriber.subscribe(format!("other {n}")).expect("open");
            }
            subscriber.subscribe("news").expect("open");
            subscriber.connect(&publisher[transport]).await.expect("an endpoint");
            subscriber.recv().await.expect("open");
            if in_order {
                subscriber.close().await;
            }
        }
    }
}

fn use_one_libzmq_socket(shared: &Shared, rng: &mut Rng) {
    let context = zmq::Context::new();
    let dealer = context.socket(zmq::DEALER).expect("a libzmq socket");
    dealer.set_linger(0).expect("an option");
    dealer.set_rcvtimeo(10_000).expect("an option");
    dealer.connect(&shared.endpoints[1][rng.usize(0..2)]).expect("an endpoint");
    for _ in 0..rng.usize(1..30) {
        dealer.send("there and back", 0).expect("sent");
        dealer.recv_bytes(0).expect("an answer");
    }
}

/// Runs a persistent DEALER and SUB of libzmq, behind proxies.
fn run_libzmq_peers(shared: &Shared, [router, publisher]: &[&str; 2]) {
    let context = zmq::Context::new();
    let make = |kind, endpoint: &str| {
        let socket = context.socket(kind).expect("a libzmq socket");
        socket.set_linger(0).expect("an option");
        socket.set_reconnect_ivl(10).expect("an option");
        socket.connect(endpoint).expect("an endpoint");
        socket
    };
    let (dealer, subscriber) = (make(zmq::DEALER, router), make(zmq::SUB, publisher));
    subscriber.set_subscribe(b"news").expect("a topic");
    while !shared.stopped() {
        // The queue may be full while it is not connected.
        let _full = dealer.send("from libzmq", zmq::DONTWAIT);
        for socket in [&dealer, &subscriber] {
            while socket.recv_multipart(zmq::DONTWAIT).is_ok() {
                shared.count();
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}
