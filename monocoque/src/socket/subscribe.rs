//! Subscriptions: those of a SUB or XSUB, and the manual ones of an XPUB.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use monocoque_core::sync::{AtomicBool, Ordering, RwLock, RwLockWriteGuard};
use monocoque_core::{Message, SubscriptionIndex};
use monocoque_zmtp::Subscription;

use super::Engine;
use crate::error::MonocoqueError;
use crate::options::Options;
use crate::pattern::outbound::Phase;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Incoming, Routing};
use crate::trace;

/// The subscriptions of a SUB or XSUB, by which its messages are filtered.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The number of subscriptions to each topic.
    pub(crate) topics: RwLock<Topics>,
    /// Messages that match no topic are received, instead of those that match.
    inverted: bool,
    /// All messages are received: no lookup is needed.
    admits_all: AtomicBool,
}

type Topics = SubscriptionIndex<usize>;

impl Filter {
    pub(super) fn new(options: &Options) -> Self {
        let filter = Self {
            topics: RwLock::default(),
            inverted: options.inverted,
            admits_all: AtomicBool::new(false),
        };
        filter.on_change(&filter.topics.read());
        filter
    }

    fn on_change(&self, topics: &Topics) {
        let admits_all = if self.inverted { topics.is_empty() } else { topics.get(b"").is_some() };
        self.admits_all.store(admits_all, Ordering::Release);
    }

    /// Returns whether a message is received.
    #[inline]
    pub(super) fn admits(&self, message: &Message) -> bool {
        self.admits_all.load(Ordering::Acquire)
            || self.topics.read().any_match(message.get(0).unwrap_or_default()) != self.inverted
    }
}

impl Engine {
    pub(crate) fn subscribe(&self, topic: &[u8]) -> Result<(), MonocoqueError> {
        self.change_subscription(Subscription::Subscribe, topic)
    }

    pub(crate) fn unsubscribe(&self, topic: &[u8]) -> Result<(), MonocoqueError> {
        self.change_subscription(Subscription::Cancel, topic)
    }

    /// Adds or cancels a subscription: of a SUB or XSUB, or of the last subscriber of an XPUB.
    fn change_subscription(&self, kind: Subscription, topic: &[u8]) -> Result<(), MonocoqueError> {
        match (self.pattern.incoming, self.pattern.routing) {
            (Incoming::Subscriptions, _) => self.change_manually(kind, topic),
            (Incoming::Filtered, _) | (_, Routing::ToAll) => {
                let mut wakes = Wakes::default();
                let changed = self.change_topics(kind, topic, &mut wakes);
                wakes.wake();
                changed
            }
            _ => Err(self.pattern.unsupported("subscribe")),
        }
    }

    /// Adds or cancels a subscription. Cancelling an unknown topic has no effect.
    pub(super) fn change_topics(
        &self,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) -> Result<(), MonocoqueError> {
        self.check_open()?;
        let mut topics = self.filter.topics.write();
        match (kind, topics.get_mut(topic)) {
            (Subscription::Subscribe, Some(count)) => *count += 1,
            (Subscription::Subscribe, None) => {
                topics.insert(Bytes::copy_from_slice(topic), 1);
                self.announce(topics, kind, topic, wakes);
            }
            (Subscription::Cancel, Some(count)) if *count > 1 => *count -= 1,
            (Subscription::Cancel, Some(_)) => {
                topics.remove(topic);
                self.announce(topics, kind, topic, wakes);
            }
            (Subscription::Cancel, None) => {
                drop(topics);
                trace::unknown_topic(&self.span, topic.len());
            }
        }
        Ok(())
    }

    /// Announces a change of `topics` to all peers, under their lock.
    fn announce(
        &self,
        topics: RwLockWriteGuard<'_, Topics>,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) {
        self.filter.on_change(&topics);
        self.out.lock().subscribe_all(kind, topic, wakes);
    }

    /// Subscribes the last subscriber to a topic, or cancels that subscription.
    fn change_manually(&self, kind: Subscription, topic: &[u8]) -> Result<(), MonocoqueError> {
        self.check_open()?;
        if !self.options.manual {
            return Err(MonocoqueError::ManualModeRequired);
        }
        self.with_wakes(|out, wakes| {
            if let Some(publisher) = out.publisher() {
                publisher.change_manually(kind, topic);
            }
            out.on_targets_changed(wakes);
        });
        Ok(())
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.out.lock().subscriptions().map_or(0, |hub| hub.subscription_count())
    }

    /// Waits until the peers have `n` subscriptions, for at most `limit`.
    pub(crate) async fn wait_for_subscriptions(
        self: &Arc<Self>,
        n: usize,
        limit: Option<Duration>,
    ) -> Result<(), MonocoqueError> {
        if self.pattern.routing != Routing::ByPrefix {
            return Err(self.pattern.unsupported("publish"));
        }
        self.watch_within(limit, |out| match out.lifecycle.phase {
            Phase::Open => {
                let count = out.subscriptions().map_or(0, |hub| hub.subscription_count());
                (count >= n).then_some(Ok(()))
            }
            _ => Some(Err(MonocoqueError::Closed)),
        })
        .await
    }
}
