//! The counters of a child process, its answers, and statistics over them.

use std::fmt;
use std::io;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use monocoque_bench::machine::resident_kib;

/// The number of messages that one socket has received. Only its owner writes it; the control
/// thread reads it occasionally.
#[derive(Debug)]
pub(crate) struct Counter {
    shared: &'static AtomicU64,
    count: u64,
}

impl Counter {
    /// Returns the counter of the `n`th socket of this process.
    pub(crate) fn of(n: usize) -> Self {
        Self { shared: &COUNTS[n], count: 0 }
    }

    #[inline]
    pub(crate) fn add(&mut self) {
        if self.count == 0 {
            one_has_started();
        }
        self.count += 1;
        self.shared.store(self.count, Ordering::Relaxed);
    }
}

/// Measures round trips, each from the end of the one before.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    counter: Counter,
    last: Instant,
}

impl Stopwatch {
    pub(crate) fn start(counter: Counter) -> Self {
        Self { counter, last: Instant::now() }
    }

    pub(crate) fn lap(&mut self) {
        let now = Instant::now();
        let nanos = u32::try_from((now - self.last).as_nanos()).unwrap_or(u32::MAX);
        ROUND_TRIPS.lock().expect("not poisoned").push(nanos);
        self.counter.add();
        self.last = now;
    }
}

/// The answer of a process: totals since its start, but the round trips since the last answer only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The time of the monotonic clock, in ns.
    pub(crate) time: u64,
    pub(crate) received: u64,
    /// The processor time of all threads of the process, in ns.
    pub(crate) cpu: u64,
    pub(crate) resident_kib: u64,
    /// p50, p99 and p99.9 in ns; zero without round trips.
    pub(crate) round_trip: [u64; 3],
}

impl Sample {
    fn take() -> Self {
        let received = COUNTS.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the usage of this process");
        let cpu = (usage.user_time() + usage.system_time()).num_microseconds() * 1000;
        let mut trips = std::mem::take(&mut *ROUND_TRIPS.lock().expect("not poisoned"));
        trips.sort_unstable();
        Self {
            time: u64::try_from(time.as_nanos()).expect("for 500 years"),
            received,
            cpu: u64::try_from(cpu).expect("not negative"),
            resident_kib: resident_kib().expect("/proc/self/status is readable"),
            round_trip: [500, 990, 999].map(|permille| percentile(&trips, permille)),
        }
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        let &[time, received, cpu, resident_kib, p50, p99, p999] = &numbers?[..] else { return None };
        Some(Self { time, received, cpu, resident_kib, round_trip: [p50, p99, p999] })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, received, cpu, resident_kib, round_trip: [p50, p99, p999] } = self;
        write!(f, "{time} {received} {cpu} {resident_kib} {p50} {p99} {p999}")
    }
}

/// Starts a thread that answers the parent, and that exits the process when the parent is gone.
/// [`STARTED`] is printed once `sockets` sockets have received a message.
pub(crate) fn answer_parent(sockets: usize) {
    WAITED_FOR.store(sockets, Ordering::Relaxed);
    thread::spawn(|| {
        for question in io::stdin().lines() {
            match question.as_deref() {
                Ok(ASK) => println!("{SAMPLE} {}", Sample::take()),
                _ => break,
            }
        }
        process::exit(0);
    });
}

fn one_has_started() {
    if WAITED_FOR.fetch_sub(1, Ordering::Relaxed) == 1 {
        println!("{STARTED}");
    }
}

fn percentile(sorted: &[u32], permille: usize) -> u64 {
    let rank = sorted.len() * permille / 1000;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0).into()
}

/// Returns `None` for an empty list.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// Returns how long the processes run before a figure is measured.
pub(crate) fn warm_up(window: Duration) -> Duration {
    (window / 2).clamp(Duration::from_millis(100), Duration::from_millis(500))
}

/// The lines between the parent and its children.
pub(crate) const ASK: &str = "sample";
pub(crate) const SAMPLE: &str = "sample";
pub(crate) const BOUND: &str = "bound";
pub(crate) const STARTED: &str = "started";

static COUNTS: [AtomicU64; 128] = [const { AtomicU64::new(0) }; 128];
static WAITED_FOR: AtomicUsize = AtomicUsize::new(0);
static ROUND_TRIPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
