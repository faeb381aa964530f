//! A proxy over tcp and ipc that injects network faults in both directions.
//!
//! One thread owns all of its sockets, none of which blocks, so that a command is carried out
//! between two pieces of data. Random choices follow from a seed and the number of the connection.
//! The proxy counts its faults.

mod connection;
mod pipe;
mod worker;

use std::io::Write;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::pipe::Listener;
use self::worker::Worker;

/// A proxy between connecting sockets and a target. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    endpoint: String,
    commands: Sender<(Command, Sender<()>)>,
    waker: UnixStream,
    counts: Arc<Mutex<Counts>>,
    record: Record,
    thread: Option<JoinHandle<()>>,
}

/// The faults of future connections.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    /// The longest write in bytes, each of a random length; 0 for no limit.
    pub fragment: usize,
    /// The longest delay between two writes.
    pub delay: Duration,
    /// The faults of which each connection gets a random one.
    pub faults: Vec<Fault>,
    /// The range of the number of bytes, of both directions together, before that fault.
    pub after: Range<u64>,
    /// Keeps all bytes, for [`Proxy::recorded`].
    pub records: bool,
}

/// The bytes of either direction that were read from connections that are recorded.
type Record = Arc<Mutex<[Vec<u8>; 2]>>;

/// A fault of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both sides see a reset (over ipc an error or an end of stream); data in flight is lost.
    Reset,
    /// Both sides see an orderly end of stream; data in the proxy is lost.
    Close,
    /// Forwards nothing for this long, without closing, and then resets the connection.
    Stall(Duration),
    /// Forwards nothing for this long, and then continues.
    Pause(Duration),
    /// Ends the stream to the connecting side; the other direction continues.
    CutToClient,
    /// Ends the stream to the target; the other direction continues.
    CutToTarget,
}

/// Counts of what a proxy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted connections.
    pub accepted: u64,
    /// Connections whose target could not be reached.
    pub unreachable: u64,
    pub resets: u64,
    pub closes: u64,
    pub stalls: u64,
    pub pauses: u64,
    pub cuts: u64,
    /// How often the proxy stopped listening for a while.
    pub refusals: u64,
    /// Partial writes.
    pub fragments: u64,
    pub delays: u64,
    /// Bytes read and discarded.
    pub bytes_lost: u64,
    pub bytes: u64,
    /// Open connections.
    pub open: usize,
}

impl Counts {
    /// Returns the number of faults that can lose or delay messages, without fragments and delays.
    pub fn faults(&self) -> u64 {
        self.resets + self.closes + self.stalls + self.pauses + self.cuts + self.refusals
    }

    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.unreachable += other.unreachable;
        self.resets += other.resets;
        self.closes += other.closes;
        self.stalls += other.stalls;
        self.pauses += other.pauses;
        self.cuts += other.cuts;
        self.refusals += other.refusals;
        self.fragments += other.fragments;
        self.delays += other.delays;
        self.bytes_lost += other.bytes_lost;
        self.bytes += other.bytes;
        self.open += other.open;
    }
}

#[derive(Debug)]
enum Command {
    SetPlan(FaultPlan),
    /// Injects a fault into a random open connection.
    One(Fault),
    All(Fault),
    Refuse(Duration),
    Target(String),
    /// Ends all faults: resets stalled connections and continues paused ones.
    Heal,
    Stop,
}

/// The channels between the thread of a proxy and its [`Proxy`].
struct Channels {
    commands: Receiver<(Command, Sender<()>)>,
    wakeups: UnixStream,
    counts: Arc<Mutex<Counts>>,
    record: Record,
}

impl Proxy {
    /// Listens at `front`, `tcp://ADDRESS:0` or `ipc://PATH`, and forwards to `target`.
    pub fn start(front: &str, target: &str, faults: FaultPlan, seed: u64) -> Self {
        let listener = Listener::bind(front).expect("an endpoint to listen at");
        let endpoint = listener.endpoint();
        let (commands, inbox) = mpsc::channel();
        let (waker, wakeups) = UnixStream::pair().expect("a pair");
        for end in [&waker, &wakeups] {
            end.set_nonblocking(true).expect("an option");
        }
        let (counts, record) = (Arc::new(Mutex::new(Counts::default())), Record::default());
        let worker = Worker::new(
            listener,
            target,
            faults,
            seed,
            Channels { commands: inbox, wakeups, counts: counts.clone(), record: record.clone() },
        );
        let thread =
            thread::Builder::new().name("proxy".into()).spawn(move || worker.run()).expect("a thread");
        Self { endpoint, commands, waker, counts, record, thread: Some(thread) }
    }

    /// Returns the endpoint to connect to.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn set(&self, faults: FaultPlan) {
        self.command(Command::SetPlan(faults));
    }

    /// Injects a fault into one connection.
    pub fn inject(&self, fault: Fault) {
        self.command(Command::One(fault));
    }

    /// Injects a fault into all open connections.
    pub fn inject_all(&self, fault: Fault) {
        self.command(Command::All(fault));
    }

    /// Stops listening for a while.
    pub fn refuse(&self, time: Duration) {
        self.command(Command::Refuse(time));
    }

    /// Forwards new connections to another target.
    pub fn retarget(&self, target: &str) {
        self.command(Command::Target(target.to_owned()));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.command(Command::Heal);
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("not poisoned")
    }

    /// Returns the bytes of recorded connections: those to the target, and those to the connecting
    /// side.
    pub fn recorded(&self) -> [Vec<u8>; 2] {
        self.record.lock().expect("not poisoned").clone()
    }

    /// Returns once the command is carried out.
    fn command(&self, command: Command) {
        let (done, finished) = mpsc::channel();
        self.commands.send((command, done)).expect("the proxy runs");
        // A full pipe has a wake-up pending.
        let _full = (&self.waker).write(&[0]);
        finished.recv().expect("the proxy runs");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The thread may have panicked, and has reported it.
        let _gone = self.commands.send((Command::Stop, mpsc::channel().0));
        let _full = (&self.waker).write(&[0]);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the proxy panicked");
        }
    }
}

/// Returns a loopback address that no other process uses: a port there stays free while unbound.
pub fn own_loopback() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (pid, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("127.{}.{}.{}", 1 + (pid >> 8) % 254, pid & 255, 1 + n % 254)
}
