//! The smallest owner of a connection: one outbox and one inbox, for a program that speaks a protocol of its own.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use thiserror::Error;

use super::{Accepted, Attach, Inlet, Outlet};
use crate::runtime::run_outside_panic;
use crate::sync::Mutex;
use crate::transport::WriteNow;
use crate::{Decode, Hwm, Inbox, LaneConfig, LaneKey, Outbox, PeerKey, Protocol, WaitGuard, Waiters, Weigh};

/// Both ends of one connection, shared by the program and a [`SocketActor`](super::SocketActor).
///
/// Each direction holds at most [`Hwm::default`] messages. Cheap to clone; usable from any thread.
pub struct Link<T> {
    shared: Arc<Shared<T>>,
}

/// The connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the connection has ended")]
pub struct LinkClosed;

struct Shared<T> {
    outgoing: Mutex<Outgoing>,
    inbox: Inbox<T>,
}

#[derive(Debug, Default)]
struct Outgoing {
    outbox: Outbox,
    hwm: Hwm,
    pump: Option<Waker>,
    senders: Waiters,
    closing: bool,
}

impl<T: Weigh> Link<T> {
    /// A link that no actor runs yet.
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { outgoing: Mutex::default(), inbox: Inbox::new() }) }
    }

    /// Queues one message, which `encode` puts into the outbox. Waits while the outbox is full.
    ///
    /// Cancel safe: a dropped future has queued nothing.
    pub async fn send(&self, encode: impl Fn(&mut Outbox)) -> Result<(), LinkClosed> {
        let mut guard = WaitGuard::new(|ticket| {
            let next = self.shared.outgoing.lock().senders.remove(ticket);
            next.into_iter().for_each(|waker| run_outside_panic(move || waker.wake()));
        });
        poll_fn(|cx| {
            let mut outgoing = self.shared.outgoing.lock();
            if outgoing.closing {
                return Poll::Ready(Err(LinkClosed));
            }
            if !outgoing.hwm.admits(outgoing.outbox.messages()) || !outgoing.senders.is_next(guard.ticket) {
                outgoing.senders.wait(&mut guard.ticket, cx.waker());
                return Poll::Pending;
            }
            encode(&mut outgoing.outbox);
            outgoing.outbox.end_message();
            let wake = [outgoing.pump.take(), outgoing.senders.remove(&mut guard.ticket)];
            drop(outgoing);
            wake.into_iter().flatten().for_each(Waker::wake);
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// The next message. Cancel safe.
    pub async fn recv(&self) -> Result<T, LinkClosed> {
        let mut guard = WaitGuard::new(|ticket| self.shared.inbox.remove_waiter(ticket));
        poll_fn(|cx| self.shared.inbox.poll_next(&mut guard.ticket, cx).map_ok(|mut next| next.pop()))
            .await
            .map_err(|_| LinkClosed)
    }

    /// Ends the connection once what is queued has been sent.
    pub fn close(&self) {
        self.end();
    }

    fn end(&self) {
        let mut outgoing = self.shared.outgoing.lock();
        outgoing.closing = true;
        let mut wakers = outgoing.senders.drain();
        wakers.extend(outgoing.pump.take());
        drop(outgoing);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: Weigh> Default for Link<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl<T, P> Attach<P> for Link<T>
where
    T: Weigh + 'static,
    P: Protocol,
    P::Decoder: Decode<Item = T, Kind = ()>,
{
    type Outlet = LinkOutlet<T>;
    type Inlet = LinkInlet<T>;

    fn attach(
        self,
        _peer: P::Peer,
        _direct: Option<Arc<dyn WriteNow>>,
    ) -> Option<(Self::Outlet, Self::Inlet)> {
        let lane = self.shared.inbox.open_lane(PeerKey::new(0, 0), (), LaneConfig::default());
        let inlet = LinkInlet { link: self.clone(), lane, room: 0, batch: VecDeque::new(), bytes: 0 };
        Some((LinkOutlet(self), inlet))
    }

    fn fail(self) {
        self.end();
        self.shared.inbox.drain();
    }
}

/// The end of a [`Link`] that a write pump takes from.
#[derive(Debug)]
pub struct LinkOutlet<T>(Link<T>);

/// The end of a [`Link`] that a read pump delivers to.
#[derive(Debug)]
pub struct LinkInlet<T: Weigh> {
    link: Link<T>,
    lane: LaneKey,
    room: usize,
    batch: VecDeque<T>,
    bytes: usize,
}

impl<T: Weigh + 'static> Outlet for LinkOutlet<T> {
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool> {
        let mut outgoing = self.0.shared.outgoing.lock();
        if outgoing.outbox.is_empty() {
            if outgoing.closing {
                return Poll::Ready(false);
            }
            outgoing.pump = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut outgoing.outbox, batch);
        let sender = outgoing.senders.first();
        drop(outgoing);
        sender.into_iter().for_each(Waker::wake);
        Poll::Ready(true)
    }

    fn close(&mut self, _unsent: Outbox) {
        self.0.end();
    }
}

impl<T: Weigh> Drop for LinkInlet<T> {
    /// The read pump has delivered the last message.
    fn drop(&mut self) {
        self.link.shared.inbox.drain();
    }
}

impl<T: Weigh + 'static, D: Decode<Item = T, Kind = ()>> Inlet<D> for LinkInlet<T> {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.link.shared.inbox.poll_room(self.lane, cx).map(|room| match room {
            Ok(room) => {
                self.room = room;
                true
            }
            Err(_) => false,
        })
    }

    fn items(&mut self) -> &mut VecDeque<T> {
        &mut self.batch
    }

    fn accept(&mut self, (): ()) -> Accepted {
        self.bytes += self.batch.back().map_or(0, T::weight);
        if self.batch.len() < self.room { Accepted::More } else { Accepted::Full }
    }

    fn flush(&mut self) {
        self.link.shared.inbox.push(self.lane, &mut self.batch, std::mem::take(&mut self.bytes));
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
