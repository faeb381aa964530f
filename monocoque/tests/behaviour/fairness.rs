//! Fair queuing and round robin: which peer receives a message, and whose message is received next.

use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use testing::{RawPeer, everywhere, numbered, over_streams};

everywhere! {
    async fn push_alternates_between_pulls(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let mut pulls = Vec::new();
        for _ in 0..3 {
            pulls.push(at.connected(PullSocket::builder(), &endpoint).await);
        }
        push.wait_for_peers(3).await.expect("open");
        for n in 0..3 {
            push.send(numbered(n)).await.expect("sent");
        }
        // The first receiver is random; from there on the order is round robin.
        let mut order = Vec::new();
        for pull in pulls {
            let message = pull.recv().await.expect("one each");
            let first: usize = std::str::from_utf8(&message[0]).expect("text").parse().expect("a number");
            order.push((first, pull));
        }
        order.sort_by_key(|(first, _)| *first);
        for n in 3..300 {
            push.send(numbered(n)).await.expect("sent");
        }
        for n in 3..300 {
            assert_eq!(order[n % 3].1.recv().await.expect("in turn"), numbered(n));
        }
    }

    async fn busy_peer_starves_no_other(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let busy = at.connected(PushSocket::builder(), &endpoint).await;
        let quiet = at.connected(PushSocket::builder(), &endpoint).await;
        pull.wait_for_peers(2).await.expect("open");
        let flood = async {
            loop {
                busy.send("busy").await.expect("open");
            }
        };
        let talk = async {
            for n in 0..50 {
                quiet.send(numbered(n)).await.expect("sent");
                for waited in 0.. {
                    let message = pull.recv().await.expect("received");
                    if message == numbered(n) {
                        break;
                    }
                    // The message may still be in flight; once it has arrived, it is next.
                    assert!(waited < 100_000, "starved");
                }
            }
        };
        futures::future::select(std::pin::pin!(flood), std::pin::pin!(talk)).await;
    }

    async fn waiting_peers_are_received_fairly(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let busy = at.connected(PushSocket::builder(), &endpoint).await;
        for n in 0..1000 {
            busy.send(["busy".into(), n.to_string()]).await.expect("sent");
        }
        assert_eq!(&pull.recv().await.expect("received")[0], b"busy");
        let quiet = at.connected(PushSocket::builder(), &endpoint).await;
        quiet.send("quiet").await.expect("sent");
        // Closing completes once the kernel has accepted all data; the reader takes it from there.
        quiet.close().await;
        testing::eventually("the message has arrived and the peer has disconnected", || pull.peer_count() == 1).await;
        let mut before = 0;
        while &pull.recv().await.expect("received")[0] != b"quiet" {
            before += 1;
        }
        assert!(before <= 2, "{before} messages overtook it");
    }
}

over_streams! {
    async fn peer_without_handshake_gets_nothing(at) {
        let (dealer, endpoint) = at.bound(DealerSocket::builder()).await;
        let there = endpoint.clone();
        let silent = testing::on_blocking_thread(move || {
            let mut half = RawPeer::connect(&there);
            half.put(&testing::greeting());
            half.take(64);
            (RawPeer::connect(&there), half)
        })
        .await;
        let good = at.connected(DealerSocket::builder(), &endpoint).await;
        dealer.wait_for_peers(1).await.expect("open");
        for n in 0..100 {
            dealer.send(numbered(n)).await.expect("sent");
            assert_eq!(good.recv().await.expect("each of them"), numbered(n));
        }
        assert_eq!(dealer.peer_count(), 1);
        let after = testing::on_blocking_thread(move || {
            let (mut nothing, mut half) = silent;
            nothing.take(64);
            // Exactly the READY command.
            let ready = half.frame();
            (ready.0, half.end(), nothing)
        });
        let closing = async {
            dealer.close().await;
        };
        let ((flags, rest, _nothing), ()) = futures::join!(after, closing);
        assert_eq!((flags, rest), (4, Vec::new()));
    }
}
