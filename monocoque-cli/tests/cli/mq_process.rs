//! A process of `mq`, and its output.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The time limit of a step; only a process that hangs takes as long.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A running `mq`. It is killed if the test ends first.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    lines: Receiver<String>,
    stderr_lines: Receiver<String>,
    stderr: String,
}

/// The result of an `mq` that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Starts `mq`; its standard input stays open.
pub(crate) fn start(args: &[&str]) -> Running {
    read(start_unread(args))
}

/// Starts `mq` with a password in its environment.
pub(crate) fn start_with_password(args: &[&str], password: &str) -> Running {
    start_with(args, &[(PASSWORD, password)])
}

/// Starts `mq` with these variables in its environment.
pub(crate) fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Running {
    let mut command = command(args);
    command.envs(variables.iter().copied());
    read(spawn(command))
}

/// Reads the output of `mq`.
fn read(mut mq: Running) -> Running {
    let mut stdout = BufReader::new(mq.child.stdout.take().expect("piped"));
    let (line, lines) = mpsc::channel();
    mq.lines = lines;
    mq.stdout = Some(thread::spawn(move || {
        let mut all = Vec::new();
        loop {
            let from = all.len();
            if stdout.read_until(b'\n', &mut all).expect("readable output") == 0 {
                return all;
            }
            // The receiver is gone if the test does not read lines.
            let _ = line.send(String::from_utf8_lossy(&all[from..]).trim_end().to_owned());
        }
    }));
    mq
}

/// Starts `mq` without reading its output.
pub(crate) fn start_unread(args: &[&str]) -> Running {
    spawn(command(args))
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq"));
    command.args(args);
    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MQ_")).for_each(
        |(name, _)| {
            command.env_remove(name);
        },
    );
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn spawn(mut command: Command) -> Running {
    let mut child = command.spawn().expect("mq starts");
    let stderr_lines = lines_of(child.stderr.take().expect("piped"));
    let stdin = child.stdin.take();
    Running { child, stdin, stdout: None, lines: mpsc::channel().1, stderr_lines, stderr: String::new() }
}

/// Runs `mq` to its end.
pub(crate) fn run(args: &[&str], input: impl AsRef<[u8]>) -> Ended {
    let mut mq = start(args);
    mq.feed(input);
    mq.end()
}

impl Running {
    /// Writes to its standard input, which stays open.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.stdin.as_mut().expect("open").write_all(text.as_bytes()).expect("a writable standard input");
    }

    /// Writes its whole standard input and closes it.
    pub(crate) fn feed(&mut self, input: impl AsRef<[u8]>) {
        let mut stdin = self.stdin.take().expect("open");
        let input = input.as_ref().to_vec();
        // `mq` may end without reading it.
        thread::spawn(move || stdin.write_all(&input));
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn close_stdout(&mut self) {
        self.child.stdout = None;
    }

    /// Returns its arguments as other users see them.
    pub(crate) fn visible_arguments(&self) -> String {
        let arguments = fs::read(format!("/proc/{}/cmdline", self.child.id())).expect("a running process");
        String::from_utf8(arguments).expect("text")
    }

    /// Returns whether the process is running.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("the exit status").is_none()
    }

    /// Returns the next line on standard output.
    pub(crate) fn line(&self) -> String {
        self.lines
            .recv_timeout(LIMIT)
            .unwrap_or_else(|_| panic!("no further line; standard error: {:?}", self.stderr_lines.try_recv()))
    }

    /// Returns the rest of the next line on standard error that contains `start`.
    pub(crate) fn stderr_after(&mut self, start: &str) -> String {
        loop {
            let line = self
                .stderr_lines
                .recv_timeout(LIMIT)
                .unwrap_or_else(|_| panic!("no {start:?} in {}", self.stderr));
            self.stderr += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once(start) {
                return rest.to_owned();
            }
        }
    }

    /// Returns the endpoint that it has bound to.
    pub(crate) fn endpoint(&mut self) -> String {
        self.stderr_after("listening on ")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("a running process");
    }

    /// Closes its standard input and waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        self.stdin = None;
        let mut status = None;
        until("mq ends", || {
            status = self.child.try_wait().expect("the exit status");
            status.is_some()
        });
        let stdout = self.stdout.take().map(|stdout| stdout.join().expect("no panic")).unwrap_or_default();
        let mut stderr = std::mem::take(&mut self.stderr);
        stderr.extend(self.stderr_lines.iter().map(|line| line + "\n"));
        Ended { code: status.and_then(|status| status.code()), stdout, stderr }
    }

    /// Interrupts it, as Ctrl-C does.
    pub(crate) fn interrupt(self) -> Ended {
        self.end_by(Signal::SIGINT)
    }

    /// Ends it by a signal; its standard input stays open until then.
    pub(crate) fn end_by(mut self, signal: Signal) -> Ended {
        self.signal(signal);
        until("mq ends", || !self.is_alive());
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Checks that it has succeeded, and returns its output.
    #[track_caller]
    pub(crate) fn ok(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Checks that it has succeeded, and returns its output as text.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.ok()).expect("text")
    }

    /// Checks that it has succeeded, and returns its output without the times of JSON.
    #[track_caller]
    pub(crate) fn json(self) -> String {
        without_times(&self.text())
    }

    /// Checks that it has failed with that exit code and error message.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, reason: &str) -> Vec<u8> {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(reason), "{}", self.stderr);
        self.stdout
    }
}

/// Removes the time from each line of JSON.
pub(crate) fn without_times(lines: &str) -> String {
    let mut kept = String::new();
    for line in lines.lines() {
        let (_, rest) = line.split_once("\"time\":\"").expect("a time");
        let (_, rest) = rest.split_once("\",").expect("its end");
        kept += &format!("{{{rest}\n");
    }
    kept
}

/// A directory of endpoints for one test.
#[derive(Debug)]
pub(crate) struct TestDirectory(TempDir);

impl TestDirectory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn endpoint(&self, name: &str) -> String {
        format!("ipc://{}", self.path(name))
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("text").to_owned()
    }
}

/// Polls until a condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "timed out waiting until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The environment variable with the password of a client.
const PASSWORD: &str = "MQ_PASSWORD";

fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}
