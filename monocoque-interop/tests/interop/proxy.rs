//! A Monocoque proxy between libzmq sockets.

use futures::future::join_all;
use monocoque::proxy;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket, XpubSocket, XsubSocket};

use crate::support::{
    Case, LIMIT, close, eventually, libzmq, libzmq_echo, libzmq_recv, libzmq_send, number, on_thread, peers,
    with_load, within,
};

everywhere! {
    broker_serves_libzmq_peers,
    forwarder_serves_libzmq_peers,
    restarting_proxy_forwards_libzmq_pipeline,
}

async fn broker_serves_libzmq_peers(case: &Case) {
    const EACH: usize = 100;
    let front = RouterSocket::new_in(&case.context).unwrap();
    let back = DealerSocket::new_in(&case.context).unwrap();
    let clients = [(); 3].map(|()| libzmq(zmq::REQ));
    let workers = [(); 3].map(|()| libzmq(zmq::REP));
    case.join(&front, clients.each_ref()).await;
    case.join(&back, workers.each_ref()).await;
    peers(&back, 3).await;
    let serving = workers.map(|worker| on_thread(move || libzmq_echo(&worker, EACH)));
    let asking = clients.map(|client| {
        on_thread(move || {
            for n in 0..EACH {
                libzmq_send(&client, &[n.to_string()]);
                assert_eq!(number(&libzmq_recv(&client)[0]), n);
            }
        })
    });
    let broker = async { proxy(&front, &back).await.expect("open") };
    with_load(broker, async { futures::join!(join_all(asking), join_all(serving)) }).await;
    close(front).await;
    close(back).await;
}

async fn forwarder_serves_libzmq_peers(case: &Case) {
    let front = XsubSocket::new_in(&case.context).unwrap();
    let back = XpubSocket::new_in(&case.context).unwrap();
    let (publisher, sub) = (libzmq(zmq::XPUB), libzmq(zmq::SUB));
    sub.set_subscribe(b"news").unwrap();
    case.join(&front, [&publisher]).await;
    case.join(&back, [&sub]).await;
    let heard = on_thread(move || {
        for n in 0..100 {
            let message = libzmq_recv(&sub);
            assert_eq!((&message[0][..], number(&message[1])), (&b"news of today"[..], n));
        }
        sub.set_unsubscribe(b"news").unwrap();
        sub
    });
    let published = on_thread(move || {
        assert_eq!(libzmq_recv(&publisher), [b"\x01news"]);
        for n in 0..100 {
            libzmq_send(&publisher, &["olds".to_owned(), n.to_string()]);
            libzmq_send(&publisher, &["news of today".to_owned(), n.to_string()]);
        }
        assert_eq!(libzmq_recv(&publisher), [b"\0news"]);
    });
    let forwarder = async { proxy(&front, &back).await.expect("open") };
    with_load(forwarder, async { futures::join!(heard, published) }).await;
    close(front).await;
    close(back).await;
}

/// The proxy future is dropped and started again continuously.
async fn restarting_proxy_forwards_libzmq_pipeline(case: &Case) {
    const MESSAGES: usize = 5_000;
    let front = PullSocket::new_in(&case.context).unwrap();
    let back = PushSocket::new_in(&case.context).unwrap();
    let (push, pull) = (libzmq(zmq::PUSH), libzmq(zmq::PULL));
    case.join(&front, [&push]).await;
    case.join(&back, [&pull]).await;
    let sent = on_thread(move || {
        for n in 0..MESSAGES {
            libzmq_send(&push, &[n.to_string()]);
        }
        push
    });
    let heard = on_thread(move || {
        for n in 0..MESSAGES {
            assert_eq!(number(&libzmq_recv(&pull)[0]), n);
        }
    });
    let passing = async {
        loop {
            let run = std::pin::pin!(proxy(&front, &back));
            let pause = std::pin::pin!(crate::support::yield_briefly());
            futures::future::select(run, pause).await;
        }
    };
    with_load(passing, async { futures::join!(sent, heard) }).await;
    eventually("the queue is empty", || front.stats().recv_queue == 0).await;
    within(LIMIT, "close", async { futures::join!(front.close(), back.close()) }).await;
}
