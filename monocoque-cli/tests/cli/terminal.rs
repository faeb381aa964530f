//! Output to a terminal.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use nix::pty::openpty;
use zmq::SocketType;

use crate::mq_process::{TestDirectory, until};
use crate::peer::{bound, text};

/// Opens a terminal. Returns it with a thread that collects its output.
fn terminal() -> (OwnedFd, JoinHandle<String>) {
    let terminal = openpty(None, None).expect("a terminal");
    let mut shown = File::from(terminal.master);
    let reading = thread::spawn(move || {
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        // Reading a closed terminal fails.
        while let Ok(n @ 1..) = shown.read(&mut some) {
            all.extend(&some[..n]);
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    (terminal.slave, reading)
}

fn command_at(args: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq"));
    command.args(args).env_remove("NO_COLOR").env("TERM", "xterm").stdin(Stdio::null());
    command.stdout(stdout).stderr(stderr);
    command
}

/// Runs `mq` with these standard output and standard error streams.
fn run_at(args: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) {
    let mut mq = command_at(args, stdout, stderr).spawn().expect("mq starts");
    until("mq ends", || mq.try_wait().expect("the exit status").is_some());
    assert!(mq.wait().expect("the exit status").success());
}

#[test]
fn terminal_escapes_are_neutralized() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("escapes");
    let dealer = crate::peer::socket(SocketType::DEALER);
    dealer.set_identity(b"me").unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("\x1b[2J\u{e9}", 0).unwrap();
    let (stdout, shown) = terminal();
    run_at(&["router", "-b", &endpoint, "-n", "1"], stdout, Stdio::null());
    assert_eq!(shown.join().unwrap(), "\x1b[36mme\x1b[0m\t\\u{1b}[2J\u{e9}\r\n");
}

#[test]
fn histogram_appears_on_terminal() {
    let (stdout, shown) = terminal();
    run_at(&["bench", "latency", "-n", "500"], stdout, Stdio::null());
    let shown = shown.join().unwrap();
    assert!(shown.contains("p99.9 ") && shown.contains("████") && shown.contains(" µs "), "{shown:?}");
}

#[test]
fn progress_of_closing_appears_on_terminal() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("closing");
    let pull = crate::peer::socket(SocketType::PULL);
    pull.set_rcvhwm(1).unwrap();
    pull.set_linger(0).unwrap();
    pull.bind(&endpoint).unwrap();
    let (stderr, shown) = terminal();
    let data = "x".repeat(100_000);
    let args = ["push", "-c", &endpoint, "-d", &data, "-n", "200", "--linger", "3s"];
    let mut mq = command_at(&args, Stdio::null(), stderr).spawn().expect("mq starts");
    until("mq ends", || mq.try_wait().expect("the exit status").is_some());
    let shown = shown.join().unwrap();
    assert!(shown.contains("messages still to be sent: "), "{shown:?}");
}

#[test]
fn progress_appears_on_terminal() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("progress");
    let pull = bound(SocketType::PULL, &endpoint);
    let (stderr, shown) = terminal();
    run_at(&["push", "-c", &endpoint, "-d", "hello", "-n", "3", "-i", "100ms"], Stdio::null(), stderr);
    (0..3).for_each(|_| assert_eq!(text(&pull), "hello"));
    let shown = shown.join().unwrap();
    assert!(shown.contains("/3 messages, ") && shown.contains(" msg/s"), "{shown:?}");
}
