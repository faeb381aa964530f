//! The threads of the two sides, and the measurement of a round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use tempfile::TempDir;

#[cfg(feature = "zmq")]
use super::zmq;
use super::{Library, Load, Pattern, SAMPLES, Transport, ours};

/// Both sides at work. They end when this is dropped.
pub(crate) struct Pair {
    load: Load,
    meter: Arc<Meter>,
    events: mpsc::Receiver<Event>,
    rounds: Vec<(Side, UnboundedSender<usize>)>,
    threads: Vec<JoinHandle<()>>,
    /// The round-trip times in ns of each of the last rounds.
    trips: Vec<Vec<u32>>,
    /// The directory of ipc endpoints.
    directory: TempDir,
}

/// One side, as its thread sees it.
pub(crate) struct End {
    pub(crate) load: Load,
    pub(crate) side: Side,
    binds: bool,
    endpoint: String,
    pub(crate) meter: Arc<Meter>,
    /// The number of messages of each round; closed at the end. The receiving side only uses the
    /// end.
    pub(crate) rounds: UnboundedReceiver<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    From,
    To,
}

pub(crate) enum Attach<'e> {
    Bind(&'e str),
    Connect(&'e str),
}

enum Event {
    Bound(String),
    /// All messages of the round have arrived.
    Reached(Instant),
    Failed(String),
}

/// Counts arriving messages, on one thread, and reports when there are enough.
pub(crate) struct Meter {
    count: AtomicU64,
    target: AtomicU64,
    trips: Mutex<Vec<u32>>,
    events: mpsc::Sender<Event>,
}

impl Pair {
    pub(crate) fn start(library: Library, load: Load) -> Self {
        let (sender, events) = mpsc::channel();
        let meter = Meter {
            count: AtomicU64::new(0),
            target: AtomicU64::new(NEVER),
            trips: Mutex::default(),
            events: sender,
        };
        let mut pair = Self {
            load,
            meter: Arc::new(meter),
            events,
            rounds: Vec::new(),
            threads: Vec::new(),
            trips: Vec::new(),
            directory: tempfile::tempdir().expect("a directory"),
        };
        let anywhere = match load.transport {
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Transport::Ipc => format!("ipc://{}", pair.directory.path().join("endpoint").display()),
        };
        pair.start_end(library, load.binds(), true, anywhere);
        let Event::Bound(endpoint) = pair.hear() else {
            unreachable!("no message is sent before the socket is bound")
        };
        match load.binds() {
            Side::From => pair.start_end(library, Side::To, false, endpoint),
            Side::To => pair.start_end(library, Side::From, false, endpoint),
        }
        pair
    }

    fn start_end(&mut self, library: Library, side: Side, binds: bool, endpoint: String) {
        let (round, rounds) = unbounded();
        let end = End { load: self.load, side, binds, endpoint, meter: self.meter.clone(), rounds };
        self.rounds.push((side, round));
        self.threads.push(thread::spawn(move || {
            let meter = end.meter.clone();
            let done = match library {
                #[cfg(feature = "zmq")]
                Library::Zmq => zmq::run(end).map_err(|error| error.to_string()),
                Library::Ours => ours::run(end, ours::Placement::Runtime).map_err(|error| error.to_string()),
                Library::OursIo => {
                    ours::run(end, ours::Placement::Threads).map_err(|error| error.to_string())
                }
            };
            if let Err(error) = done {
                meter.tell(Event::Failed(format!("{side:?}: {error}")));
            }
        }));
    }

    /// Measures how long `n` messages take to arrive, at each of the sockets that receive all of
    /// them.
    pub(crate) fn time(&mut self, n: u64) -> Duration {
        self.settle();
        self.meter.expect(self.load.arrivals(n));
        let start = Instant::now();
        let round = usize::try_from(n).expect("64 bits");
        for (_, from) in self.rounds.iter().filter(|(side, _)| *side == Side::From) {
            // A side that has ended has reported its error.
            let _ = from.unbounded_send(round);
        }
        let Event::Reached(end) = self.hear() else { unreachable!("bound long ago") };
        self.trips.push(self.meter.take_trips());
        if self.trips.len() > SAMPLES {
            // That was a round of the warm-up.
            self.trips.remove(0);
        }
        end - start
    }

    /// Waits until all publications of the previous round have arrived or been dropped.
    fn settle(&self) {
        if self.load.pattern != Pattern::PubSub {
            return;
        }
        let start = Instant::now();
        let mut count = NEVER;
        while self.meter.count() != count {
            assert!(start.elapsed() < LIMIT, "{:?}: messages do not stop arriving", self.load);
            count = self.meter.count();
            thread::sleep(REST);
        }
    }

    /// Returns p50, p99 and p99.9 in us, if the load has round trips.
    pub(crate) fn round_trip(&self) -> Option<[f64; 3]> {
        if !self.load.asks() {
            return None;
        }
        let mut all = self.trips.concat();
        all.sort_unstable();
        let at = |permille| Some(f64::from(*all.get(all.len() * permille / 1000)?) / 1000.0);
        Some([at(500)?, at(990)?, at(999)?])
    }

    fn hear(&self) -> Event {
        match self.events.recv_timeout(LIMIT) {
            Ok(Event::Failed(error)) => panic!("{:?}: {error}", self.load),
            Ok(event) => event,
            Err(error) => panic!("{:?}: {error}", self.load),
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.rounds.clear();
        let start = Instant::now();
        while !self.threads.iter().all(JoinHandle::is_finished) {
            if start.elapsed() > LIMIT {
                eprintln!("{:?}: an end does not end", self.load);
                return;
            }
            thread::sleep(REST);
        }
    }
}

impl End {
    pub(crate) fn sockets(&self) -> usize {
        match self.side {
            Side::From => self.load.from,
            Side::To => self.load.to,
        }
    }

    pub(crate) fn attach(&self) -> Attach<'_> {
        match self.binds {
            true => Attach::Bind(&self.endpoint),
            false => Attach::Connect(&self.endpoint),
        }
    }
}

impl Meter {
    pub(crate) fn bound(&self, endpoint: String) {
        self.tell(Event::Bound(endpoint));
    }

    /// Counts an arriving message.
    #[inline]
    pub(crate) fn add(&self) {
        let count = self.count() + 1;
        self.count.store(count, Ordering::Relaxed);
        if count >= self.target.load(Ordering::Relaxed) {
            self.target.store(NEVER, Ordering::Relaxed);
            self.tell(Event::Reached(Instant::now()));
        }
    }

    /// Counts a message that was sent at `start` and has returned.
    pub(crate) fn lap(&self, start: Instant) {
        let nanos = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
        self.trips.lock().expect("not poisoned").push(nanos);
        self.add();
    }

    /// Returns whether all messages of this round have arrived.
    pub(crate) fn is_reached(&self) -> bool {
        self.target.load(Ordering::Relaxed) == NEVER
    }

    fn expect(&self, more: u64) {
        self.target.store(self.count() + more, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn take_trips(&self) -> Vec<u32> {
        std::mem::take(&mut *self.trips.lock().expect("not poisoned"))
    }

    fn tell(&self, event: Event) {
        // The receiver is gone while the pair is being dropped.
        let _ = self.events.send(event);
    }
}

/// Generous: a round takes some tenths of a second.
const LIMIT: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_millis(5);
const NEVER: u64 = u64::MAX;
