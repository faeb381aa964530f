//! Counters and gauges of the `metrics` crate: every value of a socket and its peers arrives at the
//! recorder, with its labels, unit and description.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, Socket};
use monocoque::{Endpoint, SocketEvent};
use testing::{RawPeerListener, numbered, over_streams};

/// A recorder that keeps the values of all series.
#[derive(Clone, Debug, Default)]
struct Values(Arc<State>);

#[derive(Debug, Default)]
struct State {
    counters: Mutex<HashMap<Key, Arc<AtomicU64>>>,
    gauges: Mutex<HashMap<Key, Arc<AtomicU64>>>,
    described: Mutex<BTreeMap<String, Unit>>,
}

impl State {
    fn describe(&self, key: &KeyName, unit: Option<Unit>) {
        self.described.lock().expect("units").insert(key.as_str().to_owned(), unit.expect("a unit"));
    }
}

impl Recorder for Values {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _description: SharedString) {
        self.0.describe(&key, unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _description: SharedString) {
        self.0.describe(&key, unit);
    }

    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        assert_eq!(metadata.target(), "monocoque");
        Counter::from_arc(self.0.counters.lock().expect("counters").entry(key.clone()).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.0.gauges.lock().expect("gauges").entry(key.clone()).or_default().clone())
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// The labels of a socket or of one of its peers.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Values {
    /// Returns the recorder of the process.
    fn of_process() -> &'static Self {
        static VALUES: OnceLock<Values> = OnceLock::new();
        VALUES.get_or_init(|| {
            let values = Self::default();
            metrics::set_global_recorder(values.clone()).expect("the first");
            values
        })
    }

    /// Returns the sum of the counters of this name that have these labels; `None` without any.
    fn counter(&self, name: &str, labels: Labels<'_>) -> Option<u64> {
        let counters = self.0.counters.lock().expect("counters");
        let found: Vec<_> = counters.iter().filter(|(key, _)| is(key, name, labels)).collect();
        let sum = found.iter().map(|(_, value)| value.load(Ordering::Relaxed)).sum();
        (!found.is_empty()).then_some(sum)
    }

    /// Returns the sum of the gauges of this name that have these labels.
    fn gauge(&self, name: &str, labels: Labels<'_>) -> Option<f64> {
        let gauges = self.0.gauges.lock().expect("gauges");
        let found: Vec<_> = gauges.iter().filter(|(key, _)| is(key, name, labels)).collect();
        let sum = found.iter().map(|(_, value)| f64::from_bits(value.load(Ordering::Relaxed))).sum();
        (!found.is_empty()).then_some(sum)
    }

    /// Returns the number of the socket that has a peer at this endpoint.
    fn socket_of(&self, socket_type: &str, endpoint: &Endpoint) -> Option<String> {
        let wanted = [("type", socket_type), ("endpoint", &*endpoint.to_string())];
        let counters = self.0.counters.lock().expect("counters");
        let key = counters.keys().find(|key| is(key, "monocoque_peer_sent_bytes_total", &wanted))?;
        key.labels().find(|label| label.key() == "socket").map(|label| label.value().to_owned())
    }
}

/// Returns whether a key has this name and these labels, at least.
fn is(key: &Key, name: &str, labels: Labels<'_>) -> bool {
    let has =
        |(label, value): &(&str, &str)| key.labels().any(|it| it.key() == *label && it.value() == *value);
    key.name() == name && labels.iter().all(has)
}

/// Returns the endpoint on a loopback address that no other test uses.
fn apart(endpoint: &Endpoint) -> Endpoint {
    let [_, b, c, d] = fastrand::u32(..).to_be_bytes().map(|byte| byte.clamp(1, 254));
    let apart = endpoint.to_string().replace("127.0.0.1", &format!("127.{b}.{c}.{d}"));
    apart.parse().expect("valid")
}

/// Binds a socket where no other test does.
async fn bound<S: Socket>(at: &testing::At, socket: &S) -> Endpoint {
    socket.bind(apart(&at.wildcard_endpoint())).await.expect("bound")
}

