//! Memory of a socket for each of its peers, idle and busy, compared with libzmq; allocations for
//! each message.
//!
//! The measured socket has a process of its own. Its peers are in another one and always use
//! Monocoque, since their library does not matter.
//!
//! ```text
//! cargo bench --bench memory --features zmq
//! ```
//!
//! The figures are written to `target/memory.json`. A missed bar is a result; only a figure that
//! could not be measured is a failure.

mod ends;
mod job;

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, thread};

use serde_json::{Value, json};

use job::{ASK, BOUND, GO, GOES, Job, Library, Role, SAMPLE, STARTED, Sample};
use monocoque_bench::machine;
use monocoque_bench::process::PeerProcess;

/// Counts allocations while a [`dhat::Profiler`] runs, and forwards all calls to the system.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [first, job @ ..] = &words[..]
        && first == job::CHILD
    {
        return ends::run(job);
    }
    match measure_all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all() -> Result<()> {
    println!("{:<34}{:>12}{:>12}  bars", "", "zmq", "ours");
    let mut bars = Vec::new();
    let mut memory = Vec::new();
    for (role, busy) in [(Role::Pull, false), (Role::Pull, true), (Role::Push, true)] {
        for peers in PEERS {
            memory.push(memory_row(role, busy, peers, &mut bars)?);
        }
    }
    let allocations = [Role::Push, Role::Pull].map(|role| allocation_row(role, &mut bars));
    let [sending, receiving] = allocations;

    println!("{} of {} bars hold", bars.iter().filter(|bar| bar.holds()).count(), bars.len());
    let everything = json!({
        "machine": machine::machine(),
        "versions": machine::versions(),
        "memory": memory,
        "allocations": [sending?, receiving?],
        "bars": bars.iter().map(Bar::json).collect::<Vec<_>>(),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/memory.json");
    fs::write(&path, format!("{everything:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}

/// Measures the KiB of a socket for each of its peers.
fn memory_row(role: Role, busy: bool, peers: usize, bars: &mut Vec<Bar>) -> Result<Value> {
    let [zmq, ours] = [Library::Zmq, Library::Ours].map(|library| grown_kib(library, role, busy, peers));
    let (zmq, ours) = (zmq? / peers as f64, ours? / peers as f64);
    let traffic = if busy { "busy" } else { "idle" };
    let name = format!("{role}, {peers} {traffic}, KiB each");
    let held: &[Bar] = match (busy, peers) {
        (false, 1000) => &[
            Bar { name: "an idle connection, KiB", value: ours, limit: 24.0 },
            Bar { name: "1000 idle peers, MiB", value: ours * peers as f64 / 1024.0, limit: 24.0 },
        ],
        _ => &[],
    };
    print(&name, &format!("{zmq:.1}"), &format!("{ours:.1}"), held);
    bars.extend(held);
    Ok(json!({ "socket": role.to_string(), "peers": traffic, "n": peers, "zmq_kib": zmq, "ours_kib": ours }))
}

/// Measures the allocations for each 64-byte message.
fn allocation_row(role: Role, bars: &mut Vec<Bar>) -> Result<Value> {
    let job = Job { counts: true, ..Job::of(Library::Ours, role) };
    let mut pair = Pair::start(job, 1)?;
    thread::sleep(SETTLE);
    let before = sample(&mut pair.measured)?;
    thread::sleep(WINDOW);
    let after = sample(&mut pair.measured)?;
    let messages = after.messages - before.messages;
    if messages == 0 {
        return Err(format!("{}: stands still", pair.measured).into());
    }
    let each = (after.allocations - before.allocations) as f64 / messages as f64;
    let bar = Bar { name: job.role.traffic(), value: each, limit: 0.01 };
    print(&format!("{}, allocations each", bar.name), "", &format!("{each:.4}"), &[bar]);
    bars.push(bar);
    Ok(json!({ "socket": role.to_string(), "messages": messages, "ours": each }))
}

/// Measures by how many KiB a process grows when `peers` peers connect to its socket.
fn grown_kib(library: Library, role: Role, busy: bool, peers: usize) -> Result<f64> {
    let mut pair = Pair::start(Job { busy, ..Job::of(library, role) }, peers)?;
    thread::sleep(SETTLE);
    let with_peers = sample(&mut pair.measured)?;
    let grown = with_peers.resident_kib.saturating_sub(pair.alone.resident_kib);
    Ok(grown as f64)
}

/// The measured process and the process of its peers.
struct Pair {
    measured: PeerProcess,
    /// The sample before the peers connect.
    alone: Sample,
    _peers: PeerProcess,
}

impl Pair {
    fn start(job: Job, peers: usize) -> Result<Self> {
        let mut measured = start(job, ANYWHERE, 1)?;
        let endpoint = measured.expect_line(BOUND, START_LIMIT)?;
        let alone = sample(&mut measured)?;
        let other = Job { busy: job.busy, ..Job::of(Library::Ours, job.role.other()) };
        let mut peers = start(other, &endpoint, peers)?;
        peers.expect_line(STARTED, START_LIMIT)?;
        for end in [&mut measured, &mut peers] {
            end.request(GO, GOES)?;
        }
        Ok(Self { measured, alone, _peers: peers })
    }
}

fn start(job: Job, endpoint: &str, sockets: usize) -> Result<PeerProcess> {
    let mut command = vec![env::current_exe()?.into_os_string()];
    command.extend(job.to_args(endpoint, sockets).map(OsString::from));
    Ok(PeerProcess::start(format!("{} {}", job.library, job.role), &command)?)
}

fn sample(process: &mut PeerProcess) -> Result<Sample> {
    let line = process.request(ASK, SAMPLE)?;
    Sample::parse(&line).ok_or_else(|| format!("{process}: not a sample: {line}").into())
}

/// The upper limit of a figure of Monocoque.
#[derive(Clone, Copy, Debug)]
struct Bar {
    name: &'static str,
    value: f64,
    limit: f64,
}

impl Bar {
    fn holds(&self) -> bool {
        self.value <= self.limit
    }

    fn text(&self) -> String {
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        format!("{} {:.4} <= {}: {verdict}", self.name, self.value, self.limit)
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "value": self.value, "limit": self.limit, "holds": self.holds() })
    }
}

fn print(name: &str, zmq: &str, ours: &str, bars: &[Bar]) {
    let bars: Vec<String> = bars.iter().map(Bar::text).collect();
    println!("{}", format!("{name:<34}{zmq:>12}{ours:>12}  {}", bars.join("; ")).trim_end());
}

const ANYWHERE: &str = "tcp://127.0.0.1:0";
const PEERS: [usize; 4] = [1, 10, 100, 1000];

/// Generous, for a busy machine and a thousand connections.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The time in which queues fill and buffers grow.
const SETTLE: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(2);
