//! Options that change the effect of subscriptions, each on both sides: with pyzmq for those that
//! the `zmq` crate cannot set.

use monocoque::Message;
use monocoque::zmq::capability::Receives;
use monocoque::zmq::{PubSocket, SubSocket, XpubSocket, XsubSocket};

use crate::pyzmq::Peer;
use crate::support::{Case, Frames, LIMIT, close, libzmq, libzmq_recv, on_thread, recv, send, within};

everywhere! {
    libzmq_subs_receive_last_value,
}

with_pyzmq! {
    everywhere:
    inverted_pub_with_libzmq_sub,
    inverted_sub_with_libzmq_xpub,
    manual_xpub_with_libzmq_xsub,
    xsub_with_manual_libzmq_xpub,
    manual_xpub_reports_libzmq_departure,
    xpub_splits_libzmq_subscription_lists,
    libzmq_xpub_splits_subscription_lists,
}

// libzmq does not end a connection of its own making when it is lost.
with_pyzmq! {
    connect_only:
    libzmq_xpub_reports_xsub_departure,
    subs_receive_libzmq_last_value,
}

/// The subjects sent to a subscriber of everything but "a".
const SUBJECTS: [&str; 5] = ["a", "b", "ab", "", "end"];
const OTHERS: [&str; 3] = ["b", "", "end"];

async fn inverted_pub_with_libzmq_sub(case: &Case) {
    let publisher = PubSocket::builder().invert_matching(true).build_in(&case.context).unwrap();
    let peer = Peer::join(case, &publisher, "SUB", "inverted").await;
    within(LIMIT, "wait_for_subscriptions", publisher.wait_for_subscriptions(1)).await.unwrap();
    for subject in SUBJECTS {
        send(&publisher, subject).await;
    }
    peer.done().await;
    close(publisher).await;
}

async fn inverted_sub_with_libzmq_xpub(case: &Case) {
    let sub = SubSocket::builder().invert_matching(true).build_in(&case.context).unwrap();
    sub.subscribe("a").unwrap();
    let peer = Peer::join(case, &sub, "XPUB", "inverted").await;
    expect_bodies(&sub, &OTHERS).await;
    peer.done().await;
    close(sub).await;
}

async fn manual_xpub_with_libzmq_xsub(case: &Case) {
    let xpub = XpubSocket::builder().xpub_manual(true).build_in(&case.context).unwrap();
    let peer = Peer::join(case, &xpub, "XSUB", "manual").await;
    expect_bodies(&xpub, &["\x01A"]).await;
    xpub.subscribe("B").unwrap();
    xpub.subscribe("end").unwrap();
    send(&xpub, "A").await;
    send(&xpub, "B1").await;
    expect_bodies(&xpub, &["\0A"]).await;
    xpub.unsubscribe("B").unwrap();
    send(&xpub, "B2").await;
    send(&xpub, "end").await;
    peer.done().await;
    close(xpub).await;
}

async fn xsub_with_manual_libzmq_xpub(case: &Case) {
    let xsub = XsubSocket::new_in(&case.context).unwrap();
    let peer = Peer::join(case, &xsub, "XPUB", "manual").await;
    xsub.subscribe("A").unwrap();
    expect_bodies(&xsub, &["B1"]).await;
    xsub.unsubscribe("A").unwrap();
    expect_bodies(&xsub, &["end"]).await;
    peer.done().await;
    close(xsub).await;
}

/// The peer requests two topics and is granted one.
async fn manual_xpub_reports_libzmq_departure(case: &Case) {
    let xpub = XpubSocket::builder().xpub_manual(true).build_in(&case.context).unwrap();
    let peer = Peer::join(case, &xpub, "XSUB", "leaving").await;
    expect_bodies(&xpub, &["\x01x", "\x01y"]).await;
    xpub.subscribe("end").unwrap();
    send(&xpub, "end").await;
    peer.done().await;
    expect_bodies(&xpub, &["\0x", "\0y"]).await;
    assert_eq!(xpub.subscription_count(), 0);
    close(xpub).await;
}

