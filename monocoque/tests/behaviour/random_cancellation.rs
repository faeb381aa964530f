//! Every future is given up at random, again and again, on sockets whose messages are counted: none
//! is lost, doubled or out of order, nobody is stuck, and whatever was begun can be ended.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, join, select};
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, SubSocket,
};
use monocoque::{Context, Endpoint, Message, MonocoqueError};
use testing::{At, Transport, everywhere, numbered, over_streams, yield_now};

const MESSAGES: usize = 1_000;

/// Gives futures up, and counts them.
struct Storm {
    chance: RefCell<fastrand::Rng>,
    given_up: RefCell<usize>,
}

impl Storm {
    fn new() -> Self {
        Self { chance: RefCell::new(testing::seeded_rng()), given_up: RefCell::default() }
    }

    fn draw(&self, n: usize) -> usize {
        self.chance.borrow_mut().usize(..n)
    }

    /// Polls a future a few times, or not at all, then drops it; others run in between. What it
    /// came to, if it did.
    async fn tries<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        for poll in 0..self.draw(4) {
            if poll > 0 {
                yield_now().await;
            }
            let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            if let Poll::Ready(outcome) = polled {
                return Some(outcome);
            }
        }
        *self.given_up.borrow_mut() += 1;
        None
    }

    /// The same until it comes to something: each time with a new one. Others run between two of
    /// them.
    async fn until_done<T>(&self, mut future: impl AsyncFnMut() -> T) -> T {
        loop {
            if let Some(outcome) = self.tries(future()).await {
                return outcome;
            }
            yield_now().await;
        }
    }

    /// Sends, one way or another, and flushes now and then.
    async fn send<S: Sends>(&self, socket: &S, message: &Message) {
        let sent = match self.draw(4) {
            0 => self.until_done(async || socket.send_buffered(message.clone()).await).await,
            _ => self.until_done(async || socket.send(message.clone()).await).await,
        };
        sent.expect("sent");
        if self.draw(8) == 0
            && let Some(flushed) = self.tries(socket.flush()).await
        {
            flushed.expect("open");
        }
    }

    /// Receives, one way or another; what came is appended.
    async fn receive<S: Receives>(&self, socket: &S, messages: &mut Vec<Message>) {
        let before = messages.len();
        match self.draw(2) {
            0 => {
                let found = self.until_done(async || {
                    let n = socket.recv_batch(messages, 10).await;
                    (n, messages.len())
                });
                let (n, len) = found.await;
                assert_eq!(before + n.expect("received"), len, "a batch that is given up takes nothing");
            }
            _ => messages.push(self.until_done(async || socket.recv().await).await.expect("received")),
        }
    }

    /// Endpoints that come and go beside all that, and calls that wait for what does not come.
    async fn unrest<S: Socket>(&self, at: &At, socket: &S) {
        // Not a port that one of those that are bound meanwhile may get.
        let nowhere: Endpoint = match at.transport {
            Transport::Tcp => "tcp://127.0.0.1:1".parse().expect("an endpoint"),
            Transport::Ipc | Transport::Inproc => at.unused_endpoint("unrest"),
        };
        loop {
            let _given_up = self.tries(socket.wait_for_peers(100)).await;
            let bound = self.tries(socket.bind(at.wildcard_endpoint())).await;
            let _given_up = self.tries(socket.connect(nowhere.clone())).await;
            yield_now().await;
            if let Some(bound) = bound {
                let bound = bound.expect("bound");
                match self.tries(socket.unbind(bound.clone())).await {
                    Some(unbound) => unbound.expect("it was bound"),
                    // Maybe it has begun, and then it goes on.
                    None => match socket.unbind(bound).await {
                        Ok(()) | Err(MonocoqueError::UnknownEndpoint(_)) => {}
                        Err(error) => panic!("{error}"),
                    },
                }
            }
            let _given_up = self.tries(socket.disconnect(nowhere.clone())).await;
            while socket.disconnect(nowhere.clone()).await.is_ok() {}
            for _ in 0..100 {
                yield_now().await;
            }
        }
    }

    /// Some work, which ends, with unrest on both of its sockets.
    async fn beside<S: Socket, L: Socket, T>(
        &self,
        at: &At,
        sockets: (&S, &L),
        work: impl Future<Output = T>,
    ) {
        let unrest = join(self.unrest(at, sockets.0), self.unrest(at, sockets.1));
        match select(pin!(work), pin!(unrest)).await {
            Either::Left(_) => {}
            Either::Right(_) => unreachable!("it never ends"),
        }
        assert!(*self.given_up.borrow() > MESSAGES / 2, "hardly anything was given up");
    }

    /// Ends a socket by calls of which all but the last are given up.
    async fn close<S: Socket>(&self, socket: &S) {
        for _ in 0..3 {
            let _given_up = self.tries(socket.close()).await;
        }
        socket.close().await;
    }
}

/// Mostly small, and now and then one that takes several writes.
fn message(n: usize) -> Message {
    let len = if n % 50 == 49 { 200_000 } else { n % 700 };
    Message::from([n.to_string().into_bytes(), vec![n as u8; len]])
}

