//! The inbox, by itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::{BytePermits, Room, Ticket};

impl Weigh for (usize, usize) {
    fn weight(&self) -> usize {
        1
    }
}

type Pair = (usize, usize);

/// Counts how often it is woken, and unparks the thread that it was made on.
#[derive(Debug)]
struct Alarm {
    rung: AtomicUsize,
    thread: thread::Thread,
}

impl Alarm {
    fn new() -> Arc<Self> {
        Arc::new(Self { rung: AtomicUsize::new(0), thread: thread::current() })
    }

    fn rung(&self) -> usize {
        self.rung.load(Ordering::SeqCst)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn config(hwm: usize, group: Option<u64>) -> LaneConfig {
    LaneConfig { hwm: Hwm::new(hwm), ordering_group: group, ..LaneConfig::default() }
}

fn lane(inbox: &Inbox<Pair>, slot: u32, hwm: usize) -> LaneKey {
    inbox.open_lane(PeerKey::new(slot, 1), (), config(hwm, None))
}

fn push(inbox: &Inbox<Pair>, lane: LaneKey, items: impl IntoIterator<Item = Pair>) {
    let mut batch: VecDeque<_> = items.into_iter().collect();
    let bytes = batch.len();
    inbox.push(lane, &mut batch, bytes);
    assert!(batch.is_empty());
}

#[test]
fn empty_detached_lane_is_removed() {
    let inbox = Inbox::<Pair>::new();
    for peer in 0..100 {
        let lane = lane(&inbox, peer, 10);
        push(&inbox, lane, [(1, 2), (3, 4)]);
        assert_eq!(inbox.take_unread(lane).len(), 2);
        inbox.put_back(lane, &mut VecDeque::new(), 2, 2);
        inbox.detach_lane(lane);
        let producer = inbox.producer.lock();
        assert_eq!((producer.lanes.iter().count(), producer.ready.len(), producer.departed), (0, 0, 0));
    }
    // One that a receiver has fetched a part of is removed when that is received.
    let lane = lane(&inbox, 100, 10);
    push(&inbox, lane, [(1, 2)]);
    assert!(inbox.try_next().expect("open").is_some());
    push(&inbox, lane, [(3, 4)]);
    assert_eq!(inbox.take_unread(lane).len(), 1);
    inbox.put_back(lane, &mut VecDeque::new(), 1, 1);
    inbox.detach_lane(lane);
    assert_eq!(inbox.try_next().expect("open").expect("fetched").pop(), (1, 2));
    assert_eq!(inbox.producer.lock().lanes.iter().count(), 0);
}

fn room(inbox: &Inbox<Pair>, lane: LaneKey) -> Poll<Result<usize, InboxClosed>> {
    inbox.poll_room(lane, &mut Context::from_waker(Waker::noop()))
}

fn pop(inbox: &Inbox<Pair>) -> Option<Pair> {
    inbox.try_next().expect("open").map(|mut next| next.pop())
}

/// Receives as a future does: leaves the queue once it has got something.
fn poll_pop(
    inbox: &Inbox<Pair>,
    ticket: &mut Option<Ticket>,
    cx: &Context<'_>,
) -> Poll<Result<(PeerKey, Pair), InboxClosed>> {
    let popped = inbox.poll_next(ticket, cx).map_ok(|mut next| (next.from(), next.pop()));
    if popped.is_ready() {
        inbox.remove_waiter(ticket);
    }
    popped
}

#[test]
fn busy_and_quiet_lanes_alternate() {
    let inbox = Inbox::new();
    let (busy, quiet) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0));
    push(&inbox, busy, (0..1000).map(|n| (0, n)));
    assert_eq!(pop(&inbox), Some((0, 0)));
    for n in 0..100 {
        push(&inbox, quiet, [(1, n)]);
        let next = [pop(&inbox), pop(&inbox), pop(&inbox)];
        assert!(next.contains(&Some((1, n))), "{next:?}");
    }
    push(&inbox, quiet, (100..200).map(|n| (1, n)));
    let lanes: Vec<_> = (0..200).map_while(|_| pop(&inbox)).map(|(lane, _)| lane).collect();
    assert!(lanes[1..].windows(2).all(|pair| pair[0] != pair[1]), "strictly one after the other");
}

