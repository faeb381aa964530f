//! Each socket type with each of its counterparts: messages of all shapes arrive unchanged and in
//! order, in both directions.

use monocoque::Message;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket, XpubSocket, XsubSocket,
};

use crate::support::{
    Case, Frames, LIMIT, assert_same, close, echo, libzmq, libzmq_echo, libzmq_recv, libzmq_send, on_thread,
    receive_all, recv, send, send_all, shapes, within,
};

everywhere! {
    dealer_with_router,
    dealer_with_dealer,
    dealer_with_rep,
    router_with_dealer,
    router_with_req,
    router_with_router,
    req_with_rep,
    req_with_router,
    rep_with_req,
    rep_with_dealer,
    pub_with_sub,
    pub_with_xsub,
    sub_with_xpub,
    push_with_pull,
    pull_with_push,
    pair_with_pair,
    xpub_with_sub,
    xpub_with_xsub,
    xsub_with_pub,
    xsub_with_xpub,
}

async fn dealer_with_router(case: &Case) {
    let (dealer, router) = (DealerSocket::new_in(&case.context).unwrap(), libzmq(zmq::ROUTER));
    case.join(&dealer, [&router]).await;
    let echo = on_thread(move || libzmq_echo(&router, shapes().len()));
    send_all_receive_all(&dealer, &[]).await;
    echo.await;
    close(dealer).await;
}

async fn dealer_with_dealer(case: &Case) {
    let (dealer, theirs) = (DealerSocket::new_in(&case.context).unwrap(), libzmq(zmq::DEALER));
    case.join(&dealer, [&theirs]).await;
    let echo = on_thread(move || libzmq_echo(&theirs, shapes().len()));
    send_all_receive_all(&dealer, &[]).await;
    echo.await;
    close(dealer).await;
}

async fn dealer_with_rep(case: &Case) {
    let (dealer, rep) = (DealerSocket::new_in(&case.context).unwrap(), libzmq(zmq::REP));
    case.join(&dealer, [&rep]).await;
    let echo = on_thread(move || libzmq_echo(&rep, shapes().len()));
    send_all_receive_all(&dealer, &[b"envelope", b""]).await;
    echo.await;
    close(dealer).await;
}

async fn router_with_dealer(case: &Case) {
    let (router, dealer) = (RouterSocket::new_in(&case.context).unwrap(), libzmq(zmq::DEALER));
    case.join(&router, [&dealer]).await;
    let theirs = on_thread(move || libzmq_send_all_receive_all(&dealer, &[]));
    echo(&router, shapes().len()).await;
    theirs.await;
    close(router).await;
}

async fn router_with_req(case: &Case) {
    let (router, req) = (RouterSocket::new_in(&case.context).unwrap(), libzmq(zmq::REQ));
    case.join(&router, [&req]).await;
    let theirs = on_thread(move || libzmq_request_all(&req));
    echo(&router, shapes().len()).await;
    theirs.await;
    close(router).await;
}

async fn router_with_router(case: &Case) {
    let router = RouterSocket::builder().routing_id("ours").build_in(&case.context).unwrap();
    let theirs = libzmq(zmq::ROUTER);
    theirs.set_identity(b"theirs").unwrap();
    // Without it, messages before the end of the handshake would be dropped.
    theirs.set_router_mandatory(true).unwrap();
    case.join(&router, [&theirs]).await;
    within(LIMIT, "wait_for_peers", router.wait_for_peers(1)).await.unwrap();
    let echo = on_thread(move || libzmq_echo(&theirs, shapes().len()));
    for shape in shapes() {
        let mut message = vec![b"theirs".to_vec()];
        message.extend_from_slice(shape);
        send(&router, message).await;
    }
    for (n, shape) in shapes().iter().enumerate() {
        let mut echoed = recv(&router).await;
        assert_eq!(echoed.remove(0), b"theirs");
        assert_same(n, &echoed, shape);
    }
    echo.await;
    close(router).await;
}

async fn req_with_rep(case: &Case) {
    let (req, rep) = (ReqSocket::new_in(&case.context).unwrap(), libzmq(zmq::REP));
    case.join(&req, [&rep]).await;
    let echo = on_thread(move || libzmq_echo(&rep, shapes().len()));
    request_all(&req).await;
    echo.await;
    close(req).await;
}

async fn req_with_router(case: &Case) {
    let req = ReqSocket::builder().routing_id("asks").build_in(&case.context).unwrap();
    let router = libzmq(zmq::ROUTER);
    case.join(&req, [&router]).await;
    let echo = on_thread(move || {
        for (n, shape) in shapes().iter().enumerate() {
            let request = libzmq_recv(&router);
            assert_eq!(request[..2], [b"asks".to_vec(), vec![]], "routing id and delimiter");
            assert_same(n, &request[2..], shape);
            libzmq_send(&router, &request);
        }
    });
    request_all(&req).await;
    echo.await;
    close(req).await;
}

