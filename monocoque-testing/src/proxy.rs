//! A proxy that does to connections what networks do, on purpose: over tcp and ipc, in both
//! directions.
//!
//! One thread owns all of its sockets, none of which blocks, so that an order is carried out
//! between two pieces of data. What it does by chance comes from a seed and the number of the
//! connection. It counts what it did.

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

/// Stands between those who connect to it and a target. Ends with its connections when it is
/// dropped.
#[derive(Debug)]
pub struct Proxy {
    endpoint: String,
    orders: Sender<(Order, Sender<()>)>,
    bell: UnixStream,
    counts: Arc<Mutex<Counts>>,
    thread: Option<JoinHandle<()>>,
}

/// What happens to connections that come from now on.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Writes 1 to so many bytes at a time; 0 writes what there is.
    pub fragment: usize,
    /// Waits up to so long between two writes.
    pub delay: Duration,
    /// One of these comes, by chance, to each connection.
    pub ends: Vec<End>,
    /// After exactly so many bytes, both directions together, drawn from here.
    pub after: Range<u64>,
}

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both sides see a reset (over ipc an error or an end), and what is on its way is lost.
    Reset,
    /// Both sides see an orderly end, and what the proxy holds is lost.
    Close,
    /// Nothing is forwarded any more, and nobody is told, for so long; then it is reset.
    Stall(Duration),
    /// Nothing is forwarded any more for so long; then it goes on.
    Pause(Duration),
    /// Who connected sees an orderly end, and is still heard.
    CutToClient,
    /// The target sees an orderly end, and is still heard.
    CutToTarget,
}

/// What a proxy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that came.
    pub accepted: u64,
    /// Connections whose target was not there.
    pub unreachable: u64,
    pub resets: u64,
    pub closes: u64,
    pub stalls: u64,
    pub pauses: u64,
    pub cuts: u64,
    /// How often it went away for a while.
    pub refusals: u64,
    /// Writes of a part of what there was.
    pub fragments: u64,
    pub delays: u64,
    /// Bytes that it had taken and threw away.
    pub bytes_lost: u64,
    pub bytes: u64,
    /// Connections that are there.
    pub open: usize,
}

impl Counts {
    /// What can lose messages or hold them up, without fragments and delays.
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
enum Order {
    Faults(Faults),
    /// To a connection that is there, by chance.
    One(End),
    All(End),
    Refuse(Duration),
    Target(String),
    /// No more faults; what is stalled is reset, what is paused goes on.
    Heal,
    Stop,
}

impl Proxy {
    /// Listens at `front`, `tcp://ADDRESS:0` or `ipc://PATH`, and forwards to `target`.
    pub fn start(front: &str, target: &str, faults: Faults, seed: u64) -> Self {
        let listener = Listener::bind(front).expect("a place to listen");
        let endpoint = listener.endpoint();
        let (orders, inbox) = mpsc::channel();
        let (bell, rung) = UnixStream::pair().expect("a pair");
        for end in [&bell, &rung] {
            end.set_nonblocking(true).expect("an option");
        }
        let counts = Arc::new(Mutex::new(Counts::default()));
        let worker = Worker {
            front: endpoint.clone(),
            target: target.to_owned(),
            listener: Some(listener),
            back_at: None,
            attempts: 0,
            connections: Vec::new(),
            faults,
            seed,
            chance: Rng::with_seed(seed),
            orders: inbox,
            rung,
            counts: counts.clone(),
            now: Counts::default(),
        };
        let thread =
            thread::Builder::new().name("proxy".into()).spawn(move || worker.run()).expect("a thread");
        Self { endpoint, orders, bell, counts, thread: Some(thread) }
    }

    /// Where to connect to.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn set(&self, faults: Faults) {
        self.order(Order::Faults(faults));
    }

    /// Lets something happen to one connection.
    pub fn hit(&self, end: End) {
        self.order(Order::One(end));
    }

    /// Lets something happen to all connections that are there.
    pub fn hit_all(&self, end: End) {
        self.order(Order::All(end));
    }

    /// Does not listen for a while.
    pub fn refuse(&self, time: Duration) {
        self.order(Order::Refuse(time));
    }

    /// Forwards new connections to another place.
    pub fn retarget(&self, target: &str) {
        self.order(Order::Target(target.to_owned()));
    }

    /// Does no harm any more.
    pub fn heal(&self) {
        self.order(Order::Heal);
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("not poisoned")
    }

    /// Returns once it is done.
    fn order(&self, order: Order) {
        let (done, obeyed) = mpsc::channel();
        self.orders.send((order, done)).expect("the proxy runs");
        // Full: it has been rung for.
        let _full = (&self.bell).write(&[0]);
        obeyed.recv().expect("the proxy runs");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have panicked, which its thread has said.
        let _gone = self.orders.send((Order::Stop, mpsc::channel().0));
        let _full = (&self.bell).write(&[0]);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the proxy panicked");
        }
    }
}

