//! Parts that run in child processes, with Monocoque or libzmq.
//!
//! The test is started again in the child process, which [runs](crate::child_main) a single part.
//! It receives commands on its standard input: the phase, and the end of input to close. It
//! [reports](Report) on its standard output what it sends and receives. It is stopped occasionally.

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

use crate::part::{End, Implementation, Part, ReadSpeed, Role, RoutingIdKind};
use crate::shared::{PAUSE, Shared};
use testing::ledger::{CHAOS, Reader, Stream, Tag};

/// Runs one lifetime: as long as the process, which is ended by a signal or a command.
///
/// A process of libzmq may also end by an abort of libzmq, which counts as killed.
pub(crate) fn live(part: &Part, shared: &Arc<Shared>, mut end: End, rng: &mut Rng) {
    let account = Account::open(part, shared);
    let stream = account.stream.clone();
    let mut process = Process::start(part, account);
    let commanded = process.direct(shared, &mut end, rng);
    let in_order = commanded && shared.ended.load(Ordering::SeqCst);
    let status = process.end(in_order);
    if let Some(stream) = stream.filter(|_| !in_order || !status.success()) {
        stream.mark_killed();
    }
    let ended_by = |signal: Signal| status.signal() == Some(signal as i32);
    if part.implementation == Implementation::Theirs && ended_by(Signal::SIGABRT) {
        // Its reports are recorded first: the count makes them visible.
        shared.aborts.fetch_add(1, Ordering::SeqCst);
        eprintln!("{} has aborted", part.name());
    } else if !(in_order && status.success() || commanded && !in_order && ended_by(Signal::SIGKILL)) {
        shared.ledger.record_error(format!("{} has ended: {status}", part.name()));
    }
}

/// A child process with one part. It is killed when this is dropped.
struct Process {
    child: Child,
    commands: Option<ChildStdin>,
    /// The thread that records its reports.
    reports: Option<JoinHandle<()>>,
}

