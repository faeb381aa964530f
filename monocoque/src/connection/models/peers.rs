//! Peers that come and go.

use super::*;

/// An encoder that changes every byte.
#[derive(Debug)]
struct Masking;

impl Encode for Masking {
    type Error = io::Error;

    fn is_identity(&self) -> bool {
        false
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit
            && let Some(message) = queued.next_message()
        {
            message.for_each(|part| part.body().iter().for_each(|byte| wire.put(&[!byte, 0xff])));
            wire.end_message();
        }
    }
}

#[test]
fn lost_peer_messages_move_on() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 2);
        let [(mut lost, _), (mut stays, _)] = [0, 1].map(|n| peer(&engine, n));
        let ends = spawn(move || {
            let mut batch = Outbox::new();
            assert!(block_on(poll_fn(|cx| lost.poll_take(cx, &mut batch))));
            Outlet::on_closed(&mut lost, batch);
        });
        // The third one waits until one of the others has ended.
        let sender = spawn_with(&engine, move |engine| {
            ["a", "b", "c"].iter().for_each(|message| send(engine, message))
        });
        ends.join().expect("a message for it");
        let wire = Wire::new(0);
        write(&mut stays, &wire, 3);
        sender.join().expect("sent");
        let mut messages: Vec<_> = wire.messages().chars().collect();
        messages.sort();
        assert_eq!(messages, ['a', 'b', 'c']);
    });
}

#[test]
fn wait_for_peers_sees_arrivals() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 2);
        let watcher = spawn_with(&engine, move |engine| block_on(engine.wait_for_peers(2, None)).is_ok());
        let _peers = [0, 1].map(|n| peer(&engine, n));
        assert!(watcher.join().expect("done"));
    });
}

#[test]
fn request_matches_its_reply() {
    check(2, || {
        let (engine, _runtime) = socket(&REQ, 1, 1);
        let (mut outlet, mut inlet) = peer(&engine, 0);
        let replier = spawn(move || {
            for reply in ["a", "b"] {
                let mut batch = Outbox::new();
                assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
                deliver(&mut inlet, ["", reply]);
            }
            (outlet, inlet)
        });
        for reply in ["a", "b"] {
            send(&engine, "?");
            let got = block_on(engine.recv()).expect("open");
            assert_eq!(&got[0], reply.as_bytes());
        }
        drop(replier.join());
    });
}

#[test]
fn subscribe_during_attach_announces_once() {
    check(3, || {
        let (engine, _runtime) = socket(&SUB, 1, 1);
        let subscriber = spawn_with(&engine, move |engine| engine.subscribe(b"topic").expect("open"));
        let (mut outlet, _inlet) = peer(&engine, 0);
        let mut batch = Outbox::new();
        assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
        subscriber.join().expect("subscribed");
        assert_eq!(batch.messages(), 1);
        let again = poll_fn(|cx| outlet.poll_take(cx, &mut batch));
        assert!(poll_once(pin!(again)).is_pending());
    });
}

#[test]
fn disconnect_during_attach_leaves_none() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let via = endpoint_ref(&engine, 0);
        let giving_up =
            spawn_with(&engine, move |engine| connect::disconnect(engine, &endpoint(0)).expect("connected"));
        if let Some((mut outlet, _inlet)) = established(&engine, via, None) {
            write_all(&mut outlet, &Wire::new(0));
            Outlet::on_closed(&mut outlet, Outbox::new());
        }
        giving_up.join().expect("ended");
        assert_eq!(engine.peer_count(), 0);
    });
}

#[test]
fn lost_masked_batch_requeues_plain() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 0, 2);
        let (mut lost, _inlet) = peer(&engine, 0);
        ["a", "b"].iter().for_each(|message| send(&engine, message));
        let mut batch = InFlight::new(&Masking);
        assert!(block_on(poll_fn(|cx| lost.poll_take(cx, batch.queued_mut()))));
        let sender = spawn_with(&engine, move |engine| send(engine, "c"));
        batch.encode(&mut Masking);
        // The whole first message, and a part of the second.
        batch.consume(2 * MESSAGE + 1);
        lost.on_closed(batch.into_unsent());
        drop(lost);
        let (mut outlet, _inlet) = peer(&engine, 1);
        let wire = Wire::new(0);
        write(&mut outlet, &wire, 2);
        sender.join().expect("sent");
        assert_eq!(wire.messages(), "bc");
    });
}
