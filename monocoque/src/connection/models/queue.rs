//! The send queue and the inbox: senders, the pumps and receivers wake each other.

use super::*;

#[test]
fn sender_and_pump_wake_mutually() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        let pump = spawn_pump(outlet, &wire);
        ["a", "b", "c"].iter().for_each(|message| send(&engine, message));
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "abc");
    });
}

#[test]
fn two_senders_share_one_slot() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        send(&engine, "a");
        let senders = ["b", "c"].map(|message| spawn_with(&engine, move |engine| send(engine, message)));
        write(&mut outlet, &wire, 3);
        senders.into_iter().for_each(|sender| sender.join().expect("sent"));
        assert!(["abc", "acb"].contains(&&*wire.messages()), "{}", wire.messages());
    });
}

#[test]
fn two_slots_release_two_senders() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 2, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        ["a", "b"].iter().for_each(|message| send(&engine, message));
        let senders = ["c", "d"].map(|message| spawn_with(&engine, move |engine| send(engine, message)));
        let mut batch = Outbox::new();
        assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
        assert_eq!(batch.messages(), 2);
        senders.into_iter().for_each(|sender| sender.join().expect("sent"));
    });
}

#[test]
fn cancelled_sender_passes_ticket_on() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        send(&engine, "a");
        let fickle = spawn_with(&engine, move |engine| {
            matches!(poll_once(pin!(engine.send(ByPattern, "b"))), Ready(Ok(())))
        });
        let patient = spawn_with(&engine, move |engine| {
            send(engine, "c");
            engine.close();
        });
        write_all(&mut outlet, &wire);
        patient.join().expect("sent");
        let expected: &[&str] = if fickle.join().expect("dropped") { &["abc", "acb"] } else { &["ac"] };
        assert!(expected.contains(&&*wire.messages()), "{}", wire.messages());
    });
}

#[test]
fn cancelled_receiver_passes_wake_on() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (_outlet, mut inlet) = peer(&engine, 0);
        let fickle = spawn_with(&engine, move |engine| poll_once(pin!(engine.recv())).is_ready());
        let patient = spawn_with(&engine, move |engine| drop(block_on(engine.recv()).expect("open")));
        deliver(&mut inlet, "a");
        deliver(&mut inlet, "b");
        patient.join().expect("received");
        let left = if fickle.join().expect("dropped") { 0 } else { 1 };
        assert_eq!(engine.inbox.len(), left);
    });
}
