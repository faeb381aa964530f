//! The wire of a sealed link: no byte of a message is on it in clear text, on any path.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use monocoque::Message;
use monocoque::zmq::capability::Secure;
use monocoque::zmq::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
    XpubSocket, XsubSocket,
};
use testing::proxy::{Fault, FaultPlan, Proxy};
use testing::{At, Transport, eventually, over_streams};

use super::{curve_client, curve_server};

/// A part of every message and topic.
const MARKER: &str = "a marker that is not to be seen";

/// A tap between a sealed server, which is bound, and its clients.
struct Tap(Proxy);

impl Tap {
    async fn bound<S: Secure>(at: &At, server: Builder<S>) -> (S, Self) {
        let (server, endpoint) = at.bound(curve_server(server)).await;
        let front = match at.transport {
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
            _ => at.unused_endpoint(&format!("tap-{}", fastrand::u64(..))).to_string(),
        };
        let plan = FaultPlan { records: true, ..FaultPlan::default() };
        let proxy = Proxy::start(&front, &endpoint.to_string(), plan, 1);
        (server, Self(proxy))
    }

    async fn client<S: Secure>(&self, at: &At, client: Builder<S>) -> S {
        let endpoint = self.0.endpoint().parse().expect("an endpoint");
        at.connected(curve_client(client), &endpoint).await
    }

    /// Checks that more than the handshake was seen in a direction, and nothing of a message.
    fn check(&self, is_busy: [bool; 2]) {
        for (bytes, is_busy) in self.0.recorded().iter().zip(is_busy) {
            assert!(!is_busy || bytes.len() > 64 + 512, "{} bytes", bytes.len());
            // Long enough that random bytes do not contain them.
            for clear in [MARKER, "\tSUBSCRIBE", "\u{6}CANCEL", "\u{4}PING\0", "\u{4}PONG"] {
                let is_seen = bytes.windows(clear.len()).any(|window| window == clear.as_bytes());
                assert!(!is_seen, "{clear:?} is on the wire");
            }
        }
    }
}

fn marked(n: usize) -> Message {
    let long = MARKER.repeat(1 + n % 7 * 100);
    [format!("{n} {MARKER}"), String::new(), long].into()
}

