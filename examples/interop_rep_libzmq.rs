//! A REP of Monocoque replies to several libzmq REQs concurrently, over tcp.
//!
//! Run with `cargo run --release --example interop_rep_libzmq --features zmq`. Exits with an error
//! if a reply does not belong to its request.

use std::error::Error;
use std::thread;

use monocoque::Context;
use monocoque::zmq::RepSocket;

const CLIENTS: usize = 5;
const QUESTIONS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let rep = RepSocket::new()?;
        let endpoint = rep.bind("tcp://127.0.0.1:0").await?.to_string();
        println!("monocoque: REP bound to {endpoint}, driver {:?}", Context::current()?.driver_type());
        println!("libzmq {:?}: {CLIENTS} REQs connect", zmq::version());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let endpoint = endpoint.clone();
                thread::spawn(move || libzmq_req(client, &endpoint))
            })
            .collect();

        for _ in 0..CLIENTS * QUESTIONS {
            let mut question = rep.recv().await?;
            question.push_front("answer");
            rep.send(question).await?;
        }
        rep.close().await;
        for client in clients {
            client.join().map_err(|_| "a libzmq client panicked")??;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    println!("{} questions, {} answers", CLIENTS * QUESTIONS, CLIENTS * QUESTIONS);
    Ok(())
}

/// Runs a libzmq REQ whose requests have its number and another one.
fn libzmq_req(client: usize, endpoint: &str) -> Result<(), String> {
    let req = zmq::Context::new().socket(zmq::REQ).map_err(|error| error.to_string())?;
    let ask = |who: &str, what: &str| {
        req.send_multipart([who, what], 0)?;
        req.recv_multipart(0)
    };
    req.set_rcvtimeo(10_000).and_then(|()| req.connect(endpoint)).map_err(|error| error.to_string())?;
    for n in 0..QUESTIONS {
        let (who, what) = (client.to_string(), n.to_string());
        let reply = ask(&who, &what).map_err(|error| format!("client {who}: {error}"))?;
        if reply != [b"answer", who.as_bytes(), what.as_bytes()] {
            return Err(format!("client {who} requested {what} and received {reply:?}"));
        }
    }
    Ok(())
}
