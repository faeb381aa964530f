//! The child processes: PUSH and PULL of both libraries, with default options.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, thread};

use compio::runtime::{Runtime, spawn};
use futures::channel::oneshot::{self, Receiver, Sender};
use futures::executor::block_on;
use monocoque::MonocoqueError;
use monocoque::zmq::{PullSocket, PushSocket, TypedSocket};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::job::{ASK, BOUND, GO, GOES, Job, Library, Role, SAMPLE, STARTED, Sample};
use monocoque_bench::machine::resident_kib;

type Never<E> = Result<Infallible, E>;

/// Runs the role in the arguments until the process is killed. Returns only after an error.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let Some((job, endpoint, sockets)) = Job::from_args(args) else {
        eprintln!("not a job: {args:?}");
        return ExitCode::from(2);
    };
    let _profiler = job.counts.then(|| dhat::Profiler::builder().testing().build());
    let (go, told) = oneshot::channel();
    answer_parent(job.counts, go);
    let Err(error) = play(job, endpoint, sockets, told);
    // Printed for the parent. At the end it also occurs when the other process is killed first.
    println!("{job:?}: {error}");
    ExitCode::FAILURE
}

fn play(job: Job, endpoint: &str, sockets: usize, told: Receiver<()>) -> Never<Box<dyn Error>> {
    // A thousand peers need more descriptors than the default limit.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    match job.library {
        Library::Ours => Ok(Runtime::new()?.block_on(play_ours(job, endpoint, sockets, told))?),
        Library::Zmq => Ok(play_zmq(job, endpoint, told)?),
    }
}

/// Starts a thread that answers the parent and exits when the parent is gone.
fn answer_parent(counts: bool, go: Sender<()>) {
    thread::spawn(move || {
        let mut go = Some(go);
        for question in io::stdin().lines() {
            match question.as_deref() {
                Ok(ASK) => println!("{SAMPLE} {}", sample(counts)),
                Ok(GO) => {
                    // The receiver is gone if the role has ended.
                    let _ = go.take().map(|go| go.send(()));
                    println!("{GOES}");
                }
                _ => break,
            }
        }
        process::exit(0);
    });
}

fn sample(counts: bool) -> Sample {
    Sample {
        resident_kib: resident_kib().expect("/proc/self/status is readable"),
        messages: MESSAGES.load(Ordering::Relaxed),
        allocations: if counts { dhat::HeapStats::get().total_blocks } else { 0 },
    }
}

async fn play_ours(job: Job, endpoint: &str, n: usize, told: Receiver<()>) -> Never<MonocoqueError> {
    match job.role {
        Role::Push => work(job, sockets::<PushSocket>(endpoint, n).await?, told, send).await,
        Role::Pull => work(job, sockets::<PullSocket>(endpoint, n).await?, told, receive).await,
    }
}

/// Runs the work of all sockets concurrently, from the start signal on.
async fn work<S, F>(job: Job, sockets: Vec<S>, told: Receiver<()>, work: fn(S) -> F) -> Never<MonocoqueError>
where
    F: Future<Output = Never<MonocoqueError>> + 'static,
{
    // Starts when all peers are connected: a busy PUSH accepts slowly. An error means that the
    // process is about to end.
    let _ = told.await;
    if !job.busy {
        let _idle = sockets;
        return pending().await;
    }
    for socket in sockets {
        let work = work(socket);
        let work = async {
            let Err(error) = work.await;
            println!("{error}");
            process::exit(1);
        };
        spawn(work).detach();
    }
    pending().await
}

async fn send(socket: PushSocket) -> Never<MonocoqueError> {
    loop {
        socket.send(&BODY).await?;
        MESSAGES.fetch_add(1, Ordering::Relaxed);
    }
}

async fn receive(socket: PullSocket) -> Never<MonocoqueError> {
    loop {
        socket.recv().await?;
        MESSAGES.fetch_add(1, Ordering::Relaxed);
    }
}

/// Creates one bound socket if the endpoint has no port yet, or else `n` connected ones.
async fn sockets<S: TypedSocket>(endpoint: &str, n: usize) -> Result<Vec<S>, MonocoqueError> {
    let sockets: Vec<S> = (0..n).map(|_| S::new()).collect::<Result<_, _>>()?;
    if endpoint.ends_with(":0") {
        println!("{BOUND} {}", sockets[0].bind(endpoint).await?);
        return Ok(sockets);
    }
    for socket in &sockets {
        socket.connect(endpoint).await?;
    }
    for socket in &sockets {
        socket.wait_for_peers(1).await?;
    }
    println!("{STARTED}");
    Ok(sockets)
}

/// Runs a bound libzmq socket.
fn play_zmq(job: Job, endpoint: &str, told: Receiver<()>) -> Never<zmq::Error> {
    let kind = match job.role {
        Role::Push => zmq::PUSH,
        Role::Pull => zmq::PULL,
    };
    let socket = zmq::Context::new().socket(kind)?;
    socket.bind(endpoint)?;
    println!("{BOUND} {}", socket.get_last_endpoint()?.expect("in UTF-8"));
    // An error means that the process is about to end.
    let _ = block_on(told);
    let mut message = zmq::Message::new();
    loop {
        match job.role {
            Role::Push => socket.send(&BODY[..], 0)?,
            // An idle socket waits here.
            Role::Pull => socket.recv(&mut message, 0)?,
        }
    }
}

const BODY: [u8; 64] = [b'm'; 64];

static MESSAGES: AtomicU64 = AtomicU64::new(0);
