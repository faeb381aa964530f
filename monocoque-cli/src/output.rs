//! Messages that were received, written by a thread of its own, so that a slow reader holds up no socket.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write, stdout};
use std::thread;

use anstream::{AutoStream, ColorChoice};
use monocoque::Message;

use crate::args::{FormatArgs, OutputArgs};
use crate::error::Error;
use crate::format::{Encoder, FirstFrame, OutputFormat};
use crate::progress::Beside;

/// Where messages go.
#[derive(Debug)]
pub(crate) struct Output {
    batches: flume::Sender<Vec<Message>>,
    ended: flume::Receiver<io::Result<()>>,
    /// Whether people may be reading it.
    pub(crate) beside: Beside,
}

/// Whether anybody reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    Gone,
}

impl Output {
    pub(crate) fn open(args: &OutputArgs, format: &FormatArgs, first: FirstFrame) -> Self {
        let encoder = Encoder {
            format: args.output,
            delimiter: separator(format),
            first,
            terminal: stdout().is_terminal(),
            colour: AutoStream::choice(&stdout()) != ColorChoice::Never,
        };
        let beside = if args.output == OutputFormat::Quiet { Beside::Nothing } else { Beside::Stdout };
        let (batches, taken) = flume::bounded(WAITING);
        let (end, ended) = flume::bounded(1);
        thread::spawn(move || end.send(write(&encoder, &taken)));
        Self { batches, ended, beside }
    }

    /// Hands messages over.
    pub(crate) async fn write(&self, messages: Vec<Message>) -> Reader {
        match self.batches.send_async(messages).await {
            Ok(()) => Reader::There,
            Err(_) => Reader::Gone,
        }
    }

    /// Waits until all is written.
    pub(crate) async fn finish(self) -> Result<(), Error> {
        drop(self.batches);
        match self.ended.recv_async().await {
            Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
            _ => Ok(()),
        }
    }
}

/// What separates frames in a line that is written.
pub(crate) fn separator(format: &FormatArgs) -> Vec<u8> {
    format.delimiter.as_ref().map_or_else(|| b"\t".to_vec(), |delimiter| delimiter.0.clone())
}

/// Writes a line at once.
pub(crate) fn print_line(line: &str) -> Result<Reader, Error> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Error::Stdout(error)),
    }
}

fn write(encoder: &Encoder, batches: &flume::Receiver<Vec<Message>>) -> io::Result<()> {
    // Standard output has a buffer that is flushed at each line break; this one is flushed when nothing more is waiting.
    let mut out = BufWriter::with_capacity(BUFFER, stdout().lock());
    while let Ok(batch) = batches.recv() {
        batch.iter().try_for_each(|message| encoder.write(message, &mut out))?;
        if batches.is_empty() {
            out.flush()?;
        }
    }
    out.flush()
}

/// How many batches wait to be written; beyond that, peers are held back.
const WAITING: usize = 4;
const BUFFER: usize = 64 << 10;
