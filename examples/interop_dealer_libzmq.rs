//! A DEALER of Monocoque exchanges multipart messages with a libzmq ROUTER over tcp.
//!
//! Run with `cargo run --release --example interop_dealer_libzmq --features zmq`. Exits with an
//! error if a message differs from the one sent.

use std::error::Error;
use std::thread;

use monocoque::zmq::DealerSocket;
use monocoque::{Context, Message};

const MESSAGES: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let (endpoint, router) = libzmq_router()?;
    println!("libzmq {:?}: ROUTER bound to {endpoint}", zmq::version());

    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        println!("monocoque: DEALER connects, driver {:?}", Context::current()?.driver_type());
        let dealer = DealerSocket::builder().routing_id("monocoque").build()?;
        dealer.connect(endpoint.as_str()).await?;
        for n in 0..MESSAGES {
            let sent = message(n);
            dealer.send(sent.clone()).await?;
            let echoed = dealer.recv().await?;
            if echoed != sent {
                return Err(format!("message {n}: sent {sent:?}, came back {echoed:?}").into());
            }
        }
        dealer.close().await;
        Ok::<_, Box<dyn Error>>(())
    })?;

    router.join().map_err(|_| "the libzmq side panicked")??;
    println!("{MESSAGES} multipart messages went there and back unchanged");
    Ok(())
}

/// Creates a message of three frames: a number, an empty one, and a body of up to 64 KiB.
fn message(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), Vec::new(), vec![n as u8; n * n % 65_537]])
}

/// Starts a libzmq ROUTER that echoes messages and checks their sender.
fn libzmq_router() -> zmq::Result<(String, thread::JoinHandle<Result<(), String>>)> {
    let router = zmq::Context::new().socket(zmq::ROUTER)?;
    router.bind("tcp://127.0.0.1:*")?;
    router.set_rcvtimeo(10_000)?;
    let endpoint = router.get_last_endpoint()?.map_err(|_| zmq::Error::EINVAL)?;
    let echo = thread::spawn(move || {
        for _ in 0..MESSAGES {
            let frames = router.recv_multipart(0).map_err(|error| error.to_string())?;
            if frames[0] != b"monocoque" {
                return Err(format!("unexpected routing id {:?}", frames[0]));
            }
            router.send_multipart(frames, 0).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    Ok((endpoint, echo))
}
