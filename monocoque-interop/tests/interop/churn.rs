//! libzmq peers that close, return, or close with messages in flight.

use std::time::Duration;

use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, ReqSocket, RouterSocket, SubSocket};

use crate::support::{
    Binds, Case, LIMIT, close, eventually, libzmq, libzmq_recv, libzmq_send, number, on_thread, peers, recv,
    send, with_load, within, yield_briefly,
};

everywhere! {
    dying_pull_receives_without_gaps,
    push_queues_for_absent_pull,
    push_survives_one_dying_pull,
    restarting_push_loses_nothing,
    pull_receives_from_departed_pushes,
    req_reaches_restarted_rep,
    sub_resubscribes_at_restarted_xpub,
    pub_drops_departed_subscriptions,
}

over_ipc! {
    leaving_dealer_loses_nothing,
    full_dealer_survives_lost_router,
}

connect_only! {
    closing_push_reaches_returned_pull,
}

/// A PULL is replaced repeatedly while a PUSH sends continuously. Each PULL receives without gaps
/// and without messages of an earlier one: only messages that the kernel or the closed PULL already
/// had are lost.
async fn dying_pull_receives_without_gaps(case: &Case) {
    const LIVES: usize = 5;
    const A_LIFE: usize = 300;
    let push = PushSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .linger(Some(Duration::ZERO))
        .build_in(&case.context)
        .unwrap();
    let pull = libzmq(zmq::PULL);
    let [endpoint] = case.join(&push, [&pull]).await;
    let load = async {
        for n in 0.. {
            send(&push, n.to_string()).await;
        }
    };
    let lives = async {
        let mut first = Some(pull);
        let mut next = 0;
        for _ in 0..LIVES {
            let pull = first.take().unwrap_or_else(|| {
                let pull = libzmq(zmq::PULL);
                case.rejoin(&pull, &endpoint);
                pull
            });
            let heard = on_thread(move || numbers(&pull, A_LIFE)).await;
            assert!(heard[0] >= next, "{} was received by two sockets", heard[0]);
            assert!(heard.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap: {heard:?}");
            next = heard[A_LIFE - 1] + 1;
        }
    };
    with_load(load, lives).await;
    close(push).await;
}

/// Messages sent without a peer arrive whole and in order at the next peer.
async fn push_queues_for_absent_pull(case: &Case) {
    const ROUNDS: usize = 4;
    const A_ROUND: usize = 100;
    let push =
        PushSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    let pull = libzmq(zmq::PULL);
    let [endpoint] = case.join(&push, [&pull]).await;
    let mut pull = Some(pull);
    for round in 0..ROUNDS {
        let there = pull.take().unwrap_or_else(|| {
            let pull = libzmq(zmq::PULL);
            case.rejoin(&pull, &endpoint);
            pull
        });
        let theirs = on_thread(move || numbers(&there, A_ROUND));
        if case.binds() == Binds::Us {
            // A PUSH that only binds waits for a peer.
            peers(&push, 1).await;
        }
        if round == 0 || case.binds() == Binds::Us {
            for n in 0..A_ROUND {
                send(&push, (round * A_ROUND + n).to_string()).await;
            }
        }
        let heard = theirs.await;
        assert_eq!(heard, (round * A_ROUND..(round + 1) * A_ROUND).collect::<Vec<_>>());
        eventually("the lost peer is removed", || push.peer_count() == 0).await;
        if case.binds() == Binds::Them && round + 1 < ROUNDS {
            for n in 0..A_ROUND {
                send(&push, ((round + 1) * A_ROUND + n).to_string()).await;
            }
        }
    }
    close(push).await;
}

/// The PULL is closed after a PUSH was closed with many queued messages: within the linger time,
/// the next PULL receives the rest.
async fn closing_push_reaches_returned_pull(case: &Case) {
    const MESSAGES: usize = 300;
    let push =
        PushSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    let pull = libzmq(zmq::PULL);
    pull.set_rcvhwm(1).unwrap();
    let [endpoint] = case.join(&push, [&pull]).await;
    // More than the kernel buffers; large frames stay in the socket until they are written.
    let large = vec![0; 200_000];
    for n in 0..MESSAGES {
        send(&push, [n.to_string().as_bytes(), &large]).await;
    }
    peers(&push, 1).await;
    let closing = close(push);
    let receiving = async {
        assert_eq!(on_thread(move || numbers(&pull, 3)).await, [0, 1, 2]);
        let pull = libzmq(zmq::PULL);
        case.rejoin(&pull, &endpoint);
        let rest = on_thread(move || {
            let mut rest = numbers(&pull, 1);
            while rest.last() != Some(&(MESSAGES - 1)) {
                rest.push(number(&libzmq_recv(&pull)[0]));
            }
            rest
        })
        .await;
        assert!(rest.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap: {rest:?}");
        assert!(rest[0] > 2, "{} came twice", rest[0]);
    };
    futures::join!(closing, receiving);
}

/// One of two PULLs closes under load: no send fails, and the other PULL receives in order and
/// nothing twice.
async fn push_survives_one_dying_pull(case: &Case) {
    const ENOUGH: usize = 2000;
    let push = PushSocket::builder().linger(Some(Duration::ZERO)).build_in(&case.context).unwrap();
    let (dies, lives) = (libzmq(zmq::PULL), libzmq(zmq::PULL));
    case.join(&push, [&dies, &lives]).await;
    peers(&push, 2).await;
    let load = async {
        for n in 0.. {
            send(&push, n.to_string()).await;
        }
    };
    let heard = async {
        futures::join!(on_thread(move || numbers(&dies, 100)), on_thread(move || numbers(&lives, ENOUGH)))
    };
    let (dead, living) = with_load(load, heard).await;
    // The message in flight when the peer closed is sent to the other one, possibly behind newer
    // messages.
    assert!(dead.is_sorted(), "out of order: {dead:?}");
    let mut all = [&dead[..], &living[..]].concat();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "a message was received twice");
    close(push).await;
}

/// A PUSH sends and closes with linger: all of its messages are received, each time.
async fn restarting_push_loses_nothing(case: &Case) {
    const LIVES: usize = 8;
    const A_LIFE: usize = 1500;
    let pull = PullSocket::builder()
        .reconnect_interval(Duration::from_millis(5))
        .recv_hwm(100)
        .build_in(&case.context)
        .unwrap();
    let push = libzmq(zmq::PUSH);
    let [endpoint] = case.join(&pull, [&push]).await;
    let mut push = Some(push);
    for life in 0..LIVES {
        let here = push.take().unwrap_or_else(|| {
            let push = libzmq(zmq::PUSH);
            case.rejoin(&push, &endpoint);
            push
        });
        let theirs = on_thread(move || {
            for n in 0..A_LIFE {
                libzmq_send(&here, &[(life * A_LIFE + n).to_string()]);
            }
        });
        for n in 0..A_LIFE {
            assert_eq!(number(&recv(&pull).await[0]), life * A_LIFE + n);
        }
        theirs.await;
    }
    close(pull).await;
}

/// The PUSHes connect, send and close before the PULL receives.
async fn pull_receives_from_departed_pushes(case: &Case) {
    const PUSHES: usize = 10;
    let pull =
        PullSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    let pushes: [_; PUSHES] = std::array::from_fn(|_| libzmq(zmq::PUSH));
    case.join(&pull, pushes.each_ref()).await;
    let theirs = on_thread(move || {
        for (n, push) in pushes.into_iter().enumerate() {
            libzmq_send(&push, &[n.to_string(), "x".repeat(70_000)]);
            drop(push);
        }
    });
    let mut heard = Vec::new();
    for _ in 0..PUSHES {
        let message = recv(&pull).await;
        assert_eq!(message[1].len(), 70_000);
        heard.push(number(&message[0]));
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..PUSHES).collect::<Vec<_>>());
    theirs.await;
    close(pull).await;
}

