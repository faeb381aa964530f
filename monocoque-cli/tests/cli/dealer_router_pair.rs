//! `mq dealer`, `mq router` and `mq pair`.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start, without_times};
use crate::peer::{bound, connected, socket, text};

#[test]
fn router_addresses_peers_by_id() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("named");
    let mut router = start(&["router", "-b", &endpoint, "-O", "json", "-I", "json", "-n", "1"]);
    let dealer = socket(SocketType::DEALER);
    dealer.set_identity(b"worker-1").unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("hello", 0).unwrap();
    assert_eq!(without_times(&router.line()), "{\"id\":\"worker-1\",\"frames\":[\"hello\"]}\n");
    router.type_in("{\"id\":\"worker-1\",\"frames\":[\"hello\",\"you\"]}\n");
    assert_eq!(dealer.recv_multipart(0).unwrap(), [b"hello", &b"you"[..]]);
    router.type_in("{\"frames\":[\"worker-1\",\"again\"]}\n");
    assert_eq!(text(&dealer), "again");
    router.end().ok();
}

#[test]
fn router_accepts_its_printed_lines() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("lines");
    let mut router = start(&["router", "-b", &endpoint, "-n", "2"]);
    let req = connected(SocketType::REQ, &endpoint);
    for question in ["one", "two"] {
        req.send(question, 0).unwrap();
        let line = router.line();
        assert!(line.starts_with("0x00") && line.ends_with(&format!("\t\t{question}")), "{line}");
        router.type_in(&format!("{line}\n"));
        assert_eq!(text(&req), question);
    }
    router.end().ok();
}

#[test]
fn router_reports_unknown_id() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("unknown");
    let ended = run(&["router", "-b", &endpoint, "--delimiter", ":", "-d", "nobody:hello", "-n", "0"], "");
    assert!(ended.stderr.contains("no peer with the routing id nobody is connected"), "{}", ended.stderr);
    ended.failed(1, "1 message was not delivered");
}

#[test]
fn router_waits_for_peer_count() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("wait");
    let router =
        start(&["router", "-b", &endpoint, "-w", "1", "--delimiter", ":", "-d", "worker:job", "-n", "0"]);
    assert_eq!(run(&["dealer", "-c", &endpoint, "--identity", "worker", "-n", "1"], "").text(), "job\n");
    router.end().ok();
}

#[test]
fn dealer_exchanges_with_rep() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("rep");
    let rep = start(&["rep", "-b", &endpoint, "--echo", "-n", "2"]);
    let args = ["dealer", "-c", &endpoint, "--delimiter", "/", "-d", "/one", "-d", "/two", "-n", "2"];
    assert_eq!(run(&args, "").text(), "/one\n/two\n");
    rep.end().ok();
}

#[test]
fn dealer_ends_with_input() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("nothing");
    let router = bound(SocketType::ROUTER, &endpoint);
    run(&["dealer", "-c", &endpoint, "--routing-id", "me", "-n", "0"], "a\nb\n").ok();
    assert_eq!(router.recv_multipart(0).unwrap(), [b"me", &b"a"[..]]);
    assert_eq!(router.recv_multipart(0).unwrap(), [b"me", &b"b"[..]]);
}

#[test]
fn pair_receives_while_awaiting_input() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("pair");
    let mut one = start(&["pair", "-b", &endpoint]);
    let mut two = start(&["pair", "-c", &endpoint]);
    for n in 0..3 {
        one.type_in(&format!("ping {n}\n"));
        assert_eq!(two.line(), format!("ping {n}"));
        two.type_in(&format!("pong {n}\n"));
        assert_eq!(one.line(), format!("pong {n}"));
    }
    one.interrupt().failed(130, "before the work was done");
    two.interrupt().failed(130, "before the work was done");
}