#[test]
fn lane_hwm_limits_and_wakes_pump() {
    for hwm in [1, 2, 3, 1000] {
        let inbox = Inbox::new();
        let lane = lane(&inbox, 0, hwm);
        let alarm = Alarm::new();
        let waker = Waker::from(alarm.clone());
        let mut cx = Context::from_waker(&waker);
        let (mut pushed, mut popped, mut woken) = (0, 0, 0);
        while popped < 5 * hwm + 7 {
            match inbox.poll_room(lane, &mut cx) {
                Poll::Ready(room) => {
                    let room = room.expect("open");
                    assert!(room > 0 && pushed + room - popped <= hwm, "{room} of {hwm}");
                    push(&inbox, lane, (pushed..pushed + room).map(|n| (0, n)));
                    pushed += room;
                    assert!(inbox.poll_room(lane, &mut cx).is_pending());
                    woken = alarm.rung();
                }
                Poll::Pending => {
                    assert_eq!(pop(&inbox), Some((0, popped)), "in order, and there is one");
                    popped += 1;
                    assert!(
                        pushed - popped > hwm - hwm.div_ceil(2) || alarm.rung() > woken,
                        "half of it is free and the pump sleeps on"
                    );
                }
            }
        }
        assert_eq!(inbox.len(), pushed - popped);
    }
}

#[test]
fn byte_budget_blocks_pump() {
    let inbox = Inbox::new();
    let lane = inbox.open_lane(
        PeerKey::new(0, 1),
        (),
        LaneConfig { budget: BytePermits::new(10), ..config(0, None) },
    );
    let alarm = Alarm::new();
    push(&inbox, lane, (0..10).map(|n| (0, n)));
    assert!(inbox.poll_room(lane, &mut Context::from_waker(&alarm.clone().into())).is_pending());
    for _ in 0..5 {
        assert!(pop(&inbox).is_some());
    }
    assert_eq!(alarm.rung(), 1);
    assert!(room(&inbox, lane).is_ready());
}

#[test]
fn swapped_or_appended_batches_keep_order() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 0);
    let mut pushed = 0;
    let mut popped = 0;
    for round in 0..200_usize {
        for _ in 0..round % 4 {
            push(&inbox, lane, (pushed..pushed + round % 7).map(|n| (0, n)));
            pushed += round % 7;
        }
        for _ in 0..round % 9 {
            match pop(&inbox) {
                Some(item) => assert_eq!(item, (0, popped)),
                None => {
                    assert_eq!(popped, pushed);
                    break;
                }
            }
            popped += 1;
        }
        assert_eq!(inbox.len(), pushed - popped);
    }
}

#[test]
fn detached_lane_delivers_then_frees_slot() {
    let inbox = Inbox::new();
    for n in 0..100 {
        let (full, empty) = (lane(&inbox, 0, 2), lane(&inbox, 1, 2));
        push(&inbox, full, [(0, n), (1, n)]);
        if n % 2 == 0 {
            assert_eq!(pop(&inbox), Some((0, n)));
        }
        inbox.detach_lane(full);
        inbox.detach_lane(empty);
        push(&inbox, empty, [(7, 7)]);
        if n % 2 == 1 {
            assert_eq!(pop(&inbox), Some((0, n)));
        }
        assert_eq!(pop(&inbox), Some((1, n)));
        assert_eq!(pop(&inbox), None);
        assert!(inbox.producer.lock().lanes.is_empty());
        assert_eq!(room(&inbox, full), Poll::Ready(Err(InboxClosed)));
    }
}

