//! Input and output of messages.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::values;
use crate::format::{InputFormat, OutputFormat, Template};

#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// A message to send; can be given several times
    ///
    /// In the format of --input, `lines` or `json`; with --json in that of `json`.
    #[arg(short, long, value_name = "TEXT", help_heading = "Input")]
    pub(crate) data: Vec<String>,
    /// A file to send as one message of one frame, `-` for standard input; can be given several
    /// times
    ///
    /// Sent after all messages of --data.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "input", help_heading = "Input")]
    pub(crate) file: Vec<PathBuf>,
    /// Format of standard input, which is read if there is neither --data nor --file [default:
    /// lines]
    #[arg(short = 'I', long, value_name = "FORMAT", help_heading = "Input")]
    input: Option<InputFormat>,
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
    /// Format of messages on standard output [default: lines]
    #[arg(short = 'O', long, value_name = "FORMAT", help_heading = "Output")]
    output: Option<OutputFormat>,
    /// Print each message as TEMPLATE, with fields in braces
    ///
    /// The fields are {time}, {unix} (seconds since 1970), {peer} (the address of the sender), {id}
    /// (its routing id), {topic} (the first frame), {body} (the other frames), {message} (all of
    /// them), {size} (bytes) and {frames} (their number). A line break follows.
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["output", "json"], help_heading = "Output")]
    pub(crate) format: Option<Template>,
    /// Print the time of receipt in front of each line, in UTC; JSON has it always
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(crate) time: bool,
    /// Print the address of the sender in front of each line; in JSON as "peer"
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(crate) from: bool,
    /// In JSON, print frames that are JSON objects or arrays as {"json": ...}
    #[arg(long, help_heading = "Output")]
    pub(crate) parse_json: bool,
}

impl InputArgs {
    /// Returns whether the format is given by an option of its own.
    pub(crate) fn names_format(&self) -> bool {
        self.input.is_some()
    }

    pub(crate) fn input_format(&self, format: &FormatArgs) -> InputFormat {
        self.input.unwrap_or(if format.json { InputFormat::Json } else { InputFormat::Lines })
    }
}

impl OutputArgs {
    pub(crate) fn output_format(&self, format: &FormatArgs) -> OutputFormat {
        self.output.unwrap_or(if format.json { OutputFormat::Json } else { OutputFormat::Lines })
    }

    /// Returns whether the sender of each message must be known.
    pub(crate) fn needs_peer(&self) -> bool {
        self.from || self.format.as_ref().is_some_and(Template::needs_peer)
    }
}

#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Separator of frames in the format `lines`
    ///
    /// Understands \t, \n, \r, \0, \\ and \xHH. By default an input line is one frame (for router:
    /// split at tabs), and frames are printed with tabs between them.
    #[arg(long, value_name = "TEXT", value_parser = values::delimiter)]
    pub(crate) delimiter: Option<values::Delimiter>,
    /// Read and print JSON, one object a line, where --input and --output do not say otherwise
    ///
    /// This applies to --data, too: -O json prints JSON, and leaves the input as it is.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// --delimiter, else by tabs. The reply is one frame with the exact bytes of the output; for
    /// replies of several frames see --exec-format. If COMMAND fails, its output is still the
    /// reply, unless --exec-failure is given; mq reports the failure, and fails in the end.
    #[arg(long, value_name = "COMMAND", help_heading = "Answers")]
    pub(crate) exec: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Format of the request and of the reply, on the standard input and output of the command of
    /// --exec [default: whole]
    ///
    /// With `lines`, both are a line, whose frames are separated by --delimiter, else by tabs. With
    /// `json` and `frames`, they are as -O json and -O frames print them: any frames, and any
    /// number of them. The command prints one message. With `whole`, the reply is one frame.
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["echo", "reply"], help_heading = "Answers")]
    pub(crate) exec_format: Option<InputFormat>,
    /// Kill the command of --exec, and what it has started, after DURATION; that is a failure
    #[arg(long, value_name = "DURATION", value_parser = values::duration, conflicts_with_all = ["echo", "reply"], help_heading = "Answers")]
    pub(crate) exec_timeout: Option<Duration>,
    /// Reply with TEXT if the command of --exec fails
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["echo", "reply"], help_heading = "Answers")]
    pub(crate) exec_failure: Option<String>,
}
