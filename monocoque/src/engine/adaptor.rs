//! What a stream and a sink do: as the futures, but their places in queues are kept from poll to poll.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use monocoque_core::runtime::yielding::Yield;
use monocoque_core::{Message, PeerKey};

use super::sending::{Manner, Tried, flushed, is_to_pause};
use super::timers::Timer;
use super::{Engine, Place, Queue, Waiting};
use crate::error::MonocoqueError;
use crate::pattern::route::Outbound;
use crate::pattern::wakes::Wakes;

/// A stream of messages, from poll to poll.
#[derive(Debug)]
pub(crate) struct Incoming {
    receiver: Standing,
    ended: bool,
    yields: Yield,
}

/// A sink of messages, from poll to poll.
#[derive(Debug)]
pub(crate) struct Outgoing {
    sender: Standing,
    held: Held,
    watcher: Standing,
    /// How far each link is to get, once a flush has begun.
    goals: Option<Vec<(PeerKey, u64)>>,
}

/// The one message that a sink may keep.
#[derive(Debug)]
enum Held {
    Nothing,
    /// There is no room for it yet.
    Waiting(Message),
    /// An error was about it.
    Refused(Message),
}

/// A [`Place`] between two polls; given up when it is dropped.
#[derive(Debug)]
struct Standing {
    engine: Arc<Engine>,
    queue: Queue,
    waiting: Waiting,
    timer: Option<Timer>,
}

impl Incoming {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self { receiver: Standing::new(engine, Queue::Receivers), ended: false, yields: Yield::default() }
    }

    /// The next message; none once the socket is closed.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Message, MonocoqueError>>> {
        self.ended |= self.receiver.engine.is_foreign();
        if self.ended {
            return self.yields.poll(cx).map(|()| None);
        }
        match ready!(self.receiver.poll(|place| place.poll_recv(place.engine.options.recv_timeout, cx))) {
            Err(MonocoqueError::Closed) => {
                self.ended = true;
                Poll::Ready(None)
            }
            received => Poll::Ready(Some(received)),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Outgoing {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            sender: Standing::new(engine, Queue::Senders),
            held: Held::Nothing,
            watcher: Standing::new(engine, Queue::Watchers),
            goals: None,
        }
    }

    /// Waits until no message is kept.
    pub(crate) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.notice_fork();
        match self.held {
            Held::Waiting(_) => self.poll_held(cx),
            _ => self.sender.poll_pause(cx).map(Ok),
        }
    }

    /// Queues a message, or keeps it.
    pub(crate) fn start_send(&mut self, mut message: Message) -> Result<(), MonocoqueError> {
        self.notice_fork();
        if matches!(self.held, Held::Waiting(_)) {
            return Err(MonocoqueError::WouldBlock);
        }
        self.goals = None;
        match self.sender.engine.attempt(None, &mut message, Manner::Patient, &mut Waiting::default(), None) {
            Ok(Tried::Done) => {
                self.held = Held::Nothing;
                Ok(())
            }
            Ok(_) => {
                self.held = Held::Waiting(message);
                Ok(())
            }
            Err(reason) => {
                self.held = Held::Refused(message);
                Err(reason)
            }
        }
    }

    /// Waits until the system has taken all that is queued.
    pub(crate) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.notice_fork();
        ready!(self.poll_held(cx))?;
        let engine = &self.watcher.engine;
        let goals = self.goals.get_or_insert_with(|| engine.with_wakes(Outbound::let_go));
        let result = ready!(self.watcher.poll(|place| place.poll_watch(cx, |out| flushed(out, goals))));
        self.goals = None;
        Poll::Ready(result)
    }

    /// Closes the socket and waits until it has ended.
    pub(crate) fn poll_close(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        self.notice_fork();
        ready!(self.poll_held(cx))?;
        self.watcher.engine.close();
        self.watcher.poll(|place| place.poll_watch(cx, |out| (out.tasks == 0).then_some(Ok(()))))
    }

    /// The message that waits, or that the last error was about. It is not sent any more.
    pub(crate) fn take_unsent(&mut self) -> Option<Message> {
        self.sender.leave();
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => None,
            Held::Waiting(message) | Held::Refused(message) => Some(message),
        }
    }

    /// In a process that was forked it is the sink of a closed socket.
    fn notice_fork(&mut self) {
        if self.sender.engine.is_foreign() {
            let closed = Engine::closed(self.sender.engine.pattern);
            self.sender.move_to(&closed);
            self.watcher.move_to(&closed);
            self.goals = None;
        }
    }

    /// Queues the message that waits, if there is one.
    fn poll_held(&mut self, cx: &Context<'_>) -> Poll<Result<(), MonocoqueError>> {
        let Held::Waiting(message) = &mut self.held else { return Poll::Ready(Ok(())) };
        let result = ready!(self.sender.poll(|place| {
            match place.attempt(None, message, Manner::Patient, cx) {
                Ok(Tried::Done) => Poll::Ready(Ok(())),
                Ok(Tried::Full) if place.engine.pattern_drops() => Poll::Pending,
                Ok(Tried::Full) => place.overdue(place.engine.options.send_timeout, cx),
                Ok(Tried::Paused) => Poll::Pending,
                Err(reason) => Poll::Ready(Err(reason)),
            }
        }));
        let message = std::mem::take(message);
        self.held = if result.is_ok() { Held::Nothing } else { Held::Refused(message) };
        Poll::Ready(result)
    }
}

impl Standing {
    fn new(engine: &Arc<Engine>, queue: Queue) -> Self {
        Self { engine: engine.clone(), queue, waiting: Waiting::default(), timer: None }
    }

    /// One attempt of a future; the place is kept for as long as it has to wait.
    fn poll<T>(&mut self, attempt: impl FnOnce(&mut Place<'_>) -> Poll<T>) -> Poll<T> {
        let Self { engine, queue, waiting, timer } = self;
        let mut place =
            Place { engine, queue: *queue, waiting: std::mem::take(waiting), timer: timer.take() };
        let result = attempt(&mut place);
        if result.is_pending() {
            (*waiting, *timer) = (std::mem::take(&mut place.waiting), place.timer.take());
        }
        result
    }

    /// Lets others have a turn, if it is time for that: a sink whose messages find room at once waits for nothing else.
    fn poll_pause(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut wakes = Wakes::default();
        let pause = is_to_pause(&mut self.engine.out.lock(), &mut self.waiting, Some(cx.waker()), &mut wakes);
        wakes.wake();
        if pause { Poll::Pending } else { Poll::Ready(()) }
    }

    /// It belongs to another socket from now on. Nothing of the one before is touched.
    fn move_to(&mut self, engine: &Arc<Engine>) {
        std::mem::forget(std::mem::replace(&mut self.engine, engine.clone()));
        self.waiting = Waiting::default();
        self.timer = None;
    }

    fn leave(&mut self) {
        let Self { engine, queue, waiting, timer } = self;
        drop(Place { engine, queue: *queue, waiting: std::mem::take(waiting), timer: timer.take() });
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if self.engine.is_foreign() {
            // Nothing of the parent's is touched.
            return std::mem::forget(self.engine.clone());
        }
        self.leave();
    }
}
