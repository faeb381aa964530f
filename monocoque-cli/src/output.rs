//! Received messages, written by a separate thread, so that a slow reader does not hold up the
//! socket.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write, stdout};
use std::thread;

use anstream::{AutoStream, ColorChoice};

use crate::args::{FormatArgs, OutputArgs};
use crate::error::Error;
use crate::format::{Encoder, FirstFrame, JsonPayloads, OutputFormat, Received};
use crate::progress::ProgressMode;

/// The destination of received messages.
#[derive(Debug)]
pub(crate) struct Output {
    batches: flume::Sender<Vec<Received>>,
    ended: flume::Receiver<io::Result<()>>,
    /// The stream that may be a terminal beside the progress bar.
    pub(crate) beside: ProgressMode,
}

/// The state of the reader of standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    Gone,
}

impl Output {
    pub(crate) fn open(args: &OutputArgs, format: &FormatArgs, first: FirstFrame) -> Self {
        let encoder = Encoder {
            format: args.output_format(format),
            template: args.format.clone(),
            time: args.time,
            payloads: if args.parse_json { JsonPayloads::AsJson } else { JsonPayloads::AsText },
            delimiter: separator(format),
            first,
            terminal: stdout().is_terminal(),
            colour: AutoStream::choice(&stdout()) != ColorChoice::Never,
        };
        let beside =
            if encoder.format == OutputFormat::Quiet { ProgressMode::Nothing } else { ProgressMode::Stdout };
        let (batches, taken) = flume::bounded(WAITING);
        let (end, ended) = flume::bounded(1);
        thread::spawn(move || end.send(write(&encoder, &taken)));
        Self { batches, ended, beside }
    }

    /// Passes messages to the writing thread.
    pub(crate) async fn write(&self, messages: Vec<Received>) -> Reader {
        match self.batches.send_async(messages).await {
            Ok(()) => Reader::There,
            Err(_) => Reader::Gone,
        }
    }

    /// Waits until all messages are written.
    pub(crate) async fn finish(self) -> Result<(), Error> {
        drop(self.batches);
        match self.ended.recv_async().await {
            Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
            _ => Ok(()),
        }
    }
}

/// Returns the separator of frames in the format `lines`.
pub(crate) fn separator(format: &FormatArgs) -> Vec<u8> {
    format.delimiter.as_ref().map_or_else(|| b"\t".to_vec(), |delimiter| delimiter.0.clone())
}

/// Writes a line and flushes it.
pub(crate) fn print_line(line: &str) -> Result<Reader, Error> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Error::Stdout(error)),
    }
}

fn write(encoder: &Encoder, batches: &flume::Receiver<Vec<Received>>) -> io::Result<()> {
    // Standard output is flushed at each line break; this buffer once no message is waiting.
    let mut out = BufWriter::with_capacity(BUFFER, stdout().lock());
    while let Ok(batch) = batches.recv() {
        batch.iter().try_for_each(|received| encoder.write(received, &mut out))?;
        if batches.is_empty() {
            out.flush()?;
        }
    }
    out.flush()
}

/// The number of batches that wait to be written; at this limit, back-pressure reaches the peers.
const WAITING: usize = 4;
const BUFFER: usize = 64 << 10;
