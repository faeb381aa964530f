//! `Duration::MAX` means no limit in every option and call; zero means no wait.

use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::{Builder, DealerSocket, PullSocket, PushSocket, Socket};
use monocoque::{Context, MonocoqueError, SocketEvent};
use testing::{At, AtOnce, everywhere, over_streams};

/// Durations without a practical limit; the last is within the range of the clock.
const FOR_EVER: [Duration; 3] =
    [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(u64::MAX / 4)];

/// Exchanges messages between two sockets with an option, then loses the connection and exchanges
/// messages again.
async fn exchange_and_disconnect(at: &At, option: impl Fn(Builder<DealerSocket>) -> Builder<DealerSocket>) {
    let (one, endpoint) = at.bound(option(DealerSocket::builder())).await;
    let other = at.connected(option(DealerSocket::builder()), &endpoint).await;
    for message in ["there", "and back"] {
        other.send(message).await.expect("sent");
        assert_eq!(one.recv().await.expect("received"), message);
        one.send(message).await.expect("sent");
        assert_eq!(other.recv().await.expect("received"), message);
    }
    other.disconnect(endpoint).await.expect("disconnected");
    testing::eventually("the connection has ended", || one.peer_count() == 0).await;
    futures::join!(one.close(), other.close());
}

/// Returns the first event for which `of` returns a value.
async fn first_event<T, S: Socket>(
    socket: &S,
    endpoint: monocoque::Endpoint,
    of: impl Fn(SocketEvent) -> Option<T>,
) -> T {
    let mut monitor = socket.monitor();
    socket.connect(endpoint).await.expect("connected");
    loop {
        if let Some(found) = of(monitor.next().await.expect("open")) {
            return found;
        }
    }
}

everywhere! {
    async fn infinite_options_keep_sockets_working(at) {
        for limit in FOR_EVER {
            exchange_and_disconnect(&at, |builder| builder.handshake_timeout(Some(limit))).await;
            exchange_and_disconnect(&at, |builder| builder.connect_timeout(Some(limit))).await;
            exchange_and_disconnect(&at, |builder| builder.linger(Some(limit))).await;
            exchange_and_disconnect(&at, |builder| builder.send_timeout(Some(limit)).recv_timeout(Some(limit))).await;
            exchange_and_disconnect(&at, |builder| builder.reconnect_interval(limit)).await;
            exchange_and_disconnect(&at, |builder| builder.reconnect_interval_max(limit)).await;
            exchange_and_disconnect(&at, |builder| builder.heartbeat_interval(Some(limit))).await;
            let often = Duration::from_millis(50);
            exchange_and_disconnect(&at, |builder| builder.heartbeat_interval(Some(often)).heartbeat_timeout(limit)).await;
        }
    }

    async fn infinite_timeouts_keep_waiting(at) {
        for limit in FOR_EVER {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_timeout(Some(limit))).await;
            let push = at.build(PushSocket::builder().send_timeout(Some(limit)));
            let mut receiving = Box::pin(pull.recv());
            let mut sending = Box::pin(push.send("after a while"));
            assert!(receiving.as_mut().at_once().is_none() && sending.as_mut().at_once().is_none());
            push.connect(endpoint).await.expect("connected");
            let (received, sent) = futures::join!(receiving, sending);
            sent.expect("sent");
            assert_eq!(received.expect("received"), "after a while");
        }
    }

    async fn infinite_linger_waits_for_peer(at) {
        for (n, limit) in FOR_EVER.into_iter().enumerate() {
            let endpoint = at.unused_endpoint(&format!("later-{n}"));
            let push = at.connected(PushSocket::builder().linger(Some(limit)), &endpoint).await;
            push.send("last").await.expect("queued");
            let mut closing = Box::pin(push.close());
            assert!(closing.as_mut().at_once().is_none());
            let pull = at.build(PullSocket::builder());
            pull.bind(endpoint).await.expect("bound");
            let ((), received) = futures::join!(closing, pull.recv());
            assert_eq!(received.expect("received"), "last");
        }
        let push = at.connected(PushSocket::builder().linger(Some(Duration::ZERO)), &at.unused_endpoint("never")).await;
        push.send("last").await.expect("queued");
        push.close().await;
        assert_eq!(push.stats().dropped, 1);
    }

    async fn zero_recv_timeout_eventually_receives(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for n in 0..100 {
            push.send(testing::numbered(n)).await.expect("queued");
        }
        let (start, mut received) = (std::time::Instant::now(), 0);
        while received < 100 {
            match pull.recv_timeout(Duration::ZERO).await {
                Ok(message) => {
                    assert_eq!(message, testing::numbered(received));
                    received += 1;
                }
                Err(error) => assert!(error.is_timeout(), "{error}"),
            }
            assert!(start.elapsed() < testing::DEADLINE / 2, "{received} of 100");
        }
    }

    async fn zero_timeouts_return_immediately(at) {
        let pull = at.build(PullSocket::builder().recv_timeout(Some(Duration::ZERO)));
        assert!(pull.recv().await.expect_err("nothing is queued").is_timeout());
        let push = at.build(PushSocket::builder().send_timeout(Some(Duration::ZERO)));
        assert!(push.send("nobody is there").await.expect_err("no room").reason().is_timeout());
        let silent = |builder: Builder<_>| {
            let builder = builder.heartbeat_interval(Some(Duration::ZERO)).heartbeat_timeout(Duration::ZERO);
            builder.reconnect_interval(Duration::ZERO).reconnect_interval_max(Duration::ZERO)
        };
        exchange_and_disconnect(&at, silent).await;
    }
}