#[test]
fn replacement_lane_waits_for_predecessor() {
    let inbox = Inbox::new();
    let old = inbox.open_lane(PeerKey::new(0, 1), (), config(0, Some(7)));
    let behind = |slot| inbox.open_lane(PeerKey::new(slot, 1), (), config(2, Some(7)));
    let (new, newest) = (behind(1), behind(2));
    push(&inbox, old, [(0, 0), (0, 1)]);
    assert_eq!([room(&inbox, new), room(&inbox, newest)], [Poll::Ready(Ok(2)), Poll::Ready(Ok(2))]);
    push(&inbox, newest, [(2, 0)]);
    push(&inbox, new, [(1, 0)]);
    assert_eq!([pop(&inbox), pop(&inbox), pop(&inbox)], [Some((0, 0)), Some((0, 1)), None]);
    push(&inbox, old, [(0, 2)]);
    inbox.detach_lane(new);
    inbox.detach_lane(old);
    assert_eq!([pop(&inbox), pop(&inbox), pop(&inbox)], [Some((0, 2)), Some((1, 0)), Some((2, 0))]);
    inbox.detach_lane(newest);
    assert!(inbox.producer.lock().lanes.is_empty());
}

#[test]
fn blocked_lane_detach_keeps_group_order() {
    let inbox = Inbox::new();
    let old = inbox.open_lane(PeerKey::new(0, 1), (), config(0, Some(7)));
    push(&inbox, old, [(0, 0)]);
    let behind = |slot| inbox.open_lane(PeerKey::new(slot, 1), (), config(2, Some(7)));
    let (new, newest) = (behind(1), behind(2));
    push(&inbox, newest, [(2, 0)]);
    inbox.detach_lane(new);
    assert_eq!([pop(&inbox), pop(&inbox)], [Some((0, 0)), None], "more may come");
    inbox.detach_lane(old);
    assert_eq!(pop(&inbox), Some((2, 0)));
    inbox.detach_lane(newest);
    assert!(inbox.producer.lock().lanes.is_empty());
}

#[test]
fn new_lane_waits_for_departed_budget() {
    let inbox = Inbox::with_departed_budget(3);
    let attach = |slot| inbox.open_lane(PeerKey::new(slot, 1), (), config(0, None));
    let (departed, there) = (attach(0), attach(1));
    push(&inbox, departed, [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]);
    inbox.detach_lane(departed);
    assert!(room(&inbox, there).is_ready(), "it was there before");
    let newcomers = [attach(2), attach(3), attach(4)];
    let alarms = [Alarm::new(), Alarm::new(), Alarm::new()];
    let ask = |n: usize| inbox.poll_room(newcomers[n], &mut Context::from_waker(&alarms[n].clone().into()));
    assert!((0..3).all(|n| ask(n).is_pending()));
    let rung = || alarms.each_ref().map(|alarm| alarm.rung());
    while rung() == [0, 0, 0] {
        assert!(pop(&inbox).is_some(), "a newcomer is woken before all is received");
    }
    assert_eq!(rung(), [1, 1, 1]);
    assert!((0..3).all(|n| ask(n).is_ready()));
}

#[test]
fn replaced_item_frees_departed_budget() {
    let inbox = Inbox::with_departed_budget(0);
    let attach = |slot, latest| {
        inbox.open_lane(PeerKey::new(slot, 1), (), LaneConfig { conflate: latest, ..config(0, None) })
    };
    let departed = attach(0, true);
    push(&inbox, departed, [(0, 0)]);
    // It is fetched, and stays; a later one takes its place.
    drop(inbox.try_next().expect("open").expect("it is there"));
    push(&inbox, departed, [(0, 1)]);
    inbox.detach_lane(departed);
    let newcomer = attach(1, false);
    assert!(room(&inbox, newcomer).is_pending());
    assert_eq!((pop(&inbox), pop(&inbox)), (Some((0, 1)), None));
    assert_eq!(inbox.producer.lock().departed, 0);
    assert!(room(&inbox, newcomer).is_ready());
}

