//! Tests of the outgoing side without a socket.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use monocoque_core::Waiters;
use monocoque_core::sync::AtomicBool;
use monocoque_core::transport::DirectWriter;
use monocoque_zmtp::Subscription;

use super::super::link::{Link, Pump, Way};
use super::super::{DEALER, PUB, REQ, XPUB};
use super::*;
use crate::endpoint::{EndpointId, EndpointKey, Origin};
use crate::pattern::link::DirectWrite;

/// A stream of which the system accepts a number of bytes.
#[derive(Debug)]
struct Takes(usize);

impl DirectWriter for Takes {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum::<usize>().min(self.0))
    }
}

fn outbound(pattern: &Pattern, hwm: usize) -> Outbound {
    Outbound::new(pattern, &Options { send_hwm: Hwm::new(hwm), ..Options::default() })
}

fn parked(pattern: &Pattern, hwm: usize, takes: Option<usize>) -> (Outbound, PeerKey) {
    let mut out = outbound(pattern, hwm);
    let key = join(&mut out, takes);
    (out, key)
}

fn join(out: &mut Outbound, takes: Option<usize>) -> PeerKey {
    let has_input = Arc::new(AtomicBool::new(true));
    let direct = takes.map(|n| DirectWrite::new(Arc::new(Takes(n)), has_input, Arc::default()));
    let id = routing_id(b"", out.peer_count() as u32);
    let mut wakes = Wakes::default();
    let through = EndpointKey { id: EndpointId::new(0), origin: Origin::Bound };
    let key = out.add_peer(id, through, direct, &mut wakes).expect("accepted");
    if out.queued() == 0 {
        assert_eq!(take(out, key), None, "nothing waits: the pump parks");
    }
    key
}

/// Returns the batch of a link's write pump, if there is one.
fn take(out: &mut Outbound, key: PeerKey) -> Option<Vec<u8>> {
    let mut batch = Outbox::new();
    let cx = Context::from_waker(Waker::noop());
    match out.poll_take(key, &cx, &mut batch, &mut Wakes::default()) {
        Poll::Ready(more) => more.then(|| batch.slices().collect::<Vec<_>>().concat()),
        Poll::Pending => None,
    }
}

fn is_parked(link: &Link) -> bool {
    matches!(&link.way, Way::Stream(stream) if matches!(stream.pump, Pump::Parked(_)))
}

fn send(out: &mut Outbound, body: &str) -> SendOutcome {
    send_in(out, Flush::Immediate, body)
}

fn send_in(out: &mut Outbound, flush: Flush, body: impl Into<Message>) -> SendOutcome {
    if let Some(publisher) = out.publisher() {
        publisher.begin_send(None);
    }
    let request = SendRequest { target: Target::Pattern, flush, waits: false };
    out.send(request, &mut body.into(), &mut Wakes::default())
}

#[test]
fn direct_write_leaves_pump_idle() {
    let (mut out, key) = parked(&DEALER, 1, Some(usize::MAX));
    assert_eq!(send(&mut out, "answer"), SendOutcome::Queued(Some(key)));
    assert_eq!(take(&mut out, key), None);
    assert_eq!(send(&mut out, "not asked for"), SendOutcome::Queued(Some(key)), "there is room again");
    assert_eq!(take(&mut out, key).expect("queued"), b"\0\x0dnot asked for");
}

#[test]
fn large_reply_is_written_directly() {
    let body = vec![b'm'; 20_000];
    for accepted in [usize::MAX, 5_000] {
        let (mut out, key) = parked(&DEALER, 10, Some(accepted));
        send_in(&mut out, Flush::Immediate, Bytes::from(body.clone()));
        let left = take(&mut out, key).map_or(0, |left| left.len());
        assert_eq!(left, (9 + body.len()).saturating_sub(accepted), "header and body, in one write");
    }
    let (mut out, key) = parked(&DEALER, 10, Some(usize::MAX));
    send_in(&mut out, Flush::Immediate, [Bytes::from(body.clone()), Bytes::from(body)]);
    assert_eq!(take(&mut out, key).expect("too many slices").len(), 2 * (9 + 20_000));
}

