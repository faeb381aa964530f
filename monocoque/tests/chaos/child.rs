//! The parts as played by Monocoque in a process of its own, which is stopped now and then.
//!
//! The test runs once more in that process. Orders reach it by its standard input: the phase, or
//! the end of it all. It reports on its standard output what it sends and what it receives.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use monocoque::zmq::kind::{Kind, Sends};
use monocoque::zmq::{Builder, DealerSocket, PullSocket, PushSocket, Socket};
use monocoque::{Message, MonocoqueError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::actor::{End, Part, Role};
use crate::ledger::{Class, Ledger, Reader, SETTLED, Stream, Tag};
use crate::world::{CHAOS, DEADLINE, PAUSE, SETTLED_MESSAGES, Shared, TOPIC, burst};

/// What the process is to play: the seed, the number of its stream, its role and its endpoints.
const PART: &str = "MONOCOQUE_CHAOS_PART";
/// A line of a report begins like this.
const REPORT: &str = "report";

/// Lives once: as long as the process, which is killed or told to end.
pub(crate) fn live(part: &Part, shared: &Arc<Shared>, mut end: End, chance: &mut Rng) {
    let (sends, receives) = classes(part.role);
    let ledger = &shared.ledger;
    let stream = sends.map(|class| ledger.stream(part.index, &part.name(), class, true));
    let reader = receives.map(|class| ledger.reader(part.index, &part.name(), class));
    let mut process = Process::start(part, ledger, stream.clone(), reader);
    let mut known = CHAOS;
    let mut stopped_until = None;
    while matches!(end.try_recv(), Ok(None)) {
        let phase = shared.phase();
        if phase != known {
            known = phase;
            process.order(&phase.to_string());
        }
        match stopped_until {
            None if phase == CHAOS && chance.u8(0..60) == 0 => {
                process.signal(Signal::SIGSTOP);
                shared.stops.fetch_add(1, Ordering::Relaxed);
                let time = Duration::from_millis(chance.u64(20..1_500));
                stopped_until = Some(Instant::now() + time);
            }
            Some(until) if phase != CHAOS || until <= Instant::now() => {
                process.signal(Signal::SIGCONT);
                stopped_until = None;
            }
            _ => {}
        }
        if let Some(status) = process.ended() {
            ledger.wrong(format!("{} has ended: {status}", part.name()));
            return;
        }
        thread::sleep(PAUSE);
    }
    let in_order = shared.ended.load(Ordering::SeqCst);
    if in_order {
        process.signal(Signal::SIGCONT);
    } else if let Some(stream) = &stream {
        stream.kill();
    }
    let status = process.end(in_order);
    if in_order && !status.success() {
        ledger.wrong(format!("{} has ended: {status}", part.name()));
    }
}

/// What a role sends, and what it receives.
fn classes(role: Role) -> (Option<Class>, Option<Class>) {
    match role {
        Role::Push => (Some(Class::Work), None),
        Role::Pull => (None, Some(Class::Work)),
        Role::Dealer(_) => (Some(Class::Request), Some(Class::Reply)),
        Role::Router | Role::Pub | Role::Sub(_) => unreachable!("not played by a process"),
    }
}

/// A process that plays a part. It is killed when this is dropped.
struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    /// Enters into the ledger what it reports.
    reports: Option<JoinHandle<()>>,
}

