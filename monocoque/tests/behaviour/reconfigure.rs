//! Options of an open socket: some take effect at once, others for endpoints made later, a few
//! never change.

use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use monocoque::zmq::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SocketType,
    SubSocket, XpubSocket,
};
use monocoque::{AnySocket, Endpoint, MonocoqueError, RoutingId};
use testing::{Placement, Transport, everywhere, run};

const AT_ONCE: Duration = Duration::ZERO;

everywhere! {
    async fn timeouts_change_at_once(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.build(PushSocket::builder());
        let mut waiting = pin!(pull.recv());
        assert!(waiting.as_mut().now_or_never().is_none());
        pull.reconfigure(|options| options.recv_timeout(AT_ONCE)).expect("open");
        push.reconfigure(|options| options.send_timeout(AT_ONCE)).expect("open");
        assert!(matches!(push.send("no peer").await.expect_err("no peer").reason(), MonocoqueError::TimedOut));
        push.reconfigure(|options| options.send_timeout(None)).expect("open");
        push.connect(endpoint).await.expect("connected");
        push.send("job").await.expect("sent");
        assert_eq!(waiting.await.expect("the call waits on"), "job");
        assert!(pull.recv().await.expect_err("nothing").is_timeout());
        let mut stream = pull.stream();
        assert!(stream.next().await.expect("an item").expect_err("nothing").is_timeout());
        let mut batch = Vec::new();
        assert!(pull.recv_batch(&mut batch, 9).await.expect_err("nothing").is_timeout());
        assert!(pull.recv_with_peer().await.expect_err("nothing").is_timeout());
        pull.reconfigure(|options| options.recv_timeout(Duration::MAX)).expect("open");
        assert!(pull.recv().now_or_never().is_none());
    }

    async fn immediate_lets_waiting_sender_go_on(at) {
        let push = at.build(PushSocket::builder().immediate(true));
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        let mut sending = pin!(push.send("early"));
        assert!(sending.as_mut().now_or_never().is_none());
        push.reconfigure(|options| options.immediate(false)).expect("open");
        sending.await.expect("queued");
        assert_eq!(push.stats().send_queue, 1);
    }

    async fn router_mandatory_changes_at_once(at) {
        let router = at.build(RouterSocket::builder().send_hwm(1));
        router.send_to("stranger", "x").await.expect("dropped");
        router.reconfigure(|options| options.router_mandatory(true)).expect("open");
        let error = router.send_to("stranger", "x").await.expect_err("reported");
        assert!(matches!(error.reason(), MonocoqueError::Unreachable));

        router.connect_as(at.unused_endpoint("absent"), "absent").await.expect("connected");
        router.send_to("absent", "first").await.expect("queued");
        let mut sending = pin!(router.send_to("absent", "second"));
        assert!(sending.as_mut().now_or_never().is_none(), "the queue is full");
        router.reconfigure(|options| options.router_mandatory(false)).expect("open");
        sending.await.expect("dropped");
        assert_eq!((router.stats().dropped, router.stats().send_queue), (2, 1));
    }

    async fn router_handover_changes_at_once(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let worker = || DealerSocket::builder().routing_id("worker");
        let first = at.connected(worker(), &endpoint).await;
        first.send("first").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["worker", "first"]);
        router.reconfigure(|options| options.router_handover(true)).expect("open");
        let second = at.connected(worker(), &endpoint).await;
        second.send("second").await.expect("sent");
        assert_eq!(router.recv().await.expect("received"), ["worker", "second"]);
    }

    async fn high_water_marks_change_at_once(at) {
        let push = at.build(PushSocket::builder().send_hwm(1));
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        push.send("first").await.expect("queued");
        let mut sending = pin!(push.send("second"));
        assert!(sending.as_mut().now_or_never().is_none());
        push.reconfigure(|options| options.send_hwm(2)).expect("open");
        sending.await.expect("queued");
        push.set_send_hwm(7);
        assert_eq!(push.options().send_hwm(), 7);
        push.reconfigure(|options| options.immediate(true)).expect("open");
        assert_eq!(push.options().send_hwm(), 7, "other options are kept");
    }

    async fn relaxed_request_replaces_earlier(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = at.connected(ReqSocket::builder(), &endpoint).await;
        req.send("first").await.expect("sent");
        assert_eq!(rep.recv().await.expect("received"), "first");
        assert!(matches!(req.send("x").await.expect_err("no reply").reason(), MonocoqueError::OutOfTurn(_)));
        req.reconfigure(|options| options.req_relaxed(true)).expect("open");
        req.send("second").await.expect("sent");
    }

    async fn xpub_verbose_changes_at_once(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let sub = || SubSocket::builder().subscribe("topic");
        let first = at.connected(sub(), &endpoint).await;
        assert_eq!(xpub.recv().await.expect("received"), "\x01topic");
        let second = at.connected(sub(), &endpoint).await;
        xpub.wait_for_subscriptions(2).await.expect("open");
        assert!(xpub.try_recv().expect_err("known").is_would_block());
        xpub.reconfigure(|options| options.xpub_verbose(true)).expect("open");
        let third = at.connected(sub(), &endpoint).await;
        assert_eq!(xpub.recv().await.expect("received"), "\x01topic");
        drop((first, second, third));
    }

    async fn hello_reaches_next_peer(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let first = at.connected(DealerSocket::builder(), &endpoint).await;
        router.wait_for_peers(1).await.expect("open");
        router.reconfigure(|options| options.hello_msg("hello")).expect("open");
        let second = at.connected(DealerSocket::builder(), &endpoint).await;
        assert_eq!(second.recv().await.expect("received"), "hello");
        assert!(first.try_recv().expect_err("none").is_would_block());
    }

    async fn later_endpoint_has_new_routing_id(at) {
        let (one, one_at) = at.bound(RouterSocket::builder()).await;
        let (two, two_at) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder().routing_id("first"), &one_at).await;
        dealer.reconfigure(|options| options.routing_id("second")).expect("open");
        dealer.connect(two_at).await.expect("connected");
        one.wait_for_peers(1).await.expect("open");
        two.wait_for_peers(1).await.expect("open");
        assert_eq!(&**one.peers()[0].routing_id(), b"first");
        assert_eq!(&**two.peers()[0].routing_id(), b"second");
        assert_eq!(dealer.routing_id().as_deref(), Some(&b"second"[..]));

        // An endpoint keeps its options when it connects again. Over inproc it does not.
        if at.transport != Transport::Inproc {
            let connection = one.peers()[0].connection().id;
            one.disconnect_peer(connection).expect("connected");
            testing::eventually("it is back under its name", || {
                one.peers().iter().any(|peer| {
                    peer.connection().id != connection && &**peer.routing_id() == b"first"
                })
            })
            .await;
        }
    }

    async fn subscription_is_added(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let sub = at.connected(SubSocket::builder().subscribe("a"), &endpoint).await;
        sub.reconfigure(|options| options.subscribe("b").subscribe("c")).expect("open");
        publisher.wait_for_subscriptions(3).await.expect("open");
    }

    async fn linger_changes_at_once(at) {
        let push = at.build(PushSocket::builder().linger(None));
        push.connect(at.unused_endpoint("nobody")).await.expect("connected");
        push.send("lost").await.expect("queued");
        push.reconfigure(|options| options.linger(AT_ONCE)).expect("open");
        push.close().await;
        assert_eq!(push.stats().dropped, 1);
    }
}

