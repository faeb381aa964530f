//! The peers of a publisher: their subscriptions, the reports of these, and the targets of
//! messages.
//!
//! Part of [`Outbound`](super::outbound::Outbound), under its lock. Ordinarily a peer gets what it
//! subscribes to. In manual mode the application decides instead, and the requests of peers are
//! kept beside its decisions: they are cancelled when the peer leaves.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use monocoque_core::{Cancelled, PeerEvent, PeerKey, PubSubHub, Subscribed, SubscriptionLimits, Ticket};
use monocoque_zmtp::Subscription;

use super::reports::Reports;
use super::{Incoming, Pattern};
use crate::options::Options;

/// The subscriptions of a publisher's peers.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// The subscriptions that messages are matched with.
    hub: PubSubHub,
    /// The subscriptions that peers have asked for, in manual mode.
    requested: Option<Box<PubSubHub>>,
    /// Cancellations of closed peers that are still to be reported, if the application receives
    /// reports.
    final_cancels: Option<Box<FinalCancels>>,
    /// Reports not received yet, if the application receives the first and the last of each topic.
    reports: Option<Box<Reports>>,
    rules: PublisherRules,
    /// The peer whose subscription the application has received last.
    last_subscriber: Option<PeerKey>,
    /// The next message goes to the last subscriber only, unless its sender has waited since before
    /// this ticket.
    last_value_since: Option<Ticket>,
    /// The message that is being sent goes to the last subscriber only.
    is_last_value: bool,
}

/// The cancellations of a closed peer that the application receives.
#[derive(Debug, Default)]
pub(crate) struct PeerCancels {
    /// Sorted.
    pub(crate) topics: Vec<Bytes>,
    /// Some subscription of the peer was reported more than once.
    pub(crate) repeated: bool,
}

/// Cancellations of closed peers that are still to be reported.
#[derive(Debug, Default)]
struct FinalCancels {
    /// The topics of each peer whose receiving side has not ended.
    topics: HashMap<PeerKey, Vec<Bytes>>,
    /// Peers of which some subscription was reported more than once.
    repeated: HashSet<PeerKey>,
}

/// The options of a publisher.
#[derive(Clone, Copy, Debug)]
struct PublisherRules {
    /// All subscriptions are reported, not only the first of a topic.
    verbose: bool,
    /// All cancellations are reported, not only the last of a topic.
    verboser: bool,
    /// Messages go to the peers that have not subscribed to them.
    inverted: bool,
    /// The message after a subscription goes to its peer only.
    last_value: bool,
}

/// The outcome of a peer's subscription or cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionOutcome {
    /// Reported to the application.
    Report,
    /// Not reported.
    Silent,
    /// Refused: the peer has reached its limit.
    Refused,
}

impl Publisher {
    pub(super) fn new(pattern: &Pattern, options: &Options) -> Self {
        let (hub, requested) = if options.manual {
            // Peers have no influence on the number of manual subscriptions: it has no limit.
            let unlimited = SubscriptionLimits { topics: usize::MAX, bytes: usize::MAX };
            (PubSubHub::new(unlimited), Some(Box::default()))
        } else {
            (PubSubHub::default(), None)
        };
        let rules = PublisherRules {
            verbose: options.verbose || options.manual,
            verboser: options.verboser || options.manual,
            inverted: options.inverted,
            last_value: options.last_value,
        };
        let has_reports = pattern.incoming == Incoming::Subscriptions;
        Self {
            hub,
            requested,
            final_cancels: has_reports.then(Box::default),
            reports: (has_reports && !rules.verboser).then(|| Box::new(Reports::new(rules.verbose))),
            rules,
            last_subscriber: None,
            last_value_since: None,
            is_last_value: false,
        }
    }

    /// Applies the option whether all subscriptions are reported.
    pub(super) fn set_verbose(&mut self, options: &Options) {
        self.rules.verbose = options.verbose || options.manual;
        if let Some(reports) = &mut self.reports {
            reports.set_verbose(self.rules.verbose);
        }
    }

    /// Returns the subscriptions that messages are matched with.
    pub(super) fn hub(&mut self) -> &mut PubSubHub {
        &mut self.hub
    }

