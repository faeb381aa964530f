//! Fan-out of PUB: each subscriber receives the messages of its topics complete and in order,
//! whatever the others do.

use futures::FutureExt;
use monocoque::zmq::{PubSocket, SubSocket};
use monocoque::{Endpoint, Message};
use testing::{At, Placement, RawPeer, Transport, everywhere, over_streams};

const KIB: usize = 1024;
const TOPICS: [&str; 8] = ["", "a", "ab", "abc", "b", "bc", "x", "xyz"];

/// A subscriber and the messages that it must receive.
struct Listener {
    socket: SubSocket,
    topics: Vec<&'static str>,
    expected: Vec<Message>,
    received: usize,
}

impl Listener {
    /// Connects, subscribes, and waits until the publisher has the subscriptions.
    async fn join(at: &At, publisher: &PubSocket, endpoint: &Endpoint, topics: &[&'static str]) -> Self {
        let count = publisher.subscription_count();
        let socket = at.connected(SubSocket::builder().recv_hwm(0), endpoint).await;
        for topic in topics {
            socket.subscribe(topic).expect("open");
        }
        publisher.wait_for_subscriptions(count + topics.len()).await.expect("open");
        Self { socket, topics: topics.to_vec(), expected: Vec::new(), received: 0 }
    }

    fn matches(&self, message: &Message) -> bool {
        self.topics.iter().any(|topic| message[0].starts_with(topic.as_bytes()))
    }

    /// Receives the next `n` messages.
    async fn receive(&mut self, n: usize) {
        for _ in 0..n {
            let message = self.socket.recv().await.expect("received");
            assert_eq!(
                message, self.expected[self.received],
                "message {} of {:?}",
                self.received, self.topics
            );
            self.received += 1;
        }
    }

    async fn receive_all(&mut self) {
        self.receive(self.expected.len() - self.received).await;
    }
}

/// A message of random shape and size that starts with a random topic.
fn message(chance: &mut fastrand::Rng, n: usize) -> Message {
    let topic = chance.choice(TOPICS).expect("not empty");
    let len = match chance.u8(..40) {
        0 => 0,
        1 => 70 * KIB,
        2..5 => 5 * KIB,
        5..20 => KIB,
        20..25 => chance.usize(..300),
        _ => 64,
    };
    let body: Vec<u8> = std::iter::once(n as u8).cycle().take(len).collect();
    match chance.u8(..6) {
        0 => Message::from([topic.as_bytes(), n.to_string().as_bytes(), &body]),
        1 => Message::from([topic.as_bytes(), b"", &body, b"", &body]),
        // The empty message has no topic.
        2 if len == 0 => Message::from(""),
        _ => Message::from([topic.as_bytes(), &body].concat()),
    }
}

everywhere! {
    async fn subscribers_receive_exactly_matching_topics(at) {
        const ROUNDS: usize = 12;
        let mut chance = testing::seeded_rng();
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(0)).await;
        let mut listeners = Vec::new();
        for topics in [&[""][..], &["a"], &["ab", "b", "abc"], &["abc"], &["bc", "x"], &["never"], &["ab", "xy"]] {
            listeners.push(Listener::join(&at, &publisher, &endpoint, topics).await);
        }
        let mut sent = 0;
        for round in 0..ROUNDS {
            if round == ROUNDS / 3 {
                listeners.push(Listener::join(&at, &publisher, &endpoint, &["a", "xyz"]).await);
            }
            if round == ROUNDS / 2 {
                // The subscriber leaves before it has received all its messages.
                let mut leaving = listeners.swap_remove(chance.usize(..listeners.len()));
                let some = (leaving.expected.len() - leaving.received) / 2;
                leaving.receive(some).await;
                match chance.bool() {
                    true => leaving.socket.close().await,
                    false => drop(leaving),
                }
            }
            // Some bursts never yield, and are longer than one segment of the broadcast log.
            let (burst, together) = (chance.usize(1..600), chance.bool());
            for _ in 0..burst {
                let message = message(&mut chance, sent);
                sent += 1;
                for listener in &mut listeners {
                    if listener.matches(&message) {
                        listener.expected.push(message.clone());
                    }
                }
                match chance.u8(..3) {
                    _ if together => publisher.try_send(message).expect("a publisher never waits"),
                    0 => publisher.send_buffered(message).await.expect("sent"),
                    _ => publisher.send(message).await.expect("sent"),
                }
            }
            match chance.u8(..4) {
                0 => publisher.flush().await.expect("open"),
                1 => publisher.flush().now_or_never().map_or((), |flushed| flushed.expect("open")),
                _ => {}
            }
            if chance.u8(..3) > 0 {
                publisher.flush().await.expect("open");
                for listener in &mut listeners {
                    let waiting = listener.expected.len() - listener.received;
                    listener.receive(chance.usize(..=waiting)).await;
                }
            }
        }
        publisher.flush().await.expect("open");
        for listener in &mut listeners {
            listener.receive_all().await;
        }
        testing::pass_time(&at).await;
        for listener in &listeners {
            assert!(listener.socket.try_recv().is_err(), "{:?} received more than expected", listener.topics);
        }
        assert_eq!(publisher.stats().sent, sent as u64);
    }
}

