//! ZAP: a handler in the program, and its faults.

use futures::StreamExt;
use futures::future::join;
use futures::lock::Mutex;
use monocoque::security::{AuthFault, RefusalStatus};
use monocoque::zmq::{Builder, PullSocket, PushSocket, RepSocket, RouterSocket, ZmtpError};
use monocoque::{DisconnectReason, Message, SocketEvent};
use testing::{At, Transport, over_streams};

use super::{client_keys, curve_client, server_keys};

const ZAP: &str = "inproc://zeromq.zap.01";

/// Contexts of runtimes share one namespace, and there is one name.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn curve_server(builder: Builder<PullSocket>) -> Builder<PullSocket> {
    builder.curve_server(server_keys())
}

/// Replies to one request with these frames behind the version and the request id.
async fn reply_once(handler: &RepSocket, rest: [&str; 4], metadata: &[u8]) -> Message {
    let request = handler.recv().await.expect("a request");
    let [status, text, user_id, _] = rest;
    let reply = [&request[0], &request[1], status.as_bytes(), text.as_bytes(), user_id.as_bytes(), metadata];
    handler.send(Message::from(reply)).await.expect("sent");
    request
}

/// Lets one client try to come in while `handler` runs. Returns the reason if it failed.
async fn attempt(
    at: &At,
    server: Builder<PullSocket>,
    client: Builder<PushSocket>,
    handler: impl Future<Output = ()>,
) -> Result<Option<String>, DisconnectReason> {
    let (pull, endpoint) = at.bound(server).await;
    let mut monitor = pull.monitor();
    let push = at.connected(client, &endpoint).await;
    let outcome = async {
        loop {
            match monitor.next().await.expect("an event") {
                SocketEvent::HandshakeSucceeded { .. } => break,
                SocketEvent::HandshakeFailed { reason, .. } => return Err(reason),
                _ => {}
            }
        }
        push.send("hello").await.expect("sent");
        let (_, peer) = pull.recv_with_peer().await.expect("received");
        assert_eq!(peer.property("X-Group").is_some(), peer.user_id().is_some());
        Ok(peer.user_id().map(str::to_owned))
    };
    join(outcome, handler).await.0
}

