//! Lanes of an inbox: their order, their turns and their end.

use super::*;

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