#[test]
fn close_wakes_waiters_and_drops_items() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 1);
    push(&inbox, lane, [(0, 0)]);
    let (pump, receiver) = (Alarm::new(), Alarm::new());
    assert!(inbox.poll_room(lane, &mut Context::from_waker(&pump.clone().into())).is_pending());
    assert!(pop(&inbox).is_some());
    push(&inbox, lane, [(0, 1)]);
    assert!(inbox.poll_room(lane, &mut Context::from_waker(&pump.clone().into())).is_pending());
    assert!(pop(&inbox).is_some());
    let waker = receiver.clone().into();
    let cx = Context::from_waker(&waker);
    let mut tickets = [None, None];
    assert!(tickets.iter_mut().all(|ticket| poll_pop(&inbox, ticket, &cx).is_pending()));
    push(&inbox, lane, [(0, 2)]);
    assert!(inbox.poll_room(lane, &mut Context::from_waker(&pump.clone().into())).is_pending());
    let before = (pump.rung(), receiver.rung());
    inbox.abort();
    assert_eq!((pump.rung(), receiver.rung()), (before.0 + 1, before.1 + 2));
    assert!(matches!(inbox.try_next(), Err(InboxClosed)));
    assert_eq!(room(&inbox, lane), Poll::Ready(Err(InboxClosed)));
    push(&inbox, lane, [(0, 3)]);
    assert!(inbox.is_empty());
}

#[test]
fn queued_items_survive_finish() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 0);
    push(&inbox, lane, [(0, 0), (0, 1)]);
    inbox.drain();
    push(&inbox, lane, [(0, 2)]);
    let cx = Context::from_waker(Waker::noop());
    for n in 0..2 {
        assert_eq!(poll_pop(&inbox, &mut None, &cx), Poll::Ready(Ok((PeerKey::new(0, 1), (0, n)))));
    }
    assert_eq!(poll_pop(&inbox, &mut None, &cx), Poll::Ready(Err(InboxClosed)));
}

#[test]
fn push_before_finish_is_received() {
    for round in 0..1_000 {
        let inbox = Arc::new(Inbox::new());
        let lane = lane(&inbox, 0, 0);
        let pump = {
            let inbox = inbox.clone();
            let delay = round % 64;
            move || {
                (0..delay).for_each(|_| std::hint::spin_loop());
                push(&inbox, lane, [(0, 0)]);
                inbox.drain();
            }
        };
        thread::scope(|scope| {
            scope.spawn(pump);
            let cx = Context::from_waker(Waker::noop());
            let mut ticket = None;
            let outcome = loop {
                match poll_pop(&inbox, &mut ticket, &cx) {
                    Poll::Ready(outcome) => break outcome,
                    Poll::Pending => std::hint::spin_loop(),
                }
            };
            assert!(outcome.is_ok(), "round {round}: the end came before the last items");
        });
    }
}

#[test]
fn cancelled_receiver_passes_wake_on() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 0);
    let alarms = [Alarm::new(), Alarm::new(), Alarm::new()];
    let mut tickets = [None, None, None];
    for (alarm, ticket) in alarms.iter().zip(&mut tickets) {
        assert!(poll_pop(&inbox, ticket, &Context::from_waker(&alarm.clone().into())).is_pending());
    }
    push(&inbox, lane, [(0, 0)]);
    assert_eq!(alarms.each_ref().map(|alarm| alarm.rung()), [1, 0, 0]);
    inbox.remove_waiter(&mut tickets[1]);
    assert_eq!(alarms[2].rung(), 0, "it is still the turn of the first");
    inbox.remove_waiter(&mut tickets[0]);
    assert_eq!(alarms[2].rung(), 1);
    let popped = poll_pop(&inbox, &mut tickets[2], &Context::from_waker(Waker::noop()));
    assert!(popped.is_ready());
    assert!(tickets.iter().all(Option::is_none));
    assert!(inbox.producer.lock().receivers.is_empty());
}

#[test]
fn peeked_item_stays_in_lane() {
    let inbox = Inbox::new();
    let (one, other) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0));
    push(&inbox, one, [(0, 0), (0, 1)]);
    push(&inbox, other, [(1, 0)]);
    for _ in 0..3 {
        let next = inbox.try_next().expect("open").expect("one");
        assert_eq!((next.from(), *next.item()), (PeerKey::new(0, 1), (0, 0)));
    }
    assert_eq!(
        [pop(&inbox), pop(&inbox), pop(&inbox), pop(&inbox)],
        [Some((0, 0)), Some((1, 0)), Some((0, 1)), None]
    );
    assert_eq!(inbox.popped(), 3);
}

