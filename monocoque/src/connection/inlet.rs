//! The receiving side of a connection: delivers messages from the read pump to the socket.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use monocoque_core::actor::{Inlet, InletStatus};
use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::{Decode, LaneKey, Message, PeerKey, RoutingId, Weigh};
use monocoque_zmtp::{Inbound, Subscription, TopicBudget};

use super::Course;
use super::cleanup::remove_receiver;
use super::subscriptions::{disconnect_message, on_subscription, prepend_id};
use crate::endpoint::EndpointRef;
use crate::meter::PeerMeter;
use crate::pattern::Envelope;
use crate::pattern::incoming::{Disposition, classify};
use crate::pattern::publisher::SubscriptionOutcome;
use crate::pattern::subscription_frame::{SubscriptionList, report};
use crate::pattern::wakes::Wakes;
use crate::socket::Engine;
use crate::socket::departures::Departure;

/// The destination of a read pump.
#[derive(Debug)]
pub(crate) struct SessionInlet {
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    id: RoutingId,
    endpoint: EndpointRef,
    /// Set when the peer has sent something, for the sending side.
    has_input: Arc<AtomicBool>,
    /// The number of topics that the peer may still add, for the decoder.
    topics: TopicBudget,
    /// A connect notification is still to be received before the peer's messages.
    owes_connect: bool,
    /// A disconnect notification is to be received after the peer's messages.
    owes_disconnect: bool,
    room: usize,
    batch: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
    meter: PeerMeter,
    course: Rc<Course>,
}

impl<D: Decode<Item = Message, Kind = Inbound>> Inlet<D> for SessionInlet {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        Self::poll_room(self, cx)
    }

    #[inline]
    fn items(&mut self) -> &mut VecDeque<Message> {
        Self::items(self)
    }

    #[inline]
    fn on_item(&mut self, inbound: Inbound) -> InletStatus {
        Self::on_item(self, inbound)
    }

    fn flush(&mut self) {
        Self::flush(self);
    }
}

/// Delivery, for any protocol.
impl SessionInlet {
    #[expect(clippy::too_many_arguments, reason = "all that the handshake has found out")]
    pub(super) fn new(
        engine: Arc<Engine>,
        key: PeerKey,
        lane: LaneKey,
        id: RoutingId,
        endpoint: EndpointRef,
        has_input: Arc<AtomicBool>,
        topics: TopicBudget,
        meter: PeerMeter,
        course: Rc<Course>,
    ) -> Self {
        let notices = endpoint.options.notices.unwrap_or(engine.pattern.notices);
        Self {
            engine,
            key,
            lane,
            id,
            endpoint,
            has_input,
            topics,
            owes_connect: notices.connect,
            owes_disconnect: notices.disconnect,
            room: 0,
            batch: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            meter,
            course,
        }
    }

