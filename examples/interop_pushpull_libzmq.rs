//! A pipeline through both libraries: a PUSH of Monocoque distributes work to libzmq workers, which
//! push their results to a PULL of Monocoque, over tcp.
//!
//! Run with `cargo run --release --example interop_pushpull_libzmq --features zmq`. Exits with an
//! error if work or a result is lost, duplicated or changed, or if the distribution is uneven.

use std::error::Error;
use std::thread;

use monocoque::Context;
use monocoque::zmq::{PullSocket, PushSocket};

const WORKERS: usize = 4;
const EACH: usize = 250;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (push, pull) = (PushSocket::new()?, PullSocket::new()?);
        let work = push.bind("tcp://127.0.0.1:0").await?.to_string();
        let results = pull.bind("tcp://127.0.0.1:0").await?.to_string();
        println!(
            "monocoque: PUSH on {work}, PULL on {results}, driver {:?}",
            Context::current()?.driver_type()
        );
        println!("libzmq {:?}: {WORKERS} workers connect", zmq::version());
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (work, results) = (work.clone(), results.clone());
                thread::spawn(move || libzmq_worker(worker, &work, &results))
            })
            .collect();

        // With all workers connected, each receives every fourth message.
        push.wait_for_peers(WORKERS).await?;
        for n in 0..WORKERS * EACH {
            push.send([n.to_string().into_bytes(), vec![n as u8; n * 67]]).await?;
        }
        let mut done_by = vec![None; WORKERS * EACH];
        for _ in 0..WORKERS * EACH {
            let result = pull.recv().await?;
            let [worker, n, body] = [0, 1, 2].map(|at| result.get(at).unwrap_or_default());
            let worker: usize = str::from_utf8(worker)?.parse()?;
            let n: usize = str::from_utf8(n)?.parse()?;
            if body != vec![n as u8; n * 67] {
                return Err(format!("work {n} was changed on its way").into());
            }
            if let Some(other) = done_by[n].replace(worker) {
                return Err(format!("work {n} was done twice, by {other} and {worker}").into());
            }
        }
        for (n, turn) in done_by.windows(WORKERS + 1).enumerate() {
            if turn[0] != turn[WORKERS] {
                return Err(format!("work {n} and {} went to different workers", n + WORKERS).into());
            }
        }
        push.close().await;
        for worker in workers {
            worker.join().map_err(|_| "a libzmq worker panicked")??;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    println!("{WORKERS} libzmq workers did {EACH} pieces of work each, all of it once and in turn");
    Ok(())
}

/// Starts a libzmq PULL and PUSH that forwards messages with its number in front.
fn libzmq_worker(worker: usize, work: &str, results: &str) -> zmq::Result<()> {
    let context = zmq::Context::new();
    let (pull, push) = (context.socket(zmq::PULL)?, context.socket(zmq::PUSH)?);
    pull.set_rcvtimeo(10_000)?;
    push.connect(results)?;
    pull.connect(work)?;
    for _ in 0..EACH {
        let piece = pull.recv_multipart(0)?;
        push.send(&*worker.to_string(), zmq::SNDMORE)?;
        push.send_multipart(piece, 0)?;
    }
    Ok(())
}
