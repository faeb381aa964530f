//! Measures receiving and requesting on one thread, by the place of the connections.
//!
//! Run with `cargo run --release --example runtime_rates [ROUNDS]` on a quiet machine. A PUSH on a
//! thread of its own, in a compio runtime, sends messages of 64 bytes over tcp for a second to a
//! PULL; then a REQ sends requests of 64 bytes to a REP on that thread for as long. Prints the
//! medians of the rounds: messages a second, the processor time of both ends for one, and the time
//! of a round trip, each with its ratio to that of compio.

use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use monocoque::zmq::{PullSocket, PushSocket, RepSocket, ReqSocket};
use monocoque::{Context, Endpoint};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

const TIME: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_millis(200);
const BODY: [u8; 64] = [b'm'; 64];

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Million messages a second, nanoseconds of processor time a message, and microseconds a round
/// trip.
type Figures = [f64; 3];

type Measure = fn() -> Outcome<Figures>;

const PLACES: [(&str, Measure); 4] = [
    ("compio runtime", in_compio),
    ("embedded in a current-thread tokio", in_current_thread_tokio),
    ("I/O thread, current-thread tokio", beside_current_thread_tokio),
    ("I/O thread, multi-threaded tokio", beside_multi_threaded_tokio),
];

fn main() -> Outcome<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(3), |rounds| rounds.parse())?;
    let mut figures = PLACES.map(|_| Vec::new());
    for _ in 0..rounds {
        for (figures, (_, measure)) in figures.iter_mut().zip(PLACES) {
            figures.push(measure()?);
        }
    }
    let medians = figures.map(|rounds| [0, 1, 2].map(|column| median(&rounds, column)));
    println!("{:36} {:>14} {:>16} {:>18}", "connections", "M msg/s", "CPU ns/msg", "round trip us");
    for ((place, _), row) in PLACES.iter().zip(medians) {
        let [rate, cpu, trip] = [0, 1, 2].map(|n| format!("{:.2} ({:.2})", row[n], row[n] / medians[0][n]));
        println!("{place:36} {rate:>14} {cpu:>16} {trip:>18}");
    }
    Ok(())
}

fn median(rounds: &[Figures], column: usize) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(|figures| figures[column]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn in_compio() -> Outcome<Figures> {
    compio::runtime::Runtime::new()?.block_on(async { measure(&Context::current()?).await })
}

fn in_current_thread_tokio() -> Outcome<Figures> {
    let (context, driver) = Context::embedded()?;
    let local = LocalSet::new();
    local.spawn_local(driver.run_local());
    local.block_on(&Builder::new_current_thread().enable_all().build()?, measure(&context))
}

fn beside_current_thread_tokio() -> Outcome<Figures> {
    let context = Context::new()?;
    Builder::new_current_thread().enable_all().build()?.block_on(measure(&context))
}

fn beside_multi_threaded_tokio() -> Outcome<Figures> {
    let context = Context::new()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measuring = runtime.spawn(async move { measure(&context).await });
    runtime.block_on(measuring)?
}

async fn measure(context: &Context) -> Outcome<Figures> {
    let (rate, cpu) = receive(context).await?;
    Ok([rate / 1e6, cpu * 1e9, request(context).await? * 1e6])
}

/// Returns the messages per second, and the seconds of processor time for each.
async fn receive(context: &Context) -> Outcome<(f64, f64)> {
    let pull = PullSocket::new_in(context)?;
    let endpoint = pull.bind("tcp://127.0.0.1:0").await?;
    let (handle, handles) = mpsc::channel();
    let sender = thread::spawn(move || send(endpoint, &handle));
    let push = handles.recv()?;
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        pull.recv().await?;
    }
    let (start, cpu, mut received) = (Instant::now(), processor_time(), 0_u32);
    while start.elapsed() < TIME {
        // The clock is read seldom.
        for _ in 0..256 {
            pull.recv().await?;
        }
        received += 256;
    }
    let (time, cpu) = (start.elapsed().as_secs_f64(), processor_time() - cpu);
    push.close_within(Duration::ZERO).await; // `send` fails
    pull.close().await;
    sender.join().map_err(|_| "the sender has panicked")??;
    Ok((f64::from(received) / time, cpu / f64::from(received)))
}

/// Sends until the socket is closed.
fn send(endpoint: Endpoint, handle: &mpsc::Sender<PushSocket>) -> Outcome<()> {
    compio::runtime::Runtime::new()?.block_on(async {
        let push = PushSocket::new()?;
        handle.send(push.clone())?;
        push.connect(endpoint).await?;
        while push.send(BODY.as_slice()).await.is_ok() {}
        push.close().await;
        Ok(())
    })
}

/// Returns the seconds of a round trip.
async fn request(context: &Context) -> Outcome<f64> {
    let (handle, handles) = mpsc::channel();
    let answerer = thread::spawn(move || answer(&handle));
    let (rep, endpoint): (RepSocket, Endpoint) = handles.recv()?;
    let req = ReqSocket::new_in(context)?;
    req.connect(endpoint).await?;
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        req.request(BODY.as_slice()).await?;
    }
    let (start, mut trips) = (Instant::now(), 0_u32);
    while start.elapsed() < TIME {
        req.request(BODY.as_slice()).await?;
        trips += 1;
    }
    let time = start.elapsed().as_secs_f64();
    rep.close_within(Duration::ZERO).await;
    req.close().await;
    answerer.join().map_err(|_| "the answering thread has panicked")??;
    Ok(time / f64::from(trips))
}

/// Echoes until the socket is closed.
fn answer(handle: &mpsc::Sender<(RepSocket, Endpoint)>) -> Outcome<()> {
    compio::runtime::Runtime::new()?.block_on(async {
        let rep = RepSocket::new()?;
        let endpoint = rep.bind("tcp://127.0.0.1:0").await?;
        handle.send((rep.clone(), endpoint))?;
        while let Ok(request) = rep.recv().await {
            rep.send(request).await?;
        }
        rep.close().await;
        Ok(())
    })
}

/// Returns the processor time of this process in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