everywhere! {
    async fn cancelled_push_pull_loses_nothing(at) {
        let storm = Storm::new();
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(3)).await;
        let push = at.connected(PushSocket::builder().send_hwm(2), &endpoint).await;
        let sending = async {
            for n in 0..MESSAGES {
                storm.send(&push, &message(n)).await;
            }
            // What was accepted is delivered, whoever gives up waiting for that.
            storm.close(&push).await;
        };
        let receiving = async {
            let mut messages = Vec::new();
            while messages.len() < MESSAGES {
                storm.receive(&pull, &mut messages).await;
            }
            for (n, found) in messages.iter().enumerate() {
                assert!(*found == message(n), "{n}");
            }
            assert!(pull.try_recv().is_err());
        };
        storm.beside(&at, (&pull, &pull), join(sending, receiving)).await;
        storm.close(&pull).await;
    }

    async fn cancelled_router_dealer_loses_nothing(at) {
        let storm = Storm::new();
        let (router, endpoint) = at.bound(RouterSocket::builder().router_mandatory(true).send_hwm(2)).await;
        let dealer = at.connected(DealerSocket::builder().send_hwm(2), &endpoint).await;
        let asking = async {
            for n in 0..MESSAGES {
                storm.send(&dealer, &message(n)).await;
            }
            dealer.flush().await.expect("open");
        };
        let answering = async {
            for n in 0..MESSAGES {
                let (peer, found) = storm.until_done(async || router.recv_from().await).await.expect("received");
                assert!(found == message(n), "{n}");
                storm.until_done(async || router.send_to(&peer, message(n)).await).await.expect("sent");
            }
        };
        let hearing = async {
            let mut messages = Vec::new();
            while messages.len() < MESSAGES {
                storm.receive(&dealer, &mut messages).await;
            }
            for (n, found) in messages.iter().enumerate() {
                assert!(*found == message(n), "{n}");
            }
        };
        storm.beside(&at, (&router, &dealer), join(asking, join(answering, hearing))).await;
        futures::join!(storm.close(&router), storm.close(&dealer));
    }

    async fn cancelled_requests_keep_replies_matched(at) {
        let storm = Storm::new();
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder().req_relaxed(true).req_correlate(true), &endpoint).await;
        let serving = async {
            loop {
                let request = storm.until_done(async || rep.recv().await).await.expect("received");
                let sent = storm.until_done(async || rep.send(request.clone()).await).await;
                sent.expect("it is its turn");
            }
        };
        let asking = async {
            for n in 0..MESSAGES {
                // Those that are given up may have been asked: their replies are not taken for
                // this one's.
                let _given_up = storm.tries(req.request(format!("given up {n}"))).await;
                let reply = match n % 2 {
                    0 => req.request(numbered(n)).await,
                    _ => {
                        storm.until_done(async || req.send(numbered(n)).await).await.expect("sent");
                        storm.until_done(async || req.recv().await).await
                    }
                };
                assert_eq!(reply.expect("a reply"), numbered(n));
            }
        };
        let work = async {
            match select(pin!(asking), pin!(serving)).await {
                Either::Left(((), _)) => {}
                Either::Right(_) => unreachable!("it never ends"),
            }
        };
        storm.beside(&at, (&req, &rep), work).await;
        futures::join!(storm.close(&req), storm.close(&rep));
    }

    async fn cancelled_publishing_loses_nothing(at) {
        let storm = Storm::new();
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true).send_hwm(3)).await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        sub.subscribe("").expect("open");
        for _ in 0..50 {
            let _given_up = storm.tries(publisher.wait_for_subscriptions(2)).await;
        }
        publisher.wait_for_subscriptions(1).await.expect("open");
        let publishing = async {
            for n in 0..MESSAGES {
                storm.send(&publisher, &message(n)).await;
            }
            publisher.flush().await.expect("open");
        };
        let hearing = async {
            let mut messages = Vec::new();
            while messages.len() < MESSAGES {
                storm.receive(&sub, &mut messages).await;
            }
            for (n, found) in messages.iter().enumerate() {
                assert!(*found == message(n), "{n}");
            }
        };
        storm.beside(&at, (&publisher, &sub), join(publishing, hearing)).await;
        futures::join!(storm.close(&publisher), storm.close(&sub));
    }
}

over_streams! {
    async fn cancelled_shutdown_still_delivers(at) {
        let storm = Storm::new();
        for life in 0..20 {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let context = Context::new().expect("an I/O thread");
            let push = PushSocket::builder().send_hwm(0).build_in(&context).expect("a socket");
            push.connect(endpoint).await.expect("connected");
            for n in 0..100 {
                push.send(message(n)).await.expect("sent");
            }
            for _ in 0..life % 5 {
                let _given_up = storm.tries(context.shutdown()).await;
            }
            let ((), ()) = futures::join!(context.shutdown(), async {
                for n in 0..100 {
                    assert!(pull.recv().await.expect("received") == message(n), "{n}");
                }
            });
            assert!(push.send("late").await.expect_err("closed").reason().is_closed());
            pull.close().await;
        }
    }

    async fn microsecond_timeouts_lose_nothing(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_timeout(Some(Duration::from_micros(1)))).await;
        let timeout = Some(Duration::from_micros(1));
        let push = at.connected(PushSocket::builder().send_hwm(1).send_timeout(timeout), &endpoint).await;
        let mut timeouts = 0;
        let (mut sent, mut received) = (0, 0);
        while received < MESSAGES {
            if sent < MESSAGES {
                match push.send(message(sent)).await {
                    Ok(()) => sent += 1,
                    Err(error) => {
                        assert!(error.reason().is_timeout());
                        assert!(error.into_message() == message(sent), "the message comes back");
                        timeouts += 1;
                    }
                }
            }
            match pull.recv().await {
                Ok(found) => {
                    assert!(found == message(received), "{received}");
                    received += 1;
                }
                Err(error) => {
                    assert!(error.is_timeout());
                    timeouts += 1;
                }
            }
        }
        assert!(timeouts > 0 && pull.try_recv().is_err());
    }
}
