//! `mq bench`: PUSH and PULL for throughput, REQ and REP for latency; one side, or both on two
//! threads.

mod compare;
mod cpu;
mod histogram;
mod latency;
mod report;
mod throughput;

use std::thread;
use std::time::{Duration, Instant};

use monocoque::{Endpoint, Message};

use crate::args::{BenchArgs, EndpointArgs, Measure, SecurityArgs};
use crate::error::Error;
use crate::output::print_line;
use crate::progress::{Progress, ProgressMode};
use crate::runtime;
use crate::security::Security;
use crate::session::{Env, SocketSpec};
use report::Figures;

/// The plan of one side of a measurement.
#[derive(Clone, Debug)]
struct Plan {
    endpoints: EndpointArgs,
    args: BenchArgs,
    /// The number of messages; `None` to go on for a time.
    count: Option<u64>,
    env: Env,
}

/// Receives the endpoint that the binding side has bound.
type Bound = flume::Sender<Option<Endpoint>>;

pub(crate) async fn run(args: &BenchArgs, env: &Env) -> Result<(), Error> {
    if args.what != Measure::Compare && !args.results.is_empty() {
        return Err(Error::Usage("only compare takes results".into()));
    }
    let what: &[Measure] = match args.what {
        Measure::All => &[Measure::Throughput, Measure::Latency],
        Measure::Compare => return compare::run(args, env).await,
        _ => std::slice::from_ref(&args.what),
    };
    for &what in what {
        if let Some(figures) = measure(what, args, env).await? {
            print_line(&figures.text(args.output))?;
        }
    }
    Ok(())
}

async fn measure(what: Measure, args: &BenchArgs, env: &Env) -> Result<Option<Figures>, Error> {
    let one = || Plan::of_one_end(args, env);
    match what {
        Measure::Push => throughput::push(one()?).await.map(|()| None),
        Measure::Pull => throughput::pull(one()?, None).await,
        Measure::Req => latency::ask(one()?).await,
        Measure::Rep => latency::answer(one()?, None).await.map(|()| None),
        Measure::All | Measure::Throughput | Measure::Compare => {
            let (pull, push) = Plan::of_both_ends(args, env)?;
            let (report, bound) = flume::bounded(1);
            let pulling = on_thread(move || throughput::pull(pull, Some(report)));
            let pushed = match bound.recv_async().await {
                Ok(endpoint) => throughput::push(push.connected(endpoint)).await,
                // It has failed to bind, and returns the reason.
                Err(_) => Ok(()),
            };
            let figures = ended(&pulling).await?;
            pushed.map(|()| figures)
        }
        Measure::Latency => {
            let (rep, req) = Plan::of_both_ends(args, env)?;
            let (report, bound) = flume::bounded(1);
            let answering = on_thread(move || latency::answer(rep, Some(report)));
            let asked = match bound.recv_async().await {
                Ok(endpoint) => latency::ask(req.connected(endpoint)).await,
                Err(_) => Ok(None),
            };
            ended(&answering).await?;
            asked
        }
    }
}

impl Plan {
    fn new(endpoints: EndpointArgs, args: &BenchArgs, env: &Env) -> Self {
        Self { endpoints, args: args.clone(), count: args.count, env: env.clone() }
    }

    fn of_one_end(args: &BenchArgs, env: &Env) -> Result<Self, Error> {
        let endpoints = EndpointArgs::new(args.bind.clone(), args.connect.clone());
        if endpoints.bind.is_empty() && endpoints.connect.is_empty() {
            return Err(Error::Usage("one end needs --bind or --connect".into()));
        }
        Ok(Self::new(endpoints, args, env))
    }

    /// Returns the plans of the binding side and the connecting side.
    fn of_both_ends(args: &BenchArgs, env: &Env) -> Result<(Self, Self), Error> {
        if args.connect.is_some() {
            return Err(Error::Usage(
                "with both ends here, give --bind; with --connect, say which end to be: push, pull, req or rep".into(),
            ));
        }
        // Only the other side needs the endpoint.
        let env = &Env { announce: false, ..env.clone() };
        let client = &Env { security: of_client(args, env)?, ..env.clone() };
        let anywhere = ([127, 0, 0, 1], 0);
        let bind = args.bind.clone().unwrap_or_else(|| std::net::SocketAddr::from(anywhere).into());
        let nowhere = EndpointArgs::default();
        let binding = Self::new(EndpointArgs::new([bind], []), args, env);
        Ok((binding, Self::new(nowhere, args, client)))
    }

    fn connected(mut self, to: Option<Endpoint>) -> Self {
        self.endpoints.connect.extend(to);
        self
    }

    fn opening(&self) -> SocketSpec<'_> {
        let BenchArgs { options, timeout, .. } = &self.args;
        SocketSpec { endpoints: &self.endpoints, options, identity: None, timeout: *timeout }
    }

    /// Returns whether another message is sent, after this number and since this instant.
    fn goes_on(&self, messages: u64, since: Instant) -> bool {
        match self.count {
            Some(count) => messages < count,
            None => messages == 0 || since.elapsed() < self.args.duration + DELAY,
        }
    }

    fn progress(&self) -> Progress {
        if self.env.is_verbose() {
            Progress::none()
        } else {
            Progress::new(self.count, ProgressMode::Nothing)
        }
    }

    /// Returns the message that tells the other side of the end, if no number was agreed on.
    fn last_message() -> Message {
        ["", "end of mq bench"].into()
    }

    fn message(&self) -> Vec<u8> {
        vec![b'x'; self.args.size]
    }
}

/// Returns the security of the connecting side, if both are here.
fn of_client(args: &BenchArgs, env: &Env) -> Result<Security, Error> {
    let SecurityArgs { allow_key, keys, .. } = &args.options.security;
    let is_open = allow_key.is_empty() && keys.is_none();
    env.security.of_client().filter(|_| is_open).ok_or_else(|| {
        Error::Usage(
            "with both ends here, --curve-server measures CURVE; for other options of security, run each end alone"
                .into(),
        )
    })
}

/// Runs one side on a thread with its own runtime.
fn on_thread<T: Send + 'static, F: Future<Output = Result<T, Error>>>(
    end: impl FnOnce() -> F + Send + 'static,
) -> flume::Receiver<Result<T, Error>> {
    let (sender, receiver) = flume::bounded(1);
    thread::spawn(move || {
        // The other side receives the result, unless it has failed itself.
        let _ = sender.send(runtime::block_on(async { end().await }).flatten());
    });
    receiver
}

async fn ended<T>(end: &flume::Receiver<Result<T, Error>>) -> Result<T, Error> {
    match end.recv_async().await {
        Ok(done) => done,
        Err(_) => unreachable!("an end does not panic"),
    }
}

/// The most by which the time of a receiver begins after that of its sender.
const DELAY: Duration = Duration::from_millis(50);
