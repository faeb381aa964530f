//! The sending half of a connection: take a batch, encode it, write it.
//!
//! While one write is in flight, messages gather at the owner; the next write takes them all. Also serves the
//! protocol's deadlines, for both directions.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use compio::buf::BufResult;
use futures_util::FutureExt;
use futures_util::future::{Either, join, select};
use rustix::io::ioctl_fionread;

use super::{BURST, Closed, InFlight, Outlet, Shared};
use crate::deadline::{self, StallGrace};
use crate::transport::Socket;
use crate::{Encode, Outbox, runtime};

pub(super) struct WritePump<S, E: Encode, O> {
    stream: S,
    encoder: E,
    outlet: O,
    shared: Rc<Shared<E::Error>>,
    /// Silence counts from here: the start, or the last time that this thread had stood still.
    started: Instant,
    grace: StallGrace,
    /// What is being written are replies, not messages of the owner.
    replying: bool,
    /// A batch of the owner has just been written whole.
    between: bool,
    /// When the system last took something.
    progress: Instant,
    /// When to look whether the connection is quiet, while memory is kept.
    tidy_at: Option<Instant>,
}

/// What the pump found when it looked for work.
enum Work {
    Batch,
    Drained,
    ReadEnded,
    Deadline,
    /// Memory is kept that is to be let go when it gets quiet.
    Tidy,
}

impl<S: Socket, E: Encode, O: Outlet> WritePump<S, E, O> {
    pub(super) fn new(stream: S, encoder: E, outlet: O, shared: Rc<Shared<E::Error>>) -> Self {
        let started = Instant::now();
        shared.heard.set(Some(started));
        Self {
            stream,
            encoder,
            outlet,
            shared,
            started,
            grace: StallGrace::new(),
            replying: false,
            between: false,
            progress: started,
            tidy_at: None,
        }
    }

    /// Runs until the owner has nothing more to send or the stream ends.
    pub(super) async fn run(mut self) {
        let mut batch = InFlight::new(&self.encoder);
        match self.pump(&mut batch).await {
            None => {
                // Whatever the peer does in answer.
                self.shared.end(Closed::ByUs);
                self.finish().await;
            }
            Some(reason) => {
                self.shared.end(reason);
                self.stream.shutdown(Shutdown::Both);
            }
        }
        self.shared.write_ended.set(true);
        self.shared.wake_reader();
        let unsent = if self.replying { Outbox::new() } else { batch.into_unsent() };
        self.outlet.close(unsent);
    }

    /// `None` if all was sent.
    async fn pump(&mut self, batch: &mut InFlight) -> Option<Closed<E::Error>> {
        loop {
            match self.work(batch).await {
                Work::Batch => {
                    if batch.queued().bytes() >= BURST {
                        self.shared.tidies.set(true);
                    }
                    if let Err(closed) = self.write(batch).await {
                        return Some(closed);
                    }
                    self.between = !self.replying;
                }
                Work::Deadline => {
                    self.tidy(Some(batch));
                    if let Err(error) = self.on_deadline().await {
                        return Some(Closed::Protocol(error));
                    }
                }
                Work::Tidy => self.expect_quiet(),
                Work::Drained => return None,
                Work::ReadEnded => return Some(Closed::ByPeer),
            }
        }
    }

    /// Waits for something to do. Replies have their turn behind each batch of the owner, and never within a message: the
    /// owner may have begun one by itself while the pump waited.
    async fn work(&mut self, batch: &mut InFlight) -> Work {
        let deadline = self.deadline();
        let Self { outlet, shared, replying, between, tidy_at, .. } = self;
        *replying = false;
        let work = poll_fn(|cx| {
            if shared.read_ended.get() {
                return Poll::Ready(Work::ReadEnded);
            }
            if tidy_at.is_none() && shared.tidies.get() {
                return Poll::Ready(Work::Tidy);
            }
            let replies = &mut *shared.replies.borrow_mut();
            let replies_first = std::mem::take(between) && !replies.is_empty();
            let taken = if replies_first { Poll::Pending } else { outlet.poll_take(cx, batch.queued_mut()) };
            match taken {
                Poll::Ready(true) => Poll::Ready(Work::Batch),
                Poll::Ready(false) => Poll::Ready(Work::Drained),
                Poll::Pending if !replies.is_empty() && outlet.unpark() => {
                    *replying = true;
                    std::mem::swap(replies, batch.queued_mut());
                    Poll::Ready(Work::Batch)
                }
                Poll::Pending => {
                    batch.shrink();
                    shared.writer.replace(Some(cx.waker().clone()));
                    Poll::Pending
                }
            }
        });
        let Some(deadline) = deadline else { return work.await };
        let work = std::pin::pin!(work);
        let expiry = std::pin::pin!(compio::time::sleep_until(deadline));
        match select(work, expiry).await {
            Either::Left((work, _)) => work,
            Either::Right(((), _)) => Work::Deadline,
        }
    }

