//! Random cancellation of every future, on sockets whose messages are counted: no message is lost,
//! doubled or out of order, no call hangs, and every socket can be closed.

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

/// Cancels futures at random, and counts them.
struct Canceller {
    chance: RefCell<fastrand::Rng>,
    cancelled: RefCell<usize>,
}

impl Canceller {
    fn new() -> Self {
        Self { chance: RefCell::new(testing::seeded_rng()), cancelled: RefCell::default() }
    }

    fn draw(&self, n: usize) -> usize {
        self.chance.borrow_mut().usize(..n)
    }

    /// Polls a future at most three times, yields in between, then drops it. Returns its output if
    /// it completed.
    async fn poll_then_drop<T>(&self, future: impl Future<Output = T>) -> Option<T> {
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
        *self.cancelled.borrow_mut() += 1;
        None
    }

    /// Repeats [`Self::poll_then_drop`] with a new future each time until one completes, and yields
    /// in between.
    async fn until_done<T>(&self, mut future: impl AsyncFnMut() -> T) -> T {
        loop {
            if let Some(outcome) = self.poll_then_drop(future()).await {
                return outcome;
            }
            yield_now().await;
        }
    }

    /// Sends by a random call, and flushes now and then.
    async fn send<S: Sends>(&self, socket: &S, message: &Message) {
        let sent = match self.draw(4) {
            0 => self.until_done(async || socket.send_buffered(message.clone()).await).await,
            _ => self.until_done(async || socket.send(message.clone()).await).await,
        };
        sent.expect("sent");
        if self.draw(8) == 0
            && let Some(flushed) = self.poll_then_drop(socket.flush()).await
        {
            flushed.expect("open");
        }
    }

    /// Receives by a random call, and appends the messages.
    async fn receive<S: Receives>(&self, socket: &S, messages: &mut Vec<Message>) {
        let before = messages.len();
        match self.draw(2) {
            0 => {
                let found = self.until_done(async || {
                    let n = socket.recv_batch(messages, 10).await;
                    (n, messages.len())
                });
                let (n, len) = found.await;
                assert_eq!(before + n.expect("received"), len, "a cancelled batch receives nothing");
            }
            _ => messages.push(self.until_done(async || socket.recv().await).await.expect("received")),
        }
    }

    /// Disturbs a socket: binds and unbinds, connects and disconnects, and cancels calls that never
    /// complete.
    async fn disturb<S: Socket>(&self, at: &At, socket: &S) {
        // A port outside the range of the ports bound in the loop.
        let nowhere: Endpoint = match at.transport {
            Transport::Tcp => "tcp://127.0.0.1:1".parse().expect("an endpoint"),
            Transport::Ipc | Transport::Inproc => at.unused_endpoint("unrest"),
        };
        loop {
            let _cancelled = self.poll_then_drop(socket.wait_for_peers(100)).await;
            let bound = self.poll_then_drop(socket.bind(at.wildcard_endpoint())).await;
            let _cancelled = self.poll_then_drop(socket.connect(nowhere.clone())).await;
            yield_now().await;
            if let Some(bound) = bound {
                let bound = bound.expect("bound");
                match self.poll_then_drop(socket.unbind(bound.clone())).await {
                    Some(unbound) => unbound.expect("it was bound"),
                    // The cancelled unbind may have started, and then continues.
                    None => match socket.unbind(bound).await {
                        Ok(()) | Err(MonocoqueError::UnknownEndpoint(_)) => {}
                        Err(error) => panic!("{error}"),
                    },
                }
            }
            let _cancelled = self.poll_then_drop(socket.disconnect(nowhere.clone())).await;
            while socket.disconnect(nowhere.clone()).await.is_ok() {}
            for _ in 0..100 {
                yield_now().await;
            }
        }
    }

    /// Runs `work` to its end while both of its sockets are disturbed.
    async fn run_disturbed<S: Socket, L: Socket, T>(
        &self,
        at: &At,
        sockets: (&S, &L),
        work: impl Future<Output = T>,
    ) {
        let disturbance = join(self.disturb(at, sockets.0), self.disturb(at, sockets.1));
        match select(pin!(work), pin!(disturbance)).await {
            Either::Left(_) => {}
            Either::Right(_) => unreachable!("the load has no end"),
        }
        assert!(*self.cancelled.borrow() > MESSAGES / 2, "too few futures were cancelled");
    }

    /// Closes a socket by several calls, of which all but the last are cancelled.
    async fn close<S: Socket>(&self, socket: &S) {
        for _ in 0..3 {
            let _cancelled = self.poll_then_drop(socket.close()).await;
        }
        socket.close().await;
    }
}

/// A mostly small message; every fiftieth takes several writes.
fn message(n: usize) -> Message {
    let len = if n % 50 == 49 { 200_000 } else { n % 700 };
    Message::from([n.to_string().into_bytes(), vec![n as u8; len]])
}

