//! Sockets whose type is chosen at run time: all that their type can do, and an error that names
//! the type for everything else.

use std::pin::pin;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt, SinkExt, StreamExt};
#[cfg(feature = "curve")]
use monocoque::security::CurveKeyPair;
use monocoque::zmq::capability::{Receives, RoutesById, Sends};
use monocoque::zmq::{
    Builder, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    SocketType, StreamSocket, SubSocket, TypedSocket, XpubSocket, XsubSocket,
};
use monocoque::{AnySocket, ErrorKind, Message, MonocoqueError, Proxy, SendError, blocking_proxy, proxy};
use testing::{At, Placement, Transport, everywhere, on_blocking_thread, run};

use SocketType::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Stream, Sub, Xpub, Xsub};

const ALL: [SocketType; 12] = [Dealer, Router, Req, Rep, Pub, Sub, Xpub, Xsub, Push, Pull, Pair, Stream];
const SENDERS: &[SocketType] = &[Dealer, Router, Req, Rep, Pub, Xpub, Xsub, Push, Pair, Stream];
const RECEIVERS: &[SocketType] = &[Dealer, Router, Req, Rep, Sub, Xpub, Xsub, Pull, Pair, Stream];
const BY_ID: &[SocketType] = &[Router, Stream];
const PUBLISHERS: &[SocketType] = &[Pub, Xpub];
const SUBSCRIBERS: &[SocketType] = &[Sub, Xsub, Xpub];

async fn pair(at: &At, first: SocketType, second: SocketType) -> (AnySocket, AnySocket) {
    let (one, endpoint) = at.bound(AnySocket::builder(first)).await;
    let other = at.connected(AnySocket::builder(second), &endpoint).await;
    assert_eq!((one.socket_type(), other.socket_type()), (first, second));
    (one, other)
}

async fn send_and_recv<F: Sends, T: Receives>(from: &F, to: &T, message: &str) {
    from.send(message.to_owned()).await.expect("sent");
    assert_eq!(to.recv().await.expect("received"), message);
}

everywhere! {
    async fn one_way_types_pass_messages(at) {
        for (from, to) in [(Push, Pull), (Pub, Sub), (Pub, Xsub), (Xpub, Sub), (Xpub, Xsub)] {
            let (from, to) = pair(&at, from, to).await;
            if PUBLISHERS.contains(&from.socket_type()) {
                to.subscribe("topic").expect("open");
                from.wait_for_subscriptions(1).await.expect("open");
                assert_eq!(from.subscription_count(), 1);
            }
            send_and_recv(&from, &to, "topic of the day").await;
        }
    }

    async fn two_way_types_exchange_messages(at) {
        for (one, other) in [(Pair, Pair), (Dealer, Dealer), (Rep, Req)] {
            let (one, other) = pair(&at, one, other).await;
            send_and_recv(&other, &one, "question").await;
            send_and_recv(&one, &other, "answer").await;
        }
        let (rep, req) = pair(&at, Rep, Req).await;
        let reply = async { rep.send(rep.recv().await.expect("asked")).await.expect("replied") };
        let (reply, ()) = futures::join!(req.request("question"), reply);
        assert_eq!(reply.expect("answered"), "question");
    }

    async fn router_addresses_peers(at) {
        let (router, endpoint) = at.bound(AnySocket::builder(Router)).await;
        let dealer = at.connected(AnySocket::builder(Dealer).routing_id("worker"), &endpoint).await;
        dealer.send("ready").await.expect("sent");
        let (id, ready) = router.recv_from().await.expect("received");
        assert_eq!((&*id, ready), (&b"worker"[..], "ready".into()));
        router.send_to(&id, "job").await.expect("sent");
        assert_eq!(dealer.recv().await.expect("received"), "job");
    }

    async fn xpub_grants_subscriptions(at) {
        let (xpub, endpoint) = at.bound(AnySocket::builder(Xpub).xpub_manual(true)).await;
        let sub = at.connected(AnySocket::builder(Sub).subscribe("a"), &endpoint).await;
        assert_eq!(xpub.recv().await.expect("received"), "\x01a");
        xpub.subscribe("b").expect("granted");
        assert_eq!(xpub.subscription_count(), 1);
        xpub.unsubscribe("b").expect("withdrawn");
        assert_eq!(xpub.subscription_count(), 0);
        drop(sub);
    }

    async fn refused_call_takes_nothing(at) {
        let (push, pull) = pair(&at, Push, Pull).await;
        push.send("job").await.expect("sent");
        testing::eventually("the message waits", || pull.stats().recv_queue == 1).await;
        assert!(pull.try_recv_from().expect_err("no routing ids").is_unsupported());
        assert!(pull.recv_from().await.expect_err("no routing ids").is_unsupported());
        assert_eq!(pull.recv().await.expect("still there"), "job");
    }

    async fn proxy_joins_every_pair(at) {
        // The client sends first; what is at the front and at the back of the proxy; the server.
        let ways = [
            (Req, Router, Dealer, Rep),
            (Push, Pull, Push, Pull),
            (Pair, Pair, Pair, Pair),
            (Dealer, Dealer, Dealer, Dealer),
            (Pub, Xsub, Xpub, Sub),
            (Pub, Sub, Pub, Sub),
        ];
        for (client, front, back, server) in ways {
            let (front, front_at) = at.bound(AnySocket::builder(front)).await;
            let (back, back_at) = at.bound(AnySocket::builder(back)).await;
            let work = async {
                let server = at.connected(AnySocket::builder(server), &back_at).await;
                let client = at.connected(AnySocket::builder(client), &front_at).await;
                if server.socket_type() == Sub {
                    server.subscribe("").expect("open");
                    if front.socket_type() == Sub {
                        front.subscribe("").expect("open");
                        back.wait_for_subscriptions(1).await.expect("open");
                    }
                    client.wait_for_subscriptions(1).await.expect("open");
                }
                send_and_recv(&client, &server, "there").await;
                if SENDERS.contains(&server.socket_type()) && RECEIVERS.contains(&client.socket_type()) {
                    send_and_recv(&server, &client, "and back").await;
                }
            };
            match select(pin!(proxy(&front, &back)), pin!(work)).await {
                Either::Left((ended, _)) => panic!("the proxy has ended: {ended:?}"),
                Either::Right(_) => {}
            }
        }
    }
}

