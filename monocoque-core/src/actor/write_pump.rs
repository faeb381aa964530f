//! The sending half of a connection: take a batch, encode it, write it.
//!
//! While one write is in flight, messages gather at the owner; the next write takes them all. Also
//! serves the deadlines of the protocol, for both directions.

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

use super::{BURST_BYTES, Closed, InFlight, Outlet, PumpState};
use crate::deadline::{self, StallGrace};
use crate::transport::ByteStream;
use crate::{Encode, Outbox, runtime};

pub(super) struct WritePump<S, E: Encode, O> {
    stream: S,
    encoder: E,
    outlet: O,
    state: Rc<PumpState<E::Error>>,
    phase: Phase,
    /// Silence counts from here: the start, or the last time that this thread had stood still.
    silence_start: Instant,
    grace: StallGrace,
    /// The last time that the kernel took bytes.
    last_progress: Instant,
    /// The next check for idleness, while memory is kept.
    idle_check_at: Option<Instant>,
}

/// The use of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no batch, and messages of the owner go first.
    Idle,
    /// The batch holds messages of the owner.
    Messages,
    /// Messages were written whole: replies go first, once.
    MessagesWritten,
    /// The batch holds replies.
    Replies,
}

/// The next thing to do.
enum Work {
    /// Write the batch.
    Batch,
    /// End: the owner has nothing more to send, or aborts.
    Drained,
    /// End: the read pump has ended.
    ReadEnded,
    /// Serve a deadline.
    Deadline,
    /// Schedule a check for idleness: memory is kept.
    SpareMemory,
}

impl<S: ByteStream, E: Encode, O: Outlet> WritePump<S, E, O> {
    pub(super) fn new(stream: S, encoder: E, outlet: O, state: Rc<PumpState<E::Error>>) -> Self {
        let start = Instant::now();
        state.last_received.set(Some(start));
        Self {
            stream,
            encoder,
            outlet,
            state,
            phase: Phase::Idle,
            silence_start: start,
            grace: StallGrace::new(),
            last_progress: start,
            idle_check_at: None,
        }
    }

    /// Runs until the owner has nothing more to send or the stream ends.
    pub(super) async fn run(mut self) {
        let mut batch = InFlight::new(&self.encoder);
        match self.pump(&mut batch).await {
            None => {
                // Whatever the peer sends after this.
                self.state.set_reason(Closed::ByUs);
                self.close_stream().await;
            }
            Some(reason) => {
                self.state.set_reason(reason);
                self.stream.shutdown(Shutdown::Both);
            }
        }
        self.state.write_ended.set(true);
        self.state.wake_reader();
        let unsent = match self.phase {
            Phase::Replies => Outbox::new(),
            Phase::Idle | Phase::Messages | Phase::MessagesWritten => batch.into_unsent(),
        };
        self.outlet.on_closed(unsent);
    }

    /// Returns the reason of the end; `None` if all was sent.
    async fn pump(&mut self, batch: &mut InFlight) -> Option<Closed<E::Error>> {
        loop {
            match self.next_work(batch).await {
                Work::Batch => {
                    if batch.queued().bytes() >= BURST_BYTES {
                        self.state.has_spare_memory.set(true);
                    }
                    if let Err(closed) = self.write(batch).await {
                        return Some(closed);
                    }
                    self.phase = match self.phase {
                        Phase::Messages => Phase::MessagesWritten,
                        _ => Phase::Idle,
                    };
                }
                Work::Deadline => {
                    self.shrink_if_idle(Some(batch));
                    if let Err(error) = self.on_deadline().await {
                        return Some(Closed::Protocol(error));
                    }
                }
                Work::SpareMemory => self.schedule_idle_check(),
                Work::Drained => return None,
                Work::ReadEnded => return Some(Closed::ByPeer),
            }
        }
    }

