//! From one socket to another: a message is taken from the one only when the other has it.

use std::sync::Arc;
use std::task::{Context, Poll};

use monocoque_core::Message;

use crate::error::MonocoqueError;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Intake, Routing};
use crate::socket::send::{Manner, Tried};
use crate::socket::{Engine, Place, Queue};

/// One direction between two sockets.
#[derive(Debug)]
pub(crate) struct Forwarding<'a> {
    from: Place<'a>,
    to: Place<'a>,
}

/// What was passed on at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// There may be more: it is the turn of others.
    pub(crate) more: bool,
}

impl<'a> Forwarding<'a> {
    /// `None` if the one does not receive or the other does not send.
    pub(crate) fn new(from: &'a Arc<Engine>, to: &'a Arc<Engine>) -> Option<Self> {
        let receives = from.pattern.intake != Intake::Discard;
        let sends = to.pattern.routing != Routing::Nowhere;
        let place = |engine, queue| Place::new(engine, queue);
        (receives && sends)
            .then(|| Self { from: place(from, Queue::Receivers), to: place(to, Queue::Senders) })
    }

    /// Passes on what there is, up to a turn's worth; `also` sees each message that was. Pending once nothing is left, or
    /// there is no room: the task will be woken.
    ///
    /// What cannot be delivered, such as a message to a peer that is not there, is dropped and counted by the socket that it
    /// came from.
    pub(crate) fn poll(
        &mut self,
        cx: &Context<'_>,
        mut also: impl FnMut(&Message),
    ) -> Poll<Result<Passed, MonocoqueError>> {
        let mut passed = Passed::default();
        for _ in 0..TURN {
            let mut wakes = Wakes::default();
            let step = self.step(cx, &mut wakes);
            wakes.wake();
            match step? {
                Step::Passed(message) => {
                    passed.messages += 1;
                    passed.bytes += message.byte_len() as u64;
                    also(&message);
                }
                Step::Dropped => {}
                Step::Full if self.to.gives_up(cx) => {}
                Step::Full | Step::Stuck if passed.messages == 0 => return Poll::Pending,
                Step::Full | Step::Stuck => return Poll::Ready(Ok(passed)),
            }
        }
        passed.more = true;
        Poll::Ready(Ok(passed))
    }

    /// Passes one message on. Nobody else receives meanwhile, and nobody is woken.
    fn step(&mut self, cx: &Context<'_>, wakes: &mut Wakes) -> Result<Step, MonocoqueError> {
        let Self { from: Place { engine: from, waiting: receiver, .. }, to } = self;
        let Poll::Ready(next) = from.inbox.poll_next(&mut receiver.ticket, cx) else {
            return Ok(Step::Stuck);
        };
        let mut next = next?;
        if !from.is_wanted(&next) {
            from.discard(next, wakes);
            return Ok(Step::Dropped);
        }
        let mut message = next.item().clone();
        let Place { engine: to, waiting: sender, .. } = to;
        let waker = Some(cx.waker());
        match to.attempt_quietly(None, &mut message, Manner::Patient, sender, waker, wakes) {
            Ok(Tried::Done) => {
                from.on_report(&next, true, wakes);
                Ok(Step::Passed(next.pop()))
            }
            Ok(Tried::Paused) => Ok(Step::Stuck),
            Ok(Tried::Full) => Ok(Step::Full),
            Err(MonocoqueError::Closed) => Err(MonocoqueError::Closed),
            Err(_) => {
                from.on_report(&next, true, wakes);
                next.pop();
                drop(next);
                from.note_discarded(1);
                Ok(Step::Dropped)
            }
        }
    }
}

enum Step {
    Passed(Message),
    Dropped,
    /// Nobody has room.
    Full,
    /// Nothing to pass on, or others are to have a turn.
    Stuck,
}

/// How many messages are passed on or dropped before the other direction has its turn.
const TURN: usize = 256;
