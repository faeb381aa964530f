//! `mq top` and `mq proxy --top`, as text and in a terminal (tmux).

use std::process::Command;

use nix::sys::signal::Signal;
use zmq::SocketType;

use crate::mq_process::{Running, TestDirectory, run, start, until};
use crate::peer::{bound, connected, text};

/// A terminal of 130 columns and 40 lines that runs `mq`, in a server of its own.
#[derive(Debug)]
struct Tmux {
    socket: String,
}

impl Tmux {
    fn start(directory: &TestDirectory, arguments: &str) -> Self {
        let tmux = Self { socket: directory.path("tmux") };
        // The shell shows what mq leaves on the terminal.
        let command = format!("{} {arguments}; echo ended with $?; read line", env!("CARGO_BIN_EXE_mq"));
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "130", "-y", "40", &command]);
        tmux
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-S", &self.socket]).args(arguments).output().expect("tmux");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Waits until the terminal shows a text, and returns all that it shows.
    fn wait_for(&self, text: &str) -> String {
        let mut shown = String::new();
        until(&format!("{text:?} is shown"), || {
            shown = self.run(&["capture-pane", "-p"]);
            shown.contains(text)
        });
        shown
    }

    fn press(&self, key: &str) {
        self.run(&["send-keys", key]);
    }
}

/// Waits for a line with these words, in that order.
fn line_with(mq: &Running, words: &[&str]) {
    until(&format!("a line has {words:?}"), || {
        let line = mq.line();
        let mut found = line.split_whitespace();
        words.iter().all(|word| found.any(|other| other == *word))
    });
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may have ended.
        let _ = Command::new("tmux").args(["-S", &self.socket, "kill-server"]).output();
    }
}

#[test]
fn top_counts_by_peer_and_topic() {
    let mut mq = start(&["top", "tcp://127.0.0.1:*", "-i", "100ms"]);
    let endpoint = mq.endpoint();
    let publisher = connected(SocketType::XPUB, &endpoint);
    assert_eq!(publisher.recv_bytes(0).unwrap(), b"\x01");
    for _ in 0..3 {
        publisher.send_multipart(["weather", "sunny"], 0).unwrap();
    }
    publisher.send("traffic jam", 0).unwrap();
    line_with(&mq, &["4", "messages", "received,"]);
    assert_eq!(mq.line(), format!("listening on {endpoint}"));
    let table: Vec<_> = (0..6).map(|_| mq.line()).collect();
    assert!(table[2].contains("tcp://127.0.0.1:") && table[2].contains("XPUB"), "{table:?}");
    assert!(table[5].contains("weather") && table[5].contains("36 B"), "{table:?}");
    mq.interrupt().ok();
}

#[test]
fn top_shows_refusal_on_screen_only() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("curve");
    run(&["keygen", "--out", &directory.path("server")], "").ok();
    let key = directory.path("server.key");
    let _publisher = start(&["pub", "-b", &endpoint, "--curve-server", "--key-file", &key]);
    let mq = start(&["top", &endpoint, "-i", "100ms"]);
    line_with(&mq, &["uses", "CURVE,"]);
    let ended = mq.interrupt();
    assert_eq!(ended.stderr, "");
    ended.ok();
}

#[test]
fn top_shows_failures() {
    let directory = TestDirectory::new();
    let nowhere = directory.endpoint("nowhere");
    let text = run(&["top", &nowhere, "-i", "200ms", "-n", "2"], "").text();
    assert!(text.contains(&format!("cannot connect to {nowhere}: ")), "{text}");
    assert_eq!(text.matches("0 messages received").count(), 2, "{text}");
}

#[test]
fn proxy_top_shows_peers_and_traffic() {
    let directory = TestDirectory::new();
    let (front, back) = (directory.endpoint("front"), directory.endpoint("back"));
    let mq = start(&["proxy", &format!("pull@{front}"), &format!("push@{back}"), "--top", "--stats", "50ms"]);
    let (push, pull) = (connected(SocketType::PUSH, &front), connected(SocketType::PULL, &back));
    push.send("hello", 0).unwrap();
    assert_eq!(text(&pull), "hello");
    line_with(&mq, &["PULL", "to", "PUSH", "1", "5", "B"]);
    line_with(&mq, &["PUSH", "1", "0", "0", "0"]);
    line_with(&mq, &["PULL", &front, "PUSH"]);
    mq.interrupt().ok();
}

#[test]
#[ignore = "needs tmux: scripts/test.sh"]
fn top_draws_on_terminal() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("live");
    let publisher = bound(SocketType::XPUB, &endpoint);
    let tmux = Tmux::start(&directory, &format!("top {endpoint} -i 100ms"));
    assert_eq!(publisher.recv_bytes(0).unwrap(), b"\x01");
    publisher.send_multipart(["weather", "sunny"], 0).unwrap();
    let shown = tmux.wait_for("weather");
    for text in ["mq top: 1 peers, ", "Peers (1)", "XPUB", "Topics (1)", "mean size", "q: quit"] {
        assert!(shown.contains(text), "{shown}");
    }
    tmux.press("p");
    tmux.wait_for("p: continue");
    publisher.send_multipart(["traffic", "jam"], 0).unwrap();
    tmux.press("p");
    tmux.wait_for("Topics (2)");
    tmux.run(&["resize-window", "-x", "60", "-y", "15"]);
    tmux.wait_for("q: quit");
    tmux.press("q");
    let shown = tmux.wait_for("ended with 0");
    assert!(!shown.contains("Topics"), "the terminal is restored: {shown}");
}

#[test]
#[ignore = "needs tmux: scripts/test.sh"]
fn proxy_top_draws_on_terminal() {
    let directory = TestDirectory::new();
    let (front, back) = (directory.endpoint("front"), directory.endpoint("back"));
    let arguments = format!("proxy router@{front} dealer@{back} --top --stats 100ms");
    let tmux = Tmux::start(&directory, &arguments);
    let rep = connected(SocketType::REP, &back);
    let req = connected(SocketType::REQ, &front);
    req.send("question", 0).unwrap();
    assert_eq!(text(&rep), "question");
    rep.send("answer", 0).unwrap();
    assert_eq!(text(&req), "answer");
    let shown = tmux.wait_for("Peers (2)");
    for text in ["ROUTER to DEALER", "DEALER to ROUTER", "dropped", "REQ", "REP"] {
        assert!(shown.contains(text), "{shown}");
    }
    tmux.press("C-c");
    tmux.wait_for("ended with 0");
}

#[test]
fn top_ends_by_signal() {
    let mut mq = start(&["top", "tcp://127.0.0.1:*"]);
    mq.endpoint();
    mq.end_by(Signal::SIGTERM).ok();
}
