//! Several REQs of Monocoque send requests to a libzmq REP concurrently, over tcp.
//!
//! Run with `cargo run --release --example interop_req_libzmq --features zmq`. Exits with an error
//! if a reply does not belong to its request.

use std::error::Error;
use std::thread;

use futures::future::try_join_all;
use monocoque::Context;
use monocoque::zmq::ReqSocket;

const CLIENTS: usize = 5;
const QUESTIONS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let (endpoint, rep) = libzmq_rep()?;
    println!("libzmq {:?}: REP bound to {endpoint}", zmq::version());

    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        println!("monocoque: {CLIENTS} REQs connect, driver {:?}", Context::current()?.driver_type());
        try_join_all((0..CLIENTS).map(|client| ask(client, &endpoint))).await
    })?;

    rep.join().map_err(|_| "the libzmq side panicked")??;
    println!("{} questions, {} answers", CLIENTS * QUESTIONS, CLIENTS * QUESTIONS);
    Ok(())
}

async fn ask(client: usize, endpoint: &str) -> Result<(), Box<dyn Error>> {
    let req = ReqSocket::new()?;
    req.connect(endpoint).await?;
    for n in 0..QUESTIONS {
        let (who, what) = (client.to_string(), n.to_string());
        let reply = req.request([&*who, &*what]).await?;
        if reply != ["answer", &*who, &*what] {
            return Err(format!("client {who} requested {what} and received {reply:?}").into());
        }
    }
    req.close().await;
    Ok(())
}

/// Starts a libzmq REP that replies with a frame in front of the request.
fn libzmq_rep() -> zmq::Result<(String, thread::JoinHandle<zmq::Result<()>>)> {
    let rep = zmq::Context::new().socket(zmq::REP)?;
    rep.bind("tcp://127.0.0.1:*")?;
    rep.set_rcvtimeo(10_000)?;
    let endpoint = rep.get_last_endpoint()?.map_err(|_| zmq::Error::EINVAL)?;
    let answer = thread::spawn(move || {
        for _ in 0..CLIENTS * QUESTIONS {
            let question = rep.recv_multipart(0)?;
            rep.send("answer", zmq::SNDMORE)?;
            rep.send_multipart(question, 0)?;
        }
        Ok(())
    });
    Ok((endpoint, answer))
}
