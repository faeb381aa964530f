//! The meters of sockets.

use std::time::Duration;

use futures_util::future::{Either, select};
use metrics::{Label, counter, gauge};
use monocoque_core::runtime;

use super::PeerMeter;
use super::peer::Failures;
use crate::metrics::{describe, names};
use crate::monitor::DisconnectReason;
use crate::socket::Engine;

pub(crate) const ON: bool = true;

/// Runs the work of the supervisor, and meanwhile samples the socket.
pub(crate) async fn beside<T>(engine: &Engine, work: impl Future<Output = T>) -> T {
    let sampling = std::pin::pin!(async {
        runtime::sleep(INTERVAL).await;
        describe();
        loop {
            sample(engine).await;
            runtime::sleep(INTERVAL).await;
        }
    });
    match select(std::pin::pin!(work), sampling).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => never,
    }
}

/// Reports the values of a socket and its peers, a few peers at a time.
async fn sample(engine: &Engine) {
    let peers = engine.meter.all();
    publish(engine, &peers);
    for some in peers.chunks(AT_ONCE) {
        if some.iter().filter(|peer| peer.publish()).count() > 0 {
            runtime::yield_now().await;
        }
    }
}

/// Reports the last values of a socket whose tasks have ended.
pub(crate) fn ended(engine: &Engine) {
    publish(engine, &engine.meter.all());
}

/// Counts a failed attempt to connect.
pub(crate) fn connect_failed(engine: &Engine) {
    engine.meter.failures.lock().connects += 1;
    publish_failures(engine, &socket_labels(engine));
}

/// Counts a failed handshake.
pub(crate) fn handshake_failed(engine: &Engine, reason: &DisconnectReason) {
    *engine.meter.failures.lock().handshakes.entry(reason.label()).or_default() += 1;
    publish_failures(engine, &socket_labels(engine));
}

pub(super) fn socket_labels(engine: &Engine) -> Vec<Label> {
    vec![
        Label::new("socket", engine.id.to_string()),
        Label::new("type", engine.pattern.socket_type.to_string()),
    ]
}

fn publish(engine: &Engine, peers: &[PeerMeter]) {
    let (stats, labels) = (engine.stats(), socket_labels(engine));
    publish_failures(engine, &labels);
    let (sent_bytes, received_bytes) = engine.meter.bytes(peers);
    for (name, value) in [
        (names::SENT_MESSAGES, stats.sent),
        (names::RECEIVED_MESSAGES, stats.received),
        (names::DROPPED_MESSAGES, stats.dropped),
        (names::DISCARDED_MESSAGES, stats.discarded),
        (names::REDELIVERED_MESSAGES, stats.redelivered),
        (names::SENT_BYTES, sent_bytes),
        (names::RECEIVED_BYTES, received_bytes),
        (names::LOST_CONNECTIONS, stats.lost_connections),
        (names::AUTH_FAILURES, stats.auth_failures),
        (names::VIOLATIONS, stats.violations),
    ] {
        counter!(target: TARGET, name, labels.clone()).absolute(value);
    }
    for (name, value) in [
        (names::SEND_QUEUE, stats.send_queue),
        (names::RECV_QUEUE, stats.recv_queue),
        (names::PEERS, stats.peers),
    ] {
        gauge!(target: TARGET, name, labels.clone()).set(value as f64);
    }
}

/// Reports failures, again with each sample: a recorder may have dropped series that are idle.
fn publish_failures(engine: &Engine, labels: &[Label]) {
    let Failures { connects, handshakes } = engine.meter.failures.lock().clone();
    counter!(target: TARGET, names::CONNECT_FAILURES, labels.to_vec()).absolute(connects);
    for (reason, failed) in handshakes {
        let mut labels = labels.to_vec();
        labels.push(Label::new("reason", reason));
        counter!(target: TARGET, names::HANDSHAKE_FAILURES, labels).absolute(failed);
    }
}

/// The target of all metrics.
pub(super) const TARGET: &str = "monocoque";
/// The time between two samples.
const INTERVAL: Duration = Duration::from_secs(1);
/// The number of peers between two turns of other tasks.
const AT_ONCE: usize = 16;
