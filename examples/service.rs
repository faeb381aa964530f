//! A service on tokio: a ROUTER for requests, a pool of workers, a PUB for events, tracing,
//! statistics, and an end by Ctrl-C that replies to the requests that have arrived.
//!
//! Run with `cargo run --example service -- [REQUESTS] [EVENTS] [WORKERS]`, by default
//! `tcp://127.0.0.1:5555 tcp://127.0.0.1:5556 4`; try it with `mq` or any ZeroMQ program:
//!
//! ```sh
//! mq req -c tcp://127.0.0.1:5555 --delimiter ' ' -d 'reverse hello'    # ok, olleh
//! mq sub -c tcp://127.0.0.1:5556 -s request.
//! ```
//!
//! A request of a REQ is a command and its argument; a DEALER puts an empty frame before them. The
//! reply is `ok` and a text, or `error` and the reason.

use std::env;
use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use monocoque::zmq::{PubSocket, RouterSocket};
use monocoque::{Context, Message};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

/// The time that requests and replies have to leave after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);
/// The interval between two lines with statistics.
const REPORT: Duration = Duration::from_secs(10);
/// Requests that may wait for a worker, for each client. Clients wait with the others.
const QUEUE: usize = 100;

struct Options {
    requests_at: String,
    events_at: String,
    workers: NonZeroUsize,
}

impl Options {
    fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let mut arguments = env::args().skip(1);
        let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
        let (requests_at, events_at) = (next("tcp://127.0.0.1:5555"), next("tcp://127.0.0.1:5556"));
        let workers = next("4");
        let workers = workers.parse().map_err(|error| format!("{workers:?} workers: {error}"))?;
        Ok(Self { requests_at, events_at, workers })
    }
}

/// The sockets of the service. Clones are handles of the same sockets.
#[derive(Clone)]
struct Service {
    requests: RouterSocket,
    events: PubSocket,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments()?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);

    let context = Context::new()?; // an I/O thread for the connections
    let service = Service {
        requests: RouterSocket::builder().recv_hwm(QUEUE).linger(Some(GRACE)).build_in(&context)?,
        events: PubSocket::builder().linger(Some(GRACE)).build_in(&context)?,
    };
    println!("requests at {}", service.requests.bind(options.requests_at).await?);
    println!("events at {}", service.events.bind(options.events_at).await?);

    let (stop, stopped) = watch::channel(false);
    let mut workers = JoinSet::new();
    for number in 0..options.workers.get() {
        workers.spawn(work(number, service.clone(), stopped.clone()));
    }
    let reporter = tokio::spawn(report(service.clone()));

    tokio::select! {
        _ = interrupt.recv() => info!("interrupted"),
        _ = terminate.recv() => info!("terminated"),
        Some(ended) = workers.join_next() => error!(?ended, "a worker has ended"),
    }
    stop.send_replace(true);
    let replied = timeout(GRACE, async {
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                error!("a worker has failed: {error}");
            }
        }
    });
    if replied.await.is_err() {
        warn!("{} workers are still busy after {GRACE:?}", workers.len());
        workers.shutdown().await;
    }
    reporter.abort();

    service.events.send(("service.stopped", "")).await?;
    let (requests, events) = (service.requests.stats(), service.events.stats());
    tokio::join!(service.requests.close(), service.events.close()); // sends what is queued
    context.shutdown().await;
    println!("stopped: {} requests, {} replies, {} events", requests.received, requests.sent, events.sent);
    Ok(())
}

/// Replies to requests until the service stops and none is left.
///
/// The workers share the socket: each takes the next request when it is free. While all are busy,
/// requests wait in the socket, and then, with its queue full, at the clients.
async fn work(number: usize, service: Service, mut stopped: watch::Receiver<bool>) {
    loop {
        let received = tokio::select! {
            biased; // so that requests that have arrived come before the end
            received = service.requests.recv() => received,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        let Ok(request) = received else { return };
        if let Err(error) = serve(&service, request).await {
            warn!(worker = number, "a reply was not sent: {error}");
        }
    }
}

/// Carries out one request, sends the reply, and publishes an event.
async fn serve(service: &Service, mut request: Message) -> monocoque::Result<()> {
    let started = Instant::now();
    // The envelope is the routing id of the client, whatever it added, and an empty frame.
    let Some(delimiter) = request.iter().position(<[u8]>::is_empty) else {
        warn!(frames = request.len(), "a request without an envelope");
        return Ok(());
    };
    let mut reply = request.split_front(delimiter + 1);
    let command = request.str(0).unwrap_or_default().to_owned();
    let outcome = carry_out(service, &command, &request).await;

    let (topic, text) = match &outcome {
        Ok(text) => ("request.done", text),
        Err(reason) => ("request.failed", reason),
    };
    reply.push_back(if outcome.is_ok() { "ok" } else { "error" });
    reply.push_back(text);
    service.requests.send(reply).await?; // dropped, and counted, if the client has left
    let millis = started.elapsed().as_millis();
    info!(%command, millis, "{topic}");
    service.events.send((topic, command, millis.to_string())).await?;
    Ok(())
}

/// Returns the text of the reply; the error is for the client.
async fn carry_out(service: &Service, command: &str, request: &Message) -> Result<String, String> {
    let argument = || request.str(1).map_err(|error| error.to_string());
    match command {
        "reverse" => Ok(argument()?.chars().rev().collect()),
        // Stands for work that takes time.
        "wait" => {
            let millis = argument()?.parse().map_err(|error| format!("milliseconds to wait: {error}"))?;
            sleep(Duration::from_millis(millis)).await;
            Ok(format!("{millis} ms"))
        }
        "stats" => Ok(summary(service)),
        _ => Err(format!("{command:?} is no command: try reverse, wait or stats")),
    }
}

/// Logs the statistics from time to time.
async fn report(service: Service) {
    let mut ticks = interval(REPORT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the first one is at once
    loop {
        ticks.tick().await;
        info!("{}", summary(&service));
    }
}

fn summary(service: &Service) -> String {
    let (requests, events) = (service.requests.stats(), service.events.stats());
    format!(
        "clients {}, requests {}, waiting {}, replies {}, dropped {}; subscribers {}, events {}, dropped {}",
        requests.peers,
        requests.received,
        requests.recv_queue,
        requests.sent,
        requests.dropped,
        events.peers,
        events.sent,
        events.dropped
    )
}