    /// Writes the whole batch, through short writes and interruptions.
    async fn write(&mut self, batch: &mut InFlight) -> Result<(), Closed<E::Error>> {
        while !batch.is_empty() {
            batch.encode(&mut self.encoder);
            let taken = std::mem::take(batch);
            let mut stream = self.stream.clone();
            let write = async move {
                if taken.wire().is_one_slice() {
                    stream.write(taken).await
                } else {
                    stream.write_vectored(taken).await
                }
            };
            let (written, given_up) = self.keep_deadlines(write).await;
            let (result, rest) = settle(written);
            *batch = rest;
            self.progress = Instant::now();
            if !batch.is_empty() && result.is_ok() {
                self.outlet.on_progress();
            }
            if given_up {
                // The reason is known already.
                return Err(Closed::ByUs);
            }
            result.map_err(Closed::Io)?;
        }
        Ok(())
    }

    /// Awaits a write, which is never dropped, and meanwhile serves the deadlines and the owner's wish to end.
    ///
    /// When the peer is given up, which is told beside the result, the stream is shut down, so that the write returns. The
    /// reason is noted before: the other pump may notice the end first, and would take it for the peer's.
    async fn keep_deadlines<T>(&mut self, write: impl Future<Output = T>) -> (T, bool) {
        let mut write = std::pin::pin!(write);
        let reason = loop {
            let interruption = {
                let interruption = std::pin::pin!(self.interruption());
                match select(write.as_mut(), interruption).await {
                    Either::Left((written, _)) => return (written, false),
                    Either::Right((interruption, _)) => interruption,
                }
            };
            match interruption {
                Work::Deadline => {
                    self.tidy(None);
                    match self.on_deadline().await {
                        Ok(()) => {}
                        Err(error) => break Closed::Protocol(error),
                    }
                }
                Work::Tidy => self.expect_quiet(),
                _ => break Closed::ByUs,
            }
        };
        self.shared.end(reason);
        self.stream.shutdown(Shutdown::Both);
        (write.await, true)
    }

    /// Waits for a deadline, for memory to be kept, or for the owner to give the connection up.
    async fn interruption(&mut self) -> Work {
        let deadline = self.deadline();
        let Self { outlet, shared, tidy_at, .. } = self;
        let abort = poll_fn(|cx| {
            if tidy_at.is_none() && shared.tidies.get() {
                return Poll::Ready(Work::Tidy);
            }
            shared.writer.replace(Some(cx.waker().clone()));
            outlet.poll_abort(cx).map(|()| Work::Drained)
        });
        let Some(deadline) = deadline else { return abort.await };
        let expiry = compio::time::sleep_until(deadline).map(|()| Work::Deadline);
        select(abort, std::pin::pin!(expiry)).await.factor_first().0
    }

    /// Memory is kept: looks later whether it is still needed.
    fn expect_quiet(&mut self) {
        self.tidy_at = deadline::after(Instant::now(), QUIET);
    }

    /// The earlier of the protocol's deadline and our own.
    fn deadline(&self) -> Option<Instant> {
        [self.encoder.deadline(), self.tidy_at].into_iter().flatten().min()
    }

    /// Lets go of memory if the connection has been quiet for a while, or looks again later.
    fn tidy(&mut self, batch: Option<&mut InFlight>) {
        let now = Instant::now();
        if self.tidy_at.is_none_or(|at| now < at) {
            return;
        }
        let last = self.shared.heard.get().unwrap_or(self.started).max(self.progress);
        if now.saturating_duration_since(last) < QUIET {
            self.tidy_at = deadline::after(last, QUIET);
            return;
        }
        self.tidy_at = None;
        self.shared.tidies.set(false);
        self.shared.memory.rest();
        if self.shared.heard.get().is_none() {
            self.shared.rests.set(true);
            self.shared.wake_reader();
        }
        if let Some(batch) = batch.filter(|batch| batch.is_empty()) {
            *batch = InFlight::new(&self.encoder);
        }
        self.outlet.rest();
    }

