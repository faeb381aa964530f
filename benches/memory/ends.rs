//! The ends: PUSH and PULL of both libraries, with default options.

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
use monocoque::zmq::{PullSocket, PushSocket, Socket};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::job::{ASK, BOUND, GO, GOES, Job, Library, Role, SAMPLE, STARTED, Sample};
use monocoque_bench::machine::resident_kib;

type Never<E> = Result<Infallible, E>;

/// Plays the role that the arguments describe until the process is killed; comes back only when
/// that fails.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let Some((job, endpoint, sockets)) = Job::from_args(args) else {
        eprintln!("not a job: {args:?}");
        return ExitCode::from(2);
    };
    let _profiler = job.counts.then(|| dhat::Profiler::builder().testing().build());
    let (go, told) = oneshot::channel();
    answer_parent(job.counts, go);
    let Err(error) = play(job, endpoint, sockets, told);
    // For the parent, if it is still interested: when it is done, the ends lose each other.
    println!("{job:?}: {error}");
    ExitCode::FAILURE
}

fn play(job: Job, endpoint: &str, sockets: usize, told: Receiver<()>) -> Never<Box<dyn Error>> {
    // A thousand peers need more than the thousand files that are usual.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    match job.library {
        Library::Ours => Ok(Runtime::new()?.block_on(play_ours(job, endpoint, sockets, told))?),
        Library::Zmq => Ok(play_zmq(job, endpoint, told)?),
    }
}

/// On a thread of its own. The process ends when the parent has gone.
fn answer_parent(counts: bool, go: Sender<()>) {
    thread::spawn(move || {
        let mut go = Some(go);
        for question in io::stdin().lines() {
            match question.as_deref() {
                Ok(ASK) => println!("{SAMPLE} {}", sample(counts)),
                Ok(GO) => {
                    // Nobody hears it where the role is already over.
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
        resident_kib: resident_kib().expect("/proc/self/status tells"),
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

/// All at the same time, once told so, if there is anything to do.
async fn work<S, F>(job: Job, sockets: Vec<S>, told: Receiver<()>, work: fn(S) -> F) -> Never<MonocoqueError>
where
    F: Future<Output = Never<MonocoqueError>> + 'static,
{
    // Not before all are connected: a PUSH that is busy is slow to accept. An error means that it
    // is
    // all over.
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

/// One that binds where there is no port yet, else as many as are wanted that are connected.
async fn sockets<S: Socket>(endpoint: &str, n: usize) -> Result<Vec<S>, MonocoqueError> {
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

/// Binds.
fn play_zmq(job: Job, endpoint: &str, told: Receiver<()>) -> Never<zmq::Error> {
    let kind = match job.role {
        Role::Push => zmq::PUSH,
        Role::Pull => zmq::PULL,
    };
    let socket = zmq::Context::new().socket(kind)?;
    socket.bind(endpoint)?;
    println!("{BOUND} {}", socket.get_last_endpoint()?.expect("in UTF-8"));
    // An error means that it is all over.
    let _ = block_on(told);
    let mut message = zmq::Message::new();
    loop {
        match job.role {
            Role::Push => socket.send(&BODY[..], 0)?,
            // One that is idle waits here.
            Role::Pull => socket.recv(&mut message, 0)?,
        }
    }
}

const BODY: [u8; 64] = [b'm'; 64];

static MESSAGES: AtomicU64 = AtomicU64::new(0);
