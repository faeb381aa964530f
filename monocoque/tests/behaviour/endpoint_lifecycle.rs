//! Ends of endpoints and connections, and the work that `close` waits for.

use std::thread;
use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, ReqSocket, RouterSocket, SubSocket,
    XpubSocket, XsubSocket,
};
use monocoque::{Context, DisconnectReason, MonocoqueError, SocketEvent};
use testing::{everywhere, over_streams};

/// No limit, in the options that take one.
const FOR_EVER: Option<Duration> = None;

everywhere! {
    async fn close_without_endpoint_drops_messages(at) {
        let endpoint = at.unused_endpoint("gone");
        let push = at.connected(PushSocket::builder().linger(FOR_EVER), &endpoint).await;
        for _ in 0..3 {
            push.send("waits").await.expect("queued");
        }
        push.disconnect(endpoint).await.expect("connected");
        push.close().await;
        assert_eq!((push.stats().dropped, push.stats().send_queue), (3, 0));
    }

    async fn disconnect_ends_lingering_close(at) {
        let endpoint = at.unused_endpoint("gone");
        let push = at.connected(PushSocket::builder().linger(FOR_EVER), &endpoint).await;
        push.send("waits").await.expect("queued");
        let mut closing = std::pin::pin!(push.close());
        assert!(futures::poll!(&mut closing).is_pending());
        push.disconnect(endpoint).await.expect("connected");
        closing.await;
        assert_eq!(push.stats().dropped, 1);
    }

    async fn try_send_after_disconnect_would_block(at) {
        let endpoint = at.unused_endpoint("gone");
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.disconnect(endpoint.clone()).await.expect("connected");
        let error = push.try_send("to nobody").expect_err("no endpoint for peers");
        assert!(matches!(error.reason(), MonocoqueError::WouldBlock));
        push.connect(endpoint).await.expect("connected");
        push.try_send("to whoever comes").expect("queued");
        drop(push);
    }

    async fn close_drops_unsent_request(at) {
        let endpoint = at.unused_endpoint("gone");
        let request = at.connected(ReqSocket::builder().linger(FOR_EVER), &endpoint).await;
        request.send("question").await.expect("queued");
        request.close().await;
        assert_eq!(request.stats().dropped, 1);
    }

    async fn second_connect_opens_second_connection(at) {
        let (xpub, xpub_at) = at.bound(XpubSocket::builder()).await;
        let xsub = at.connected(XsubSocket::builder(), &xpub_at).await;
        xsub.connect(xpub_at).await.expect("connected");
        xpub.wait_for_peers(2).await.expect("open");
        let (xsub, xsub_at) = at.bound(XsubSocket::builder()).await;
        let xpub = at.connected(XpubSocket::builder(), &xsub_at).await;
        xpub.connect(xsub_at).await.expect("connected");
        xsub.wait_for_peers(2).await.expect("open");
        // The pairs of types for which libzmq makes one connection.
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
        subscriber.connect(endpoint).await.expect("connected");
        publisher.wait_for_peers(1).await.expect("open");
        assert_eq!(publisher.peer_count(), 1);
    }

    async fn second_pair_connect_reconnects(at) {
        let endpoint = at.unused_endpoint("pair");
        let one = at.socket::<PairSocket>();
        testing::rebind(&one, &endpoint).await;
        let other = at.connected(PairSocket::builder().reconnect_interval(Duration::from_secs(3600)), &endpoint).await;
        other.wait_for_peers(1).await.expect("open");
        one.unbind(endpoint.clone()).await.expect("bound");
        testing::eventually("the peer has disconnected", || other.peer_count() == 0).await;
        testing::rebind(&one, &endpoint).await;
        other.connect(endpoint).await.expect("connected");
        other.send("here again").await.expect("queued");
        assert_eq!(one.recv().await.expect("received"), "here again");
    }

    async fn disconnect_peer_ends_one_connection(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let options = || PushSocket::builder().reconnect_interval(Duration::from_secs(3600));
        let rude = at.connected(options(), &endpoint).await;
        let good = at.connected(options(), &endpoint).await;
        pull.wait_for_peers(2).await.expect("open");
        rude.send("rude").await.expect("queued");
        let (_, peer) = pull.recv_with_peer().await.expect("received");
        let number = peer.connection().id;
        let mut monitor = pull.monitor();
        pull.disconnect_peer(number).expect("the peer is connected");
        testing::eventually("the peer has disconnected", || pull.peer_count() == 1 && rude.peer_count() == 0).await;
        loop {
            if let SocketEvent::Disconnected { connection, reason } = monitor.next().await.expect("open") {
                assert_eq!((connection.id, reason.to_string()), (number, DisconnectReason::ByUs.to_string()));
                break;
            }
        }
        good.send("good").await.expect("queued");
        assert_eq!(pull.recv().await.expect("received"), "good");
        let unknown = pull.disconnect_peer(number).expect_err("already disconnected");
        assert!(matches!(unknown, MonocoqueError::UnknownPeer(n) if n == number));
    }

    async fn disconnected_dialled_peer_reconnects(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder().reconnect_interval(Duration::from_millis(1)), &endpoint).await;
        let mut monitor = dealer.monitor();
        router.wait_for_peers(1).await.expect("open");
        dealer.send("question").await.expect("queued");
        let question = router.recv().await.expect("received");
        router.send(question).await.expect("queued");
        let (_, peer) = dealer.recv_with_peer().await.expect("received");
        dealer.disconnect_peer(peer.connection().id).expect("the peer is connected");
        loop {
            if let SocketEvent::HandshakeSucceeded { .. } = monitor.next().await.expect("open") {
                break;
            }
        }
        dealer.send("again").await.expect("queued");
        assert_eq!(&router.recv().await.expect("received")[1], b"again");
    }
}