    /// Serves the protocol's deadline. A peer is given up only when what has arrived of it has been looked at, and not for
    /// time in which this thread stood still: then its silence counts anew.
    async fn on_deadline(&mut self) -> Result<(), E::Error> {
        let served = Instant::now();
        let Some(deadline) = self.encoder.deadline().filter(|&at| at <= served) else { return Ok(()) };
        if self.shared.heard.get().is_none_or(|heard| heard > self.started) {
            self.grace.reset();
        }
        if self.judge(served).is_ok() {
            return Ok(());
        }
        runtime::process_completions().await;
        self.note_unread();
        let now = Instant::now();
        let outcome = self.judge(now);
        if outcome.is_ok() || !self.grace.grant(deadline, served) {
            return outcome;
        }
        self.started = now;
        self.judge(now)
    }

    /// Notes that the peer was heard if something waits in the system to be read.
    fn note_unread(&self) {
        let unread = self.stream.descriptor().map(ioctl_fionread);
        if matches!(unread, Some(Ok(1..))) && self.shared.heard.get().is_some() {
            self.shared.heard.set(Some(Instant::now()));
        }
    }

    fn judge(&mut self, now: Instant) -> Result<(), E::Error> {
        let heard = self.shared.heard.get().unwrap_or(now).max(self.started);
        let replies = &mut *self.shared.replies.borrow_mut();
        // What is to be answered may still wait behind a batch, of which a slow peer takes one part after the other.
        let heard = if replies.is_empty() { heard } else { heard.max(self.progress) };
        self.encoder.on_deadline(now, heard, replies)
    }

    /// All is sent: says so to the peer and gives it a moment to say the same, so that nothing in flight is reset; longer if
    /// the owner awaits what the peer has sent, and there was no room for it, or it still comes.
    async fn finish(&self) {
        self.stream.shutdown(Shutdown::Write);
        let mut left = if self.outlet.awaits_rest() { REST } else { FAREWELL };
        let end = self.shared.arrived.get() + REST_BYTES;
        let ended = poll_fn(|cx| {
            if self.shared.read_ended.get() {
                return Poll::Ready(());
            }
            self.shared.writer.replace(Some(cx.waker().clone()));
            Poll::Pending
        });
        let mut ended = std::pin::pin!(join(self.stream.finish(), ended));
        loop {
            let moment = std::pin::pin!(compio::time::sleep(FAREWELL));
            if let Either::Left(_) = select(ended.as_mut(), moment).await {
                break;
            }
            let is_much = self.shared.arrived.get() >= end;
            let waits_for_room = self.shared.heard.get().is_none();
            if waits_for_room && !is_much && self.outlet.awaits_rest() {
                continue;
            }
            let is_quiet = self.shared.heard.get().is_some_and(|heard| heard.elapsed() >= FAREWELL);
            left = if is_quiet || is_much { Duration::ZERO } else { left.saturating_sub(FAREWELL) };
            if left.is_zero() {
                break;
            }
        }
        self.stream.shutdown(Shutdown::Both);
    }
}

/// Takes the batch back from a write that was short, whole, interrupted or failed.
pub(super) fn settle(BufResult(result, mut batch): BufResult<usize, InFlight>) -> (io::Result<()>, InFlight) {
    let result = match result {
        Ok(0) if !batch.is_empty() => Err(io::ErrorKind::WriteZero.into()),
        Ok(n) => {
            batch.consume(n);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
    };
    (result, batch)
}

/// How long a connection is quiet before it lets go of memory.
const QUIET: Duration = Duration::from_millis(500);
/// How long a closing connection waits for the peer to close its side, or for its stream to take leave.
pub(super) const FAREWELL: Duration = Duration::from_millis(200);
/// How long it reads what the peer has sent, if the owner awaits that.
const REST: Duration = Duration::from_secs(1);
/// And how much of it: more than two systems buffer for a peer that has closed.
const REST_BYTES: u64 = 16 * 1024 * 1024;