#[test]
fn inbox_is_quiet_only_when_empty() {
    let inbox = Inbox::new();
    let (one, other) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0));
    assert!(inbox.is_quiet());
    push(&inbox, one, [(0, 0), (0, 1)]);
    assert!(!inbox.is_quiet(), "it is not fetched");
    assert_eq!(pop(&inbox), Some((0, 0)));
    assert!(!inbox.is_quiet(), "one is left of what was fetched");
    push(&inbox, one, [(0, 2)]);
    assert_eq!(pop(&inbox), Some((0, 1)));
    assert!(!inbox.is_quiet(), "one has come meanwhile");
    push(&inbox, other, [(1, 0)]);
    assert_eq!(pop(&inbox), Some((0, 2)));
    assert!(!inbox.is_quiet(), "another lane has one");
    assert_eq!(pop(&inbox), Some((1, 0)));
    assert!(inbox.is_quiet());
    push(&inbox, one, [(0, 3)]);
    push(&inbox, other, [(1, 1)]);
    drop(inbox.try_next().expect("open"));
    assert!(!inbox.is_quiet(), "it was only looked at");
    assert_eq!(inbox.lock_receivers().clear(&mut Vec::new()), 2);
    assert!(inbox.is_quiet());
    push(&inbox, one, [(0, 4)]);
    inbox.detach_lane(one);
    assert_eq!(pop(&inbox), Some((0, 4)));
    assert!(inbox.is_quiet());
}

#[test]
fn repeated_pops_hold_receiver_lock() {
    let inbox = Inbox::new();
    let (one, other, late) = (lane(&inbox, 0, 0), lane(&inbox, 1, 0), lane(&inbox, 2, 0));
    push(&inbox, one, (0..3).map(|n| (0, n)));
    push(&inbox, other, [(1, 0)]);
    let mut next = inbox.try_next().expect("open").expect("something");
    let mut popped = Vec::new();
    while !next.is_over() {
        let (from, item) = (next.from(), *next.item());
        assert_eq!((from, next.pop()), (PeerKey::new(item.0 as u32, 1), item));
        assert!(inbox.consumer.try_lock().is_none());
        if item == (0, 1) {
            push(&inbox, one, [(0, 3)]);
            push(&inbox, late, [(2, 0)]);
        }
        popped.push(item);
    }
    drop(next);
    assert_eq!(popped, [(0, 0), (1, 0), (0, 1), (0, 2), (0, 3)]);
    assert_eq!((pop(&inbox), pop(&inbox)), (Some((2, 0)), None));
    assert_eq!(inbox.popped(), 6);
}

#[test]
fn waiting_pump_ends_receive_turn() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 4);
    push(&inbox, lane, (0..4).map(|n| (0, n)));
    let alarm = Alarm::new();
    assert!(inbox.poll_room(lane, &mut Context::from_waker(&alarm.clone().into())).is_pending());
    let mut next = inbox.try_next().expect("open").expect("something");
    assert_eq!((next.pop(), next.is_over()), ((0, 0), false));
    assert_eq!((next.pop(), next.is_over(), alarm.rung()), ((0, 1), true, 0));
    drop(next);
    assert_eq!(alarm.rung(), 1, "behind the lock");
    assert_eq!(room(&inbox, lane), Poll::Ready(Ok(2)));
    assert_eq!([pop(&inbox), pop(&inbox), pop(&inbox)], [Some((0, 2)), Some((0, 3)), None]);
}

