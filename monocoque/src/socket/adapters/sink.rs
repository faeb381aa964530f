//! A sink of messages: `send` and `flush` with wait slots that are kept from poll to poll.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use monocoque_core::{Message, PeerKey};

use crate::error::MonocoqueError;
use crate::pattern::outbound::Outbound;
use crate::pattern::wakes::Wakes;
use crate::socket::Engine;
use crate::socket::send::{Attempt, SendMode, flushed, yields};
use crate::socket::wait_slot::{OwnedSlot, WaitQueue, Waiting};

/// The state of a sink.
#[derive(Debug)]
pub(crate) struct SinkState {
    sender: OwnedSlot,
    kept: Kept,
    watcher: OwnedSlot,
    /// The number of messages that each link is to have written, while a flush is pending.
    goals: Option<Vec<(PeerKey, u64)>>,
}

/// The one message that a sink may hold.
#[derive(Debug)]
enum Kept {
    Nothing,
    /// Waiting for room.
    Waiting(Message),
    /// Refused with an error.
    Refused(Message),
}

impl SinkState {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            sender: OwnedSlot::new(engine, WaitQueue::Senders),
            kept: Kept::Nothing,
            watcher: OwnedSlot::new(engine, WaitQueue::Watchers),
            goals: None,
        }
    }

    /// Waits until no message is held.
    pub(crate) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.notice_fork();
        match self.kept {
            Kept::Waiting(_) => self.poll_kept(cx),
            _ => self.poll_yield(cx).map(Ok),
        }
    }

    /// Queues a message, or holds it.
    pub(crate) fn start_send(&mut self, mut message: Message) -> Result<(), MonocoqueError> {
        self.notice_fork();
        if matches!(self.kept, Kept::Waiting(_)) {
            return Err(MonocoqueError::WouldBlock);
        }
        self.goals = None;
        let mut wakes = Wakes::default();
        let (engine, waiting) = (&self.sender.engine, &mut Waiting::default());
        let attempt = engine.send_once(None, &mut message, SendMode::Wait, waiting, None, &mut wakes);
        wakes.wake();
        match attempt {
            Ok(Attempt::Done) => {
                self.kept = Kept::Nothing;
                Ok(())
            }
            Ok(_) => {
                self.kept = Kept::Waiting(message);
                Ok(())
            }
            Err(reason) => {
                self.kept = Kept::Refused(message);
                Err(reason)
            }
        }
    }

    /// Waits until the system has accepted all queued messages.
    pub(crate) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.notice_fork();
        ready!(self.poll_kept(cx))?;
        let engine = &self.watcher.engine;
        let goals = self.goals.get_or_insert_with(|| engine.with_wakes(Outbound::flush));
        let result = ready!(self.watcher.poll(|slot| slot.poll_watch(cx, |out| flushed(out, goals))));
        self.goals = None;
        Poll::Ready(result)
    }

    /// Closes the socket and waits until it has ended.
    pub(crate) fn poll_close(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.notice_fork();
        ready!(self.poll_kept(cx))?;
        self.watcher.engine.close();
        let ended = |out: &mut Outbound| (out.lifecycle.tasks == 0).then_some(Ok(()));
        self.watcher.poll(|slot| slot.poll_watch(cx, ended))
    }

    /// Takes the message that is waiting or has failed. It will not be sent.
    pub(crate) fn take_unsent(&mut self) -> Option<Message> {
        self.sender.leave();
        match std::mem::replace(&mut self.kept, Kept::Nothing) {
            Kept::Nothing => None,
            Kept::Waiting(message) | Kept::Refused(message) => Some(message),
        }
    }

    /// Becomes the sink of a closed socket, in a forked process.
    fn notice_fork(&mut self) {
        if self.sender.engine.is_foreign() {
            let closed = Engine::closed(self.sender.engine.pattern);
            self.sender.move_to(&closed);
            self.watcher.move_to(&closed);
            self.goals = None;
        }
    }

    /// Queues the message that is waiting, if there is one.
    fn poll_kept(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        let Kept::Waiting(message) = &mut self.kept else { return Poll::Ready(Ok(())) };
        let result = ready!(self.sender.poll(|slot| { slot.poll_send(None, message, SendMode::Wait, cx) }));
        let message = std::mem::take(message);
        self.kept = if result.is_ok() { Kept::Nothing } else { Kept::Refused(message) };
        Poll::Ready(result)
    }

    /// Yields if it is due: a sink with room has no other point to wait at.
    fn poll_yield(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut wakes = Wakes::default();
        let OwnedSlot { engine, waiting, .. } = &mut self.sender;
        let yields = yields(&mut engine.out.lock(), waiting, Some(cx.waker()), &mut wakes);
        wakes.wake();
        if yields { Poll::Pending } else { Poll::Ready(()) }
    }
}
