//! Sockets that hear who comes and goes. What libzmq calls `ZMQ_ROUTER_NOTIFY` is in no libzmq that is released
//! with its draft interface: what it is held against here is how their peers come and go.

use monocoque::RouterNotify;
use monocoque::zmq::RouterSocket;

use crate::pyzmq::Peer;
use crate::support::{
    Case, Frames, LIMIT, close, libzmq, libzmq_named, on_thread, recv, send, shapes, their_recv, their_send,
    within,
};

everywhere! {
    their_peers_are_told_when_they_come_and_go,
    a_router_of_theirs_is_told_as_well,
    a_peer_of_a_newer_libzmq_is_told,
}

fn told(case: &Case) -> RouterSocket {
    let events = [RouterNotify::Connect, RouterNotify::Disconnect];
    RouterSocket::builder().router_notify(events).build_in(&case.context).unwrap()
}

async fn their_peers_are_told_when_they_come_and_go(case: &Case) {
    let (router, dealer) = (told(case), libzmq_named(zmq::DEALER, "theirs"));
    case.meet(&router, [&dealer]).await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b""]);
    send(&router, ["theirs", "welcome"]).await;
    let theirs = on_thread(move || {
        assert_eq!(their_recv(&dealer), [b"welcome"]);
        for n in 0..100 {
            their_send(&dealer, &[n.to_string()]);
        }
    });
    for n in 0..100 {
        assert_eq!(recv(&router).await, [b"theirs".to_vec(), n.to_string().into_bytes()]);
    }
    theirs.await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b""]);
    close(router).await;
}

async fn a_router_of_theirs_is_told_as_well(case: &Case) {
    let router = RouterSocket::builder()
        .routing_id("ours")
        .router_notify([RouterNotify::Connect])
        .build_in(&case.context)
        .unwrap();
    let theirs = libzmq(zmq::ROUTER);
    theirs.set_identity(b"theirs").unwrap();
    case.meet(&router, [&theirs]).await;
    assert_eq!(recv(&router).await, [&b"theirs"[..], b""]);
    send(&router, ["theirs", "hello"]).await;
    let answer = on_thread(move || {
        assert_eq!(their_recv(&theirs), [&b"ours"[..], b"hello"]);
        their_send(&theirs, &["ours", "hello"]);
        theirs
    });
    assert_eq!(recv(&router).await, [&b"theirs"[..], b"hello"]);
    answer.await;
    close(router).await;
}

async fn a_peer_of_a_newer_libzmq_is_told(case: &Case) {
    let router = told(case);
    let peer = Peer::meet(case, &router, "DEALER", "ask").await;
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
