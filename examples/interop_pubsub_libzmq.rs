//! A PUB of ours serves libzmq SUBs, and a SUB of ours listens to a libzmq publisher, over tcp.
//!
//! Run with `cargo run --release --example interop_pubsub_libzmq --features zmq`. Exits with an
//! error if a subscriber misses something it has subscribed to, or gets anything else.

use std::error::Error;
use std::thread;

use monocoque::Context;
use monocoque::zmq::{PubSocket, SubSocket};

/// What the libzmq subscribers want: prefixes of one another.
const WANTS: [&str; 3] = ["A", "AB", "ABC"];
const TOPICS: [&str; 6] = ["A", "AB", "ABC", "ABCD", "B", ""];
const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        println!("libzmq {:?}, monocoque with driver {:?}", zmq::version(), Context::current()?.driver());
        publish().await?;
        subscribe().await
    })
}

/// Our PUB, their SUBs.
async fn publish() -> Result<(), Box<dyn Error>> {
    let publisher = PubSocket::new()?;
    let endpoint = publisher.bind("tcp://127.0.0.1:0").await?.to_string();
    let subscribers = WANTS.map(|topic| {
        let endpoint = endpoint.clone();
        thread::spawn(move || libzmq_sub(topic, &endpoint))
    });
    publisher.wait_for_subscriptions(WANTS.len()).await?;
    for round in 0..ROUNDS {
        for topic in TOPICS {
            publisher.send([topic, &round.to_string()]).await?;
        }
    }
    publisher.close().await;
    for (wanted, subscriber) in WANTS.into_iter().zip(subscribers) {
        let heard = subscriber.join().map_err(|_| "a libzmq subscriber panicked")??;
        check(wanted, &heard)?;
    }
    println!("{} messages: each of {} libzmq SUBs got what it wanted", ROUNDS * TOPICS.len(), WANTS.len());
    Ok(())
}

/// Their publisher, our SUB.
async fn subscribe() -> Result<(), Box<dyn Error>> {
    let wanted = WANTS[1];
    let (endpoint, publisher) = libzmq_xpub()?;
    let subscriber = SubSocket::new()?;
    subscriber.subscribe(wanted)?;
    subscriber.connect(endpoint).await?;
    let mut heard = Vec::new();
    for _ in 0..expected(wanted).len() {
        heard.push(subscriber.recv().await?.iter().map(<[u8]>::to_vec).collect());
    }
    publisher.join().map_err(|_| "the libzmq publisher panicked")??;
    check(wanted, &heard)?;
    println!("our SUB got what it wanted of a libzmq publisher");
    Ok(())
}

fn check(wanted: &str, heard: &[Vec<Vec<u8>>]) -> Result<(), String> {
    let expected = expected(wanted);
    match heard.iter().zip(&expected).find(|(heard, expected)| heard != expected) {
        Some((heard, expected)) => Err(format!("{wanted}: got {heard:?} instead of {expected:?}")),
        None if heard.len() != expected.len() => {
            Err(format!("{wanted}: {} of {}", heard.len(), expected.len()))
        }
        None => Ok(()),
    }
}

/// All that starts with `wanted`, in order, once.
fn expected(wanted: &str) -> Vec<Vec<Vec<u8>>> {
    let round = |n: usize| {
        let topics = TOPICS.iter().filter(|topic| topic.starts_with(wanted));
        topics.map(move |topic| vec![topic.as_bytes().to_vec(), n.to_string().into_bytes()])
    };
    (0..ROUNDS).flat_map(round).collect()
}

fn libzmq_sub(topic: &str, endpoint: &str) -> zmq::Result<Vec<Vec<Vec<u8>>>> {
    let sub = zmq::Context::new().socket(zmq::SUB)?;
    sub.set_rcvtimeo(10_000)?;
    sub.set_subscribe(topic.as_bytes())?;
    sub.connect(endpoint)?;
    (0..expected(topic).len()).map(|_| sub.recv_multipart(0)).collect()
}

/// A libzmq publisher that begins once somebody has subscribed.
fn libzmq_xpub() -> zmq::Result<(String, thread::JoinHandle<zmq::Result<()>>)> {
    let xpub = zmq::Context::new().socket(zmq::XPUB)?;
    xpub.bind("tcp://127.0.0.1:*")?;
    xpub.set_rcvtimeo(10_000)?;
    let endpoint = xpub.get_last_endpoint()?.map_err(|_| zmq::Error::EINVAL)?;
    let publish = thread::spawn(move || {
        xpub.recv_bytes(0)?;
        for round in 0..ROUNDS {
            for topic in TOPICS {
                xpub.send_multipart([topic, &round.to_string()], 0)?;
            }
        }
        Ok(())
    });
    Ok((endpoint, publish))
}