/// The result of an operation, with the message that came back.
type Outcome = Result<(), Box<(MonocoqueError, Option<Message>)>>;
type Operation = for<'a> fn(&'a AnySocket) -> BoxFuture<'a, Outcome>;

fn sent(result: Result<(), SendError>) -> Outcome {
    result.map_err(|error| {
        assert_eq!(error.kind(), error.reason().kind());
        let (reason, message) = error.into_parts();
        Box::new((reason, Some(message)))
    })
}

fn done<T>(result: Result<T, MonocoqueError>) -> Outcome {
    result.map(drop).map_err(|reason| Box::new((reason, None)))
}

const AT_ONCE: Duration = Duration::ZERO;

/// Each operation that some types lack: what the error says, and the types that have it. No
/// operation waits, where it is possible.
const OPERATIONS: &[(&str, &[SocketType], Operation)] = &[
    ("send", SENDERS, |it| async { sent(it.send_timeout("x", AT_ONCE).await) }.boxed()),
    ("send", SENDERS, |it| async { sent(it.try_send("x")) }.boxed()),
    ("send", SENDERS, |it| async { done(it.flush_timeout(AT_ONCE).await) }.boxed()),
    ("send by routing id", BY_ID, |it| {
        async { sent(it.send_to_timeout("peer", "x", AT_ONCE).await) }.boxed()
    }),
    ("send by routing id", BY_ID, |it| async { sent(it.send_to("peer", "x").await) }.boxed()),
    ("send by routing id", BY_ID, |it| async { sent(it.try_send_to("peer", "x")) }.boxed()),
    ("send by routing id", BY_ID, |it| async { done(it.recv_from_timeout(AT_ONCE).await) }.boxed()),
    ("send by routing id", BY_ID, |it| async { done(it.try_recv_from()) }.boxed()),
    ("send by routing id", BY_ID, |it| {
        async { done(it.connect_as("tcp://127.0.0.1:1", "name").await) }.boxed()
    }),
    ("receive", RECEIVERS, |it| async { done(it.recv_timeout(AT_ONCE).await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.recv_batch_timeout(&mut vec![], 9, AT_ONCE).await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.recv_batch(&mut vec![], 0).await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.recv_with_peer_timeout(AT_ONCE).await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.try_recv()) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.try_recv_with_peer()) }.boxed()),
    ("subscribe", SUBSCRIBERS, |it| async { done(it.subscribe("topic")) }.boxed()),
    ("subscribe", SUBSCRIBERS, |it| async { done(it.unsubscribe("topic")) }.boxed()),
    ("publish", PUBLISHERS, |it| async { done(it.wait_for_subscriptions(0).await) }.boxed()),
    ("publish", PUBLISHERS, |it| async { done(it.wait_for_subscriptions_timeout(0, AT_ONCE).await) }.boxed()),
    ("send requests", &[Req], |it| async { done(it.request_timeout("x", AT_ONCE).await) }.boxed()),
];

