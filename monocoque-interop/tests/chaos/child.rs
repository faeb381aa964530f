//! Parts that are played in a process of their own, by Monocoque or by libzmq.
//!
//! The test runs once more in that process, which [plays](crate::child_main) the one part. Orders
//! reach it by its standard input: the phase, or the end of it all. It [reports](Report) on its
//! standard output what it sends and what it receives. Now and then it is stopped for a while.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::actor::{End, Make, Manner, Name, Part, Role};
use crate::scenario::{PAUSE, Shared};
use testing::ledger::{CHAOS, Reader, Stream, Tag};

/// Lives once: as long as the process, which is killed or told to end.
///
/// A process of libzmq may also end by an abort of its own, which is as if it had been killed.
pub(crate) fn live(part: &Part, shared: &Arc<Shared>, mut end: End, chance: &mut Rng) {
    let account = Account::open(part, shared);
    let stream = account.stream.clone();
    let mut process = Process::start(part, account);
    let told = process.direct(shared, &mut end, chance);
    let in_order = told && shared.ended.load(Ordering::SeqCst);
    let status = process.end(in_order);
    if let Some(stream) = stream.filter(|_| !in_order || !status.success()) {
        stream.mark_killed();
    }
    let ended_by = |signal: Signal| status.signal() == Some(signal as i32);
    if part.make == Make::Theirs && ended_by(Signal::SIGABRT) {
        // All that it had reported is entered: whoever sees this count sees that as well.
        shared.aborts.fetch_add(1, Ordering::SeqCst);
        eprintln!("{} has aborted", part.name());
    } else if !(in_order && status.success() || told && !in_order && ended_by(Signal::SIGKILL)) {
        shared.ledger.record_error(format!("{} has ended: {status}", part.name()));
    }
}

/// A process that plays a part. It is killed when this is dropped.
struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    /// Enters into the account what it reports.
    reports: Option<JoinHandle<()>>,
}