    /// Waits for something to do.
    ///
    /// Replies go first after each batch of the owner, but never within a message: a direct write
    /// may have begun one while the pump waited.
    async fn next_work(&mut self, batch: &mut InFlight) -> Work {
        let deadline = self.deadline();
        let Self { outlet, state, phase, idle_check_at, .. } = self;
        let work = poll_fn(|cx| {
            if state.read_ended.get() {
                return Poll::Ready(Work::ReadEnded);
            }
            if idle_check_at.is_none() && state.has_spare_memory.get() {
                return Poll::Ready(Work::SpareMemory);
            }
            let replies = &mut *state.replies.borrow_mut();
            let replies_first = *phase == Phase::MessagesWritten && !replies.is_empty();
            *phase = Phase::Idle;
            let taken = if replies_first { Poll::Pending } else { outlet.poll_take(cx, batch.queued_mut()) };
            match taken {
                Poll::Ready(true) => {
                    *phase = Phase::Messages;
                    Poll::Ready(Work::Batch)
                }
                Poll::Ready(false) => Poll::Ready(Work::Drained),
                Poll::Pending if !replies.is_empty() && outlet.unpark() => {
                    *phase = Phase::Replies;
                    std::mem::swap(replies, batch.queued_mut());
                    Poll::Ready(Work::Batch)
                }
                Poll::Pending => {
                    batch.shrink();
                    state.writer.replace(Some(cx.waker().clone()));
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
            let (written, outcome) = self.write_with_deadlines(write).await;
            self.state.traffic.add_sent(*written.0.as_ref().unwrap_or(&0));
            let (result, rest) = apply_write_result(written);
            *batch = rest;
            self.last_progress = Instant::now();
            if !batch.is_empty() && result.is_ok() {
                self.outlet.on_progress();
            }
            match outcome {
                // The reason is set already.
                WriteOutcome::GivenUp => return Err(Closed::ByUs),
                WriteOutcome::Returned => result.map_err(Closed::Io)?,
            }
        }
        Ok(())
    }

    /// Awaits a write, which is never dropped, and meanwhile serves deadlines and an abort.
    ///
    /// To give the peer up, the stream is shut down, so that the write returns. The reason is set
    /// before: the other pump may notice the end first, and would take it for the peer's.
    async fn write_with_deadlines<T>(&mut self, write: impl Future<Output = T>) -> (T, WriteOutcome) {
        let mut write = std::pin::pin!(write);
        let reason = loop {
            let interruption = {
                let interruption = std::pin::pin!(self.next_interruption());
                match select(write.as_mut(), interruption).await {
                    Either::Left((written, _)) => return (written, WriteOutcome::Returned),
                    Either::Right((interruption, _)) => interruption,
                }
            };
            match interruption {
                Work::Deadline => {
                    self.shrink_if_idle(None);
                    match self.on_deadline().await {
                        Ok(()) => {}
                        Err(error) => break Closed::Protocol(error),
                    }
                }
                Work::SpareMemory => self.schedule_idle_check(),
                Work::Batch | Work::Drained | Work::ReadEnded => break Closed::ByUs,
            }
        };
        self.state.set_reason(reason);
        self.stream.shutdown(Shutdown::Both);
        (write.await, WriteOutcome::GivenUp)
    }

    /// Waits for a deadline, for memory to be kept, or for the owner to abort the connection.
    async fn next_interruption(&mut self) -> Work {
        let deadline = self.deadline();
        let Self { outlet, state, idle_check_at, .. } = self;
        let abort = poll_fn(|cx| {
            if idle_check_at.is_none() && state.has_spare_memory.get() {
                return Poll::Ready(Work::SpareMemory);
            }
            state.writer.replace(Some(cx.waker().clone()));
            outlet.poll_abort(cx).map(|()| Work::Drained)
        });
        let Some(deadline) = deadline else { return abort.await };
        let expiry = compio::time::sleep_until(deadline).map(|()| Work::Deadline);
        select(abort, std::pin::pin!(expiry)).await.factor_first().0
    }

    /// Checks later whether memory that is kept is still needed.
    fn schedule_idle_check(&mut self) {
        self.idle_check_at = deadline::after(Instant::now(), IDLE_AFTER);
    }

    /// Returns the earlier of the deadline of the protocol and that of the check for idleness.
    fn deadline(&self) -> Option<Instant> {
        [self.encoder.deadline(), self.idle_check_at].into_iter().flatten().min()
    }

    /// Releases memory if the connection has been idle for a while, or checks again later.
    fn shrink_if_idle(&mut self, batch: Option<&mut InFlight>) {
        let now = Instant::now();
        if self.idle_check_at.is_none_or(|at| now < at) {
            return;
        }
        let received = self.state.last_received.get();
        let last = received.unwrap_or(self.silence_start).max(self.last_progress);
        if now.saturating_duration_since(last) < IDLE_AFTER {
            self.idle_check_at = deadline::after(last, IDLE_AFTER);
            return;
        }
        self.idle_check_at = None;
        self.state.has_spare_memory.set(false);
        self.state.memory.shrink();
        if received.is_none() {
            self.state.shrink_reads.set(true);
            self.state.wake_reader();
        }
        if let Some(batch) = batch.filter(|batch| batch.is_empty()) {
            *batch = InFlight::new(&self.encoder);
        }
        self.outlet.on_idle();
    }

    /// Serves the deadline of the protocol.
    ///
    /// A peer is given up only after all that has arrived from it was looked at, and not for time
    /// in which this thread stood still: then its silence counts from now on.
    async fn on_deadline(&mut self) -> Result<(), E::Error> {
        let served = Instant::now();
        let Some(deadline) = self.encoder.deadline().filter(|&at| at <= served) else { return Ok(()) };
        if self.state.last_received.get().is_none_or(|received| received > self.silence_start) {
            self.grace.reset();
        }
        if self.check_silence(served).is_ok() {
            return Ok(());
        }
        runtime::process_completions().await;
        self.note_unread();
        let now = Instant::now();
        let outcome = self.check_silence(now);
        if outcome.is_ok() || !self.grace.grant(deadline, served) {
            return outcome;
        }
        self.silence_start = now;
        self.check_silence(now)
    }

    /// Counts bytes that wait in the kernel to be read as received.
    fn note_unread(&self) {
        let unread = self.stream.descriptor().map(ioctl_fionread);
        if matches!(unread, Some(Ok(1..))) && self.state.last_received.get().is_some() {
            self.state.last_received.set(Some(Instant::now()));
        }
    }

    /// Lets the protocol decide about the silence of the peer.
    fn check_silence(&mut self, now: Instant) -> Result<(), E::Error> {
        let received = self.state.last_received.get().unwrap_or(now).max(self.silence_start);
        let replies = &mut *self.state.replies.borrow_mut();
        // A question to the peer may still wait behind a batch, which a slow peer takes bit by bit.
        let received = if replies.is_empty() { received } else { received.max(self.last_progress) };
        self.encoder.on_deadline(now, received, replies)
    }

    /// Closes the stream after the last message.
    ///
    /// Shuts down the sending direction and gives the peer a moment to do the same, so that nothing
    /// in flight is reset; longer if the owner [drains the input](Outlet::drains_input), and there
    /// was no room for it, or it still comes.
    async fn close_stream(&self) {
        self.stream.shutdown(Shutdown::Write);
        let mut left = if self.outlet.drains_input() { DRAIN_TIMEOUT } else { CLOSE_TIMEOUT };
        let end = self.state.received_bytes.get() + DRAIN_BYTES;
        let ended = poll_fn(|cx| {
            if self.state.read_ended.get() {
                return Poll::Ready(());
            }
            self.state.writer.replace(Some(cx.waker().clone()));
            Poll::Pending
        });
        let mut ended = std::pin::pin!(join(self.stream.wait_shutdown(), ended));
        loop {
            let moment = std::pin::pin!(compio::time::sleep(CLOSE_TIMEOUT));
            if let Either::Left(_) = select(ended.as_mut(), moment).await {
                break;
            }
            let received = self.state.last_received.get();
            let is_much = self.state.received_bytes.get() >= end;
            let waits_for_room = received.is_none();
            if waits_for_room && !is_much && self.outlet.drains_input() {
                continue;
            }
            let is_silent = received.is_some_and(|received| received.elapsed() >= CLOSE_TIMEOUT);
            left = if is_silent || is_much { Duration::ZERO } else { left.saturating_sub(CLOSE_TIMEOUT) };
            if left.is_zero() {
                break;
            }
        }
        self.stream.shutdown(Shutdown::Both);
    }
}

/// The end of a write that was awaited with deadlines.
enum WriteOutcome {
    /// By itself.
    Returned,
    /// By shutting the stream down.
    GivenUp,
}

/// Takes the batch back from a write that was short, whole, interrupted or failed.
pub(super) fn apply_write_result(
    BufResult(result, mut batch): BufResult<usize, InFlight>,
) -> (io::Result<()>, InFlight) {
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

/// The silence in both directions after which a connection is idle and releases memory.
const IDLE_AFTER: Duration = Duration::from_millis(500);
/// How long a connection that closes waits for the peer to close its side, or for the end of its
/// stream.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// How long it reads what the peer has sent, if the owner drains the input.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// The most that it reads then: more than two systems buffer for a peer that has closed.
const DRAIN_BYTES: u64 = 16 * 1024 * 1024;