/// The operations that would wait, on types that have them.
const WAITING: &[(&str, &[SocketType], Operation)] = &[
    ("send", SENDERS, |it| async { sent(it.send("x").await) }.boxed()),
    ("send", SENDERS, |it| async { sent(it.send_buffered("x").await) }.boxed()),
    ("send", SENDERS, |it| async { done(it.flush().await) }.boxed()),
    ("send", SENDERS, |it| {
        async {
            let mut sink = it.sink();
            let sent = SinkExt::send(&mut sink, Message::from("x")).await;
            sent.map_err(|reason| Box::new((reason, sink.take_unsent())))
        }
        .boxed()
    }),
    ("receive", RECEIVERS, |it| async { done(it.recv().await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.recv_with_peer().await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.recv_batch(&mut vec![], 9).await) }.boxed()),
    ("receive", RECEIVERS, |it| async { done(it.stream().next().await.expect("an item")) }.boxed()),
    ("send by routing id", BY_ID, |it| async { done(it.recv_from().await) }.boxed()),
    ("send requests", &[Req], |it| async { done(it.request("x").await) }.boxed()),
];

/// The article and the name, as an error has them.
fn named(socket_type: SocketType) -> String {
    let article = if matches!(socket_type, Xpub | Xsub) { "an" } else { "a" };
    format!("{article} {socket_type} socket")
}

fn assert_refused(socket_type: SocketType, operation: &str, outcome: Outcome) {
    let (error, message) = *outcome.expect_err(operation);
    assert_eq!(error.to_string(), format!("{} cannot {operation}", named(socket_type)));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(message.is_none_or(|message| message == "x"), "the message comes back");
}

#[test]
fn missing_operation_names_type() {
    for placement in [Placement::Current, Placement::Thread] {
        run(Transport::Inproc, placement, async move |at| {
            for socket_type in ALL {
                let socket = at.build(AnySocket::builder(socket_type));
                for (operation, capable, call) in OPERATIONS.iter().chain(WAITING) {
                    if !capable.contains(&socket_type) {
                        assert_refused(socket_type, operation, call(&socket).await);
                    }
                }
                for (operation, capable, call) in OPERATIONS {
                    if capable.contains(&socket_type)
                        && let Err(refused) = call(&socket).await
                    {
                        let (error, _) = *refused;
                        assert!(!error.is_unsupported(), "{socket_type}: {operation}: {error}");
                    }
                }
            }
        });
    }
}

#[test]
fn generic_code_gets_same_errors() {
    async fn by_id<S: RoutesById>(socket: &S) -> SendError {
        socket.send_to("peer", "x").await.expect_err("no routing ids")
    }
    run(Transport::Inproc, Placement::Current, async move |at| {
        let error = by_id(&at.build(AnySocket::builder(Pair))).await;
        assert_eq!(error.to_string(), "a PAIR socket cannot send by routing id");
        assert!(error.is_unsupported());
        assert_eq!(error.into_message(), "x");
        let router = at.build(AnySocket::builder(Router).router_mandatory(true));
        assert!(matches!(by_id(&router).await.reason(), MonocoqueError::Unreachable));
    });
}