#[test]
fn queued_messages_prevent_direct_write() {
    for flush in [Flush::Batched, Flush::Deferred] {
        let (mut out, key) = parked(&DEALER, 10, Some(usize::MAX));
        send_in(&mut out, flush, "one");
        send_in(&mut out, Flush::Immediate, "two");
        match flush {
            // Its pump was woken, and may be running.
            Flush::Batched => assert_eq!(take(&mut out, key).expect("both"), b"\0\x03one\0\x03two"),
            _ => assert_eq!(take(&mut out, key), None, "both are gone"),
        }
    }
}

#[test]
fn deferred_message_waits_for_flush() {
    let (dealer, key) = parked(&DEALER, 10, None);
    for (mut out, keys) in [(dealer, vec![key]), publisher(2, 10)] {
        let asleep = |out: &Outbound| out.peers.links.iter().filter(|(_, link)| is_parked(link)).count();
        send_in(&mut out, Flush::Deferred, "held");
        assert_eq!(asleep(&out), keys.len());
        let goals = out.flush(&mut Wakes::default());
        assert_eq!((asleep(&out), goals.len()), (0, keys.len()));
        for goal in goals {
            let mut goals = vec![goal];
            assert!(!out.has_written(&mut goals));
            assert_eq!(take(&mut out, goal.0).expect("flushed"), b"\0\x04held");
            assert!(!out.has_written(&mut goals), "it was taken, and is not written");
            assert_eq!(take(&mut out, goal.0), None);
            assert!(out.has_written(&mut goals));
        }
    }
}

#[test]
fn returned_messages_are_not_deferred() {
    let (mut out, key) = parked(&DEALER, 10, None);
    let other = join(&mut out, None);
    // One message for each; the hub chooses the order.
    send_in(&mut out, Flush::Batched, "one");
    send_in(&mut out, Flush::Batched, "two");
    assert!(take(&mut out, other).is_some() && take(&mut out, other).is_none());
    send_in(&mut out, Flush::Deferred, "held");
    assert_eq!(
        take(&mut out, other).is_some(),
        out.peers.links.get(key).is_some_and(|link| link.messages() == 1)
    );
    take(&mut out, other);
    out.remove_peer(key, Outbox::new(), &mut Wakes::default());
    assert!(out.peers.links.get(other).is_some_and(|link| !is_parked(link) && link.messages() > 0));
}

#[test]
fn pump_completes_partial_direct_write() {
    let (mut out, key) = parked(&DEALER, 10, Some(3));
    send(&mut out, "first");
    send(&mut out, "second");
    assert_eq!(take(&mut out, key).expect("the rest"), b"irst\0\x06second");
}

#[test]
fn partly_written_message_is_requeued() {
    let (mut out, key) = parked(&DEALER, 10, Some(3));
    send(&mut out, "first");
    send(&mut out, "second");
    out.remove_peer(key, Outbox::new(), &mut Wakes::default());
    let next = join(&mut out, None);
    assert_eq!(take(&mut out, next).expect("both"), b"\0\x05first\0\x06second");
}

#[test]
fn returned_request_yields_to_next() {
    let mut out = Outbound::new(&REQ, &Options { relaxed: true, ..Options::default() });
    out.begin_dial(EndpointId::new(1), &mut Wakes::default());
    let key = join(&mut out, None);
    send_in(&mut out, Flush::Batched, "first");
    out.queue.dialogue = Dialogue::Asked { of: Some(key), number: None, answered: false };
    out.remove_peer(key, Outbox::new(), &mut Wakes::default());
    assert_eq!((out.queued(), out.counters.dropped), (1, 0), "it waits for another peer");
    assert!(out.begin_request(&"next".into(), &mut Wakes::default()));
    assert_eq!((out.queued(), out.counters.dropped), (0, 1));
    assert_eq!(send_in(&mut out, Flush::Batched, "second"), SendOutcome::Queued(None));
    let next = join(&mut out, None);
    assert_eq!(take(&mut out, next).expect("the second"), b"\0\x06second");
}

#[test]
fn aborted_messages_count_as_dropped() {
    let (mut out, key) = parked(&DEALER, 10, None);
    send(&mut out, "one");
    send(&mut out, "two");
    out.enter(Phase::Aborted, &mut Wakes::default());
    out.remove_peer(key, Outbox::new(), &mut Wakes::default());
    assert_eq!((out.counters.dropped, out.queued()), (2, 0));
}

