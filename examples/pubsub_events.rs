//! Topics decide who hears what: one publisher of events, three subscribers.
//!
//! Run with `cargo run --example pubsub_events`. Prints how many events each subscriber heard;
//! fails if one heard an event it did not ask for, or missed or got twice one that it did.
//!
//! A publisher sends nothing to a subscriber it has not heard of. So it waits for the
//! subscriptions, not for a while.

use std::error::Error;

use monocoque::Endpoint;
use monocoque::zmq::{PubSocket, SubSocket};

const ROUNDS: usize = 100;
const TOPICS: [&str; 3] = ["order.new", "order.paid", "stock"];

fn main() -> Result<(), Box<dyn Error>> {
    compio::runtime::Runtime::new()?.block_on(async {
        let publisher = PubSocket::new()?;
        let endpoint = publisher.bind("tcp://127.0.0.1:0").await?;

        let orders = subscriber(&endpoint, &["order."]).await?;
        let paid = subscriber(&endpoint, &["order.paid", "stock"]).await?;
        let everything = subscriber(&endpoint, &[""]).await?;
        // Each of them asks for "end" as well.
        publisher.wait_for_subscriptions(7).await?;

        let ((), orders, paid, everything) =
            futures::try_join!(publish(&publisher), listen(&orders), listen(&paid), listen(&everything))?;
        for (name, heard, expected) in [
            ("orders", orders, vec!["order.new", "order.paid"]),
            ("paid", paid, vec!["order.paid", "stock"]),
            ("everything", everything, TOPICS.to_vec()),
        ] {
            let expected: Vec<_> =
                (0..ROUNDS).flat_map(|n| expected.iter().map(move |topic| format!("{topic} {n}"))).collect();
            assert_eq!(heard, expected, "what {name} heard");
            println!("{name} heard {} events", heard.len());
        }
        publisher.close().await;
        Ok(())
    })
}

/// A subscriber to some topics, and to the end.
async fn subscriber(endpoint: &Endpoint, topics: &[&str]) -> Result<SubSocket, Box<dyn Error>> {
    let socket = SubSocket::new()?;
    for topic in topics.iter().chain(&["end"]) {
        socket.subscribe(topic)?; // kept by the socket, and told to every publisher it connects to
    }
    socket.connect(endpoint).await?;
    Ok(socket)
}

/// The topic is the first frame: subscriptions are compared with nothing else.
async fn publish(socket: &PubSocket) -> Result<(), Box<dyn Error>> {
    for n in 0..ROUNDS {
        for topic in TOPICS {
            socket.send([topic, &n.to_string()]).await?;
        }
    }
    socket.send("end").await?;
    Ok(())
}

/// All events up to the end.
async fn listen(socket: &SubSocket) -> Result<Vec<String>, Box<dyn Error>> {
    let mut heard = Vec::new();
    loop {
        let event = socket.recv().await?;
        if event[0] == *b"end" {
            return Ok(heard);
        }
        heard.push(format!("{} {}", std::str::from_utf8(&event[0])?, std::str::from_utf8(&event[1])?));
    }
}
