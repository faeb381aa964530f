//! Authenticators: when they are asked, what their answers do, and what their faults hurt.

use std::time::Duration;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use monocoque::security::{
    Admission, AuthFault, AuthReply, AuthRequest, Credentials, Properties, RefusalStatus,
};
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket, ZmtpError};
use monocoque::{DisconnectReason, MonocoqueError, SocketEvent};
use testing::{eventually, over_streams};

use super::{client_keys, curve_client, curve_server, failed_handshake};

over_streams! {
    async fn answer_describes_peer(at) {
        let check = async |request: AuthRequest| {
            assert_eq!(request.domain(), "test");
            assert_eq!(request.routing_id(), b"worker");
            assert_eq!(request.property("X-Zone"), Some(&b"north"[..]));
            assert_eq!(request.mechanism().to_string(), "CURVE");
            let mut properties = Properties::default();
            properties.push("X-Zone", b"checked").expect("a property");
            match request.credentials() {
                Credentials::Curve(key) if *key == client_keys().public => {
                    AuthReply::Allow(Admission { user_id: "anna".into(), properties })
                }
                _ => AuthReply::deny(),
            }
        };
        let router = curve_server(RouterSocket::builder()).authenticator(check).zap_domain("test");
        let (router, endpoint) = at.bound(router).await;
        let dealer = curve_client(DealerSocket::builder()).routing_id("worker").metadata("X-Zone", "north");
        let dealer = at.connected(dealer, &endpoint).await;
        dealer.send("hello").await.expect("sent");
        let (message, peer) = router.recv_with_peer().await.expect("received");
        assert_eq!(message, ["worker", "hello"]);
        assert_eq!(peer.user_id(), Some("anna"));
        assert_eq!(peer.property("x-zone"), Some(&b"checked"[..]));
    }

    async fn peer_cannot_claim_trusted_properties(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::connect(&endpoint);
            let properties = [("Socket-Type", "PUSH"), ("User-Id", "admin"), ("Peer-Address", "::1"), ("X-a", "b")];
            let metadata = properties.map(|(name, value)| testing::property(name, value.as_bytes())).concat();
            wire.put(&[&testing::greeting()[..], &testing::command("READY", &metadata), b"\0\x01x"].concat());
            wire
        });
        let _wire = wire.await;
        let (_, peer) = pull.recv_with_peer().await.expect("received");
        assert_eq!(peer.user_id(), None);
        for (name, value) in
            [("User-Id", None), ("Peer-Address", None), ("X-A", Some(&b"b"[..])), ("Socket-Type", Some(b"PUSH"))]
        {
            assert_eq!(peer.property(name), value, "{name}");
        }
    }

    async fn refused_peer_learns_status_and_waits(at) {
        for (status, code) in [(RefusalStatus::Denied, 400), (RefusalStatus::Internal, 500)] {
            let check = move |_: AuthRequest| async move { AuthReply::Refuse(status) };
            let server = curve_server(RouterSocket::builder()).authenticator(check);
            let (router, endpoint) = at.bound(server).await;
            let mut seen = router.monitor();
            let interval = Duration::from_millis(100);
            let client = at.build(curve_client(DealerSocket::builder()).reconnect_interval(interval));
            let mut monitor = client.monitor();
            client.connect(endpoint).await.expect("connected");
            let reason = failed_handshake(&mut monitor).await;
            assert!(matches!(reason, DisconnectReason::Denied(denied) if denied == code), "{reason:?}");
            let retry = loop {
                if let SocketEvent::Retrying { delay, .. } = monitor.next().await.expect("an event") {
                    break delay;
                }
            };
            assert!(retry >= interval * 16, "{retry:?}: half of the longest interval is random");
            let reason = failed_handshake(&mut seen).await;
            assert!(matches!(reason, DisconnectReason::Refused(refused) if refused == status), "{reason:?}");
            let stats = router.stats();
            assert_eq!((stats.failed_handshakes, stats.auth_failures), (1, 1));
        }
    }

    async fn refusal_for_now_is_tried_again_soon(at) {
        let answers = Mutex::new(vec![AuthReply::allow(), AuthReply::Refuse(RefusalStatus::Temporary)]);
        let answers = std::sync::Arc::new(answers);
        let check = move |_: AuthRequest| {
            let answers = answers.clone();
            async move { answers.lock().await.pop().expect("asked twice") }
        };
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder()).authenticator(check)).await;
        let interval = Duration::from_millis(1);
        let push = curve_client(PushSocket::builder()).reconnect_interval(interval);
        let push = at.connected(push, &endpoint).await;
        push.send("in the end").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "in the end");
    }

    async fn other_peers_come_in_while_one_waits(at) {
        let (asked, mut questions) = mpsc::unbounded();
        let (answer, answers) = mpsc::unbounded::<()>();
        let answers = std::sync::Arc::new(Mutex::new(answers));
        let check = move |request: AuthRequest| {
            let (asked, answers) = (asked.clone(), answers.clone());
            async move {
                if request.routing_id() == b"slow" {
                    asked.unbounded_send(()).expect("the test waits");
                    answers.lock().await.next().await.expect("an answer");
                }
                AuthReply::allow()
            }
        };
        let router = curve_server(RouterSocket::builder()).authenticator(check);
        let (router, endpoint) = at.bound(router).await;
        let slow = curve_client(DealerSocket::builder()).routing_id("slow");
        let slow = at.connected(slow, &endpoint).await;
        slow.send("late").await.expect("sent");
        questions.next().await.expect("asked");
        let quick = curve_client(DealerSocket::builder()).routing_id("quick");
        let quick = at.connected(quick, &endpoint).await;
        quick.send("early").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["quick", "early"]);
        answer.unbounded_send(()).expect("asked");
        assert_eq!(router.recv().await.expect("received"), ["slow", "late"]);
    }

    async fn silent_authenticator_times_out(at) {
        let check = |request: AuthRequest| async move {
            if request.routing_id() == b"forgotten" {
                std::future::pending::<()>().await;
            }
            AuthReply::allow()
        };
        let router = curve_server(RouterSocket::builder())
            .authenticator(check)
            .handshake_timeout(Some(Duration::from_millis(200)));
        let (router, endpoint) = at.bound(router).await;
        let mut monitor = router.monitor();
        let dealer = curve_client(DealerSocket::builder()).routing_id("forgotten");
        let _forgotten = at.connected(dealer, &endpoint).await;
        let reason = failed_handshake(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::HandshakeTimeout), "{reason:?}");
        let good = at.connected(curve_client(DealerSocket::builder()).routing_id("good"), &endpoint).await;
        good.send("hello").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["good", "hello"]);
    }

    async fn panic_of_authenticator_ends_one_connection(at) {
        let check = |request: AuthRequest| async move {
            assert!(request.routing_id() != b"bad", "this one panics");
            AuthReply::allow()
        };
        let router = curve_server(RouterSocket::builder()).authenticator(check);
        let (router, endpoint) = at.bound(router).await;
        let mut monitor = router.monitor();
        let good = at.connected(curve_client(DealerSocket::builder()).routing_id("good"), &endpoint).await;
        good.send("before").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["good", "before"]);
        while !matches!(monitor.next().await, Some(SocketEvent::HandshakeSucceeded { .. })) {}
        let _bad = at.connected(curve_client(DealerSocket::builder()).routing_id("bad"), &endpoint).await;
        let reason = failed_handshake(&mut monitor).await;
        let expected = ZmtpError::Unauthenticated(AuthFault::Panicked);
        assert!(matches!(&reason, DisconnectReason::Protocol(error) if *error == expected), "{reason:?}");
        good.send("after").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["good", "after"]);
    }

    async fn anonymous_peers_are_asked_about_with_authenticator(at) {
        let deny = async |_: AuthRequest| AuthReply::deny();
        let (pull, endpoint) = at.bound(PullSocket::builder().authenticator(deny)).await;
        let push = at.build(PushSocket::builder());
        let mut monitor = push.monitor();
        push.connect(endpoint).await.expect("connected");
        let reason = failed_handshake(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::Denied(400)), "{reason:?}");
        eventually("it is counted", || pull.stats().auth_failures == 1).await;
    }

    async fn client_that_leaves_ends_question(at) {
        let (asked, mut questions) = mpsc::unbounded();
        let check = move |_: AuthRequest| {
            let (dropped, is_dropped) = oneshot::channel::<()>();
            asked.unbounded_send(is_dropped).expect("the test waits");
            async move {
                let _dropped = dropped;
                std::future::pending().await
            }
        };
        let server = PullSocket::builder().authenticator(check).handshake_timeout(None);
        let (pull, endpoint) = at.bound(server).await;
        let mut monitor = pull.monitor();
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let is_dropped = questions.next().await.expect("asked");
        push.close().await;
        assert!(is_dropped.await.is_err(), "the question is given up");
        let reason = failed_handshake(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::ByPeer), "{reason:?}");
        assert_eq!(pull.stats().failed_handshakes, 1);
    }

    async fn second_server_is_named_at_once(at) {
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder())).await;
        let push = at.build(curve_server(PushSocket::builder()));
        let (mut ours, mut theirs) = (push.monitor(), pull.monitor());
        push.connect(endpoint).await.expect("connected");
        for monitor in [&mut ours, &mut theirs] {
            let reason = failed_handshake(monitor).await;
            let text = reason.to_string();
            assert!(text.contains("a server of CURVE, too") || matches!(reason, DisconnectReason::ByPeer), "{text}");
        }
        assert!(push.stats().auth_failures + pull.stats().auth_failures > 0);
    }

    async fn close_ends_pending_authentication(at) {
        let (asked, mut questions) = mpsc::unbounded();
        let check = move |_: AuthRequest| {
            asked.unbounded_send(()).expect("the test waits");
            std::future::pending()
        };
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder()).authenticator(check)).await;
        let _push = at.connected(curve_client(PushSocket::builder()), &endpoint).await;
        questions.next().await.expect("asked");
        pull.close().await;
    }

    async fn client_with_wrong_server_key_does_not_hammer(at) {
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder())).await;
        let push = PushSocket::builder()
            .curve_client(client_keys(), client_keys().public)
            .reconnect_interval(Duration::from_millis(1));
        let push = at.build(push);
        let mut monitor = push.monitor();
        push.connect(endpoint).await.expect("connected");
        let mut delays = Vec::new();
        while delays.len() < 6 {
            match monitor.next().await.expect("an event") {
                SocketEvent::Retrying { delay, .. } => delays.push(delay),
                SocketEvent::HandshakeSucceeded { .. } => panic!("it was let in"),
                _ => {}
            }
        }
        assert!(delays[5] >= Duration::from_millis(16), "{delays:?}");
        eventually("each is counted", || pull.stats().auth_failures >= 5).await;
    }

    async fn mechanisms_never_mix(at) {
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder())).await;
        for push in [
            PushSocket::builder(),
            PushSocket::builder().plain_client("anna", "s3cret"),
            PushSocket::builder().curve_server(client_keys()),
        ] {
            let push = at.build(push.handshake_timeout(Some(Duration::from_millis(200))));
            let mut monitor = push.monitor();
            push.connect(endpoint.clone()).await.expect("connected");
            failed_handshake(&mut monitor).await;
            assert_eq!(pull.stats().peers, 0);
        }
    }
}

