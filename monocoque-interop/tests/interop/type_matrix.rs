//! Each socket type of Monocoque with each of libzmq: they connect only if the specifications
//! allow it.

use futures::StreamExt;
use monocoque::SocketEvent;
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SocketType, SubSocket, TypedSocket, XpubSocket, XsubSocket,
};

use crate::support::{Case, LIMIT, close, libzmq, within};

everywhere! {
    type_matrix_matches_specification,
}

/// For each socket type of Monocoque, the compatible types of libzmq.
const COMPATIBLE: [(SocketType, &[zmq::SocketType]); 11] = [
    (SocketType::Req, &[zmq::REP, zmq::ROUTER]),
    (SocketType::Rep, &[zmq::REQ, zmq::DEALER]),
    (SocketType::Dealer, &[zmq::REP, zmq::DEALER, zmq::ROUTER]),
    (SocketType::Router, &[zmq::REQ, zmq::DEALER, zmq::ROUTER]),
    (SocketType::Pub, &[zmq::SUB, zmq::XSUB]),
    (SocketType::Xpub, &[zmq::SUB, zmq::XSUB]),
    (SocketType::Sub, &[zmq::PUB, zmq::XPUB]),
    (SocketType::Xsub, &[zmq::PUB, zmq::XPUB]),
    (SocketType::Push, &[zmq::PULL]),
    (SocketType::Pull, &[zmq::PUSH]),
    (SocketType::Pair, &[zmq::PAIR]),
];

const LIBZMQ_TYPES: [zmq::SocketType; 11] = [
    zmq::REQ,
    zmq::REP,
    zmq::DEALER,
    zmq::ROUTER,
    zmq::PUB,
    zmq::XPUB,
    zmq::SUB,
    zmq::XSUB,
    zmq::PUSH,
    zmq::PULL,
    zmq::PAIR,
];

async fn type_matrix_matches_specification(case: &Case) {
    one_with_each::<ReqSocket>(case, SocketType::Req).await;
    one_with_each::<RepSocket>(case, SocketType::Rep).await;
    one_with_each::<DealerSocket>(case, SocketType::Dealer).await;
    one_with_each::<RouterSocket>(case, SocketType::Router).await;
    one_with_each::<PubSocket>(case, SocketType::Pub).await;
    one_with_each::<XpubSocket>(case, SocketType::Xpub).await;
    one_with_each::<SubSocket>(case, SocketType::Sub).await;
    one_with_each::<XsubSocket>(case, SocketType::Xsub).await;
    one_with_each::<PushSocket>(case, SocketType::Push).await;
    one_with_each::<PullSocket>(case, SocketType::Pull).await;
    one_with_each::<PairSocket>(case, SocketType::Pair).await;
}

async fn one_with_each<S: TypedSocket>(case: &Case, ours: SocketType) {
    let (_, talks_to) = COMPATIBLE.iter().find(|(socket_type, _)| *socket_type == ours).expect("a row");
    for theirs in LIBZMQ_TYPES {
        let socket = S::new_in(&case.context).unwrap();
        let mut monitor = socket.monitor();
        let peer = libzmq(theirs);
        case.join(&socket, [&peer]).await;
        let met = within(LIMIT, &format!("{ours} and {theirs:?}"), async {
            loop {
                match monitor.next().await.expect("open") {
                    SocketEvent::HandshakeSucceeded { .. } => break true,
                    SocketEvent::HandshakeFailed { .. } => break false,
                    _ => {}
                }
            }
        })
        .await;
        assert_eq!(met, talks_to.contains(&theirs), "{ours} and {theirs:?}");
        drop(peer);
        close(socket).await;
    }
}
