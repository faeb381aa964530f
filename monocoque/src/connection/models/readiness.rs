//! Readiness: observers of a socket against its pumps, its other users, and its end.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::*;
use crate::readiness::Events;

fn is_signalled(engine: &Engine) -> bool {
    let descriptor = engine.descriptor().expect("made");
    let mut ready = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut ready, Some(&Timespec::default())).expect("polled") == 1
}

fn events(engine: &Engine) -> Events {
    engine.events().expect("open")
}

#[test]
fn room_wakes_writable_observer() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        send(&engine, "a");
        let observer = spawn_with(&engine, |engine| block_on(engine.writable()).expect("open"));
        write(&mut outlet, &Wire::new(0), 1);
        observer.join().expect("woken");
    });
}

#[test]
fn room_during_events_leaves_edge() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        send(&engine, "a");
        assert!(is_signalled(&engine));
        let pump = spawn(move || write(&mut outlet, &Wire::new(0), 1));
        let is_seen = events(&engine).is_writable();
        pump.join().expect("written");
        assert!(is_seen || is_signalled(&engine));
    });
}

#[test]
fn arrival_during_events_leaves_edge() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (_outlet, mut inlet) = peer(&engine, 0);
        assert!(is_signalled(&engine));
        let pump = spawn(move || {
            deliver(&mut inlet, "a");
            inlet
        });
        let is_seen = events(&engine).is_readable();
        let _inlet = pump.join().expect("delivered");
        assert!(is_seen || is_signalled(&engine));
    });
}

#[test]
fn full_try_send_without_look_leaves_edge() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        assert!(is_signalled(&engine) && events(&engine).is_writable());
        let pump = spawn(move || {
            write(&mut outlet, &Wire::new(0), 1);
            outlet
        });
        // Sends until there is no room, without another look.
        let mut sent = 0;
        while sent < 2 && engine.try_send(None, "a".into()).is_ok() {
            sent += 1;
        }
        let _outlet = pump.join().expect("written");
        assert!(sent == 2 || is_signalled(&engine), "room for the second message");
    });
}

#[test]
fn reply_wakes_observer_of_next_request() {
    check(2, || {
        let (engine, _runtime) = socket(&REP, 0, 1);
        let (_outlet, mut inlet) = peer(&engine, 0);
        deliver(&mut inlet, ["", "a"]);
        deliver(&mut inlet, ["", "b"]);
        engine.try_recv().expect("received");
        let observer = spawn_with(&engine, |engine| block_on(engine.readable()).expect("open"));
        send(&engine, "reply");
        observer.join().expect("woken");
        engine.try_recv().expect("the second request");
    });
}

#[test]
fn close_wakes_observers_and_descriptor() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        assert!(is_signalled(&engine));
        let observer = spawn_with(&engine, |engine| block_on(engine.readable()).is_err());
        let closing = spawn_with(&engine, |engine| engine.close());
        let is_seen = engine.events().is_err();
        closing.join().expect("closed");
        assert!(observer.join().expect("woken"));
        assert!(is_seen || is_signalled(&engine));
    });
}