/// Creates a publisher with links that are subscribed to everything.
fn publisher(links: usize, hwm: usize) -> (Outbound, Vec<PeerKey>) {
    let mut out = outbound(&PUB, hwm);
    let keys: Vec<_> = (0..links).map(|_| join(&mut out, None)).collect();
    for key in &keys {
        out.subscriptions().expect("a publisher has them").subscribe(*key, b"");
    }
    (out, keys)
}

#[test]
fn last_value_waits_for_peer() {
    let options = Options {
        manual: true,
        last_value: true,
        mandatory: true,
        send_hwm: Hwm::new(1),
        ..Options::default()
    };
    let mut out = Outbound::new(&XPUB, &options);
    let keys = [join(&mut out, None), join(&mut out, None)];
    for (key, body) in keys.iter().zip(["1", "2"]) {
        let publisher = out.publisher().expect("a publisher has one");
        publisher.set_last_subscriber(*key, Subscription::Subscribe, Waiters::default().next_ticket());
        publisher.change_manually(Subscription::Subscribe, b"");
        send(&mut out, body);
    }
    assert_eq!(take(&mut out, keys[0]).expect("the first"), b"\0\x011");
    out.on_report(keys[1], Subscription::Subscribe, b"a", true, &mut Wakes::default());
    assert_eq!(send_in(&mut out, Flush::Batched, "3"), SendOutcome::Full);
    assert_eq!(take(&mut out, keys[1]).expect("the second"), b"\0\x012");
    assert_eq!(send_in(&mut out, Flush::Batched, "3"), SendOutcome::Queued(None));
    assert_eq!(take(&mut out, keys[1]).expect("the third"), b"\0\x013");
    send(&mut out, "4");
    for key in keys {
        assert_eq!(take(&mut out, key).expect("the fourth"), b"\0\x014");
    }
}

#[test]
fn links_share_log_not_hwm() {
    let (mut out, keys) = publisher(3, 2);
    send(&mut out, "1");
    assert_eq!(take(&mut out, keys[0]).expect("one"), b"\0\x011");
    send(&mut out, "2");
    send(&mut out, "3");
    send(&mut out, "4");
    assert_eq!((out.queued(), out.counters.dropped, out.counters.sent), (6, 5, 4));
    assert_eq!(take(&mut out, keys[0]).expect("two"), b"\0\x012\0\x013");
    send(&mut out, "5");
    assert_eq!(take(&mut out, keys[0]).expect("one"), b"\0\x015");
    for key in &keys[1..] {
        assert_eq!(take(&mut out, *key).expect("two"), b"\0\x011\0\x012");
    }
    assert_eq!((out.queued(), out.counters.dropped), (0, 7));
}

#[test]
fn broadcast_log_keeps_message_order() {
    let (mut out, keys) = publisher(2, 0);
    let hub = out.subscriptions().expect("a publisher has them");
    hub.cancel(keys[1], b"");
    hub.subscribe(keys[1], b"both");
    let large = format!("both{}", "l".repeat(5_000));
    for body in ["both 1", "one 2", "both 3", &large, "one 4", "both 5"] {
        send(&mut out, body);
    }
    for (key, expected) in [(keys[0], &[1, 2, 3, 4, 5][..]), (keys[1], &[1, 3, 5])] {
        let bytes = take(&mut out, key).expect("something");
        let found: Vec<_> =
            bytes.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
        assert_eq!(found, expected);
        let large = bytes.windows(large.len()).position(|window| window == large.as_bytes());
        let at = |digit: u8| bytes.iter().position(|byte| *byte == digit);
        assert!(at(b'3') < large && large < at(b'5'));
    }
    assert_eq!(out.queued(), 0);
}

#[test]
fn lost_link_counts_dropped_messages() {
    let (mut out, keys) = publisher(2, 0);
    send(&mut out, "one");
    send(&mut out, &"x".repeat(70));
    out.remove_peer(keys[0], Outbox::new(), &mut Wakes::default());
    assert_eq!((out.counters.dropped, out.queued()), (2, 2));
    let rest = take(&mut out, keys[1]).expect("both");
    assert_eq!((&rest[..5], rest.len()), (&b"\0\x03one"[..], 5 + 72));
}

#[test]
fn unheard_publisher_must_yield() {
    let (mut out, _) = parked(&PUB, 10, None);
    let mut sent = 0;
    while !out.queue.yield_budget.is_spent() {
        send(&mut out, "");
        sent += 1;
        assert!(sent < 10_000, "it would never let anybody in");
    }
}
