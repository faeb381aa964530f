//! A message goes now by its sender and now by the connection's own task: whichever it is, none
//! overtakes another.

use futures::future::{Either, join_all, select};
use monocoque::Message;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
use testing::everywhere;

const EACH: usize = 1_500;

/// Of a size that is drawn: most of them can go at once, some are too long for that.
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
fn check(mut message: Message, next: &mut [usize]) {
    let body = message.split_front(message.len() - 1);
    let number =
        |n: usize| -> usize { std::str::from_utf8(&body[n]).expect("text").parse().expect("a number") };
    let (who, n) = (number(body.len() - 2), number(body.len() - 1));
    assert_eq!(n, next[who], "of {who}: lost, doubled or out of order");
    assert!(message[0].iter().all(|byte| *byte == n as u8));
    next[who] += 1;
}

/// Sends its messages in bursts, each in one of the ways there are, and receives in between as many
/// as are sure to come.
async fn talk<S: Sends + Receives>(socket: &S, seed: u64, who: usize) {
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
            // All at once, so that whatever is said next is an answer to nothing.
            _ if held => socket.flush().await.expect("open"),
            0 => testing::yield_now().await,
            1 => socket.flush().await.expect("open"),
            _ => {}
        }
        // The other one has got, or gets, as many as were sent, and waits for no more than that
        // either.
        let goal =
            if sent == EACH { EACH } else { chance.usize(received(&next)..=sent.max(received(&next))) };
        while received(&next) < goal {
            check(socket.recv().await.expect("received"), &mut next);
        }
    }
    assert_eq!(sent, EACH);
}

everywhere! {
    async fn two_dealers_keep_order(at) {
        let seed = testing::seeded_rng().u64(..);
        let (one, endpoint) = at.bound(DealerSocket::builder()).await;
        let other = at.connected(DealerSocket::builder(), &endpoint).await;
        futures::join!(talk(&one, seed, 0), talk(&other, seed, 1));
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
                // All that is there, or one after the other.
                let max = if chance.bool() { 30 } else { 1 };
                router.recv_batch(&mut requests, max).await.expect("open");
                if chance.u8(..8) == 0 {
                    testing::yield_now().await;
                }
                for request in requests.drain(..) {
                    check(request.clone(), &mut next);
                    match chance.u8(..6) {
                        0 => router.send_buffered(request).await.expect("open"),
                        _ => router.send(request).await.expect("open"),
                    }
                }
                if chance.bool() {
                    router.flush().await.expect("open");
                } else {
                    // It has no reason to keep any of them.
                    router.send(["nobody", "dropped"]).await.expect("open");
                }
            }
        };
        let talks = dealers.iter().enumerate().map(|(who, dealer)| talk(dealer, seed, who));
        if let Either::Left(((), _)) = select(Box::pin(serve), Box::pin(join_all(talks))).await {
            unreachable!("it goes on and on");
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
        // It asks without waiting for an answer, so that some wait to be answered.
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        let serve = async {
            loop {
                let request = rep.recv().await.expect("its turn");
                rep.send(request).await.expect("its turn");
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
                    check(dealer.recv().await.expect("received"), &mut next);
                }
            }
        };
        let asking = async { futures::join!(join_all(ask), bursts) };
        if let Either::Left(((), _)) = select(Box::pin(serve), Box::pin(asking)).await {
            unreachable!("it goes on and on");
        }
        assert_eq!(rep.stats().dropped, 0);
    }
}