over_streams! {
    async fn socket_and_peer_values_are_reported(at) {
        let values = Values::of_process();
        let (pull, push) = (at.socket::<PullSocket>(), at.socket::<PushSocket>());
        let endpoint = bound(&at, &pull).await;
        push.connect(endpoint.clone()).await.expect("connected");
        for n in 0..100 {
            push.send(numbered(n)).await.expect("sent");
        }
        for _ in 0..100 {
            pull.recv().await.expect("received");
        }
        // While they are open, by samples.
        testing::eventually("both are sampled", || {
            let both = ["PUSH", "PULL"].map(|kind| values.socket_of(kind, &endpoint));
            both.iter().all(Option::is_some)
        })
        .await;
        let id = ["PUSH", "PULL"].map(|kind| values.socket_of(kind, &endpoint).expect("sampled"));
        let [push_id, pull_id] = id.each_ref().map(|id| [("socket", &**id)]);
        testing::eventually("the peer is counted", || values.gauge("monocoque_peers", &pull_id) == Some(1.0)).await;
        push.close().await;
        pull.close().await;
        for (name, labels, expected) in [
            ("monocoque_sent_messages_total", &push_id, 100),
            ("monocoque_peer_sent_messages_total", &push_id, 100),
            ("monocoque_received_messages_total", &pull_id, 100),
            ("monocoque_peer_received_messages_total", &pull_id, 100),
            ("monocoque_dropped_messages_total", &push_id, 0),
            ("monocoque_discarded_messages_total", &pull_id, 0),
        ] {
            assert_eq!(values.counter(name, labels), Some(expected), "{name}");
        }
        let sent = values.counter("monocoque_sent_bytes_total", &push_id).expect("reported");
        assert!(sent >= 300, "{sent}");
        for (name, labels) in [
            ("monocoque_received_bytes_total", &pull_id),
            ("monocoque_peer_sent_bytes_total", &push_id),
            ("monocoque_peer_received_bytes_total", &pull_id),
        ] {
            assert_eq!(values.counter(name, labels), Some(sent), "{name}");
        }
        for name in ["monocoque_peers", "monocoque_send_queue_messages", "monocoque_peer_send_queue_messages"] {
            assert_eq!(values.gauge(name, &push_id), Some(0.0), "{name}");
        }
    }

    async fn direct_writes_count_bytes(at) {
        let values = Values::of_process();
        let (router, dealer) = (at.socket::<RouterSocket>(), at.socket::<DealerSocket>());
        let endpoint = bound(&at, &router).await;
        dealer.connect(endpoint.clone()).await.expect("connected");
        for n in 0..10 {
            dealer.send(numbered(n)).await.expect("sent");
            let request = router.recv().await.expect("received");
            router.send(request).await.expect("sent");
            dealer.recv().await.expect("received");
        }
        dealer.close().await;
        router.close().await;
        let id = ["DEALER", "ROUTER"].map(|kind| values.socket_of(kind, &endpoint).expect("reported"));
        let [dealer, router] = id.each_ref().map(|id| [("socket", &**id)]);
        let received = values.counter("monocoque_received_bytes_total", &dealer).expect("reported");
        assert!(received >= 30, "{received}");
        assert_eq!(values.counter("monocoque_sent_bytes_total", &router), Some(received));
    }

    async fn failures_count_by_reason(at) {
        let values = Values::of_process();
        let (router, publisher) = (at.socket::<RouterSocket>(), at.socket::<PubSocket>());
        let before = |kind: &str, reason: &str| {
            values.counter("monocoque_handshake_failures_total", &[("type", kind), ("reason", reason)])
        };
        let earlier = before("PUB", "incompatible").unwrap_or(0);
        let mut monitor = publisher.monitor();
        publisher.connect(bound(&at, &router).await).await.expect("connected");
        while !matches!(monitor.next().await.expect("open"), SocketEvent::HandshakeFailed { .. }) {}
        assert!(before("PUB", "incompatible").expect("reported") > earlier);

        let failures = || values.counter("monocoque_connect_failures_total", &[("type", "DEALER")]).unwrap_or(0);
        let (dealer, earlier) = (at.socket::<DealerSocket>(), failures());
        let mut monitor = dealer.monitor();
        dealer.connect(apart(&at.unused_endpoint("nobody"))).await.expect("connected");
        while !matches!(monitor.next().await.expect("open"), SocketEvent::ConnectFailed { .. }) {}
        assert!(failures() > earlier);
    }

    async fn redelivered_messages_are_counted(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "hangs-up");
        let push = at.build(PushSocket::builder().send_hwm(0).linger(Some(Duration::ZERO)));
        push.connect(endpoint).await.expect("connected");
        let peer = testing::on_blocking_thread(move || {
            let mut peer = listener.accept();
            peer.shake_hands("PULL", b"");
            peer
        })
        .await;
        push.wait_for_peers(1).await.expect("open");
        let body = vec![0; 1 << 20];
        for _ in 0..20 {
            push.send(body.clone()).await.expect("queued");
        }
        drop(peer);
        testing::eventually("messages come back", || push.stats().redelivered > 0).await;
        assert!(push.stats().redelivered <= 20);
        push.close().await;
    }
}

over_streams! {
    async fn listed_peers_are_bounded(at) {
        let values = Values::of_process();
        let router = at.socket::<RouterSocket>();
        let endpoint = bound(&at, &router).await;
        let dealers: Vec<DealerSocket> = (0..300).map(|_| at.socket()).collect();
        for dealer in &dealers {
            dealer.connect(endpoint.clone()).await.expect("connected");
        }
        router.wait_for_peers(300).await.expect("open");
        let named = endpoint.to_string();
        let of_router = [("type", "ROUTER"), ("endpoint", &*named)];
        let series = || {
            let counters = values.0.counters.lock().expect("counters");
            counters.keys().filter(|key| is(key, "monocoque_peer_sent_bytes_total", &of_router)).count()
        };
        testing::eventually("the first peers have series", || series() == 256).await;
        let id = values.socket_of("ROUTER", &endpoint).expect("reported");
        testing::eventually("all peers are counted", || {
            values.gauge("monocoque_peers", &[("socket", &*id)]) == Some(300.0)
        })
        .await;
        assert_eq!(series(), 256);
    }
}

#[test]
fn described_metrics_are_documented() {
    let values = Values::default();
    metrics::with_local_recorder(&values, monocoque::metrics::describe);
    let described = values.0.described.lock().expect("units");
    assert_eq!(described.len(), 20);
    for page in [include_str!("../src/metrics.rs"), include_str!("../../docs/reference/metrics.md")] {
        for (name, unit) in &*described {
            let short = name.strip_prefix("monocoque_").expect("our name");
            assert!(page.contains(&format!("`{short}`")), "{name}");
            assert_eq!(*unit == Unit::Bytes, short.contains("bytes"), "{name}");
        }
    }
}
