//! Shared parts of the benchmarks: a [`Load`] that a library puts on a pair of sockets, measured by
//! Criterion.
//!
//! The two sides are threads of this process, each with a runtime or context of its own. The
//! receiving side counts; the time of a message is the time until all messages have arrived,
//! divided by their number. `compare` gives each side a process and has the figures to quote: these
//! benchmarks show the effect of a change.
//!
//! The feature `zmq` adds libzmq, through the crate of that name.
#![expect(missing_docs, reason = "used by the benches only")]
#![expect(missing_debug_implementations, reason = "benches print figures, not their parts")]

pub mod fixtures;
pub mod machine;
mod ours;
mod pair;
pub mod process;
mod side;
#[cfg(feature = "zmq")]
mod zmq;

use std::fmt;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use futures::future::LocalBoxFuture;
use monocoque::MonocoqueError;
use monocoque::zmq::PushSocket;

use pair::Pair;
use side::Side;

/// The library under test, and where its connections run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// libzmq, through the `zmq` crate.
    #[cfg(feature = "zmq")]
    Zmq,
    /// Monocoque with connections and program in one compio runtime.
    Ours,
    /// Monocoque with I/O threads, and the program on a thread without a runtime.
    OursIo,
}

/// The work of a benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub pattern: Pattern,
    pub transport: Transport,
    /// The size of a message in bytes.
    pub size: usize,
    /// The number of sockets that send messages or requests.
    pub from: usize,
    /// The number of sockets that receive messages or reply.
    pub to: usize,
    /// The number of topics of each SUB; as many other topics are published in between. 0 is a
    /// subscription to everything.
    pub topics: usize,
    /// The number of I/O threads of each side.
    pub io_threads: usize,
    /// The batches of a Monocoque PUSH; `None` sends messages one by one.
    pub batches: Option<Batches>,
}

#[derive(Clone, Copy, Debug)]
pub struct Batches {
    pub size: usize,
    pub send: SendBatches,
}

/// Sends a body a number of times, in batches of a size.
pub type SendBatches =
    for<'s> fn(&'s PushSocket, &'s [u8], usize, usize) -> LocalBoxFuture<'s, Result<(), MonocoqueError>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    PushPull,
    /// From the DEALER to the ROUTER only.
    DealerRouter,
    PubSub,
    ReqRep,
    /// To the ROUTER and back, one message at a time.
    DealerRouterEcho,
}

#[derive(Clone, Copy, Debug)]
pub enum Transport {
    Tcp,
    Ipc,
}

/// Starts a group of benchmarks. `scripts/analyze_benchmarks.py` relies on names of the form
/// `BENCH, WORK by PARAMETER`.
pub fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// Runs one benchmark under the name of its library. The pair of sides lives as long as it.
pub fn measure(group: &mut BenchmarkGroup<'_, WallTime>, library: Library, parameter: usize, load: Load) {
    measure_as(group, &library.to_string(), library, parameter, load);
}

/// Runs one benchmark under another name than that of its library.
pub fn measure_as(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    library: Library,
    parameter: usize,
    load: Load,
) {
    // Created lazily: Criterion may skip the benchmark.
    let mut pair = None;
    group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: load.size as u64 });
    group.bench_function(BenchmarkId::new(name, parameter), |bencher| {
        let pair = pair.get_or_insert_with(|| Pair::start(library, load));
        bencher.iter_custom(|n| pair.time(n));
    });
    if let Some([p50, p99, p999]) = pair.and_then(|pair| pair.round_trip()) {
        println!("{:24}p50 {p50:.1} us, p99 {p99:.1} us, p99.9 {p999:.1} us", "");
    }
}

/// Returns a short configuration: there are many benchmarks, and one second of each is plenty.
pub fn config() -> Criterion {
    Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(800))
        .nresamples(10_000)
        .without_plots()
}

impl Library {
    pub const ALL: &[Self] = &[
        #[cfg(feature = "zmq")]
        Self::Zmq,
        Self::Ours,
        Self::OursIo,
    ];
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            #[cfg(feature = "zmq")]
            Self::Zmq => "zmq",
            Self::Ours => "ours",
            Self::OursIo => "ours-io",
        })
    }
}

impl Load {
    /// Returns a load of 64-byte messages over tcp, with one socket on each side.
    pub const fn of(pattern: Pattern) -> Self {
        Self {
            pattern,
            transport: Transport::Tcp,
            size: 64,
            from: 1,
            to: 1,
            topics: 0,
            io_threads: 1,
            batches: None,
        }
    }

    /// Returns the side that binds: the one with a single socket, or the publisher.
    fn binds(&self) -> Side {
        match self.to > 1 || self.pattern == Pattern::PubSub {
            true => Side::From,
            false => Side::To,
        }
    }

    fn asks(&self) -> bool {
        matches!(self.pattern, Pattern::ReqRep | Pattern::DealerRouterEcho)
    }

    /// Returns how many arrivals `n` sent messages cause.
    fn arrivals(&self, n: u64) -> u64 {
        match self.pattern {
            Pattern::PubSub => n * self.to as u64,
            _ => n,
        }
    }

    /// Returns the message bodies, which are sent repeatedly.
    fn bodies(&self) -> Vec<Vec<u8>> {
        let body = |topic: Vec<u8>| {
            let mut body = topic;
            body.resize(self.size, b'm');
            body
        };
        match self.topics {
            0 => vec![body(Vec::new())],
            n => (0..2 * n).map(|i| body(topic(i))).collect(),
        }
    }

    /// Returns the subscriptions of a SUB: every second topic.
    fn subscriptions(&self) -> Vec<Vec<u8>> {
        match self.topics {
            0 => vec![Vec::new()],
            n => (0..n).map(|i| topic(2 * i)).collect(),
        }
    }
}

fn topic(i: usize) -> Vec<u8> {
    format!("topic-{i:08}.").into_bytes()
}

/// Returns the share of each of `sockets` sockets in `n` messages.
fn shares(n: usize, sockets: usize) -> impl Iterator<Item = usize> {
    (0..sockets).map(move |i| n / sockets + usize::from(i < n % sockets))
}

pub const KIB: usize = 1024;

const SAMPLES: usize = 10;
