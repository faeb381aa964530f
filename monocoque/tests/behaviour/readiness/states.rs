//! The events of each socket type, in each of its states.

use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    StreamSocket, SubSocket, XpubSocket, XsubSocket,
};
use monocoque::{Events, Message, MonocoqueError};
use testing::{RawPeer, everywhere, fill, numbered, on_blocking_thread, over_streams};

use super::{events, expect_events};

fn large(n: usize) -> Message {
    Message::from(vec![n as u8; 100_000])
}

async fn expect_closed<S: Socket>(socket: &S) {
    assert!(socket.events().is_ok());
    socket.close().await;
    assert!(matches!(socket.events(), Err(MonocoqueError::Closed)), "{socket:?}");
    assert!(matches!(socket.readable().await, Err(MonocoqueError::Closed)), "{socket:?}");
    assert!(matches!(socket.writable().await, Err(MonocoqueError::Closed)), "{socket:?}");
}

everywhere! {
    async fn push_pull_events_follow_queues(at) {
        let push = at.build(PushSocket::builder().send_hwm(2));
        assert_eq!(events(&push), Events::NONE, "there is no endpoint to send to");
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(2)).await;
        assert_eq!(events(&pull), Events::NONE);
        push.connect(endpoint).await.expect("connected");
        assert_eq!(events(&push), Events::WRITABLE);
        push.wait_for_peers(1).await.expect("open");
        assert_eq!(events(&push), Events::WRITABLE);
        let sent = fill(&push, large).await;
        assert_eq!(events(&push), Events::NONE);
        expect_events(&pull, Events::READABLE).await;
        for n in 0..sent {
            pull.readable().await.expect("open");
            assert_eq!(pull.try_recv().expect("received"), large(n));
        }
        expect_events(&push, Events::WRITABLE).await;
        expect_events(&pull, Events::NONE).await;
    }

    async fn early_messages_end_writability(at) {
        let push = at.build(PushSocket::builder().send_hwm(2));
        let endpoint = at.unused_endpoint("later");
        push.connect(endpoint.clone()).await.expect("connected");
        for n in 0..2 {
            assert_eq!(events(&push), Events::WRITABLE);
            push.try_send(numbered(n)).expect("queued");
        }
        assert_eq!(events(&push), Events::NONE);
        assert!(push.try_send("no room").expect_err("full").is_would_block());
        let pull: PullSocket = at.socket();
        pull.bind(endpoint).await.expect("bound");
        push.writable().await.expect("open");
        for n in 0..2 {
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
    }

    async fn dealer_router_events_follow_messages(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        assert_eq!(events(&router), Events::WRITABLE);
        expect_events(&dealer, Events::WRITABLE).await;
        dealer.send("hello").await.expect("sent");
        expect_events(&router, Events::ALL).await;
        let (id, _hello) = router.try_recv_from().expect("received");
        assert_eq!(events(&router), Events::WRITABLE);
        router.send_to(&id, "world").await.expect("sent");
        expect_events(&dealer, Events::ALL).await;
        dealer.try_recv().expect("received");
        assert_eq!(events(&dealer), Events::WRITABLE);
    }

    async fn mandatory_router_needs_peer_with_room(at) {
        let builder = RouterSocket::builder().router_mandatory(true).send_hwm(2);
        let (router, endpoint) = at.bound(builder).await;
        assert_eq!(events(&router), Events::NONE);
        let dealer = at.connected(DealerSocket::builder().routing_id("d").recv_hwm(1), &endpoint).await;
        router.writable().await.expect("open");
        let sent = fill(&router, |n| { let mut message = large(n); message.push_front("d"); message }).await;
        assert_eq!(events(&router), Events::NONE);
        for n in 0..sent {
            assert_eq!(dealer.recv().await.expect("received"), large(n));
        }
        expect_events(&router, Events::WRITABLE).await;
    }

    async fn req_rep_events_follow_dialogue(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &endpoint).await;
        let other = at.connected(ReqSocket::builder(), &endpoint).await;
        for n in 0..3 {
            expect_events(&req, Events::WRITABLE).await;
            assert_eq!(events(&rep), Events::NONE);
            req.send(numbered(n)).await.expect("sent");
            assert_eq!(events(&req), Events::NONE);
            expect_events(&rep, Events::READABLE).await;
            rep.try_recv().expect("received");
            assert_eq!(events(&rep), Events::WRITABLE);
            other.send("meanwhile").await.expect("sent");
            testing::pass_time(&at).await;
            assert_eq!(events(&rep), Events::WRITABLE, "the second request has to wait");
            rep.try_send("reply").expect("sent");
            expect_events(&rep, Events::READABLE).await;
            expect_events(&req, Events::READABLE).await;
            req.try_recv().expect("received");
            assert_eq!(events(&req), Events::WRITABLE);
            rep.try_recv().expect("received");
            rep.try_send("reply").expect("sent");
            other.recv().await.expect("received");
        }
    }

    async fn filtered_messages_are_not_readable(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().invert_matching(true)).await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        assert_eq!((events(&publisher), events(&sub)), (Events::WRITABLE, Events::NONE));
        // The publisher sends what does not match, and the subscriber drops it.
        sub.subscribe("a").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        for n in 0..3 {
            publisher.send(["b".to_owned(), n.to_string()]).await.expect("sent");
        }
        testing::eventually("all have arrived", || {
            assert_eq!(events(&sub), Events::NONE);
            sub.stats().discarded == 3
        })
        .await;
    }

    async fn subscribed_messages_are_readable(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        sub.subscribe("a").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("b").await.expect("sent");
        publisher.send("a").await.expect("sent");
        expect_events(&sub, Events::READABLE).await;
        assert_eq!(sub.try_recv().expect("received"), "a");
        assert_eq!(events(&sub), Events::NONE);
    }

    async fn xpub_reports_are_readable(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let xsub = at.connected(XsubSocket::builder(), &endpoint).await;
        assert_eq!((events(&xpub), events(&xsub)), (Events::WRITABLE, Events::WRITABLE));
        xsub.try_send(b"\x01t").expect("sent");
        expect_events(&xpub, Events::ALL).await;
        assert_eq!(xpub.try_recv().expect("received"), b"\x01t");
        assert_eq!(events(&xpub), Events::WRITABLE);
        let other = at.connected(SubSocket::builder(), &endpoint).await;
        other.subscribe("t").expect("open");
        testing::pass_time(&at).await;
        assert_eq!(events(&xpub), Events::WRITABLE, "the topic is known");
        xpub.send("t").await.expect("sent");
        expect_events(&xsub, Events::ALL).await;
    }

    async fn nodrop_publisher_needs_room_for_all(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true).send_hwm(2)).await;
        let sub = at.connected(SubSocket::builder().recv_hwm(1), &endpoint).await;
        sub.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        assert_eq!(events(&publisher), Events::WRITABLE);
        let sent = fill(&publisher, large).await;
        assert_eq!(events(&publisher), Events::NONE);
        for n in 0..sent {
            assert_eq!(sub.recv().await.expect("received"), large(n));
        }
        expect_events(&publisher, Events::WRITABLE).await;
    }

    async fn pair_events_need_its_peer(at) {
        let (one, endpoint) = at.bound(PairSocket::builder()).await;
        assert_eq!(events(&one), Events::NONE);
        let other = at.connected(PairSocket::builder(), &endpoint).await;
        one.writable().await.expect("open");
        other.send("hello").await.expect("sent");
        expect_events(&one, Events::ALL).await;
        one.try_recv().expect("received");
        assert_eq!(events(&one), Events::WRITABLE);
        other.close().await;
        expect_events(&one, Events::NONE).await;
    }

    async fn closed_sockets_fail_readiness(at) {
        expect_closed(&at.socket::<DealerSocket>()).await;
        expect_closed(&at.socket::<RouterSocket>()).await;
        expect_closed(&at.socket::<ReqSocket>()).await;
        expect_closed(&at.socket::<RepSocket>()).await;
        expect_closed(&at.socket::<PubSocket>()).await;
        expect_closed(&at.socket::<SubSocket>()).await;
        expect_closed(&at.socket::<XpubSocket>()).await;
        expect_closed(&at.socket::<XsubSocket>()).await;
        expect_closed(&at.socket::<PushSocket>()).await;
        expect_closed(&at.socket::<PullSocket>()).await;
        expect_closed(&at.socket::<PairSocket>()).await;
        expect_closed(&at.socket::<StreamSocket>()).await;
    }

    async fn waiting_sender_has_the_room(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let sent = fill(&push, large).await;
        let waiting = push.send("first in turn");
        let mut waiting = Box::pin(waiting);
        assert!(testing::at_once(waiting.as_mut()).is_none());
        for n in 0..sent {
            assert_eq!(pull.recv().await.expect("received"), large(n));
        }
        testing::pass_time(&at).await;
        assert_eq!(events(&push), Events::NONE, "the room is for the one that waits");
        waiting.await.expect("sent");
        expect_events(&push, Events::WRITABLE).await;
    }
}

over_streams! {
    async fn stream_events_follow_bytes(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder().send_hwm(2)).await;
        assert_eq!(events(&stream), Events::WRITABLE);
        let peer = on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        expect_events(&stream, Events::ALL).await;
        let (id, notice) = stream.try_recv_from().expect("received");
        assert_eq!(notice, "");
        assert_eq!(events(&stream), Events::WRITABLE);
        let sent = fill(&stream, |n| { let mut message = large(n); message.push_front(id.clone()); message });
        assert!(sent.await > 0);
        assert_eq!(events(&stream), Events::NONE, "its only peer is full");
        drop(peer);
        expect_events(&stream, Events::ALL).await;
    }
}
