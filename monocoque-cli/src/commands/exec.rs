//! Shell commands that answer requests.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use compio::runtime::spawn_blocking;
use compio::time::timeout;
use futures_lite::future::pending;
use monocoque::Message;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Error;
use crate::format::{Decoder, Encoder, FirstFrame, InputFormat, OutputFormat};
use crate::security::remove_secrets;

/// The form of a request on the standard input of a command, and of the reply on its output.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) format: InputFormat,
    /// The separator of frames.
    pub(super) delimiter: Vec<u8>,
}

impl Codec {
    pub(super) fn encode(&self, request: &Message) -> Result<Vec<u8>, Error> {
        let format = match self.format {
            InputFormat::Whole => return Ok(request.iter().collect::<Vec<_>>().join(&self.delimiter[..])),
            InputFormat::Lines => OutputFormat::Lines,
            InputFormat::Frames => OutputFormat::Frames,
            InputFormat::Json => OutputFormat::Json,
        };
        let mut input = Vec::new();
        let encoder = Encoder::for_program(format, self.delimiter.clone());
        encoder.write(&request.clone().into(), &mut input).map_err(Error::Request)?;
        Ok(input)
    }

    /// Returns the one message that a command has printed, or why it is none.
    pub(super) fn decode(&self, mut output: &[u8]) -> Result<Message, String> {
        let (format, delimiter) = (self.format, Some(self.delimiter.clone()));
        let decoder = Decoder { format, delimiter, first: FirstFrame::Plain };
        if format == InputFormat::Whole {
            return Ok(output.to_vec().into());
        }
        match decoder.next(&mut output) {
            Ok(Some(reply)) if output.is_empty() => Ok(reply),
            Ok(Some(_)) => Err("has printed more than one message".into()),
            Ok(None) => Err("has printed no message".into()),
            Err(error) => Err(format!("has printed something else than --exec-format says: {error}")),
        }
    }
}

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
