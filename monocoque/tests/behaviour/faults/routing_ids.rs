//! Two peers with one routing id, of which one has a half-open connection.

use std::time::Duration;

use monocoque::zmq::{DealerSocket, RouterSocket};

use super::{SOON, through};
use testing::proxy::{Fault, FaultPlan};
use testing::{numbered, over_streams};

over_streams! {
    /// Checks a half-open connection whose peer is dead: the successor is refused, other peers are
    /// not affected, and the end of the old connection takes nothing from the new one.
    async fn stale_connection_end_keeps_successor(at) {
        let named = |name: &str| {
            DealerSocket::builder().routing_id(name).reconnect_interval(SOON).linger(Some(Duration::ZERO))
        };
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
        let other = at.connected(named("other"), &endpoint).await;
        for round in 0..3 {
            let first = at.build(named("twin"));
            first.connect(proxy.endpoint()).await.expect("connected");
            router.wait_for_peers(2).await.expect("open");
            first.send("first").await.expect("sent");
            assert_eq!(router.recv().await.expect("received"), ["twin", "first"]);
            proxy.inject_all(Fault::Stall(Duration::from_secs(3600)));
            testing::eventually("the connection is half open", || proxy.counts().stalls == round + 1).await;
            drop(first);

            let second = at.connected(named("twin"), &endpoint).await;
            for n in 0..20 {
                other.send(numbered(n)).await.expect("sent");
                assert_eq!(router.recv().await.expect("received"), ["other".to_owned(), n.to_string()]);
                router.send(["other".to_owned(), n.to_string()]).await.expect("sent");
                assert_eq!(other.recv().await.expect("received"), numbered(n));
            }
            assert_eq!(router.peer_count(), 2, "the old and the other connection");

            proxy.heal();
            // Messages sent while the successor was refused are lost.
            let arrives = async || {
                second.send("second").await.expect("queued");
                router.try_recv().is_ok_and(|message| message == ["twin", "second"])
            };
            testing::eventually_async("the successor's message is received", arrives).await;
            for n in 0..50 {
                router.send(["twin".to_owned(), n.to_string()]).await.expect("sent");
                assert_eq!(second.recv().await.expect("received"), numbered(n), "the routing id is kept");
            }
            second.close().await;
            // Unreceived messages block the end of the connection behind them.
            let left = || {
                while router.try_recv().is_ok() {}
                router.peer_count() == 1
            };
            testing::eventually("the peer has disconnected", left).await;
        }
    }

    /// Resets one peer repeatedly: each time it returns with the same routing id while another peer
    /// stays connected.
    async fn reset_peer_keeps_routing_id(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
        let build = |name: &str| at.build(DealerSocket::builder().routing_id(name).reconnect_interval(SOON));
        let (shaken, calm) = (build("shaken"), build("calm"));
        shaken.connect(proxy.endpoint()).await.expect("connected");
        calm.connect(endpoint).await.expect("connected");
        router.wait_for_peers(2).await.expect("open");
        for n in 0..30usize {
            let before = router.peer_count();
            assert_eq!(before, 2);
            // Only a connection that has completed its handshake counts as lost.
            shaken.wait_for_peers(1).await.expect("open");
            let lost = shaken.stats().lost_connections;
            proxy.inject_all(Fault::Reset);
            testing::eventually("the lost connection is detected", || shaken.stats().lost_connections > lost).await;
            calm.send(numbered(n)).await.expect("sent");
            let message = router.recv().await.expect("received");
            assert_eq!(message, ["calm".to_owned(), n.to_string()]);
            router.send(message).await.expect("sent");
            assert_eq!(calm.recv().await.expect("received"), numbered(n));
            shaken.wait_for_peers(1).await.expect("open");
            // The ROUTER may accept the new connection before it detects the loss of the old one,
            // and refuse it once.
            let answered = async || {
                router.send(["shaken", "you"]).await.expect("sent");
                shaken.try_recv().is_ok()
            };
            testing::eventually_async("the peer is reachable by its routing id", answered).await;
            while shaken.try_recv().is_ok() {}
            testing::eventually("the loss of the old connection is detected", || router.peer_count() == 2).await;
        }
    }
}
