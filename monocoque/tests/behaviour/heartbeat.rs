//! Heartbeats: a silent peer is disconnected on every socket type; a peer under back-pressure is
//! not.

use std::time::{Duration, Instant};

use futures::StreamExt;
use monocoque::zmq::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    SubSocket,
};
use monocoque::{DisconnectReason, MonocoqueError, SocketEvent};
use testing::{RawPeer, everywhere, frame, over_streams};

const BEAT: Duration = Duration::from_millis(40);

/// Asserts that a peer that is silent after its handshake is disconnected within the timeout, and
/// not before.
async fn assert_silent_peer_disconnected<S: Socket>(
    at: &testing::At,
    builder: Builder<S>,
    peer_type: &'static str,
) {
    let socket = at.build(builder.heartbeat_interval(Some(BEAT)).heartbeat_timeout(BEAT));
    let mut monitor = socket.monitor();
    let endpoint = socket.bind(at.wildcard_endpoint()).await.expect("bound");
    let start = Instant::now();
    let silent = testing::on_blocking_thread(move || RawPeer::established(&endpoint, peer_type)).await;
    loop {
        match monitor.next().await.expect("open") {
            SocketEvent::Disconnected { reason, .. } => {
                assert!(matches!(reason, DisconnectReason::HeartbeatTimeout), "{peer_type}: {reason}");
                break;
            }
            _ => continue,
        }
    }
    assert!(start.elapsed() >= BEAT * 2, "{peer_type}: too early");
    testing::on_blocking_thread(move || {
        let mut silent = silent;
        let (flags, body) = silent.frame();
        assert_eq!((flags, &body[..7]), (4, &b"\x04PING\0\0"[..]));
        silent.end();
    })
    .await;
    assert_eq!(socket.peer_count(), 0);
}

everywhere! {
    async fn heartbeats_keep_push_pull_connected(at) {
        let beating = |builder: Builder<_>| builder.heartbeat_interval(Some(BEAT)).heartbeat_timeout(BEAT * 4);
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(beating(PushSocket::builder()), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let mut monitor = push.monitor();
        let quiet = at.build(PullSocket::builder().recv_timeout(Some(BEAT * 12)));
        assert!(quiet.recv().await.expect_err("no sender").is_timeout());
        while let Some(Some(event)) = testing::at_once(monitor.next()) {
            assert!(!matches!(event, SocketEvent::Disconnected { .. }), "{event:?}");
        }
        push.send("still there").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "still there");
    }
}