over_streams! {
    async fn infinite_reconnect_interval_tries_once(at) {
        for limit in FOR_EVER {
            let builder = PushSocket::builder().reconnect_interval(limit).reconnect_interval_max(limit);
            let push = at.build(builder.linger(Some(Duration::ZERO)));
            let retrying = |event| match event {
                SocketEvent::Retrying { delay, .. } => Some(delay),
                _ => None,
            };
            let delay = first_event(&push, at.unused_endpoint("nobody"), retrying).await;
            assert!(delay >= limit / 3, "{delay:?}");
            push.close().await;
        }
    }

    async fn zero_handshake_timeout_fails(at) {
        let (_pull, endpoint) = at.bound(PullSocket::builder()).await;
        let hasty = at.build(PushSocket::builder().handshake_timeout(Some(Duration::ZERO)));
        let failed = |event| matches!(event, SocketEvent::HandshakeFailed { .. }).then_some(());
        first_event(&hasty, endpoint, failed).await;
        hasty.close().await;
    }
}

#[test]
fn infinite_blocking_timeouts_keep_waiting() {
    let context = Context::new().expect("a context");
    for limit in FOR_EVER {
        let pull = PullSocket::new_in(&context).expect("a socket");
        let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        let push = PushSocket::new_in(&context).expect("a socket");
        let sending = std::thread::spawn(move || {
            push.blocking().connect(endpoint).expect("connected");
            push.blocking().send_timeout("after a while", limit).expect("sent");
            push.blocking().close().expect("closed");
        });
        assert_eq!(pull.blocking().recv_timeout(limit).expect("received"), "after a while");
        sending.join().expect("sent");
        assert!(pull.blocking().recv_timeout(Duration::ZERO).expect_err("nothing is left").is_timeout());
    }
}

#[test]
fn infinite_heartbeat_ttl_is_rejected() {
    let context = Context::new().expect("a context");
    for ttl in FOR_EVER {
        let made = DealerSocket::builder().heartbeat_ttl(ttl).build_in(&context);
        assert!(matches!(made, Err(MonocoqueError::HeartbeatTtl)));
    }
    assert!(DealerSocket::builder().heartbeat_ttl(Duration::ZERO).build_in(&context).is_ok());
}
