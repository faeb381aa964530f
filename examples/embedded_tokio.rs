//! A current-thread tokio that runs the connections, too: no other thread.
//!
//! Run with `cargo run --example embedded_tokio`. A ROUTER answers clients over TCP, which are
//! DEALERs in tasks of their own. Prints how many requests were answered, and fails if an answer is
//! wrong or missing.

use std::error::Error;
use std::time::Duration;

use monocoque::zmq::{DealerSocket, RouterSocket};
use monocoque::{Context, Endpoint};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

const CLIENTS: u64 = 8;
const REQUESTS: u64 = 1000;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    LocalSet::new().run_until(serve_and_ask()).await
}

async fn serve_and_ask() -> Outcome<()> {
    let (context, driver) = Context::embedded()?;
    spawn_local(driver.run_local());

    let service = RouterSocket::new_in(&context)?;
    let endpoint = service.bind("tcp://127.0.0.1:0").await?;
    let serving = spawn_local(serve(service));
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| spawn_local(ask(context.clone(), endpoint.clone(), client))).collect();
    for client in clients {
        client.await??;
    }
    context.shutdown().await; // while the driver still runs
    let answered = serving.await??;
    println!("{answered} requests answered on one thread");
    if answered == CLIENTS * REQUESTS { Ok(()) } else { Err("a request is missing".into()) }
}

/// Answers until the socket is closed. Returns the number of requests.
async fn serve(service: RouterSocket) -> Outcome<u64> {
    let mut answered = 0;
    loop {
        match service.recv_from().await {
            Ok((peer, request)) => service.send_to(&peer, request).await?,
            Err(error) if error.is_closed() => return Ok(answered),
            Err(error) => return Err(error.into()),
        }
        answered += 1;
    }
}

async fn ask(context: Context, endpoint: Endpoint, client: u64) -> Outcome<()> {
    let dealer = DealerSocket::new_in(&context)?;
    dealer.connect(endpoint).await?;
    for number in 0..REQUESTS {
        let request = format!("{client}/{number}");
        dealer.send(request.as_str()).await?;
        let answer = timeout(Duration::from_secs(10), dealer.recv()).await??;
        if answer != request.as_str() {
            return Err(format!("{answer} is not the answer to {request}").into());
        }
    }
    dealer.close().await;
    Ok(())
}
