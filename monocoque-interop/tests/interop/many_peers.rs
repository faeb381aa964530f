//! Several peers on one socket, and which of them receives a message.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use monocoque::zmq::{PubSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket};

use crate::support::{
    Case, Frames, LIMIT, close, eventually, libzmq, libzmq_echo, libzmq_named, libzmq_recv, libzmq_send,
    number, on_thread, peers, recv, send, within,
};

everywhere! {
    router_replies_to_each_requester,
    push_alternates_between_four_pulls,
    pub_sends_overlapping_topics_once,
    pub_stops_after_unsubscribe,
    sub_receives_from_two_xpubs,
    five_reqs_share_libzmq_rep,
    five_libzmq_reqs_share_rep,
}

/// Three DEALERs and three REQs; one DEALER closes and returns, under its own routing id and under
/// another.
async fn router_replies_to_each_requester(case: &Case) {
    const ROUNDS: usize = 50;
    let router =
        RouterSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    let dealers = ["dealer-0", "dealer-1", "dealer-2"].map(|id| libzmq_named(zmq::DEALER, id));
    let reqs = ["req-0", "req-1", "req-2"].map(|id| libzmq_named(zmq::REQ, id));
    let [d0, d1, d2] = dealers.each_ref();
    let [r0, r1, r2] = reqs.each_ref();
    let endpoints = case.join(&router, [d0, d1, d2, r0, r1, r2]).await;

    let asking: Vec<_> = dealers
        .into_iter()
        .chain(reqs)
        .map(|socket| on_thread(move || libzmq_requests(socket, 0..ROUNDS)))
        .collect();
    reply_to_each(&router, 6 * ROUNDS).await;
    let mut asked: Vec<_> = join_all(asking).await;

    for id in ["dealer-0", "another"] {
        drop(asked.remove(0));
        eventually("the closed peer is removed", || router.peer_count() == 5).await;
        // The other peers are unaffected.
        let others: Vec<_> = asked
            .drain(..)
            .map(|socket| on_thread(move || libzmq_requests(socket, ROUNDS..2 * ROUNDS)))
            .collect();
        reply_to_each(&router, 5 * ROUNDS).await;
        asked = join_all(others).await;

        let back = libzmq_named(zmq::DEALER, id);
        case.rejoin(&back, &endpoints[0]);
        let back = on_thread(move || libzmq_requests(back, 0..ROUNDS));
        reply_to_each(&router, ROUNDS).await;
        asked.insert(0, back.await);
    }
    close(router).await;
}

/// Each of four PULLs receives every fourth message.
async fn push_alternates_between_four_pulls(case: &Case) {
    const TURNS: usize = 500;
    let push = PushSocket::new_in(&case.context).unwrap();
    let pulls = [(); 4].map(|()| libzmq(zmq::PULL));
    case.join(&push, pulls.each_ref()).await;
    peers(&push, 4).await;
    let theirs = pulls.map(|pull| {
        on_thread(move || (0..TURNS).map(|_| number(&libzmq_recv(&pull)[0])).collect::<Vec<_>>())
    });
    for n in 0..4 * TURNS {
        send(&push, n.to_string()).await;
    }
    let heard = join_all(theirs).await;
    let firsts: BTreeSet<_> = heard.iter().map(|numbers| numbers[0]).collect();
    assert_eq!(firsts, BTreeSet::from([0, 1, 2, 3]), "each PULL receives one of the first four messages");
    for numbers in heard {
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 4), "out of order: {numbers:?}");
    }
    close(push).await;
}

