//! Many unfinished handshakes: their number is bounded, and others come in.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use futures::{FutureExt, StreamExt};
use monocoque::security::{AuthReply, AuthRequest};
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{DisconnectReason, SocketEvent};
use testing::{
    At, Placement, RawPeer, Transport, command, eventually, numbered, on_blocking_thread, over_streams,
};

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
        assert_eq!(pull.recv().await.expect("received"), "hello");
        let reason = loop {
            if let SocketEvent::HandshakeFailed { reason, .. } = monitor.next().await.expect("an event") {
                break reason;
            }
        };
        assert!(matches!(reason, DisconnectReason::TooManyHandshakes), "{reason:?}");
        eventually("it is counted", || pull.stats().failed_handshakes == 1).await;
        drop(strangers);
    }

    async fn undecided_handshakes_are_not_displaced(at) {
        let (decide, decision) = oneshot::channel();
        let decision = decision.map(|_| AuthReply::allow()).shared();
        let authenticator = move |_: AuthRequest| decision.clone();
        let builder = PullSocket::builder().pending_handshakes(2).authenticator(authenticator);
        let (pull, endpoint) = at.bound(builder).await;
        let mut monitor = pull.monitor();
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        while !matches!(monitor.next().await, Some(SocketEvent::Accepted { .. })) {}
        let silent = endpoint.clone();
        let strangers =
            on_blocking_thread(move || [(); 3].map(|()| RawPeer::connect(&silent))).await;
        eventually("strangers are displaced", || pull.stats().failed_handshakes == 2).await;
        decide.send(()).expect("a handshake waits");
        push.send("hello").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "hello");
        assert_eq!(push.stats().failed_handshakes, 0);
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
        assert_eq!(pull.recv().await.expect("received"), "hello");
    }
}

/// Over ipc the system refuses clients while strangers fill the queue of those that wait.
#[test]
fn good_client_comes_in_during_flood() {
    for placement in [Placement::Current, Placement::Thread] {
        testing::run(Transport::Tcp, placement, let_client_in_during_flood);
    }
}

async fn let_client_in_during_flood(at: At) {
    // Strangers that send what costs the most: a HELLO of the right form, with their own key.
    let (pull, endpoint) = at.bound(curve_server(PullSocket::builder()).pending_handshakes(16)).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let (target, over) = (endpoint.clone(), is_over.clone());
    let flood = on_blocking_thread(move || {
        let mut strangers = VecDeque::new();
        let mut count = 0_u64;
        while !over.load(Ordering::Relaxed) {
            let mut stranger = RawPeer::connect(&target);
            if stranger.write_all(&hello(count)).is_ok() {
                strangers.push_back(stranger);
            }
            // More than may wait to be accepted.
            if strangers.len() > 200 {
                strangers.pop_front();
            }
            count += 1;
        }
        count
    });
    let flooded = || pull.stats().auth_failures >= 100;
    eventually("a flood", flooded).await;
    for n in 0..5 {
        let push = at.connected(curve_client(PushSocket::builder()), &endpoint).await;
        push.send(numbered(n)).await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), numbered(n));
        push.close().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let count = flood.await;
    assert!(count >= 100, "{count} strangers");
}

/// Returns the greeting and the HELLO of a stranger, which the server cannot open.
fn hello(seed: u64) -> Vec<u8> {
    let mut greeting = testing::greeting().to_vec();
    greeting[12..17].copy_from_slice(b"CURVE");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut body = vec![1, 0];
    body.resize(74, 0);
    body.extend(std::iter::repeat_with(|| rng.u8(..)).take(32 + 8 + 80));
    [greeting, command("HELLO", &body)].concat()
}
