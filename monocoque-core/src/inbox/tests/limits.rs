//! Limits of an inbox: high-water marks and byte budgets.

use super::*;

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
