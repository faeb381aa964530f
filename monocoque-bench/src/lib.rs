//! The parts that benches share: a [`Load`] that one of the libraries puts on a pair of sockets,
//! measured by Criterion.
//!
//! The ends are two threads of this process, each with a runtime or context of its own; what is
//! received is counted, and the time of a message is the time until so many had arrived. `compare`
//! gives each end a process, and is the one to quote: these are for finding out what a change has
//! done.
//!
//! The feature `zmq` puts libzmq, by the crate of that name, beside Monocoque.
#![expect(missing_docs, reason = "read beside the benches, which are all that uses it")]
#![expect(missing_debug_implementations, reason = "benches print figures, not their parts")]

pub mod end;
pub mod fixtures;
pub mod machine;
mod ours;
mod pair;
#[cfg(feature = "zmq")]
mod zmq;

use std::fmt;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use futures::future::LocalBoxFuture;
use monocoque::MonocoqueError;
use monocoque::zmq::PushSocket;

use pair::{Pair, Side};

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// libzmq, by the `zmq` crate.
    #[cfg(feature = "zmq")]
    Zmq,
    /// Monocoque, connections and program in one compio runtime.
    Ours,
    /// Monocoque with I/O threads, the program on a thread without a runtime.
    OursIo,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub pattern: Pattern,
    pub transport: Transport,
    /// Bytes in a message.
    pub size: usize,
    /// How many sockets send, or ask.
    pub from: usize,
    /// How many sockets receive, or answer.
    pub to: usize,
    /// How many topics each SUB has subscribed to; as many others are published in between. 0: one
    /// subscription to everything.
    pub topics: usize,
    /// Of each end.
    pub io_threads: usize,
    /// How a PUSH of Monocoque sends, if not one by one.
    pub batches: Option<Batches>,
}

#[derive(Clone, Copy, Debug)]
pub struct Batches {
    pub size: usize,
    pub send: SendBatches,
}

/// Sends a body so many times, in batches of a size.
pub type SendBatches =
    for<'s> fn(&'s PushSocket, &'s [u8], usize, usize) -> LocalBoxFuture<'s, Result<(), MonocoqueError>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    PushPull,
    /// One way.
    DealerRouter,
    PubSub,
    ReqRep,
    /// There and back, one message at a time.
    DealerRouterEcho,
}

#[derive(Clone, Copy, Debug)]
pub enum Transport {
    Tcp,
    Ipc,
}

/// A group of benchmarks, named `BENCH, WORK by PARAMETER`, which is how
/// `scripts/analyze_benchmarks.py` reads it.
pub fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// One benchmark, whose name is that of the library. The pair of ends lasts as long as it does.
pub fn measure(group: &mut BenchmarkGroup<'_, WallTime>, library: Library, parameter: usize, load: Load) {
    measure_as(group, &library.to_string(), library, parameter, load);
}

/// As [`measure`], by another name.
pub fn measure_as(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    library: Library,
    parameter: usize,
    load: Load,
) {
    // Not before Criterion knows that it is wanted.
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

/// Short: there are many benchmarks, and what one of them does in a second is plenty.
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
    /// 64 bytes over tcp, one socket at each end.
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

    /// The only socket of an end binds; who publishes always does.
    fn binds(&self) -> Side {
        match self.to > 1 || self.pattern == Pattern::PubSub {
            true => Side::From,
            false => Side::To,
        }
    }

    fn asks(&self) -> bool {
        matches!(self.pattern, Pattern::ReqRep | Pattern::DealerRouterEcho)
    }

    /// How many have arrived when `n` were sent.
    fn arrivals(&self, n: u64) -> u64 {
        match self.pattern {
            Pattern::PubSub => n * self.to as u64,
            _ => n,
        }
    }

    /// What is sent, again and again.
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

    /// What a SUB asks for: every second topic.
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

/// The share of each of `sockets` sockets in `n` messages.
fn shares(n: usize, sockets: usize) -> impl Iterator<Item = usize> {
    (0..sockets).map(move |i| n / sockets + usize::from(i < n % sockets))
}

pub const KIB: usize = 1024;

const SAMPLES: usize = 10;
