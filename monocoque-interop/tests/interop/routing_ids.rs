//! Sockets that assign routing ids, and notifications of connecting peers. No released libzmq has
//! `ZMQ_ROUTER_NOTIFY`, which belongs to its draft interface: the tests compare with the
//! connections of its peers.

use monocoque::RouterNotify;
use monocoque::zmq::{DealerSocket, RouterSocket};

use crate::pyzmq::Peer;
use crate::support::{
    Case, Frames, LIMIT, close, echo, eventually, libzmq, libzmq_named, libzmq_recv, libzmq_send, on_thread,
    recv, send, shapes, within,
};

everywhere! {
    router_notify_reports_libzmq_dealer,
    router_notify_reports_libzmq_router,
}

with_pyzmq! {
    everywhere:
    router_notify_reports_pyzmq_dealer,
}

connect_only! {
    libzmq_peers_get_assigned_names,
    restarted_libzmq_keeps_assigned_name,
    lost_libzmq_router_triggers_hiccup,
}

bind_only! {
    hello_and_disconnect_enclose_messages,
}

with_pyzmq! {
    bind_only:
    libzmq_router_assigns_our_name,
}

fn notifying_router(case: &Case) -> RouterSocket {
    let events = [RouterNotify::Connect, RouterNotify::Disconnect];
    RouterSocket::builder().router_notify(events).build_in(&case.context).unwrap()
}

async fn router_notify_reports_libzmq_dealer(case: &Case) {
    let (router, dealer) = (notifying_router(case), libzmq_named(zmq::DEALER, "theirs"));
    case.join(&router, [&dealer]).await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b""]);
    send(&router, ["theirs", "welcome"]).await;
    let theirs = on_thread(move || {
        assert_eq!(libzmq_recv(&dealer), [b"welcome"]);
        for n in 0..100 {
            libzmq_send(&dealer, &[n.to_string()]);
        }
    });
    for n in 0..100 {
        assert_eq!(recv(&router).await, [b"theirs".to_vec(), n.to_string().into_bytes()]);
    }
    theirs.await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b""]);
    close(router).await;
}

async fn router_notify_reports_libzmq_router(case: &Case) {
    let router = RouterSocket::builder()
        .routing_id("ours")
        .router_notify([RouterNotify::Connect])
        .build_in(&case.context)
        .unwrap();
    let theirs = libzmq(zmq::ROUTER);
    theirs.set_identity(b"theirs").unwrap();
    case.join(&router, [&theirs]).await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b""]);
    send(&router, ["theirs", "hello"]).await;
    let answer = on_thread(move || {
        assert_eq!(libzmq_recv(&theirs), [&b"ours"[..], b"hello"]);
        libzmq_send(&theirs, &["ours", "hello"]);
        theirs
    });
    assert_eq!(recv(&router).await, [&b"theirs"[..], b"hello"]);
    answer.await;
    close(router).await;
}

async fn router_notify_reports_pyzmq_dealer(case: &Case) {
    let router = notifying_router(case);
    let peer = Peer::join(case, &router, "DEALER", "ask").await;
    let notice = recv(&router).await;
    assert_eq!((notice.len(), notice[0].len(), notice[1].len()), (2, 5, 0));
    for _ in shapes() {
        let question: Frames = recv(&router).await;
        assert_eq!(question[0], notice[0]);
        send(&router, question).await;
    }
    within(LIMIT, "the end of the peer", peer.done()).await;
    assert_eq!(recv(&router).await, notice);
    close(router).await;
}

async fn libzmq_peers_get_assigned_names(case: &Case) {
    let (dealer, other) = (libzmq_named(zmq::DEALER, "their own"), libzmq_named(zmq::ROUTER, "their own"));
    let router = RouterSocket::builder().routing_id("we").build_in(&case.context).unwrap();
    for (theirs, name) in [(&dealer, "dealer"), (&other, "router")] {
        theirs.bind(&case.wildcard()).unwrap();
        let endpoint = theirs.get_last_endpoint().unwrap().unwrap();
        router.connect_as(endpoint, name).await.unwrap();
        send(&router, [name, "before the handshake"]).await;
    }
    let theirs = on_thread(move || {
        assert_eq!(libzmq_recv(&dealer), [b"before the handshake"]);
        assert_eq!(libzmq_recv(&other), [&b"we"[..], b"before the handshake"]);
        libzmq_send(&dealer, &["up"]);
        libzmq_send(&other, &["we", "up"]);
        (dealer, other)
    });
    let mut heard = [recv(&router).await, recv(&router).await];
    heard.sort();
    assert_eq!(heard, [[&b"dealer"[..], b"up"], [b"router", b"up"]]);
    theirs.await;
    close(router).await;
}

async fn restarted_libzmq_keeps_assigned_name(case: &Case) {
    let router = RouterSocket::builder().router_mandatory(true).build_in(&case.context).unwrap();
    let first = libzmq(zmq::DEALER);
    first.bind(&case.wildcard()).unwrap();
    let endpoint = first.get_last_endpoint().unwrap().unwrap();
    router.connect_as(&*endpoint, "name").await.unwrap();
    send(&router, ["name", "first"]).await;
    on_thread(move || assert_eq!(libzmq_recv(&first), [b"first"])).await;
    eventually("the connection is lost", || router.peer_count() == 0).await;
    send(&router, ["name", "second"]).await;
    let second = on_thread(move || {
        let second = libzmq(zmq::DEALER);
        // The address is free once the previous socket is closed.
        while second.bind(&endpoint).is_err() {}
        assert_eq!(libzmq_recv(&second), [b"second"]);
        second
    });
    drop(second.await);
    close(router).await;
}

async fn libzmq_router_assigns_our_name(case: &Case) {
    let dealer = DealerSocket::builder().routing_id("our own").build_in(&case.context).unwrap();
    let peer = Peer::join(case, &dealer, "ROUTER", "name").await;
    echo(&dealer, shapes().len()).await;
    peer.done().await;
    close(dealer).await;
}

async fn hello_and_disconnect_enclose_messages(case: &Case) {
    let router = RouterSocket::builder().hello_msg("hello").disconnect_msg("gone");
    let router = router.build_in(&case.context).unwrap();
    let dealer = libzmq_named(zmq::DEALER, "theirs");
    case.join(&router, [&dealer]).await;
    on_thread(move || {
        assert_eq!(libzmq_recv(&dealer), [b"hello"]);
        libzmq_send(&dealer, &["more"]);
    })
    .await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b"more"]);
    assert_eq!(recv(&router).await, [&b"theirs"[..], b"gone"]);
    close(router).await;
}

async fn lost_libzmq_router_triggers_hiccup(case: &Case) {
    let dealer = DealerSocket::builder().hello_msg("hello").hiccup_msg("lost");
    let dealer = dealer.build_in(&case.context).unwrap();
    let router = libzmq(zmq::ROUTER);
    case.join(&dealer, [&router]).await;
    on_thread(move || {
        let hello = libzmq_recv(&router);
        assert_eq!(hello[1], b"hello");
        router.send_multipart([&hello[0][..], b"more"], 0).unwrap();
    })
    .await;
    assert_eq!(recv(&dealer).await, [b"more"]);
    assert_eq!(recv(&dealer).await, [b"lost"]);
    close(dealer).await;
}