#[test]
fn blocking_view_has_all_calls() {
    run(Transport::Inproc, Placement::Thread, async move |at| {
        let (rep, req) = pair(&at, Rep, Req).await;
        let pub_ = at.build(AnySocket::builder(Pub));
        on_blocking_thread(move || {
            req.blocking().send("question").expect("sent");
            assert_eq!(rep.blocking().recv().expect("received"), "question");
            rep.blocking().send("answer").expect("sent");
            rep.blocking().flush().expect("written");
            assert_eq!(req.blocking().recv_timeout(Duration::MAX).expect("received"), "answer");

            let error = req.blocking().recv_from().expect_err("no routing ids");
            assert_eq!(error.to_string(), "a REQ socket cannot send by routing id");
            let error = rep.blocking().request("x").expect_err("it replies");
            assert_eq!(error.to_string(), "a REP socket cannot send requests");
            let error = req.blocking().wait_for_subscriptions(0).expect_err("no publisher");
            assert_eq!(error.to_string(), "a REQ socket cannot publish");
            let error = pub_.blocking().recv().expect_err("it does not receive");
            assert_eq!(error.to_string(), "a PUB socket cannot receive");
            let error = pub_.blocking().send_to("peer", "x").expect_err("no routing ids");
            assert_eq!(error.into_message(), "x");
            let error = blocking_proxy(&req, &pub_).expect_err("it alternates");
            assert_eq!(error.to_string(), "a REQ socket cannot stand at an end of a proxy");
        })
        .await;
    });
}

#[test]
fn proxy_refuses_alternating_types() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        let dealer = at.build(AnySocket::builder(Dealer));
        for socket_type in [Req, Rep] {
            let socket = at.build(AnySocket::builder(socket_type));
            for ended in [proxy(&socket, &dealer).await, proxy(&dealer, &socket).await] {
                let text = format!("a {socket_type} socket cannot stand at an end of a proxy");
                assert_eq!(ended.expect_err("refused").to_string(), text);
            }
        }
        let (router, sub) = (at.build(RouterSocket::builder()), at.build(AnySocket::builder(Sub)));
        let error = Proxy::new(&router, &dealer).capture(&sub).run().await.expect_err("refused");
        assert_eq!(error.to_string(), "a SUB socket cannot send");
    });
}

type SetOption = fn(Builder<AnySocket>) -> Builder<AnySocket>;

const SECURE: &[SocketType] = &[Dealer, Router, Req, Rep, Pub, Sub, Xpub, Xsub, Push, Pull, Pair];

/// Each option that some types lack, with the types that have it.
const OPTIONS: &[(&str, &[SocketType], SetOption)] = &[
    ("conflate", &[Dealer, Pub, Sub, Push, Pull], |it| it.conflate(true)),
    ("hello_msg", &[Dealer, Router], |it| it.hello_msg("hello")),
    ("hiccup_msg", &[Dealer], |it| it.hiccup_msg("hiccup")),
    ("invert_matching", &[Pub, Sub, Xpub], |it| it.invert_matching(true)),
    ("only_first_subscribe", &[Xpub, Xsub], |it| it.only_first_subscribe(true)),
    ("probe_router", &[Dealer, Router, Req], |it| it.probe_router(true)),
    ("router_mandatory", &[Router], |it| it.router_mandatory(true)),
    ("router_handover", &[Router], |it| it.router_handover(true)),
    ("router_notify", &[Router], |it| it.router_notify([])),
    ("disconnect_msg", &[Router], |it| it.disconnect_msg("gone")),
    ("stream_notify", &[Stream], |it| it.stream_notify(true)),
    ("nodrop", PUBLISHERS, |it| it.nodrop(true)),
    ("subscribe", &[Sub, Xsub], |it| it.subscribe("topic")),
    ("req_relaxed", &[Req], |it| it.req_relaxed(true)),
    ("req_correlate", &[Req], |it| it.req_correlate(true)),
    ("xpub_verbose", &[Xpub], |it| it.xpub_verbose(true)),
    ("xpub_verboser", &[Xpub], |it| it.xpub_verboser(true)),
    ("xpub_manual", &[Xpub], |it| it.xpub_manual(true)),
    ("xpub_manual_last_value", &[Xpub], |it| it.xpub_manual_last_value(true)),
    ("xpub_welcome_msg", &[Xpub], |it| it.xpub_welcome_msg("welcome")),
    ("plain_server", SECURE, |it| it.plain_server()),
    ("plain_client", SECURE, |it| it.plain_client("user", "password")),
    ("zap_domain", SECURE, |it| it.zap_domain("domain")),
    ("zap_enforce_domain", SECURE, |it| it.zap_enforce_domain(false)),
    ("metadata", SECURE, |it| it.metadata("X-Zone", "north")),
];

