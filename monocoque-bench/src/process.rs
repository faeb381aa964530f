//! A child process of a benchmark, and the lines exchanged with it.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// A process with one role. It is killed when this is dropped.
pub struct PeerProcess {
    name: String,
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl PeerProcess {
    /// Starts `command`, a program and its arguments.
    pub fn start(name: String, command: &[OsString]) -> Result<Self, String> {
        Self::spawn(name, command).map_err(|error| format!("cannot start an end: {error}"))
    }

    fn spawn(name: String, command: &[OsString]) -> io::Result<Self> {
        let mut process = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (line, lines) = mpsc::channel();
        // The thread ends with the process.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        Ok(Self { name, process, input, lines })
    }

    /// Waits for a line that starts with `word`. Returns the rest of it.
    pub fn expect_line(&self, word: &str, limit: Duration) -> Result<String, String> {
        let line = self.lines.recv_timeout(limit);
        let line = line.map_err(|error| format!("{self}: waiting for '{word}': {error}"))?;
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(format!("{self}: '{line}' instead of '{word}'")),
        }
    }

    /// Sends `question`. Returns the rest of an answer that starts with `word`.
    pub fn request(&mut self, question: &str, word: &str) -> Result<String, String> {
        writeln!(self.input, "{question}").map_err(|error| format!("{self}: {error}"))?;
        self.expect_line(word, ANSWER_LIMIT)
    }
}

impl fmt::Display for PeerProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Generous, for a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
