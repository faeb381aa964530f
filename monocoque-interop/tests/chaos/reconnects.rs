//! Threads that continuously connect and disconnect the endpoints of a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use monocoque::MonocoqueError;
use monocoque::zmq::Socket;

use crate::part::Part;
use crate::shared::Shared;
use testing::ledger::Stream;

/// The two threads of one lifetime. They end with the faults, or when this is dropped. After the
/// faults, each endpoint of the part is connected once, and no others are.
#[derive(Debug)]
pub(crate) struct Reconnects {
    dropped: Arc<AtomicBool>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Reconnects {
    /// Returns `None` for a part that does not reconnect, and after the faults.
    pub(crate) fn start<S: Socket>(
        socket: &S,
        part: &Part,
        shared: &Arc<Shared>,
        stream: &Arc<Stream>,
        seed: u64,
    ) -> Option<Self> {
        if !part.reconnects {
            return None;
        }
        // Counted before the check, so that the end of the faults is either seen here or waits.
        shared.reconnecting.fetch_add(1, Ordering::SeqCst);
        if shared.reconnected.load(Ordering::SeqCst) {
            shared.reconnecting.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        let dropped = Arc::<AtomicBool>::default();
        let worker = Arc::new(Worker {
            socket: socket.clone(),
            part: part.clone(),
            shared: shared.clone(),
            stream: stream.clone(),
            dropped: dropped.clone(),
        });
        let threads = [seed, !seed].map(|seed| {
            let worker = worker.clone();
            let work = move || worker.reconnect(&mut Rng::with_seed(seed));
            thread::Builder::new().name(part.name()).spawn(work).expect("a thread")
        });
        Some(Self { dropped, shared: shared.clone(), threads: threads.into() })
    }
}

impl Drop for Reconnects {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.ledger.record_error("a thread that connects and disconnects panicked".into());
            }
        }
    }
}

/// The state of both threads. The last one restores the endpoints when it drops this.
struct Worker<S: Socket> {
    socket: S,
    part: Part,
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    dropped: Arc<AtomicBool>,
}

impl<S: Socket> Worker<S> {
    fn reconnect(&self, rng: &mut Rng) {
        let Part { connects, additional, .. } = &self.part;
        let endpoints: Vec<_> = connects.iter().chain(additional).collect();
        while !self.dropped.load(Ordering::SeqCst) && !self.shared.reconnected.load(Ordering::SeqCst) {
            let endpoint = rng.choice(&endpoints).expect("not empty");
            // Disconnects more often than it connects, so that the number of connections stays
            // bounded.
            if rng.u8(0..100) < 45 {
                self.connect(endpoint);
            } else {
                self.disconnect(endpoint);
            }
            self.shared.reconnects.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_micros(rng.u64(0..8_000)));
        }
    }

    fn restore(&self) {
        if !self.dropped.load(Ordering::SeqCst) {
            let Part { connects, additional, .. } = &self.part;
            for endpoint in connects.iter().chain(additional) {
                while self.disconnect(endpoint) {}
            }
            connects.iter().for_each(|endpoint| self.connect(endpoint));
        }
        self.shared.reconnecting.fetch_sub(1, Ordering::SeqCst);
    }

    fn connect(&self, endpoint: &str) {
        self.stream.note_connection();
        if let Err(error) = self.socket.blocking().connect(endpoint) {
            self.shared.ledger.record_error(format!("{}: connect {endpoint}: {error}", self.part.name()));
        }
    }

    /// Returns `false` if the endpoint was not connected.
    fn disconnect(&self, endpoint: &str) -> bool {
        match self.socket.blocking().disconnect(endpoint) {
            Ok(()) => true,
            Err(MonocoqueError::UnknownEndpoint(_)) => false,
            Err(error) => {
                let wrong = format!("{}: disconnect {endpoint}: {error}", self.part.name());
                self.shared.ledger.record_error(wrong);
                false
            }
        }
    }
}

impl<S: Socket> Drop for Worker<S> {
    fn drop(&mut self) {
        self.restore();
    }
}