#[test]
fn later_endpoint_has_new_size_limit() {
    for placement in [Placement::Current, Placement::Thread] {
        run(Transport::Tcp, placement, async move |at| {
            let (pull, before) = at.bound(PullSocket::builder()).await;
            pull.reconfigure(|options| options.max_message_size(Some(10))).expect("open");
            let after = pull.bind(at.wildcard_endpoint()).await.expect("bound");
            let large = "more than ten bytes";
            at.connected(PushSocket::builder(), &before).await.send(large).await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), large);
            let push = at.connected(PushSocket::builder().delivery_attempts(1), &after).await;
            push.send("ten bytes!").await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), "ten bytes!");
            push.send(large).await.expect("sent");
            testing::eventually("the peer is disconnected", || push.stats().lost_connections > 0).await;
        });
    }
}

#[test]
fn fixed_option_is_named_and_nothing_changes() {
    type Set<S> = fn(Builder<S>) -> Builder<S>;
    fn assert_fixed(socket_type: SocketType, option: &str, set: Set<AnySocket>) {
        let socket = AnySocket::new(socket_type).expect("a socket");
        let error = socket.reconfigure(|options| set(options.recv_hwm(5))).expect_err(option);
        let article = if socket_type == SocketType::Xpub { "an" } else { "a" };
        let text = format!("{article} {socket_type} socket cannot change the option `{option}`");
        assert_eq!(error.to_string(), text);
        assert!(error.is_unsupported());
        assert_eq!(socket.options().recv_hwm(), 1000);
    }
    run(Transport::Inproc, Placement::Current, async move |_at| {
        use SocketType::{Pull, Req, Sub, Xpub};
        assert_fixed(Pull, "affinity", |options| options.affinity([0]));
        assert_fixed(Pull, "conflate", |options| options.conflate(true));
        assert_fixed(Pull, "departed_budget", |options| options.departed_budget(1));
        assert_fixed(Req, "req_correlate", |options| options.req_correlate(true));
        assert_fixed(Sub, "invert_matching", |options| options.invert_matching(true));
        assert_fixed(Xpub, "only_first_subscribe", |options| options.only_first_subscribe(true));
        assert_fixed(Xpub, "xpub_verboser", |options| options.xpub_verboser(true));
        assert_fixed(Xpub, "xpub_manual", |options| options.xpub_manual(true));
        assert_fixed(Xpub, "xpub_manual_last_value", |options| options.xpub_manual_last_value(true));
    });
}