/// Topics that are prefixes of each other: overlapping subscriptions of one subscriber duplicate
/// nothing.
async fn pub_sends_overlapping_topics_once(case: &Case) {
    let publisher = PubSocket::new_in(&case.context).unwrap();
    let wants = [&["A"][..], &["AB"], &["ABC"], &["A", "AB", "ABC", "B"]];
    let subs = wants.map(|topics| subscriber(&[topics, &["END"]].concat()));
    case.join(&publisher, subs.each_ref()).await;
    let theirs = subs.map(|sub| on_thread(move || until_end(&sub)));
    subscriptions(&publisher, 7 + 4).await;
    for topic in ["", "A", "B", "AA", "AB", "ABB", "ABC", "ABCD", "BABC", "a"] {
        send(&publisher, [topic, "body"]).await;
    }
    send(&publisher, "END").await;
    let heard = join_all(theirs).await;
    assert_eq!(heard[0], ["A", "AA", "AB", "ABB", "ABC", "ABCD"]);
    assert_eq!(heard[1], ["AB", "ABB", "ABC", "ABCD"]);
    assert_eq!(heard[2], ["ABC", "ABCD"]);
    assert_eq!(heard[3], ["A", "B", "AA", "AB", "ABB", "ABC", "ABCD", "BABC"]);
    close(publisher).await;
}

/// One of two overlapping subscriptions is cancelled: messages of the other one still arrive.
async fn pub_stops_after_unsubscribe(case: &Case) {
    let publisher = PubSocket::new_in(&case.context).unwrap();
    let (changes, stays) = (subscriber(&["A", "AB", "AB", "END"]), subscriber(&["A", "END"]));
    case.join(&publisher, [&changes, &stays]).await;
    let (changes, stays) =
        (on_thread(move || (until_end(&changes), changes)), on_thread(move || (until_end(&stays), stays)));
    subscriptions(&publisher, 5).await;
    let news = async || {
        for topic in ["A", "ABX", "AX", "END"] {
            send(&publisher, topic).await;
        }
    };
    news().await;
    let ((before, changes), (others, stays)) = futures::join!(changes, stays);
    assert_eq!(before, ["A", "ABX", "AX"]);
    assert_eq!(others, before);

    let changes = on_thread(move || {
        // The second subscription to AB remains when the first one is cancelled.
        changes.set_unsubscribe(b"AB").unwrap();
        changes.set_unsubscribe(b"A").unwrap();
        (until_end(&changes), changes)
    });
    let stays = on_thread(move || (until_end(&stays), stays));
    eventually("the subscription is cancelled", || publisher.subscription_count() == 4).await;
    news().await;
    let ((after, changes), (others, stays)) = futures::join!(changes, stays);
    assert_eq!(after, ["ABX"]);
    assert_eq!(others, before);

    let changes = on_thread(move || {
        changes.set_unsubscribe(b"AB").unwrap();
        until_end(&changes)
    });
    let stays = on_thread(move || until_end(&stays));
    eventually("the subscription is cancelled", || publisher.subscription_count() == 3).await;
    news().await;
    let (after, others) = futures::join!(changes, stays);
    assert!(after.is_empty(), "received after unsubscribing: {after:?}");
    assert_eq!(others, before);
    close(publisher).await;
}

/// Messages of both publishers arrive, each in order; a cancelled topic stops at both.
async fn sub_receives_from_two_xpubs(case: &Case) {
    const MESSAGES: usize = 300;
    let sub = SubSocket::new_in(&case.context).unwrap();
    sub.subscribe("news").unwrap();
    let publishers = [libzmq(zmq::XPUB), libzmq(zmq::XPUB)];
    case.join(&sub, publishers.each_ref()).await;
    sub.subscribe("END").unwrap();
    let theirs = publishers.map(|publisher| {
        on_thread(move || {
            let mut told = [libzmq_recv(&publisher).remove(0), libzmq_recv(&publisher).remove(0)];
            told.sort();
            assert_eq!(told, [b"\x01END".to_vec(), b"\x01news".to_vec()]);
            for n in 0..MESSAGES {
                libzmq_send(&publisher, &["old".to_owned(), n.to_string()]);
                libzmq_send(&publisher, &["news".to_owned(), n.to_string()]);
            }
            libzmq_send(&publisher, &["END"]);
            assert_eq!(libzmq_recv(&publisher), [b"\x00news"]);
            libzmq_send(&publisher, &["news"]);
            libzmq_send(&publisher, &["END"]);
        })
    });
    let (mut numbers, mut ended) = (Vec::new(), 0);
    while ended < 2 {
        let message = recv(&sub).await;
        match &message[0][..] {
            b"END" => ended += 1,
            b"news" => numbers.push(number(&message[1])),
            other => panic!("received without a subscription {other:?}"),
        }
    }
    assert!(splits_in_two_orders(&numbers, MESSAGES), "out of order: {numbers:?}");
    sub.unsubscribe("news").unwrap();
    assert_eq!(recv(&sub).await, [b"END"]);
    assert_eq!(recv(&sub).await, [b"END"]);
    join_all(theirs).await;
    close(sub).await;
}

