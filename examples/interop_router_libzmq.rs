//! A ROUTER of ours serves libzmq DEALERs and REQs at the same time, each under its own name, over
//! tcp.
//!
//! Run with `cargo run --release --example interop_router_libzmq --features zmq`. Exits with an
//! error if anything that arrives differs from what was sent, or comes to another than the one it
//! was meant for.

use std::error::Error;
use std::thread;

use monocoque::Context;
use monocoque::zmq::RouterSocket;

const CLIENTS: [(zmq::SocketType, &str); 4] =
    [(zmq::DEALER, "dealer-1"), (zmq::DEALER, "dealer-2"), (zmq::REQ, "req-1"), (zmq::REQ, "req-2")];
const QUESTIONS: usize = 250;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let router = RouterSocket::new()?;
        let endpoint = router.bind("tcp://127.0.0.1:0").await?.to_string();
        println!("monocoque: ROUTER bound to {endpoint}, driver {:?}", Context::current()?.driver());
        println!("libzmq {:?}: {} clients connect", zmq::version(), CLIENTS.len());
        let clients = CLIENTS.map(|(kind, id)| {
            let endpoint = endpoint.clone();
            thread::spawn(move || client(kind, id, &endpoint))
        });

        for _ in 0..CLIENTS.len() * QUESTIONS {
            let (peer, message) = router.recv_from().await?;
            // Behind the delimiter that a REQ puts in front.
            if !message.iter().any(|frame| frame == &*peer) {
                return Err(format!("{peer:?} did not send {message:?}").into());
            }
            router.send_to(&peer, message).await?;
        }
        router.close().await;
        for client in clients {
            client.join().map_err(|_| "a libzmq client panicked")??;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    println!("{QUESTIONS} questions of each of {} clients came back to the one who asked", CLIENTS.len());
    Ok(())
}

/// Asks with its name and a number, and expects the same back.
fn client(kind: zmq::SocketType, id: &str, endpoint: &str) -> Result<(), String> {
    let socket = zmq::Context::new().socket(kind).map_err(|error| error.to_string())?;
    let exchange = || {
        socket.set_identity(id.as_bytes())?;
        socket.set_rcvtimeo(10_000)?;
        socket.connect(endpoint)?;
        for n in 0..QUESTIONS {
            let question = [id.as_bytes().to_vec(), n.to_string().into_bytes()];
            socket.send_multipart(&question, 0)?;
            let reply = socket.recv_multipart(0)?;
            if reply != question {
                return Ok(Err(format!("{id} asked {question:?} and got {reply:?}")));
            }
        }
        Ok::<_, zmq::Error>(Ok(()))
    };
    exchange().map_err(|error| format!("{id}: {error}"))?
}