    #[cfg(fuzzing)]
    pub(super) fn id(&self) -> &RoutingId {
        &self.id
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            let room = ready!(self.engine.inbox.poll_room(self.lane, cx));
            self.room = room.unwrap_or(0);
            if room.is_err() || !self.owes_connect {
                return Poll::Ready(room.is_ok());
            }
            self.push_connect_notice();
            self.flush();
        }
    }

    #[inline]
    pub(super) fn items(&mut self) -> &mut VecDeque<Message> {
        if self.batch.capacity() == 0 {
            self.engine.inbox.lend(self.lane, &mut self.batch);
        }
        &mut self.batch
    }

    #[inline]
    pub(super) fn on_item(&mut self, inbound: Inbound) -> InletStatus {
        let Some(message) = self.batch.back_mut() else { unreachable!("the decoder put it there") };
        if inbound == Inbound::Message {
            match classify(self.engine.pattern, &self.engine.options, &self.id, message) {
                Disposition::Queue if is_surplus(&self.engine, self.key, message) => self.dropped += 1,
                Disposition::Queue => {
                    self.bytes += message.weight();
                    return self.accepted();
                }
                Disposition::Drop => self.dropped += 1,
                Disposition::SplitSubscriptions => return self.split_subscriptions(),
                Disposition::Violation => {
                    self.batch.pop_back();
                    return InletStatus::Violation;
                }
            }
        }
        let message = self.batch.pop_back().unwrap_or_default();
        let topic = message.get(0).unwrap_or_default();
        match inbound {
            Inbound::Message => InletStatus::Ready,
            Inbound::Subscribe => self.on_subscription(Subscription::Subscribe, topic),
            Inbound::Cancel => self.on_subscription(Subscription::Cancel, topic),
        }
    }

    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.meter.add_received(self.batch.len());
            self.has_input.store(true, Ordering::Relaxed);
            self.course.has_progress.set(true);
        }
        self.engine.inbox.push_lent(self.lane, &mut self.batch, std::mem::take(&mut self.bytes));
        if self.dropped > 0 {
            self.engine.note_discarded(std::mem::take(&mut self.dropped));
        }
    }

    /// Queues the connect notification, ahead of the peer's messages.
    fn push_connect_notice(&mut self) {
        self.owes_connect = false;
        self.push_notice("".into());
    }

    /// Queues a message of this side as if the peer had sent it.
    fn push_notice(&mut self, mut notice: Message) {
        prepend_id(&self.engine, &self.id, &mut notice);
        self.push(notice);
    }

    fn on_subscription(&mut self, kind: Subscription, topic: &[u8]) -> InletStatus {
        let mut wakes = Wakes::default();
        let allowance = Some(&self.topics);
        let outcome = on_subscription(&self.engine, self.key, kind, topic, allowance, &mut wakes);
        wakes.wake();
        match outcome {
            SubscriptionOutcome::Silent => return InletStatus::Ready,
            SubscriptionOutcome::Report => self.push(report(kind, topic)),
            SubscriptionOutcome::Refused => return InletStatus::Violation,
        }
        self.accepted()
    }

    /// Applies the subscriptions of one message, and queues its other frames.
    fn split_subscriptions(&mut self) -> InletStatus {
        let list = SubscriptionList::of(self.batch.pop_back().unwrap_or_default());
        for (kind, topic) in list.subscriptions() {
            if self.on_subscription(kind, topic) == InletStatus::Violation {
                return InletStatus::Violation;
            }
        }
        if !list.rest.is_empty() {
            self.push(list.rest);
        }
        self.accepted()
    }

    /// Queues a message in a changed form.
    fn push(&mut self, message: Message) {
        self.bytes += message.weight();
        self.batch.push_back(message);
    }

    #[inline]
    fn accepted(&self) -> InletStatus {
        if self.batch.len() < self.room { InletStatus::Ready } else { InletStatus::Full }
    }

    /// Delivers the last messages of the connection: those that have arrived, the disconnect
    /// message, and, for publishers, the cancellations of its subscriptions.
    fn on_closed(&mut self) {
        self.flush();
        let last = disconnect_message(&self.endpoint);
        let last = last.or_else(|| self.owes_disconnect.then(|| "".into()));
        // A peer whose routing id a newer connection has taken over is still there.
        if let Some(last) = last
            && !self.engine.out.lock().is_held_by_other(self.key, &self.id)
        {
            if self.owes_connect {
                self.push_connect_notice();
            }
            self.push_notice(last);
        }
        let (last, bytes) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.bytes));
        remove_receiver(&self.engine, Departure { key: self.key, lane: self.lane, last, bytes });
    }
}

impl Drop for SessionInlet {
    /// The read pump has delivered its last message, maybe long after the write pump ended.
    fn drop(&mut self) {
        self.on_closed();
    }
}

/// Returns whether a message is a reply without an open request. A REQ keeps reading to discard
/// those.
#[inline]
fn is_surplus(engine: &Engine, from: PeerKey, message: &Message) -> bool {
    engine.pattern.envelope == Envelope::Request
        && !engine.out.lock().queue.dialogue.takes_reply(from, message)
}
