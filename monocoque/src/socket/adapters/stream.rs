//! A stream of received messages: `recv` with a wait slot that is kept from poll to poll.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use monocoque_core::Message;
use monocoque_core::runtime::yielding::Yield;

use crate::error::MonocoqueError;
use crate::socket::Engine;
use crate::socket::wait_slot::{OwnedSlot, WaitQueue};

/// The state of a stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    receiver: OwnedSlot,
    has_ended: bool,
    yields: Yield,
}

impl StreamState {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        let receiver = OwnedSlot::new(engine, WaitQueue::Receivers);
        Self { receiver, has_ended: false, yields: Yield::default() }
    }

    /// Receives the next message; `None` once the socket is closed.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Message, MonocoqueError>>> {
        self.has_ended |= self.receiver.engine.is_foreign();
        if self.has_ended {
            return self.yields.poll(cx).map(|()| None);
        }
        match ready!(self.receiver.poll(|slot| slot.poll_recv(cx))) {
            Err(MonocoqueError::Closed) => {
                self.has_ended = true;
                Poll::Ready(None)
            }
            received => Poll::Ready(Some(received)),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }
}
