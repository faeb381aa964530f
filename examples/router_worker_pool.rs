//! A ROUTER gives jobs to workers that request them, so that a slow worker gets fewer: the
//! load-balancing pattern.
//!
//! Run with `cargo run --example router_worker_pool`. Prints how many jobs each of four workers has
//! done; fails if a job was lost or done twice, or if the slow worker did not get the fewest.
//!
//! DEALER and PUSH sockets distribute messages round-robin, however long each takes. Here the
//! workers announce when they are free: a worker's message is the result of its last job, and
//! requests the next one.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use futures::future::try_join_all;
use monocoque::Endpoint;
use monocoque::zmq::{DealerSocket, RouterSocket};

const WORKERS: u64 = 4;
const JOBS: u64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    compio::runtime::Runtime::new()?.block_on(async {
        let router = RouterSocket::new()?;
        let endpoint = router.bind("tcp://127.0.0.1:0").await?;
        let workers = try_join_all((0..WORKERS).map(|n| work(endpoint.clone(), n)));
        let (results, done) = futures::try_join!(hand_out(&router), workers)?;

        for (n, jobs) in done.iter().enumerate() {
            println!("worker-{n} did {jobs} jobs");
        }
        assert!(
            results.into_iter().eq((0..JOBS).map(|job| (job, job * job))),
            "each job once, with its result"
        );
        assert_eq!(done.iter().sum::<u64>(), JOBS);
        assert!(done[1..].iter().all(|jobs| done[0] < *jobs), "the slow worker must do the fewest jobs");
        Ok(())
    })
}

/// Gives a job to each worker that requests one, and collects the results; at the end it tells
/// every worker that no job is left.
async fn hand_out(router: &RouterSocket) -> Result<BTreeMap<u64, u64>, Box<dyn Error>> {
    let mut results = BTreeMap::new();
    let mut jobs = 0..JOBS;
    let mut busy = WORKERS;
    while busy > 0 {
        let (worker, message) = router.recv_from().await?;
        if message.len() == 2 {
            let twice = results.insert(number(&message[0])?, number(&message[1])?);
            assert_eq!(twice, None, "a job was done twice");
        }
        match jobs.next() {
            Some(job) => router.send_to(&worker, job.to_string()).await?,
            None => {
                router.send_to(&worker, "").await?;
                busy -= 1;
            }
        }
    }
    Ok(results)
}

/// Squares numbers until no job is left. Returns their number.
async fn work(endpoint: Endpoint, n: u64) -> Result<u64, Box<dyn Error>> {
    let dealer = DealerSocket::builder().routing_id(format!("worker-{n}")).build()?;
    dealer.connect(endpoint).await?;
    dealer.send("ready").await?;
    let mut done = 0;
    loop {
        let message = dealer.recv().await?;
        if message[0].is_empty() {
            dealer.close().await;
            return Ok(done);
        }
        let job = number(&message[0])?;
        // The first worker is slow.
        compio::time::sleep(Duration::from_millis(if n == 0 { 20 } else { 1 })).await;
        dealer.send([job.to_string(), (job * job).to_string()]).await?;
        done += 1;
    }
}

fn number(frame: &[u8]) -> Result<u64, Box<dyn Error>> {
    Ok(std::str::from_utf8(frame)?.parse()?)
}
