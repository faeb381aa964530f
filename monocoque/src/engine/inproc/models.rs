//! Models of sockets that meet within the process. All is real: there is nothing between them.

use monocoque_core::RuntimeHandle;
use monocoque_core::runtime::IdleRuntime;
use monocoque_core::sync::model::{block_on, check, spawn};

use super::*;
use crate::options::Options;
use crate::pattern::{DEALER, PUB, PULL, PUSH, Pattern, SUB};

/// Two sockets that know the same names, and may have one message each waiting.
fn sockets(patterns: [&'static Pattern; 2]) -> [(Arc<Engine>, IdleRuntime); 2] {
    let names = Arc::<Names>::default();
    patterns.map(|pattern| {
        let (home, runtime) = RuntimeHandle::idle();
        let hwm = Hwm::new(1);
        let options = Options { send_hwm: hwm, recv_hwm: hwm, ..Options::default() };
        (Engine::new(pattern, options, home, names.clone()).expect("a home"), runtime)
    })
}

fn name() -> Endpoint {
    "inproc://model".parse().expect("an endpoint")
}

fn bind(engine: &Arc<Engine>) {
    block_on(engine.bind(name())).expect("bound");
}

fn connect(engine: &Arc<Engine>) {
    engine.connect(name()).expect("connected");
}

fn send(engine: &Arc<Engine>, message: &str) {
    block_on(engine.send(None, message)).expect("open");
}

fn received(engine: &Arc<Engine>) -> Message {
    block_on(engine.recv()).expect("open")
}

#[test]
fn a_sender_and_a_receiver_wake_each_other() {
    check(2, || {
        let [(push, _one), (pull, _other)] = sockets([&PUSH, &PULL]);
        bind(&pull);
        connect(&push);
        let messages = ["a", "b", "c", "d"];
        let sender = spawn(move || messages.iter().for_each(|message| send(&push, message)));
        for message in messages {
            assert_eq!(received(&pull), message.into());
        }
        sender.join().expect("sent");
    });
}

#[test]
fn two_meet_whoever_comes_first() {
    check(2, || {
        let [(push, _one), (pull, _other)] = sockets([&PUSH, &PULL]);
        let sender = spawn(move || {
            connect(&push);
            send(&push, "a");
            push
        });
        bind(&pull);
        assert_eq!(received(&pull), "a".into());
        let push = sender.join().expect("sent");
        assert_eq!((push.peer_count(), pull.peer_count()), (1, 1));
    });
}

#[test]
fn two_talk_both_ways_at_the_same_time() {
    check(2, || {
        let [(one, _one), (other, _other)] = sockets([&DEALER, &DEALER]);
        bind(&one);
        connect(&other);
        let thread = spawn(move || {
            send(&other, "a");
            assert_eq!(received(&other), "b".into());
        });
        send(&one, "b");
        assert_eq!(received(&one), "a".into());
        thread.join().expect("both ways");
    });
}

#[test]
fn two_that_leave_each_other_are_apart() {
    check(2, || {
        let [(one, _one), (other, _other)] = sockets([&DEALER, &DEALER]);
        bind(&one);
        connect(&other);
        let closing = spawn({
            let one = one.clone();
            move || one.close()
        });
        other.disconnect(&name()).expect("connected");
        closing.join().expect("closed");
        assert_eq!((one.peer_count(), other.peer_count()), (0, 0));
    });
}

#[test]
fn what_is_sent_while_the_other_end_leaves_is_there_or_comes_back() {
    check(2, || {
        let [(push, _one), (pull, _other)] = sockets([&PUSH, &PULL]);
        bind(&pull);
        connect(&push);
        let leaving = spawn({
            let pull = pull.clone();
            move || block_on(pull.unbind(&name())).expect("bound")
        });
        send(&push, "a");
        leaving.join().expect("unbound");
        let stats = push.stats();
        assert_eq!((pull.inbox.len() + stats.send_queue, stats.dropped, stats.peers), (1, 0, 0));
    });
}

#[test]
fn a_topic_is_known_whether_it_or_the_publisher_comes_first() {
    check(2, || {
        let [(publisher, _one), (sub, _other)] = sockets([&PUB, &SUB]);
        let subscriber = spawn({
            let sub = sub.clone();
            move || {
                sub.subscribe(b"a").expect("open");
                sub.subscribe(b"b").expect("open");
                sub.unsubscribe(b"a").expect("open");
            }
        });
        connect(&sub);
        bind(&publisher);
        subscriber.join().expect("subscribed");
        let topics = publisher.out.lock().subscriptions().map(|hub| hub.topic_count());
        assert_eq!(topics, Some(1));
        send(&publisher, "b");
        assert_eq!(received(&sub), "b".into());
    });
}

#[test]
fn who_publishes_and_who_subscribes_do_not_wait_for_each_other() {
    check(2, || {
        let [(publisher, _one), (sub, _other)] = sockets([&PUB, &SUB]);
        bind(&publisher);
        connect(&sub);
        let subscriber = spawn({
            let sub = sub.clone();
            move || {
                sub.subscribe(b"").expect("open");
                sub.close();
            }
        });
        send(&publisher, "a");
        subscriber.join().expect("subscribed");
        assert_eq!(publisher.peer_count(), 0);
    });
}
