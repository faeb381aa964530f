//! Receivers of an inbox: their wake-ups, and its end.

use super::*;

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
