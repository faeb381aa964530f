//! A PUB of Monocoque with libzmq SUBs, and a SUB of Monocoque with a libzmq publisher, over tcp.
//!
//! Run with `cargo run --release --example interop_pubsub_libzmq --features zmq`. Exits with an
//! error if a subscriber misses a message that it has subscribed to, or receives any other.

use std::error::Error;
use std::thread;

use monocoque::Context;
use monocoque::zmq::{PubSocket, SubSocket};

/// The topics of the libzmq subscribers: prefixes of one another.
const TOPIC_PREFIXES: [&str; 3] = ["A", "AB", "ABC"];
const TOPICS: [&str; 6] = ["A", "AB", "ABC", "ABCD", "B", ""];
const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        println!(
            "libzmq {:?}, monocoque with driver {:?}",
            zmq::version(),
            Context::current()?.driver_type()
        );
        publish().await?;
        subscribe().await
    })
}

/// Publishes with Monocoque to libzmq SUBs.
async fn publish() -> Result<(), Box<dyn Error>> {
    let publisher = PubSocket::new()?;
    let endpoint = publisher.bind("tcp://127.0.0.1:0").await?.to_string();
    let subscribers = TOPIC_PREFIXES.map(|topic| {
        let endpoint = endpoint.clone();
        thread::spawn(move || libzmq_sub(topic, &endpoint))
    });
    publisher.wait_for_subscriptions(TOPIC_PREFIXES.len()).await?;
    for round in 0..ROUNDS {
        for topic in TOPICS {
            publisher.send([topic, &round.to_string()]).await?;
        }
    }
    publisher.close().await;
    for (wanted, subscriber) in TOPIC_PREFIXES.into_iter().zip(subscribers) {
        let received = subscriber.join().map_err(|_| "a libzmq subscriber panicked")??;
        check(wanted, &received)?;
    }
    println!(
        "{} messages: each of {} libzmq SUBs received its topics",
        ROUNDS * TOPICS.len(),
        TOPIC_PREFIXES.len()
    );
    Ok(())
}

/// Subscribes with Monocoque to a libzmq publisher.
async fn subscribe() -> Result<(), Box<dyn Error>> {
    let wanted = TOPIC_PREFIXES[1];
    let (endpoint, publisher) = libzmq_xpub()?;
    let subscriber = SubSocket::new()?;
    subscriber.subscribe(wanted)?;
    subscriber.connect(endpoint).await?;
    let mut received = Vec::new();
    for _ in 0..expected(wanted).len() {
        received.push(subscriber.recv().await?.iter().map(<[u8]>::to_vec).collect());
    }
    publisher.join().map_err(|_| "the libzmq publisher panicked")??;
    check(wanted, &received)?;
    println!("the SUB of Monocoque received its topics from a libzmq publisher");
    Ok(())
}

fn check(wanted: &str, received: &[Vec<Vec<u8>>]) -> Result<(), String> {
    let expected = expected(wanted);
    match received.iter().zip(&expected).find(|(received, expected)| received != expected) {
        Some((received, expected)) => Err(format!("{wanted}: got {received:?} instead of {expected:?}")),
        None if received.len() != expected.len() => {
            Err(format!("{wanted}: {} of {}", received.len(), expected.len()))
        }
        None => Ok(()),
    }
}

/// Returns all messages that start with `wanted`, in order, once.
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

/// Starts a libzmq publisher that sends once it has a subscriber.
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
