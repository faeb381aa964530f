//! Messages within a process, which are handed over without a system call.
//!
//! On one thread, a burst is sent and then received; between two threads, one of them sends
//! continuously; a REQ exchanges messages with a REP on another thread. Both libraries are used
//! through blocking calls.

use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use monocoque::Context;
use monocoque::zmq::{PullSocket, PushSocket, RepSocket, ReqSocket};

use monocoque_bench::{KIB, config, group};

/// Exchanges a body between two sockets a number of times.
type Work = fn(n: u64, body: &[u8]) -> Duration;

fn inproc(criterion: &mut Criterion) {
    let mut one_thread = group(criterion, "inproc, push to pull on one thread by size");
    for size in SIZES {
        one_thread.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: size as u64 });
        for (name, work) in [("zmq", bursts_of_theirs as Work), ("ours", bursts_of_ours)] {
            let body = vec![b'm'; size];
            let bench = BenchmarkId::new(name, size);
            one_thread.bench_function(bench, |bencher| bencher.iter_custom(|n| work(n, &body)));
        }
    }
    one_thread.finish();
    let mut two_threads = group(criterion, "inproc, push to pull between threads by size");
    for size in SIZES {
        two_threads.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: size as u64 });
        for (name, work) in [("zmq", stream_of_theirs as Work), ("ours", stream_of_ours)] {
            let body = vec![b'm'; size];
            let bench = BenchmarkId::new(name, size);
            two_threads.bench_function(bench, |bencher| bencher.iter_custom(|n| work(n, &body)));
        }
    }
    two_threads.finish();
    let mut round_trip = group(criterion, "inproc, req and rep between threads by size");
    for (name, work) in [("zmq", questions_of_theirs as Work), ("ours", questions_of_ours)] {
        let bench = BenchmarkId::new(name, 64);
        round_trip.bench_function(bench, |bencher| bencher.iter_custom(|n| work(n, &[b'm'; 64])));
    }
    round_trip.finish();
}

fn pipe_of_ours() -> (PushSocket, PullSocket) {
    let context = Context::new().expect("a thread");
    let push = PushSocket::new_in(&context).expect("a socket");
    let pull = PullSocket::new_in(&context).expect("a socket");
    pull.blocking().bind(NAME).expect("bound");
    push.blocking().connect(NAME).expect("connected");
    (push, pull)
}

fn pipe_of_theirs() -> (zmq::Socket, zmq::Socket) {
    pair_of_theirs(zmq::PUSH, zmq::PULL)
}

fn pair_of_theirs(one: zmq::SocketType, other: zmq::SocketType) -> (zmq::Socket, zmq::Socket) {
    let context = zmq::Context::new();
    let (one, other) = (context.socket(one).expect("a socket"), context.socket(other).expect("a socket"));
    other.bind(NAME).expect("bound");
    one.connect(NAME).expect("connected");
    (one, other)
}

fn bursts_of_ours(n: u64, body: &[u8]) -> Duration {
    let (push, pull) = pipe_of_ours();
    bursts(n, || push.blocking().send(body).expect("open"), || drop(pull.blocking().recv().expect("open")))
}

fn bursts_of_theirs(n: u64, body: &[u8]) -> Duration {
    let (push, pull) = pipe_of_theirs();
    let mut message = zmq::Message::new();
    bursts(n, || push.send(body, 0).expect("open"), || pull.recv(&mut message, 0).expect("open"))
}

fn bursts(n: u64, mut send: impl FnMut(), mut receive: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut left = n;
    while left > 0 {
        let burst = left.min(BURST);
        (0..burst).for_each(|_| send());
        (0..burst).for_each(|_| receive());
        left -= burst;
    }
    start.elapsed()
}

fn stream_of_ours(n: u64, body: &[u8]) -> Duration {
    let (push, pull) = pipe_of_ours();
    stream(n, || push.blocking().send(body).expect("open"), || drop(pull.blocking().recv().expect("open")))
}

fn stream_of_theirs(n: u64, body: &[u8]) -> Duration {
    let (push, pull) = pipe_of_theirs();
    let mut message = zmq::Message::new();
    stream(n, move || push.send(body, 0).expect("open"), || pull.recv(&mut message, 0).expect("open"))
}

/// Measures the time until the last message has arrived.
fn stream(n: u64, mut send: impl FnMut() + Send, mut receive: impl FnMut()) -> Duration {
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || (0..n).for_each(|_| send()));
        (0..n).for_each(|_| receive());
        start.elapsed()
    })
}

fn questions_of_ours(n: u64, body: &[u8]) -> Duration {
    let context = Context::new().expect("a thread");
    let req = ReqSocket::new_in(&context).expect("a socket");
    let rep = RepSocket::new_in(&context).expect("a socket");
    rep.blocking().bind(NAME).expect("bound");
    req.blocking().connect(NAME).expect("connected");
    let answer = || {
        let request = rep.blocking().recv().expect("open");
        rep.blocking().send(request).expect("open");
    };
    stream(n, answer, || drop(req.blocking().request(body).expect("open")))
}

fn questions_of_theirs(n: u64, body: &[u8]) -> Duration {
    let (req, rep) = pair_of_theirs(zmq::REQ, zmq::REP);
    let mut reply = zmq::Message::new();
    let answer = move || {
        let request = rep.recv_msg(0).expect("open");
        rep.send(request, 0).expect("open");
    };
    stream(n, answer, || {
        req.send(body, 0).expect("open");
        req.recv(&mut reply, 0).expect("open");
    })
}

criterion_group!(name = benches; config = config(); targets = inproc);
criterion_main!(benches);

const NAME: &str = "inproc://bench";
const SIZES: [usize; 3] = [8, 64, KIB];
/// Half of the default high-water mark.
const BURST: u64 = 1000;