#[test]
fn rejected_option_changes_nothing() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        let pull = at.build(PullSocket::builder());
        let long = Duration::from_secs(7000);
        let error =
            pull.reconfigure(|options| options.recv_hwm(5).heartbeat_ttl(long)).expect_err("too long");
        assert!(matches!(error, MonocoqueError::HeartbeatTtl));
        assert_eq!(pull.options().recv_hwm(), 1000);

        let any = at.build(AnySocket::builder(SocketType::Pull));
        let error = any.reconfigure(|options| options.router_mandatory(true)).expect_err("no ROUTER");
        assert_eq!(error.to_string(), "a PULL socket cannot take the option `router_mandatory`");
        let error = any.reconfigure(|_| AnySocket::builder(SocketType::Push)).expect_err("another type");
        assert!(error.is_unsupported());

        pull.close().await;
        assert!(pull.reconfigure(|options| options).expect_err("closed").is_closed());
    });
}

#[test]
fn concurrent_changes_are_all_kept() {
    run(Transport::Inproc, Placement::Thread, async move |at| {
        let dealer = at.build(DealerSocket::builder());
        let change = |set: fn(Builder<DealerSocket>, usize) -> Builder<DealerSocket>| {
            let dealer = dealer.clone();
            thread::spawn(move || {
                (1..=2000).for_each(|n| dealer.reconfigure(|options| set(options, n)).expect("open"));
            })
        };
        let threads = [change(|options, n| options.send_hwm(n)), change(|options, n| options.recv_hwm(n))];
        for n in 1..=2000 {
            dealer.set_linger(Duration::from_secs(n));
        }
        threads.into_iter().for_each(|thread| thread.join().expect("changed"));
        let options = dealer.options();
        assert_eq!((options.send_hwm(), options.recv_hwm()), (2000, 2000));
        assert_eq!(options.linger(), Some(Duration::from_secs(2000)));
    });
}

#[test]
fn options_are_read_as_they_were_set() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        let options = at.build(DealerSocket::builder()).options();
        assert_eq!(options.routing_id(), None);
        assert_eq!((options.send_hwm(), options.recv_hwm()), (1000, 1000));
        assert_eq!(options.linger(), Some(Duration::from_secs(30)));
        assert_eq!(options.max_message_size(), Some(1 << 30));
        assert_eq!(options.delivery_attempts(), 3);
        assert_eq!(options.tcp_keepalive(), None);
        assert!(options.ipv6() && !options.conflate() && !options.probe_router());

        let second = Duration::from_secs(1);
        let proxy: Endpoint = "tcp://127.0.0.1:1080".parse().expect("an endpoint");
        let builder = DealerSocket::builder()
            .routing_id("name")
            .send_hwm(0)
            .send_timeout(second)
            .reconnect_interval(second)
            .reconnect_interval_max(AT_ONCE)
            .heartbeat_interval(second)
            .max_message_size(None)
            .delivery_attempts(0)
            .hello_msg("hello")
            .hiccup_msg("hiccup")
            .tcp_keepalive(true)
            .tcp_keepalive_count(5)
            .socks_proxy(proxy.clone())
            .zap_domain("domain")
            .ipv6(false);
        let options = at.build(builder).options();
        assert_eq!(options.routing_id(), Some(&RoutingId::try_from("name").expect("an id")));
        assert_eq!(options.send_hwm(), 0);
        assert_eq!((options.send_timeout(), options.recv_timeout()), (Some(second), None));
        assert_eq!((options.reconnect_interval(), options.reconnect_interval_max()), (second, Some(AT_ONCE)));
        assert_eq!(options.heartbeat_interval(), Some(second));
        assert_eq!((options.max_message_size(), options.delivery_attempts()), (None, 0));
        assert_eq!(options.hello_msg(), Some(&"hello".into()));
        assert_eq!(options.hiccup_msg(), Some(&"hiccup".into()));
        assert_eq!((options.tcp_keepalive(), options.tcp_keepalive_count()), (Some(true), Some(5)));
        assert_eq!(options.socks_proxy(), Some(&proxy));
        assert_eq!(options.zap_domain(), "domain");
        assert!(!options.ipv6());
    });
}
