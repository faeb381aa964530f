//! `mq proxy`.

use nix::sys::signal::Signal;
use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{bound, connected, text};

#[test]
fn proxy_forwards_publications() {
    let directory = TestDirectory::new();
    let (front, back) = (directory.endpoint("front"), directory.endpoint("back"));
    let mq = start(&["proxy", &format!("xpub@{back}"), &format!("xsub@{front}")]);
    let publisher = connected(SocketType::XPUB, &front);
    let subscriber = connected(SocketType::SUB, &back);
    assert_eq!(publisher.recv_bytes(0).unwrap(), b"\x01");
    publisher.send("news", 0).unwrap();
    assert_eq!(text(&subscriber), "news");
    assert_eq!(
        mq.interrupt().text(),
        "XPUB to XSUB: 1 messages, 4 bytes; XSUB to XPUB: 1 messages, 1 bytes\n"
    );
}

#[test]
fn pipeline_is_captured_and_counted() {
    let directory = TestDirectory::new();
    let [front, back, copy] = ["front", "back", "copy"].map(|name| directory.endpoint(name));
    let captured = bound(SocketType::PULL, &copy);
    let ends = [format!("pull@{front}"), format!("push@{back}"), format!("push@connect:{copy}")];
    let mq = start(&["proxy", &ends[0], &ends[1], "--capture", &ends[2], "-O", "json"]);
    let (push, pull) = (connected(SocketType::PUSH, &front), connected(SocketType::PULL, &back));
    push.send("first", 0).unwrap();
    assert_eq!(text(&pull), "first");
    mq.signal(Signal::SIGUSR1);
    let figures = mq.line();
    assert!(figures.contains(r#""forward":{"messages":1,"bytes":5}"#), "{figures}");
    assert!(figures.contains(r#""backward":{"messages":0,"bytes":0}"#), "{figures}");
    mq.signal(Signal::SIGUSR1);
    assert_eq!(mq.line(), figures);
    mq.interrupt().ok();
    drop(captured);
}

#[test]
fn capture_matches_forwarded_messages() {
    let directory = TestDirectory::new();
    let [front, back, copy] = ["front", "back", "copy"].map(|name| directory.endpoint(name));
    let ends = [format!("router@{front}"), format!("dealer@{back}"), format!("pub@{copy}")];
    let mut mq = start(&["proxy", &ends[0], &ends[1], "--capture", &ends[2], "-v"]);
    let observer = connected(SocketType::SUB, &copy);
    mq.stderr_after("a SUB with the routing id");
    let (req, rep) = (connected(SocketType::REQ, &front), connected(SocketType::REP, &back));
    // A publisher may know the connection of a SUB before its subscription.
    let seen = (0..1000).find_map(|_| {
        req.send("question", 0).unwrap();
        assert_eq!(text(&rep), "question");
        rep.send("answer", 0).unwrap();
        assert_eq!(text(&req), "answer");
        observer.recv_multipart(zmq::DONTWAIT).ok()
    });
    let seen = seen.expect("a copy");
    assert!(matches!(&*seen[2], b"question" | b"answer"), "{seen:?}");
    mq.interrupt().ok();
}

#[test]
fn stats_interval_prints_figures() {
    let directory = TestDirectory::new();
    let ends =
        [format!("pull@{}", directory.endpoint("front")), format!("push@{}", directory.endpoint("back"))];
    let mq = start(&["proxy", &ends[0], &ends[1], "--stats", "10ms"]);
    for _ in 0..3 {
        assert_eq!(mq.line(), "PULL to PUSH: 0 messages, 0 bytes; PUSH to PULL: 0 messages, 0 bytes");
    }
    mq.interrupt().ok();
}

#[test]
fn incompatible_ends_are_rejected() {
    run(&["proxy", "router@tcp://127.0.0.1:0", "push@tcp://127.0.0.1:0"], "")
        .failed(2, "nothing can be passed between ROUTER and PUSH: take router and dealer");
    run(&["proxy", "router", "dealer@tcp://127.0.0.1:0"], "").failed(2, "an end is TYPE@ENDPOINT");
    let ends =
        ["proxy", "pull@tcp://127.0.0.1:0", "push@tcp://127.0.0.1:0", "--capture", "sub@tcp://127.0.0.1:0"];
    run(&ends, "").failed(2, "--capture takes pub, push or pair, not SUB");
}