impl Process {
    fn start(part: &Part, mut account: Account) -> Self {
        let brief = Brief {
            seed: account.shared.ledger.seed(),
            stream: account.stream.as_ref().map_or(0, |stream| stream.id),
            index: part.index,
            make: part.make,
            role: part.role,
            binds: part.binds.clone(),
            connects: part.connects.clone(),
        };
        let mut child = Command::new(env::current_exe().expect("a path"))
            .args(["--exact", "chaos_run_keeps_all_invariants", "--nocapture"])
            .env(BRIEF, brief.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let work = move || {
            // What the test says in that process is no report.
            let reports = lines.map_while(Result::ok).filter_map(|line| Report::read(&line));
            reports.for_each(|report| account.enter(report));
        };
        let reports = thread::Builder::new().name(part.name()).spawn(work).expect("a thread");
        Self { orders: child.stdin.take(), child, reports: Some(reports) }
    }

    /// Passes the phases on, and stops it now and then, until it is told to end. `false` if it has
    /// ended by itself before that.
    fn direct(&mut self, shared: &Shared, end: &mut End, chance: &mut Rng) -> bool {
        let mut known = CHAOS;
        let mut stopped_until = None;
        while matches!(end.try_recv(), Ok(None)) {
            let phase = shared.phase();
            if phase != known {
                known = phase;
                self.order(phase);
            }
            match stopped_until {
                None if phase == CHAOS && chance.u16(0..400) == 0 => {
                    self.signal(Signal::SIGSTOP);
                    shared.stops.fetch_add(1, Ordering::Relaxed);
                    stopped_until = Some(Instant::now() + Duration::from_millis(chance.u64(20..1_500)));
                }
                Some(until) if phase != CHAOS || until <= Instant::now() => {
                    self.signal(Signal::SIGCONT);
                    stopped_until = None;
                }
                _ => {}
            }
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            thread::sleep(PAUSE);
        }
        true
    }

    fn order(&mut self, phase: u8) {
        // One that has ended by itself is found out by its status.
        let _ended = self.orders.as_mut().map(|orders| writeln!(orders, "{phase}"));
    }

    fn signal(&self, signal: Signal) {
        // It is not waited for yet, so its number is its own.
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    /// Ends it if it has not ended, and returns once all that it has reported is entered.
    fn end(mut self, in_order: bool) -> ExitStatus {
        if in_order {
            drop(self.orders.take());
            self.signal(Signal::SIGCONT);
        } else {
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
    shared: Arc<Shared>,
    role: Role,
    name: String,
    stream: Option<Arc<Stream>>,
    reader: Option<Reader>,
}

impl Account {
    fn open(part: &Part, shared: &Arc<Shared>) -> Self {
        let (index, name, ledger) = (part.index, part.name(), &shared.ledger);
        let (sends, receives) = part.role.classes();
        // libzmq does not say which connections it has lost.
        let exact = part.make != Make::Theirs;
        Self {
            stream: sends.map(|class| ledger.stream(index, &name, class, exact)),
            reader: receives.map(|class| ledger.reader(index, &name, class)),
            shared: shared.clone(),
            role: part.role,
            name,
        }
    }

    fn enter(&mut self, report: Report) {
        match (report, &self.stream, &mut self.reader) {
            (Report::Sends { sent, more, phase, losses }, Some(stream), _) => {
                stream.announce(sent, more, phase);
                stream.note_losses(losses);
            }
            (Report::Received { through, tag }, stream, Some(reader)) => {
                let Some(tag) = reader.take_tag(Ok(tag)) else { return };
                match stream {
                    Some(stream) if stream.id == tag.stream => reader.record_relay(through, tag),
                    // Of an earlier life of the same name.
                    Some(_) => _ = self.shared.stale_replies.fetch_add(1, Ordering::Relaxed),
                    None if self.role == Role::Router => {
                        self.shared.replies.fetch_add(1, Ordering::Relaxed);
                    }
                    None => {}
                }
            }
            (report, ..) => self.shared.ledger.record_error(format!("{}: {report}", self.name)),
        }
    }
}

/// What a process is to play.
#[derive(Debug)]
pub(crate) struct Brief {
    pub(crate) seed: u64,
    /// The number of its stream.
    pub(crate) stream: u32,
    pub(crate) index: u8,
    pub(crate) make: Make,
    pub(crate) role: Role,
    pub(crate) binds: Vec<String>,
    pub(crate) connects: Vec<String>,
}

impl Brief {
    /// That of this process, if it was started to play a part.
    pub(crate) fn of_this_process() -> Option<Self> {
        let text = env::var(BRIEF).ok()?;
        let mut lines = text.lines();
        let mut next = || lines.next().expect("a field");
        let (seed, stream, index) = (next(), next(), next());
        let (make, role) = (next(), next());
        let makes = [Make::Process, Make::Theirs];
        let (binds, connects) = lines.map(str::to_owned).partition(|line| line.starts_with(BIND));
        let strip = |lines: Vec<String>, mark| {
            let strip = |line: String| line.strip_prefix(mark).expect("marked").to_owned();
            lines.into_iter().map(strip).collect()
        };
        Some(Self {
            seed: seed.parse().expect("a seed"),
            stream: stream.parse().expect("a number"),
            index: index.parse().expect("a number"),
            make: makes.into_iter().find(|known| format!("{known:?}") == make).expect("a make"),
            role: ROLES.into_iter().find(|known| format!("{known:?}") == role).expect("a role"),
            binds: strip(binds, BIND),
            connects: strip(connects, CONNECT),
        })
    }
}

impl Display for Brief {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { seed, stream, index, make, role, binds, connects } = self;
        write!(f, "{seed}\n{stream}\n{index}\n{make:?}\n{role:?}")?;
        binds.iter().try_for_each(|endpoint| write!(f, "\n{BIND}{endpoint}"))?;
        connects.iter().try_for_each(|endpoint| write!(f, "\n{CONNECT}{endpoint}"))
    }
}

/// What was ordered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders(Arc<(AtomicU8, AtomicBool)>);

impl Orders {
    /// Takes orders, the last of which is the end of the input.
    pub(crate) fn listen() -> Self {
        // Nobody else ends this process if it is stopped when the test ends.
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal).expect("set");
        let orders = Self::default();
        let told = orders.clone();
        thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                told.0.0.store(line.parse().expect("a phase"), Ordering::Relaxed);
            }
            told.0.1.store(true, Ordering::Relaxed);
        });
        // The test has begun a line of its own.
        println!();
        orders
    }

    pub(crate) fn phase(&self) -> u8 {
        self.0.0.load(Ordering::Relaxed)
    }

    pub(crate) fn ended(&self) -> bool {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// A line of what a process tells of itself. One that is killed has written its last line as a
/// whole, or not at all.
#[derive(Debug)]
pub(crate) enum Report {
    /// It has sent so many messages, and is about to send more of them in a phase. So no more is
    /// received of it than it has reported, whenever it is killed.
    Sends { sent: u64, more: u64, phase: u8, losses: u64 },
    /// A message of this tag, by way of another one.
    Received { through: u8, tag: Tag },
    /// What must not be.
    Wrong(String),
}

impl Report {
    pub(crate) fn write(&self) {
        println!("{REPORT}{self}");
    }

    /// `None` for a line that is no report.
    fn read(line: &str) -> Option<Self> {
        let text = line.strip_prefix(REPORT)?;
        let (what, rest) = text.split_once(' ').unwrap_or((text, ""));
        let numbers: Vec<u64> = rest.split(' ').map_while(|field| field.parse().ok()).collect();
        Some(match (what, &numbers[..]) {
            ("sends", &[sent, more, phase, losses]) => Self::Sends { sent, more, phase: phase as u8, losses },
            ("received", &[through, topic, phase, stream, number]) => {
                let (topic, phase, stream) = (topic as u8, phase as u8, stream as u32);
                Self::Received { through: through as u8, tag: Tag { topic, phase, stream, number } }
            }
            _ => Self::Wrong(text.to_owned()),
        })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends { sent, more, phase, losses } => write!(f, "sends {sent} {more} {phase} {losses}"),
            Self::Received { through, tag: Tag { topic, phase, stream, number } } => {
                write!(f, "received {through} {topic} {phase} {stream} {number}")
            }
            Self::Wrong(wrong) => write!(f, "wrong: {wrong}"),
        }
    }
}

/// What is played in processes.
const ROLES: [Role; 6] = [
    Role::Push,
    Role::Pull,
    Role::Router,
    Role::Dealer(Name::Own),
    Role::Dealer(Name::None),
    Role::Sub(Manner::Good),
];
/// The variable that holds the brief.
const BRIEF: &str = "MONOCOQUE_CHAOS_PART";
const BIND: &str = "bind ";
const CONNECT: &str = "connect ";
/// A line of a report begins like this.
const REPORT: &str = "report ";
