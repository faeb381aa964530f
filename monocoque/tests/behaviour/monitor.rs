//! Monitor events: all changes of connections, in order, and an end for each beginning.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, ReqSocket, RouterSocket, SocketType, SubSocket,
    ZmtpError,
};
use monocoque::{Context, DisconnectReason, Monitor, ReconnectStop, SocketEvent};
use testing::{AtOnce, DEADLINE, RawPeer, everywhere, numbered, over_streams, rebind, within};

/// Returns the first value that `pick` derives from an event.
async fn event<T>(monitor: &mut Monitor, mut pick: impl FnMut(SocketEvent) -> Option<T>) -> T {
    while let Some(event) = monitor.next().await {
        if let Some(picked) = pick(event) {
            return picked;
        }
    }
    panic!("the monitor has ended")
}

async fn reason(monitor: &mut Monitor) -> DisconnectReason {
    event(monitor, |event| match event {
        SocketEvent::Disconnected { reason, .. } => Some(reason),
        _ => None,
    })
    .await
}

async fn retry(monitor: &mut Monitor) -> Duration {
    event(monitor, |event| match event {
        SocketEvent::Retrying { delay, .. } => Some(delay),
        _ => None,
    })
    .await
}

/// Names of events, for comparison.
fn name(event: &SocketEvent) -> &'static str {
    match event {
        SocketEvent::Listening { .. } => "listening",
        SocketEvent::Unbound { .. } => "unbound",
        SocketEvent::Accepted { .. } => "accepted",
        SocketEvent::Connected { .. } => "connected",
        SocketEvent::ConnectFailed { .. } => "connect failed",
        SocketEvent::HandshakeSucceeded { .. } => "handshake succeeded",
        SocketEvent::HandshakeFailed { .. } => "handshake failed",
        SocketEvent::Disconnected { .. } => "disconnected",
        SocketEvent::Retrying { .. } => "retrying",
        SocketEvent::Closed => "closed",
        _ => "another",
    }
}

