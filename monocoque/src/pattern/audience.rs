//! The peers of a publisher: what they ask for, what the program is told of that, and who gets what.
//!
//! Part of [`Outbound`](super::route::Outbound), under its lock. Ordinarily a peer gets what it asks for. Where the program
//! decides instead, what was asked for is kept beside that: it is taken back when the peer leaves.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use monocoque_core::{Cancelled, PeerEvent, PeerKey, PubSubHub, Subscribed, SubscriptionLimits, Ticket};
use monocoque_zmtp::Subscription;

use super::reports::Reports;
use super::{Intake, Pattern};
use crate::options::Options;

/// Who listens to a publisher.
#[derive(Debug)]
pub(crate) struct Audience {
    /// Who gets what.
    hub: PubSubHub,
    /// Who asks for what, where that is not the same.
    asked: Option<Box<PubSubHub>>,
    /// Kept if the program wants to know.
    farewells: Option<Box<Farewells>>,
    /// Kept if the program wants to know of the first and the last peer that wants a topic.
    reports: Option<Box<Reports>>,
    rules: Rules,
    /// Whose subscription the program has received last.
    last: Option<PeerKey>,
    /// What is sent next is for that one only: a message whose sender does not wait since before.
    aimed: Option<Ticket>,
    /// What is being sent is that.
    answering: bool,
}

/// What the program is to be told that a peer wants no more which has gone.
#[derive(Debug, Default)]
pub(crate) struct Farewell {
    /// Sorted.
    pub(crate) topics: Vec<Bytes>,
    /// It was told of some subscription more than once.
    pub(crate) repeated: bool,
}

/// What the program is still to be told of peers that have gone.
#[derive(Debug, Default)]
struct Farewells {
    /// Of each whose receiving side has not.
    topics: HashMap<PeerKey, Vec<Bytes>>,
    /// Peers whose subscriptions were told more than once.
    repeated: HashSet<PeerKey>,
}

/// What options say.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Subscriptions are told to the program whoever had them before.
    verbose: bool,
    /// So are their ends.
    verboser: bool,
    /// Messages go to those who have not subscribed to them.
    inverted: bool,
    /// A subscription is answered with the message that is sent next.
    answers: bool,
}

/// What has come of what a peer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The program may want to know.
    News,
    /// It need not.
    Nothing,
    /// It is more than a peer may ask for.
    TooMuch,
}

impl Audience {
    pub(super) fn new(pattern: &Pattern, options: &Options) -> Self {
        let (hub, asked) = if options.manual {
            // What the program gives is not for a peer to decide.
            let unlimited = SubscriptionLimits { topics: usize::MAX, bytes: usize::MAX };
            (PubSubHub::new(unlimited), Some(Box::default()))
        } else {
            (PubSubHub::default(), None)
        };
        let rules = Rules {
            verbose: options.verbose || options.manual,
            verboser: options.verboser || options.manual,
            inverted: options.inverted,
            answers: options.last_value,
        };
        let reports = pattern.intake == Intake::Subscriptions;
        Self {
            hub,
            asked,
            farewells: reports.then(Box::default),
            reports: (reports && !rules.verboser).then(|| Box::new(Reports::new(rules.verbose))),
            rules,
            last: None,
            aimed: None,
            answering: false,
        }
    }

    /// What peers get.
    pub(super) fn hub(&mut self) -> &mut PubSubHub {
        &mut self.hub
    }

    pub(super) fn up(&mut self, key: PeerKey) {
        let up = PeerEvent::Up { key, id: () };
        if let Some(asked) = &mut self.asked {
            asked.on_event(up.clone());
        }
        self.hub.on_event(up);
    }

    /// A peer is gone, and what it has asked for with it. A few topics are taken down at once, more by [`sweep`](Self::sweep).
    pub(super) fn down(&mut self, key: PeerKey) {
        let down = PeerEvent::Down { key };
        if let Some(asked) = &mut self.asked {
            asked.on_event(down.clone());
        }
        self.hub.on_event(down);
        self.sweep(AT_ONCE);
    }

    /// Takes down up to `max` topics of peers that have gone; whether there are more.
    pub(crate) fn sweep(&mut self, max: usize) -> bool {
        let Self { hub, asked, farewells, reports, rules, .. } = self;
        let tell = |key, topic: Bytes, left| {
            let Some(farewells) = farewells else { return };
            if left != Cancelled::Last && !rules.verboser {
                return;
            }
            if let Some(reports) = reports {
                reports.add(Subscription::Cancel, topic.clone(), true);
            }
            farewells.topics.entry(key).or_default().push(topic);
        };
        match asked {
            Some(asked) => asked.sweep(max, tell) | hub.sweep(max, |_, _, _| {}),
            None => hub.sweep(max, tell),
        }
    }

    /// Whether there are topics of peers that have gone.
    pub(crate) fn has_departed(&mut self) -> bool {
        self.sweep(0)
    }

    /// Whether there are topics of this peer, and it has gone.
    pub(crate) fn is_departed(&self, key: PeerKey) -> bool {
        self.asked.as_deref().is_some_and(|asked| asked.is_departed(key)) || self.hub.is_departed(key)
    }

    /// What the program is to be told that a peer wants no more which is gone, and whose topics are taken down.
    pub(crate) fn farewell(&mut self, key: PeerKey) -> Farewell {
        let Some(farewells) = &mut self.farewells else { return Farewell::default() };
        Farewell {
            topics: farewells.topics.remove(&key).unwrap_or_default(),
            repeated: farewells.repeated.remove(&key),
        }
    }

