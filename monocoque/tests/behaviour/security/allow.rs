//! The ready-made authenticator, with lists of peers.

use std::fs;
use std::time::Duration;

use futures::StreamExt;
use monocoque::security::{Allow, CurveKeyPair};
use monocoque::zmq::{Builder, PullSocket, PushSocket};
use monocoque::{DisconnectReason, SocketEvent};
use testing::{At, Transport, eventually, over_streams};

use super::{client_keys, curve_client, curve_server, server_keys};

/// Returns the user id of a client that comes in; `None` if it is refused.
async fn user_of(at: &At, server: Builder<PullSocket>, client: Builder<PushSocket>) -> Option<String> {
    let (pull, endpoint) = at.bound(server).await;
    let push = at.build(client);
    let mut monitor = push.monitor();
    push.connect(endpoint).await.expect("connected");
    loop {
        match monitor.next().await.expect("an event") {
            SocketEvent::HandshakeSucceeded { .. } => break,
            SocketEvent::HandshakeFailed { reason, .. } => {
                assert!(matches!(reason, DisconnectReason::Denied(400)), "{reason:?}");
                return None;
            }
            _ => {}
        }
    }
    push.send("hello").await.expect("sent");
    let (_, peer) = pull.recv_with_peer().await.expect("received");
    Some(peer.user_id().unwrap_or_default().to_owned())
}

over_streams! {
    async fn only_listed_keys_come_in(at) {
        let key = client_keys().public;
        for (allow, user) in [
            (Allow::new(), None),
            (Allow::new().keys([server_keys().public]), None),
            (Allow::new().keys([server_keys().public, key]), Some(key.to_string())),
            (Allow::new().any_key(), Some(key.to_string())),
            (Allow::new().passwords([("anna", "s3cret")]).anonymous(), None),
        ] {
            let server = curve_server(PullSocket::builder()).authenticator(allow);
            assert_eq!(user_of(&at, server, curve_client(PushSocket::builder())).await, user);
        }
    }

    async fn only_listed_passwords_come_in(at) {
        let server = || {
            let allow = Allow::new().passwords([("anna", "s3cret"), ("ben", "")]);
            PullSocket::builder().plain_server().authenticator(allow)
        };
        for (username, password, comes_in) in [
            ("anna", "s3cret", true),
            ("ben", "", true),
            ("anna", "", false),
            ("anna", "s3cre", false),
            ("ben", "s3cret", false),
            ("\u{e9}", "", false),
            ("", "", false),
            ("carl", "", false),
        ] {
            let client = PushSocket::builder().plain_client(username, password);
            let user = comes_in.then(|| username.to_owned());
            assert_eq!(user_of(&at, server(), client).await, user, "{username}:{password}");
        }
    }

    async fn user_without_text_name_has_no_id(at) {
        for name in [b"\xfe", b"\xff"] {
            let allow = Allow::new().passwords([(b"\xfe", ""), (b"\xff", "")]);
            let server = PullSocket::builder().plain_server().authenticator(allow);
            let user = user_of(&at, server, PushSocket::builder().plain_client(name, "")).await;
            assert_eq!(user.as_deref(), Some(""));
        }
    }

    async fn addresses_are_networks(at) {
        let is_tcp = at.transport == Transport::Tcp;
        let allow = || Allow::new().anonymous();
        for (allow, comes_in) in [
            (Ok(allow()), true),
            (allow().addresses(["127.0.0.1"]), is_tcp),
            (allow().addresses(["10.0.0.0/8", "127.0.0.0/8"]), is_tcp),
            (allow().addresses(["10.0.0.0/8"]), false),
            (allow().addresses::<&str>([]), false),
            (allow().deny_addresses(["10.0.0.0/8"]), true),
            (allow().deny_addresses(["127.0.0.0/8"]), !is_tcp),
            (allow().deny_addresses(["::ffff:127.0.0.1"]), !is_tcp),
            (allow().deny_addresses(["::ffff:127.0.0.0/104"]), !is_tcp),
            (allow().deny_addresses(["::ffff:0:0/95"]), !is_tcp),
            (allow().deny_addresses(["::/0"]), !is_tcp),
            (allow().addresses(["::/0"]), is_tcp),
            (allow().addresses(["::ffff:127.0.0.0/104"]), is_tcp),
            (allow().addresses(["127.0.0.0/8"]).and_then(|allow| allow.deny_addresses(["127.0.0.1"])), false),
        ] {
            let server = PullSocket::builder().authenticator(allow.expect("addresses"));
            let user = user_of(&at, server, PushSocket::builder()).await;
            assert_eq!(user.is_some(), comes_in);
        }
    }

    async fn key_directory_is_read_again(at) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_owned();
        let comes_in = async |keys: &CurveKeyPair| {
            let server = curve_server(PullSocket::builder()).authenticator(Allow::new().key_directory(&path));
            let client = PushSocket::builder().curve_client(keys, server_keys().public);
            user_of(&at, server, client).await
        };
        let keys = client_keys();
        assert_eq!(comes_in(&keys).await, None);
        fs::write(path.join("anna.pub"), format!("{}\nmade for a test\n", keys.public)).expect("written");
        assert_eq!(comes_in(&keys).await.as_deref(), Some("anna"));
        fs::write(path.join("noise.pub"), "no key").expect("written");
        fs::write(path.join("ben.txt"), server_keys().public.to_string()).expect("written");
        assert_eq!(comes_in(&server_keys()).await, None, "only files that end with .pub");
        fs::rename(path.join("anna.pub"), path.join("ben.pub")).expect("renamed");
        assert_eq!(comes_in(&keys).await.as_deref(), Some("ben"));
        fs::write(path.join("ben.pub"), format!("{}\n\n", server_keys().public)).expect("written");
        assert_eq!(comes_in(&keys).await, None);
    }

    async fn peers_wait_for_directory(at) {
        let directory = tempfile::tempdir().expect("a directory");
        let missing = directory.path().join("keys");
        let allow = Allow::new().key_directory(&missing);
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder()).authenticator(allow)).await;
        let client = curve_client(PushSocket::builder()).reconnect_interval(Duration::from_millis(1));
        let push = at.connected(client, &endpoint).await;
        eventually("a refusal", || pull.stats().auth_failures > 0).await;
        fs::create_dir(&missing).expect("created");
        fs::write(missing.join("anna.pub"), client_keys().public.to_string()).expect("written");
        push.wait_for_peers(1).await.expect("open");
    }

    async fn one_directory_follows_changes(at) {
        let directory = tempfile::tempdir().expect("a directory");
        let allow = Allow::new().key_directory(directory.path());
        let keys = client_keys();
        for is_listed in [false, true, false, true] {
            let file = directory.path().join("anna.pub");
            if is_listed {
                fs::write(file, keys.public.to_string()).expect("written");
            } else {
                let _missing = fs::remove_file(file);
            }
            let server = curve_server(PullSocket::builder()).authenticator(allow.clone());
            let user = user_of(&at, server, curve_client(PushSocket::builder())).await;
            assert_eq!(user.is_some(), is_listed);
        }
    }
}

#[test]
fn invalid_addresses_are_named() {
    for text in ["", "localhost", "10.0.0.0/33", "10.0.0.256", "10.0.0.0/8 "] {
        let error = Allow::new().addresses([text]).expect_err(text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}