impl Process {
    fn start(part: &Part, mut account: Account) -> Self {
        let task = Task {
            seed: account.shared.ledger.seed(),
            stream: account.stream.as_ref().map_or(0, |stream| stream.id),
            index: part.index,
            implementation: part.implementation,
            role: part.role,
            binds: part.binds.clone(),
            connects: part.connects.clone(),
        };
        let mut child = Command::new(env::current_exe().expect("a path"))
            .args(["--exact", "chaos_run_keeps_all_invariants", "--nocapture"])
            .env(BRIEF, task.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let work = move || {
            // Other output of the test is no report.
            let reports = lines.map_while(Result::ok).filter_map(|line| Report::read(&line));
            reports.for_each(|report| account.enter(report));
        };
        let reports = thread::Builder::new().name(part.name()).spawn(work).expect("a thread");
        Self { commands: child.stdin.take(), child, reports: Some(reports) }
    }

    /// Forwards phases and stops the process occasionally, up to the end of this lifetime. Returns
    /// `false` if the process ends first.
    fn direct(&mut self, shared: &Shared, end: &mut End, rng: &mut Rng) -> bool {
        let mut known = CHAOS;
        let mut stopped_until = None;
        while matches!(end.try_recv(), Ok(None)) {
            let phase = shared.phase();
            if phase != known {
                known = phase;
                self.command(phase);
            }
            match stopped_until {
                None if phase == CHAOS && rng.u16(0..400) == 0 => {
                    self.signal(Signal::SIGSTOP);
                    shared.stops.fetch_add(1, Ordering::Relaxed);
                    stopped_until = Some(Instant::now() + Duration::from_millis(rng.u64(20..1_500)));
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

    fn command(&mut self, phase: u8) {
        // The exit status will show whether the process has ended.
        let _ended = self.commands.as_mut().map(|commands| writeln!(commands, "{phase}"));
    }

    fn signal(&self, signal: Signal) {
        // The process is not reaped yet, so its id is still its own.
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("a process that is not reaped");
    }

    /// Ends the process if it is running, and returns once its reports are recorded.
    fn end(mut self, in_order: bool) -> ExitStatus {
        if in_order {
            drop(self.commands.take());
            self.signal(Signal::SIGCONT);
        } else {
            self.child.kill().expect("a process that is not reaped");
        }
        let status = self.child.wait().expect("a child");
        self.reports.take().expect("once").join().expect("no panic");
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The records of a process in the ledger.
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
        // libzmq does not report lost connections.
        let exact = part.implementation != Implementation::Theirs;
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
                    // A reply to an earlier lifetime with the same routing id.
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

/// The task of a child process.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) seed: u64,
    /// The number of its stream.
    pub(crate) stream: u32,
    pub(crate) index: u8,
    pub(crate) implementation: Implementation,
    pub(crate) role: Role,
    pub(crate) binds: Vec<String>,
    pub(crate) connects: Vec<String>,
}

impl Task {
    /// Returns the task of this process; `None` if it is not a child.
    pub(crate) fn of_this_process() -> Option<Self> {
        let text = env::var(BRIEF).ok()?;
        let mut lines = text.lines();
        let mut next = || lines.next().expect("a field");
        let (seed, stream, index) = (next(), next(), next());
        let (implementation, role) = (next(), next());
        let implementations = [Implementation::Process, Implementation::Theirs];
        let (binds, connects) = lines.map(str::to_owned).partition(|line| line.starts_with(BIND));
        let strip = |lines: Vec<String>, mark| {
            let strip = |line: String| line.strip_prefix(mark).expect("marked").to_owned();
            lines.into_iter().map(strip).collect()
        };
        Some(Self {
            seed: seed.parse().expect("a seed"),
            stream: stream.parse().expect("a number"),
            index: index.parse().expect("a number"),
            implementation: implementations
                .into_iter()
                .find(|known| format!("{known:?}") == implementation)
                .expect("an implementation"),
            role: ROLES.into_iter().find(|known| format!("{known:?}") == role).expect("a role"),
            binds: strip(binds, BIND),
            connects: strip(connects, CONNECT),
        })
    }
}

impl Display for Task {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { seed, stream, index, implementation, role, binds, connects } = self;
        write!(f, "{seed}\n{stream}\n{index}\n{implementation:?}\n{role:?}")?;
        binds.iter().try_for_each(|endpoint| write!(f, "\n{BIND}{endpoint}"))?;
        connects.iter().try_for_each(|endpoint| write!(f, "\n{CONNECT}{endpoint}"))
    }
}

/// The commands received from the parent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands(Arc<(AtomicU8, AtomicBool)>);

impl Commands {
    /// Starts to read commands. The end of input is the last one.
    pub(crate) fn listen() -> Self {
        // Kills a stopped process with its parent.
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal).expect("set");
        let commands = Self::default();
        let commanded = commands.clone();
        thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                commanded.0.0.store(line.parse().expect("a phase"), Ordering::Relaxed);
            }
            commanded.0.1.store(true, Ordering::Relaxed);
        });
        // Ends the line that the test harness has begun.
        println!();
        commands
    }

    pub(crate) fn phase(&self) -> u8 {
        self.0.0.load(Ordering::Relaxed)
    }

    pub(crate) fn ended(&self) -> bool {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// A line of output to the parent. A killed process has written its last line as a whole, or not at
/// all.
#[derive(Debug)]
pub(crate) enum Report {
    /// The number of messages sent, and how many more are about to be sent in a phase. Reported
    /// first, so that no more is received than was reported, whenever the process is killed.
    Sends { sent: u64, more: u64, phase: u8, losses: u64 },
    /// A message of this tag, which has passed another socket.
    Received { through: u8, tag: Tag },
    /// A violation.
    Violation(String),
}

impl Report {
    pub(crate) fn write(&self) {
        println!("{REPORT}{self}");
    }

    /// Returns `None` for other output.
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
            _ => Self::Violation(text.to_owned()),
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
            Self::Violation(wrong) => write!(f, "wrong: {wrong}"),
        }
    }
}

/// The roles of child processes.
const ROLES: [Role; 6] = [
    Role::Push,
    Role::Pull,
    Role::Router,
    Role::Dealer(RoutingIdKind::Own),
    Role::Dealer(RoutingIdKind::None),
    Role::Sub(ReadSpeed::Good),
];
/// The environment variable with the task.
const BRIEF: &str = "MONOCOQUE_CHAOS_PART";
const BIND: &str = "bind ";
const CONNECT: &str = "connect ";
/// The beginning of a report.
const REPORT: &str = "report ";
