//! Exit statuses: after signals, without a reader of the output, with undelivered messages.

use nix::sys::signal::Signal;
use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start, start_unread, until};
use crate::peer::{bound, connected, socket, text};

const SIGNALS: [(Signal, i32); 2] = [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)];

#[test]
fn interrupt_of_endless_work_succeeds() {
    let commands: [&[&str]; 5] =
        [&["pull"], &["sub"], &["rep", "--echo"], &["router", "--echo"], &["monitor", "pair"]];
    for command in commands {
        for (signal, _) in SIGNALS {
            let mut mq = start(&[command, &["-b", "tcp://127.0.0.1:*"]].concat());
            mq.endpoint();
            mq.end_by(signal).ok();
        }
    }
}

#[test]
fn interrupt_of_unfinished_work_fails() {
    let commands: [&[&str]; 12] = [
        &["pull", "-n", "5"],
        &["sub", "-n", "5"],
        &["rep", "--echo", "-n", "1"],
        &["push"],
        &["push", "-d", "x", "-w", "1"],
        &["pub", "-d", "x", "-w", "1"],
        &["pub", "-d", "x", "-w", "1", "--repeat", "-n", "9"],
        &["req", "-d", "x", "-w", "1"],
        &["dealer"],
        &["router"],
        &["monitor", "pair", "-n", "5"],
        &["bench", "pull"],
    ];
    for command in commands {
        for (signal, code) in SIGNALS {
            let mut mq = start(&[command, &["-b", "tcp://127.0.0.1:*"]].concat());
            mq.endpoint();
            let reason = format!("interrupted by {signal} before the work was done");
            mq.end_by(signal).failed(code, &reason);
        }
    }
}

#[test]
fn interrupt_with_undelivered_message_fails() {
    for command in ["push", "req", "dealer", "pair"] {
        for (signal, _) in SIGNALS {
            let mut mq = start(&[command, "-b", "tcp://127.0.0.1:*"]);
            mq.endpoint();
            // One more than the input reads ahead, each larger than the pipe: the first is in
            // `send`.
            let line = format!("{}\n", "x".repeat(100_000));
            (0..66).for_each(|_| mq.type_in(&line));
            let reason = "1 message was not delivered: interrupted while no peer was there";
            mq.end_by(signal).failed(1, reason);
        }
    }
}

#[test]
fn interrupt_before_reply_fails() {
    let directory = TestDirectory::new();
    for (signal, code) in SIGNALS {
        let endpoint = directory.endpoint(signal.as_str());
        let rep = bound(SocketType::REP, &endpoint);
        let mq = start(&["req", "-c", &endpoint, "-d", "asked"]);
        assert_eq!(text(&rep), "asked");
        mq.end_by(signal).failed(code, "before the work was done");
    }
}

#[test]
fn interrupt_sends_lines_already_read() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("flush");
    let pull = bound(SocketType::PULL, &endpoint);
    let mut mq = start(&["push", "-c", &endpoint, "-v"]);
    let line = "x".repeat(1000);
    for _ in 0..500 {
        mq.type_in(&format!("{line}\n"));
    }
    mq.type_in("last\n");
    while text(&pull) != "last" {}
    // Its input had not ended.
    let ended = mq.interrupt();
    assert!(ended.stderr.contains("sent 501 and received 0 messages"), "{}", ended.stderr);
    ended.failed(130, "");
}

#[test]
fn interrupt_prints_received_messages() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("print");
    let push = connected(SocketType::PUSH, &endpoint);
    let mq = start(&["pull", "-b", &endpoint]);
    push.send("one", 0).unwrap();
    assert_eq!(mq.line(), "one");
    push.send("two", 0).unwrap();
    assert_eq!(mq.line(), "two");
    assert_eq!(mq.interrupt().text(), "one\ntwo\n");
}

/// Creates a PULL that receives only what fits in its queues.
fn slow_pull(endpoint: &str) -> zmq::Socket {
    let pull = socket(SocketType::PULL);
    pull.set_rcvhwm(1).unwrap();
    pull.set_linger(0).unwrap();
    pull.bind(endpoint).unwrap();
    pull
}

#[test]
fn undelivered_messages_fail() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("slow");
    let pull = slow_pull(&endpoint);
    let lines = format!("{}\n", "x".repeat(1_000_000)).repeat(30);
    let ended = run(&["push", "-c", &endpoint, "--linger", "100ms"], &lines);
    assert!(
        ended
            .stderr
            .contains(" messages were not delivered: no peer was ready in time; --linger says how long"),
        "{}",
        ended.stderr
    );
    ended.failed(1, "");
    drop(pull);
}

#[test]
fn second_interrupt_ends_immediately() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("slow");
    let pull = slow_pull(&endpoint);
    let mut mq = start(&["push", "-c", &endpoint, "--linger", "1h"]);
    // More than it reads ahead, and more than the kernel buffers.
    let line = format!("{}\n", "x".repeat(100_000));
    (0..300).for_each(|_| mq.type_in(&line));
    mq.signal(Signal::SIGINT);
    assert!(mq.stderr_after("messages still to be sent: ").ends_with("; interrupt again to leave them"));
    mq.signal(Signal::SIGINT);
    assert_eq!(mq.end().code, Some(130));
    drop(pull);
}

#[test]
fn closed_stdout_ends_receivers_quietly() {
    let directory = TestDirectory::new();
    for format in ["lines", "frames", "json", "raw"] {
        let endpoint = directory.endpoint(format);
        let push = bound(SocketType::PUSH, &endpoint);
        push.set_linger(0).unwrap();
        let mut mq = start_unread(&["pull", "-c", &endpoint, "-O", format]);
        mq.close_stdout();
        until("mq has ended", || {
            let _ = push.send("x", zmq::DONTWAIT);
            !mq.is_alive()
        });
        let ended = mq.end();
        assert_eq!(ended.stderr, "");
        ended.ok();
    }
}

#[test]
fn closed_stdout_ends_monitor_quietly() {
    let directory = TestDirectory::new();
    let mut mq = start_unread(&["monitor", "req", "-c", &directory.endpoint("nowhere")]);
    mq.close_stdout();
    mq.end().ok();
    let ends =
        [format!("pull@{}", directory.endpoint("front")), format!("push@{}", directory.endpoint("back"))];
    let mut mq = start_unread(&["proxy", &ends[0], &ends[1], "--stats", "1ms"]);
    mq.close_stdout();
    mq.end().ok();
}