async fn libzmq_xpub_reports_xsub_departure(case: &Case) {
    let xsub = XsubSocket::new_in(&case.context).unwrap();
    let peer = Peer::join(case, &xsub, "XPUB", "leaving").await;
    for topic in ["x", "y"] {
        xsub.subscribe(topic).unwrap();
    }
    expect_bodies(&xsub, &["end"]).await;
    close(xsub).await;
    peer.done().await;
}

async fn libzmq_subs_receive_last_value(case: &Case) {
    let xpub = XpubSocket::builder().xpub_manual_last_value(true).build_in(&case.context).unwrap();
    let subs = [(); 2].map(|()| libzmq(zmq::SUB));
    case.join(&xpub, subs.each_ref()).await;
    let mut given = Vec::new();
    for (sub, value) in subs.into_iter().zip(["1", "2"]) {
        let theirs = on_thread(move || {
            sub.set_subscribe(b"a").unwrap();
            (libzmq_recv(&sub), sub)
        });
        expect_bodies(&xpub, &["\x01a"]).await;
        xpub.subscribe("a").unwrap();
        send(&xpub, ["a", value]).await;
        let (heard, sub) = theirs.await;
        assert_eq!(heard, frames(&["a", value]));
        given.push(sub);
    }
    send(&xpub, ["a", "3"]).await;
    for sub in given {
        assert_eq!(on_thread(move || libzmq_recv(&sub)).await, frames(&["a", "3"]));
    }
    close(xpub).await;
}

async fn subs_receive_libzmq_last_value(case: &Case) {
    let (peer, endpoint) = Peer::bound(case, "XPUB", "last_value").await;
    let subs = [(); 2].map(|()| SubSocket::new_in(&case.context).unwrap());
    for (sub, value) in subs.iter().zip(["1", "2"]) {
        sub.subscribe("a").unwrap();
        sub.connect(&*endpoint).await.unwrap();
        assert_eq!(recv(sub).await, frames(&["a", value]));
    }
    for sub in subs {
        assert_eq!(recv(&sub).await, frames(&["a", "3"]));
        close(sub).await;
    }
    peer.done().await;
}

/// Messages that may begin with a subscription, and how they are delivered.
const LISTS: [&[&str]; 4] = [&["\x01a", "data"], &["\x01b", "\0a"], &["data", "\x01c"], &["end"]];
const DELIVERED: [&[&str]; 6] = [&["\x01a"], &["data"], &["\x01b"], &["\0a"], &["data", "\x01c"], &["end"]];

async fn xpub_splits_libzmq_subscription_lists(case: &Case) {
    let xpub = XpubSocket::builder().only_first_subscribe(true).build_in(&case.context).unwrap();
    let peer = Peer::join(case, &xpub, "XSUB", "lists").await;
    expect_bodies(&xpub, &["\x01"]).await;
    send(&xpub, "go").await;
    for expected in DELIVERED {
        assert_eq!(recv(&xpub).await, frames(expected));
    }
    assert_eq!(xpub.subscription_count(), 2);
    send(&xpub, "end").await;
    peer.done().await;
    close(xpub).await;
}

async fn libzmq_xpub_splits_subscription_lists(case: &Case) {
    let xsub = XsubSocket::builder().only_first_subscribe(true).build_in(&case.context).unwrap();
    xsub.subscribe("").unwrap();
    let peer = Peer::join(case, &xsub, "XPUB", "lists").await;
    expect_bodies(&xsub, &["go"]).await;
    for list in LISTS {
        send(&xsub, list.iter().copied().collect::<Message>()).await;
    }
    expect_bodies(&xsub, &["end"]).await;
    peer.done().await;
    close(xsub).await;
}

async fn expect_bodies<S: Receives>(socket: &S, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(recv(socket).await, frames(&[body]));
    }
}

fn frames(frames: &[&str]) -> Frames {
    frames.iter().map(|frame| frame.as_bytes().to_vec()).collect()
}