    pub(super) fn add_peer(&mut self, key: PeerKey) {
        let up = PeerEvent::Up { key, id: () };
        if let Some(requested) = &mut self.requested {
            requested.on_event(up.clone());
        }
        self.hub.on_event(up);
    }

    /// Removes a peer and its subscriptions: a few at once, more by [`sweep`](Self::sweep).
    pub(super) fn remove_peer(&mut self, key: PeerKey) {
        let down = PeerEvent::Down { key };
        if let Some(requested) = &mut self.requested {
            requested.on_event(down.clone());
        }
        self.hub.on_event(down);
        self.sweep(AT_ONCE);
    }

    /// Removes up to `max` topics of closed peers. Returns whether there are more.
    pub(crate) fn sweep(&mut self, max: usize) -> bool {
        let Self { hub, requested, final_cancels, reports, rules, .. } = self;
        let on_cancel = |key, topic: Bytes, left| {
            let Some(final_cancels) = final_cancels else { return };
            if left != Cancelled::Last && !rules.verboser {
                return;
            }
            if let Some(reports) = reports {
                reports.add(Subscription::Cancel, topic.clone(), true);
            }
            final_cancels.topics.entry(key).or_default().push(topic);
        };
        match requested {
            Some(requested) => requested.sweep(max, on_cancel) | hub.sweep(max, |_, _, _| {}),
            None => hub.sweep(max, on_cancel),
        }
    }

    /// Returns whether there are topics of closed peers.
    pub(crate) fn has_departed(&mut self) -> bool {
        self.sweep(0)
    }

    /// Returns whether this peer is closed and still has topics.
    pub(crate) fn is_departed(&self, key: PeerKey) -> bool {
        self.requested.as_deref().is_some_and(|requested| requested.is_departed(key))
            || self.hub.is_departed(key)
    }

    /// Takes the cancellations of a closed peer that are to be reported, once all its topics are
    /// removed.
    pub(crate) fn take_cancels(&mut self, key: PeerKey) -> PeerCancels {
        let Some(final_cancels) = &mut self.final_cancels else { return PeerCancels::default() };
        PeerCancels {
            topics: final_cancels.topics.remove(&key).unwrap_or_default(),
            repeated: final_cancels.repeated.remove(&key),
        }
    }

    /// Takes back the reports of a subscription and of its [final
    /// cancellation](Self::take_cancels), if the application has received neither and needs
    /// neither. To be called while no receiver runs.
    pub(crate) fn annul(&mut self, topic: &[u8]) -> bool {
        let is_wanted = self.hub.topic(topic).is_some();
        self.reports.as_mut().is_none_or(|reports| reports.annul(topic, is_wanted))
    }

    /// Returns whether the application receives the next report.
    pub(crate) fn admits(&self, kind: Subscription, topic: &[u8]) -> bool {
        let is_wanted = || self.hub.topic(topic).is_some();
        self.reports.as_ref().is_none_or(|reports| reports.admits(kind, topic, is_wanted()))
    }

    /// Records that a report has left its lane.
    pub(super) fn on_report(&mut self, kind: Subscription, topic: &[u8], is_received: bool) {
        if let Some(reports) = &mut self.reports {
            reports.remove(kind, topic, is_received);
        }
    }

    /// Lets a peer subscribe to any number of topics.
    pub(super) fn lift_limits(&mut self, key: PeerKey) {
        self.requested.as_deref_mut().unwrap_or(&mut self.hub).set_unlimited(key);
    }