over_streams! {
    async fn stopped_subscriber_queues_only_hwm(at) {
        const HWM: usize = 50;
        const BODY: usize = 3 * KIB;
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(HWM)).await;
        let mut good = Vec::new();
        for n in 0..3 {
            let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
            subscriber.subscribe("").expect("open");
            publisher.wait_for_subscriptions(n + 1).await.expect("open");
            good.push(subscriber);
        }
        let mut stopped = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "SUB");
            wire.put(&testing::command("SUBSCRIBE", b""));
            wire
        })
        .await;
        publisher.wait_for_subscriptions(4).await.expect("open");
        let mut sent = 0;
        while publisher.stats().dropped < 200 {
            for n in sent..sent + HWM / 2 {
                publisher.send([n.to_string().into_bytes(), vec![n as u8; BODY]]).await.expect("sent");
            }
            for n in sent..sent + HWM / 2 {
                for subscriber in &good {
                    assert_eq!(&subscriber.recv().await.expect("received")[0], n.to_string().as_bytes());
                }
            }
            sent += HWM / 2;
            assert!(sent < 100_000, "nothing is ever dropped");
        }
        testing::eventually("only the stopped subscriber has queued messages", || publisher.stats().send_queue <= HWM).await;
        let stats = publisher.stats();
        assert_eq!((stats.send_queue, stats.sent), (HWM, sent as u64));
        let reading = testing::on_blocking_thread(move || {
            let mut numbers = Vec::new();
            let mut rest = &stopped.end()[..];
            while let [1, len, bytes @ ..] = rest {
                let (n, bytes) = bytes.split_at(usize::from(*len));
                let n: usize = std::str::from_utf8(n).expect("text").parse().expect("a number");
                let (header, bytes) = bytes.split_at(9);
                assert_eq!(header, [&[2], &(BODY as u64).to_be_bytes()[..]].concat());
                let (body, bytes) = bytes.split_at(BODY);
                assert!(body.iter().all(|byte| *byte == n as u8), "{n} is whole");
                numbers.push(n);
                rest = bytes;
            }
            assert!(rest.is_empty());
            numbers
        });
        let (numbers, ()) = futures::join!(reading, publisher.close());
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(numbers.len() as u64, sent as u64 - stats.dropped, "all but the dropped messages");
    }
}

/// The messages of each subscriber are known if nothing else runs during the burst.
#[test]
fn pub_drops_only_above_hwm() {
    const HWM: usize = 100;
    for transport in [Transport::Tcp, Transport::Ipc] {
        testing::run(transport, Placement::Current, async |at: At| {
            let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(HWM)).await;
            let mut listeners = Vec::new();
            for topics in [&["a"][..], &["a", "b"], &["b"]] {
                listeners.push(Listener::join(&at, &publisher, &endpoint, topics).await);
            }
            for len in [10, 100, 3_000, 5_000] {
                let dropped = publisher.stats().dropped;
                // Each subscriber receives one message first, so that all connections become idle.
                for topic in ["a", "b"] {
                    publisher.send(topic).await.expect("sent");
                }
                publisher.flush().await.expect("open");
                let count = |topic: &str, n: usize| {
                    (0..n).map(|n| Message::from([topic.into(), vec![n as u8; len]])).collect()
                };
                let (first, second): (Vec<_>, Vec<_>) = (count("a", HWM - 10), count("b", HWM + 10));
                for message in first.iter().chain(&second) {
                    publisher.try_send(message.clone()).expect("a publisher never waits");
                }
                let stats = publisher.stats();
                assert_eq!((stats.send_queue, stats.dropped - dropped), (HWM - 10 + 2 * HWM, 100 + 10));
                let a = [&["a".into()], &first[..]].concat();
                let b = [&["b".into()], &second[..HWM]].concat();
                let both = [&["a".into(), "b".into()], &first[..], &second[..10]].concat();
                for (listener, mut expected) in listeners.iter_mut().zip([a, both, b]) {
                    listener.expected.append(&mut expected);
                    listener.receive_all().await;
                }
            }
            assert!(listeners.iter().all(|listener| listener.socket.try_recv().is_err()));
        });
    }
}
