//! A pipeline between plain threads, with blocking calls: no async runtime, no executor.
//!
//! Run with `cargo run --example blocking_push_pull`. One thread distributes jobs, three threads do
//! them, and the main thread collects the results. Prints how many jobs each worker has done, and
//! fails if a result is missing or wrong.

use std::error::Error;
use std::thread;
use std::time::Duration;

use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Context, Endpoint, Message, MonocoqueError};

const WORKERS: usize = 3;
const JOBS: usize = 3000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let context = Context::new()?; // the connections live on its I/O thread
    let results = PullSocket::builder().recv_timeout(Some(Duration::from_secs(10))).build_in(&context)?;
    let to = results.blocking().bind("ipc://*")?;
    let jobs = PushSocket::new_in(&context)?;
    let from = jobs.blocking().bind("ipc://*")?;

    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (context, from, to) = (context.clone(), from.clone(), to.clone());
            thread::spawn(move || work(&context, worker, from, to))
        })
        .collect();
    let source = thread::spawn(move || {
        jobs.blocking().wait_for_peers(WORKERS)?; // so that each has a share
        for job in 0..JOBS {
            jobs.blocking().send(job.to_string())?; // waits while no worker has room
        }
        jobs.blocking().close()
    });

    let mut done = [0; WORKERS];
    let mut seen = vec![false; JOBS];
    for _ in 0..JOBS {
        let result = results.blocking().recv()?;
        let [worker, job, square] = [parse(&result, 0)?, parse(&result, 1)?, parse(&result, 2)?];
        if square != job * job || std::mem::replace(&mut seen[job], true) {
            return Err(format!("worker {worker}: {square} is wrong for {job}, or came twice").into());
        }
        done[worker] += 1;
    }
    source.join().expect("the source panicked")?;
    context.blocking_shutdown()?; // the receive calls of the workers fail
    for worker in workers {
        worker.join().expect("a worker panicked")?;
    }
    println!("jobs done by each worker: {done:?}");
    assert!(seen.into_iter().all(|seen| seen));
    Ok(())
}

/// Squares numbers until the context is shut down.
fn work(context: &Context, worker: usize, from: Endpoint, to: Endpoint) -> Outcome<()> {
    let (pull, push) = (PullSocket::new_in(context)?, PushSocket::new_in(context)?);
    pull.blocking().connect(from)?;
    push.blocking().connect(to)?;
    loop {
        let job = match pull.blocking().recv() {
            Ok(job) => parse(&job, 0)?,
            Err(MonocoqueError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        push.blocking().send([worker, job, job * job].map(|number| number.to_string()))?;
    }
}

fn parse(message: &Message, frame: usize) -> Outcome<usize> {
    let frame = message.get(frame).ok_or("a frame is missing")?;
    Ok(std::str::from_utf8(frame)?.parse()?)
}
