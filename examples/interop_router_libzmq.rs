//! A ROUTER of Monocoque serves libzmq DEALERs and REQs concurrently, each with its own routing id,
//! over tcp.
//!
//! Run with `cargo run --release --example interop_router_libzmq --features zmq`. Exits with an
//! error if a message differs from the one sent, or reaches the wrong peer.

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
        println!("monocoque: ROUTER bound to {endpoint}, driver {:?}", Context::current()?.driver_type());
        println!("libzmq {:?}: {} clients connect", zmq::version(), CLIENTS.len());
        let clients = CLIENTS.map(|(kind, id)| {
            let endpoint = endpoint.clone();
            thread::spawn(move || client(kind, id, &endpoint))
        });

        for _ in 0..CLIENTS.len() * QUESTIONS {
            let (peer, message) = router.recv_from().await?;
            // Behind the delimiter that a REQ adds in front.
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
    println!("{QUESTIONS} questions of each of {} clients returned to their senders", CLIENTS.len());
    Ok(())
}

/// Sends requests with its routing id and a number, and expects each back.
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
                return Ok(Err(format!("{id} requested {question:?} and received {reply:?}")));
            }
        }
        Ok::<_, zmq::Error>(Ok(()))
    };
    exchange().map_err(|error| format!("{id}: {error}"))?
}
