//! Proxies between two sockets: nothing is lost, doubled or out of order, even if the proxy is
//! cancelled.

use std::pin::pin;

use futures::future::{Either, select};
use futures::{FutureExt, join};
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SubSocket, XpubSocket, XsubSocket,
};
use monocoque::{Message, MonocoqueError, Proxy, proxy};
use testing::{At, everywhere, numbered};

/// Runs `body` while `proxies` run, which must not end.
async fn run_with_proxies<T>(proxies: impl Future, body: impl Future<Output = T>) -> T {
    match select(pin!(proxies), pin!(body)).await {
        Either::Left(_) => panic!("a proxy has ended"),
        Either::Right((result, _)) => result,
    }
}

everywhere! {
    async fn broker_connects_clients_and_workers(at) {
        const EACH: usize = 200;
        let (front, clients_at) = at.bound(RouterSocket::builder()).await;
        let (back, workers_at) = at.bound(DealerSocket::builder()).await;
        let mut clients = Vec::new();
        let mut workers = Vec::new();
        for _ in 0..4 {
            clients.push(at.connected(ReqSocket::builder(), &clients_at).await);
            workers.push(at.connected(RepSocket::builder(), &workers_at).await);
        }
        back.wait_for_peers(4).await.expect("open");
        let ask = clients.iter().enumerate().map(|(who, req)| async move {
            for n in 0..EACH {
                let question = Message::from([who.to_string(), n.to_string()]);
                assert_eq!(req.request(question.clone()).await.expect("answered"), question);
            }
        });
        let serve = workers.iter().map(|rep| async move {
            loop {
                let request = rep.recv().await.expect("received");
                rep.send(request).await.expect("sent");
            }
        });
        let serve = futures::future::join_all(serve);
        run_with_proxies(async { join!(proxy(&front, &back), serve) }, futures::future::join_all(ask)).await;
        assert!(workers.iter().all(|rep| rep.stats().received == EACH as u64), "in turn");
    }

    async fn router_proxied_to_itself_echoes(at) {
        const EACH: usize = 300;
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let one = at.connected(DealerSocket::builder(), &endpoint).await;
        let other = at.connected(DealerSocket::builder(), &endpoint).await;
        let talk = |dealer: DealerSocket| async move {
            for n in 0..EACH {
                dealer.send(n.to_string()).await.expect("sent");
            }
            for n in 0..EACH {
                assert_eq!(dealer.recv().await.expect("received"), n.to_string());
            }
        };
        run_with_proxies(proxy(&router, &router), async { join!(talk(one), talk(other)) }).await;
    }

    async fn subscriptions_pass_two_proxies(at) {
        let publisher = at.build(PubSocket::builder());
        let (first_back, first_at) = at.bound(XpubSocket::builder()).await;
        let (second_back, second_at) = at.bound(XpubSocket::builder()).await;
        let first_front = at.build(XsubSocket::builder());
        first_front.connect(publisher.bind(at.wildcard_endpoint()).await.expect("bound")).await.expect("connected");
        let second_front = at.connected(XsubSocket::builder(), &first_at).await;
        let proxies = async { join!(proxy(&first_front, &first_back), proxy(&second_front, &second_back)) };
        let body = async {
            let one = at.connected(SubSocket::builder(), &second_at).await;
            let other = at.connected(SubSocket::builder(), &second_at).await;
            one.subscribe("a").expect("open");
            other.subscribe("a").expect("open");
            other.subscribe("b").expect("open");
            publisher.wait_for_subscriptions(2).await.expect("open");
            assert_eq!(publisher.subscription_count(), 2, "each topic once");
            for n in 0..100 {
                publisher.send(["a".to_owned(), n.to_string()]).await.expect("sent");
                publisher.send(["b".to_owned(), n.to_string()]).await.expect("sent");
                publisher.send("c").await.expect("sent");
                assert_eq!(one.recv().await.expect("received"), ["a".to_owned(), n.to_string()]);
                assert_eq!(other.recv().await.expect("received"), ["a".to_owned(), n.to_string()]);
                assert_eq!(other.recv().await.expect("received"), ["b".to_owned(), n.to_string()]);
            }
            other.close().await;
            testing::eventually("an unused topic is cancelled upstream", || publisher.subscription_count() == 1).await;
            one.unsubscribe("a").expect("open");
            testing::eventually("the remaining subscription is cancelled", || publisher.subscription_count() == 0).await;
        };
        run_with_proxies(proxies, body).await;
    }

    async fn cancelled_proxy_loses_nothing(at) {
        const MESSAGES: usize = 3000;
        let (front, push, back, pull) = pipeline(&at).await;
        let mut chance = testing::seeded_rng();
        let send = async {
            for n in 0..MESSAGES {
                push.send(numbered(n)).await.expect("sent");
            }
        };
        let receive = async {
            for n in 0..MESSAGES {
                assert_eq!(pull.recv().await.expect("received"), numbered(n));
            }
        };
        let give_up = async {
            loop {
                let mut run = pin!(proxy(&front, &back));
                for _ in 0..chance.usize(1..4) {
                    assert!(run.as_mut().now_or_never().is_none());
                    testing::yield_now().await;
                }
            }
        };
        run_with_proxies(give_up, async { join!(send, receive) }).await;
        assert!(pull.try_recv().is_err());
    }

    async fn control_pauses_resumes_and_terminates(at) {
        let (front, push, back, pull) = pipeline(&at).await;
        let (observers, observer_at) = at.bound(PushSocket::builder()).await;
        let observer = at.connected(PullSocket::builder(), &observer_at).await;
        observers.wait_for_peers(1).await.expect("open");
        let proxy = Proxy::new(&front, &back).capture(&observers);
        let control = proxy.control();
        let body = async {
            push.send("one").await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), "one");
            assert_eq!(observer.recv().await.expect("received"), "one");
            control.pause();
            push.send("two").await.expect("sent");
            testing::pass_time(&at).await;
            assert!(pull.try_recv().is_err());
            control.resume();
            assert_eq!(pull.recv().await.expect("received"), "two");
            assert_eq!(observer.recv().await.expect("received"), "two");
            let stats = control.stats();
            assert_eq!((stats.forward.messages, stats.forward.bytes, stats.not_captured), (2, 6, 0));
            assert_eq!(stats.backward.messages, 0);
            control.terminate();
        };
        let (ended, ()) = join!(proxy.run(), body);
        ended.expect("terminated by the control socket");
        push.send("three").await.expect("the sockets are open");
        let again = Proxy::new(&front, &back);
        run_with_proxies(again.run(), async {
            assert_eq!(pull.recv().await.expect("received"), "three");
        })
        .await;
    }

    async fn full_proxy_ends_with_sockets(at) {
        let (front, there) = at.bound(PairSocket::builder().recv_hwm(1)).await;
        let (back, _nobody) = at.bound(PairSocket::builder()).await;
        let pair = at.connected(PairSocket::builder().send_hwm(1), &there).await;
        let body = async {
            pair.send("waits").await.expect("sent");
            testing::eventually("the message stays in the receive queue", || front.stats().recv_queue == 1).await;
            testing::pass_time(&at).await;
            assert_eq!((front.stats().recv_queue, back.stats().send_queue), (1, 0));
            back.close().await;
        };
        let (ended, ()) = join!(proxy(&front, &back), body);
        assert!(matches!(ended, Err(MonocoqueError::Closed)));
        assert_eq!(front.recv().await.expect("still there"), "waits");
    }

    async fn proxy_discards_undeliverable_messages(at) {
        let (front, clients_at) = at.bound(RouterSocket::builder().router_mandatory(true)).await;
        let (back, workers_at) = at.bound(DealerSocket::builder()).await;
        let worker = at.connected(DealerSocket::builder(), &workers_at).await;
        let client = at.connected(DealerSocket::builder().routing_id("client"), &clients_at).await;
        let body = async {
            front.wait_for_peers(1).await.expect("open");
            worker.send(["nobody", "lost"]).await.expect("sent");
            worker.send("only a name").await.expect("sent");
            worker.send(["client", "found"]).await.expect("sent");
            assert_eq!(client.recv().await.expect("received"), "found");
            assert_eq!(back.stats().discarded, 2);
        };
        run_with_proxies(proxy(&front, &back), body).await;
    }
}

/// A pipeline of PUSH, PULL, PUSH and PULL; the two in the middle are for a proxy.
async fn pipeline(at: &At) -> (PullSocket, PushSocket, PushSocket, PullSocket) {
    let (front, sources_at) = at.bound(PullSocket::builder()).await;
    let (back, sinks_at) = at.bound(PushSocket::builder()).await;
    let push = at.connected(PushSocket::builder(), &sources_at).await;
    let pull = at.connected(PullSocket::builder(), &sinks_at).await;
    push.wait_for_peers(1).await.expect("open");
    back.wait_for_peers(1).await.expect("open");
    (front, push, back, pull)
}

testing::embedded! {
    embedded:
    broker_connects_clients_and_workers router_proxied_to_itself_echoes
    subscriptions_pass_two_proxies cancelled_proxy_loses_nothing
    control_pauses_resumes_and_terminates full_proxy_ends_with_sockets
    proxy_discards_undeliverable_messages
}