over_streams! {
    async fn disconnect_peer_requeues_waiting_messages(at) {
        let (push, endpoint) = at.bound(PushSocket::builder().send_hwm(0)).await;
        let mut monitor = push.monitor();
        let there = endpoint.clone();
        let lazy = testing::on_blocking_thread(move || testing::RawPeer::established(&there, "PULL")).await;
        let first = loop {
            if let SocketEvent::HandshakeSucceeded { connection, .. } = monitor.next().await.expect("open") {
                break connection.id;
            }
        };
        for n in 0..30_u32 {
            push.send(vec![n as u8; 1 << 20]).await.expect("queued");
        }
        let pull = at.connected(PullSocket::builder(), &endpoint).await;
        push.wait_for_peers(2).await.expect("open");
        push.disconnect_peer(first).expect("the peer is connected");
        // The messages that the kernel had not accepted.
        assert_eq!(pull.recv().await.expect("received").byte_len(), 1 << 20);
        drop(lazy);
    }

    async fn tcp_probe_emits_probe_reason(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut monitor = pull.monitor();
        drop(testing::on_blocking_thread(move || testing::RawPeer::connect(&endpoint)).await);
        loop {
            if let SocketEvent::HandshakeFailed { reason, .. } = monitor.next().await.expect("open") {
                assert!(matches!(reason, DisconnectReason::Probe), "{reason}");
                break;
            }
        }
    }
}

/// Relies on the overflow checks of tests: a count below zero panics.
#[test]
fn racing_connect_disconnect_keeps_count() {
    let context = Context::new().expect("a context");
    for endpoint in ["inproc://race", "tcp://127.0.0.1:9", "ipc://@monocoque-race"] {
        let push = PushSocket::builder().linger(Some(Duration::ZERO)).build_in(&context).expect("a socket");
        let run = |work: fn(&PushSocket, &str)| {
            let push = push.clone();
            thread::spawn(move || (0..300).for_each(|_| work(&push, endpoint)))
        };
        let threads = [
            run(|push, endpoint| drop(push.blocking().connect(endpoint))),
            run(|push, endpoint| drop(push.blocking().disconnect(endpoint))),
            run(|push, _| drop(push.try_send("x"))),
            run(|push, _| drop(push.try_send("x"))),
        ];
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        while push.blocking().disconnect(endpoint).is_ok() {}
        let error = push.try_send("to nobody").expect_err("no endpoint is left");
        assert!(matches!(error.reason(), MonocoqueError::WouldBlock));
        push.blocking().close().expect("called outside the I/O thread");
    }
}
