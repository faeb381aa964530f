//! Models of inproc peers. All of the code is the real one.

use std::sync::Arc;

use monocoque_core::runtime::IdleRuntime;
use monocoque_core::sync::model::{block_on, check, spawn};
use monocoque_core::{Endpoint, Hwm, Message, RuntimeHandle};

use super::*;
use crate::endpoint::{bind, connect};
use crate::options::Options;
use crate::pattern::{DEALER, PUB, PULL, PUSH, Pattern, SUB};
use crate::socket::Engine;
use crate::socket::send::ByPattern;

/// Creates two sockets with one registry, and room for one message each.
fn sockets(patterns: [&'static Pattern; 2]) -> [(Arc<Engine>, IdleRuntime); 2] {
    let registry = Arc::<InprocRegistry<Engine>>::default();
    patterns.map(|pattern| {
        let (handle, runtime) = RuntimeHandle::idle();
        let hwm = Hwm::new(1);
        let options = Options { send_hwm: hwm, recv_hwm: hwm, ..Options::default() };
        (Engine::new(pattern, options, handle, registry.clone()).expect("a runtime"), runtime)
    })
}

fn name() -> Endpoint {
    "inproc://model".parse().expect("an endpoint")
}

fn bind(engine: &Arc<Engine>) {
    block_on(bind::bind(engine, name())).expect("bound");
}

fn connect(engine: &Arc<Engine>) {
    connect::connect(engine, name(), None).expect("connected");
}

fn send(engine: &Arc<Engine>, message: &str) {
    block_on(engine.send(ByPattern, message)).expect("open");
}

fn received(engine: &Arc<Engine>) -> Message {
    block_on(engine.recv()).expect("open")
}

#[test]
fn inproc_sender_and_receiver_wake() {
    check(2, || {
        let [(push, _one), (pull, _other)] = sockets([&PUSH, &PULL]);
        bind(&pull);
        connect(&push);
        let messages = ["a", "b", "c", "d"];
        let sender = spawn(move || messages.iter().for_each(|message| send(&push, message)));
        for message in messages {
            assert_eq!(received(&pull), message);
        }
        sender.join().expect("sent");
    });
}

#[test]
fn bind_connect_race_joins_peers() {
    check(2, || {
        let [(push, _one), (pull, _other)] = sockets([&PUSH, &PULL]);
        let sender = spawn(move || {
            connect(&push);
            send(&push, "a");
            push
        });
        bind(&pull);
        assert_eq!(received(&pull), "a");
        let push = sender.join().expect("sent");
        assert_eq!((push.peer_count(), pull.peer_count()), (1, 1));
    });
}

#[test]
fn concurrent_inproc_sends_both_arrive() {
    check(2, || {
        let [(one, _one), (other, _other)] = sockets([&DEALER, &DEALER]);
        bind(&one);
        connect(&other);
        let thread = spawn(move || {
            send(&other, "a");
            assert_eq!(received(&other), "b");
        });
        send(&one, "b");
        assert_eq!(received(&one), "a");
        thread.join().expect("both ways");
    });
}

#[test]
fn concurrent_inproc_leave_detaches_both() {
    check(2, || {
        let [(one, _one), (other, _other)] = sockets([&DEALER, &DEALER]);
        bind(&one);
        connect(&other);
        let closing = spawn({
            let one = one.clone();
            move || one.close()
        });
        connect::disconnect(&other, &name()).expect("connected");
        closing.join().expect("closed");
        assert_eq!((one.peer_count(), other.peer_count()), (0, 0));
    });
}

#[test]
fn send_during_unbind_loses_nothing() {
    check(2, || {
        let [(push, _one), (pull, _other)] = sockets([&PUSH, &PULL]);
        bind(&pull);
        connect(&push);
        let leaving = spawn({
            let pull = pull.clone();
            move || block_on(bind::unbind(&pull, &name())).expect("bound")
        });
        send(&push, "a");
        leaving.join().expect("unbound");
        let stats = push.stats();
        assert_eq!((pull.inbox.len() + stats.send_queue, stats.dropped, stats.peers), (1, 0, 0));
    });
}

#[test]
fn subscribe_bind_race_announces_topic() {
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
        assert_eq!(received(&sub), "b");
    });
}

#[test]
fn publish_subscribe_race_avoids_deadlock() {
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
