//! `mq pull` and `mq sub`, and the receiving part of other commands.

use std::time::SystemTime;

use monocoque::zmq::{Builder, SocketType};
use monocoque::{AnySocket, Frame, Message};

use super::{NOT_TAKEN, topics};
use crate::args::{FormatArgs, OutputArgs, PullArgs, ReceiveArgs, SubArgs};
use crate::error::Error;
use crate::format::{FirstFrame, Received};
use crate::output::{Output, Reader};
use crate::progress::Progress;
use crate::session::{Env, Session};

pub(super) async fn pull(args: &PullArgs, env: &Env) -> Result<(), Error> {
    let tune = |builder: Builder<AnySocket>| builder.conflate(args.queue.conflate);
    let session = Session::open(SocketType::Pull, &args.receive.connection, env, tune).await?;
    print_all(session, &args.receive, env).await
}

pub(super) async fn subscribe(args: &SubArgs, env: &Env) -> Result<(), Error> {
    let tune = |builder: Builder<AnySocket>| builder.conflate(args.queue.conflate);
    let session = Session::open(SocketType::Sub, &args.receive.connection, env, tune).await?;
    topics::of(&args.topics).iter().try_for_each(|topic| session.socket.subscribe(topic))?;
    print_all(session, &args.receive, env).await
}

async fn print_all(session: Session, args: &ReceiveArgs, env: &Env) -> Result<(), Error> {
    let mut receiver = Receiver::open(args, env);
    let work = async { receiver.receive(&session, async |_| Ok(())).await.map(drop) };
    let done = session.until_interrupted(work, || args.count.is_none()).await;
    receiver.finish(session.close(done, NOT_TAKEN).await).await
}

/// The destination of received messages.
#[derive(Debug)]
pub(super) struct Receiver {
    output: Output,
    progress: Progress,
    /// The sender of each message is asked for.
    needs_peer: bool,
    count: Option<u64>,
    received: u64,
    /// The routing id of the one connection that messages come from, which is not printed.
    connection: Option<Frame>,
    has_ended: bool,
}

/// The reason why no more is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// There are enough messages.
    Enough,
    /// Standard output is closed.
    OutputClosed,
    /// The peer has ended the one connection.
    ConnectionEnded,
}

impl Receiver {
    pub(super) fn open(args: &ReceiveArgs, env: &Env) -> Self {
        Self::new(&args.output, &args.format, FirstFrame::Plain, args.count, env)
    }

    pub(super) fn new(
        args: &OutputArgs,
        format: &FormatArgs,
        first: FirstFrame,
        count: Option<u64>,
        env: &Env,
    ) -> Self {
        let output = Output::open(args, format, first);
        let progress = if env.is_verbose() { Progress::none() } else { Progress::new(count, output.beside) };
        let needs_peer = args.needs_peer();
        Self { output, progress, needs_peer, count, received: 0, connection: None, has_ended: false }
    }

    /// Receives from one connection of a STREAM, with this routing id, until that ends.
    pub(super) fn follow(&mut self, connection: Frame) {
        self.connection = Some(connection);
    }

    /// Returns the routing id of the one connection.
    pub(super) fn connection(&self) -> Option<&Frame> {
        self.connection.as_ref()
    }

    /// Fails if the one connection has ended before there were enough messages.
    pub(super) fn check_connection(&self) -> Result<(), Error> {
        match self.count {
            Some(count) if self.has_ended && self.received < count => Err(Error::Ended(self.received, count)),
            _ => Ok(()),
        }
    }

    /// Receives until there are enough messages, or standard output is closed, or the one
    /// connection has ended. Passes each message to `each` before it is printed.
    ///
    /// A timeout is a failure, unless messages were received and no number was requested.
    pub(super) async fn receive(
        &mut self,
        session: &Session,
        each: impl AsyncFn(&Message) -> Result<(), Error>,
    ) -> Result<Stopped, Error> {
        while let Some(max) = self.wanted() {
            let mut batch = match self.next(session, max).await {
                Err(Error::TimedOut(_)) if self.is_content() => return Ok(Stopped::Enough),
                batch => batch?,
            };
            if self.connection.is_some() {
                self.has_ended = keep_bodies(&mut batch);
            }
            self.received += batch.len() as u64;
            for received in &batch {
                each(&received.message).await?;
            }
            let size = || batch.iter().map(|received| received.message.byte_len()).sum();
            self.progress.add(batch.len() as u64, size);
            if self.output.write(batch).await == Reader::Gone {
                return Ok(Stopped::OutputClosed);
            }
            if self.has_ended {
                return Ok(Stopped::ConnectionEnded);
            }
        }
        Ok(Stopped::Enough)
    }

    /// Receives at least one message, and at most `max`.
    async fn next(&self, session: &Session, max: usize) -> Result<Vec<Received>, Error> {
        if self.needs_peer {
            return Ok(vec![session.recv_with_peer().await?]);
        }
        let mut batch = Vec::new();
        session.recv_batch(&mut batch, max).await?;
        let at = SystemTime::now();
        Ok(batch.into_iter().map(|message| Received { message, at, peer: None }).collect())
    }

    /// Returns whether a timeout may end the command successfully.
    pub(super) fn is_content(&self) -> bool {
        self.count.is_none() && self.received > 0
    }

    /// Waits until all messages are written. Fails if `done` has, or writing fails.
    pub(super) async fn finish(self, done: Result<(), Error>) -> Result<(), Error> {
        drop(self.progress);
        let written = self.output.finish().await;
        done.and(written)
    }

    /// Returns the maximum size of the next batch; `None` if no more messages are needed.
    fn wanted(&self) -> Option<usize> {
        let left = self.count.map_or(u64::MAX, |count| count.saturating_sub(self.received));
        (left > 0).then(|| usize::try_from(left).unwrap_or(BATCH).min(BATCH))
    }
}

/// Removes the routing ids of chunks, and what follows an empty one, which is the end of the
/// connection. Returns whether it has ended.
fn keep_bodies(batch: &mut Vec<Received>) -> bool {
    let end = batch.iter().position(|received| received.message.last().is_none_or(|body| body.is_empty()));
    batch.truncate(end.unwrap_or(batch.len()));
    for received in batch {
        received.message.pop_front();
    }
    end.is_some()
}

const BATCH: usize = 256;
