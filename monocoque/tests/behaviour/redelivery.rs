//! Messages that a peer rejects: retried a few times, then dropped, counted and reported; later
//! messages are still delivered.

use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::capability::Sends;
use monocoque::zmq::{
    Builder, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket, TypedSocket,
};
use monocoque::{ConnectionId, Message, Monitor, MonocoqueError, ReconnectStop, SocketEvent};
use testing::{RawPeerListener, everywhere, over_streams};

/// The peer's message size limit.
const LIMIT: u64 = 1 << 20;
/// A size that the kernel does not accept at once.
const TOO_LARGE: usize = 32 << 20;
const AT_ONCE: Duration = Duration::from_millis(1);

/// Waits for the next dropped message; returns its size and the number of attempts.
async fn next_dropped_event(monitor: &mut Monitor) -> (usize, u32) {
    loop {
        let event = monitor.next().await.expect("the socket is open");
        if let SocketEvent::MessageDropped { bytes, attempts, .. } = event {
            return (bytes, attempts);
        }
    }
}

async fn send<S: Sends>(socket: &S, message: impl Into<Message> + Send) {
    socket.send(message).await.expect("queued");
}

fn limited_builder<S: TypedSocket>() -> Builder<S> {
    S::builder().max_message_size(Some(LIMIT)).reconnect_interval(AT_ONCE)
}

over_streams! {
    async fn push_drops_refused_message(at) {
        let (pull, endpoint) = at.bound(limited_builder::<PullSocket>()).await;
        let push = at.connected(PushSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let mut monitor = push.monitor();
        send(&push, "first").await;
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(pull.recv().await.expect("received"), "first");
        let (bytes, attempts) = next_dropped_event(&mut monitor).await;
        assert_eq!((bytes, attempts), (TOO_LARGE + 9, 3));
        for n in 0..100_u32 {
            send(&push, n.to_be_bytes().to_vec()).await;
        }
        for n in 0..100_u32 {
            assert_eq!(&pull.recv().await.expect("received")[0], n.to_be_bytes());
        }
        assert_eq!(push.stats().dropped, 1);
    }

    async fn bound_push_drops_refused_message(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let mut monitor = push.monitor();
        let pull = at.connected(limited_builder::<PullSocket>(), &endpoint).await;
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(next_dropped_event(&mut monitor).await.1, 3);
        send(&push, "behind").await;
        assert_eq!(pull.recv().await.expect("received"), "behind");
    }

    async fn refused_message_finds_other_peer(at) {
        let push = at.build(PushSocket::builder().reconnect_interval(AT_ONCE));
        let (limited, endpoint) = at.bound(limited_builder::<PullSocket>()).await;
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
        let (unlimited, endpoint) = at.bound(PullSocket::builder()).await;
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(2).await.expect("open");
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(unlimited.recv().await.expect("received").byte_len(), TOO_LARGE);
        assert_eq!(push.stats().dropped, 0);
        drop(limited);
    }

    async fn router_drops_refused_message(at) {
        let (dealer, endpoint) = at.bound(limited_builder::<DealerSocket>()).await;
        let router = at.build(RouterSocket::builder().reconnect_interval(AT_ONCE));
        router.connect_as(endpoint, "dealer").await.expect("connected");
        let mut monitor = router.monitor();
        send(&router, ["dealer".into(), vec![7; TOO_LARGE]]).await;
        assert_eq!(next_dropped_event(&mut monitor).await.1, 3);
        send(&router, ["dealer", "behind"]).await;
        assert_eq!(dealer.recv().await.expect("received"), "behind");
    }

    async fn connecting_pub_drops_refused_message(at) {
        let (subscriber, endpoint) = at.bound(limited_builder::<SubSocket>()).await;
        subscriber.subscribe("").expect("open");
        let publisher = at.connected(PubSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let mut monitor = publisher.monitor();
        publisher.wait_for_subscriptions(1).await.expect("open");
        send(&publisher, vec![7; TOO_LARGE]).await;
        assert_eq!(next_dropped_event(&mut monitor).await.1, 3);
        publisher.wait_for_subscriptions(1).await.expect("open");
        send(&publisher, "behind").await;
        assert_eq!(subscriber.recv().await.expect("received"), "behind");
    }

    async fn refused_request_emits_message_dropped(at) {
        let (reply, endpoint) = at.bound(limited_builder::<RepSocket>()).await;
        let options = ReqSocket::builder().reconnect_interval(AT_ONCE).req_relaxed(true).req_correlate(true);
        let request = at.connected(options, &endpoint).await;
        let mut monitor = request.monitor();
        send(&request, vec![7; TOO_LARGE]).await;
        assert_eq!(next_dropped_event(&mut monitor).await.1, 3);
        send(&request, "another").await;
        assert_eq!(reply.recv().await.expect("received"), "another");
    }

    async fn pair_drops_refused_message(at) {
        let (one, endpoint) = at.bound(limited_builder::<PairSocket>()).await;
        let other = at.connected(PairSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let mut monitor = other.monitor();
        send(&other, vec![7; TOO_LARGE]).await;
        assert_eq!(next_dropped_event(&mut monitor).await.1, 3);
        send(&other, "behind").await;
        assert_eq!(one.recv().await.expect("received"), "behind");
    }

    async fn delivery_attempts_option_limits_retries(at) {
        let options = DealerSocket::builder().reconnect_interval(AT_ONCE).delivery_attempts(1);
        let (router, endpoint) = at.bound(limited_builder::<RouterSocket>()).await;
        let dealer = at.connected(options, &endpoint).await;
        let mut monitor = dealer.monitor();
        send(&dealer, vec![7; TOO_LARGE]).await;
        assert_eq!(next_dropped_event(&mut monitor).await.1, 1);
        send(&dealer, "behind").await;
        assert_eq!(&router.recv().await.expect("received")[1], b"behind");
    }

    async fn flush_waits_for_redelivered_message(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "flush");
        let push = at.connected(PushSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let listener = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            // The write has begun.
            wire.take(9);
            listener
        });
        send(&push, vec![7; TOO_LARGE]).await;
        let listener = listener.await;
        let flushed = std::pin::pin!(push.flush());
        let read = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            let message = wire.frame().1;
            (message.len(), wire)
        });
        let (flushed, read) = futures::join!(flushed, read);
        flushed.expect("written");
        assert_eq!((read.0, push.stats().send_queue), (TOO_LARGE, 0));
    }

    async fn repeated_hangups_double_retry_delay(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "hangs-up");
        let pull = at.connected(PullSocket::builder().reconnect_interval(AT_ONCE * 5), &endpoint).await;
        let mut monitor = pull.monitor();
        let hangs_up = testing::on_blocking_thread(move || {
            for _ in 0..6 {
                listener.accept().shake_hands("PUSH", b"");
            }
            listener
        });
        let mut delays = Vec::new();
        while delays.len() < 6 {
            if let SocketEvent::Retrying { delay, .. } = monitor.next().await.expect("open") {
                delays.push(delay);
            }
        }
        drop(hangs_up.await);
        // The delays double from 5 to 160 ms; each is drawn from the upper half of its interval.
        assert!(delays[5] >= AT_ONCE * 80, "{delays:?}");
    }

    async fn protocol_error_gets_longest_delay(at) {
        for nonsense in [&b"\xff"[..], b"\x04\x00", b"\x04\x06\x05READY", b"\x04\x07\x05ERROR\x00"] {
            let (listener, endpoint) = RawPeerListener::bind(&at, &nonsense.escape_ascii().to_string().replace('\\', "_"));
            let pull = at.connected(PullSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
            let mut monitor = pull.monitor();
            let nonsense = nonsense.to_vec();
            let said = testing::on_blocking_thread(move || {
                let mut wire = listener.accept();
                wire.shake_hands("PUSH", b"");
                wire.put(&nonsense);
                (wire, listener)
            });
            let delay = loop {
                if let SocketEvent::Retrying { delay, .. } = monitor.next().await.expect("open") {
                    break delay;
                }
            };
            assert!(delay >= AT_ONCE * 16, "{delay:?}");
            drop(said.await);
        }
    }

    async fn reconnect_stop_gives_endpoint_up(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "lost");
        let options = PullSocket::builder()
            .reconnect_interval(AT_ONCE)
            .reconnect_stop([ReconnectStop::ConnectionLost]);
        let pull = at.connected(options, &endpoint).await;
        let mut monitor = pull.monitor();
        let lost = testing::on_blocking_thread(move || {
            listener.accept().shake_hands("PUSH", b"");
            listener
        });
        let listener = lost.await;
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::GivenUp { endpoint: gone } => break assert_eq!(gone, endpoint),
                SocketEvent::Retrying { .. } => panic!("unexpected reconnect"),
                _ => {}
            }
        }
        drop((listener, pull));
    }
}

