//! Bursts of a publisher to libzmq subscribers.

use monocoque::zmq::PubSocket;
use testing::{At, Placement, Transport};

const SIZES: [usize; 6] = [1, 4, 64, 1_000, 10_000, 100_000];

/// Returns how many messages of a size to send: enough of 100 kB, within the time of a test.
fn count(size: usize) -> usize {
    if size == 100_000 { 1_000 } else { 2_500 }
}

/// Repeats attempts until one loses nothing. A peer without processor time for longer than a sender
/// waits is indistinguishable from one that does not read: that may happen in one attempt, but not
/// in all of them.
async fn retry_until_lossless(what: impl std::fmt::Display, attempt: impl AsyncFn() -> u64) {
    for _ in 0..10 {
        if attempt().await == 0 {
            return;
        }
    }
    panic!("messages are lost each time: {what}");
}

/// A libzmq subscriber on a thread of its own.
#[test]
fn burst_to_libzmq_loses_nothing() {
    for placement in [Placement::Current, Placement::Thread] {
        for transport in [Transport::Tcp, Transport::Ipc] {
            testing::run_within(testing::DEADLINE * 2, transport, placement, async |at: At| {
                for size in SIZES {
                    retry_until_lossless(format_args!("{size} bytes"), async || {
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
