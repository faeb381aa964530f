//! A proxy over tcp and ipc that injects network faults in both directions.
//!
//! One thread owns all of its sockets, none of which blocks, so that a command is carried out
//! between two pieces of data. Random choices follow from a seed and the number of the connection.
//! The proxy counts its faults.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size, set_socket_send_buffer_size};

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
        let worker = Worker {
            front: endpoint.clone(),
            target: target.to_owned(),
            listener: Some(listener),
            listen_at: None,
            attempts: 0,
            connections: Vec::new(),
            faults,
            seed,
            rng: Rng::with_seed(seed),
            commands: inbox,
            wakeups,
            counts: counts.clone(),
            record: record.clone(),
            now: Counts::default(),
        };
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

struct Worker {
    front: String,
    target: String,
    listener: Option<Listener>,
    /// When to listen again, and how many attempts have failed.
    listen_at: Option<Instant>,
    attempts: u32,
    connections: Vec<Connection>,
    faults: FaultPlan,
    seed: u64,
    rng: Rng,
    commands: Receiver<(Command, Sender<()>)>,
    wakeups: UnixStream,
    counts: Arc<Mutex<Counts>>,
    record: Record,
    now: Counts,
}

impl Worker {
    fn run(mut self) {
        loop {
            while let Ok((command, done)) = self.commands.try_recv() {
                if !self.carry_out(command) {
                    return;
                }
                self.publish();
                // The receiver may have been dropped meanwhile.
                let _gone = done.send(());
            }
            self.listen_again();
            self.accept();
            let Self { connections, now, .. } = &mut self;
            connections.retain_mut(|connection| connection.step(now));
            self.publish();
            self.wait();
        }
    }

    fn publish(&mut self) {
        self.now.open = self.connections.len();
        *self.counts.lock().expect("not poisoned") = self.now;
    }

    fn carry_out(&mut self, command: Command) -> bool {
        match command {
            Command::SetPlan(faults) => self.faults = faults,
            Command::One(fault) => {
                if !self.connections.is_empty() {
                    let at = self.rng.usize(..self.connections.len());
                    if !self.connections[at].apply(fault, &mut self.now) {
                        self.connections.swap_remove(at);
                    }
                }
            }
            Command::All(fault) => {
                let now = &mut self.now;
                self.connections.retain_mut(|connection| connection.apply(fault, now));
            }
            Command::Refuse(time) => {
                self.listener = None;
                self.listen_at = Some(Instant::now() + time);
                self.now.refusals += 1;
            }
            Command::Target(target) => self.target = target,
            Command::Heal => {
                self.faults = FaultPlan::default();
                self.listen_at = self.listen_at.map(|_| Instant::now());
                let now = &mut self.now;
                self.connections.retain_mut(|connection| connection.heal(now));
            }
            Command::Stop => return false,
        }
        true
    }

