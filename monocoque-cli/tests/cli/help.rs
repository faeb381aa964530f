//! The output of `--help`, and the errors of invalid command lines.

use crate::mq_process::{TestDirectory, run};

/// The commands that open sockets.
const COMMANDS: [&str; 16] = [
    "push", "pull", "pub", "sub", "req", "rep", "dealer", "router", "pair", "xpub", "xsub", "stream",
    "proxy", "monitor", "top", "bench",
];
/// The commands that open none.
const OTHERS: [&str; 3] = ["keygen", "completions", "man"];

#[test]
fn every_command_has_help() {
    for command in COMMANDS.into_iter().chain(OTHERS) {
        let page = run(&[command, "--help"], "").text();
        let all = ["Usage: mq ", "Examples:\n", "Exit codes:\n", "--verbose"];
        let of_sockets: &[_] =
            if OTHERS.contains(&command) { &[] } else { &["Endpoints:\n", "Durations:\n", "Security:\n"] };
        for section in all.iter().chain(of_sockets) {
            assert!(page.contains(section), "mq {command} --help has no {section:?}");
        }
        assert!(
            page.contains(&format!("      mq {command} ")),
            "mq {command} --help has no example of itself"
        );
        for line in page.lines().filter(|line| !line.starts_with("Usage: ")) {
            assert!(line.len() <= 100, "mq {command} --help has a long line: {line}");
        }
        assert_eq!(run(&["help", command], "").text(), page);
    }
    let page = run(&["--help"], "").text();
    assert!(
        COMMANDS.iter().chain(&OTHERS).all(|command| page.contains(&format!("\n  {command} "))),
        "{page}"
    );
}

#[test]
fn help_defines_formats_in_use() {
    for command in COMMANDS {
        let page = run(&[command, "--help"], "").text();
        assert_eq!(page.contains("--input <FORMAT>"), page.contains("Input formats:\n"), "{command}");
        assert_eq!(page.contains("- quiet:"), page.contains("Output formats:\n"), "{command}");
    }
}

#[test]
fn invalid_command_lines_are_rejected() {
    let at = "tcp://127.0.0.1:0";
    let wrong: &[(&[&str], &str)] = &[
        (&[], "Usage: mq"),
        (&["shout"], "unrecognized subcommand"),
        (&["push", "-d", "x"], "--bind <ENDPOINT>|--connect <ENDPOINT>"),
        (&["pull", "-b", "here"], "an endpoint needs a scheme"),
        (&["pull", "-b", "5555"], "did you mean 'tcp://*:5555'?"),
        (&["push", "-c", "*:5555"], "did you mean tcp://localhost:5555?"),
        (&["push", "-c", "inproc://x"], "inproc reaches sockets of the same process only"),
        (&["pull", "-b", "inproc://x"], "inproc reaches sockets of the same process only"),
        (&["proxy", "pull@inproc://x", "push@tcp://*:1"], "inproc reaches sockets of the same process only"),
        (&["monitor", "pull", "-b", "inproc://x"], "inproc reaches sockets of the same process only"),
        (&["bench", "throughput", "-b", "inproc://x"], "inproc reaches sockets of the same process only"),
        (&["pull", "-b", "udp://127.0.0.1:1"], "no transport has the scheme \"udp\""),
        (&["pull", "-b", "tcp://127.0.0.1:port"], "\"port\" is not a port"),
        (&["pull", "-c", "tcp://*:5555"], "a wildcard can be bound, but not connected to"),
        (&["pull", "-c", at], "connecting needs a port"),
        (&["pull", "-b", at, "-t", "soon"], "as in 100ms, 2s or 1m"),
        (&["pull", "-b", at, "-n", "few"], "invalid value 'few'"),
        (&["push", "-b", at, "-d", "x", "-I", "frames"], "--data is read as --input lines or json says"),
        (&["push", "-b", at, "-d", "x", "-I", "json"], "--data number 1: not JSON"),
        (&["push", "-b", at, "-f", "x", "-I", "json"], "cannot be used with"),
        (&["push", "-b", at, "--repeat"], "--repeat needs --data or --file"),
        (&["push", "-b", at, "--delimiter", ""], "it needs at least one byte"),
        (&["rep", "-b", at], "--echo|--reply <TEXT>|--exec <COMMAND>"),
        (&["rep", "-b", at, "--echo", "--reply", "x"], "cannot be used with"),
        (&["router", "-b", at, "--echo", "-d", "x"], "cannot be used with"),
        (&["monitor", "radio", "-b", at], "there is no such type of socket"),
    ];
    for (args, reason) in wrong {
        run(args, "").failed(2, reason);
    }
}

#[test]
fn invalid_endpoint_is_named_once() {
    for args in [&["pull", "-b", "somewhere"][..], &["push", "-c", "tcp://somewhere:*"]] {
        let ended = run(args, "");
        assert_eq!(ended.stderr.matches("somewhere").count(), 1, "{}", ended.stderr);
        ended.failed(2, "");
    }
}

#[test]
fn runtime_errors_print_one_line() {
    let directory = TestDirectory::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", taken.local_addr().unwrap());
    let ended = run(&["pull", "-b", &endpoint], "");
    assert_eq!(ended.stderr, format!("mq: cannot bind {endpoint}: Address already in use (os error 98)\n"));
    ended.failed(1, "");
    let ended = run(&["dealer", "-b", &directory.endpoint("id"), "--identity", ""], "");
    assert!(
        ended.stderr.starts_with("mq: invalid routing id") && ended.stderr.lines().count() == 1,
        "{}",
        ended.stderr
    );
    ended.failed(2, "");
}
