//! Models of the inbox: read pumps on one side, receivers on the other.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::*;
use crate::sync::model::{block_on, check, poll_once, spawn, spawn_with};
use crate::{Room, WaitGuard};

/// A message of a lane, with its number.
type Item = (u8, u8);

impl Weigh for Item {
    fn weight(&self) -> usize {
        1
    }
}

fn lane(inbox: &Inbox<Item>, hwm: usize, group: Option<u64>) -> LaneKey {
    inbox.open_lane(
        PeerKey::new(0, 1),
        (),
        LaneConfig { hwm: Hwm::new(hwm), ordering_group: group, ..LaneConfig::default() },
    )
}

/// Delivers `items` one by one, each when there is room, as a read pump does. Returns how many.
fn deliver(inbox: &Inbox<Item>, lane: LaneKey, items: impl IntoIterator<Item = Item>) -> usize {
    let open = |_: &Item| block_on(poll_fn(|cx| inbox.poll_room(lane, cx))).is_ok();
    items.into_iter().take_while(open).map(|item| push(inbox, lane, [item])).count()
}

fn push<const N: usize>(inbox: &Inbox<Item>, lane: LaneKey, items: [Item; N]) {
    inbox.push(lane, &mut VecDeque::from(items), N);
}

/// Receives as the future of a receiver does.
async fn receive(inbox: &Inbox<Item>) -> Result<Item, InboxClosed> {
    let mut guard = WaitGuard::new(|ticket| inbox.remove_waiter(ticket));
    poll_fn(|cx| inbox.poll_next(&mut guard.ticket, cx).map_ok(|mut next| next.pop())).await
}

fn receive_all(inbox: &Inbox<Item>) -> Vec<Item> {
    std::iter::from_fn(|| block_on(receive(inbox)).ok()).collect()
}

fn take(inbox: &Inbox<Item>, n: usize) -> Vec<Item> {
    (0..n).map(|_| block_on(receive(inbox)).expect("open")).collect()
}

#[test]
fn receiver_and_pump_wake_mutually() {
    for hwm in [1, 2] {
        check(3, move || {
            let inbox = Arc::new(Inbox::new());
            let lane = lane(&inbox, hwm, None);
            let pump = spawn_with(&inbox, move |inbox| {
                deliver(inbox, lane, [(0, 0), (0, 1), (0, 2)]);
                inbox.detach_lane(lane);
            });
            assert_eq!(take(&inbox, 3), [(0, 0), (0, 1), (0, 2)]);
            pump.join().expect("delivered");
            assert!(inbox.is_empty() && inbox.is_quiet());
            assert_eq!(inbox.popped(), 3);
        });
    }
}

/// Checks that two receivers get one of two items each, when `put` puts them into a lane.
fn check_two_receivers(
    hwm: usize,
    receive: impl AsyncFn(Arc<Inbox<Item>>) -> Result<Item, InboxClosed> + Copy + Send + Sync + 'static,
    put: fn(&Inbox<Item>, LaneKey, [Item; 2]),
) {
    check(2, move || {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, hwm, None);
        let receivers = [(); 2].map(|()| {
            let inbox = inbox.clone();
            spawn(move || block_on(receive(inbox)).expect("open"))
        });
        put(&inbox, lane, [(0, 0), (0, 1)]);
        let mut got = receivers.map(|receiver| receiver.join().expect("received"));
        got.sort();
        assert_eq!(got, [(0, 0), (0, 1)]);
    });
}

fn deliver_both(inbox: &Inbox<Item>, lane: LaneKey, items: [Item; 2]) {
    assert_eq!(deliver(inbox, lane, items), 2);
}

#[test]
fn two_receivers_share_one_batch() {
    check_two_receivers(0, async |inbox| receive(&inbox).await, push);
}

#[test]
fn two_receivers_share_full_lane() {
    check_two_receivers(1, async |inbox| receive(&inbox).await, deliver_both);
}

#[test]
fn cancelled_receiver_passes_wake_on() {
    check(3, || {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, 0, None);
        let fickle = spawn_with(&inbox, move |inbox| match poll_once(pin!(receive(inbox))) {
            Poll::Ready(got) => Some(got.expect("open")),
            Poll::Pending => None,
        });
        let patient = spawn_with(&inbox, move |inbox| block_on(receive(inbox)).expect("open"));
        push(&inbox, lane, [(0, 0), (0, 1)]);
        let got = (fickle.join().expect("gone"), patient.join().expect("received"));
        let left = inbox.try_next().expect("open").map(|mut next| next.pop());
        assert!(
            matches!(
                (got, left),
                ((None, (0, 0)), Some((0, 1)))
                    | ((Some((0, 0)), (0, 1)), None)
                    | ((Some((0, 1)), (0, 0)), None)
            ),
            "{got:?} {left:?}"
        );
    });
}