async fn rep_with_req(case: &Case) {
    let (rep, req) = (RepSocket::new_in(&case.context).unwrap(), libzmq(zmq::REQ));
    case.join(&rep, [&req]).await;
    let theirs = on_thread(move || libzmq_request_all(&req));
    echo(&rep, shapes().len()).await;
    theirs.await;
    close(rep).await;
}

async fn rep_with_dealer(case: &Case) {
    let (rep, dealer) = (RepSocket::new_in(&case.context).unwrap(), libzmq(zmq::DEALER));
    case.join(&rep, [&dealer]).await;
    let theirs = on_thread(move || libzmq_send_all_receive_all(&dealer, &[b"two", b"hops", b""]));
    for (n, shape) in shapes().iter().enumerate() {
        let request = recv(&rep).await;
        assert_same(n, &request, shape);
        send(&rep, request).await;
    }
    theirs.await;
    close(rep).await;
}

async fn pub_with_sub(case: &Case) {
    let (publisher, sub) = (PubSocket::new_in(&case.context).unwrap(), libzmq(zmq::SUB));
    sub.set_subscribe(b"").unwrap();
    case.join(&publisher, [&sub]).await;
    let theirs = on_thread(move || libzmq_receive_all(&sub));
    publish_all(&publisher).await;
    theirs.await;
    close(publisher).await;
}

async fn pub_with_xsub(case: &Case) {
    let (publisher, xsub) = (PubSocket::new_in(&case.context).unwrap(), libzmq(zmq::XSUB));
    case.join(&publisher, [&xsub]).await;
    let theirs = on_thread(move || {
        libzmq_send(&xsub, &[b"\x01"]);
        libzmq_receive_all(&xsub);
    });
    publish_all(&publisher).await;
    theirs.await;
    close(publisher).await;
}

async fn sub_with_xpub(case: &Case) {
    let (sub, xpub) = (SubSocket::new_in(&case.context).unwrap(), libzmq(zmq::XPUB));
    sub.subscribe("").unwrap();
    case.join(&sub, [&xpub]).await;
    let theirs = on_thread(move || {
        assert_eq!(libzmq_recv(&xpub), [b"\x01"]);
        libzmq_send_all(&xpub, &[]);
    });
    receive_all(&sub).await;
    theirs.await;
    close(sub).await;
}

async fn push_with_pull(case: &Case) {
    let (push, pull) = (PushSocket::new_in(&case.context).unwrap(), libzmq(zmq::PULL));
    case.join(&push, [&pull]).await;
    let theirs = on_thread(move || libzmq_receive_all(&pull));
    send_all(&push).await;
    theirs.await;
    close(push).await;
}

async fn pull_with_push(case: &Case) {
    let (pull, push) = (PullSocket::new_in(&case.context).unwrap(), libzmq(zmq::PUSH));
    case.join(&pull, [&push]).await;
    let theirs = on_thread(move || libzmq_send_all(&push, &[]));
    receive_all(&pull).await;
    theirs.await;
    close(pull).await;
}

/// Sends all messages before it receives the first echo.
async fn send_all_receive_all<S: Sends + Receives>(socket: &S, envelope: &[&[u8]]) {
    for shape in shapes() {
        send(socket, Message::from(with_envelope(envelope, shape))).await;
    }
    for (n, shape) in shapes().iter().enumerate() {
        assert_same(n, &recv(socket).await, &with_envelope(envelope, shape));
    }
}

async fn request_all(req: &ReqSocket) {
    for (n, shape) in shapes().iter().enumerate() {
        let reply = within(LIMIT, "request", req.request(shape.clone())).await.unwrap();
        assert_same(n, &crate::support::frames(&reply), shape);
    }
}

async fn publish_all(publisher: &PubSocket) {
    within(LIMIT, "wait_for_subscriptions", publisher.wait_for_subscriptions(1)).await.unwrap();
    send_all(publisher).await;
}

fn libzmq_send_all(socket: &zmq::Socket, envelope: &[&[u8]]) {
    for shape in shapes() {
        libzmq_send(socket, &with_envelope(envelope, shape));
    }
}

fn libzmq_receive_all(socket: &zmq::Socket) {
    for (n, shape) in shapes().iter().enumerate() {
        assert_same(n, &libzmq_recv(socket), shape);
    }
}

