//! Topics select messages: one publisher of events, three subscribers.
//!
//! Run with `cargo run --example pubsub_events`. Prints how many events each subscriber has
//! received; fails if one received an event without a subscription, or missed or received twice one
//! that it subscribed to.
//!
//! A publisher sends nothing to a subscriber before it has received its subscription. So the
//! example waits for the subscriptions, not for some time.

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
        // Each subscriber subscribes to "end" as well.
        publisher.wait_for_subscriptions(7).await?;

        let ((), orders, paid, everything) =
            futures::try_join!(publish(&publisher), listen(&orders), listen(&paid), listen(&everything))?;
        for (name, received, expected) in [
            ("orders", orders, vec!["order.new", "order.paid"]),
            ("paid", paid, vec!["order.paid", "stock"]),
            ("everything", everything, TOPICS.to_vec()),
        ] {
            let expected: Vec<_> =
                (0..ROUNDS).flat_map(|n| expected.iter().map(move |topic| format!("{topic} {n}"))).collect();
            assert_eq!(received, expected, "the events of {name}");
            println!("{name} received {} events", received.len());
        }
        publisher.close().await;
        Ok(())
    })
}

/// Creates a subscriber to some topics and to the end.
async fn subscriber(endpoint: &Endpoint, topics: &[&str]) -> Result<SubSocket, Box<dyn Error>> {
    let socket = SubSocket::new()?;
    for topic in topics.iter().chain(&["end"]) {
        socket.subscribe(topic)?; // kept by the socket, and sent to every publisher it connects to
    }
    socket.connect(endpoint).await?;
    Ok(socket)
}

/// Publishes events. The topic is the first frame, which subscriptions are compared with.
async fn publish(socket: &PubSocket) -> Result<(), Box<dyn Error>> {
    for n in 0..ROUNDS {
        for topic in TOPICS {
            socket.send([topic, &n.to_string()]).await?;
        }
    }
    socket.send("end").await?;
    Ok(())
}

/// Receives all events up to the end.
async fn listen(socket: &SubSocket) -> Result<Vec<String>, Box<dyn Error>> {
    let mut received = Vec::new();
    loop {
        let event = socket.recv().await?;
        if event[0] == *b"end" {
            return Ok(received);
        }
        received.push(format!("{} {}", std::str::from_utf8(&event[0])?, std::str::from_utf8(&event[1])?));
    }
}
