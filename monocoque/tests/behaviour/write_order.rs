//! Order of writes: some messages are written directly by their sender, some by the write pump, and
//! none overtakes another.

use futures::future::{Either, join_all, select};
use monocoque::Message;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
use testing::everywhere;

const EACH: usize = 1_500;

/// A message of random size: most allow a direct write, some are too long.
fn message(chance: &mut fastrand::Rng, who: usize, n: usize) -> Message {
    let len = match chance.u8(..100) {
        0 => 300 * 1024,
        1..3 => 20 * 1024,
        3..20 => 1024,
        _ => 0,
    };
    Message::from([who.to_string().into_bytes(), n.to_string().into_bytes(), vec![n as u8; len]])
}

/// Checks that `message` is the next one of its sender, and whole.
fn assert_next_message(mut message: Message, next: &mut [usize]) {
    let body = message.split_front(message.len() - 1);
    let number =
        |n: usize| -> usize { std::str::from_utf8(&body[n]).expect("text").parse().expect("a number") };
    let (who, n) = (number(body.len() - 2), number(body.len() - 1));
    assert_eq!(n, next[who], "of {who}: lost, doubled or out of order");
    assert!(message[0].iter().all(|byte| *byte == n as u8));
    next[who] += 1;
}

/// Sends messages in bursts, buffered or not, and receives in between as many as are certain to
/// arrive.
async fn exchange_in_bursts<S: Sends + Receives>(socket: &S, seed: u64, who: usize) {
    let mut chance = fastrand::Rng::with_seed(seed ^ who as u64);
    let (mut sent, mut next) = (0, [0; 2]);
    let received = |next: &[usize; 2]| next.iter().sum::<usize>();
    while received(&next) < EACH {
        let longest = if chance.bool() { 50 } else { 2 };
        let burst = chance.usize(1..=longest);
        let held = chance.u8(..4) == 0;
        for _ in 0..burst.min(EACH - sent) {
            let message = message(&mut chance, who, sent);
            match held {
                true => socket.send_buffered(message).await.expect("sent"),
                false => socket.send(message).await.expect("sent"),
            }
            sent += 1;
        }
        match chance.u8(..8) {
            // One flush for the burst, so that the next message is not a lone reply.
            _ if held => socket.flush().await.expect("open"),
            0 => testing::yield_now().await,
            1 => socket.flush().await.expect("open"),
            _ => {}
        }
        // The peer receives as many as were sent, and waits for no more than that either.
        let goal =
            if sent == EACH { EACH } else { chance.usize(received(&next)..=sent.max(received(&next))) };
        while received(&next) < goal {
            assert_next_message(socket.recv().await.expect("received"), &mut next);
        }
    }
    assert_eq!(sent, EACH);
}

everywhere! {
    async fn two_dealers_keep_order(at) {
        let seed = testing::seeded_rng().u64(..);
        let (one, endpoint) = at.bound(DealerSocket::builder()).await;
        let other = at.connected(DealerSocket::builder(), &endpoint).await;
        futures::join!(exchange_in_bursts(&one, seed, 0), exchange_in_bursts(&other, seed, 1));
        assert!(one.try_recv().is_err() && other.try_recv().is_err());
    }

    async fn bursting_router_keeps_order(at) {
        let mut chance = testing::seeded_rng();
        let seed = chance.u64(..);
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut dealers = Vec::new();
        for _ in 0..2 {
            dealers.push(at.connected(DealerSocket::builder(), &endpoint).await);
        }
        let serve = async {
            let (mut requests, mut next) = (Vec::new(), [0; 2]);
            loop {
                // Receives all queued messages, or a single one.
                let max = if chance.bool() { 30 } else { 1 };
                router.recv_batch(&mut requests, max).await.expect("open");
                if chance.u8(..8) == 0 {
                    testing::yield_now().await;
                }
                for request in requests.drain(..) {
                    assert_next_message(request.clone(), &mut next);
                    match chance.u8(..6) {
                        0 => router.send_buffered(request).await.expect("open"),
                        _ => router.send(request).await.expect("open"),
                    }
                }
                if chance.bool() {
                    router.flush().await.expect("open");
                } else {
                    // A send to an unknown peer also flushes the buffered messages.
                    router.send(["nobody", "dropped"]).await.expect("open");
                }
            }
        };
        let talks = dealers.iter().enumerate().map(|(who, dealer)| exchange_in_bursts(dealer, seed, who));
        if let Either::Left(((), _)) = select(Box::pin(serve), Box::pin(join_all(talks))).await {
            unreachable!("the load has no end");
        }
        assert!(dealers.iter().all(|dealer| dealer.try_recv().is_err()));
    }

    async fn rep_and_reqs_keep_order(at) {
        let mut chance = testing::seeded_rng();
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let mut reqs = Vec::new();
        for _ in 0..4 {
            reqs.push(at.connected(ReqSocket::builder(), &endpoint).await);
        }
        // The DEALER sends requests without waiting for replies, so that some are queued.
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        let serve = async {
            loop {
                let request = rep.recv().await.expect("in turn");
                rep.send(request).await.expect("in turn");
            }
        };
        let pauses = fastrand::Rng::with_seed(chance.u64(..));
        let ask = reqs.iter().enumerate().map(|(who, req)| {
            let mut chance = fastrand::Rng::with_seed(chance.u64(..));
            async move {
                for n in 0..EACH / 5 {
                    let request = message(&mut chance, who, n);
                    assert_eq!(req.request(request.clone()).await.expect("answered"), request);
                    for _ in 0..chance.usize(..3) {
                        testing::yield_now().await;
                    }
                }
            }
        });
        let bursts = async {
            let mut chance = pauses;
            let (mut sent, mut next) = (0, [0; 5]);
            while next[4] < EACH {
                for _ in 0..chance.usize(1..=50).min(EACH - sent) {
                    let mut request = message(&mut chance, 4, sent);
                    request.push_front("");
                    dealer.send(request).await.expect("sent");
                    sent += 1;
                }
                let goal = if sent == EACH { EACH } else { chance.usize(next[4]..=sent) };
                while next[4] < goal {
                    assert_next_message(dealer.recv().await.expect("received"), &mut next);
                }
            }
        };
        let asking = async { futures::join!(join_all(ask), bursts) };
        if let Either::Left(((), _)) = select(Box::pin(serve), Box::pin(asking)).await {
            unreachable!("the load has no end");
        }
        assert_eq!(rep.stats().dropped, 0);
    }
}
