//! Two peers of one name, of which one is half open.

use std::time::Duration;

use monocoque::zmq::{DealerSocket, RouterSocket};

use super::{SOON, through};
use testing::proxy::{Fault, FaultPlan};
use testing::{numbered, over_streams};

over_streams! {
    /// The network keeps a connection whose peer is dead: the successor waits outside, nobody
    /// else notices, and the end of the
    /// old one takes nothing from the new one.
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
            assert_eq!(router.recv().await.expect("received"), ["twin", "first"].into());
            proxy.inject_all(Fault::Stall(Duration::from_secs(3600)));
            testing::eventually("it is half open", || proxy.counts().stalls == round + 1).await;
            drop(first);

            let second = at.connected(named("twin"), &endpoint).await;
            for n in 0..20 {
                other.send(numbered(n)).await.expect("sent");
                assert_eq!(router.recv().await.expect("received"), ["other".to_owned(), n.to_string()].into());
                router.send(["other".to_owned(), n.to_string()]).await.expect("sent");
                assert_eq!(other.recv().await.expect("received"), numbered(n));
            }
            assert_eq!(router.peer_count(), 2, "the old one and the other one");

            proxy.heal();
            // What it said while it was refused is lost.
            let heard = async || {
                second.send("second").await.expect("queued");
                router.try_recv().is_ok_and(|message| message == ["twin", "second"].into())
            };
            testing::eventually_async("the successor is heard", heard).await;
            for n in 0..50 {
                router.send(["twin".to_owned(), n.to_string()]).await.expect("sent");
                assert_eq!(second.recv().await.expect("received"), numbered(n), "it keeps its name");
            }
            second.close().await;
            // What is not received holds back the end that comes behind it.
            let left = || {
                while router.try_recv().is_ok() {}
                router.peer_count() == 1
            };
            testing::eventually("it has left", left).await;
        }
    }

    /// The same peer, over and over: each time it comes back by its name, whoever else is there.
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
            // One whose handshake is not done is not lost.
            shaken.wait_for_peers(1).await.expect("open");
            let lost = shaken.stats().lost_connections;
            proxy.inject_all(Fault::Reset);
            testing::eventually("it is noticed", || shaken.stats().lost_connections > lost).await;
            calm.send(numbered(n)).await.expect("sent");
            let message = router.recv().await.expect("received");
            assert_eq!(message, ["calm".to_owned(), n.to_string()].into());
            router.send(message).await.expect("sent");
            assert_eq!(calm.recv().await.expect("received"), numbered(n));
            shaken.wait_for_peers(1).await.expect("open");
            // A ROUTER may have the new one before it has missed the old one, and refuse it once.
            let answered = async || {
                router.send(["shaken", "you"]).await.expect("sent");
                shaken.try_recv().is_ok()
            };
            testing::eventually_async("it is found by its name", answered).await;
            while shaken.try_recv().is_ok() {}
            testing::eventually("the old one is missed", || router.peer_count() == 2).await;
        }
    }
}