/// A DEALER sends and closes. The replies cannot be written any more; its messages are received to
/// the last one.
async fn leaving_dealer_loses_nothing(case: &Case) {
    const MESSAGES: usize = 100;
    let router = RouterSocket::builder().recv_hwm(2).build_in(&case.context).unwrap();
    let dealer = libzmq(zmq::DEALER);
    case.join(&router, [&dealer]).await;
    on_thread(move || {
        for n in 0..MESSAGES {
            libzmq_send(&dealer, &[n.to_string()]);
        }
    })
    .await;
    // The DEALER is closed, and most of its messages are still unreceived.
    for n in 0..MESSAGES {
        let message = recv(&router).await;
        assert_eq!(number(&message[1]), n);
        send(&router, message).await;
    }
    close(router).await;
}

/// The peer closes while the inbox is full and a write is pending: the write ends, and the next
/// peer connects.
async fn full_dealer_survives_lost_router(case: &Case) {
    const MESSAGES: usize = 100;
    let dealer = DealerSocket::builder()
        .routing_id("full")
        .recv_hwm(2)
        // Messages that the last peer did not receive would wait for another one.
        .linger(Some(Duration::ZERO))
        .reconnect_interval(Duration::from_millis(5))
        .build_in(&case.context)
        .unwrap();
    let router = libzmq(zmq::ROUTER);
    let [endpoint] = case.join(&dealer, [&router]).await;
    send(&dealer, "hello").await;
    on_thread(move || {
        assert_eq!(libzmq_recv(&router), [b"full".to_vec(), b"hello".to_vec()]);
        for n in 0..MESSAGES {
            libzmq_send(&router, &["full".to_owned(), n.to_string()]);
        }
    })
    .await;
    // The failure of the write shows in the number of peers.
    within(LIMIT, "the lost peer is removed", async {
        while dealer.peer_count() > 0 {
            // It fails once the peer is removed, since there is no other.
            let _ = dealer.try_send("probe");
            yield_briefly().await;
        }
    })
    .await;
    let router = libzmq(zmq::ROUTER);
    case.rejoin(&router, &endpoint);
    let theirs = on_thread(move || {
        libzmq_recv(&router);
        router
    });
    for n in 0..MESSAGES {
        assert_eq!(number(&recv(&dealer).await[0]), n);
    }
    peers(&dealer, 1).await;
    send(&dealer, "hello again").await;
    theirs.await;
    close(dealer).await;
}