#[test]
fn inproc_lane_adds_sender_hwm() {
    let inbox = Inbox::new();
    let config = LaneConfig { sender_hwm: Some(Hwm::new(1)), ..config(2, None) };
    let lane = inbox.open_lane(PeerKey::new(0, 1), (), config);
    let alarm = Alarm::new();
    let sender = Waker::from(alarm.clone());
    let offer = |n| inbox.push_one(lane, (0, n), &sender, &mut None);
    assert_eq!([offer(0), offer(1), offer(2)], [Ok(Room::Available), Ok(Room::Available), Ok(Room::Full)]);
    assert_eq!((pop(&inbox), alarm.rung()), (Some((0, 0)), 0), "half of it is not free yet");
    assert_eq!((pop(&inbox), alarm.rung()), (Some((0, 1)), 1));
    assert_eq!(inbox.set_sender_hwm(lane, Hwm::new(5), &sender), Room::Available);
    assert!(inbox.set_hwm(Hwm::UNLIMITED).is_empty());
    (3..100).for_each(|n| assert_eq!(offer(n), Ok(Room::Available)));
    inbox.drain();
    assert_eq!(offer(100), Err((0, 100)));
    assert_eq!(inbox.len(), 98);
}

#[test]
fn offer_defers_receiver_wake() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 0);
    let alarm = Alarm::new();
    let mut ticket = None;
    assert!(poll_pop(&inbox, &mut ticket, &Context::from_waker(&alarm.clone().into())).is_pending());
    let mut receiver = None;
    assert_eq!(inbox.push_one(lane, (0, 0), Waker::noop(), &mut receiver), Ok(Room::Available));
    assert_eq!(alarm.rung(), 0);
    receiver.expect("the one that waits").wake();
    assert_eq!(alarm.rung(), 1);
}

#[test]
fn conflate_lane_keeps_latest_item() {
    let inbox = Inbox::new();
    let latest = |slot| {
        let config = LaneConfig { conflate: true, budget: BytePermits::new(1), ..config(1, None) };
        inbox.open_lane(PeerKey::new(slot, 1), (), config)
    };
    let (one, other) = (latest(0), latest(1));
    push(&inbox, one, (0..10).map(|n| (0, n)));
    push(&inbox, other, [(1, 0)]);
    assert_eq!(pop(&inbox), Some((0, 9)));
    // It was fetched together with the one before it, and waits.
    push(&inbox, other, [(1, 1)]);
    assert_eq!(inbox.push_one(other, (1, 2), Waker::noop(), &mut None), Ok(Room::Available));
    assert_eq!((pop(&inbox), pop(&inbox)), (Some((1, 2)), None));
    assert_eq!((inbox.replaced(), inbox.popped()), (11, 2));
    assert_eq!(room(&inbox, one), Poll::Ready(Ok(usize::MAX)));
}

#[test]
fn blocked_lane_items_wait_their_turn() {
    let inbox = Inbox::new();
    let behind = |slot| inbox.open_lane(PeerKey::new(slot, 1), (), config(0, Some(7)));
    let (old, new) = (behind(0), behind(1));
    let (alarm, mut ticket) = (Alarm::new(), None);
    let waker = alarm.clone().into();
    push(&inbox, new, [(1, 0)]);
    push(&inbox, old, [(0, 0)]);
    assert_eq!((pop(&inbox), pop(&inbox)), (Some((0, 0)), None));
    assert!(poll_pop(&inbox, &mut ticket, &Context::from_waker(&waker)).is_pending());
    inbox.detach_lane(new);
    assert_eq!(alarm.rung(), 0);
    inbox.detach_lane(old);
    assert_eq!((alarm.rung(), pop(&inbox), pop(&inbox)), (1, Some((1, 0)), None));
}

#[test]
fn items_carry_their_lane_label() {
    let inbox = Inbox::new();
    let lanes =
        ["one", "other"].map(|label| inbox.open_lane(PeerKey::new(0, 1), label, LaneConfig::default()));
    for (n, lane) in lanes.into_iter().enumerate() {
        inbox.push(lane, &mut [(n, 0), (n, 1)].into(), 2);
        inbox.detach_lane(lane);
    }
    for n in [0, 1, 0, 1] {
        let mut next = inbox.try_next().expect("open").expect("something");
        assert_eq!((next.label(), next.pop().0), (["one", "other"][n], n));
    }
}