    /// Listens again when it is due. A failure is temporary: another process has bound the port for
    /// all addresses.
    fn listen_again(&mut self) {
        if self.listen_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        match Listener::bind(&self.front) {
            Ok(listener) => {
                self.listener = Some(listener);
                (self.listen_at, self.attempts) = (None, 0);
            }
            Err(error) => {
                self.attempts += 1;
                assert!(self.attempts < ATTEMPTS, "the proxy's own address is still in use: {error}");
                self.listen_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn accept(&mut self) {
        while let Some(client) = self.listener.as_ref().and_then(Listener::accept) {
            self.now.accepted += 1;
            let rng = Rng::with_seed(self.seed ^ self.now.accepted.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            match Pipe::connect(&self.target) {
                Ok(target) => {
                    let record = self.faults.records.then(|| self.record.clone());
                    self.connections.push(Connection::new(client, target, &self.faults, rng, record));
                }
                Err(_) => {
                    client.reset_at_end();
                    self.now.unreachable += 1;
                }
            }
        }
    }

    /// Waits until a socket is ready, a command arrives or a delay ends.
    fn wait(&self) {
        let now = Instant::now();
        let mut fds = vec![PollFd::new(&self.wakeups, PollFlags::IN)];
        fds.extend(
            self.listener.as_ref().map(|listener| PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)),
        );
        let mut wake = self.listen_at;
        for connection in &self.connections {
            connection.watch(now, &mut fds, &mut wake);
        }
        let wait = wake.map(|wake| wake.saturating_duration_since(now));
        let wait = wait.map(|wait| Timespec::try_from(wait).expect("a short time"));
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        let _none = (&self.wakeups).read(&mut [0; 64]);
    }
}

struct Connection {
    /// The connecting side and the target.
    pipes: [Pipe; 2],
    /// One flow from each of them to the other.
    flows: [Flow; 2],
    fragment: usize,
    delay: Duration,
    /// The fault that is due after so many more bytes.
    planned: Option<(Fault, u64)>,
    /// Forwards nothing until this instant.
    halt: Option<(Instant, Halt)>,
    rng: Rng,
    record: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    ThenReset,
    ThenOn,
}

#[derive(Default)]
struct Flow {
    held: Vec<u8>,
    at: usize,
    /// The source has ended its stream.
    source_ended: bool,
    /// The stream to the destination has been ended.
    ended: bool,
    next: Option<Instant>,
}

/// The result of an attempt to forward.
enum Moved {
    Some,
    None,
    /// The fault of the connection is due.
    FaultDue,
    Broken,
}

impl Connection {
    fn new(client: Pipe, target: Pipe, faults: &FaultPlan, mut rng: Rng, record: Option<Record>) -> Self {
        let planned = rng.choice(&faults.faults).copied();
        let planned = planned.map(|fault| (fault, rng.u64(faults.after.clone())));
        Self {
            pipes: [client, target],
            flows: Default::default(),
            fragment: faults.fragment,
            delay: faults.delay,
            planned,
            halt: None,
            rng,
            record,
        }
    }

    /// Forwards available data. Returns `false` if the connection is over.
    fn step(&mut self, counts: &mut Counts) -> bool {
        if let Some((until, then)) = self.halt {
            if Instant::now() < until {
                return true;
            }
            self.halt = None;
            if then == Halt::ThenReset {
                return self.reset(counts);
            }
        }
        for side in [0, 1] {
            // Bounded, so that commands and other connections are served too.
            for _ in 0..16 {
                match self.forward(side, counts) {
                    Moved::Some => {}
                    Moved::None => break,
                    Moved::Broken => return self.reset(counts),
                    Moved::FaultDue => {
                        if let Some((fault, _)) = self.planned.take() {
                            return self.apply(fault, counts);
                        }
                    }
                }
            }
        }
        !self.flows.iter().all(|flow| flow.ended)
    }

    /// Reads once, or writes once.
    fn forward(&mut self, side: usize, counts: &mut Counts) -> Moved {
        let [source, destination] = if side == 0 { [0, 1] } else { [1, 0] };
        let flow = &mut self.flows[side];
        if flow.at < flow.held.len() {
            let now = Instant::now();
            if flow.next.is_some_and(|next| now < next) {
                return Moved::None;
            }
            let rest = flow.held.len() - flow.at;
            let mut piece =
                if self.fragment > 0 { rest.min(self.rng.usize(1..=self.fragment)) } else { rest };
            if let Some((_, left)) = self.planned {
                if left == 0 {
                    return Moved::FaultDue;
                }
                piece = piece.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
            match self.pipes[destination].write(&flow.held[flow.at..flow.at + piece]) {
                Err(error) if is_retry(&error) => return Moved::None,
                Err(_) => return Moved::Broken,
                Ok(n) => {
                    flow.at += n;
                    counts.bytes += n as u64;
                    counts.fragments += u64::from(n < rest);
                    if let Some((_, left)) = &mut self.planned {
                        *left -= n as u64;
                    }
                }
            }
            if flow.at == flow.held.len() {
                flow.held.clear();
                flow.at = 0;
            }
            if !self.delay.is_zero() {
                flow.next = Some(now + self.delay.mul_f64(self.rng.f64()));
                counts.delays += 1;
            }
            return Moved::Some;
        }
        if flow.source_ended {
            return Moved::None;
        }
        flow.held.resize(CHUNK, 0);
        let read = self.pipes[source].read(&mut flow.held);
        flow.held.truncate(read.as_ref().map_or(0, |n| *n));
        if let Some(record) = &self.record {
            record.lock().expect("not poisoned")[side].extend_from_slice(&flow.held);
        }
        match read {
            Ok(0) => {
                (flow.source_ended, flow.ended) = (true, true);
                self.pipes[destination].shutdown(Shutdown::Write);
                Moved::None
            }
            Ok(_) => Moved::Some,
            Err(error) if is_retry(&error) => Moved::None,
            Err(_) => Moved::Broken,
        }
    }

    /// Applies a fault. Returns `false` if the connection is over.
    fn apply(&mut self, fault: Fault, counts: &mut Counts) -> bool {
        let halt = |time, then| Some((Instant::now() + time, then));
        match fault {
            Fault::Reset => {
                counts.resets += 1;
                return self.reset(counts);
            }
            Fault::Close => {
                counts.closes += 1;
                counts.bytes_lost += self.held();
                return false;
            }
            Fault::Stall(time) => {
                counts.stalls += 1;
                self.halt = halt(time, Halt::ThenReset);
            }
            Fault::Pause(time) => {
                counts.pauses += 1;
                self.halt = halt(time, Halt::ThenOn);
            }
            Fault::CutToClient => self.cut(1, counts),
            Fault::CutToTarget => self.cut(0, counts),
        }
        true
    }

    fn heal(&mut self, counts: &mut Counts) -> bool {
        (self.fragment, self.delay, self.planned) = (0, Duration::ZERO, None);
        match self.halt.take() {
            Some((_, Halt::ThenReset)) => self.reset(counts),
            _ => true,
        }
    }

    fn cut(&mut self, side: usize, counts: &mut Counts) {
        counts.cuts += 1;
        let flow = &mut self.flows[side];
        counts.bytes_lost += (flow.held.len() - flow.at) as u64;
        *flow = Flow { source_ended: true, ended: true, ..Flow::default() };
        self.pipes[1 - side].shutdown(Shutdown::Write);
    }

    /// Makes the connection end with a reset.
    fn reset(&self, counts: &mut Counts) -> bool {
        counts.bytes_lost += self.held();
        self.pipes.iter().for_each(Pipe::reset_at_end);
        false
    }

    fn held(&self) -> u64 {
        self.flows.iter().map(|flow| (flow.held.len() - flow.at) as u64).sum()
    }

    /// Adds the descriptors and the instant that the connection waits for.
    fn watch<'a>(&'a self, now: Instant, fds: &mut Vec<PollFd<'a>>, wake: &mut Option<Instant>) {
        let mut wake_at = |at: Instant| *wake = Some(wake.map_or(at, |other| other.min(at)));
        if let Some((until, _)) = self.halt {
            return wake_at(until);
        }
        for (side, flow) in self.flows.iter().enumerate() {
            if flow.at < flow.held.len() {
                match flow.next.filter(|next| now < *next) {
                    Some(next) => wake_at(next),
                    None => fds.push(PollFd::from_borrowed_fd(self.pipes[1 - side].as_fd(), PollFlags::OUT)),
                }
            } else if !flow.source_ended {
                fds.push(PollFd::from_borrowed_fd(self.pipes[side].as_fd(), PollFlags::IN));
            }
        }
    }
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

enum Pipe {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

impl Pipe {
    fn connect(endpoint: &str) -> io::Result<Self> {
        match address(endpoint) {
            Address::Tcp(address) => {
                // A short timeout: connecting blocks the commands and the other connections.
                let address = address.parse().map_err(io::Error::other)?;
                Self::Tcp(TcpStream::connect_timeout(&address, Duration::from_millis(200))?).ready()
            }
            Address::Ipc(path) => Self::Ipc(UnixStream::connect(path)?).ready(),
        }
    }

    /// Small buffers: a fault loses little, and the sender soon notices back-pressure.
    fn ready(self) -> io::Result<Self> {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                set_socket_recv_buffer_size(stream, BUFFER)?;
            }
            Self::Ipc(stream) => stream.set_nonblocking(true)?,
        }
        set_socket_send_buffer_size(&self, BUFFER)?;
        Ok(self)
    }

    fn reset_at_end(&self) {
        if let Self::Tcp(stream) = self {
            // An error means that the connection has ended already.
            let _ended = set_socket_linger(stream, Some(Duration::ZERO));
        }
    }

    fn shutdown(&self, how: Shutdown) {
        let _ended = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Ipc(stream) => stream.shutdown(how),
        };
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Ipc(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Ipc(stream) => stream.write(bytes),
        }
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Ipc(stream) => stream.as_fd(),
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener, String),
}

impl Listener {
    fn bind(endpoint: &str) -> io::Result<Self> {
        let listener = match address(endpoint) {
            Address::Tcp(address) => Self::Tcp(TcpListener::bind(address)?),
            Address::Ipc(path) => Self::Ipc(UnixListener::bind(path)?, path.to_owned()),
        };
        match &listener {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                // Accepted connections inherit it.
                set_socket_recv_buffer_size(listener, BUFFER)?;
            }
            Self::Ipc(listener, _) => listener.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Tcp(listener) => format!("tcp://{}", listener.local_addr().expect("an address")),
            Self::Ipc(_, path) => format!("ipc://{path}"),
        }
    }

    fn accept(&self) -> Option<Pipe> {
        let pipe = match self {
            Self::Tcp(listener) => Pipe::Tcp(listener.accept().ok()?.0),
            Self::Ipc(listener, _) => Pipe::Ipc(listener.accept().ok()?.0),
        };
        pipe.ready().ok()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Ipc(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Ipc(_, path) = self {
            // An error means that its directory was removed first.
            let _gone = std::fs::remove_file(path);
        }
    }
}

enum Address<'a> {
    Tcp(&'a str),
    Ipc(&'a str),
}

fn address(endpoint: &str) -> Address<'_> {
    match endpoint.split_once("://") {
        Some(("tcp", address)) => Address::Tcp(address),
        Some(("ipc", path)) => Address::Ipc(path),
        _ => panic!("neither tcp nor ipc: {endpoint}"),
    }
}

/// The buffer size of a flow in bytes.
const CHUNK: usize = 16 * 1024;
/// The buffer size requested of the kernel, which doubles it.
const BUFFER: usize = 32 * 1024;
/// The pause between attempts to listen again, and their maximum number.
const PAUSE: Duration = Duration::from_millis(10);
const ATTEMPTS: u32 = 1_000;
