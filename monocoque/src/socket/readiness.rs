//! Readiness: what could be received or sent now, without taking a message or a turn.
//!
//! A look makes sure that there is an observer of both sides first, and so do those that wait.

use std::future::poll_fn;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::{Poll, Waker};

use monocoque_core::runtime::yielding::Yield;
use monocoque_core::{Readiness, Ticket, WaitGuard};

use super::Engine;
use super::recv::NextMessage;
use crate::error::MonocoqueError;
use crate::pattern::outbound::Phase;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Incoming};
use crate::readiness::Events;

impl Engine {
    /// Returns what could be received or sent now. The descriptor is not readable until that may
    /// have changed.
    pub(crate) fn events(&self) -> Result<Events, MonocoqueError> {
        self.readiness().clear();
        self.ready(Events::ALL)
    }

    /// Returns the part of `interest` that the socket is ready for.
    pub(crate) fn ready(&self, interest: Events) -> Result<Events, MonocoqueError> {
        let readable = if interest.is_readable() { self.is_readable()? } else { false };
        let writable = match interest.is_writable().then(|| self.is_writable()) {
            // The last messages of a socket whose runtime has ended can be received.
            Some(Err(_)) if readable => false,
            Some(writable) => writable?,
            None => false,
        };
        Ok(Events::new(readable, writable))
    }

    /// Waits until a message can be received.
    pub(crate) async fn readable(&self) -> Result<(), MonocoqueError> {
        self.observe(|| self.is_readable()).await
    }

    /// Waits until a message can be sent.
    pub(crate) async fn writable(&self) -> Result<(), MonocoqueError> {
        self.observe(|| self.is_writable()).await
    }

    /// Returns the descriptor that is readable when [`events`](Self::events) may have changed.
    pub(crate) fn descriptor(&self) -> Result<BorrowedFd<'_>, MonocoqueError> {
        self.readiness().descriptor().map_err(MonocoqueError::Readiness)
    }

    pub(crate) fn descriptor_or_spare(&self) -> BorrowedFd<'_> {
        self.readiness().descriptor_or_spare()
    }

    /// Wakes `waker` once the socket may be ready.
    pub(crate) fn watch_readiness(&self, ticket: &mut Option<Ticket>, waker: &Waker) {
        self.readiness().wait(ticket, waker);
    }

    pub(crate) fn unwatch_readiness(&self, ticket: &mut Option<Ticket>) {
        if !self.is_foreign() {
            self.readiness().remove(ticket);
        }
    }

    /// Waits until `is_ready`. Looks once more after it has asked to be woken, since a change in
    /// between would have woken no task.
    async fn observe(
        &self,
        is_ready: impl Fn() -> Result<bool, MonocoqueError>,
    ) -> Result<(), MonocoqueError> {
        let mut waiting = WaitGuard::new(|ticket| self.unwatch_readiness(ticket));
        let mut yields = Yield::default();
        poll_fn(|cx| {
            if self.is_foreign() {
                return Poll::Ready(Err(MonocoqueError::Closed));
            }
            if waiting.ticket.is_none() && yields.poll(cx).is_pending() {
                return Poll::Pending;
            }
            if !is_ready()? {
                self.watch_readiness(&mut waiting.ticket, cx.waker());
                if !is_ready()? {
                    return Poll::Pending;
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Returns the observers of the socket, which both of its sides know from now on.
    fn readiness(&self) -> &Arc<Readiness> {
        let readiness = self.readiness.get_or_init(Arc::default);
        if !readiness.is_installed() {
            let observer = readiness.waker();
            self.inbox.observe(&observer);
            self.out.lock().observe(&observer);
            readiness.set_installed();
        }
        readiness
    }

    /// Returns whether a message can be received. Messages that the application never receives are
    /// removed and counted on the way.
    fn is_readable(&self) -> Result<bool, MonocoqueError> {
        let is_open = {
            let mut out = self.out.lock();
            let is_open = out.lifecycle.phase == Phase::Open;
            if self.pattern.incoming == Incoming::Discard || !out.may_receive(self.pattern.envelope) {
                return if is_open { Ok(false) } else { Err(MonocoqueError::Closed) };
            }
            is_open
        };
        while let Some(next) = self.inbox.try_next().map_err(MonocoqueError::inbox_closed)? {
            if self.is_for_application(&next) {
                return Ok(true);
            }
            let mut wakes = Wakes::default();
            self.discard(next, &mut wakes);
            wakes.wake();
        }
        if is_open { Ok(false) } else { Err(MonocoqueError::Closed) }
    }

    fn is_for_application(&self, next: &NextMessage<'_>) -> bool {
        match self.pattern.envelope {
            Envelope::None | Envelope::Identity => self.is_wanted(next),
            dialogue => self.out.lock().queue.dialogue.admits(dialogue, next.from(), next.item()),
        }
    }

    /// Returns whether a message can be sent.
    fn is_writable(&self) -> Result<bool, MonocoqueError> {
        let mut out = self.out.lock();
        match out.lifecycle.phase {
            Phase::Open => Ok(out.is_writable(self.pattern)),
            Phase::Draining | Phase::Aborted => Err(MonocoqueError::Closed),
        }
    }
}