#[test]
fn options_are_checked() {
    use monocoque::security::{Allow, SecurityError};

    let error = |builder: monocoque::zmq::Builder<PullSocket>| match builder.build() {
        Err(MonocoqueError::Security(error)) => error,
        other => panic!("{other:?}"),
    };
    let builder = PullSocket::builder;
    let long = "x".repeat(256);
    assert_eq!(error(builder().plain_client(&long, "")), SecurityError::CredentialsTooLong(256));
    assert_eq!(error(builder().plain_client("", &*long)), SecurityError::CredentialsTooLong(256));
    assert_eq!(error(builder().zap_domain(&*long)), SecurityError::DomainTooLong(256));
    assert_eq!(error(builder().plain_server().zap_enforce_domain(true)), SecurityError::DomainRequired);
    assert_eq!(error(builder().plain_server().plain_client("anna", "")), SecurityError::SeveralMechanisms);
    assert_eq!(error(curve_client(builder()).plain_server()), SecurityError::SeveralMechanisms);
    assert!(builder().plain_client("anna", "old").plain_client("anna", "new").build().is_ok());
    let client = builder().authenticator(Allow::new()).plain_client("anna", "s3cret");
    assert_eq!(error(client), SecurityError::AuthenticatorOfClient);
    let client = curve_client(builder()).authenticator(Allow::new());
    assert_eq!(error(client), SecurityError::AuthenticatorOfClient);
    for name in ["", "X", "Zone", "X-a b", "Socket-Type", "X-\u{e9}"] {
        assert_eq!(error(builder().metadata(name, "")), SecurityError::PropertyName, "{name:?}");
    }
    assert_eq!(error(builder().metadata("X-a", vec![0; 40_000])), SecurityError::PropertiesTooLarge);
    let many = (0..254).fold(builder(), |builder, n| builder.metadata(&format!("X-{n}"), ""));
    assert_eq!(error(many), SecurityError::PropertiesTooLarge);
    assert!(builder().metadata("x-a", "").plain_client("", "").build().is_ok());
}

testing::embedded! {
    embedded:
    answer_describes_peer refused_peer_learns_status_and_waits
    other_peers_come_in_while_one_waits
}