impl Process {
    fn start(part: &Part, ledger: &Arc<Ledger>, stream: Option<Arc<Stream>>, reader: Option<Reader>) -> Self {
        let role = match part.role {
            Role::Push => "PUSH",
            Role::Pull => "PULL",
            _ => "DEALER",
        };
        let endpoints = [&part.binds[..], &part.connects[..]].concat();
        let id = stream.as_ref().map_or(0, |stream| stream.id);
        let fields = [ledger.seed().to_string(), id.to_string(), role.to_owned()];
        let mut child = Command::new(env::current_exe().expect("a path"))
            .args(["--exact", "nothing_is_wrong_after_chaos", "--nocapture"])
            .env(PART, [&fields[..], &endpoints].concat().join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (ledger, name) = (ledger.clone(), part.name());
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut account = Account { ledger, name, stream, reader };
        let work = move || {
            let reports = lines.map_while(Result::ok);
            reports.for_each(|line| account.enter(&line));
        };
        let reports = thread::Builder::new().name(part.name()).spawn(work).expect("a thread");
        Self { orders: child.stdin.take(), child, reports: Some(reports) }
    }

    fn order(&mut self, order: &str) {
        // One that has ended by itself is found out by its status.
        let _ended = self.orders.as_mut().map(|orders| writeln!(orders, "{order}"));
    }

    fn signal(&self, signal: Signal) {
        // It is not waited for yet, so its number is its own.
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Ends it, and returns once all that it has reported is entered.
    fn end(mut self, in_order: bool) -> ExitStatus {
        drop(self.orders.take());
        if !in_order {
            self.child.kill().expect("it is there");
        }
        let status = self.child.wait().expect("a child");
        self.reports.take().expect("once").join().expect("no panic");
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has mostly ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// What a process has to do with the ledger.
struct Account {
    ledger: Arc<Ledger>,
    name: String,
    stream: Option<Arc<Stream>>,
    reader: Option<Reader>,
}

impl Account {
    fn enter(&mut self, line: &str) {
        // What the test says in that process is none.
        let Some(report) = line.strip_prefix(REPORT) else { return };
        let fields: Vec<_> = report.split_whitespace().collect();
        // A process that is killed has written its last line as a whole, or not at all.
        let numbers: Vec<u64> = fields[1..].iter().flat_map(|field| field.parse()).collect();
        match (fields[0], &numbers[..], &self.stream, &mut self.reader) {
            ("sent", [sent, losses, settled_from], Some(stream), _) => {
                stream.set_sent(*sent, *settled_from);
                stream.note_losses(*losses);
            }
            ("received", [through, topic, phase, id, number], stream, Some(reader)) => {
                let (topic, phase, id) = (*topic as u8, *phase as u8, *id as u32);
                let tag = reader.take_tag(Ok(Tag { topic, phase, stream: id, number: *number }));
                if let (Some(tag), Some(stream)) = (tag, stream)
                    && tag.stream == stream.id
                {
                    reader.heard_through(*through as u8, tag);
                }
            }
            ("wrong", ..) => self.ledger.wrong(format!("{}: {report}", self.name)),
            _ => {}
        }
    }
}

/// In the process: plays the part that it was started for. `false` if it is no such process.
pub(crate) fn play() -> bool {
    let Ok(part) = env::var(PART) else { return false };
    // Nobody else ends it if it is stopped just then.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).expect("set");
    let mut fields = part.lines();
    let mut next = || fields.next().expect("a field");
    let seed = next().parse().expect("a seed");
    let stream = next().parse().expect("a number");
    let role = next();
    let own = Own { seed, stream, orders: Orders::default(), sent: 0, settled: 0, settled_from: u64::MAX };
    own.listen();
    println!();
    let endpoints: Vec<_> = fields.collect();
    match role {
        "PUSH" => own.push(&endpoints),
        "PULL" => own.pull(&endpoints),
        _ => own.dealer(&endpoints),
    }
    true
}

/// What was ordered.
#[derive(Clone, Default)]
struct Orders(Arc<(AtomicU8, AtomicBool)>);

impl Orders {
    fn phase(&self) -> u8 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn ended(&self) -> bool {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// The state of the process.
struct Own {
    seed: u64,
    stream: u32,
    orders: Orders,
    sent: u64,
    settled: usize,
    settled_from: u64,
}

impl Own {
    /// Takes orders, the last of which is the end of the input.
    fn listen(&self) {
        let orders = self.orders.clone();
        thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                orders.0.0.store(line.parse().expect("a phase"), Ordering::Relaxed);
            }
            orders.0.1.store(true, Ordering::Relaxed);
        });
    }

    fn push(mut self, endpoints: &[&str]) {
        let push = connected(PushSocket::builder().send_hwm(100), endpoints);
        while !self.orders.ended() {
            self.send_burst(&push, Role::Push);
            thread::sleep(PAUSE);
        }
        self.report(&push, 0);
        push.blocking_close().expect("elsewhere");
    }

    fn dealer(mut self, endpoints: &[&str]) {
        let dealer = connected(DealerSocket::builder(), endpoints);
        while !self.orders.ended() {
            self.send_burst(&dealer, Role::Dealer(crate::actor::Name::None));
            while let Ok(message) = dealer.try_recv() {
                match message.frame(0).and_then(|frame| frame.first()) {
                    Some(router) => self.received(*router, message.iter().skip(1)),
                    None => println!("{REPORT} wrong: an empty reply"),
                }
            }
            thread::sleep(PAUSE);
        }
        self.report(&dealer, 0);
        dealer.blocking_close().expect("elsewhere");
    }

    fn pull(self, endpoints: &[&str]) {
        let pull = with_options(PullSocket::builder().recv_hwm(100));
        for endpoint in endpoints {
            let start = Instant::now();
            while let Err(error) = pull.blocking_bind(*endpoint) {
                assert!(start.elapsed() < DEADLINE, "still not free: {error}");
                thread::sleep(Duration::from_millis(5));
            }
        }
        while !self.orders.ended() {
            match pull.blocking_recv_timeout(Duration::from_millis(20)) {
                Ok(message) => match crate::hostile::is_hostile(message.iter()) {
                    Ok(true) => {}
                    Ok(false) => self.received(0, message.iter()),
                    Err(wrong) => println!("{REPORT} wrong: {wrong}"),
                },
                Err(error) => assert!(matches!(error, MonocoqueError::TimedOut), "{error}"),
            }
        }
        pull.blocking_close().expect("elsewhere");
    }

    /// Sends a few messages; none any more once that is settled. What there is no room for is sent
    /// the next time.
    fn send_burst<K: Sends>(&mut self, socket: &Socket<K>, role: Role) {
        let phase = self.orders.phase();
        let left = if phase == SETTLED { SETTLED_MESSAGES - self.settled } else { usize::MAX };
        let messages = burst(phase, role).min(left);
        if phase == SETTLED {
            self.settled_from = self.settled_from.min(self.sent);
        }
        // More is not received of it than it has reported, whenever it is killed.
        self.report(socket, messages as u64);
        for _ in 0..messages {
            let tag = Tag { topic: TOPIC, phase, stream: self.stream, number: self.sent };
            let message = Message::from(tag.frames(self.seed));
            match socket.blocking_send_timeout(message, Duration::from_millis(20)) {
                Ok(()) => {}
                Err(error) if matches!(error.reason(), MonocoqueError::TimedOut) => return,
                Err(error) => panic!("not sent: {error}"),
            }
            self.sent += 1;
            self.settled += usize::from(phase == SETTLED);
        }
    }

    fn report<K: Kind>(&self, socket: &Socket<K>, more: u64) {
        let lost = socket.stats().lost_connections;
        println!("{REPORT} sent {} {lost} {}", self.sent + more, self.settled_from);
    }

    fn received<'a>(&self, through: u8, frames: impl Iterator<Item = &'a [u8]>) {
        match Tag::read(self.seed, &frames.collect::<Vec<_>>()) {
            Ok(Tag { topic, phase, stream, number }) => {
                println!("{REPORT} received {through} {topic} {phase} {stream} {number}");
            }
            Err(wrong) => println!("{REPORT} wrong: {wrong}"),
        }
    }
}

fn connected<K: Kind>(builder: Builder<K>, endpoints: &[&str]) -> Socket<K> {
    let socket = with_options(builder);
    for endpoint in endpoints {
        socket.blocking_connect(*endpoint).expect("an endpoint");
    }
    socket
}

fn with_options<K: Kind>(builder: Builder<K>) -> Socket<K> {
    crate::ours::with_options(builder).build().expect("a socket")
}
