//! Requests and replies that are late, interleaved with those of others, or lost.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use monocoque::MonocoqueError;
use monocoque::zmq::{RepSocket, ReqSocket};

use super::{SOON, through};
use testing::proxy::{Fault, FaultPlan};
use testing::{At, AtOnce, Placement, Transport, numbered, over_streams};

/// Echoes every request, without end.
async fn echo(rep: &RepSocket) {
    loop {
        let request = rep.recv().await.expect("open");
        rep.send(request).await.expect("in turn");
    }
}

async fn run_with_load<T>(load: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    match select(pin!(load), pin!(work)).await {
        Either::Left(((), _)) => unreachable!("the load has no end"),
        Either::Right((done, _)) => done,
    }
}

async fn check_late_reply(at: At) {
    let (rep, endpoint) = at.bound(RepSocket::builder()).await;
    let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
    let req = at.build(ReqSocket::builder());
    req.connect(proxy.endpoint()).await.expect("connected");
    let ask = async {
        assert_eq!(req.request("first").await.expect("answered"), "first");
        proxy.inject_all(Fault::Pause(Duration::from_millis(200)));
        testing::eventually("the proxy has paused the connection", || proxy.counts().pauses == 1).await;
        req.send("late").await.expect("in turn");
        for _ in 0..1000 {
            assert!(req.recv().at_once().is_none(), "no reply yet");
        }
        let early = req.send("too early").await.expect_err("the reply has not arrived");
        assert!(matches!(early.reason(), MonocoqueError::OutOfTurn(_)));
        assert_eq!(req.recv().await.expect("the late reply is received"), "late");
        for n in 0..10_000 {
            req.send(numbered(n)).await.expect("in turn");
            if n % 3 == 0 && req.recv().at_once().is_some_and(|reply| reply.expect("open") == numbered(n)) {
                continue;
            }
            assert_eq!(req.recv().await.expect("answered"), numbered(n), "and no other");
        }
    };
    run_with_load(echo(&rep), ask).await;
}

#[test]
fn late_reply_over_tcp_stays_matched() {
    testing::run_within(LIMIT, Transport::Tcp, Placement::Thread, check_late_reply);
}

#[test]
fn late_reply_over_ipc_stays_matched() {
    testing::run_within(LIMIT, Transport::Ipc, Placement::Current, check_late_reply);
}

over_streams! {
    async fn fragmented_request_envelopes_never_mix(at) {
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { fragment: 7, delay: Duration::from_micros(100), ..FaultPlan::default() };
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let mut reqs = Vec::new();
        for _ in 0..4 {
            let req = at.build(ReqSocket::builder());
            req.connect(proxy.endpoint()).await.expect("connected");
            reqs.push(req);
        }
        let ask = reqs.iter().enumerate().map(|(who, req)| async move {
            for n in 0..100 {
                let request = numbered(who * 1_000 + n);
                assert_eq!(req.request(request.clone()).await.expect("answered"), request);
            }
        });
        run_with_load(echo(&rep), futures::future::join_all(ask)).await;
    }

    /// Checks that a request accepted by the kernel is not resent: its socket waits and is
    /// replaced.
    async fn lost_request_is_not_resent(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
        let build = || at.build(ReqSocket::builder().reconnect_interval(SOON).linger(Some(Duration::ZERO)));
        let ask = async {
            for n in 0..10 {
                let req = build();
                req.connect(proxy.endpoint()).await.expect("connected");
                assert_eq!(req.request("good").await.expect("answered"), "good");
                proxy.inject_all(Fault::Stall(Duration::from_secs(3600)));
                testing::eventually("the connection is half open", || proxy.counts().stalls == n + 1).await;
                req.send("lost").await.expect("in turn");
                req.flush().await.expect("accepted by the kernel");
                proxy.heal();
                testing::eventually("the lost connection is detected", || req.stats().lost_connections == 1).await;
                req.wait_for_peers(1).await.expect("open");
                assert!(req.recv().at_once().is_none(), "the request is lost");
                let next = build();
                next.connect(proxy.endpoint()).await.expect("connected");
                assert_eq!(next.request("next").await.expect("answered"), "next");
                req.close().await;
                next.close().await;
            }
        };
        run_with_load(echo(&rep), ask).await;
    }

    /// Checks that an unsent request is sent over the next connection, and that its reply is
    /// received.
    async fn unsent_request_is_resent(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
        let req = at.build(ReqSocket::builder().reconnect_interval(SOON));
        req.connect(proxy.endpoint()).await.expect("connected");
        let ask = async {
            for n in 0..30usize {
                req.wait_for_peers(1).await.expect("open");
                let lost = req.stats().lost_connections;
                proxy.inject_all(Fault::Reset);
                testing::eventually("the lost connection is detected", || req.stats().lost_connections > lost).await;
                let reply = req.request(numbered(n)).await.expect("answered");
                assert_eq!(reply, numbered(n));
            }
        };
        run_with_load(echo(&rep), ask).await;
    }
}

const LIMIT: Duration = Duration::from_secs(60);
