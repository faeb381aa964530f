//! Starts the two processes of a cell and makes one measurement.

use std::env;
use std::ffi::OsString;
use std::thread;
use std::time::Duration;

use crate::job::{Attach, Job, Role};
use crate::measure::{ASK, BOUND, SAMPLE, STARTED, Sample, warm_up};
use crate::rows::{Cell, Figure, Placement, Row, Shape, Transport};
use monocoque_bench::process::PeerProcess;

/// The measurements of one round. Fields that do not belong to the row are zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Messages or round trips per second of all sockets together; of a single SUB if there are
    /// several.
    pub(crate) rate: f64,
    /// p50, p99, p99.9 in ns.
    pub(crate) round_trip: [f64; 3],
    /// Processor time per message in ns: of the process that sends or requests, and of the other
    /// one.
    pub(crate) cpu: [f64; 2],
    /// KiB per connection.
    pub(crate) memory: f64,
}

/// A measurement, or the error that prevented it.
pub(crate) type MeasureResult = Result<Measured, String>;

pub(crate) fn measure(row: &Row, cell: &Cell, window: Duration) -> MeasureResult {
    // Removed on return, as the processes are.
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

/// Both processes of a cell.
struct Pair {
    binds: PeerProcess,
    /// The sample of the binding process before a peer connects.
    alone: Sample,
    connects: PeerProcess,
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
        let mut binds = start(&job, row.placement)?;
        let endpoint = binds.expect_line(BOUND, START_LIMIT)?;
        let alone = sample(&mut binds)?;

        let (library, role) = connecting;
        let job = Job { library, role, attach: Attach::Connect, endpoint, sockets, idle: cell.idle, ..job };
        Ok(Self { binds, alone, connects: start(&job, row.placement)? })
    }

    fn memory(mut self, connections: usize, window: Duration) -> MeasureResult {
        self.connects.expect_line(STARTED, START_LIMIT)?;
        thread::sleep(warm_up(window));
        let grown = sample(&mut self.binds)?.resident_kib.saturating_sub(self.alone.resident_kib);
        Ok(Measured { memory: grown as f64 / connections as f64, ..Measured::default() })
    }

    fn traffic(self, shape: Shape, window: Duration) -> MeasureResult {
        let [from, to] = match shape.from_attach {
            Attach::Bind => [self.binds, self.connects],
            Attach::Connect => [self.connects, self.binds],
        };
        // The requesting process counts: a message has arrived when its reply has.
        let asks = matches!(shape.from, Role::Req | Role::Dealer);
        let [mut counts, mut other] = if asks { [from, to] } else { [to, from] };
        counts.expect_line(STARTED, START_LIMIT)?;
        thread::sleep(warm_up(window));
        let before = [sample(&mut counts)?, sample(&mut other)?];
        thread::sleep(window);
        let after = [sample(&mut counts)?, sample(&mut other)?];

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

/// Computes the figures from two samples of the counting and of the other process.
fn throughput(before: [Sample; 2], after: [Sample; 2]) -> MeasureResult {
    let messages = after[0].received - before[0].received;
    if messages == 0 {
        return Err("no message arrived within the window".to_owned());
    }
    let seconds = [0, 1].map(|end| (after[end].time - before[end].time) as f64 / 1e9);
    let rate = messages as f64 / seconds[0];
    // The windows of the two processes differ slightly, so rates are compared.
    let cpu = [0, 1].map(|end| (after[end].cpu - before[end].cpu) as f64 / seconds[end] / rate);
    let round_trip = after[0].round_trip.map(|nanos| nanos as f64);
    Ok(Measured { rate, round_trip, cpu, memory: 0.0 })
}

/// Starts a process with one role.
fn start(job: &Job, placement: Placement) -> Result<PeerProcess, String> {
    let mut command = Vec::new();
    if placement == Placement::OneCore {
        command.extend(["taskset", "-c", "0"].map(OsString::from));
    }
    command.push(env::current_exe().map_err(|error| error.to_string())?.into());
    command.extend(job.to_args().map(OsString::from));
    PeerProcess::start(format!("{} {}", job.library, job.role), &command)
}

fn sample(process: &mut PeerProcess) -> Result<Sample, String> {
    let line = process.request(ASK, SAMPLE)?;
    Sample::parse(&line).ok_or_else(|| format!("{process}: not a sample: {line}"))
}

/// Generous, for a busy machine and a thousand connections.
const START_LIMIT: Duration = Duration::from_secs(30);
