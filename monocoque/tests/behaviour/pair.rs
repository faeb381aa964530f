//! PAIR: one peer, both directions, and no other peer until that one has disconnected.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use monocoque::zmq::PairSocket;
use monocoque::{DisconnectReason, SocketEvent};
use testing::{everywhere, numbered};

everywhere! {
    async fn pair_exchanges_both_ways(at) {
        let (one, endpoint) = at.bound(PairSocket::builder()).await;
        let other = at.connected(PairSocket::builder(), &endpoint).await;
        let send = async |from: &PairSocket| {
            for n in 0..2000 {
                from.send(numbered(n)).await.expect("sent");
            }
        };
        let receive = async |to: &PairSocket| {
            for n in 0..2000 {
                assert_eq!(to.recv().await.expect("received"), numbered(n));
            }
        };
        futures::join!(send(&one), send(&other), receive(&one), receive(&other));
    }

    async fn third_pair_waits_for_departure(at) {
        let (one, endpoint) = at.bound(PairSocket::builder()).await;
        let other = at.connected(PairSocket::builder(), &endpoint).await;
        one.wait_for_peers(1).await.expect("open");
        let mut monitor = one.monitor();
        let quick = PairSocket::builder().reconnect_interval(Duration::from_millis(5));
        let third = at.connected(quick, &endpoint).await;
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::HandshakeFailed { reason, .. } => {
                    assert!(matches!(reason, DisconnectReason::PairInUse), "{reason}");
                    break;
                }
                _ => continue,
            }
        }
        one.send("for the other").await.expect("sent");
        assert_eq!(other.recv().await.expect("received"), "for the other");
        assert_eq!(one.peer_count(), 1);
        other.close().await;
        // A message may be lost with one of the third socket's refused connections.
        let hello = async {
            loop {
                third.send("here").await.expect("sent");
                testing::yield_now().await;
            }
        };
        let met = async {
            while one.recv().await.expect("received") != "here" {}
        };
        futures::select_biased! {
            () = std::pin::pin!(met.fuse()) => {}
            () = std::pin::pin!(hello.fuse()) => {}
        }
    }

    async fn pair_queues_until_peer_connects(at) {
        let endpoint = at.unused_endpoint("later");
        let one = at.connected(PairSocket::builder(), &endpoint).await;
        for n in 0..100 {
            one.send(numbered(n)).await.expect("queued");
        }
        let bound = at.build(PairSocket::builder());
        assert!(bound.try_send("nobody").expect_err("no peer").reason().is_would_block());
        testing::rebind(&bound, &endpoint).await;
        for n in 0..100 {
            assert_eq!(bound.recv().await.expect("received"), numbered(n));
        }
    }
}
