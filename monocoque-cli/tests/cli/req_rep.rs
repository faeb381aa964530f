//! `mq req` and `mq rep`.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{connected, text};

#[test]
fn requests_and_replies_alternate() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("turns");
    let rep = start(&["rep", "-b", &endpoint, "--reply", "pong", "-n", "3"]);
    assert_eq!(run(&["req", "-c", &endpoint], "a\nb\nc\n").text(), "pong\npong\npong\n");
    assert_eq!(rep.end().text(), "a\nb\nc\n");
}

#[test]
fn request_data_repeats_cyclically() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("repeat");
    let rep = start(&["rep", "-b", &endpoint, "--echo", "-n", "4", "-O", "quiet"]);
    let replies = run(&["req", "-c", &endpoint, "-d", "a", "-d", "b", "-n", "4", "-O", "json"], "").text();
    assert_eq!(replies, ["a", "b", "a", "b"].map(|text| format!("{{\"frames\":[\"{text}\"]}}\n")).concat());
    assert_eq!(rep.end().text(), "");
}

#[test]
fn exec_command_answers_requests() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("exec");
    let rep = start(&["rep", "-b", &endpoint, "--exec", "tr a-z A-Z", "-n", "2", "-O", "quiet"]);
    let req = connected(SocketType::REQ, &endpoint);
    req.send("shout", 0).unwrap();
    assert_eq!(text(&req), "SHOUT");
    req.send_multipart(["two", "frames"], 0).unwrap();
    assert_eq!(text(&req), "TWO\tFRAMES");
    rep.end().ok();
}

#[test]
fn failing_exec_command_still_replies() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("exec");
    let mut rep = start(&["rep", "-b", &endpoint, "--exec", "echo no; exit 3", "-n", "1"]);
    let req = connected(SocketType::REQ, &endpoint);
    req.send(vec![b'x'; 1_000_000], 0).unwrap();
    assert_eq!(text(&req), "no\n");
    assert_eq!(rep.stderr_after("\"echo no; exit 3\" ended with "), "exit status: 3");
    rep.end().failed(1, "\"echo no; exit 3\" failed for 1 request");
}

#[test]
fn exec_failures_set_exit_code() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("exec");
    let rep = start(&["rep", "-b", &endpoint, "--exec", "read line && echo $line", "-O", "quiet"]);
    let req = connected(SocketType::REQ, &endpoint);
    for (request, reply) in [("fails", ""), ("works\n", "works\n"), ("fails too", "")] {
        req.send(request, 0).unwrap();
        assert_eq!(text(&req), reply);
    }
    rep.interrupt().failed(1, "failed for 2 requests");
}