/// Five concurrent REQs of Monocoque each receive their own replies.
async fn five_reqs_share_libzmq_rep(case: &Case) {
    const ROUNDS: usize = 100;
    let reqs: Vec<_> = (0..5).map(|_| ReqSocket::new_in(&case.context).unwrap()).collect();
    let rep = libzmq(zmq::REP);
    case.join_one(&reqs, &rep).await;
    let theirs = on_thread(move || libzmq_echo(&rep, 5 * ROUNDS));
    let asking = reqs.iter().enumerate().map(async |(me, req)| {
        for n in 0..ROUNDS {
            let question = [me.to_string(), n.to_string()];
            let reply = within(LIMIT, "request", req.request(question.clone())).await.unwrap();
            assert!(
                reply.iter().eq(question.iter().map(String::as_bytes)),
                "requested {question:?}, received {reply:?}"
            );
        }
    });
    join_all(asking).await;
    theirs.await;
    join_all(reqs.into_iter().map(close)).await;
}

/// Five concurrent REQs of libzmq each receive their own replies.
async fn five_libzmq_reqs_share_rep(case: &Case) {
    const ROUNDS: usize = 100;
    let rep = RepSocket::new_in(&case.context).unwrap();
    let reqs = ["0", "1", "2", "3", "4"].map(|id| libzmq_named(zmq::REQ, id));
    case.join(&rep, reqs.each_ref()).await;
    let theirs = reqs.map(|req| on_thread(move || libzmq_requests(req, 0..ROUNDS)));
    for _ in 0..5 * ROUNDS {
        let question = recv(&rep).await;
        send(&rep, question).await;
    }
    join_all(theirs).await;
    close(rep).await;
}

/// Sends requests with the client's name, one after the other, and expects each back.
fn libzmq_requests(socket: zmq::Socket, numbers: std::ops::Range<usize>) -> zmq::Socket {
    let me = socket.get_identity().unwrap();
    for n in numbers {
        let question = [me.clone(), n.to_string().into_bytes()];
        libzmq_send(&socket, &question);
        assert_eq!(libzmq_recv(&socket), question);
    }
    socket
}

/// Returns `n` requests to the clients named in them.
async fn reply_to_each(router: &RouterSocket, n: usize) {
    for _ in 0..n {
        let (peer, message) = within(LIMIT, "recv_from", router.recv_from()).await.unwrap();
        let name = message.iter().find(|frame| !frame.is_empty()).expect("a question");
        assert_eq!(name, &*peer, "a request of another client");
        within(LIMIT, "send_to", router.send_to(&peer, message)).await.unwrap();
    }
}

fn subscriber(topics: &[&str]) -> zmq::Socket {
    let sub = libzmq(zmq::SUB);
    for topic in topics {
        sub.set_subscribe(topic.as_bytes()).unwrap();
    }
    sub
}

/// Returns the topics of the messages before the end.
fn until_end(sub: &zmq::Socket) -> Vec<String> {
    let mut topics = Vec::new();
    loop {
        let message: Frames = libzmq_recv(sub);
        match std::str::from_utf8(&message[0]).expect("a topic") {
            "END" => return topics,
            topic => topics.push(topic.to_owned()),
        }
    }
}

async fn subscriptions(publisher: &PubSocket, n: usize) {
    within(LIMIT, "wait_for_subscriptions", publisher.wait_for_subscriptions(n)).await.unwrap();
}

/// Returns whether `numbers` merges two sequences `0..n`, each of them in order.
fn splits_in_two_orders(numbers: &[usize], n: usize) -> bool {
    let (mut ahead, mut behind) = (0, 0);
    for &number in numbers {
        if number == ahead {
            ahead += 1;
        } else if number == behind {
            behind += 1;
        } else {
            return false;
        }
    }
    (ahead, behind) == (n, n)
}