over_streams! {
    async fn handler_is_asked_and_describes_peer(at) {
        let _alone = ONE_AT_A_TIME.lock().await;
        let handler: RepSocket = at.socket();
        handler.bind(ZAP).await.expect("bound");
        let metadata = [&b"\x07X-Group\0\0\0\x01"[..], b"1"].concat();
        let server = curve_server(PullSocket::builder()).zap_domain("test");
        let ask = async {
            let request = reply_once(&handler, ["200", "OK", "anna", ""], &metadata).await;
            let address: &[u8] = if at.transport == Transport::Tcp { b"127.0.0.1" } else { b"" };
            let key = client_keys().public;
            let expected: [&[u8]; 7] = [b"1.0", b"1", b"test", address, b"", b"CURVE", key.as_bytes()];
            assert_eq!(request, Message::from(expected));
        };
        let user = attempt(&at, server, curve_client(PushSocket::builder()), ask).await;
        assert_eq!(user.expect("let in").as_deref(), Some("anna"));

        let server = PullSocket::builder().plain_server();
        let ask = async {
            let request = reply_once(&handler, ["200", "OK", "ben", ""], &metadata).await;
            assert_eq!(request.iter().skip(5).collect::<Vec<_>>(), [&b"PLAIN"[..], b"ben", b"pw"]);
        };
        let user = attempt(&at, server, PushSocket::builder().plain_client("ben", "pw"), ask).await;
        assert_eq!(user.expect("let in").as_deref(), Some("ben"));

        let server = PullSocket::builder().zap_domain("open");
        let ask = async {
            let request = reply_once(&handler, ["200", "OK", "", ""], b"").await;
            assert_eq!(request.iter().skip(5).collect::<Vec<_>>(), [&b"NULL"[..]]);
        };
        let user = attempt(&at, server, PushSocket::builder(), ask).await;
        assert_eq!(user.expect("let in"), None);
    }

    async fn handler_may_be_router(at) {
        let _alone = ONE_AT_A_TIME.lock().await;
        let handler: RouterSocket = at.socket();
        handler.bind(ZAP).await.expect("bound");
        let ask = async {
            let request = handler.recv().await.expect("a request");
            assert_eq!(&request[1], b"");
            let reply = [&request[0], b"", b"1.0", &request[3], b"200", b"", b"", b""];
            handler.send(Message::from(reply)).await.expect("sent");
        };
        let server = curve_server(PullSocket::builder());
        attempt(&at, server, curve_client(PushSocket::builder()), ask).await.expect("let in");
    }

    async fn refusals_and_faults_of_handler_are_told_apart(at) {
        let _alone = ONE_AT_A_TIME.lock().await;
        let handler: RepSocket = at.socket();
        handler.bind(ZAP).await.expect("bound");
        let is_refusal = |status| move |reason: &DisconnectReason| {
            matches!(reason, DisconnectReason::Refused(refused) if *refused == status)
        };
        for (status, expected) in [
            ("300", RefusalStatus::Temporary),
            ("400", RefusalStatus::Denied),
            ("500", RefusalStatus::Internal),
        ] {
            let ask = async { drop(reply_once(&handler, [status, "no", "", ""], b"").await) };
            let server = curve_server(PullSocket::builder());
            let reason = attempt(&at, server, curve_client(PushSocket::builder()), ask).await.expect_err("no");
            assert!(is_refusal(expected)(&reason), "{reason:?}");
        }
        let faults: [(&[&[u8]], AuthFault); 9] = [
            (&[b"2.0", b"1", b"200", b"", b"", b""], AuthFault::Version),
            (&[b"1.0", b"2", b"200", b"", b"", b""], AuthFault::RequestId),
            (&[b"1.0", b"1", b"201", b"", b"", b""], AuthFault::Status),
            (&[b"1.0", b"1", b"", b"", b"", b""], AuthFault::Status),
            (&[b"1.0", b"1", b"200", b"", b"\xff", b""], AuthFault::Metadata),
            (&[b"1.0", b"1", b"200", b"", b"", b"\x01"], AuthFault::Metadata),
            (&[b"1.0", b"1", b"200", b"", b"", b"", b"more"], AuthFault::FrameCount(8)),
            (&[b"1.0", b"1", b"200", b"", b""], AuthFault::FrameCount(6)),
            (&[b""], AuthFault::FrameCount(2)),
        ];
        for (reply, fault) in faults {
            let ask = async {
                handler.recv().await.expect("a request");
                handler.send(reply.iter().copied().collect::<Message>()).await.expect("sent");
            };
            let server = curve_server(PullSocket::builder());
            let reason = attempt(&at, server, curve_client(PushSocket::builder()), ask).await.expect_err("no");
            let expected = ZmtpError::Unauthenticated(fault);
            assert!(matches!(&reason, DisconnectReason::Protocol(error) if *error == expected), "{reason:?}");
        }
    }

    async fn handler_that_ends_is_told_apart(at) {
        let _alone = ONE_AT_A_TIME.lock().await;
        let handler: RepSocket = at.socket();
        handler.bind(ZAP).await.expect("bound");
        let end = async {
            handler.recv().await.expect("a request");
            handler.close().await;
        };
        let server = curve_server(PullSocket::builder());
        let reason = attempt(&at, server, curve_client(PushSocket::builder()), end).await.expect_err("no");
        let expected = ZmtpError::Unauthenticated(AuthFault::HandlerGone);
        assert!(matches!(&reason, DisconnectReason::Protocol(error) if *error == expected), "{reason:?}");
    }

    async fn without_handler_mechanism_and_domain_decide(at) {
        let _alone = ONE_AT_A_TIME.lock().await;
        let null = PullSocket::builder;
        let curve = || curve_server(PullSocket::builder());
        let plain = || PullSocket::builder().plain_server();
        let clients = || {
            [
                PushSocket::builder(),
                PushSocket::builder().plain_client("anna", "s3cret"),
                curve_client(PushSocket::builder()),
            ]
        };
        for (server, client, comes_in) in [
            (null(), 0, true),
            (null().zap_domain("d"), 0, true),
            (null().zap_domain("d").zap_enforce_domain(true), 0, false),
            (null().zap_enforce_domain(true), 0, true),
            (plain(), 1, false),
            (plain().zap_domain("d"), 1, false),
            (plain().zap_domain("d").zap_enforce_domain(true), 1, false),
            (curve(), 2, true),
            (curve().zap_domain("d"), 2, true),
            (curve().zap_enforce_domain(true), 2, true),
            (curve().zap_domain("d").zap_enforce_domain(true), 2, false),
        ] {
            let text = format!("{server:?}");
            let client = clients().into_iter().nth(client).expect("a client");
            match attempt(&at, server, client, async {}).await {
                Ok(_) => assert!(comes_in, "{text}"),
                Err(reason) => {
                    assert!(!comes_in, "{text}: {reason:?}");
                    let expected = ZmtpError::Unauthenticated(AuthFault::NoHandler);
                    let is_named = matches!(&reason, DisconnectReason::Protocol(error) if *error == expected);
                    assert!(is_named, "{text}: {reason:?}");
                }
            }
        }
    }

    async fn many_are_asked_at_once(at) {
        let _alone = ONE_AT_A_TIME.lock().await;
        const PEERS: usize = 20;
        let handler: RouterSocket = at.socket();
        handler.bind(ZAP).await.expect("bound");
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder())).await;
        let mut clients = Vec::new();
        for _ in 0..PEERS {
            clients.push(at.connected(curve_client(PushSocket::builder()), &endpoint).await);
        }
        let mut requests = Vec::new();
        while requests.len() < PEERS {
            requests.push(handler.recv().await.expect("a request"));
        }
        for request in requests.iter().rev() {
            let reply = [&request[0], b"", b"1.0", &request[3], b"200", b"", b"", b""];
            handler.send(Message::from(reply)).await.expect("sent");
        }
        pull.wait_for_peers(PEERS).await.expect("open");
    }
}