everywhere! {
    async fn monitor_recv_needs_no_stream(at) {
        let pull = at.build(PullSocket::builder());
        let mut monitor = pull.monitor();
        assert!(monitor.try_recv().is_none());
        let endpoint = pull.bind("inproc://x").await.expect("bound");
        let event = monitor.recv().await.expect("an event");
        assert!(matches!(&event, SocketEvent::Listening { endpoint: of } if *of == endpoint));
        pull.unbind(endpoint).await.expect("bound");
        assert!(matches!(monitor.try_recv(), Some(SocketEvent::Unbound { .. })));
        pull.close().await;
        assert!(matches!(monitor.recv().await, Some(SocketEvent::Closed)));
        assert!(monitor.recv().await.is_none() && monitor.try_recv().is_none());
    }

    async fn connection_lifecycle_events_are_ordered(at) {
        let pull = at.build(PullSocket::builder());
        let bound = pull.monitor();
        let endpoint = pull.bind(at.wildcard_endpoint()).await.expect("bound");
        let push = at.build(PushSocket::builder());
        let connected = push.monitor();
        push.connect(endpoint.clone()).await.expect("connected");
        push.send("x").await.expect("sent");
        pull.recv().await.expect("received");
        push.close().await;
        testing::eventually("the lost connection is detected", || pull.peer_count() == 0).await;
        pull.close().await;
        let (bound, connected): (Vec<_>, Vec<_>) = (bound.collect().await, connected.collect().await);
        let names = |events: &[SocketEvent]| events.iter().map(name).collect::<Vec<_>>();
        assert_eq!(
            names(&bound),
            ["listening", "accepted", "handshake succeeded", "disconnected", "unbound", "closed"]
        );
        assert_eq!(names(&connected), ["connected", "handshake succeeded", "disconnected", "closed"]);
        for (events, peer_type) in [(&bound, SocketType::Push), (&connected, SocketType::Pull)] {
            let mut ids = HashSet::new();
            for event in events {
                match event {
                    SocketEvent::Accepted { connection } | SocketEvent::Connected { connection } => {
                        assert_eq!(connection.endpoint, endpoint);
                        assert!(ids.insert(connection.id));
                    }
                    SocketEvent::HandshakeSucceeded { connection, socket_type, .. } => {
                        assert!(ids.contains(&connection.id));
                        assert_eq!(*socket_type, peer_type);
                    }
                    SocketEvent::Disconnected { connection, .. } => assert!(ids.remove(&connection.id)),
                    _ => {}
                }
            }
            assert!(ids.is_empty());
        }
        let disconnect_reason = bound.iter().find_map(|event| match event {
            SocketEvent::Disconnected { reason, .. } => Some(reason),
            _ => None,
        });
        assert!(matches!(disconnect_reason, Some(DisconnectReason::ByPeer)), "{disconnect_reason:?}");
    }

    async fn local_disconnect_reports_by_us(at) {
        let ours = async |what: &str, monitor: &mut Monitor| {
            let reason = reason(monitor).await;
            assert!(matches!(reason, DisconnectReason::ByUs), "{what}: {reason:?}");
        };
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        pull.wait_for_peers(1).await.expect("open");
        let mut monitor = push.monitor();
        push.disconnect(&endpoint).await.expect("connected");
        ours("disconnect", &mut monitor).await;
        push.connect(endpoint.clone()).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
        let mut monitor = pull.monitor();
        pull.unbind(&endpoint).await.expect("bound");
        ours("unbind", &mut monitor).await;

        let (router, endpoint) = at.bound(RouterSocket::builder().router_handover(true)).await;
        let mut monitor = router.monitor();
        let named = || DealerSocket::builder().routing_id(b"name").reconnect_interval(Duration::MAX);
        let old = at.connected(named(), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let new = at.connected(named(), &endpoint).await;
        ours("handover", &mut monitor).await;
        drop((old, new));
    }

    async fn abandoned_request_keeps_endpoint(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let request = ReqSocket::builder()
            .req_relaxed(true)
            .reconnect_interval(Duration::from_millis(1))
            .reconnect_stop([ReconnectStop::ConnectionLost]);
        let request = at.connected(request, &endpoint).await;
        let mut monitor = request.monitor();
        for n in 0..3 {
            request.send(numbered(n)).await.expect("sent");
            assert_eq!(router.recv().await.expect("received")[2], numbered(n)[0]);
            if n > 0 {
                let reason = reason(&mut monitor).await;
                assert!(matches!(reason, DisconnectReason::ByUs), "{reason:?}");
            }
        }
    }

    async fn failed_bind_emits_event(at) {
        let (_pull, endpoint) = at.bound(PullSocket::builder()).await;
        let other = at.build(PullSocket::builder());
        let mut monitor = other.monitor();
        other.bind(endpoint.clone()).await.expect_err("in use");
        let failed = event(&mut monitor, |event| match event {
            SocketEvent::BindFailed { endpoint, error } => Some((endpoint, error.kind())),
            _ => None,
        });
        assert_eq!(failed.await, (endpoint, std::io::ErrorKind::AddrInUse));
    }
}

over_streams! {
    async fn each_accepted_event_is_paired(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut monitor = router.monitor();
        for round in 0..30 {
            let there = endpoint.clone();
            match round % 3 {
                0 => drop(at.connected(DealerSocket::builder(), &there).await),
                1 => testing::on_blocking_thread(move || drop(RawPeer::connect(&there))).await,
                _ => testing::on_blocking_thread(move || RawPeer::established(&there, "DEALER").close()).await,
            }
        }
        let _open = at.connected(DealerSocket::builder(), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        router.close().await;
        let mut open = HashSet::new();
        let (mut begun, mut ended) = (0, 0);
        while let Some(event) = monitor.next().await {
            match event {
                SocketEvent::Accepted { connection } => {
                    begun += 1;
                    assert!(open.insert(connection.id), "twice");
                }
                SocketEvent::HandshakeSucceeded { connection, .. } | SocketEvent::HandshakeFailed { connection, .. } => {
                    assert!(open.contains(&connection.id));
                }
                SocketEvent::Disconnected { connection, .. } => {
                    ended += 1;
                    assert!(open.remove(&connection.id), "never begun, or ended twice");
                }
                _ => {}
            }
        }
        assert_eq!((begun, open.len()), (ended, 0));
        assert!(begun > 10, "{begun}");
    }

    async fn handshake_failure_event_has_reason(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().handshake_timeout(Some(Duration::from_millis(50)))).await;
        let mut monitor = pull.monitor();
        let failure = async |monitor: &mut Monitor| {
            let reason = event(monitor, |event| match event {
                SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
                _ => None,
            });
            let (first, second) = (reason.await, self::reason(monitor).await);
            assert_eq!(first.to_string(), second.to_string());
            second
        };
        let there = endpoint.clone();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&there);
            wire.put(b"GET / HTTP/1.1\r\n\r\n");
            wire
        })
        .await;
        let failure_reason = failure(&mut monitor).await;
        assert!(matches!(failure_reason, DisconnectReason::Protocol(ZmtpError::Malformed(_))), "{failure_reason:?}");
        drop(wire);
        let there = endpoint.clone();
        let _silent = testing::on_blocking_thread(move || RawPeer::connect(&there)).await;
        assert!(matches!(failure(&mut monitor).await, DisconnectReason::HandshakeTimeout));
        let publisher = at.connected(PubSocket::builder(), &endpoint).await;
        let failure_reason = failure(&mut monitor).await;
        assert!(matches!(failure_reason, DisconnectReason::Protocol(ZmtpError::Incompatible(_))), "{failure_reason:?}");
        drop(publisher);
    }

    async fn incompatible_peer_gets_longest_delay(at) {
        let (_publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let ms = Duration::from_millis;
        let push = at.build(PushSocket::builder().reconnect_interval(ms(1)).reconnect_interval_max(ms(200)));
        let mut monitor = push.monitor();
        push.connect(endpoint).await.expect("connected");
        for _ in 0..2 {
            assert!(matches!(reason(&mut monitor).await, DisconnectReason::Protocol(_)));
            assert!(retry(&mut monitor).await >= ms(100));
        }
        let nowhere = at.build(PushSocket::builder().reconnect_interval(ms(1)).reconnect_interval_max(ms(200)));
        let mut monitor = nowhere.monitor();
        nowhere.connect(at.unused_endpoint("nobody")).await.expect("connected");
        assert!(retry(&mut monitor).await <= ms(1), "the first retry is immediate");
    }

    async fn retry_delay_doubles_until_handshake(at) {
        let endpoint = at.unused_endpoint("later");
        let ms = Duration::from_millis;
        let push = at.build(PushSocket::builder().reconnect_interval(ms(2)).reconnect_interval_max(ms(64)));
        let mut monitor = push.monitor();
        push.connect(endpoint.clone()).await.expect("connected");
        for step in [2, 4, 8, 16, 32, 64, 64] {
            let failed = event(&mut monitor, |event| Some(matches!(event, SocketEvent::ConnectFailed { .. })));
            assert!(failed.await);
            let delay = retry(&mut monitor).await;
            assert!(delay >= ms(step) / 2 && delay <= ms(step), "{delay:?} at {step}");
        }
        let pull = at.build(PullSocket::builder());
        rebind(&pull, &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        pull.close().await;
        assert!(matches!(reason(&mut monitor).await, DisconnectReason::ByPeer));
        assert!(retry(&mut monitor).await <= ms(2));
    }

    async fn default_retry_delay_doubles(at) {
        let ms = Duration::from_millis;
        let push = at.build(PushSocket::builder());
        let mut monitor = push.monitor();
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        for step in [100, 200, 400] {
            let delay = retry(&mut monitor).await;
            assert!(delay >= ms(step) / 2 && delay <= ms(step), "{delay:?} at {step}");
        }
    }

    async fn default_retry_delay_has_cap(at) {
        let ms = Duration::from_millis;
        let push = at.build(PushSocket::builder().reconnect_interval(ms(2)));
        let mut monitor = push.monitor();
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        let mut longest = ms(0);
        for _ in 0..10 {
            longest = longest.max(retry(&mut monitor).await);
        }
        assert!(longest >= ms(50) && longest <= ms(100), "{longest:?}");
    }

    async fn zero_max_keeps_delay_constant(at) {
        let ms = Duration::from_millis;
        let constant = PushSocket::builder().reconnect_interval(ms(2)).reconnect_interval_max(Duration::ZERO);
        let push = at.build(constant);
        let mut monitor = push.monitor();
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        for _ in 0..10 {
            assert!(retry(&mut monitor).await <= ms(2));
        }
    }

    async fn handshake_without_message_resets_retry_delay(at) {
        let endpoint = at.unused_endpoint("later");
        let ms = Duration::from_millis;
        let push = at.build(PushSocket::builder().reconnect_interval(ms(2)).reconnect_interval_max(ms(256)));
        let mut monitor = push.monitor();
        push.connect(endpoint.clone()).await.expect("connected");
        for _ in 0..6 {
            retry(&mut monitor).await;
        }
        let pull = at.build(PullSocket::builder());
        rebind(&pull, &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        pull.close().await;
        assert!(matches!(reason(&mut monitor).await, DisconnectReason::ByPeer));
        retry(&mut monitor).await; // after the connection
        assert!(retry(&mut monitor).await <= ms(2), "the first failure since");
    }

    async fn unread_monitor_reports_lagged_events(at) {
        let (sub, endpoint) = at.bound(SubSocket::builder()).await;
        let mut monitor = sub.monitor();
        let there = endpoint.clone();
        testing::on_blocking_thread(move || {
            for _ in 0..600 {
                drop(RawPeer::connect(&there));
            }
        })
        .await;
        let publisher = at.connected(PubSocket::builder(), &endpoint).await;
        publisher.wait_for_peers(1).await.expect("open");
        publisher.close().await;
        testing::eventually("the lost connection is detected", || sub.peer_count() == 0).await;
        sub.close().await;
        let events: Vec<_> = monitor.by_ref().collect().await;
        let [SocketEvent::Lagged(lost), .., SocketEvent::Closed] = &events[..] else {
            panic!("{:?}", events.first())
        };
        assert_eq!(events.len(), 1 + 1024);
        assert!(*lost > 600, "{lost}");
        assert!(monitor.next().at_once().flatten().is_none());
    }

    async fn handshake_event_carries_routing_id(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut monitor = router.monitor();
        let first = at.connected(DealerSocket::builder().routing_id("name"), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        let second = at.connected(DealerSocket::builder().routing_id("name"), &endpoint).await;
        let known = event(&mut monitor, |event| match event {
            SocketEvent::HandshakeSucceeded { routing_id, .. } => Some(routing_id),
            _ => None,
        });
        assert_eq!(&*known.await, b"name");
        let refused = reason(&mut monitor).await;
        assert!(matches!(refused, DisconnectReason::DuplicateRoutingId), "{refused:?}");
        drop((first, second));
    }
}

#[test]
fn monitor_blocks_without_executor() {
    within(DEADLINE, || {
        let context = Context::new().expect("a context");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let mut monitor = pull.monitor();
        let waits = thread::spawn(move || {
            let mut events = 0;
            while monitor.blocking_recv().is_some() {
                events += 1;
            }
            events
        });
        pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        pull.blocking().close().expect("closed");
        assert_eq!(waits.join().expect("it ends"), 3, "listening, unbound, closed");
    });
}

#[test]
fn events_display_as_one_line() {
    within(DEADLINE, || {
        let context = Context::new().expect("a context");
        let pull = PullSocket::new_in(&context).expect("a socket");
        let mut monitor = pull.monitor();
        let endpoint = pull.blocking().bind("inproc://events").expect("bound");
        let push = PushSocket::new_in(&context).expect("a socket");
        push.blocking().connect(endpoint).expect("connected");
        let events: Vec<_> = (0..3).map(|_| monitor.blocking_recv().expect("an event")).collect();
        assert_eq!(events[0].to_string(), "listening on inproc://events");
        let connection = "inproc://events (connection 0 of inproc://events)";
        assert_eq!(events[1].to_string(), format!("accepted {connection}"));
        let succeeded = format!("handshake succeeded {connection}, a PUSH with the routing id 0x");
        assert!(events[2].to_string().starts_with(&succeeded), "{}", events[2]);
        assert_eq!(format!("{:?}", events[0]), "SocketEvent(listening on inproc://events)");
    });
}
