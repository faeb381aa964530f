//! Starts the two ends of a cell, each in a process of its own, and takes one measurement.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::job::{Attach, Job, Role};
use crate::measure::{ASK, BOUND, SAMPLE, STARTED, Sample, warm_up};
use crate::rows::{Cell, Figure, Placement, Row, Shape, Transport};

/// What was measured in one round. Fields that do not belong to the row are zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Messages or round trips per second: of all sockets together, but of one SUB among many.
    pub(crate) rate: f64,
    /// p50, p99, p99.9 in ns.
    pub(crate) round_trip: [f64; 3],
    /// Processor time per message in ns: of the end that sends or asks, and of the other one.
    pub(crate) cpu: [f64; 2],
    /// KiB per connection.
    pub(crate) memory: f64,
}

/// A measurement, or why there is none.
pub(crate) type Taken = Result<Measured, String>;

pub(crate) fn measure(row: &Row, cell: &Cell, window: Duration) -> Taken {
    // Removed when this returns, as the processes are.
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let endpoint = match row.transport {
        Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
        Transport::Ipc => format!("ipc://{}", directory.path().join("endpoint").display()),
    };
    let pair = Pair::start(row, cell, endpoint)?;
    match row.figure {
        Figure::Memory => pair.memory(cell.idle, window),
        Figure::Rate | Figure::RoundTrip => pair.traffic(row.shape, window),
    }
}

/// Both ends of a cell.
struct Pair {
    binds: End,
    /// Of the end that binds, before anybody connects.
    alone: Sample,
    connects: End,
}

impl Pair {
    fn start(row: &Row, cell: &Cell, endpoint: String) -> Result<Self, String> {
        let from = (cell.from, row.shape.from);
        let to = (cell.to, row.shape.to);
        let ((library, role), connecting) = match row.shape.from_attach {
            Attach::Bind => (from, to),
            Attach::Connect => (to, from),
        };
        let Shape { in_flight, connecting: sockets, .. } = row.shape;
        let job = Job {
            library,
            role,
            attach: Attach::Bind,
            endpoint,
            size: row.size,
            sockets: 1,
            in_flight,
            idle: 0,
        };
        let mut binds = End::start(&job, row.placement)?;
        let endpoint = binds.hear(BOUND, START_LIMIT)?;
        let alone = binds.sample()?;

        let (library, role) = connecting;
        let job = Job { library, role, attach: Attach::Connect, endpoint, sockets, idle: cell.idle, ..job };
        Ok(Self { binds, alone, connects: End::start(&job, row.placement)? })
    }

    fn memory(mut self, connections: usize, window: Duration) -> Taken {
        self.connects.hear(STARTED, START_LIMIT)?;
        thread::sleep(warm_up(window));
        let grown = self.binds.sample()?.resident_kib.saturating_sub(self.alone.resident_kib);
        Ok(Measured { memory: grown as f64 / connections as f64, ..Measured::default() })
    }

    fn traffic(self, shape: Shape, window: Duration) -> Taken {
        let [from, to] = match shape.from_attach {
            Attach::Bind => [self.binds, self.connects],
            Attach::Connect => [self.connects, self.binds],
        };
        // The end that asks is the one that counts: a message has arrived when it is back.
        let asks = matches!(shape.from, Role::Req | Role::Dealer);
        let [mut counts, mut other] = if asks { [from, to] } else { [to, from] };
        counts.hear(STARTED, START_LIMIT)?;
        thread::sleep(warm_up(window));
        let before = [counts.sample()?, other.sample()?];
        thread::sleep(window);
        let after = [counts.sample()?, other.sample()?];

        let mut measured = throughput(before, after)?;
        if !asks {
            measured.cpu.reverse();
        }
        if shape.to == Role::Sub {
            measured.rate /= shape.connecting as f64;
        }
        Ok(measured)
    }
}

/// From what the end that counts and the other one said, twice.
fn throughput(before: [Sample; 2], after: [Sample; 2]) -> Taken {
    let messages = after[0].received - before[0].received;
    if messages == 0 {
        return Err("nothing arrived within the window".to_owned());
    }
    let seconds = [0, 1].map(|end| (after[end].time - before[end].time) as f64 / 1e9);
    let rate = messages as f64 / seconds[0];
    // The windows of the two ends are not quite the same: rates are compared.
    let cpu = [0, 1].map(|end| (after[end].cpu - before[end].cpu) as f64 / seconds[end] / rate);
    let round_trip = after[0].round_trip.map(|nanos| nanos as f64);
    Ok(Measured { rate, round_trip, cpu, memory: 0.0 })
}

/// A process that plays one role. It is killed when this is dropped.
struct End {
    name: String,
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl End {
    fn start(job: &Job, placement: Placement) -> Result<Self, String> {
        Self::spawn(job, placement).map_err(|error| format!("cannot start an end: {error}"))
    }

    fn spawn(job: &Job, placement: Placement) -> io::Result<Self> {
        let program = env::current_exe()?;
        let mut command = match placement {
            Placement::Free => Command::new(program),
            Placement::OneCore => {
                let mut command = Command::new("taskset");
                command.args(["-c", "0"]).arg(program);
                command
            }
        };
        let mut process = command.args(job.to_args()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let (line, lines) = mpsc::channel();
        // Ends with the process.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        Ok(Self { name: format!("{} {}", job.library, job.role), process, input, lines })
    }

    /// What follows `word`, which is what the process is to say next.
    fn hear(&self, word: &str, limit: Duration) -> Result<String, String> {
        let line = self.lines.recv_timeout(limit);
        let line = line.map_err(|error| format!("{}: waiting for '{word}': {error}", self.name))?;
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(format!("{}: '{line}' instead of '{word}'", self.name)),
        }
    }

    fn sample(&mut self) -> Result<Sample, String> {
        writeln!(self.input, "{ASK}").map_err(|error| format!("{}: {error}", self.name))?;
        let line = self.hear(SAMPLE, ANSWER_LIMIT)?;
        Sample::parse(&line).ok_or_else(|| format!("{}: not a sample: {line}", self.name))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Generous: for a busy machine and a thousand connections.
const START_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
