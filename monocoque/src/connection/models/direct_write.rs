//! Direct writes and deferred messages beside the write pump.

use super::*;

#[test]
fn direct_write_keeps_pump_order() {
    for takes in [0, 2, 64] {
        check(2, move || {
            let (engine, _runtime, outlet, mut inlet, wire) = connected(0, takes);
            let pump = spawn_pump(outlet, &wire);
            let reader = spawn(move || {
                deliver(&mut inlet, "1");
                inlet
            });
            send(&engine, "a");
            block_on(engine.recv()).expect("open");
            send(&engine, "b");
            send(&engine, "c");
            engine.close();
            pump.join().expect("done");
            drop(reader.join());
            assert_eq!(wire.messages(), "abc");
        });
    }
}

#[test]
fn partial_direct_write_is_completed() {
    for takes in [0, 2] {
        check(3, move || {
            let (engine, runtime, mut outlet, _inlet, wire) = connected(0, takes);
            let sender = spawn(move || {
                send(&engine, "a");
                runtime
            });
            write(&mut outlet, &wire, 1);
            drop(sender.join());
            assert_eq!(wire.messages(), "a");
        });
    }
}

#[test]
fn concurrent_direct_writes_stay_whole() {
    for takes in [2, 64] {
        check(2, move || {
            let (engine, _runtime, outlet, _inlet, wire) = connected(0, takes);
            let pump = spawn_pump(outlet, &wire);
            let sender = spawn_with(&engine, move |engine| send(engine, "a"));
            send(&engine, "b");
            sender.join().expect("sent");
            engine.close();
            pump.join().expect("done");
            assert!(["ab", "ba"].contains(&&*wire.messages()), "{}", wire.messages());
        });
    }
}

#[test]
fn pump_replies_exclude_direct_writes() {
    for takes in [2, 64] {
        check(3, move || {
            let (engine, _runtime, mut outlet, _inlet, wire) = connected(0, takes);
            let pump = spawn({
                let wire = wire.clone();
                move || {
                    let mut replied = false;
                    while !replied {
                        let mut batch = Outbox::new();
                        let taken = block_on(poll_fn(|cx| match outlet.poll_take(cx, &mut batch) {
                            Pending if outlet.unpark() => Ready(None),
                            Pending => Pending,
                            Ready(more) => Ready(Some(more)),
                        }));
                        match taken {
                            Some(more) if more => wire.write(batch.chunk()),
                            ended_or_idle => {
                                wire.write(&[0, 1, b'-']);
                                replied = true;
                                if ended_or_idle.is_some() {
                                    return;
                                }
                            }
                        }
                    }
                    write_all(&mut outlet, &wire);
                }
            });
            send(&engine, "a");
            send(&engine, "b");
            engine.close();
            pump.join().expect("done");
            assert!(["-ab", "a-b", "ab-"].contains(&&*wire.messages()), "{}", wire.messages());
        });
    }
}

#[test]
fn deferred_message_precedes_next_send() {
    check(3, || {
        let (engine, _runtime, outlet, _inlet, wire) = connected(0, 64);
        let pump = spawn_pump(outlet, &wire);
        block_on(engine.send_deferred("a")).expect("open");
        send(&engine, "b");
        send(&engine, "c");
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "abc");
    });
}

#[test]
fn send_flushes_deferred_other_peer() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 0, 2);
        let pumps = [0, 1].map(|n| {
            let (mut outlet, inlet) = peer(&engine, n);
            spawn(move || {
                write(&mut outlet, &Wire::new(0), 1);
                drop(inlet);
            })
        });
        block_on(engine.send_deferred("a")).expect("open");
        send(&engine, "b");
        pumps.into_iter().for_each(|pump| pump.join().expect("written"));
    });
}

#[test]
fn flush_returns_after_last_write() {
    check(3, || {
        let (engine, _runtime, outlet, _inlet, wire) = connected(0, 64);
        let pump = spawn_pump(outlet, &wire);
        block_on(engine.send_deferred("a")).expect("open");
        block_on(engine.send_deferred("b")).expect("open");
        block_on(engine.flush(None)).expect("open");
        assert_eq!(wire.messages(), "ab");
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "ab");
    });
}

#[test]
fn flush_notices_direct_write() {
    check(3, || {
        let (engine, _runtime, outlet, _inlet, wire) = connected(0, 2);
        let pump = spawn_pump(outlet, &wire);
        send(&engine, "a");
        block_on(engine.flush(None)).expect("open");
        assert_eq!(wire.messages(), "a");
        engine.close();
        pump.join().expect("done");
    });
}
