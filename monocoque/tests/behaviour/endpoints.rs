//! Binding and connecting: in any order, any number of times, and again.

use std::collections::BTreeSet;

use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use monocoque::{Endpoint, MonocoqueError};
use testing::{Transport, everywhere, numbered, over_streams, rebind};

everywhere! {
    async fn connect_before_bind_delivers(at) {
        let endpoint = at.unused_endpoint("later");
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for n in 0..10 {
            push.send(numbered(n)).await.expect("queued");
        }
        let pull = at.build(PullSocket::builder());
        rebind(&pull, &endpoint).await;
        for n in 0..10 {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    }

    async fn one_socket_binds_and_connects(at) {
        let middle = at.socket::<DealerSocket>();
        let mut around = Vec::new();
        for n in 0..8 {
            let endpoint = if n % 2 == 0 {
                let endpoint = middle.bind(at.wildcard_endpoint()).await.expect("bound");
                around.push(at.connected(DealerSocket::builder(), &endpoint).await);
                endpoint
            } else {
                let (peer, endpoint) = at.bound(DealerSocket::builder()).await;
                middle.connect(endpoint.clone()).await.expect("connected");
                around.push(peer);
                endpoint
            };
            assert_eq!(middle.last_endpoint(), Some(endpoint));
        }
        middle.wait_for_peers(8).await.expect("open");
        for (n, peer) in around.iter().enumerate() {
            peer.send(numbered(n)).await.expect("sent");
            middle.send("to one of them").await.expect("sent");
        }
        let mut senders = BTreeSet::new();
        for peer in &around {
            assert_eq!(&peer.recv().await.expect("one each")[0], b"to one of them");
            senders.insert(middle.recv().await.expect("from each")[0].to_vec());
        }
        assert_eq!(senders.len(), 8);
    }

    async fn second_dealer_connect_is_ignored(at) {
        let (dealer, endpoint) = at.bound(DealerSocket::builder()).await;
        let twice = at.connected(DealerSocket::builder(), &endpoint).await;
        twice.connect(endpoint.clone()).await.expect("ignored");
        let (pull, other) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &other).await;
        push.connect(other).await.expect("a second one");
        pull.wait_for_peers(2).await.expect("open");
        dealer.wait_for_peers(1).await.expect("open");
        dealer.send("x").await.expect("sent");
        assert_eq!(twice.recv().await.expect("received"), "x");
        assert_eq!(dealer.peer_count(), 1);
    }

    async fn close_frees_endpoint(at) {
        let endpoint = at.unused_endpoint("again");
        for n in 0..20 {
            let pull = at.build(PullSocket::builder());
            rebind(&pull, &endpoint).await;
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            push.send(numbered(n)).await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
            push.close().await;
            pull.close().await;
        }
    }

    async fn unbind_frees_endpoint(at) {
        let endpoint = at.unused_endpoint("unbound");
        let pull = at.build(PullSocket::builder());
        rebind(&pull, &endpoint).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        pull.unbind(endpoint.clone()).await.expect("it was bound");
        assert!(matches!(pull.unbind(endpoint.clone()).await, Err(MonocoqueError::UnknownEndpoint(_))));
        testing::eventually("the connections have ended", || pull.peer_count() == 0).await;
        let other = at.build(PullSocket::builder());
        testing::eventually_async("the endpoint is free", async || other.bind(endpoint.clone()).await.is_ok()).await;
        push.send("moved").await.expect("sent");
        assert_eq!(&other.recv().await.expect("received")[0], b"moved");
    }

    async fn disconnected_peer_receives_nothing(at) {
        let (left, left_at) = at.bound(PullSocket::builder()).await;
        let (kept, kept_at) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &left_at).await;
        push.connect(kept_at).await.expect("connected");
        push.wait_for_peers(2).await.expect("open");
        push.disconnect(left_at.clone()).await.expect("it was connected");
        assert!(matches!(push.disconnect(left_at).await, Err(MonocoqueError::UnknownEndpoint(_))));
        for n in 0..100 {
            push.send(numbered(n)).await.expect("sent");
        }
        for n in 0..100 {
            assert_eq!(kept.recv().await.expect("received"), numbered(n));
        }
        testing::eventually("the peer has disconnected", || left.peer_count() == 0).await;
        assert!(left.try_recv().is_err());
    }
}

over_streams! {
    async fn bind_returns_resolved_endpoint(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        assert_ne!(endpoint, at.wildcard_endpoint());
        assert_eq!(pull.last_endpoint(), Some(endpoint.clone()));
        assert_eq!(endpoint.to_string().parse::<Endpoint>().as_ref(), Ok(&endpoint));
        if at.transport == Transport::Tcp {
            assert!(!endpoint.to_string().ends_with(":0"), "{endpoint}");
        }
        let push = at.socket::<PushSocket>();
        assert!(push.connect(at.wildcard_endpoint()).await.is_err(), "a wildcard cannot be connected to");
        assert!(matches!(push.bind(endpoint.clone()).await, Err(MonocoqueError::Io { .. })), "in use");
        push.connect(endpoint.to_string().as_str()).await.expect("as text");
        push.send("found").await.expect("sent");
        assert_eq!(&pull.recv().await.expect("received")[0], b"found");
    }
}

/// The parts of endpoints and errors are nameable from a program.
#[test]
fn public_parts_are_nameable() {
    use monocoque::transport::InterfaceNameError;
    use monocoque::zmq::{Malformed, Misbehaved, ZmtpError};
    use monocoque::{Host, HostName, InprocName, IpcAddress, Source};

    fn host(endpoint: &Endpoint) -> Option<(&Host, Option<&Source>)> {
        match endpoint {
            Endpoint::Tcp { host, source, .. } => Some((host, source.as_ref())),
            Endpoint::Ipc(IpcAddress { .. }) | Endpoint::Inproc(InprocName { .. }) => None,
            _ => None,
        }
    }

    let endpoint: Endpoint = "tcp://example.org:1".parse().expect("an endpoint");
    let (host, source) = host(&endpoint).expect("over tcp");
    assert!(matches!(host, Host::Name(HostName { .. })) && source.is_none());
    let error = ZmtpError::from(Misbehaved::MessageInHandshake);
    assert!(!matches!(error, ZmtpError::Malformed(Malformed::FrameLength(_))));
    assert_eq!(size_of::<InterfaceNameError>(), 0);
}