everywhere! {
    async fn cancelled_push_pull_loses_nothing(at) {
        let canceller = Canceller::new();
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(3)).await;
        let push = at.connected(PushSocket::builder().send_hwm(2), &endpoint).await;
        let sending = async {
            for n in 0..MESSAGES {
                canceller.send(&push, &message(n)).await;
            }
            // Accepted messages are delivered even if the close is cancelled.
            canceller.close(&push).await;
        };
        let receiving = async {
            let mut messages = Vec::new();
            while messages.len() < MESSAGES {
                canceller.receive(&pull, &mut messages).await;
            }
            for (n, found) in messages.iter().enumerate() {
                assert!(*found == message(n), "{n}");
            }
            assert!(pull.try_recv().is_err());
        };
        canceller.run_disturbed(&at, (&pull, &pull), join(sending, receiving)).await;
        canceller.close(&pull).await;
    }

    async fn cancelled_router_dealer_loses_nothing(at) {
        let canceller = Canceller::new();
        let (router, endpoint) = at.bound(RouterSocket::builder().router_mandatory(true).send_hwm(2)).await;
        let dealer = at.connected(DealerSocket::builder().send_hwm(2), &endpoint).await;
        let asking = async {
            for n in 0..MESSAGES {
                canceller.send(&dealer, &message(n)).await;
            }
            dealer.flush().await.expect("open");
        };
        let answering = async {
            for n in 0..MESSAGES {
                let (peer, found) = canceller.until_done(async || router.recv_from().await).await.expect("received");
                assert!(found == message(n), "{n}");
                canceller.until_done(async || router.send_to(&peer, message(n)).await).await.expect("sent");
            }
        };
        let hearing = async {
            let mut messages = Vec::new();
            while messages.len() < MESSAGES {
                canceller.receive(&dealer, &mut messages).await;
            }
            for (n, found) in messages.iter().enumerate() {
                assert!(*found == message(n), "{n}");
            }
        };
        canceller.run_disturbed(&at, (&router, &dealer), join(asking, join(answering, hearing))).await;
        futures::join!(canceller.close(&router), canceller.close(&dealer));
    }

    async fn cancelled_requests_keep_replies_matched(at) {
        let canceller = Canceller::new();
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder().req_relaxed(true).req_correlate(true), &endpoint).await;
        let serving = async {
            loop {
                let request = canceller.until_done(async || rep.recv().await).await.expect("received");
                let sent = canceller.until_done(async || rep.send(request.clone()).await).await;
                sent.expect("in turn");
            }
        };
        let asking = async {
            for n in 0..MESSAGES {
                // Cancelled requests may have been sent: their replies are not taken for this
                // one's.
                let _cancelled = canceller.poll_then_drop(req.request(format!("given up {n}"))).await;
                let reply = match n % 2 {
                    0 => req.request(numbered(n)).await,
                    _ => {
                        canceller.until_done(async || req.send(numbered(n)).await).await.expect("sent");
                        canceller.until_done(async || req.recv().await).await
                    }
                };
                assert_eq!(reply.expect("a reply"), numbered(n));
            }
        };
        let work = async {
            match select(pin!(asking), pin!(serving)).await {
                Either::Left(((), _)) => {}
                Either::Right(_) => unreachable!("the load has no end"),
            }
        };
        canceller.run_disturbed(&at, (&req, &rep), work).await;
        futures::join!(canceller.close(&req), canceller.close(&rep));
    }

    async fn cancelled_publishing_loses_nothing(at) {
        let canceller = Canceller::new();
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true).send_hwm(3)).await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        sub.subscribe("").expect("open");
        for _ in 0..50 {
            let _cancelled = canceller.poll_then_drop(publisher.wait_for_subscriptions(2)).await;
        }
        publisher.wait_for_subscriptions(1).await.expect("open");
        let publishing = async {
            for n in 0..MESSAGES {
                canceller.send(&publisher, &message(n)).await;
            }
            publisher.flush().await.expect("open");
        };
        let hearing = async {
            let mut messages = Vec::new();
            while messages.len() < MESSAGES {
                canceller.receive(&sub, &mut messages).await;
            }
            for (n, found) in messages.iter().enumerate() {
                assert!(*found == message(n), "{n}");
            }
        };
        canceller.run_disturbed(&at, (&publisher, &sub), join(publishing, hearing)).await;
        futures::join!(canceller.close(&publisher), canceller.close(&sub));
    }
}

over_streams! {
    async fn cancelled_shutdown_still_delivers(at) {
        let canceller = Canceller::new();
        for life in 0..20 {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let context = Context::new().expect("an I/O thread");
            let push = PushSocket::builder().send_hwm(0).build_in(&context).expect("a socket");
            push.connect(endpoint).await.expect("connected");
            for n in 0..100 {
                push.send(message(n)).await.expect("sent");
            }
            for _ in 0..life % 5 {
                let _cancelled = canceller.poll_then_drop(context.shutdown()).await;
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
                        assert!(error.into_message() == message(sent), "the message is returned");
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
