//! The errors of `mq`, with their exit codes.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use monocoque::{Endpoint, MonocoqueError, SendError};
use thiserror::Error;

use crate::format::FormatError;

/// An error, displayed as one line that says what to do, if there is a remedy.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    TimedOut(String),
    /// A peer has refused a socket.
    #[error("{0}")]
    Refused(String),
    #[error("cannot {}", bind_failure(.0))]
    Bind(#[source] MonocoqueError),
    #[error("cannot connect to {0}: {1}")]
    Connect(Box<Endpoint>, #[source] MonocoqueError),
    #[error(transparent)]
    Socket(MonocoqueError),
    /// The value of an option is refused by the socket.
    #[error(transparent)]
    Option(MonocoqueError),
    #[error("cannot read {path}: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("cannot use {path}: line {line}: {reason}", path = .path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    #[error("cannot write {path}: {1}", path = .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("{path} exists already; --force replaces it", path = .0.display())]
    Exists(PathBuf),
    #[error("cannot read standard input: {0}")]
    Stdin(#[source] io::Error),
    #[error("message {0} of the input: {1}")]
    Input(u64, #[source] FormatError),
    #[error("cannot write to standard output: {0}")]
    Stdout(#[source] io::Error),
    #[error("cannot pass a request on: {0}")]
    Request(#[source] io::Error),
    #[error("cannot run {0:?}: {1}")]
    Exec(String, #[source] io::Error),
    #[error("{command:?} failed for {requests}", requests = requests(*.failures))]
    ExecFailed { command: String, failures: u64 },
    #[error("interrupted by {} before the work was done", signal_name(*.0))]
    Interrupted(i32),
    /// The one connection of a STREAM has ended after some chunks of those requested.
    #[error("the peer has ended the connection after {0} of {1} chunks")]
    Ended(u64, u64),
    #[error("{messages} not delivered: {1}", messages = were(*.0))]
    Lost(u64, &'static str),
    #[error("the runtime could not be started: {0}")]
    Runtime(#[source] io::Error),
    #[cfg(feature = "metrics")]
    #[error("cannot serve metrics on {0}: {1}")]
    Metrics(std::net::SocketAddr, #[source] io::Error),
    #[error("signals cannot be caught: {0}")]
    Signals(#[source] io::Error),
}

impl Error {
    /// An error in a line of a file. The reason does not repeat the line.
    pub(crate) fn line(path: &Path, line: usize, reason: impl Display) -> Self {
        Self::Line { path: path.to_owned(), line, reason: reason.to_string() }
    }

    /// Returns the exit code, as listed by `--help`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Option(_) | Self::File(..) | Self::Line { .. } => 2,
            // EX_NOPERM of sysexits.h.
            Self::Refused(_) => 77,
            Self::TimedOut(_) => 124,
            // The exit code of a shell for a process killed by the signal.
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        })
    }
}

impl From<MonocoqueError> for Error {
    fn from(error: MonocoqueError) -> Self {
        Self::Socket(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Socket(error.into())
    }
}

/// Returns the text after "cannot": that of an I/O error starts with "bind" and the endpoint
/// already.
fn bind_failure(error: &MonocoqueError) -> String {
    match error {
        MonocoqueError::Io { .. } => error.to_string(),
        _ => format!("bind {error}"),
    }
}

fn signal_name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("a signal")
}

fn requests(failures: u64) -> String {
    if failures == 1 { "1 request".into() } else { format!("{failures} requests") }
}

fn were(messages: u64) -> String {
    if messages == 1 { "1 message was".into() } else { format!("{messages} messages were") }
}