over_streams! {
    async fn requests_and_replies_are_sealed(at) {
        let (rep, tap) = Tap::bound(&at, RepSocket::builder()).await;
        let req = tap.client(&at, ReqSocket::builder()).await;
        // Lone messages in turn: the direct write of an unsealed connection.
        for n in 0..50 {
            let served = async {
                let question = rep.recv().await.expect("received");
                rep.send(question).await.expect("sent");
            };
            let (answer, ()) = futures::join!(req.request(marked(n)), served);
            assert_eq!(answer.expect("answered"), marked(n));
        }
        tap.check([true, true]);
    }

    async fn batches_are_sealed(at) {
        let (pull, tap) = Tap::bound(&at, PullSocket::builder()).await;
        let push = tap.client(&at, PushSocket::builder()).await;
        let sent = async {
            for n in 0..500 {
                push.send_buffered(marked(n)).await.expect("sent");
            }
            push.flush().await.expect("written");
        };
        let received = async {
            for n in 0..500 {
                assert_eq!(pull.recv().await.expect("received"), marked(n));
            }
        };
        futures::join!(sent, received);
        tap.check([true, false]);
    }

    async fn publications_and_subscriptions_are_sealed(at) {
        let (publisher, tap) = Tap::bound(&at, PubSocket::builder()).await;
        let mut subscribers: Vec<SubSocket> = Vec::new();
        for n in 0..3 {
            let subscriber = tap.client(&at, SubSocket::builder()).await;
            subscriber.subscribe(format!("{MARKER}{n}")).expect("subscribed");
            subscriber.subscribe(MARKER).expect("subscribed");
            subscriber.unsubscribe(format!("{MARKER}{n}")).expect("cancelled");
            subscribers.push(subscriber);
        }
        publisher.wait_for_subscriptions(3).await.expect("open");
        for n in 0..100 {
            let message: Message = [MARKER.to_owned(), format!("{MARKER}{n}")].into();
            publisher.send(message.clone()).await.expect("sent");
            for subscriber in &subscribers {
                assert_eq!(subscriber.recv().await.expect("received"), message);
            }
        }
        tap.check([true, true]);
    }

    async fn heartbeats_are_sealed(at) {
        let (interval, patience) = (Duration::from_millis(5), Duration::from_secs(10));
        let server = PullSocket::builder().heartbeat_interval(interval).heartbeat_timeout(patience);
        let client = PushSocket::builder().heartbeat_interval(interval).heartbeat_timeout(patience);
        let (pull, tap) = Tap::bound(&at, server).await;
        let push = tap.client(&at, client).await;
        push.send(MARKER).await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), MARKER);
        let seen = || tap.0.recorded().iter().map(Vec::len).sum::<usize>();
        let before = seen();
        eventually("PINGs and PONGs", || seen() > before + 1000).await;
        assert_eq!(push.stats().lost_connections, 0);
        tap.check([true, true]);
    }

    async fn redelivered_messages_are_sealed_again(at) {
        const MESSAGES: usize = 2000;
        let server = PullSocket::builder().recv_hwm(10);
        let (pull, tap) = Tap::bound(&at, server).await;
        let client = PushSocket::builder().reconnect_interval(Duration::from_millis(1)).send_hwm(0);
        let push = tap.client(&at, client).await;
        for n in 0..MESSAGES {
            push.send(marked(n)).await.expect("sent");
        }
        // What the system had taken of a lost connection may be lost, and what the receiver holds
        // of it may come late; nothing comes twice or changed.
        let mut received = HashSet::new();
        while !received.contains(&(MESSAGES - 1)) {
            let message = pull.recv().await.expect("received");
            let text = std::str::from_utf8(&message[0]).expect("text");
            let n: usize = text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            assert_eq!(message, marked(n));
            assert!(received.insert(n), "{n} came twice");
            if received.len() % 50 == 25 && n < MESSAGES / 2 {
                tap.0.inject_all(Fault::Reset);
            }
        }
        assert!(tap.0.counts().resets > 3, "{:?}", tap.0.counts());
        tap.check([true, false]);
    }

    async fn proxied_messages_are_sealed(at) {
        let (frontend, front_tap) = Tap::bound(&at, RouterSocket::builder()).await;
        let (backend, back_tap) = Tap::bound(&at, DealerSocket::builder()).await;
        let client = front_tap.client(&at, ReqSocket::builder()).await;
        let worker = back_tap.client(&at, RepSocket::builder()).await;
        let exchange = async {
            for n in 0..20 {
                let served = async {
                    let question = worker.recv().await.expect("received");
                    worker.send(question).await.expect("sent");
                };
                let (answer, ()) = futures::join!(client.request(marked(n)), served);
                assert_eq!(answer.expect("answered"), marked(n));
            }
        };
        let proxy = std::pin::pin!(monocoque::proxy(&frontend, &backend));
        let _proxy = futures::future::select(proxy, std::pin::pin!(exchange)).await;
        front_tap.check([true, true]);
        back_tap.check([true, true]);
    }

    async fn sealed_batch_holds_up_no_other_connection(at) {
        const MESSAGES: usize = 2000;
        let (pull, endpoint) = at.bound(curve_server(PullSocket::builder()).recv_hwm(0)).await;
        let push = at.build(curve_client(PushSocket::builder()).send_hwm(0));
        let (rep, other) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &other).await;
        req.wait_for_peers(1).await.expect("open");
        push.connect(endpoint).await.expect("connected");
        let trips = Cell::new(0);
        let exchange = async {
            loop {
                let served = async {
                    let question = rep.recv().await.expect("received");
                    rep.send(question).await.expect("sent");
                };
                let (answer, ()) = futures::join!(req.request("?"), served);
                answer.expect("answered");
                trips.set(trips.get() + 1);
            }
        };
        // 8 MiB, which are sealed and opened in steps of 128 KiB at most.
        let received = async {
            for n in 0..MESSAGES {
                push.send(vec![n as u8; 4096]).await.expect("sent");
            }
            for _ in 0..MESSAGES {
                pull.recv().await.expect("received");
            }
        };
        let exchange: std::pin::Pin<&mut dyn Future<Output = ()>> = std::pin::pin!(exchange);
        futures::future::select(exchange, std::pin::pin!(received)).await;
        // Each round trip is several turns of the thread.
        assert!(trips.get() >= 5, "{} round trips meanwhile", trips.get());
    }

    async fn subscription_messages_are_sealed(at) {
        let (xpub, tap) = Tap::bound(&at, XpubSocket::builder()).await;
        let xsub = tap.client(&at, XsubSocket::builder()).await;
        xsub.send(format!("\u{1}{MARKER}")).await.expect("sent");
        assert_eq!(xpub.recv().await.expect("received"), format!("\u{1}{MARKER}"));
        for n in 0..50 {
            let message: Message = [MARKER.to_owned(), format!("{n}")].into();
            xpub.send(message.clone()).await.expect("sent");
            assert_eq!(xsub.recv().await.expect("received"), message);
            xsub.send(format!("up {MARKER}")).await.expect("sent");
            assert_eq!(xpub.recv().await.expect("received"), format!("up {MARKER}"));
        }
        tap.check([true, true]);
    }
}

testing::embedded! {
    embedded:
    requests_and_replies_are_sealed batches_are_sealed publications_and_subscriptions_are_sealed
    heartbeats_are_sealed proxied_messages_are_sealed sealed_batch_holds_up_no_other_connection
    subscription_messages_are_sealed
}
