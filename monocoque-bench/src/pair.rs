//! The threads of the two sides, and the measurement of a round.

use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedSender, unbounded};
use tempfile::TempDir;

use super::side::{Event, Meter, Participant, Side};
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

impl Pair {
    pub(crate) fn start(library: Library, load: Load) -> Self {
        let (sender, events) = mpsc::channel();
        let mut pair = Self {
            load,
            meter: Arc::new(Meter::new(sender)),
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
        let Event::Bound(endpoint) = pair.next_event() else {
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
        let participant =
            Participant { load: self.load, side, binds, endpoint, meter: self.meter.clone(), rounds };
        self.rounds.push((side, round));
        self.threads.push(thread::spawn(move || {
            let meter = participant.meter.clone();
            let done = match library {
                #[cfg(feature = "zmq")]
                Library::Zmq => zmq::run(participant).map_err(|error| error.to_string()),
                Library::Ours => {
                    ours::run(participant, ours::Placement::Runtime).map_err(|error| error.to_string())
                }
                Library::OursIo => {
                    ours::run(participant, ours::Placement::Threads).map_err(|error| error.to_string())
                }
            };
            if let Err(error) = done {
                meter.emit(Event::Failed(format!("{side:?}: {error}")));
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
        let Event::Reached(end) = self.next_event() else { unreachable!("an endpoint is bound once") };
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
        let mut count = None;
        while count != Some(self.meter.count()) {
            assert!(start.elapsed() < LIMIT, "{:?}: messages do not stop arriving", self.load);
            count = Some(self.meter.count());
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

    fn next_event(&self) -> Event {
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
                eprintln!("{:?}: a side does not end", self.load);
                return;
            }
            thread::sleep(REST);
        }
    }
}

/// Generous: a round takes some tenths of a second.
const LIMIT: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_millis(5);
