//! Disconnecting a peer under back-pressure: the connection ends, and the socket can still be
//! closed.

use std::time::Duration;

use futures::future::{Either, select};
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use testing::{everywhere, over_streams};

everywhere! {
    async fn full_pull_disconnects_and_closes(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let pull = at.connected(PullSocket::builder().recv_hwm(1), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        for n in 0..3 {
            push.send(testing::numbered(n)).await.expect("sent");
        }
        testing::eventually("the first message has arrived", || pull.try_recv().is_ok()).await;
        pull.disconnect(endpoint).await.expect("it was connected");
        testing::eventually("the peer has disconnected", || pull.peer_count() == 0).await;
        pull.close().await;
    }
}

over_streams! {
    async fn full_dealer_with_dead_peer_closes(at) {
        let (dealer, endpoint) = at.bound(DealerSocket::builder().recv_hwm(1).linger(Some(Duration::ZERO))).await;
        let there = endpoint.clone();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::established(&there, "DEALER");
            wire.put(&testing::frame(0, b"x").repeat(10));
            wire
        })
        .await;
        dealer.wait_for_peers(1).await.expect("open");
        drop(wire);
        // The reader is blocked by back-pressure and does not detect the loss; the writer does.
        let gone = testing::eventually("the peer has disconnected", || dealer.peer_count() == 0);
        let flood = async {
            loop {
                dealer.send(vec![0; 100_000]).await.expect("open");
            }
        };
        match select(std::pin::pin!(gone), std::pin::pin!(flood)).await {
            Either::Left(((), _)) => {}
            Either::Right((never, _)) => never,
        }
        dealer.close().await;
    }
    async fn full_dealer_reconnects_without_receiver(at) {
        let (listener, endpoint) = testing::RawPeerListener::bind(&at, "again");
        let dealer = at.build(
            DealerSocket::builder()
                .recv_hwm(1)
                .reconnect_interval(Duration::from_millis(1))
                .linger(Some(Duration::ZERO)),
        );
        dealer.connect(endpoint).await.expect("connected");
        let again = testing::on_blocking_thread(move || {
            for _ in 0..3 {
                let mut wire = listener.accept();
                wire.shake_hands("ROUTER", b"");
                wire.put(&testing::frame(0, b"x").repeat(10));
                wire.frame();
            }
        });
        let flood = async {
            loop {
                dealer.send(vec![0; 10_000]).await.expect("open");
            }
        };
        match select(std::pin::pin!(again), std::pin::pin!(flood)).await {
            Either::Left(((), _)) => {}
            Either::Right((never, _)) => never,
        }
        dealer.close().await;
    }
}
