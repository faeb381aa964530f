//! Workers on tokio: tasks that share a ROUTER reply to a DEALER.
//!
//! Run with `cargo run --example tokio_worker`. The sockets are used from all threads of tokio;
//! their connections run on the I/O thread of a context. Prints how many requests each worker has
//! answered, and fails if an answer is wrong or missing.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use monocoque::zmq::{DealerSocket, RouterSocket};
use monocoque::{Context, Message, MonocoqueError};
use tokio::time::timeout;

const WORKERS: usize = 4;
const QUESTIONS: u64 = 1000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let context = Context::new()?; // one I/O thread
    let service = RouterSocket::new_in(&context)?;
    let endpoint = service.bind("tcp://127.0.0.1:0").await?;

    // A handle is cheap to clone, and each clone can be used on any thread.
    let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(work(service.clone()))).collect();

    let client = DealerSocket::new_in(&context)?;
    client.connect(endpoint).await?;
    let asking = tokio::spawn({
        let client = client.clone();
        async move {
            for number in 0..QUESTIONS {
                client.send(number.to_string()).await?;
            }
            Ok::<_, MonocoqueError>(())
        }
    });

    let mut squares = HashMap::new();
    while squares.len() < QUESTIONS as usize {
        // Any timeout works: a `recv` that is dropped has received nothing.
        let answer = timeout(Duration::from_secs(10), client.recv()).await??;
        squares.insert(parse(&answer, 0)?, parse(&answer, 1)?);
    }
    asking.await??;
    context.shutdown().await; // the receive calls of the workers fail
    for (worker, answered) in workers.into_iter().enumerate() {
        println!("worker {worker} has answered {}", answered.await??);
    }
    if squares.iter().any(|(number, square)| number * number != *square) {
        return Err("an answer is wrong".into());
    }
    println!("{} answers are right", squares.len());
    Ok(())
}

/// Squares numbers until the socket is closed. Returns their number.
async fn work(service: RouterSocket) -> Outcome<u64> {
    let mut answered = 0;
    loop {
        let (peer, question) = match service.recv_from().await {
            Ok(received) => received,
            Err(MonocoqueError::Closed) => return Ok(answered),
            Err(error) => return Err(error.into()),
        };
        let number = parse(&question, 0)?;
        tokio::task::yield_now().await;
        service.send_to(&peer, [number.to_string(), (number * number).to_string()]).await?;
        answered += 1;
    }
}

fn parse(message: &Message, frame: usize) -> Outcome<u64> {
    let frame = message.get(frame).ok_or("a frame is missing")?;
    Ok(std::str::from_utf8(frame)?.parse()?)
}