/// The REP is replaced between two requests.
async fn req_reaches_restarted_rep(case: &Case) {
    let req =
        ReqSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    let rep = libzmq(zmq::REP);
    let [endpoint] = case.join(&req, [&rep]).await;
    let mut rep = Some(rep);
    for n in 0..5 {
        let here = rep.take().unwrap_or_else(|| {
            let rep = libzmq(zmq::REP);
            case.rejoin(&rep, &endpoint);
            rep
        });
        let theirs = on_thread(move || {
            let request = libzmq_recv(&here);
            libzmq_send(&here, &request);
        });
        let reply = within(LIMIT, "request", req.request(n.to_string())).await.unwrap();
        assert_eq!(number(&reply[0]), n);
        theirs.await;
        eventually("the lost peer is removed", || req.peer_count() == 0).await;
    }
    close(req).await;
}

/// A restarted publisher receives the current subscriptions only.
async fn sub_resubscribes_at_restarted_xpub(case: &Case) {
    const TOPICS: usize = 2000;
    let sub =
        SubSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    for topic in 0..TOPICS {
        sub.subscribe(format!("{topic:04}")).unwrap();
    }
    let publisher = libzmq(zmq::XPUB);
    let [endpoint] = case.join(&sub, [&publisher]).await;
    let mut publisher = Some(publisher);
    for life in 0..3 {
        let here = publisher.take().unwrap_or_else(|| {
            let publisher = libzmq(zmq::XPUB);
            case.rejoin(&publisher, &endpoint);
            publisher
        });
        let theirs = on_thread(move || {
            let mut topics: Vec<_> = (life..TOPICS).map(|_| libzmq_recv(&here).remove(0)).collect();
            topics.sort_unstable();
            libzmq_send(&here, &["0001 not after the first life".to_owned()]);
            libzmq_send(&here, &["1999".to_owned(), life.to_string()]);
            topics
        });
        if life < 2 {
            assert_eq!(recv(&sub).await[0][..4], *b"0001");
        }
        assert_eq!(recv(&sub).await, [b"1999".to_vec(), life.to_string().into_bytes()]);
        let expected: Vec<_> = (life..TOPICS).map(|topic| format!("\x01{topic:04}").into_bytes()).collect();
        assert!(theirs.await == expected, "life {life}: wrong topics");
        eventually("the lost peer is removed", || sub.peer_count() == 0).await;
        sub.unsubscribe(format!("{life:04}")).unwrap();
    }
    close(sub).await;
}

/// A restarted subscriber receives its current subscriptions only, not those of its predecessor.
async fn pub_drops_departed_subscriptions(case: &Case) {
    let publisher =
        PubSocket::builder().reconnect_interval(Duration::from_millis(5)).build_in(&case.context).unwrap();
    let sub = libzmq(zmq::SUB);
    sub.set_subscribe(b"").unwrap();
    let [endpoint] = case.join(&publisher, [&sub]).await;
    let mut sub = Some(sub);
    for life in 0..4 {
        let here = sub.take().unwrap_or_else(|| {
            let sub = libzmq(zmq::SUB);
            sub.set_subscribe(life.to_string().as_bytes()).unwrap();
            case.rejoin(&sub, &endpoint);
            sub
        });
        // A bound SUB sends its subscriptions when it is called.
        let theirs = on_thread(move || libzmq_recv(&here));
        within(LIMIT, "wait_for_subscriptions", publisher.wait_for_subscriptions(1)).await.unwrap();
        if life > 0 {
            send(&publisher, "something else").await;
        }
        send(&publisher, [life.to_string(), "news".into()]).await;
        assert_eq!(theirs.await, [life.to_string().into_bytes(), b"news".to_vec()]);
        eventually("the subscriptions are removed", || publisher.subscription_count() == 0).await;
    }
    close(publisher).await;
}

fn numbers(pull: &zmq::Socket, n: usize) -> Vec<usize> {
    (0..n).map(|_| number(&libzmq_recv(pull)[0])).collect()
}
