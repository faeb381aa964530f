//! The outgoing side of a socket, without the socket.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use monocoque_core::sync::AtomicBool;
use monocoque_core::transport::DirectWriter;
use monocoque_zmtp::Subscription;

use super::super::{DEALER, PUB, REQ, XPUB};
use super::*;
use crate::pattern::link::{Direct, Through};

/// A stream of which the system takes so many bytes.
#[derive(Debug)]
struct Takes(usize);

impl DirectWriter for Takes {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len().min(self.0))
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
    let heard = Arc::new(AtomicBool::new(true));
    let direct = takes.map(|n| Direct::new(Arc::new(Takes(n)), heard));
    let id = routing_id(b"", out.peers() as u32);
    let mut wakes = Wakes::default();
    let through = Through { via: 0, dialled: false };
    let key = out.up(id, through, direct, &mut wakes).expect("welcome");
    if out.queued() == 0 {
        assert_eq!(take(out, key), None, "nothing waits: the pump parks");
    }
    key
}

/// What the write pump of a link gets, if it does not have to wait.
fn take(out: &mut Outbound, key: PeerKey) -> Option<Vec<u8>> {
    let mut batch = Outbox::new();
    let cx = Context::from_waker(Waker::noop());
    match out.poll_take(key, &cx, &mut batch, &mut Wakes::default()) {
        Poll::Ready(more) => more.then(|| batch.slices().collect::<Vec<_>>().concat()),
        Poll::Pending => None,
    }
}

fn send(out: &mut Outbound, body: &str) -> Offer {
    send_in(out, Going::Alone, body)
}

fn send_in(out: &mut Outbound, going: Going, body: &str) -> Offer {
    if let Some(audience) = out.audience() {
        audience.consider(None);
    }
    out.going = going;
    out.offer(Target::Pattern, &mut body.into(), &mut Wakes::default())
}

#[test]
fn what_the_system_takes_at_once_is_not_left_for_the_pump() {
    let (mut out, key) = parked(&DEALER, 1, Some(usize::MAX));
    assert_eq!(send(&mut out, "answer"), Offer::Queued(Some(key)));
    assert_eq!(take(&mut out, key), None);
    assert_eq!(send(&mut out, "not asked for"), Offer::Queued(Some(key)), "there is room again");
    assert_eq!(take(&mut out, key).expect("the long way"), b"\0\x0dnot asked for");
}

#[test]
fn what_others_have_to_wait_for_does_not_go_at_once() {
    for going in [Going::InBatch, Going::Held] {
        let (mut out, key) = parked(&DEALER, 10, Some(usize::MAX));
        send_in(&mut out, going, "one");
        send_in(&mut out, Going::Alone, "two");
        match going {
            // Its pump was woken, and may be on its way.
            Going::InBatch => assert_eq!(take(&mut out, key).expect("both"), b"\0\x03one\0\x03two"),
            _ => assert_eq!(take(&mut out, key), None, "both are gone"),
        }
    }
}

#[test]
fn what_is_held_wakes_nobody_until_it_is_let_go() {
    let (dealer, key) = parked(&DEALER, 10, None);
    for (mut out, keys) in [(dealer, vec![key]), publisher(2, 10)] {
        let asleep = |out: &Outbound| out.links.iter().filter(|(_, link)| link.pump.is_some()).count();
        send_in(&mut out, Going::Held, "held");
        assert_eq!(asleep(&out), keys.len());
        let goals = out.let_go(&mut Wakes::default());
        assert_eq!((asleep(&out), goals.len()), (0, keys.len()));
        for goal in goals {
            let mut goals = vec![goal];
            assert!(!out.has_written(&mut goals));
            assert_eq!(take(&mut out, goal.0).expect("let go"), b"\0\x04held");
            assert!(!out.has_written(&mut goals), "it was taken, and is not written");
            assert_eq!(take(&mut out, goal.0), None);
            assert!(out.has_written(&mut goals));
        }
    }
}

#[test]
fn what_a_lost_connection_gives_back_is_not_held() {
    let (mut out, key) = parked(&DEALER, 10, None);
    let other = join(&mut out, None);
    // One for each; who is first is up to the hub.
    send_in(&mut out, Going::InBatch, "one");
    send_in(&mut out, Going::InBatch, "two");
    assert!(take(&mut out, other).is_some() && take(&mut out, other).is_none());
    send_in(&mut out, Going::Held, "held");
    assert_eq!(take(&mut out, other).is_some(), out.links.get(key).is_some_and(|link| link.messages() == 1));
    take(&mut out, other);
    out.down(key, Outbox::new(), &mut Wakes::default());
    assert!(out.links.get(other).is_some_and(|link| link.pump.is_none() && link.messages() > 0));
}

#[test]
fn what_was_begun_is_ended_by_the_pump() {
    let (mut out, key) = parked(&DEALER, 10, Some(3));
    send(&mut out, "first");
    send(&mut out, "second");
    assert_eq!(take(&mut out, key).expect("the rest"), b"irst\0\x06second");
}