over_streams! {
    async fn silent_peer_is_disconnected(at) {
        assert_silent_peer_disconnected(&at, DealerSocket::builder(), "ROUTER").await;
        assert_silent_peer_disconnected(&at, RouterSocket::builder(), "DEALER").await;
        assert_silent_peer_disconnected(&at, ReqSocket::builder(), "REP").await;
        assert_silent_peer_disconnected(&at, RepSocket::builder(), "REQ").await;
        assert_silent_peer_disconnected(&at, PubSocket::builder(), "SUB").await;
        assert_silent_peer_disconnected(&at, SubSocket::builder(), "PUB").await;
        assert_silent_peer_disconnected(&at, PushSocket::builder(), "PULL").await;
        assert_silent_peer_disconnected(&at, PullSocket::builder(), "PUSH").await;
    }

    async fn expired_ttl_disconnects_peer(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let dealer = at.build(
            DealerSocket::builder().heartbeat_interval(Some(BEAT)).heartbeat_ttl(Duration::from_millis(200)),
        );
        let there = dealer.bind(at.wildcard_endpoint()).await.expect("bound");
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "DEALER");
            let (flags, body) = wire.frame();
            assert_eq!((flags, &body[..]), (4, &b"\x04PING\0\x02"[..]), "the TTL is announced in tenths of a second");
        })
        .await;
        // Announces a TTL of a tenth of a second and stays silent.
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            wire.put(&testing::command("PING", b"\0\x01"));
            wire.frame();
            wire.end();
        })
        .await;
        testing::eventually("the silent peer is disconnected", || pull.peer_count() == 0).await;
    }

    async fn backpressured_peer_stays_connected(at) {
        let builder = PullSocket::builder().recv_hwm(1).heartbeat_interval(Some(BEAT)).heartbeat_timeout(BEAT);
        let (pull, endpoint) = at.bound(builder).await;
        let mut monitor = pull.monitor();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            wire.put(&frame(0, b"1"));
            wire.put(&frame(0, b"2"));
            wire.put(&frame(0, b"3"));
            wire
        })
        .await;
        testing::eventually("the first message has arrived", || pull.stats().recv_queue == 1).await;
        let quiet = at.build(PullSocket::builder().recv_timeout(Some(BEAT * 8)));
        assert!(quiet.recv().await.expect_err("no sender").is_timeout());
        while let Some(Some(event)) = testing::at_once(monitor.next()) {
            assert!(!matches!(event, SocketEvent::Disconnected { .. }), "{event:?}");
        }
        for n in ["1", "2", "3"] {
            assert_eq!(pull.recv().await.expect("received"), n);
        }
        drop(wire);
    }

    async fn slow_sender_stays_connected(at) {
        let builder = PullSocket::builder().heartbeat_interval(Some(BEAT)).heartbeat_timeout(BEAT);
        let (pull, endpoint) = at.bound(builder).await;
        let body: Vec<u8> = (0..1_000_000).map(|n: usize| (n % 251) as u8).collect();
        let message_bytes = frame(0, &body);
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            // The peer cannot answer a PING in the middle of a frame.
            for piece in message_bytes.chunks(20_000) {
                wire.put(piece);
                std::thread::park_timeout(BEAT / 4);
            }
            wire
        });
        let (message, _wire) = futures::join!(pull.recv(), wire);
        assert_eq!(message.expect("received"), body);
    }

    async fn only_stalled_reader_disconnects(at) {
        let builder = PushSocket::builder().heartbeat_interval(Some(BEAT)).heartbeat_timeout(BEAT * 4);
        let (push, endpoint) = at.bound(builder).await;
        // More than all kernel buffers hold.
        const LARGE: usize = 40 << 20;
        let there = endpoint.clone();
        let slow = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "PULL");
            // A PING may precede the message.
            while wire.take(1) == [4] {
                let len = wire.take(1)[0];
                wire.take(len.into());
            }
            wire.take(8);
            let mut left = LARGE;
            while left > 0 {
                let piece = left.min(1 << 20);
                wire.take(piece);
                left -= piece;
                std::thread::park_timeout(BEAT / 2);
            }
            // Only now can the peer read the PING and answer it.
            let (flags, body) = wire.frame();
            assert_eq!((flags, &body[..5]), (4, &b"\x04PING"[..]));
            wire.put(&testing::command("PONG", b""));
            wire
        });
        let (sent, slow) = futures::join!(push.send(vec![1; LARGE]), slow);
        sent.expect("sent");
        slow.close();
        testing::eventually("the peer has disconnected", || push.peer_count() == 0).await;

        let mut monitor = push.monitor();
        let _stopped = testing::on_blocking_thread(move || RawPeer::established(&endpoint, "PULL")).await;
        push.wait_for_peers(1).await.expect("open");
        push.send(vec![1; LARGE]).await.expect("queued");
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::Disconnected { reason: DisconnectReason::HeartbeatTimeout, .. } => break,
                _ => continue,
            }
        }
    }

    async fn heartbeat_timeout_reconnects_dealer(at) {
        let (listener, endpoint) = testing::RawPeerListener::bind(&at, "silent");
        let dealer = at.build(
            DealerSocket::builder()
                .heartbeat_interval(Some(BEAT))
                .reconnect_interval(Duration::from_millis(1)),
        );
        dealer.connect(endpoint).await.expect("connected");
        testing::on_blocking_thread(move || {
            for _ in 0..2 {
                let mut silent = listener.accept();
                silent.shake_hands("DEALER", b"");
                silent.end();
            }
            let mut good = listener.accept();
            good.shake_hands("DEALER", b"");
            good.put(&frame(0, b"here"));
            good
        })
        .await;
        assert_eq!(dealer.recv().await.expect("received"), "here");
    }
}

#[test]
fn excessive_heartbeat_ttl_is_rejected() {
    let build = |ttl| {
        let context = monocoque::Context::new().expect("a context");
        DealerSocket::builder().heartbeat_ttl(ttl).build_in(&context)
    };
    assert!(build(Duration::from_millis(6_553_500)).is_ok());
    assert!(matches!(build(Duration::from_secs(6554)), Err(MonocoqueError::HeartbeatTtl)));
}

testing::embedded! {
    embedded:
    heartbeats_keep_push_pull_connected silent_peer_is_disconnected expired_ttl_disconnects_peer
    backpressured_peer_stays_connected slow_sender_stays_connected
    only_stalled_reader_disconnects heartbeat_timeout_reconnects_dealer
}
