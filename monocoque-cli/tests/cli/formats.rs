//! Input and output formats of `mq`, tested from one `mq` to another.

use std::fs;

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start, without_times};
use crate::peer::{bound, framed, messages, text};

/// Returns what `pull` prints for the input of `push`.
fn passed(push: &[&str], input: impl AsRef<[u8]>, pull: &[&str]) -> Vec<u8> {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("passed");
    let puller = start(&[&["pull", "-b", &endpoint], pull].concat());
    run(&[&["push", "-c", &endpoint], push].concat(), input).ok();
    puller.end().ok()
}

/// Returns the JSON that `pull` prints for the input of `push`, without times.
fn passed_json(push: &[&str], input: impl AsRef<[u8]>, count: &str) -> String {
    let json = passed(push, input, &["-n", count, "-O", "json"]);
    without_times(std::str::from_utf8(&json).unwrap())
}

#[test]
fn frames_format_round_trips() {
    let bytes = framed(&messages());
    assert!(passed(&["-I", "frames"], &bytes, &["-O", "frames", "-n", "6"]) == bytes);
}

#[test]
fn json_format_round_trips() {
    let bytes = framed(&messages());
    let json = passed(&["-I", "frames"], &bytes, &["-O", "json", "-n", "6"]);
    let text = without_times(std::str::from_utf8(&json).unwrap());
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [r#"{"frames":["hello"]}"#, r#"{"frames":["two","frames"]}"#, r#"{"frames":["","","last"]}"#]
    );
    assert!(lines[3].starts_with(r#"{"frames":[{"base64":"AAEC"#), "{}", lines[3]);
    assert!(passed(&["-I", "json"], &json, &["-O", "frames", "-n", "6"]) == bytes);
}

#[test]
fn delimiter_splits_lines_into_frames() {
    let lines = "one\ttwo three\n\nlast";
    assert_eq!(passed(&[], lines, &["-n", "3"]), b"one\ttwo three\n\nlast\n");
    let json = passed_json(&["--delimiter", "\\t"], lines, "3");
    assert_eq!(json, "{\"frames\":[\"one\",\"two three\"]}\n{\"frames\":[\"\"]}\n{\"frames\":[\"last\"]}\n");
    assert_eq!(
        passed(&["--delimiter", "\\t"], lines, &["-n", "3", "--delimiter", ", "]),
        b"one, two three\n\nlast\n"
    );
    assert_eq!(passed(&["--delimiter", " "], lines, &["-n", "1"]), b"one\ttwo\tthree\n");
}

#[test]
fn crlf_ends_lines() {
    assert_eq!(
        passed_json(&[], "a\r\n\r\nb\rc\n", "3"),
        "{\"frames\":[\"a\"]}\n{\"frames\":[\"\"]}\n{\"frames\":[\"b\\rc\"]}\n"
    );
    assert_eq!(passed_json(&["-I", "whole"], "a\r\n", "1"), "{\"frames\":[\"a\\r\\n\"]}\n");
}

#[test]
fn raw_and_quiet_output() {
    let input = framed(&messages());
    let raw: Vec<u8> = messages().concat().concat();
    assert!(passed(&["-I", "frames"], &input, &["-O", "raw", "-n", "6"]) == raw);
    assert_eq!(passed(&["-I", "frames"], &input, &["-O", "quiet", "-n", "6"]), b"");
}

#[test]
fn whole_input_is_one_message() {
    assert_eq!(passed_json(&["-I", "whole"], "a\nb\n\0", "1"), "{\"frames\":[\"a\\nb\\n\\u0000\"]}\n");
}

#[test]
fn data_options_precede_files() {
    let directory = TestDirectory::new();
    fs::write(directory.path("a"), "a\nfile\0").unwrap();
    let sent = ["-f", &directory.path("a"), "-f", "-", "-d", "x y", "-d", "z", "--delimiter", " "];
    assert_eq!(
        passed_json(&sent, "typed\n", "4"),
        "{\"frames\":[\"x\",\"y\"]}\n{\"frames\":[\"z\"]}\n{\"frames\":[\"a\\nfile\\u0000\"]}\n{\"frames\":[\"typed\\n\"]}\n"
    );
}

#[test]
fn data_option_accepts_json() {
    let sent = ["-I", "json", "-d", r#"{"frames":["a",{"base64":"/w=="}]}"#];
    assert_eq!(passed(&sent, "", &["-n", "1", "-O", "raw"]), b"a\xff");
}

#[test]
fn malformed_input_is_located() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("wrong");
    let pull = bound(SocketType::PULL, &endpoint);
    let push = ["push", "-c", &endpoint, "-I"];
    let wrong = "{\"frames\":[\"good\"]}\n{\"frame\":1}\n";
    run(&[&push[..], &["json"]].concat(), wrong)
        .failed(1, "message 2 of the input: a message needs \"frames\"");
    assert_eq!(text(&pull), "good", "earlier messages are sent");
    run(&[&push[..], &["frames"]].concat(), "hello")
        .failed(1, "message 1 of the input: a frame starts with a flag");
    run(&[&push[..], &["frames"]].concat(), b"\0\0\0\0\x02a").failed(1, "the input ends within a message");
}

#[test]
fn missing_file_fails_immediately() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("nowhere");
    let missing = directory.path("missing");
    run(&["push", "-c", &endpoint, "-d", "x", "-f", &missing], "")
        .failed(2, &format!("cannot read {missing}: No such file"));
}