everywhere! {
    async fn disconnected_peer_reconnects_despite_stop(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let pull = at.build(builder_without_reconnect());
        let mut monitor = pull.monitor();
        pull.connect(endpoint.clone()).await.expect("connected");
        for _ in 0..2 {
            let id = next_established(&mut monitor).await;
            pull.disconnect_peer(id).expect("the peer is connected");
        }
        next_established(&mut monitor).await;
        push.send("still here").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "still here");
    }

    async fn reconnect_stop_honours_remote_unbind(at) {
        let (push, endpoint) = (at.build(PushSocket::builder()), at.unused_endpoint("unbound"));
        push.bind(endpoint.clone()).await.expect("bound");
        let pull = at.build(builder_without_reconnect());
        let mut monitor = pull.monitor();
        pull.connect(endpoint.clone()).await.expect("connected");
        next_established(&mut monitor).await;
        push.send("before").await.expect("sent");
        push.unbind(endpoint.clone()).await.expect("bound");
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::GivenUp { endpoint: gone } => break assert_eq!(gone, endpoint),
                SocketEvent::Retrying { .. } => panic!("unexpected reconnect"),
                _ => {}
            }
        }
        assert_eq!(pull.recv().await.expect("received before the disconnect"), "before");
        testing::rebind(&push, &endpoint).await;
        assert!(matches!(pull.disconnect(endpoint.clone()).await, Err(MonocoqueError::UnknownEndpoint(_))));
        assert_eq!(pull.peer_count(), 0);
        pull.connect(endpoint).await.expect("connected");
        next_established(&mut monitor).await;
    }
}

/// A builder of a socket that does not reconnect after a lost connection.
fn builder_without_reconnect() -> Builder<PullSocket> {
    PullSocket::builder().reconnect_interval(AT_ONCE).reconnect_stop([ReconnectStop::ConnectionLost])
}

/// Returns the id of the next connection that completes its handshake.
async fn next_established(monitor: &mut Monitor) -> ConnectionId {
    loop {
        match monitor.next().await.expect("open") {
            SocketEvent::HandshakeSucceeded { connection, .. } => return connection.id,
            SocketEvent::GivenUp { .. } => panic!("unexpected end of reconnects"),
            _ => {}
        }
    }
}

testing::embedded! {
    embedded:
    refused_message_finds_other_peer flush_waits_for_redelivered_message
    repeated_hangups_double_retry_delay disconnected_peer_reconnects_despite_stop
}