/// As [`receive`], but it yields once when there is something to take.
async fn receive_later(inbox: &Inbox<Item>) -> Result<Item, InboxClosed> {
    let mut guard = WaitGuard::new(|ticket| inbox.remove_waiter(ticket));
    let mut is_due = true;
    poll_fn(|cx| {
        let Poll::Ready(next) = inbox.poll_next(&mut guard.ticket, cx) else { return Poll::Pending };
        if std::mem::take(&mut is_due) {
            drop(next);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(next.map(|mut next| next.pop()))
    })
    .await
}

#[test]
fn yielding_receiver_keeps_its_ticket() {
    check_two_receivers(1, async |inbox| receive_later(&inbox).await, deliver_both);
}

#[test]
fn cancelled_yielding_receiver_takes_nothing() {
    check(3, || {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, 0, None);
        let fickle = spawn_with(&inbox, move |inbox| poll_once(pin!(receive_later(inbox))).is_pending());
        let patient = spawn_with(&inbox, move |inbox| block_on(receive(inbox)).expect("open"));
        push(&inbox, lane, [(0, 0)]);
        assert!(fickle.join().expect("gone"));
        assert_eq!(patient.join().expect("received"), (0, 0));
    });
}

#[test]
fn two_lanes_keep_item_order() {
    check(2, || {
        let inbox = Arc::new(Inbox::new());
        let lanes = [0, 1].map(|n| (n, lane(&inbox, 0, None)));
        let pumps = lanes.map(|(n, lane)| {
            let inbox = inbox.clone();
            spawn(move || [0, 1].into_iter().for_each(|item| push(&inbox, lane, [(n, item)])))
        });
        let got = take(&inbox, 4);
        for (n, _) in lanes {
            let of_lane: Vec<_> = got.iter().filter(|(lane, _)| *lane == n).copied().collect();
            assert_eq!(of_lane, [(n, 0), (n, 1)]);
        }
        pumps.into_iter().for_each(|pump| pump.join().expect("delivered"));
        assert!(inbox.is_empty() && inbox.is_quiet());
    });
}

#[test]
fn finish_delivers_items_then_ends() {
    check(3, || {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, 1, None);
        let pump = spawn_with(&inbox, move |inbox| deliver(inbox, lane, [(0, 0), (0, 1)]));
        let receiver = spawn_with(&inbox, move |inbox| receive_all(inbox));
        inbox.drain();
        let delivered = pump.join().expect("no panic");
        let got = receiver.join().expect("no panic");
        assert!(got.len() <= delivered && [(0, 0), (0, 1)].starts_with(&got), "{got:?} of {delivered}");
        assert!(inbox.is_empty());
    });
}

#[test]
fn finish_keeps_delivered_batch() {
    check(3, || {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, 1, None);
        let receiver = spawn_with(&inbox, move |inbox| receive_all(inbox));
        push(&inbox, lane, [(0, 0)]);
        inbox.drain();
        assert_eq!(receiver.join().expect("no panic"), [(0, 0)]);
    });
}

#[test]
fn close_wakes_pumps_and_receivers() {
    check(2, || {
        let inbox = Arc::new(Inbox::new());
        let (full, empty) = (lane(&inbox, 1, None), lane(&inbox, 1, None));
        push(&inbox, full, [(0, 0)]);
        let pump = spawn_with(&inbox, move |inbox| deliver(inbox, full, [(0, 1), (0, 2)]));
        let receiver = spawn_with(&inbox, move |inbox| receive_all(inbox));
        inbox.abort();
        let delivered = pump.join().expect("no panic");
        let got = receiver.join().expect("no panic");
        assert!([(0, 0), (0, 1), (0, 2)].starts_with(&got), "{got:?} of {delivered}");
        assert!(block_on(poll_fn(|cx| inbox.poll_room(empty, cx))).is_err());
        assert_eq!(inbox.len(), 0);
    });
}

