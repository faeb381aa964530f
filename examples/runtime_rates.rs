//! The rate of messages into one thread, by where its connections run.
//!
//! Run with `cargo run --release --example runtime_rates [ROUNDS]` on a quiet machine. A PUSH on a
//! thread of its own, in a compio runtime, sends messages of 64 bytes over tcp for a second to a
//! PULL, then to the next one. Prints the median of the rounds for each, and its ratio to compio's.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Context, Endpoint};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

const TIME: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_millis(200);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Measure = fn() -> Outcome<f64>;

const PLACES: [(&str, Measure); 4] = [
    ("compio runtime", in_compio),
    ("embedded in a current-thread tokio", in_current_thread_tokio),
    ("I/O thread, current-thread tokio", beside_current_thread_tokio),
    ("I/O thread, multi-threaded tokio", beside_multi_threaded_tokio),
];

fn main() -> Outcome<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(3), |rounds| rounds.parse())?;
    let mut rates = PLACES.map(|_| Vec::new());
    for _ in 0..rounds {
        for (rates, (_, measure)) in rates.iter_mut().zip(PLACES) {
            rates.push(measure()?);
        }
    }
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("{:36} {:>8} {:>6}", "connections of the PULL", "M msg/s", "ratio");
    for ((place, _), rate) in PLACES.iter().zip(medians) {
        println!("{place:36} {:8.2} {:6.2}", rate / 1e6, rate / medians[0]);
    }
    Ok(())
}

fn in_compio() -> Outcome<f64> {
    compio::runtime::Runtime::new()?.block_on(async { receive(&Context::current()?).await })
}

fn in_current_thread_tokio() -> Outcome<f64> {
    let (context, driver) = Context::embedded()?;
    let local = LocalSet::new();
    local.spawn_local(driver.run_local());
    local.block_on(&Builder::new_current_thread().enable_all().build()?, receive(&context))
}

fn beside_current_thread_tokio() -> Outcome<f64> {
    let context = Context::new()?;
    Builder::new_current_thread().enable_all().build()?.block_on(receive(&context))
}

fn beside_multi_threaded_tokio() -> Outcome<f64> {
    let context = Context::new()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let receiving = runtime.spawn(async move { receive(&context).await });
    runtime.block_on(receiving)?
}

/// Receives for the time of a measurement. Returns the messages per second.
async fn receive(context: &Context) -> Outcome<f64> {
    let pull = PullSocket::new_in(context)?;
    let endpoint = pull.bind("tcp://127.0.0.1:0").await?;
    let done = Arc::new(AtomicBool::new(false));
    let sender = thread::spawn({
        let done = done.clone();
        move || send(endpoint, &done)
    });
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        pull.recv().await?;
    }
    let (start, mut received) = (Instant::now(), 0_u32);
    while start.elapsed() < TIME {
        // The clock is read seldom.
        for _ in 0..256 {
            pull.recv().await?;
        }
        received += 256;
    }
    let rate = f64::from(received) / start.elapsed().as_secs_f64();
    done.store(true, Ordering::Relaxed);
    pull.close().await;
    sender.join().map_err(|_| "the sender has panicked")??;
    Ok(rate)
}

/// Sends until the measurement is done.
fn send(endpoint: Endpoint, done: &AtomicBool) -> Outcome<()> {
    compio::runtime::Runtime::new()?.block_on(async {
        let push = PushSocket::builder().linger(Duration::ZERO).send_timeout(TIME).build()?;
        push.connect(endpoint).await?;
        while !done.load(Ordering::Relaxed) {
            // Times out when the PULL is gone.
            if push.send([b'm'; 64].as_slice()).await.is_err() {
                break;
            }
        }
        push.close().await;
        Ok(())
    })
}
