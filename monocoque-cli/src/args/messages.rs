//! Input and output of messages.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::values;
use crate::format::{InputFormat, OutputFormat};

#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// A message to send; can be given several times
    ///
    /// In the format of --input, `lines` or `json`.
    #[arg(short, long, value_name = "TEXT", help_heading = "Input")]
    pub(crate) data: Vec<String>,
    /// A file to send as one message of one frame, `-` for standard input; can be given several
    /// times
    ///
    /// Sent after all messages of --data.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "input", help_heading = "Input")]
    pub(crate) file: Vec<PathBuf>,
    /// Format of standard input, which is read if there is neither --data nor --file
    #[arg(short = 'I', long, value_name = "FORMAT", default_value = "lines", help_heading = "Input")]
    pub(crate) input: InputFormat,
    /// Repeat the messages of --data and --file
    #[arg(long, help_heading = "Input")]
    pub(crate) repeat: bool,
    /// Interval between two messages
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration, help_heading = "Input")]
    pub(crate) interval: Option<Duration>,
    /// Wait for N peers before sending the first message; for pub, for N subscriptions
    #[arg(short, long, value_name = "N", help_heading = "Input")]
    pub(crate) wait_for_peers: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Format of messages on standard output
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "lines")]
    pub(crate) output: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Separator of frames in the format `lines`
    ///
    /// Understands \t, \n, \r, \0, \\ and \xHH. By default an input line is one frame (for router:
    /// split at tabs), and frames are printed with tabs between them.
    #[arg(long, value_name = "TEXT", value_parser = values::delimiter)]
    pub(crate) delimiter: Option<values::Delimiter>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AnswerArgs {
    /// Reply with the request
    #[arg(long, help_heading = "Answers")]
    pub(crate) echo: bool,
    /// Reply with TEXT
    #[arg(long, value_name = "TEXT", help_heading = "Answers")]
    pub(crate) reply: Option<String>,
    /// Reply with the output of COMMAND, which gets the request on its standard input
    ///
    /// COMMAND is run by `sh -c` for each request. The frames of the request are separated by
    /// --delimiter, else by tabs. The reply is one frame with the exact bytes of the output. If
    /// COMMAND fails, its output is still the reply, and mq reports the failure.
    #[arg(long, value_name = "COMMAND", help_heading = "Answers")]
    pub(crate) exec: Option<String>,
}