    /// Whether neither the beginning nor the end of a topic of a [farewell](Self::farewell) need be told, as the program has
    /// received neither. To be asked while nobody receives.
    pub(crate) fn annul(&mut self, topic: &[u8]) -> bool {
        let is_wanted = self.hub.topic(topic).is_some();
        self.reports.as_mut().is_none_or(|reports| reports.annul(topic, is_wanted))
    }

    /// Whether the program is told what the next report says.
    pub(crate) fn admits(&self, kind: Subscription, topic: &[u8]) -> bool {
        let is_wanted = || self.hub.topic(topic).is_some();
        self.reports.as_ref().is_none_or(|reports| reports.admits(kind, topic, is_wanted()))
    }

    /// A report has left its lane.
    pub(super) fn on_report(&mut self, kind: Subscription, topic: &[u8], is_received: bool) {
        if let Some(reports) = &mut self.reports {
            reports.remove(kind, topic, is_received);
        }
    }

    /// Lets a peer ask for as much as it wants.
    pub(super) fn lift_limits(&mut self, key: PeerKey) {
        self.asked.as_deref_mut().unwrap_or(&mut self.hub).set_unlimited(key);
    }

    /// A peer asks for something.
    ///
    /// For each topic that comes two of peers that have gone are taken down, so that there are never more than have been
    /// there at once.
    pub(crate) fn hear(&mut self, key: PeerKey, kind: Subscription, topic: &[u8]) -> Asked {
        self.sweep(2);
        let hub = self.asked.as_deref_mut().unwrap_or(&mut self.hub);
        let Rules { verbose, verboser, .. } = self.rules;
        // Whether it is news, and whether somebody wanted the topic before.
        let (news, known) = match kind {
            Subscription::Subscribe => match hub.subscribe(key, topic) {
                Subscribed::Refused(_) => return Asked::TooMuch,
                Subscribed::First => (true, false),
                Subscribed::Joined => (verbose, true),
                Subscribed::AlreadySubscribed => {
                    if verbose && let Some(farewells) = &mut self.farewells {
                        farewells.repeated.insert(key);
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
        if !news {
            return Asked::Nothing;
        }
        if let Some(reports) = &mut self.reports {
            let shared = self.hub.topic(topic).cloned();
            reports.add(kind, shared.unwrap_or_else(|| Bytes::copy_from_slice(topic)), known);
        }
        Asked::News
    }

    /// How many bytes of topics a peer has asked for, all together.
    pub(crate) fn topic_bytes(&self, key: PeerKey) -> usize {
        self.asked.as_deref().unwrap_or(&self.hub).topic_bytes(key)
    }

    /// Whether the program decides what peers get.
    pub(super) const fn is_manual(&self) -> bool {
        self.asked.is_some()
    }

    /// The program is about to receive what a peer has asked for.
    ///
    /// What is sent by those whose tickets are smaller than `since` is no answer to it.
    pub(super) fn turn_to(&mut self, key: PeerKey, kind: Subscription, since: Ticket) {
        self.last = Some(key);
        self.aimed = (self.rules.answers && kind == Subscription::Subscribe).then_some(since);
    }

    /// A message is about to be sent, whose sender may hold a ticket: decides whether it is an answer.
    #[inline]
    pub(crate) fn consider(&mut self, ticket: Option<Ticket>) {
        self.answering = self.aimed.is_some_and(|since| ticket.is_none_or(|ticket| ticket >= since));
    }

    /// The program gives a topic to the peer it has heard last, or takes it away. If that one is gone nothing happens.
    pub(crate) fn grant(&mut self, kind: Subscription, topic: &[u8]) {
        let Some(key) = self.last else { return };
        match kind {
            Subscription::Subscribe => drop(self.hub.subscribe(key, topic)),
            Subscription::Cancel => drop(self.hub.cancel(key, topic)),
        }
    }

    /// Fills `targets` with the peers that a message goes to.
    #[inline]
    pub(super) fn matches(&mut self, subject: &[u8], targets: &mut Vec<PeerKey>) {
        if self.rules.inverted || self.answering {
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
        // Nobody needs an answer who is gone.
        if self.answering
            && let Some(last) = self.last
            && self.hub.contains(last)
        {
            targets.retain(|key| *key == last);
        }
    }

    /// A message was sent.
    #[inline]
    pub(super) fn sent(&mut self) {
        if std::mem::take(&mut self.answering) {
            self.aimed = None;
        }
    }
}

/// How many topics are taken down, or told, at a time.
pub(crate) const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::XPUB;

    #[test]
    fn topics_of_departed_peers_do_not_pile_up() {
        const TOPICS: usize = 1_000;
        let mut audience = Audience::new(&XPUB, &Options::default());
        for peer in 0..10 {
            let key = PeerKey::new(peer, 1 + u64::from(peer));
            audience.up(key);
            for n in 0..TOPICS {
                audience.hear(key, Subscription::Subscribe, format!("{peer} {n}").as_bytes());
                assert!(audience.hub.topic_count() <= 2 * TOPICS);
            }
            audience.down(key);
        }
        while audience.sweep(AT_ONCE) {}
        assert_eq!(audience.hub.topic_count(), 0);
    }
}
