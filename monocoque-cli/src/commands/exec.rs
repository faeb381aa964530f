//! Shell commands that answer requests.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use compio::runtime::spawn_blocking;
use compio::time::timeout;
use futures_lite::future::pending;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::security::remove_secrets;

/// A command that has ended by itself.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
}

/// The reason why a command has no exit status.
#[derive(Debug)]
pub(super) enum Failure {
    Start(io::Error),
    /// It was killed.
    TimedOut(Duration),
}

/// Runs a shell command with `input` as its standard input.
///
/// The command, and all that it has started, is killed after the time limit, and when the future is
/// dropped.
pub(super) async fn run(command: &str, input: Vec<u8>, limit: Option<Duration>) -> Result<Ended, Failure> {
    let mut command_line = Command::new("sh");
    command_line.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = remove_secrets(&mut command_line).spawn().map_err(Failure::Start)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut group = Group(child);
    let exchange = spawn_blocking(move || {
        thread::scope(|scope| {
            // In parallel: a command may print before it has read its input, or end without reading
            // it.
            scope.spawn(move || stdin.and_then(|mut stdin| stdin.write_all(&input).ok()));
            let mut output = Vec::new();
            stdout.map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut output)).map(|_| output)
        })
    });
    let expired = async {
        match limit {
            Some(limit) => drop(timeout(limit, pending::<()>()).await),
            None => pending().await,
        }
        None
    };
    let ended = async { Some(exchange.await) };
    match futures_lite::future::or(ended, expired).await {
        Some(Ok(output)) => {
            let output = output.map_err(Failure::Start)?;
            let status = group.0.wait().map_err(Failure::Start)?;
            Ok(Ended { status, output })
        }
        Some(Err(_)) => unreachable!("reading the output of a command does not panic"),
        None => Err(Failure::TimedOut(limit.unwrap_or_default())),
    }
}

/// A child with its process group, which is killed if it has not ended.
#[derive(Debug)]
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
            // It may have ended just now.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            let _ = self.0.wait();
        }
    }
}
