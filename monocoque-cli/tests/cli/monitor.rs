//! `mq monitor`, and the messages of `--verbose`.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::connected;

#[test]
fn monitor_reports_connection_lifecycle() {
    let mq = start(&["monitor", "pull", "-b", "tcp://127.0.0.1:*", "-O", "json", "-n", "4"]);
    let listening = mq.line();
    assert!(listening.contains(r#""event":"listening""#), "{listening}");
    let endpoint = listening.split('"').find(|part| part.starts_with("tcp://")).unwrap();
    let push = connected(SocketType::PUSH, endpoint);
    let accepted = mq.line();
    assert!(
        accepted.contains(r#""event":"accepted""#) && accepted.contains(r#""connection":0"#),
        "{accepted}"
    );
    let succeeded = mq.line();
    assert!(succeeded.contains(r#""event":"handshake_succeeded""#), "{succeeded}");
    assert!(succeeded.contains(r#""type":"PUSH""#), "{succeeded}");
    drop(push);
    let ended = mq.line();
    assert!(ended.contains(r#""event":"disconnected""#) && ended.contains(r#""reason":"#), "{ended}");
    mq.end().ok();
}

#[test]
fn monitor_reports_connect_attempts() {
    let directory = TestDirectory::new();
    let nowhere = directory.endpoint("nowhere");
    let text = run(&["monitor", "req", "-c", &nowhere, "-n", "2"], "").text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], format!("connect failed {nowhere}: No such file or directory (os error 2)"));
    assert!(lines[1].starts_with(&format!("retrying {nowhere} in ")), "{text}");
}

#[test]
fn monitor_reports_incompatible_peer() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("other");
    let pull = start(&["pull", "-b", &endpoint]);
    let mq = start(&["monitor", "sub", "-c", &endpoint]);
    while !mq.line().starts_with("handshake failed") {}
    mq.interrupt().ok();
    pull.interrupt().ok();
}

#[test]
fn verbose_reports_events_and_messages() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("verbose");
    let mut pull = start(&["pull", "-b", &endpoint, "-v", "-n", "1"]);
    assert_eq!(pull.endpoint(), endpoint);
    run(&["push", "-c", &endpoint, "-d", "x"], "").ok();
    pull.stderr_after("handshake succeeded");
    assert_eq!(pull.stderr_after("sent 0 and received "), "1 messages");
    assert_eq!(pull.end().text(), "x\n");
}

#[test]
fn colour_defaults_to_terminals_only() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("colour");
    let args = ["monitor", "pull", "-b", &endpoint, "-n", "1", "--color"];
    for when in ["auto", "never"] {
        let text = run(&[&args[..], &[when]].concat(), "").text();
        assert_eq!(text, format!("listening on {endpoint}\n"));
    }
    let text = run(&[&args[..], &["always"]].concat(), "").text();
    assert_eq!(text, format!("\x1b[32mlistening\x1b[0m on {endpoint}\n"));
}
