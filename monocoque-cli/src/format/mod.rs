//! The formats of messages on standard input and standard output.

mod frames;
mod json;
mod lines;
mod received;
mod template;

use std::io::{self, BufRead, Write};

use clap::ValueEnum;
use monocoque::Message;
use thiserror::Error;

pub(crate) use received::Received;
pub(crate) use template::Template;

/// The input formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// Each line is a message
    Lines,
    /// Frames, each behind a flag and its length
    Frames,
    /// Each line is a JSON object
    Json,
    /// All of the input is one message
    Whole,
}

/// The output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Each message is a line
    Lines,
    /// Frames, each behind a flag and its length
    Frames,
    /// Each message is a JSON object on a line
    Json,
    /// The bodies of all frames, without separators
    Raw,
    /// No output
    Quiet,
}

/// The meaning of the first frame of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstFrame {
    Plain,
    RoutingId,
}

/// The form of frames that are JSON objects or arrays, in the format `json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonPayloads {
    AsText,
    AsJson,
}

/// The reason why input is not a message.
#[derive(Debug, Error)]
pub(crate) enum FormatError {
    #[error("{0}")]
    Io(#[source] io::Error),
    #[error("the input ends within a message")]
    CutShort,
    #[error("a frame starts with a flag of 0 or 1, not {0}: is this the format `frames`?")]
    Flag(u8),
    #[error("not JSON: {0}")]
    Json(#[source] serde_json::Error),
    #[error("{0}, as in {{\"frames\":[\"text\",{{\"base64\":\"AP8=\"}}]}}")]
    Shape(&'static str),
    #[error("not base64: {0}")]
    Base64(#[source] base64::DecodeError),
}

/// Reads messages.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    pub(crate) format: InputFormat,
    /// The separator of frames in a line.
    pub(crate) delimiter: Option<Vec<u8>>,
    pub(crate) first: FirstFrame,
}

impl Decoder {
    /// Reads the next message; `None` at the end of the input.
    pub(crate) fn next(&self, input: &mut impl BufRead) -> Result<Option<Message>, FormatError> {
        let io = FormatError::Io;
        match self.format {
            InputFormat::Frames => frames::read(input),
            InputFormat::Lines | InputFormat::Json => {
                let mut line = Vec::new();
                if input.read_until(b'\n', &mut line).map_err(io)? == 0 {
                    return Ok(None);
                }
                if line.pop_if(|last| *last == b'\n').is_some() {
                    // A line of a text file of Windows, or of a protocol.
                    line.pop_if(|last| *last == b'\r');
                }
                self.parse(line).map(Some)
            }
            InputFormat::Whole => {
                let mut all = Vec::new();
                input.read_to_end(&mut all).map_err(io)?;
                Ok(Some(all.into()))
            }
        }
    }

    /// Parses one whole message.
    pub(crate) fn parse(&self, text: Vec<u8>) -> Result<Message, FormatError> {
        match self.format {
            InputFormat::Lines => Ok(lines::parse(text, self.delimiter.as_deref(), self.first)),
            InputFormat::Json => json::parse(&text),
            InputFormat::Frames | InputFormat::Whole => Ok(text.into()),
        }
    }
}

/// Writes messages.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    pub(crate) format: OutputFormat,
    /// A format of the user's own, in the place of the other.
    pub(crate) template: Option<Template>,
    /// Lines begin with the time.
    pub(crate) time: bool,
    pub(crate) payloads: JsonPayloads,
    /// The separator of frames in a line.
    pub(crate) delimiter: Vec<u8>,
    pub(crate) first: FirstFrame,
    /// Standard output is a terminal: control characters are escaped.
    pub(crate) terminal: bool,
    pub(crate) colour: bool,
}

impl Encoder {
    /// Creates an encoder whose output a program reads.
    pub(crate) fn for_program(format: OutputFormat, delimiter: Vec<u8>) -> Self {
        Self {
            format,
            template: None,
            time: false,
            payloads: JsonPayloads::AsText,
            delimiter,
            first: FirstFrame::Plain,
            terminal: false,
            colour: false,
        }
    }

    pub(crate) fn write(&self, received: &Received, out: &mut impl Write) -> io::Result<()> {
        let message = &received.message;
        match (&self.template, self.format) {
            (Some(template), _) => template.write(received, self, out),
            (None, OutputFormat::Lines) => lines::write(received, self, out),
            (None, OutputFormat::Frames) => frames::write(message, out),
            (None, OutputFormat::Json) => json::write(received, self, out),
            (None, OutputFormat::Raw) => message.iter().try_for_each(|frame| out.write_all(frame)),
            (None, OutputFormat::Quiet) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