#[test]
fn missing_option_names_type() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        for socket_type in ALL {
            for (option, capable, set) in OPTIONS {
                // A clone of a builder keeps the error.
                let built = set(AnySocket::builder(socket_type)).clone().build_in(&at.context);
                if capable.contains(&socket_type) {
                    built.unwrap_or_else(|error| panic!("{socket_type}: {option}: {error}"));
                } else {
                    let text = format!("{} cannot take the option `{option}`", named(socket_type));
                    assert_eq!(built.expect_err("refused").to_string(), text);
                }
            }
        }
    });
}

#[cfg(feature = "curve")]
#[test]
fn stream_has_no_curve() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        let keys = CurveKeyPair::generate();
        let server = AnySocket::builder(Stream).curve_server(keys.secret.clone());
        let error = server.build_in(&at.context).expect_err("refused");
        assert_eq!(error.to_string(), "a STREAM socket cannot take the option `curve_server`");
        AnySocket::builder(Rep).curve_server(keys.secret).build_in(&at.context).expect("built");
    });
}

/// Converts a typed socket there and back.
fn convert<S>(at: &At, socket_type: SocketType)
where
    S: TypedSocket + Into<AnySocket> + TryFrom<AnySocket, Error = monocoque::zmq::WrongSocketType>,
{
    let socket: S = at.socket();
    assert_eq!(socket.as_any().socket_type(), socket_type);
    assert_eq!(socket.as_any().as_any().socket_type(), socket_type);
    let any: AnySocket = socket.into();
    assert_eq!(any.socket_type(), socket_type);
    assert!(format!("{any:?}").starts_with(&format!("AnySocket {{ socket_type: {socket_type:?}, peers: 0")));
    let handle = any.clone();
    let socket = S::try_from(any).expect("of this type");
    assert_eq!(socket.socket_type(), socket_type);
    drop(socket);
    assert!(!handle.is_closed(), "a clone keeps it open");

    let other = if socket_type == Pair { Push } else { Pair };
    let error = S::try_from(at.build(AnySocket::builder(other))).expect_err("of another type");
    assert_eq!(error.to_string(), format!("the socket is of type {other}, not {socket_type}"));
    assert_eq!((error.expected(), error.socket().socket_type()), (socket_type, other));
    assert!(!error.into_socket().is_closed());
}

#[test]
fn conversion_keeps_socket_and_checks_type() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        convert::<DealerSocket>(&at, Dealer);
        convert::<RouterSocket>(&at, Router);
        convert::<ReqSocket>(&at, Req);
        convert::<RepSocket>(&at, Rep);
        convert::<PubSocket>(&at, Pub);
        convert::<SubSocket>(&at, Sub);
        convert::<XpubSocket>(&at, Xpub);
        convert::<XsubSocket>(&at, Xsub);
        convert::<PushSocket>(&at, Push);
        convert::<PullSocket>(&at, Pull);
        convert::<PairSocket>(&at, Pair);
        convert::<StreamSocket>(&at, Stream);
    });
}

#[test]
fn stream_exchanges_bytes() {
    for placement in [Placement::Current, Placement::Thread] {
        run(Transport::Tcp, placement, async move |at| {
            let (server, endpoint) = at.bound(AnySocket::builder(Stream).stream_notify(false)).await;
            let client = at.build(AnySocket::builder(Stream).stream_notify(false));
            client.connect_as(endpoint, "server").await.expect("connected");
            client.send_to("server", "hello").await.expect("sent");
            let (peer, hello) = server.recv_from().await.expect("received");
            assert_eq!(hello, "hello");
            server.send_to(&peer, "and back").await.expect("sent");
            assert_eq!(client.recv().await.expect("received"), ["server", "and back"]);
        });
    }
}

#[test]
fn closed_socket_reports_closed() {
    run(Transport::Inproc, Placement::Current, async move |at| {
        for socket_type in ALL {
            let socket = at.build(AnySocket::builder(socket_type));
            socket.close().await;
            assert!(socket.is_closed());
            if RECEIVERS.contains(&socket_type) && !matches!(socket_type, Req) {
                assert!(socket.try_recv().expect_err("closed").is_closed());
            }
            assert!(socket.bind("inproc://closed").await.expect_err("closed").is_closed());
        }
    });
}
