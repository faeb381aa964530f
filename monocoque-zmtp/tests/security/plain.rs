//! PLAIN.

use std::time::Instant;

use monocoque_zmtp::{
    AuthReply, CommandKind, ConfigError, Credentials, Incompatible, Malformed, MechanismConfig,
    MechanismName, Misbehaved, RefusalStatus, SocketType, ZmtpError, ZmtpSession,
};
use testing::for_each_chunk_size;
use testing::session::{Inbound, Pair, TestPeer};

use crate::common::{config, plain_client};

const GREETING: &[u8; 64] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const HELLO: &[u8] = b"\x04\x0a\x05HELLO\x01u\x01p";
const WELCOME: &[u8] = b"\x04\x08\x07WELCOME";
const INITIATE: &[u8] = b"\x04\x2c\x08INITIATE\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0";
const READY: &[u8] = b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";

fn server() -> TestPeer {
    TestPeer::new(config(SocketType::Router, MechanismConfig::PlainServer), Instant::now())
}

fn client() -> TestPeer {
    TestPeer::new(config(SocketType::Dealer, plain_client("u", "p")), Instant::now())
}

for_each_chunk_size! {
    fn server_follows_golden_transcript(chunk_len) {
        let mut server = server();
        let greeting = server.written();
        assert_eq!((&greeting[12..17], greeting[32]), (&b"PLAIN"[..], 1));
        server.feed(GREETING, chunk_len);
        server.feed(HELLO, chunk_len);
        match &server.question().expect("asked").credentials {
            Credentials::Plain { username, password } => {
                assert_eq!(username, "u");
                assert!(password.matches(b"p"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(server.written(), b"");
        server.answer(AuthReply::allow_user("u"));
        assert_eq!(server.written(), WELCOME);
        server.feed(INITIATE, chunk_len);
        assert_eq!(server.written(), READY);
        assert_eq!(server.peer.as_ref().expect("a peer").admission.user_id, "u");
        server.feed(b"\x00\x05HELLO", chunk_len);
        assert_eq!(server.recv(), [Inbound::Message("HELLO".into())]);
    }

    fn client_follows_golden_transcript(chunk_len) {
        let mut client = client();
        assert_eq!(client.written()[32], 0);
        client.feed(GREETING, chunk_len);
        assert_eq!(client.written(), HELLO);
        client.feed(WELCOME, chunk_len);
        assert_eq!(client.written(), INITIATE);
        client.feed(READY, chunk_len);
        assert!(client.is_ready());
    }
}

#[test]
fn refused_client_gets_status() {
    let mut pair = Pair::new(
        config(SocketType::Dealer, plain_client("u", "wrong")),
        config(SocketType::Router, MechanismConfig::PlainServer),
        7,
    );
    pair.drive();
    pair.server.answer(AuthReply::deny());
    let error = pair.server.written();
    assert_eq!(error, b"\x04\x09^RROR\x03400", "the form of libzmq");
    pair.client.feed(&error, 1);
    assert_eq!(pair.server.error(), Some(&ZmtpError::Refused(RefusalStatus::Denied)));
    match pair.client.error() {
        Some(ZmtpError::PeerError(reason)) => assert_eq!(reason.status(), Some(400)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn error_of_rfc_is_understood() {
    let mut client = client();
    client.feed(GREETING, 64);
    client.feed(b"\x04\x0a\x05ERROR\x03400", 7);
    assert!(matches!(client.error(), Some(ZmtpError::PeerError(_))));
}

#[test]
fn incompatible_client_gets_error_before_ready() {
    let mut pair = Pair::new(
        config(SocketType::Push, plain_client("u", "p")),
        config(SocketType::Router, MechanismConfig::PlainServer),
        7,
    );
    pair.drive();
    pair.server.answer(AuthReply::allow());
    pair.drive();
    assert!(matches!(pair.server.error(), Some(ZmtpError::Incompatible(Incompatible::SocketType { .. }))));
    assert!(matches!(pair.client.error(), Some(ZmtpError::PeerError(_))));
}

#[test]
fn two_peers_of_one_role_fail() {
    let [a, b] = [SocketType::Dealer, SocketType::Router]
        .map(|socket_type| config(socket_type, plain_client("u", "p")));
    let mut clients = Pair::new(a, b, 7);
    clients.drive();
    let unexpected = ZmtpError::from(Misbehaved::UnexpectedCommand(CommandKind::Hello));
    assert_eq!(clients.client.error(), Some(&unexpected));
    let [a, b] = [SocketType::Dealer, SocketType::Router]
        .map(|socket_type| config(socket_type, MechanismConfig::PlainServer));
    let mut servers = Pair::new(a, b, 7);
    servers.drive();
    let both = ZmtpError::from(Incompatible::BothServers { mechanism: MechanismName::PLAIN });
    assert_eq!([servers.client.error(), servers.server.error()], [Some(&both); 2]);
}

#[test]
fn malformed_hello_is_rejected() {
    for body in [
        &b""[..],
        b"\x01",
        b"\x01u",
        b"\x01u\x01",
        b"\x01u\x01pp",
        b"\x02u\x01p",
        b"\xffu\x01p",
        b"\x01u\x00p",
    ] {
        let mut server = server();
        server.feed(GREETING, 64);
        server.feed(&command(b"\x05HELLO", body), 64);
        assert_eq!(server.error(), Some(&Malformed::Form(CommandKind::Hello).into()), "{body:?}");
    }
    let mut server = server();
    server.feed(GREETING, 64);
    server.feed(&command(b"\x05HELLO", b"\0\0"), 64);
    assert!(server.question().is_some(), "empty ones are legal");
}

#[test]
fn commands_out_of_order_are_rejected() {
    let unexpected = |kind| ZmtpError::from(Misbehaved::UnexpectedCommand(kind));
    for (commands, kind) in [
        (&[INITIATE][..], CommandKind::Initiate),
        (&[WELCOME], CommandKind::Welcome),
        (&[READY], CommandKind::Ready),
        (&[b"\x04\x07\x04PING\0\0"], CommandKind::Ping),
    ] {
        let mut server = server();
        server.feed(GREETING, 64);
        commands.iter().for_each(|command| server.feed(command, 64));
        assert_eq!(server.error(), Some(&unexpected(kind)));
    }
    for (commands, kind) in [
        (&[READY][..], CommandKind::Ready),
        (&[HELLO], CommandKind::Hello),
        (&[WELCOME, WELCOME], CommandKind::Welcome),
    ] {
        let mut client = client();
        client.feed(GREETING, 64);
        commands.iter().for_each(|command| client.feed(command, 64));
        assert_eq!(client.error(), Some(&unexpected(kind)));
    }
    let mut client = client();
    client.feed(GREETING, 64);
    client.feed(b"\x04\x09\x07WELCOME\0", 64);
    assert_eq!(client.error(), Some(&Malformed::Form(CommandKind::Welcome).into()));
}

#[test]
fn long_credentials_are_rejected() {
    let long: &'static str = "x".repeat(256).leak();
    for mechanism in [plain_client(long, "p"), plain_client("u", long)] {
        let error = ZmtpSession::new(config(SocketType::Dealer, mechanism)).err();
        assert_eq!(error, Some(ConfigError::CredentialsTooLong(256)));
    }
}

fn command(name: &[u8], body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len() + body.len()).expect("short");
    [&[4, len][..], name, body].concat()
}
