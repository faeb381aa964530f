//! The end of a socket and of its runtime.

use super::*;

/// Checks that waiting calls of a socket fail once `end` has ended it. A runtime that `end` returns
/// outlives them.
fn check_end(end: impl Fn(&Arc<Engine>, IdleRuntime) -> Option<IdleRuntime> + Send + Sync + 'static) {
    check(2, move || {
        let (engine, runtime) = socket(&DEALER, 1, 1);
        let (_outlet, _inlet) = peer(&engine, 0);
        send(&engine, "a");
        let sender = spawn_with(&engine, move |engine| block_on(engine.send(ByPattern, "b")).is_err());
        let watcher = spawn_with(&engine, move |engine| block_on(engine.wait_for_peers(2, None)).is_err());
        let _runtime = end(&engine, runtime);
        assert!(sender.join().expect("done") && watcher.join().expect("done"));
    });
}

#[test]
fn runtime_end_wakes_senders_and_watchers() {
    check_end(|_, runtime| {
        drop(runtime);
        None
    });
}

#[test]
fn close_wakes_senders_and_watchers() {
    check_end(|engine, runtime| {
        engine.close();
        Some(runtime)
    });
}

#[test]
fn runtime_end_wakes_pumps_and_receivers() {
    check(2, || {
        let (engine, runtime) = socket(&DEALER, 1, 2);
        let [(mut waits, _), (mut writes, _)] = [0, 1].map(|n| peer(&engine, n));
        let waiting = spawn(move || write_all(&mut waits, &Wire::new(0)));
        let writing = spawn(move || block_on(poll_fn(|cx| writes.poll_abort(cx))));
        let receiver = spawn_with(&engine, move |engine| block_on(engine.recv()).is_err());
        drop(runtime);
        waiting.join().expect("done");
        writing.join().expect("done");
        assert!(receiver.join().expect("done"));
    });
}

#[test]
fn accepted_messages_survive_close() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        let sender = spawn_with(&engine, move |engine| {
            ["a", "b"]
                .into_iter()
                .take_while(|message| block_on(engine.send(ByPattern, *message)).is_ok())
                .count()
        });
        let pump = spawn_pump(outlet, &wire);
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "ab"[..sender.join().expect("done")]);
    });
}
