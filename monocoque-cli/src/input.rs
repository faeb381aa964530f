//! Messages to send, read by a separate thread, so that waiting for input does not hold up the
//! socket.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use compio::time::sleep_until;
use monocoque::Message;

use crate::args::{FormatArgs, InputArgs};
use crate::error::Error;
use crate::format::{Decoder, FirstFrame, InputFormat};
use crate::progress::ProgressMode;

/// The messages to send, one after the other.
#[derive(Debug)]
pub(crate) struct Input {
    messages: flume::Receiver<Result<Message, Error>>,
    interval: Duration,
    /// The earliest time of the next message.
    due: Option<Instant>,
    /// The stream that may be a terminal beside the progress bar.
    pub(crate) beside: ProgressMode,
}

/// The amount of input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    /// The maximum number of messages.
    pub(crate) limit: Option<u64>,
    /// Messages of the command line are repeated up to the limit.
    pub(crate) fill: bool,
}

impl Input {
    /// Starts to read. Errors that can be found before that are returned at once.
    pub(crate) fn open(
        args: &InputArgs,
        format: &FormatArgs,
        first: FirstFrame,
        extent: Extent,
    ) -> Result<Self, Error> {
        let delimiter = format.delimiter.as_ref().map(|delimiter| delimiter.0.clone());
        let tab = (first == FirstFrame::RoutingId).then(|| b"\t".to_vec());
        let decoder = Decoder { format: args.input_format(format), delimiter: delimiter.or(tab), first };
        let given = given(args, &decoder)?;
        let beside = if given.is_empty() { ProgressMode::Stdin } else { ProgressMode::Nothing };
        let messages: Box<dyn Iterator<Item = Result<Message, Error>> + Send> = if given.is_empty() {
            if args.repeat {
                return Err(Error::Usage(
                    "--repeat needs --data or --file: standard input is there but once".into(),
                ));
            }
            Box::new(Stdin { decoder, read: 0, ended: false }.flat())
        } else if args.repeat || extent.fill {
            Box::new(given.into_iter().cycle().map(Source::load))
        } else {
            Box::new(given.into_iter().map(Source::load))
        };
        let interval = args.interval.unwrap_or_default();
        Ok(Self { messages: on_thread(messages, extent.limit), interval, due: None, beside })
    }

    /// Waits until the next message is due, and returns it; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Error> {
        let Ok(message) = self.messages.recv_async().await else { return Ok(None) };
        let message = message?;
        if !self.interval.is_zero() {
            if let Some(due) = self.due {
                sleep_until(due).await;
            }
            self.due = Some(Instant::now() + self.interval);
        }
        Ok(Some(message))
    }
}

/// A message given on the command line.
#[derive(Clone, Debug)]
enum Source {
    Message(Message),
    File(PathBuf),
}

impl Source {
    fn load(self) -> Result<Message, Error> {
        match self {
            Self::Message(message) => Ok(message),
            Self::File(path) if path == Path::new("-") => {
                let mut all = Vec::new();
                io::stdin().read_to_end(&mut all).map_err(Error::Stdin)?;
                Ok(all.into())
            }
            Self::File(path) => fs::read(&path).map(Message::from).map_err(|error| Error::File(path, error)),
        }
    }
}

fn given(args: &InputArgs, decoder: &Decoder) -> Result<Vec<Source>, Error> {
    if !args.data.is_empty() && matches!(decoder.format, InputFormat::Frames | InputFormat::Whole) {
        return Err(Error::Usage("--data is read as --input lines or json says, not frames or whole".into()));
    }
    let message = |(n, text): (usize, &String)| {
        let parsed = decoder.parse(text.clone().into_bytes());
        parsed.map(Source::Message).map_err(|error| {
            let hint = if args.names_format() { "" } else { JSON_OF_DATA };
            Error::Usage(format!("--data number {}: {error}{hint}", n + 1))
        })
    };
    let file = |path: &PathBuf| {
        // A missing file is reported before anything is sent.
        if path != Path::new("-") {
            fs::File::open(path).map_err(|error| Error::File(path.clone(), error))?;
        }
        Ok(Source::File(path.clone()))
    };
    args.data.iter().enumerate().map(message).chain(args.file.iter().map(file)).collect()
}

/// The messages on standard input.
#[derive(Debug)]
struct Stdin {
    decoder: Decoder,
    read: u64,
    ended: bool,
}

impl Stdin {
    fn flat(mut self) -> impl Iterator<Item = Result<Message, Error>> {
        std::iter::from_fn(move || {
            if self.ended {
                return None;
            }
            self.read += 1;
            let next = self.decoder.next(&mut io::stdin().lock());
            self.ended = self.decoder.format == InputFormat::Whole || !matches!(next, Ok(Some(_)));
            next.map_err(|error| Error::Input(self.read, error)).transpose()
        })
    }
}

fn on_thread(
    messages: impl Iterator<Item = Result<Message, Error>> + Send + 'static,
    limit: Option<u64>,
) -> flume::Receiver<Result<Message, Error>> {
    let (sender, receiver) = flume::bounded(READ_AHEAD);
    // The thread is not joined: its input may never end.
    thread::spawn(move || {
        let mut left = limit;
        for message in messages {
            if left == Some(0) || sender.send(message).is_err() {
                return;
            }
            left = left.map(|left| left - 1);
            if left == Some(0) {
                return;
            }
        }
    });
    receiver
}

/// The hint for --data that is not JSON as --json says.
const JSON_OF_DATA: &str =
    "; --json applies to --data, too: leave it out, or write -O json for output in JSON";
/// The number of messages that are read ahead: enough to keep the sender busy, few enough to fit
/// into memory if they are large.
const READ_AHEAD: usize = 64;