fn libzmq_send_all_receive_all(socket: &zmq::Socket, envelope: &[&[u8]]) {
    libzmq_send_all(socket, envelope);
    for (n, shape) in shapes().iter().enumerate() {
        assert_same(n, &libzmq_recv(socket), &with_envelope(envelope, shape));
    }
}

fn libzmq_request_all(req: &zmq::Socket) {
    for (n, shape) in shapes().iter().enumerate() {
        libzmq_send(req, shape);
        assert_same(n, &libzmq_recv(req), shape);
    }
}

fn with_envelope(envelope: &[&[u8]], shape: &[Vec<u8>]) -> Frames {
    envelope.iter().map(|frame| frame.to_vec()).chain(shape.iter().cloned()).collect()
}

async fn pair_with_pair(case: &Case) {
    let (pair, theirs) = (PairSocket::new_in(&case.context).unwrap(), libzmq(zmq::PAIR));
    case.join(&pair, [&theirs]).await;
    let echo = on_thread(move || libzmq_echo(&theirs, shapes().len()));
    send_all_receive_all(&pair, &[]).await;
    echo.await;
    close(pair).await;
}

async fn xpub_with_sub(case: &Case) {
    let (xpub, sub) = (XpubSocket::new_in(&case.context).unwrap(), libzmq(zmq::SUB));
    sub.set_subscribe(b"").unwrap();
    case.join(&xpub, [&sub]).await;
    let heard = on_thread(move || {
        for (n, shape) in shapes().iter().enumerate() {
            assert_same(n, &libzmq_recv(&sub), shape);
        }
        sub.set_unsubscribe(b"").unwrap();
        sub
    });
    assert_eq!(recv(&xpub).await, [b"\x01"]);
    send_all(&xpub).await;
    assert_eq!(recv(&xpub).await, [b"\0"]);
    heard.await;
    close(xpub).await;
}

async fn xpub_with_xsub(case: &Case) {
    let (xpub, xsub) = (XpubSocket::new_in(&case.context).unwrap(), libzmq(zmq::XSUB));
    case.join(&xpub, [&xsub]).await;
    let heard = on_thread(move || {
        libzmq_send(&xsub, &[b"\x01"]);
        for (n, shape) in shapes().iter().enumerate() {
            assert_same(n, &libzmq_recv(&xsub), shape);
        }
        libzmq_send(&xsub, &["thanks"]);
        xsub
    });
    assert_eq!(recv(&xpub).await, [b"\x01"]);
    send_all(&xpub).await;
    assert_eq!(recv(&xpub).await, ["thanks".as_bytes()]);
    drop(heard.await);
    assert_eq!(recv(&xpub).await, [b"\0"], "an unsubscription at the end of the peer");
    close(xpub).await;
}

async fn xsub_with_pub(case: &Case) {
    let (xsub, publisher) = (XsubSocket::new_in(&case.context).unwrap(), libzmq(zmq::PUB));
    send(&xsub, b"\x01").await;
    case.join(&xsub, [&publisher]).await;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    // A PUB does not report when it knows the subscription.
    let published = on_thread(move || {
        while stopped.try_recv().is_err_and(|error| error == std::sync::mpsc::TryRecvError::Empty) {
            libzmq_send(&publisher, &["probe"]);
            std::thread::yield_now();
        }
        for shape in shapes() {
            libzmq_send(&publisher, shape);
        }
        publisher
    });
    assert_eq!(recv(&xsub).await, ["probe".as_bytes()]);
    drop(stop);
    let mut message = recv(&xsub).await;
    while message == ["probe".as_bytes()] {
        message = recv(&xsub).await;
    }
    for (n, shape) in shapes().iter().enumerate() {
        assert_same(n, &message, shape);
        if n + 1 < shapes().len() {
            message = recv(&xsub).await;
        }
    }
    published.await;
    close(xsub).await;
}

async fn xsub_with_xpub(case: &Case) {
    let (xsub, xpub) = (XsubSocket::new_in(&case.context).unwrap(), libzmq(zmq::XPUB));
    case.join(&xsub, [&xpub]).await;
    send(&xsub, b"\x01").await;
    let theirs = on_thread(move || {
        assert_eq!(libzmq_recv(&xpub), [b"\x01"]);
        for shape in shapes() {
            libzmq_send(&xpub, shape);
        }
        assert_eq!(libzmq_recv(&xpub), ["thanks".as_bytes()]);
        assert_eq!(libzmq_recv(&xpub), [b"\0"]);
    });
    receive_all(&xsub).await;
    send(&xsub, "thanks").await;
    send(&xsub, b"\0").await;
    theirs.await;
    close(xsub).await;
}
