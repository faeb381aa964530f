//! The text beside the frames of a message: time, sender, fields of a template.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{bound, connected};

/// Returns the line that `pull` prints for a message of two frames, over tcp.
fn printed(options: &[&str]) -> String {
    let mut mq = start(&[&["pull", "-b", "tcp://127.0.0.1:*", "-n", "1"], options].concat());
    let push = connected(SocketType::PUSH, &mq.endpoint());
    push.send_multipart([&b"topic"[..], br#"{"n":[1.50]}"#], 0).unwrap();
    mq.end().text()
}

fn is_time(text: &str) -> bool {
    text.len() == "2026-01-31T12:00:00.000000Z".len() && text.starts_with("20") && text.ends_with('Z')
}

#[test]
fn time_and_sender_precede_frames() {
    let line = printed(&["--time", "--from"]);
    let fields: Vec<_> = line.trim_end().split('\t').collect();
    assert_eq!(fields.len(), 4, "{line}");
    assert!(is_time(fields[0]) && fields[1].starts_with("tcp://127.0.0.1:"), "{line}");
    assert_eq!(fields[2..], ["topic", r#"{"n":[1.50]}"#]);
}

#[test]
fn template_formats_messages() {
    let line = printed(&["--format", r"{peer} {topic}: {body} ({size} in {frames})"]);
    assert!(line.starts_with("tcp://127.0.0.1:"), "{line}");
    assert!(line.ends_with(" topic: {\"n\":[1.50]} (17 in 2)\n"), "{line}");
    assert!(is_time(printed(&["--format", "{time}"]).trim_end()));
    run(&["pull", "-b", "tcp://*:1", "--format", "{what}"], "").failed(2, "there is no field {what}");
}

#[test]
fn json_has_time_first() {
    let line = printed(&["--json", "--from", "--parse-json"]);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    let keys: Vec<_> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["time", "peer", "peer_id", "frames"]);
    assert!(is_time(value["time"].as_str().unwrap()), "{line}");
    assert!(line.contains(r#""frames":["topic",{"json":{"n":[1.50]}}]"#), "{line}");
    let line = run(&["monitor", "pull", "-b", "tcp://127.0.0.1:*", "-O", "json", "-n", "1"], "").text();
    assert!(line.starts_with(r#"{"event":"listening","time":"20"#), "{line}");
}

#[test]
fn printed_json_is_sent_again() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("again");
    let pull = bound(SocketType::PULL, &endpoint);
    let line = printed(&["--json", "--from", "--parse-json"]);
    // As jq would annotate it.
    let annotated = line.replacen('{', r#"{"note":{"frames":[1]},"#, 1);
    run(&["push", "-c", &endpoint, "--json"], &annotated).ok();
    assert_eq!(pull.recv_multipart(0).unwrap(), [&b"topic"[..], br#"{"n":[1.50]}"#]);
}

#[test]
fn replies_show_their_sender() {
    let mut rep = start(&["rep", "-b", "tcp://127.0.0.1:*", "--echo", "-n", "1", "--from"]);
    let endpoint = rep.endpoint();
    let reply = run(&["req", "-c", &endpoint, "-d", "x", "--from"], "").text();
    assert_eq!(reply, format!("{endpoint}\tx\n"));
    assert!(rep.end().text().ends_with("\tx\n"));
}
