//! `mq bench`.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{bound, connected};

/// Returns the number of a field in a line of JSON.
#[track_caller]
fn number(line: &str, name: &str) -> f64 {
    let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {line}"));
    let end = rest.find([',', '}']).expect("an end");
    rest[..end].parse().expect("a number")
}

#[track_caller]
fn check_throughput(line: &str, messages: f64, size: f64) {
    assert!(line.contains(r#""measure":"throughput""#), "{line}");
    assert_eq!(number(line, "messages"), messages - 1.0, "the first message starts the clock");
    assert_eq!(number(line, "bytes"), (messages - 1.0) * size);
    let (seconds, rate) = (number(line, "seconds"), number(line, "messages_per_second"));
    assert!(seconds > 0.0 && (rate * seconds - (messages - 1.0)).abs() < 0.01, "{line}");
    assert!((number(line, "megabytes_per_second") - rate * size / 1e6).abs() < 0.01, "{line}");
}

#[track_caller]
fn check_latency(line: &str, round_trips: f64) {
    assert!(line.contains(r#""measure":"latency""#), "{line}");
    assert_eq!(number(line, "round_trips"), round_trips);
    let times = ["min_us", "p50_us", "p99_us", "p99.9_us", "max_us"].map(|name| number(line, name));
    assert!(times[0] > 0.0 && times.is_sorted(), "{line}");
    assert!(number(line, "cpu_us_per_message") > 0.0, "{line}");
}

#[test]
fn bench_defaults_to_both_ends() {
    let text = run(&["bench", "-n", "500", "-s", "100", "-O", "json"], "").text();
    let lines: Vec<_> = text.lines().collect();
    check_throughput(lines[0], 500.0, 100.0);
    check_latency(lines[1], 500.0);
    assert_eq!(lines.len(), 2);
}

#[test]
fn bench_prints_readable_figures() {
    let directory = TestDirectory::new();
    let text = run(&["bench", "throughput", "-n", "100", "-b", &directory.endpoint("bench")], "").text();
    assert!(
        text.starts_with("throughput: ") && text.contains(" msg/s, ") && text.contains("99 messages"),
        "{text}"
    );
    let text = run(&["bench", "latency", "-n", "100", "-b", &directory.endpoint("bench")], "").text();
    assert!(
        text.starts_with("latency: p50 ")
            && text.contains(", p99.9 ")
            && text.contains(" µs/msg ")
            && text.contains("100 round trips"),
        "{text}"
    );
}

#[test]
fn bench_end_measures_remote_mq() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("ends");
    let pull = start(&["bench", "pull", "-b", &endpoint, "-n", "1000", "-O", "json"]);
    assert_eq!(run(&["bench", "push", "-c", &endpoint, "-n", "1000"], "").text(), "");
    check_throughput(&pull.end().text(), 1000.0, 64.0);
    let rep = start(&["bench", "rep", "-b", &endpoint, "-n", "100"]);
    check_latency(&run(&["bench", "req", "-c", &endpoint, "-n", "100", "-O", "json"], "").text(), 100.0);
    assert_eq!(rep.end().text(), "");
}

#[test]
fn bench_end_measures_libzmq() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("theirs");
    let push = bound(SocketType::PUSH, &endpoint);
    let mq = start(&["bench", "pull", "-c", &endpoint, "-n", "10", "-O", "json"]);
    (0..10).for_each(|_| push.send("12345", 0).unwrap());
    check_throughput(&mq.end().text(), 10.0, 5.0);

    let endpoint = directory.endpoint("asked");
    let mq = start(&["bench", "rep", "-b", &endpoint, "-n", "3"]);
    let req = connected(SocketType::REQ, &endpoint);
    for _ in 0..3 {
        req.send("12345", 0).unwrap();
        assert_eq!(req.recv_bytes(0).unwrap(), b"12345");
    }
    mq.end().ok();
}

#[test]
fn invalid_bench_arguments_are_rejected() {
    run(&["bench", "pull"], "").failed(2, "one end needs --bind or --connect");
    run(&["bench", "-c", "tcp://127.0.0.1:1"], "").failed(2, "with both ends here, give --bind");
    run(&["bench", "-n", "0"], "").failed(2, "0 is not in 1");
    let directory = TestDirectory::new();
    let nowhere = format!("ipc://{}/missing/directory", directory.path("no"));
    run(&["bench", "throughput", "-b", &nowhere], "").failed(1, "cannot bind ipc://");
}

#[test]
fn bench_measures_for_duration() {
    let text = run(&["bench", "-d", "300ms", "-O", "json"], "").text();
    let lines: Vec<_> = text.lines().collect();
    assert!(number(lines[0], "seconds") > 0.25, "{text}");
    assert!(number(lines[0], "messages") > 1000.0 && number(lines[0], "cpu_us_per_message") > 0.0, "{text}");
    assert!(number(lines[1], "round_trips") * number(lines[1], "max_us") > 300_000.0, "{text}");
}

#[test]
fn bench_sender_ends_receiver() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("timed");
    let pull = start(&["bench", "pull", "-b", &endpoint, "-O", "json"]);
    run(&["bench", "push", "-c", &endpoint, "-d", "100ms"], "").ok();
    assert!(number(&pull.end().text(), "messages") > 100.0);
    let rep = start(&["bench", "rep", "-b", &endpoint]);
    run(&["bench", "req", "-c", &endpoint, "-d", "100ms"], "").ok();
    rep.end().ok();
}

#[test]
fn bench_compares_results() {
    let directory = TestDirectory::new();
    let [old, new] = ["old", "new"].map(|name| directory.path(name));
    std::fs::write(&old, "{\"measure\":\"latency\",\"p50_us\":20.0,\"p99_us\":40}\n").unwrap();
    std::fs::write(&new, "{\"measure\":\"latency\",\"p50_us\":25.0,\"p99_us\":30}\n").unwrap();
    let text = run(&["bench", "compare", &old, &new], "").text();
    assert!(
        text.contains("latency p50_us") && text.contains("+25.0 %") && text.contains("-25.0 %"),
        "{text}"
    );
    let json = run(&["bench", "compare", &old, &new, "-O", "json"], "").text();
    assert_eq!(number(json.lines().next().unwrap(), "change_percent"), 25.0);
    run(&["bench", "compare", &old], "").failed(2, "");
    run(&["bench", "latency", &old, &new], "").failed(2, "only compare takes results");
    run(&["bench", "compare", &old, &directory.path("missing")], "").failed(2, "cannot read ");
}

#[test]
fn bench_compares_endpoints() {
    let directory = TestDirectory::new();
    let ends = ["one", "two"].map(|name| directory.endpoint(name));
    let _reps = ends.each_ref().map(|endpoint| start(&["rep", "-b", endpoint, "--echo", "-O", "quiet"]));
    let text = run(&["bench", "compare", &ends[0], &ends[1], "-n", "100"], "").text();
    for figure in ["p50_us", "p99_us", "p99.9_us", "cpu_us_per_message"] {
        assert!(text.contains(&format!("latency {figure}")), "{text}");
    }
}
