//! Completions, man pages, and the exit codes that they list.

use std::process::Command;

use crate::mq_process::{TestDirectory, run, start};

#[test]
fn completions_know_commands_and_options() {
    for (shell, start) in [("bash", "_mq() {"), ("zsh", "#compdef mq"), ("fish", "complete -c mq")] {
        let script = run(&["completions", shell], "").text();
        assert!(script.contains(start), "{script}");
        for word in ["monitor", "subscribe", "reconnect-interval", "quiet"] {
            assert!(script.contains(word), "mq completions {shell} has no {word}");
        }
    }
    run(&["completions", "csh"], "").failed(2, "invalid value 'csh'");
}

#[test]
fn bash_accepts_completions() {
    let directory = TestDirectory::new();
    std::fs::write(directory.path("mq"), run(&["completions", "bash"], "").text()).unwrap();
    let complete = r#"
        . "$0"
        COMP_WORDS=(mq sub --subs); COMP_CWORD=2
        _mq mq --subs sub
        echo "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-c", complete, &directory.path("mq")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "--subscribe", "{output:?}");
}

#[test]
fn man_page_lists_exit_codes() {
    for page in [run(&["man"], "").text(), run(&["man", "pull"], "").text()] {
        assert!(page.contains(".TH mq"), "{page}");
        let (_, table) = page.split_once(".SH \"EXIT STATUS\"").expect("a section");
        for code in ["0", "1", "2", "124", "130", "143"] {
            assert!(table.contains(&format!("\n  {code:5}")), "no exit code {code} in {table}");
        }
    }
    run(&["man", "shout"], "").failed(2, "there is no command \"shout\"");
}

#[test]
fn man_pages_are_written_to_directory() {
    let directory = TestDirectory::new();
    run(&["man", "--out", &directory.path("")], "").ok();
    for page in ["mq.1", "mq-push.1", "mq-man.1"] {
        let text = std::fs::read_to_string(directory.path(page)).unwrap();
        assert!(text.contains(".SH EXAMPLES") && text.contains(".SH OPTIONS"), "{page}");
    }
    run(&["man", "--out", &directory.path("missing")], "").failed(1, "cannot write ");
}

/// One case for each exit code of the manual. Those of single commands are tested with them.
#[test]
fn exit_codes_match_manual() {
    let directory = TestDirectory::new();
    let at = directory.endpoint("exit");
    run(&["pull", "-b", &at, "-n", "0"], "").ok();
    run(&["push", "-b", &at, "-d", "x", "-f", "/missing"], "").failed(2, "cannot read /missing");
    run(&["push", "-c", &at, "-d", "x", "--immediate", "false", "--linger", "0s"], "")
        .failed(1, "1 message was not delivered");
    run(&["push"], "").failed(2, "Usage: mq push");
    let mut server = start(&["pull", "-b", "tcp://127.0.0.1:*", "--allow-address", "10.0.0.1"]);
    run(&["push", "-c", &server.endpoint(), "-d", "x", "--fail-on-refusal"], "")
        .failed(77, "refused this socket (400)");
    run(&["pull", "-b", &at, "-t", "10ms"], "").failed(124, "timed out");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut mq = start(&["pull", "-b", "tcp://127.0.0.1:*", "-n", "1"]);
        mq.endpoint();
        mq.end_by(format!("SIG{signal}").parse().unwrap()).failed(code, "interrupted by SIG");
    }
}
