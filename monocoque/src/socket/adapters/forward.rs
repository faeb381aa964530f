//! One direction of a proxy: a message leaves one socket only once the other has accepted it.

use std::sync::Arc;
use std::task::{Context, Poll};

use monocoque_core::Message;

use crate::error::MonocoqueError;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Incoming, Routing};
use crate::socket::Engine;
use crate::socket::recv::NextMessage;
use crate::socket::send::{Attempt, SendMode};
use crate::socket::wait_slot::{Limit, WaitQueue, WaitSlot};

/// One direction of a proxy.
#[derive(Debug)]
pub(crate) struct Forwarding<'a> {
    from: WaitSlot<'a>,
    to: WaitSlot<'a>,
}

/// The messages forwarded in one turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Forwarded {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// There may be more messages: the turn is over.
    pub(crate) more: bool,
}

impl<'a> Forwarding<'a> {
    /// Creates a direction. `None` if `from` does not receive or `to` does not send.
    pub(crate) fn new(from: &'a Arc<Engine>, to: &'a Arc<Engine>) -> Option<Self> {
        let receives = from.pattern.incoming != Incoming::Discard;
        let sends = to.pattern.routing != Routing::Nowhere;
        (receives && sends).then(|| {
            let mut from = WaitSlot::new(from, WaitQueue::Receivers);
            from.limit = Limit::Unlimited;
            Self { from, to: WaitSlot::new(to, WaitQueue::Senders) }
        })
    }

    /// Forwards available messages, up to one turn; calls `also` with each of them. Pending once
    /// there are no more, or no room: the task will be woken.
    ///
    /// A message that cannot be delivered, such as one to a peer that is not connected, is dropped,
    /// and counted by the socket it came from.
    pub(crate) fn poll(
        &mut self,
        cx: &Context<'_>,
        mut also: impl FnMut(&Message),
    ) -> Poll<Result<Forwarded, MonocoqueError>> {
        let mut forwarded = Forwarded::default();
        for _ in 0..TURN {
            let mut wakes = Wakes::default();
            let step = self.step(cx, &mut wakes);
            wakes.wake();
            match step? {
                Step::Forwarded(message) => {
                    forwarded.messages += 1;
                    forwarded.bytes += message.byte_len() as u64;
                    also(&message);
                }
                Step::Dropped => {}
                Step::Full if self.to.finds_stalled(cx) => {}
                Step::Full | Step::Idle if forwarded.messages == 0 => return Poll::Pending,
                Step::Full | Step::Idle => return Poll::Ready(Ok(forwarded)),
            }
        }
        forwarded.more = true;
        Poll::Ready(Ok(forwarded))
    }

    /// Forwards one message. Other receivers are blocked meanwhile, and no task is woken.
    fn step(&mut self, cx: &Context<'_>, wakes: &mut Wakes) -> Result<Step, MonocoqueError> {
        let Self { from, to } = self;
        let engine = from.engine;
        let step = from.poll_recv_with(cx, |next| Some(forward(engine, next, to, cx, wakes)));
        match step {
            Poll::Ready(step) => step,
            Poll::Pending => Ok(Step::Idle),
        }
    }
}

/// Forwards the next message of a socket.
fn forward(
    from: &Engine,
    mut next: NextMessage<'_>,
    to: &mut WaitSlot<'_>,
    cx: &Context<'_>,
    wakes: &mut Wakes,
) -> Result<Step, MonocoqueError> {
    if !from.is_wanted(&next) {
        from.discard(next, wakes);
        return Ok(Step::Dropped);
    }
    let mut message = next.item().clone();
    let waker = Some(cx.waker());
    match to.engine.send_once(None, &mut message, SendMode::Wait, &mut to.waiting, waker, wakes) {
        Ok(Attempt::Done) => {
            from.on_report(&next, true, wakes);
            Ok(Step::Forwarded(next.pop()))
        }
        Ok(Attempt::Yield) => Ok(Step::Idle),
        Ok(Attempt::Full) => Ok(Step::Full),
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

enum Step {
    Forwarded(Message),
    Dropped,
    /// The queues of all peers are full.
    Full,
    /// There is nothing to forward, or the task is to yield.
    Idle,
}

/// The number of messages forwarded or dropped in one turn, before that of the other direction.
const TURN: usize = 256;