    /// Subscribes a peer to a topic, or cancels its subscription.
    ///
    /// Each call also removes two topics of closed peers, which bounds their number.
    pub(crate) fn on_subscription(
        &mut self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
    ) -> SubscriptionOutcome {
        self.sweep(2);
        let hub = self.requested.as_deref_mut().unwrap_or(&mut self.hub);
        let PublisherRules { verbose, verboser, .. } = self.rules;
        // Is it reported, and did some peer subscribe to the topic before?
        let (is_reported, was_wanted) = match kind {
            Subscription::Subscribe => match hub.subscribe(key, topic) {
                Subscribed::Refused(_) => return SubscriptionOutcome::Refused,
                Subscribed::First => (true, false),
                Subscribed::Joined => (verbose, true),
                Subscribed::AlreadySubscribed => {
                    if verbose && let Some(final_cancels) = &mut self.final_cancels {
                        final_cancels.repeated.insert(key);
                    }
                    (verbose, true)
                }
                Subscribed::NoPeer => (false, false),
            },
            Subscription::Cancel => match hub.cancel(key, topic) {
                Cancelled::Last => (true, true),
                Cancelled::OthersRemain => (verboser, true),
                Cancelled::NotSubscribed => (false, false),
            },
        };
        if !is_reported {
            return SubscriptionOutcome::Silent;
        }
        if let Some(reports) = &mut self.reports {
            let shared = self.hub.topic(topic).cloned();
            let topic = shared.unwrap_or_else(|| Bytes::copy_from_slice(topic));
            reports.add(kind, topic, was_wanted);
        }
        SubscriptionOutcome::Report
    }

    /// Returns the bytes of all topics that a peer has subscribed to.
    pub(crate) fn topic_bytes(&self, key: PeerKey) -> usize {
        self.requested.as_deref().unwrap_or(&self.hub).topic_bytes(key)
    }

    /// Returns whether the application decides which subscriptions take effect.
    pub(super) const fn is_manual(&self) -> bool {
        self.requested.is_some()
    }

    /// Records that the application is about to receive the subscription of a peer.
    ///
    /// Messages of senders with tickets before `since` are not sent in response to it.
    pub(super) fn set_last_subscriber(&mut self, key: PeerKey, kind: Subscription, since: Ticket) {
        self.last_subscriber = Some(key);
        let is_answered = self.rules.last_value && kind == Subscription::Subscribe;
        self.last_value_since = is_answered.then_some(since);
    }

    /// Decides whether the next message goes to the last subscriber only. Its sender may hold a
    /// ticket.
    #[inline]
    pub(crate) fn begin_send(&mut self, ticket: Option<Ticket>) {
        let since = self.last_value_since;
        self.is_last_value = since.is_some_and(|since| ticket.is_none_or(|ticket| ticket >= since));
    }

    /// Subscribes the last subscriber to a topic, or cancels that, for the application. Has no
    /// effect if that peer is gone.
    pub(crate) fn change_manually(&mut self, kind: Subscription, topic: &[u8]) {
        let Some(key) = self.last_subscriber else { return };
        match kind {
            Subscription::Subscribe => drop(self.hub.subscribe(key, topic)),
            Subscription::Cancel => drop(self.hub.cancel(key, topic)),
        }
    }

    /// Fills `targets` with the peers that a message goes to.
    #[inline]
    pub(super) fn matches(&mut self, subject: &[u8], targets: &mut Vec<PeerKey>) {
        if self.rules.inverted || self.is_last_value {
            self.select(subject, targets);
        } else {
            self.hub.matches(subject, targets);
        }
    }

    #[cold]
    fn select(&mut self, subject: &[u8], targets: &mut Vec<PeerKey>) {
        if self.rules.inverted {
            self.hub.non_matching(subject, targets);
        } else {
            self.hub.matches(subject, targets);
        }
        // A peer that is gone needs no last value.
        if self.is_last_value
            && let Some(last) = self.last_subscriber
            && self.hub.contains(last)
        {
            targets.retain(|key| *key == last);
        }
    }

    /// Records that the message was sent.
    #[inline]
    pub(super) fn on_sent(&mut self) {
        if std::mem::take(&mut self.is_last_value) {
            self.last_value_since = None;
        }
    }
}

/// The number of topics that are removed, or reported, at a time.
pub(crate) const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::XPUB;

    #[test]
    fn departed_topics_are_swept() {
        const TOPICS: usize = 1_000;
        let mut publisher = Publisher::new(&XPUB, &Options::default());
        for peer in 0..10 {
            let key = PeerKey::new(peer, 1 + u64::from(peer));
            publisher.add_peer(key);
            for n in 0..TOPICS {
                publisher.on_subscription(key, Subscription::Subscribe, format!("{peer} {n}").as_bytes());
                assert!(publisher.hub.topic_count() <= 2 * TOPICS);
            }
            publisher.remove_peer(key);
        }
        while publisher.sweep(AT_ONCE) {}
        assert_eq!(publisher.hub.topic_count(), 0);
    }
}
