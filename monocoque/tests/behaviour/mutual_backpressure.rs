//! Sockets under mutual back-pressure, on one thread and with small queues: a waiting socket does
//! not block the others.

use monocoque::Message;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};
use testing::{everywhere, numbered};

/// A message larger than a connection accepts without a wait.
fn large(n: usize) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 100_000]])
}

everywhere! {
    async fn router_dealer_mutual_flood_completes(at) {
        const EACH: usize = 300;
        let router = RouterSocket::builder().router_mandatory(true).send_hwm(1).recv_hwm(1);
        let (router, endpoint) = at.bound(router).await;
        let dealer = DealerSocket::builder().routing_id("dealer").send_hwm(1).recv_hwm(1);
        let dealer = at.connected(dealer, &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let flood_back = async {
            for n in 0..EACH {
                router.send_to("dealer", large(n)).await.expect("sent");
            }
        };
        let flood = async {
            for n in 0..EACH {
                dealer.send(large(n)).await.expect("sent");
            }
        };
        let drain_back = async {
            for n in 0..EACH {
                assert!(dealer.recv().await.expect("received") == large(n), "{n}");
            }
        };
        let drain = async {
            for n in 0..EACH {
                assert!(router.recv_from().await.expect("received").1 == large(n), "{n}");
            }
        };
        futures::join!(flood, flood_back, drain, drain_back);
        assert_eq!((router.stats().dropped, dealer.stats().dropped), (0, 0));
    }

    async fn message_ring_keeps_moving(at) {
        const ROUNDS: usize = 300;
        const SOCKETS: usize = 4;
        const ON_THE_WAY: usize = 8;
        let mut pulls = Vec::new();
        let mut pushes = Vec::new();
        for _ in 0..SOCKETS {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
            pulls.push(pull);
            pushes.push(at.connected(PushSocket::builder().send_hwm(1), &endpoint).await);
        }
        // Each station forwards its messages to the next one.
        let places = (0..SOCKETS).map(|place| {
            let (pull, push) = (&pulls[place], &pushes[(place + 1) % SOCKETS]);
            async move {
                let first = if place == 0 { ON_THE_WAY } else { 0 };
                for n in 0..first {
                    push.send(numbered(n)).await.expect("sent");
                }
                for n in 0..ROUNDS * ON_THE_WAY {
                    let message = pull.recv().await.expect("received");
                    assert_eq!(message, numbered(n % ON_THE_WAY), "lost, doubled or overtaken");
                    let last_round = place == 0 && n >= (ROUNDS - 1) * ON_THE_WAY;
                    if !last_round {
                        push.send(message).await.expect("sent");
                    }
                }
            }
        });
        futures::future::join_all(places).await;
    }

    async fn unbounded_queue_never_blocks_sender(at) {
        const MESSAGES: usize = 10_000;
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
        let push = at.connected(PushSocket::builder().send_hwm(10), &endpoint).await;
        for n in 0..MESSAGES {
            push.send(numbered(n)).await.expect("sent");
        }
        for n in 0..MESSAGES {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    }
}