#[test]
fn successor_waits_for_predecessor_items() {
    check(2, || {
        let inbox = Arc::new(Inbox::new());
        let [first, second] = [(); 2].map(|()| lane(&inbox, 2, Some(7)));
        let lost = spawn_with(&inbox, move |inbox| {
            deliver(inbox, first, [(0, 0), (0, 1)]);
            inbox.detach_lane(first);
        });
        let next = spawn_with(&inbox, move |inbox| deliver(inbox, second, [(1, 0)]));
        assert_eq!(take(&inbox, 3), [(0, 0), (0, 1), (1, 0)]);
        lost.join().expect("delivered");
        assert_eq!(next.join().expect("delivered"), 1);
    });
}

#[test]
fn cleared_items_unblock_pump() {
    check(3, || {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, 1, None);
        let pump = spawn_with(&inbox, move |inbox| deliver(inbox, lane, [(0, 0), (0, 1)]));
        let mut pumps = Vec::new();
        let mut hold = inbox.lock_receivers();
        let dropped = hold.clear(&mut pumps) as usize;
        drop(hold);
        pumps.into_iter().for_each(Waker::wake);
        let kept = take(&inbox, 2 - dropped);
        assert_eq!(kept, [(0, 0), (0, 1)][dropped..]);
        assert_eq!(pump.join().expect("delivered"), 2);
        assert!(inbox.is_empty());
    });
}

/// Returns the number of bytes that detached lanes have left.
fn departed(inbox: &Inbox<Item>) -> usize {
    inbox.producer.lock().departed
}

#[test]
fn departed_drain_wakes_new_lane() {
    check(3, || {
        let inbox = Arc::new(Inbox::with_departed_budget(1));
        let leaving = lane(&inbox, 0, None);
        push(&inbox, leaving, [(0, 0), (0, 1)]);
        let pumps = spawn_with(&inbox, move |inbox| {
            inbox.detach_lane(leaving);
            let newcomer = lane(inbox, 1, None);
            let delivered = deliver(inbox, newcomer, [(1, 0), (1, 1)]);
            inbox.detach_lane(newcomer);
            delivered
        });
        assert_eq!(take(&inbox, 4), [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(pumps.join().expect("delivered"), 2);
        assert!(inbox.is_empty());
        assert_eq!(departed(&inbox), 0);
    });
}

#[test]
fn departed_drain_wakes_successor_and_newcomer() {
    check(2, || {
        let inbox = Arc::new(Inbox::with_departed_budget(0));
        let [leaving, successor] = [(); 2].map(|()| lane(&inbox, 2, Some(7)));
        push(&inbox, leaving, [(0, 0), (0, 1)]);
        push(&inbox, successor, [(1, 0), (1, 1)]);
        inbox.detach_lane(leaving);
        let newcomer = lane(&inbox, 1, None);
        let [pump, other] = [(successor, (1, 2)), (newcomer, (2, 0))].map(|(lane, item)| {
            let inbox = inbox.clone();
            spawn(move || deliver(&inbox, lane, [item]))
        });
        assert_eq!(take(&inbox, 2), [(0, 0), (0, 1)]);
        assert_eq!(departed(&inbox), 0);
        // No item of the successor is received before the newcomer goes on.
        assert_eq!(other.join().expect("delivered"), 1);
        let mut got = take(&inbox, 4);
        got.sort();
        assert_eq!(got, [(1, 0), (1, 1), (1, 2), (2, 0)]);
        assert_eq!(pump.join().expect("delivered"), 1);
        assert!(inbox.is_empty());
    });
}

#[test]
fn departed_drain_wakes_inproc_senders() {
    check(2, || {
        let inbox = Arc::new(Inbox::with_departed_budget(0));
        let leaving = lane(&inbox, 0, None);
        push(&inbox, leaving, [(0, 0), (0, 1)]);
        inbox.detach_lane(leaving);
        let senders = [(); 2].map(|()| {
            let (inbox, lane) = (inbox.clone(), lane(&inbox, 1, None));
            spawn(move || {
                block_on(poll_fn(|cx| match inbox.set_sender_hwm(lane, Hwm::new(1), cx.waker()) {
                    Room::Available => Poll::Ready(()),
                    Room::Full => Poll::Pending,
                }));
            })
        });
        assert_eq!(take(&inbox, 2), [(0, 0), (0, 1)]);
        senders.into_iter().for_each(|sender| sender.join().expect("there is room"));
        assert_eq!(departed(&inbox), 0);
    });
}
