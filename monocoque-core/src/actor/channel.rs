//! The minimal connection handler: one outbox and one inbox, for programs with a protocol of their
//! own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use thiserror::Error;

use super::{ByteCounters, ConnectionHandler, Inlet, InletStatus, Outlet};
use crate::runtime::run_outside_panic;
use crate::sync::Mutex;
use crate::transport::DirectWriter;
use crate::{Decode, Hwm, Inbox, LaneConfig, LaneKey, Outbox, PeerKey, Protocol, WaitGuard, Waiters, Weigh};

/// Both directions of one connection, between the program and a
/// [`SocketActor`](super::SocketActor).
///
/// Each direction holds at most [`Hwm::default`] messages. Cheap to clone; usable from any thread.
pub struct Channel<T> {
    queues: Arc<Queues<T>>,
}

/// The connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the connection has ended")]
pub struct ChannelClosed;

struct Queues<T> {
    sending: Mutex<SendQueue>,
    inbox: Inbox<T>,
}

#[derive(Debug, Default)]
struct SendQueue {
    outbox: Outbox,
    hwm: Hwm,
    pump: Option<Waker>,
    senders: Waiters,
    is_closing: bool,
}

impl<T: Weigh> Channel<T> {
    /// A channel that no actor runs yet.
    pub fn new() -> Self {
        Self { queues: Arc::new(Queues { sending: Mutex::default(), inbox: Inbox::new() }) }
    }

    /// Queues one message, which `encode` puts into the outbox, and waits while the outbox is full.
    ///
    /// Cancel safe: a dropped future has queued nothing.
    pub async fn send(&self, encode: impl Fn(&mut Outbox)) -> Result<(), ChannelClosed> {
        let mut guard = WaitGuard::new(|ticket| {
            let next = self.queues.sending.lock().senders.remove(ticket);
            next.into_iter().for_each(|waker| run_outside_panic(move || waker.wake()));
        });
        poll_fn(|cx| {
            let mut sending = self.queues.sending.lock();
            if sending.is_closing {
                return Poll::Ready(Err(ChannelClosed));
            }
            if !sending.hwm.admits(sending.outbox.messages()) || !sending.senders.is_next(guard.ticket) {
                sending.senders.wait(&mut guard.ticket, cx.waker());
                return Poll::Pending;
            }
            encode(&mut sending.outbox);
            sending.outbox.end_message();
            let wake = [sending.pump.take(), sending.senders.remove(&mut guard.ticket)];
            drop(sending);
            wake.into_iter().flatten().for_each(Waker::wake);
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Receives the next message. Cancel safe.
    pub async fn recv(&self) -> Result<T, ChannelClosed> {
        let mut guard = WaitGuard::new(|ticket| self.queues.inbox.remove_waiter(ticket));
        poll_fn(|cx| self.queues.inbox.poll_next(&mut guard.ticket, cx).map_ok(|mut next| next.pop()))
            .await
            .map_err(|_| ChannelClosed)
    }

    /// Closes the connection once the queued messages have been sent.
    pub fn close(&self) {
        let mut sending = self.queues.sending.lock();
        sending.is_closing = true;
        let mut wakers = sending.senders.drain();
        wakers.extend(sending.pump.take());
        drop(sending);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone() }
    }
}

impl<T: Weigh> Default for Channel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl<T, P> ConnectionHandler<P> for Channel<T>
where
    T: Weigh + 'static,
    P: Protocol<Question = Infallible>,
    P::Decoder: Decode<Item = T, Kind = ()>,
{
    type Outlet = ChannelOutlet<T>;
    type Inlet = ChannelInlet<T>;

    async fn answer(&self, question: Infallible) -> Infallible {
        question
    }

    fn on_established(
        self,
        _peer: P::Peer,
        _direct: Option<Arc<dyn DirectWriter>>,
        _bytes: &Arc<ByteCounters>,
    ) -> Option<(Self::Outlet, Self::Inlet)> {
        let lane = self.queues.inbox.open_lane(PeerKey::new(0, 0), (), LaneConfig::default());
        let inlet = ChannelInlet { channel: self.clone(), lane, room: 0, batch: VecDeque::new(), bytes: 0 };
        Some((ChannelOutlet(self), inlet))
    }

    fn on_handshake_failed(self) {
        self.close();
        self.queues.inbox.drain();
    }
}

/// The source of the write pump of a [`Channel`].
#[derive(Debug)]
pub struct ChannelOutlet<T>(Channel<T>);

/// The destination of the read pump of a [`Channel`].
#[derive(Debug)]
pub struct ChannelInlet<T: Weigh> {
    channel: Channel<T>,
    lane: LaneKey,
    room: usize,
    batch: VecDeque<T>,
    bytes: usize,
}

impl<T: Weigh + 'static> Outlet for ChannelOutlet<T> {
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool> {
        let mut sending = self.0.queues.sending.lock();
        if sending.outbox.is_empty() {
            if sending.is_closing {
                return Poll::Ready(false);
            }
            sending.pump = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut sending.outbox, batch);
        let sender = sending.senders.first();
        drop(sending);
        sender.into_iter().for_each(Waker::wake);
        Poll::Ready(true)
    }

    fn on_closed(&mut self, _unsent: Outbox) {
        self.0.close();
    }
}

impl<T: Weigh> Drop for ChannelInlet<T> {
    /// Lets the receiver take what is left: the read pump has delivered the last message.
    fn drop(&mut self) {
        self.channel.queues.inbox.drain();
    }
}

impl<T: Weigh + 'static, D: Decode<Item = T, Kind = ()>> Inlet<D> for ChannelInlet<T> {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.channel.queues.inbox.poll_room(self.lane, cx).map(|room| match room {
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

    fn on_item(&mut self, (): ()) -> InletStatus {
        self.bytes += self.batch.back().map_or(0, T::weight);
        if self.batch.len() < self.room { InletStatus::Ready } else { InletStatus::Full }
    }

    fn flush(&mut self) {
        self.channel.queues.inbox.push(self.lane, &mut self.batch, std::mem::take(&mut self.bytes));
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
