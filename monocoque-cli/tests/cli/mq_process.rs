//! A process of `mq`, and what it prints.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Nothing here takes as long, unless it hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// An `mq` that runs. Killed if the test ends before it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    lines: Receiver<String>,
    told: Receiver<String>,
    said: String,
}

/// What an `mq` that has ended leaves.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Starts `mq`; its standard input stays open.
pub(crate) fn start(args: &[&str]) -> Running {
    let mut mq = start_unread(args);
    let mut stdout = BufReader::new(mq.child.stdout.take().expect("piped"));
    let (line, lines) = mpsc::channel();
    mq.lines = lines;
    mq.stdout = Some(thread::spawn(move || {
        let mut all = Vec::new();
        loop {
            let from = all.len();
            if stdout.read_until(b'\n', &mut all).expect("its output") == 0 {
                return all;
            }
            // The test may not want lines.
            let _ = line.send(String::from_utf8_lossy(&all[from..]).trim_end().to_owned());
        }
    }));
    mq
}

/// Starts `mq`, and reads nothing of what it prints.
pub(crate) fn start_unread(args: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("mq starts");
    let told = lines_of(child.stderr.take().expect("piped"));
    let stdin = child.stdin.take();
    Running { child, stdin, stdout: None, lines: mpsc::channel().1, told, said: String::new() }
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
        self.stdin.as_mut().expect("open").write_all(text.as_bytes()).expect("it reads");
    }

    /// Writes all of its standard input.
    pub(crate) fn feed(&mut self, input: impl AsRef<[u8]>) {
        let mut stdin = self.stdin.take().expect("open");
        let input = input.as_ref().to_vec();
        // It may end without reading it.
        thread::spawn(move || stdin.write_all(&input));
    }

    /// Nobody will ever read what it prints.
    pub(crate) fn close_stdout(&mut self) {
        self.child.stdout = None;
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_none()
    }

    /// The next line on standard output.
    pub(crate) fn line(&self) -> String {
        self.lines
            .recv_timeout(LIMIT)
            .unwrap_or_else(|_| panic!("no more lines; it said: {:?}", self.told.try_recv()))
    }

    /// What follows `start` in a line on standard error.
    pub(crate) fn told(&mut self, start: &str) -> String {
        loop {
            let line =
                self.told.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no {start:?} in {}", self.said));
            self.said += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once(start) {
                return rest.to_owned();
            }
        }
    }

    /// Where it has bound.
    pub(crate) fn endpoint(&mut self) -> String {
        self.told("listening on ")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    /// Waits until it has ended by itself. Its standard input ends too.
    pub(crate) fn end(mut self) -> Ended {
        self.stdin = None;
        let mut status = None;
        until("mq ends", || {
            status = self.child.try_wait().expect("its status");
            status.is_some()
        });
        let stdout = self.stdout.take().map(|stdout| stdout.join().expect("no panic")).unwrap_or_default();
        let mut stderr = std::mem::take(&mut self.said);
        stderr.extend(self.told.iter().map(|line| line + "\n"));
        Ended { code: status.and_then(|status| status.code()), stdout, stderr }
    }

    /// Ends it by Ctrl-C.
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
    /// Checks that it has succeeded, and gives what it has printed.
    #[track_caller]
    pub(crate) fn ok(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The same as text.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.ok()).expect("text")
    }

    /// Checks that it has failed with that code, and said that.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, reason: &str) -> Vec<u8> {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(reason), "{}", self.stderr);
        self.stdout
    }
}

/// Endpoints of their own.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
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

/// Waits for a condition.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "it took too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}
