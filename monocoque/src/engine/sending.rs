//! What a sender does: one attempt under the lock, again when it is its turn.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use monocoque_core::{Hold, Message, RoutingId, Ticket};

use super::{Engine, Place, Queue};
use crate::error::{MonocoqueError, SendError};
use crate::pattern::envelope::Dialogue;
use crate::pattern::route::{Offer, Outbound, Target};
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, WhenFull};

/// A message on its way into a queue.
#[derive(Debug)]
pub(crate) struct Sending<'a, M> {
    place: Place<'a>,
    to: Option<&'a RoutingId>,
    body: Body<M>,
}

/// What is to be sent: made into a message where it is queued from, since moving one that was just made costs more than
/// making it.
#[derive(Debug)]
enum Body<M> {
    Given(M),
    Made(Message),
    Sent,
}

impl Engine {
    /// Queues a message, or waits for room.
    #[inline]
    pub(crate) fn send<'a, M: Into<Message>>(
        self: &'a Arc<Self>,
        to: Option<&'a RoutingId>,
        message: M,
    ) -> Sending<'a, M> {
        Sending { place: Place::new(self, Queue::Senders), to, body: Body::Given(message) }
    }

    /// Queues a message, or says that there is no room.
    pub(crate) fn try_send(&self, to: Option<&RoutingId>, mut message: Message) -> Result<(), SendError> {
        match self.attempt(to, &mut message, &mut None, None) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SendError::new(MonocoqueError::WouldBlock, message)),
            Err(reason) => Err(SendError::new(reason, message)),
        }
    }

    /// Tries once to queue `message`. `false` if that has to wait: then `waker`, if there is one, will be woken.
    fn attempt(
        &self,
        to: Option<&RoutingId>,
        message: &mut Message,
        ticket: &mut Option<Ticket>,
        waker: Option<&Waker>,
    ) -> Result<bool, MonocoqueError> {
        let mut wakes = Wakes::default();
        // A second reply to an earlier request must not be taken for the reply to this one. Receivers hold this lock first.
        let mut stale = (self.pattern.envelope == Envelope::Request).then(|| self.inbox.hold());
        let mut out = self.out.lock();
        if let Some(waker) = waker
            && out.take_pause()
        {
            // The pumps may share this thread: they are to have a turn before more is queued.
            drop((out, stale));
            waker.wake_by_ref();
            return Ok(false);
        }
        let may_go = out.check_turn(self.pattern, message, *ticket)?;
        if may_go && self.offer(&mut out, to, message, stale.as_mut(), &mut wakes)? != Offer::Full {
            wakes.add(out.senders.leave(ticket));
            drop((out, stale));
            wakes.wake();
            return Ok(true);
        }
        if let Some(waker) = waker {
            out.senders.wait(ticket, waker);
        }
        Ok(false)
    }

    /// Puts the envelope on and offers the message to the peers.
    fn offer(
        &self,
        out: &mut Outbound,
        to: Option<&RoutingId>,
        message: &mut Message,
        stale: Option<&mut Hold<'_, Message>>,
        wakes: &mut Wakes,
    ) -> Result<Offer, MonocoqueError> {
        let offer = match (self.pattern.envelope, to) {
            (Envelope::None, _) => out.offer(Target::Pattern, message, wakes),
            (Envelope::Identity, Some(id)) => out.offer(Target::Id(id), message, wakes),
            (Envelope::Identity, None) => {
                let Some(id) = message.pop_front() else { return Err(MonocoqueError::EmptyMessage) };
                let offer = (!message.is_empty()).then(|| out.offer(Target::Id(&id), message, wakes));
                message.push_front(id);
                offer.ok_or(MonocoqueError::EmptyMessage)?
            }
            (Envelope::Request, _) => {
                if let Some(replies) = stale {
                    self.note_discarded(replies.clear(wakes.all()));
                }
                message.push_front("");
                let offer = out.offer(Target::Pattern, message, wakes);
                message.pop_front();
                if let Offer::Queued(of) = offer {
                    out.dialogue = Dialogue::Asked { of };
                }
                offer
            }
            (Envelope::Reply, _) => {
                let Dialogue::Answering { origin, envelope: mut sealed } = std::mem::take(&mut out.dialogue)
                else {
                    unreachable!("it was its turn");
                };
                sealed.append(message);
                out.offer(Target::Origin(origin), &sealed, wakes)
            }
        };
        debug_assert!(offer != Offer::Full || self.pattern.when_full == WhenFull::Block);
        Ok(offer)
    }
}

impl<M: Into<Message>> Future for Sending<'_, M> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { place, to, body } = &mut *self;
        let mut message = match std::mem::replace(body, Body::Sent) {
            Body::Given(given) => given.into(),
            Body::Made(message) => message,
            Body::Sent => unreachable!("polled after the result"),
        };
        match place.engine.attempt(*to, &mut message, &mut place.ticket, Some(cx.waker())) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => {
                *body = Body::Made(message);
                Poll::Pending
            }
            Err(reason) => Poll::Ready(Err(SendError::new(reason, message))),
        }
    }
}

/// Nothing in it is ever pinned.
impl<M> Unpin for Sending<'_, M> {}
