//! Endpoints that do not work: reported once, at once, and in the text of a timeout.

use std::io::Read;
use std::net::TcpListener;

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{bound, text};

/// Returns a tcp endpoint that nothing listens at.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

#[test]
fn refused_connection_is_reported_once() {
    let endpoint = closed_port();
    let ended = run(&["sub", "-c", &endpoint, "-t", "1s"], "");
    let line = format!("mq: cannot connect to {endpoint}: Connection refused (os error 111)\n");
    assert_eq!(ended.stderr.matches(&line).count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    let reason = format!("received within 1s: cannot connect to {endpoint}: Connection refused");
    ended.failed(124, &reason);
}

#[test]
fn unknown_host_is_in_timeout() {
    let ended = run(&["push", "-c", "tcp://nohost.invalid:1", "-d", "x", "-t", "3s"], "");
    ended.failed(124, "no peer was there within 3s: cannot connect to tcp://nohost.invalid:1: ");
}

#[test]
fn incompatible_peer_is_reported_once() {
    let mut puller = start(&["pull", "-b", "tcp://127.0.0.1:*"]);
    let endpoint = puller.endpoint();
    for _ in 0..2 {
        let ended = run(&["pull", "-c", &endpoint, "-t", "1s"], "");
        assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
        let line = ended.stderr.lines().next().unwrap().to_owned();
        assert!(line.contains("PULL peer at a PULL socket"), "{line}");
        ended.failed(124, line.strip_prefix("mq: ").unwrap());
    }
    puller.stderr_after("PULL peer at a PULL socket");
    assert_eq!(puller.interrupt().stderr.lines().count(), 2, "where it listens, and the failure");
}

#[test]
fn silent_peer_is_in_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let mq = start(&["pull", "-c", &endpoint, "-t", "1s"]);
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    mq.end().failed(124, &format!("{endpoint} has not completed the handshake"));
}

#[test]
fn recovery_is_reported() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("later");
    let mut mq = start(&["push", "-c", &endpoint, "-d", "x"]);
    mq.stderr_after("cannot connect to ");
    let pull = bound(SocketType::PULL, &endpoint);
    assert_eq!(text(&pull), "x");
    assert_eq!(mq.stderr_after("connected to "), endpoint);
    let ended = mq.end();
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    ended.ok();
}

#[test]
fn missing_peers_are_in_timeout() {
    let directory = TestDirectory::new();
    run(&["pull", "-b", &directory.endpoint("alone"), "-t", "50ms"], "")
        .failed(124, "within 50ms: no peer is connected");
    let endpoint = directory.endpoint("mute");
    let _push = bound(SocketType::PUSH, &endpoint);
    run(&["pull", "-c", &endpoint, "-t", "1s"], "").failed(124, "within 1s, with 1 peer connected");
}

#[test]
fn verbose_folds_repeated_failures() {
    let endpoint = closed_port();
    let ended = run(&["sub", "-v", "-c", &endpoint, "-t", "2s"], "");
    let failed = format!("connect failed {endpoint}: Connection refused (os error 111)");
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains(&failed)).collect();
    assert_eq!(lines.len(), 2, "the first one and their number: {}", ended.stderr);
    assert!(lines.iter().any(|line| line.contains(" ... ") && line.ends_with(" times")), "{}", ended.stderr);
}

#[test]
fn own_end_is_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let mut mq = start(&["req", "-c", &endpoint]);
    // It is connected, and its handshake has begun.
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    mq.feed("");
    let ended = mq.end();
    assert_eq!(ended.stderr, "");
    ended.ok();
}
