//! Endpoints without an option, variables of the environment, and options of sockets.

use std::net::TcpListener;

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start, start_with};
use crate::peer::{bound, connected, socket, text};

#[test]
fn endpoint_needs_no_option() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("plain");
    let pull = start(&["pull", &format!("@{endpoint}"), "-n", "1"]);
    run(&["push", &endpoint, "-d", "x"], "").ok();
    assert_eq!(pull.end().text(), "x\n");
    let mut mq = start(&["pull", "tcp://127.0.0.1:*", "-n", "1"]);
    let endpoint = mq.endpoint();
    run(&["push", &endpoint, "-d", "y"], "").ok();
    assert_eq!(mq.end().text(), "y\n");
}

#[test]
fn endpoint_variable_yields_to_options() {
    let directory = TestDirectory::new();
    let [one, two] = ["one", "two"].map(|name| directory.endpoint(name));
    let pull = bound(SocketType::PULL, &one);
    let other = bound(SocketType::PULL, &two);
    start_with(&["push", "-d", "x"], &[("MQ_ENDPOINT", &one)]).end().ok();
    assert_eq!(text(&pull), "x");
    start_with(&["push", "-c", &two, "-d", "y"], &[("MQ_ENDPOINT", &one)]).end().ok();
    assert_eq!(text(&other), "y");
    let both = format!("{one},{two}");
    start_with(&["push", "-w", "2", "-d", "a", "-d", "b"], &[("MQ_ENDPOINT", &both)]).end().ok();
    let mut received = [text(&pull), text(&other)];
    received.sort_unstable();
    assert_eq!(received, ["a", "b"]);
    start_with(&["push", "-d", "x"], &[("MQ_ENDPOINT", "5555")]).end().failed(2, "did you mean");
}

#[test]
fn variables_set_options() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("timeout");
    let args = ["pull", "-b", &endpoint];
    start_with(&args, &[("MQ_TIMEOUT", "50ms")]).end().failed(124, "within 50ms");
    start_with(&[&args[..], &["-t", "70ms"]].concat(), &[("MQ_TIMEOUT", "1h")])
        .end()
        .failed(124, "within 70ms");
    start_with(&args, &[("MQ_HWM", "many")]).end().failed(2, "invalid value 'many'");
}

#[test]
fn large_message_ends_connection() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("large");
    let mut mq = start(&["pull", "-b", &endpoint, "-n", "1", "--max-message-size", "1k"]);
    let push = socket(SocketType::PUSH);
    push.set_linger(0).unwrap();
    push.connect(&endpoint).unwrap();
    push.send(vec![0; 2000], 0).unwrap();
    mq.stderr_after("lost ");
    let good = connected(SocketType::PUSH, &endpoint);
    good.send("small", 0).unwrap();
    assert_eq!(mq.end().text(), "small\n");
}

#[test]
fn reconnect_interval_spaces_attempts() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("nowhere");
    let args = ["monitor", "req", "-c", &endpoint, "-n", "2", "--reconnect-interval", "7s"];
    let text = run(&args, "").text();
    assert!(text.lines().nth(1).is_some_and(|line| line.ends_with("s")), "{text}");
    assert!(!text.contains("ms"), "{text}");
}

#[test]
fn invalid_option_values_are_rejected() {
    let at = ["pull", "-b", "tcp://127.0.0.1:0"];
    run(&[&at[..], &["--max-message-size", "big"]].concat(), "").failed(2, "as in 65536, 64k or 1M");
    run(&[&at[..], &["--keep-alive", "0s"]].concat(), "").failed(2, "mq: ");
    run(&[&at[..], &["--socks-proxy", "ipc:///tmp/x"]].concat(), "").failed(2, "mq: ");
}

#[test]
fn conflate_keeps_last_message() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("conflate");
    let lines = (0..1000).map(|n| format!("{n}\n")).collect::<String>();
    let mut mq = start(&["pub", "-b", &endpoint, "--conflate", "-w", "1"]);
    let sub = connected(SocketType::SUB, &endpoint);
    mq.feed(&lines);
    let mut last = text(&sub);
    while last != "999" {
        last = text(&sub);
    }
    mq.end().ok();
}

#[test]
fn unspecified_address_is_bound() {
    for (host, loopback) in [("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]")] {
        // A port that is given, and free: a wildcard would be bound anyway.
        let free = TcpListener::bind(format!("{loopback}:0")).unwrap().local_addr().unwrap().port();
        let endpoint = format!("tcp://{host}:{free}");
        let mut pull = start(&["pull", &endpoint, "-n", "1", "-v", "-t", "20s"]);
        assert_eq!(pull.endpoint(), endpoint);
        run(&["push", &format!("tcp://{loopback}:{free}"), "-d", "x"], "").ok();
        assert_eq!(pull.end().text(), "x\n");
    }
}
