//! `mq req` and `mq rep`.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start, until};
use crate::peer::{bound, connected, text};

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
    let replies = run(&["req", "-c", &endpoint, "-d", "a", "-d", "b", "-n", "4", "-O", "json"], "").json();
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

#[test]
fn parallel_requests_wait_together() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("parallel");
    let router = bound(SocketType::ROUTER, &endpoint);
    let mq = start(&["req", "-c", &endpoint, "-d", "x", "-n", "8", "--parallel", "4"]);
    let mut waiting: Vec<_> = (0..4).map(|_| router.recv_multipart(0).unwrap()).collect();
    for _ in 0..4 {
        router.send_multipart(waiting.pop().unwrap(), 0).unwrap();
        waiting.push(router.recv_multipart(0).unwrap());
    }
    waiting.into_iter().for_each(|request| router.send_multipart(request, 0).unwrap());
    assert_eq!(mq.end().text(), "x\n".repeat(8));
    run(&["req", "-c", &endpoint, "--parallel", "0"], "").failed(2, "--parallel");
}

#[test]
fn parallel_request_without_reply_fails() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("mute");
    let router = bound(SocketType::ROUTER, &endpoint);
    let mq = start(&["req", "-c", &endpoint, "-d", "x", "-n", "2", "-p", "2", "-t", "1s"]);
    let answered = router.recv_multipart(0).unwrap();
    router.send_multipart(answered, 0).unwrap();
    assert_eq!(mq.end().failed(124, "nothing was received within 1s"), b"x\n");
}

#[test]
fn slow_exec_command_is_killed() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("slow");
    // The command starts another one, which would keep its output open.
    let exec = ["--exec", "sleep 1000 | cat", "--exec-timeout", "200ms", "--exec-failure", "sorry"];
    let mut rep = start(&[&["rep", "-b", &endpoint, "-n", "1"][..], &exec].concat());
    let reply = run(&["req", "-c", &endpoint, "-d", "x", "-t", "20s"], "").text();
    assert_eq!(reply, "sorry\n");
    assert_eq!(rep.stderr_after("was killed: it took longer than "), "200ms");
    rep.end().failed(1, "\"sleep 1000 | cat\" failed for 1 request");
}

#[test]
fn exec_format_keeps_frames() {
    let directory = TestDirectory::new();
    for format in ["json", "frames", "lines"] {
        let endpoint = directory.endpoint(format);
        let exec = ["--exec", "cat", "--exec-format", format, "--delimiter", "|"];
        let rep = start(&[&["rep", "-b", &endpoint, "-n", "1"][..], &exec].concat());
        let req = connected(SocketType::REQ, &endpoint);
        req.send_multipart(["two", "", "frames"], 0).unwrap();
        assert_eq!(req.recv_multipart(0).unwrap(), [&b"two"[..], b"", b"frames"], "{format}");
        rep.end().ok();
    }
}

#[test]
fn exec_output_of_other_format_fails() {
    let directory = TestDirectory::new();
    for (n, (format, command, reason)) in [
        ("json", "echo text", "has printed something else than --exec-format says: not JSON"),
        ("lines", "echo 1; echo 2", "has printed more than one message"),
        ("lines", "true", "has printed no message"),
    ]
    .into_iter()
    .enumerate()
    {
        let endpoint = directory.endpoint(&n.to_string());
        let exec = ["--exec", command, "--exec-format", format, "--exec-failure", "sorry"];
        let rep = start(&[&["rep", "-b", &endpoint, "-n", "1"][..], &exec].concat());
        assert_eq!(run(&["req", "-c", &endpoint, "-d", "x"], "").text(), "sorry\n");
        let ended = rep.end();
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
        ended.failed(1, "failed for 1 request");
    }
}

#[test]
fn exec_failure_reply_replaces_output() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("failure");
    let exec = ["--exec", "cat; read x", "--exec-failure", "{\"error\":1}"];
    let rep = start(&[&["rep", "-b", &endpoint, "-n", "1"][..], &exec].concat());
    assert_eq!(run(&["req", "-c", &endpoint, "-d", "x"], "").text(), "{\"error\":1}\n");
    rep.end().failed(1, "failed for 1 request");
    run(&["rep", "-b", &endpoint, "--echo", "--exec-timeout", "1s"], "").failed(2, "cannot be used with");
}

#[test]
fn interrupt_kills_exec_command() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("interrupt");
    let started = directory.path("started");
    let command = format!("echo $$ > {started}.new && mv {started}.new {started}; sleep 1000");
    let rep = start(&["rep", "-b", &endpoint, "--exec", &command]);
    let req = connected(SocketType::REQ, &endpoint);
    req.set_linger(0).unwrap();
    req.send("x", 0).unwrap();
    until("the command has started", || std::path::Path::new(&started).exists());
    let pid = std::fs::read_to_string(&started).unwrap();
    rep.interrupt();
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists(), "the command was killed");
}
