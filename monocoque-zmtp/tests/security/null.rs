//! NULL with a question to the application.

use std::time::Instant;

use monocoque_zmtp::{
    Admission, AuthReply, Credentials, RefusalStatus, SessionConfig, SocketType, ZmtpError,
};
use testing::session::{Pair, TestPeer, greeting, ready};

fn asking(socket_type: SocketType) -> SessionConfig {
    SessionConfig { authenticates: true, ..SessionConfig::new(socket_type) }
}

#[test]
fn question_comes_before_own_ready() {
    let mut server = TestPeer::new(asking(SocketType::Router), Instant::now());
    server.written();
    server.feed(&greeting(1), 7);
    assert!(matches!(server.question().expect("asked").credentials, Credentials::Null));
    assert_eq!(server.written(), b"", "no READY before the answer");
    // The peer does not wait.
    server.feed(&ready(SocketType::Dealer), 7);
    let admission = Admission { user_id: "anna".into(), ..Admission::default() };
    server.answer(AuthReply::Allow(admission.clone()));
    assert!(server.is_ready());
    assert_eq!(*server.peer.as_ref().expect("a peer").admission, admission);
    assert_eq!(server.written(), ready(SocketType::Router));
}

#[test]
fn both_sides_may_ask() {
    let mut pair = Pair::new(asking(SocketType::Dealer), asking(SocketType::Router), 7);
    pair.drive();
    for end in [&mut pair.client, &mut pair.server] {
        end.answer(AuthReply::allow());
    }
    pair.handshake();
}

#[test]
fn refused_peer_gets_error() {
    for (status, error) in [
        (RefusalStatus::Denied, &b"\x04\x0a\x05ERROR\x03400"[..]),
        (RefusalStatus::Internal, b"\x04\x0a\x05ERROR\x03500"),
        (RefusalStatus::Temporary, b""),
    ] {
        let mut server = TestPeer::new(asking(SocketType::Router), Instant::now());
        server.written();
        server.feed(&greeting(1), 64);
        server.answer(AuthReply::Refuse(status));
        assert_eq!(server.error(), Some(&ZmtpError::Refused(status)));
        assert_eq!(server.written(), error);
    }
}
