//! Message counts, repetition, intervals and timeouts.

use std::time::{Duration, Instant};

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start, until};
use crate::peer::{bound, text};

#[test]
fn count_limits_sent_messages() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("count");
    let pull = bound(SocketType::PULL, &endpoint);
    let received = |n: usize| (0..n).map(|_| text(&pull)).collect::<Vec<_>>();
    run(&["push", "-c", &endpoint, "-d", "a", "-d", "b", "-n", "5"], "").ok();
    assert_eq!(received(5), ["a", "b", "a", "b", "a"]);
    run(&["push", "-c", &endpoint, "-d", "last", "-n", "0"], "").ok();
    run(&["push", "-c", &endpoint, "-n", "2"], "1\n2\n3\n").ok();
    assert_eq!(received(2), ["1", "2"]);
    assert!(pull.recv_bytes(zmq::DONTWAIT).is_err());
}

#[test]
fn repeat_sends_until_interrupt() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("repeat");
    let pull = bound(SocketType::PULL, &endpoint);
    let mq = start(&["push", "-c", &endpoint, "-d", "tick", "--repeat", "-i", "1ms"]);
    for _ in 0..10 {
        assert_eq!(text(&pull), "tick");
    }
    mq.interrupt().ok();
}

#[test]
fn count_limits_received_messages() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("count");
    let push = bound(SocketType::PUSH, &endpoint);
    assert_eq!(run(&["pull", "-b", &directory.endpoint("none"), "-n", "0"], "").text(), "");
    let mq = start(&["pull", "-c", &endpoint, "-n", "2"]);
    (0..5).for_each(|n| push.send(&*n.to_string(), 0).unwrap());
    assert_eq!(mq.end().text(), "0\n1\n");
}

#[test]
fn interval_spaces_messages_apart() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("interval");
    let pull = bound(SocketType::PULL, &endpoint);
    let start = Instant::now();
    run(&["push", "-c", &endpoint, "-d", "x", "-n", "4", "-i", "50ms"], "").ok();
    assert!(start.elapsed() >= Duration::from_millis(150));
    (0..4).for_each(|_| assert_eq!(text(&pull), "x"));
}

#[test]
fn silence_before_first_message_fails() {
    let directory = TestDirectory::new();
    let at = |name| directory.endpoint(name);
    for command in ["pull", "sub"] {
        run(&[command, "-b", &at("a"), "-t", "50ms"], "")
            .failed(124, "timed out: nothing was received within 50ms");
    }
    run(&["rep", "--echo", "-b", &at("a"), "-t", "50ms"], "").failed(124, "nothing was received");
    run(&["dealer", "-b", &at("a"), "-t", "50ms"], "").failed(124, "nothing was received");
    run(&["router", "-b", &at("a"), "--echo", "-t", "50ms"], "").failed(124, "nothing was received");
    run(&["monitor", "pull", "-b", &at("a"), "-n", "2", "-t", "50ms"], "").failed(124, "nothing happened");
}

#[test]
fn missing_peer_times_out() {
    let directory = TestDirectory::new();
    let nowhere = directory.endpoint("nowhere");
    for command in ["push", "req", "dealer", "pair"] {
        run(&[command, "-c", &nowhere, "-d", "x", "-t", "50ms"], "")
            .failed(124, "no peer was there within 50ms");
    }
    run(&["push", "-c", &nowhere, "-w", "1", "-d", "x", "-t", "50ms"], "")
        .failed(124, "fewer than 1 peers within 50ms");
    run(&["pub", "-c", &nowhere, "-w", "1", "-d", "x", "-t", "50ms"], "")
        .failed(124, "fewer than 1 subscriptions");
    run(&["bench", "req", "-c", &nowhere, "-t", "50ms"], "").failed(124, "no peer was there");
    run(&["bench", "push", "-c", &nowhere, "-t", "50ms"], "").failed(124, "no peer was there");
}

#[test]
fn missing_reply_times_out() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("mute");
    let rep = bound(SocketType::REP, &endpoint);
    let mq = start(&["req", "-c", &endpoint, "-d", "question", "-t", "1s"]);
    assert_eq!(text(&rep), "question");
    mq.end().failed(124, "nothing was received within 1s");
}

#[test]
fn silence_after_messages_ends() {
    let directory = TestDirectory::new();
    let sent_one = |name, more: &[&str]| {
        let endpoint = directory.endpoint(name);
        let push = bound(SocketType::PUSH, &endpoint);
        let mq = start(&[&["pull", "-c", &endpoint, "-t", "2s"], more].concat());
        push.send("one", 0).unwrap();
        mq.end()
    };
    assert_eq!(sent_one("enough", &[]).text(), "one\n");
    let printed = sent_one("too few", &["-n", "2"]).failed(124, "nothing was received within 2s");
    assert_eq!(printed, b"one\n", "earlier messages are printed");
}

#[test]
fn input_wait_suspends_timeout() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("input");
    let pair = bound(SocketType::PAIR, &endpoint);
    let mut mq = start(&["pair", "-c", &endpoint, "-t", "500ms"]);
    mq.type_in("one\n");
    assert_eq!(text(&pair), "one");
    let start = Instant::now();
    until("the timeout has passed", || start.elapsed() > Duration::from_millis(700));
    mq.type_in("two\n");
    assert_eq!(text(&pair), "two");
    mq.end().failed(124, "nothing was received");
}
