//! `mq proxy`.

#[cfg(feature = "metrics")]
use std::io::{Read, Write};
#[cfg(feature = "metrics")]
use std::net::TcpStream;

use nix::sys::signal::Signal;
use zmq::SocketType;

#[cfg(feature = "metrics")]
use crate::mq_process::until;
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
fn dropped_messages_are_in_the_figures() {
    let directory = TestDirectory::new();
    let [front, back] = ["front", "back"].map(|name| directory.endpoint(name));
    let mq = start(&["proxy", &format!("router@{front}"), &format!("dealer@{back}")]);
    let server = connected(SocketType::DEALER, &back);
    server.send_multipart(["no such client", "a reply"], 0).unwrap();
    // Behind it, from the same peer.
    let client = connected(SocketType::DEALER, &front);
    client.send("a request", 0).unwrap();
    let request = server.recv_multipart(0).unwrap();
    server.send_multipart(&request, 0).unwrap();
    assert_eq!(text(&client), "a request");
    let figures = mq.interrupt().text();
    assert!(figures.ends_with("; 1 dropped\n"), "{figures}");
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

/// Sends a request to a server, and returns the whole response.
#[cfg(feature = "metrics")]
fn http(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a server");
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("text");
    response
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_are_served_over_http() {
    let directory = TestDirectory::new();
    let (front, back) = (directory.endpoint("front"), directory.endpoint("back"));
    let mut mq =
        start(&["proxy", &format!("pull@{front}"), &format!("push@{back}"), "--metrics", "127.0.0.1:0"]);
    let url = mq.stderr_after("metrics on http://");
    let address = url.trim().strip_suffix("/metrics").expect("the path").to_owned();
    let (push, pull) = (connected(SocketType::PUSH, &front), connected(SocketType::PULL, &back));
    push.send("first", 0).unwrap();
    assert_eq!(text(&pull), "first");
    let mut page = String::new();
    until("the message is counted", || {
        page = http(&address, "GET /metrics");
        let counted =
            |line: &str| line.starts_with("monocoque_received_messages_total{") && line.ends_with(" 1");
        page.lines().any(counted)
    });
    for part in [
        "HTTP/1.1 200 OK",
        "Content-Type: text/plain; version=0.0.4",
        "# TYPE monocoque_received_messages_total counter",
        "# HELP monocoque_peers Connected peers",
        "type=\"PULL\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(http(&address, "GET /").starts_with("HTTP/1.1 404"));
    assert!(http(&address, "POST /metrics").starts_with("HTTP/1.1 405"));
    mq.interrupt().ok();
}

#[cfg(feature = "metrics")]
#[test]
fn taken_metrics_address_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let directory = TestDirectory::new();
    let ends =
        [format!("pull@{}", directory.endpoint("front")), format!("push@{}", directory.endpoint("back"))];
    let failed = run(&["proxy", &ends[0], &ends[1], "--metrics", &address], "");
    failed.failed(1, &format!("cannot serve metrics on {address}: Address already in use"));
}
