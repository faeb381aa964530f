//! CURVE beside libzmq: messages per second and processor time of PUSH to PULL over tcp, and
//! handshakes per second.
//!
//! `scripts/bench_curve.sh` builds the libzmq end and starts this program. Each end is a process of
//! its own; the libraries take turns, round after round, and the ratios of a round are compared.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use monocoque::security::CurveSecretKey;
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Context, Message};
use nix::sys::resource::{UsageWho, getrusage};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The library of an end, and where its connections run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Library {
    Zmq,
    /// In the runtime of the program.
    Ours,
    /// On an I/O thread.
    OursIo,
}

/// A kind of work.
struct Work {
    name: &'static str,
    roles: [&'static str; 2],
    size: usize,
    count: usize,
}

/// The figures of one round: the rate at the receiver, and the processor time of both ends.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    processor: f64,
}

const LIBRARIES: [Library; 3] = [Library::Zmq, Library::Ours, Library::OursIo];

const WORK: [Work; 4] = [
    Work { name: "messages of 64 B", roles: ["pull", "push"], size: 64, count: 1_000_000 },
    Work { name: "messages of 1 KiB", roles: ["pull", "push"], size: 1 << 10, count: 400_000 },
    Work { name: "messages of 16 KiB", roles: ["pull", "push"], size: 16 << 10, count: 60_000 },
    Work { name: "handshakes", roles: ["serve", "join"], size: 0, count: 400 },
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["end", library, role, endpoint, size, count] => end(library, role, endpoint, size, count),
        [] => compare(5),
        [rounds] => rounds.parse().map_err(Into::into).and_then(compare),
        _ => Err("usage: scripts/bench_curve.sh [ROUNDS]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(rounds: usize) -> Result<()> {
    let libzmq = env::var_os("LIBZMQ_END").ok_or("start it with scripts/bench_curve.sh")?;
    println!("{:20} {:>24} {:>32} {:>32}", "CURVE over tcp", "libzmq", "ours", "ours-io");
    for work in &WORK {
        let mut figures: BTreeMap<Library, Vec<Figures>> = BTreeMap::new();
        for _ in 0..rounds {
            for library in LIBRARIES {
                figures.entry(library).or_default().push(measure(work, library, libzmq.clone().into())?);
            }
        }
        report(work, &figures);
    }
    Ok(())
}

/// Measures once, with both ends of one library.
fn measure(work: &Work, library: Library, libzmq: PathBuf) -> Result<Figures> {
    let endpoint = format!("tcp://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?);
    let mut ends = Vec::new();
    for role in work.roles {
        let mut command = match library {
            Library::Zmq => Command::new(&libzmq),
            _ => {
                let mut command = Command::new(env::current_exe()?);
                command.args(["end", if library == Library::Ours { "ours" } else { "ours-io" }]);
                command
            }
        };
        let job = [role, &endpoint, &work.size.to_string(), &work.count.to_string()];
        ends.push(command.args(job).stdout(Stdio::piped()).spawn()?);
    }
    let mut lines = Vec::new();
    for end in ends {
        let output = end.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("an end of {library:?} failed: {}", work.name).into());
        }
        lines.push(String::from_utf8(output.stdout)?);
    }
    let numbers =
        |line: &str| line.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<f64>, _>>();
    match (&numbers(&lines[0])?[..], &numbers(&lines[1])?[..]) {
        ([rate, here], [_, there]) => Ok(Figures { rate: *rate, processor: here + there }),
        _ => Err(format!("not two numbers: {lines:?}").into()),
    }
}

/// Prints medians, and the medians of the ratios to libzmq in the same round.
fn report(work: &Work, figures: &BTreeMap<Library, Vec<Figures>>) {
    print!("{:20}", work.name);
    let of_zmq = &figures[&Library::Zmq];
    for library in LIBRARIES {
        let ours = &figures[&library];
        let rate = median(ours.iter().map(|round| round.rate));
        let processor = median(ours.iter().map(|round| round.processor));
        print!(" {rate:>11.0}/s {processor:>7.0} ns");
        if library != Library::Zmq {
            let rates = median(ours.iter().zip(of_zmq).map(|(ours, zmq)| ours.rate / zmq.rate));
            let times = median(ours.iter().zip(of_zmq).map(|(ours, zmq)| zmq.processor / ours.processor));
            print!(" {rates:>4.1}x {times:>4.1}x");
        }
    }
    println!();
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Is one end, of our library.
fn end(library: &str, role: &str, endpoint: &str, size: &str, count: &str) -> Result<()> {
    let job = async |context: Context| {
        run(&context, role, endpoint, size.parse().unwrap_or_default(), count.parse().unwrap_or_default())
            .await
    };
    match library {
        "ours" => compio::runtime::Runtime::new()?.block_on(async { job(Context::current()?).await })?,
        _ => futures::executor::block_on(job(Context::new()?))?,
    }
    Ok(())
}

async fn run(context: &Context, role: &str, endpoint: &str, size: usize, count: usize) -> Result<()> {
    match role {
        "pull" => {
            let pull = server(context, endpoint).await?;
            receive(&pull, count / 10).await?;
            let meter = Meter::start();
            receive(&pull, count).await?;
            meter.report(count);
        }
        "push" => {
            let push = client(context, endpoint).await?;
            send(&push, size, count / 10).await?;
            let meter = Meter::start();
            send(&push, size, count).await?;
            push.close().await;
            meter.report(count);
        }
        "serve" => {
            let pull = server(context, endpoint).await?;
            receive(&pull, 1).await?;
            let meter = Meter::start();
            receive(&pull, count - 1).await?;
            meter.report(count - 1);
        }
        _ => {
            let meter = Meter::start();
            for _ in 0..count {
                let push = client(context, endpoint).await?;
                send(&push, size, 1).await?;
                push.close().await;
            }
            meter.report(count);
        }
    }
    Ok(())
}

async fn server(context: &Context, endpoint: &str) -> Result<PullSocket> {
    let pull = PullSocket::builder().curve_server(key(SERVER)).build_in(context)?;
    pull.bind(endpoint).await?;
    Ok(pull)
}

async fn client(context: &Context, endpoint: &str) -> Result<PushSocket> {
    let builder = PushSocket::builder().curve_client(key(CLIENT), key(SERVER).public_key());
    let push = builder.reconnect_interval(Duration::from_millis(1)).build_in(context)?;
    push.connect(endpoint).await?;
    Ok(push)
}

async fn receive(pull: &PullSocket, count: usize) -> Result<()> {
    for _ in 0..count {
        pull.recv().await?;
    }
    Ok(())
}

async fn send(push: &PushSocket, size: usize, count: usize) -> Result<()> {
    let body = vec![0; size];
    for _ in 0..count {
        push.send(Message::from(&body[..])).await?;
    }
    Ok(())
}

/// Time and processor time since the start of the work.
struct Meter {
    start: Instant,
    used: Duration,
}

impl Meter {
    fn start() -> Self {
        Self { start: Instant::now(), used: processor_time() }
    }

    fn report(&self, count: usize) {
        let (time, used) = (self.start.elapsed(), processor_time() - self.used);
        println!("{:.0} {:.0}", count as f64 / time.as_secs_f64(), used.as_secs_f64() * 1e9 / count as f64);
    }
}

fn processor_time() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("the usage of this process");
    [used.user_time(), used.system_time()]
        .into_iter()
        .map(|time| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000))
        .sum()
}

fn key(secret: [u8; 32]) -> CurveSecretKey {
    CurveSecretKey::from_bytes(secret)
}

const SERVER: [u8; 32] = [1; 32];
const CLIENT: [u8; 32] = [2; 32];