#[test]
fn what_was_begun_goes_whole_to_the_next_peer() {
    let (mut out, key) = parked(&DEALER, 10, Some(3));
    send(&mut out, "first");
    send(&mut out, "second");
    out.down(key, Outbox::new(), &mut Wakes::default());
    let next = join(&mut out, None);
    assert_eq!(take(&mut out, next).expect("both"), b"\0\x05first\0\x06second");
}

#[test]
fn a_request_that_came_back_is_given_up_with_the_next_one() {
    let mut out = Outbound::new(&REQ, &Options { relaxed: true, ..Options::default() });
    out.begin_dial(1, &mut Wakes::default());
    let key = join(&mut out, None);
    send_in(&mut out, Going::InBatch, "first");
    out.dialogue = Dialogue::Asked { of: Some(key), number: None, answered: false };
    out.down(key, Outbox::new(), &mut Wakes::default());
    assert_eq!((out.queued(), out.dropped), (1, 0), "it waits for another peer");
    assert!(out.begin_request(&"next".into(), &mut Wakes::default()));
    assert_eq!((out.queued(), out.dropped), (0, 1));
    assert_eq!(send_in(&mut out, Going::InBatch, "second"), Offer::Queued(None));
    let next = join(&mut out, None);
    assert_eq!(take(&mut out, next).expect("the second"), b"\0\x06second");
}

#[test]
fn what_is_cut_off_is_counted() {
    let (mut out, key) = parked(&DEALER, 10, None);
    send(&mut out, "one");
    send(&mut out, "two");
    out.enter(Phase::Aborted, &mut Wakes::default());
    out.down(key, Outbox::new(), &mut Wakes::default());
    assert_eq!((out.dropped, out.queued()), (2, 0));
}

/// A publisher with links that have all subscribed to everything.
fn publisher(links: usize, hwm: usize) -> (Outbound, Vec<PeerKey>) {
    let mut out = outbound(&PUB, hwm);
    let keys: Vec<_> = (0..links).map(|_| join(&mut out, None)).collect();
    for key in &keys {
        out.subscriptions().expect("a publisher has them").subscribe(*key, b"");
    }
    (out, keys)
}

#[test]
fn what_is_for_one_waits_until_that_one_has_room() {
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
        let audience = out.audience().expect("a publisher has one");
        audience.turn_to(*key, Subscription::Subscribe, Waiters::default().next_ticket());
        audience.grant(Subscription::Subscribe, b"");
        send(&mut out, body);
    }
    assert_eq!(take(&mut out, keys[0]).expect("the first"), b"\0\x011");
    out.on_report(keys[1], Subscription::Subscribe, b"a", true, &mut Wakes::default());
    assert_eq!(send_in(&mut out, Going::InBatch, "3"), Offer::Full);
    assert_eq!(take(&mut out, keys[1]).expect("the second"), b"\0\x012");
    assert_eq!(send_in(&mut out, Going::InBatch, "3"), Offer::Queued(None));
    assert_eq!(take(&mut out, keys[1]).expect("the third"), b"\0\x013");
    send(&mut out, "4");
    for key in keys {
        assert_eq!(take(&mut out, key).expect("the fourth"), b"\0\x014");
    }
}

#[test]
fn links_that_share_a_tape_have_each_its_own_mark() {
    let (mut out, keys) = publisher(3, 2);
    send(&mut out, "1");
    assert_eq!(take(&mut out, keys[0]).expect("one"), b"\0\x011");
    send(&mut out, "2");
    send(&mut out, "3");
    send(&mut out, "4");
    assert_eq!((out.queued(), out.dropped, out.sent), (6, 5, 4));
    assert_eq!(take(&mut out, keys[0]).expect("two"), b"\0\x012\0\x013");
    send(&mut out, "5");
    assert_eq!(take(&mut out, keys[0]).expect("one"), b"\0\x015");
    for key in &keys[1..] {
        assert_eq!(take(&mut out, *key).expect("two"), b"\0\x011\0\x012");
    }
    assert_eq!((out.queued(), out.dropped), (0, 7));
}

#[test]
fn what_waits_on_the_tape_is_not_overtaken() {
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
fn what_waits_on_the_tape_for_a_link_that_is_gone_is_counted() {
    let (mut out, keys) = publisher(2, 0);
    send(&mut out, "one");
    send(&mut out, &"x".repeat(70));
    out.down(keys[0], Outbox::new(), &mut Wakes::default());
    assert_eq!((out.dropped, out.queued()), (2, 2));
    let rest = take(&mut out, keys[1]).expect("both");
    assert_eq!((&rest[..5], rest.len()), (&b"\0\x03one"[..], 5 + 72));
}

#[test]
fn a_publisher_that_nobody_hears_is_to_pause() {
    let (mut out, _) = parked(&PUB, 10, None);
    let mut sent = 0;
    while !out.take_pause() {
        send(&mut out, "");
        sent += 1;
        assert!(sent < 10_000, "it would never let anybody in");
    }
}
