//! Bursts of a publisher to subscribers of libzmq.

use monocoque::zmq::PubSocket;
use testing::{At, Placement, Transport};

const SIZES: [usize; 6] = [1, 4, 64, 1_000, 10_000, 100_000];

/// What waits at most: so that a body of 100 kB is sent often enough, and the test ends.
fn count(size: usize) -> usize {
    if size == 100_000 { 1_000 } else { 2_500 }
}

/// Makes attempts until one loses nothing. A peer that gets no processor for as long as a sender
/// waits cannot be told from one that does not read: that may happen once, and not each time.
async fn loses_nothing(what: impl std::fmt::Display, attempt: impl AsyncFn() -> u64) {
    for _ in 0..10 {
        if attempt().await == 0 {
            return;
        }
    }
    panic!("messages are lost each time: {what}");
}

/// A subscriber of libzmq on a thread of its own.
#[test]
fn burst_to_libzmq_loses_nothing() {
    for placement in [Placement::Current, Placement::Thread] {
        for transport in [Transport::Tcp, Transport::Ipc] {
            testing::run_within(testing::DEADLINE * 2, transport, placement, async |at: At| {
                for size in SIZES {
                    loses_nothing(format_args!("{size} bytes"), async || {
                        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
                        let received = testing::on_blocking_thread(move || {
                            let subscriber = zmq::Context::new().socket(zmq::SUB).expect("a socket");
                            subscriber.set_rcvhwm(0).expect("set");
                            subscriber.set_rcvtimeo(2_000).expect("set");
                            subscriber.connect(&endpoint.to_string()).expect("connected");
                            subscriber.set_subscribe(b"").expect("set");
                            (0..count(size)).take_while(|_| subscriber.recv_bytes(0).is_ok()).count()
                        });
                        publisher.wait_for_subscriptions(1).await.expect("open");
                        for _ in 0..count(size) {
                            publisher.send(vec![7; size]).await.expect("sent");
                        }
                        let received = received.await;
                        let dropped = publisher.stats().dropped;
                        assert!(dropped > 0 || received == count(size), "{received} of {size} bytes");
                        dropped
                    })
                    .await;
                }
            });
        }
    }
}
