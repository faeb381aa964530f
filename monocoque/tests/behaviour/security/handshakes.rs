//! Many unfinished handshakes: their number is bounded, and others come in.

use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{DisconnectReason, SocketEvent};
use testing::{RawPeer, eventually, on_blocking_thread, over_streams};

use super::{curve_client, curve_server};

over_streams! {
    async fn oldest_of_too_many_handshakes_ends(at) {
        const LIMIT: usize = 4;
        let builder = curve_server(PullSocket::builder()).pending_handshakes(LIMIT);
        let (pull, endpoint) = at.bound(builder).await;
        let mut monitor = pull.monitor();
        let silent = endpoint.clone();
        let strangers =
            on_blocking_thread(move || (0..LIMIT).map(|_| RawPeer::connect(&silent)).collect::<Vec<_>>()).await;
        for _ in 0..LIMIT {
            while !matches!(monitor.next().await, Some(SocketEvent::Accepted { .. })) {}
        }
        let push = at.connected(curve_client(PushSocket::builder()), &endpoint).await;
        push.send("hello").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "hello".into());
        let reason = loop {
            if let SocketEvent::HandshakeFailed { reason, .. } = monitor.next().await.expect("an event") {
                break reason;
            }
        };
        assert!(matches!(reason, DisconnectReason::TooManyHandshakes), "{reason:?}");
        eventually("it is counted", || pull.stats().failed_handshakes == 1).await;
        drop(strangers);
    }

    async fn finished_handshakes_take_no_place(at) {
        let builder = curve_server(PullSocket::builder()).pending_handshakes(1);
        let (pull, endpoint) = at.bound(builder).await;
        let mut peers = Vec::new();
        for n in 1..=8 {
            peers.push(at.connected(curve_client(PushSocket::builder()), &endpoint).await);
            pull.wait_for_peers(n).await.expect("open");
        }
        assert_eq!(pull.stats().failed_handshakes, 0);
    }

    async fn probes_free_their_place(at) {
        let builder = curve_server(PullSocket::builder()).pending_handshakes(1);
        let (pull, endpoint) = at.bound(builder).await;
        let probed = endpoint.clone();
        on_blocking_thread(move || (0..20).for_each(|_| drop(RawPeer::connect(&probed)))).await;
        let push = curve_client(PushSocket::builder()).reconnect_interval(Duration::from_millis(1));
        let push = at.connected(push, &endpoint).await;
        push.send("hello").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "hello".into());
    }
}