/// An address of the loopback network that nobody else uses: a port there stays free when it is
/// left for a while.
pub fn own_loopback() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (pid, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("127.{}.{}.{}", 1 + (pid >> 8) % 254, pid & 255, 1 + n % 254)
}

struct Worker {
    front: String,
    target: String,
    listener: Option<Listener>,
    /// When to listen again, and how often that has failed.
    back_at: Option<Instant>,
    attempts: u32,
    connections: Vec<Connection>,
    faults: Faults,
    seed: u64,
    chance: Rng,
    orders: Receiver<(Order, Sender<()>)>,
    rung: UnixStream,
    counts: Arc<Mutex<Counts>>,
    now: Counts,
}

impl Worker {
    fn run(mut self) {
        loop {
            while let Ok((order, done)) = self.orders.try_recv() {
                if !self.obey(order) {
                    return;
                }
                self.publish();
                // Nobody waits if it was dropped meanwhile.
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

    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Faults(faults) => self.faults = faults,
            Order::One(end) => {
                if !self.connections.is_empty() {
                    let at = self.chance.usize(..self.connections.len());
                    if !self.connections[at].meet(end, &mut self.now) {
                        self.connections.swap_remove(at);
                    }
                }
            }
            Order::All(end) => {
                let now = &mut self.now;
                self.connections.retain_mut(|connection| connection.meet(end, now));
            }
            Order::Refuse(time) => {
                self.listener = None;
                self.back_at = Some(Instant::now() + time);
                self.now.refusals += 1;
            }
            Order::Target(target) => self.target = target,
            Order::Heal => {
                self.faults = Faults::default();
                self.back_at = self.back_at.map(|_| Instant::now());
                let now = &mut self.now;
                self.connections.retain_mut(|connection| connection.heal(now));
            }
            Order::Stop => return false,
        }
        true
    }

    /// Listens again when it is time. Another process may have its port for all addresses
    /// meanwhile: that will end.
    fn listen_again(&mut self) {
        if self.back_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        match Listener::bind(&self.front) {
            Ok(listener) => {
                self.listener = Some(listener);
                (self.back_at, self.attempts) = (None, 0);
            }
            Err(error) => {
                self.attempts += 1;
                assert!(self.attempts < ATTEMPTS, "its own place is not free: {error}");
                self.back_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn accept(&mut self) {
        while let Some(client) = self.listener.as_ref().and_then(Listener::accept) {
            self.now.accepted += 1;
            let chance = Rng::with_seed(self.seed ^ self.now.accepted.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            match Pipe::connect(&self.target) {
                Ok(target) => self.connections.push(Connection::new(client, target, &self.faults, chance)),
                Err(_) => {
                    client.reset_at_end();
                    self.now.unreachable += 1;
                }
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self) {
        let now = Instant::now();
        let mut fds = vec![PollFd::new(&self.rung, PollFlags::IN)];
        fds.extend(
            self.listener.as_ref().map(|listener| PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)),
        );
        let mut wake = self.back_at;
        for connection in &self.connections {
            connection.watch(now, &mut fds, &mut wake);
        }
        let wait = wake.map(|wake| wake.saturating_duration_since(now));
        let wait = wait.map(|wait| Timespec::try_from(wait).expect("a short time"));
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        let _none = (&self.rung).read(&mut [0; 64]);
    }
}

struct Connection {
    /// Who connected, and the target.
    pipes: [Pipe; 2],
    /// From each of them to the other.
    flows: [Flow; 2],
    fragment: usize,
    delay: Duration,
    /// What happens after how many more bytes.
    fate: Option<(End, u64)>,
    /// Nothing is forwarded until then.
    still: Option<(Instant, Still)>,
    chance: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Still {
    ThenReset,
    ThenOn,
}

#[derive(Default)]
struct Flow {
    held: Vec<u8>,
    at: usize,
    /// The source has ended.
    source_ended: bool,
    /// The destination has been told.
    ended: bool,
    next: Option<Instant>,
}

/// What came of an attempt to forward.
enum Moved {
    Some,
    None,
    /// The connection meets its fate.
    Fate,
    Broken,
}

impl Connection {
    fn new(client: Pipe, target: Pipe, faults: &Faults, mut chance: Rng) -> Self {
        let fate = chance.choice(&faults.ends).copied();
        let fate = fate.map(|end| (end, chance.u64(faults.after.clone())));
        Self {
            pipes: [client, target],
            flows: Default::default(),
            fragment: faults.fragment,
            delay: faults.delay,
            fate,
            still: None,
            chance,
        }
    }

    /// Forwards what there is. `false` if the connection is over.
    fn step(&mut self, counts: &mut Counts) -> bool {
        if let Some((until, then)) = self.still {
            if Instant::now() < until {
                return true;
            }
            self.still = None;
            if then == Still::ThenReset {
                return self.reset(counts);
            }
        }
        for side in [0, 1] {
            // Bounded, so that orders and other connections have their turn.
            for _ in 0..16 {
                match self.forward(side, counts) {
                    Moved::Some => {}
                    Moved::None => break,
                    Moved::Broken => return self.reset(counts),
                    Moved::Fate => {
                        if let Some((end, _)) = self.fate.take() {
                            return self.meet(end, counts);
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
                if self.fragment > 0 { rest.min(self.chance.usize(1..=self.fragment)) } else { rest };
            if let Some((_, left)) = self.fate {
                if left == 0 {
                    return Moved::Fate;
                }
                piece = piece.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
            match self.pipes[destination].write(&flow.held[flow.at..flow.at + piece]) {
                Err(error) if is_later(&error) => return Moved::None,
                Err(_) => return Moved::Broken,
                Ok(n) => {
                    flow.at += n;
                    counts.bytes += n as u64;
                    counts.fragments += u64::from(n < rest);
                    if let Some((_, left)) = &mut self.fate {
                        *left -= n as u64;
                    }
                }
            }
            if flow.at == flow.held.len() {
                flow.held.clear();
                flow.at = 0;
            }
            if !self.delay.is_zero() {
                flow.next = Some(now + self.delay.mul_f64(self.chance.f64()));
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
        match read {
            Ok(0) => {
                (flow.source_ended, flow.ended) = (true, true);
                self.pipes[destination].shutdown(Shutdown::Write);
                Moved::None
            }
            Ok(_) => Moved::Some,
            Err(error) if is_later(&error) => Moved::None,
            Err(_) => Moved::Broken,
        }
    }

    /// Lets something happen to it. `false` if the connection is over.
    fn meet(&mut self, end: End, counts: &mut Counts) -> bool {
        let still = |time, then| Some((Instant::now() + time, then));
        match end {
            End::Reset => {
                counts.resets += 1;
                return self.reset(counts);
            }
            End::Close => {
                counts.closes += 1;
                counts.bytes_lost += self.held();
                return false;
            }
            End::Stall(time) => {
                counts.stalls += 1;
                self.still = still(time, Still::ThenReset);
            }
            End::Pause(time) => {
                counts.pauses += 1;
                self.still = still(time, Still::ThenOn);
            }
            End::CutToClient => self.cut(1, counts),
            End::CutToTarget => self.cut(0, counts),
        }
        true
    }

    fn heal(&mut self, counts: &mut Counts) -> bool {
        (self.fragment, self.delay, self.fate) = (0, Duration::ZERO, None);
        match self.still.take() {
            Some((_, Still::ThenReset)) => self.reset(counts),
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

    /// Makes the end an abrupt one.
    fn reset(&self, counts: &mut Counts) -> bool {
        counts.bytes_lost += self.held();
        self.pipes.iter().for_each(Pipe::reset_at_end);
        false
    }

    fn held(&self) -> u64 {
        self.flows.iter().map(|flow| (flow.held.len() - flow.at) as u64).sum()
    }

    /// Adds what it waits for.
    fn watch<'a>(&'a self, now: Instant, fds: &mut Vec<PollFd<'a>>, wake: &mut Option<Instant>) {
        let mut wake_at = |at: Instant| *wake = Some(wake.map_or(at, |other| other.min(at)));
        if let Some((until, _)) = self.still {
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

fn is_later(error: &io::Error) -> bool {
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
                // One that is there and does not answer is not waited for: others have their turn.
                let address = address.parse().map_err(io::Error::other)?;
                Self::Tcp(TcpStream::connect_timeout(&address, Duration::from_millis(200))?).ready()
            }
            Address::Ipc(path) => Self::Ipc(UnixStream::connect(path)?).ready(),
        }
    }

    /// Small buffers: little is on its way when something happens, and who is held back notices
    /// soon.
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
            // One that has ended by itself needs none.
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
                // Those that are accepted have it from here.
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
            // It may be gone with its directory.
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

/// How much of a flow the proxy holds.
const CHUNK: usize = 16 * 1024;
/// What the system is asked to hold, of which it takes twice as much.
const BUFFER: usize = 32 * 1024;
/// How long it is waited for a place that is not free, and how often.
const PAUSE: Duration = Duration::from_millis(10);
const ATTEMPTS: u32 = 1_000;
