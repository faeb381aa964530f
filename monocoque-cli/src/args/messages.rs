//! Where messages come from, and where they go.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::values;
use crate::format::{InputFormat, OutputFormat};

#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// A message to send; can be given several times
    ///
    /// In the format that --input says, `lines` or `json`.
    #[arg(short, long, value_name = "TEXT", help_heading = "Input")]
    pub(crate) data: Vec<String>,
    /// A file to send as one message of one frame, `-` for standard input; can be given several times
    ///
    /// Sent after all messages of --data.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "input", help_heading = "Input")]
    pub(crate) file: Vec<PathBuf>,
    /// How standard input is read, if there is neither --data nor --file
    #[arg(short = 'I', long, value_name = "FORMAT", default_value = "lines", help_heading = "Input")]
    pub(crate) input: InputFormat,
    /// Send the messages of --data and --file again and again
    #[arg(long, help_heading = "Input")]
    pub(crate) repeat: bool,
    /// Pause so long between two messages
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration, help_heading = "Input")]
    pub(crate) interval: Option<Duration>,
    /// Wait for N peers before sending the first message; for pub, for N subscriptions
    #[arg(short, long, value_name = "N", help_heading = "Input")]
    pub(crate) wait_for_peers: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// How messages are written to standard output
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "lines")]
    pub(crate) output: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// What separates the frames of a message in the format `lines`
    ///
    /// Understands \t, \n, \r, \0, \\ and \xHH. By default a line that is read is one frame (for router: is split at tabs), and
    /// frames that are written are separated by a tab.
    #[arg(long, value_name = "TEXT", value_parser = values::delimiter)]
    pub(crate) delimiter: Option<values::Delimiter>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AnswerArgs {
    /// Answer with the request
    #[arg(long, help_heading = "Answers")]
    pub(crate) echo: bool,
    /// Answer with TEXT
    #[arg(long, value_name = "TEXT", help_heading = "Answers")]
    pub(crate) reply: Option<String>,
    /// Answer with what COMMAND prints, which gets the request on its standard input
    ///
    /// COMMAND is run by `sh -c` for each request. The frames of the request are separated by --delimiter, or else by a tab. The
    /// reply is one frame, byte for byte what was printed. If COMMAND fails, that is still the reply, and mq reports it.
    #[arg(long, value_name = "COMMAND", help_heading = "Answers")]
    pub(crate) exec: Option<String>,
}