#[test]
fn batch_wakes_one_receiver_per_item() {
    let inbox = Inbox::new();
    let lane = lane(&inbox, 0, 0);
    let alarms: Vec<_> = (0..4).map(|_| Alarm::new()).collect();
    let mut tickets = [None; 4];
    let poll = |n: usize, tickets: &mut [Option<Ticket>; 4]| {
        poll_pop(&inbox, &mut tickets[n], &Context::from_waker(&alarms[n].clone().into()))
    };
    assert!((0..4).all(|n| poll(n, &mut tickets).is_pending()));
    push(&inbox, lane, (0..3).map(|n| (0, n)));
    for (n, alarm) in alarms.iter().enumerate().take(3) {
        assert!(alarm.rung() > 0, "receiver {n} sleeps on");
        assert_eq!(poll(n, &mut tickets).map(|item| item.map(|(_, item)| item)), Poll::Ready(Ok((0, n))));
    }
    assert!(poll(3, &mut tickets).is_pending());
}

/// Pumps and receivers on threads of their own, in random bursts, some of them giving up. Nobody
/// may sleep past the deadline while there is something to do.
#[test]
fn stress_loses_no_item_or_wake() {
    const PUMPS: usize = 3;
    const RECEIVERS: usize = 3;
    const EACH: usize = 20_000;
    const DEADLINE: Duration = Duration::from_secs(20);
    for hwm in [1, 2, 7, 1000] {
        let each = if hwm < 3 { EACH / 4 } else { EACH };
        let inbox = Inbox::new();
        let left = AtomicUsize::new(PUMPS * each);
        let seen: Mutex<Vec<Vec<usize>>> = Mutex::new(vec![Vec::new(); PUMPS]);
        let start = Instant::now();
        let sleep = |what: &str| {
            thread::park_timeout(DEADLINE);
            assert!(start.elapsed() < DEADLINE, "{what} sleeps on");
        };
        let pump = |who: usize| {
            let mut random = fastrand::Rng::with_seed(who as u64 + 7 * hwm as u64);
            let lane = lane(&inbox, who as u32, hwm);
            let waker = Alarm::new().into();
            let mut cx = Context::from_waker(&waker);
            let mut pushed = 0;
            while pushed < each {
                match inbox.poll_room(lane, &mut cx) {
                    Poll::Ready(room) => {
                        let n = random.usize(1..=room.expect("open")).min(each - pushed);
                        push(&inbox, lane, (pushed..pushed + n).map(|n| (who, n)));
                        pushed += n;
                    }
                    Poll::Pending => sleep("a pump"),
                }
            }
            inbox.detach_lane(lane);
        };
        let receiver = |who: usize| {
            let mut random = fastrand::Rng::with_seed(who as u64);
            let waker = Alarm::new().into();
            let cx = Context::from_waker(&waker);
            let mut ticket = None;
            let mut got = vec![Vec::new(); PUMPS];
            while left.load(Ordering::SeqCst) > 0 {
                match poll_pop(&inbox, &mut ticket, &cx) {
                    Poll::Ready(Ok((_, (pump, n)))) => {
                        got[pump].push(n);
                        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                            inbox.drain();
                        }
                    }
                    Poll::Ready(Err(InboxClosed)) => break,
                    Poll::Pending if random.u8(..4) == 0 => {
                        inbox.remove_waiter(&mut ticket);
                        thread::yield_now();
                    }
                    Poll::Pending => sleep("a receiver"),
                }
            }
            let mut seen = seen.lock();
            for (all, got) in seen.iter_mut().zip(got) {
                assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "out of order");
                all.extend(got);
            }
        };
        thread::scope(|scope| {
            (0..PUMPS).for_each(|who| drop(scope.spawn(move || pump(who))));
            (0..RECEIVERS).for_each(|who| drop(scope.spawn(move || receiver(who))));
        });
        for mut all in seen.into_inner() {
            all.sort_unstable();
            assert!(all.into_iter().eq(0..each), "each of them once");
        }
    }
}
