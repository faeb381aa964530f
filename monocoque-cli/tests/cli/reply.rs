//! `mq req` and `mq rep`.

use zmq::SocketType;

use crate::peer::{connected, text};
use crate::running::{Place, run, start};

#[test]
fn requests_and_replies_take_turns() {
    let place = Place::new();
    let endpoint = place.endpoint("turns");
    let rep = start(&["rep", "-b", &endpoint, "--reply", "pong", "-n", "3"]);
    assert_eq!(run(&["req", "-c", &endpoint], "a\nb\nc\n").text(), "pong\npong\npong\n");
    assert_eq!(rep.end().text(), "a\nb\nc\n");
}

#[test]
fn a_request_can_be_repeated() {
    let place = Place::new();
    let endpoint = place.endpoint("repeat");
    let rep = start(&["rep", "-b", &endpoint, "--echo", "-n", "4", "-O", "quiet"]);
    let replies = run(&["req", "-c", &endpoint, "-d", "a", "-d", "b", "-n", "4", "-O", "json"], "").text();
    assert_eq!(replies, ["a", "b", "a", "b"].map(|text| format!("{{\"frames\":[\"{text}\"]}}\n")).concat());
    assert_eq!(rep.end().text(), "");
}

#[test]
fn a_command_answers() {
    let place = Place::new();
    let endpoint = place.endpoint("exec");
    let rep = start(&["rep", "-b", &endpoint, "--exec", "tr a-z A-Z", "-n", "2", "-O", "quiet"]);
    let req = connected(SocketType::REQ, &endpoint);
    req.send("shout", 0).unwrap();
    assert_eq!(text(&req), "SHOUT");
    req.send_multipart(["two", "frames"], 0).unwrap();
    assert_eq!(text(&req), "TWO\tFRAMES");
    rep.end().ok();
}

#[test]
fn a_command_need_not_read_and_may_fail() {
    let place = Place::new();
    let endpoint = place.endpoint("exec");
    let mut rep = start(&["rep", "-b", &endpoint, "--exec", "echo no; exit 3", "-n", "1"]);
    let req = connected(SocketType::REQ, &endpoint);
    req.send(vec![b'x'; 1_000_000], 0).unwrap();
    assert_eq!(text(&req), "no\n");
    assert_eq!(rep.told("\"echo no; exit 3\" ended with "), "exit status: 3");
    rep.end().failed(1, "\"echo no; exit 3\" failed for 1 request");
}

#[test]
fn rep_exec_failure_is_kept_until_the_end() {
    let place = Place::new();
    let endpoint = place.endpoint("exec");
    let rep = start(&["rep", "-b", &endpoint, "--exec", "read line && echo $line", "-O", "quiet"]);
    let req = connected(SocketType::REQ, &endpoint);
    for (request, reply) in [("fails", ""), ("works\n", "works\n"), ("fails too", "")] {
        req.send(request, 0).unwrap();
        assert_eq!(text(&req), reply);
    }
    rep.interrupt().failed(1, "failed for 2 requests");
}
