//! The peers of a publisher: what they ask for, what the program is told of that, and who gets what.
//!
//! Part of [`Outbound`](super::route::Outbound), under its lock. Ordinarily a peer gets what it asks for. Where the program
//! decides instead, what was asked for is kept beside that: it is taken back when the peer leaves.

use std::collections::HashMap;

use bytes::Bytes;
use monocoque_core::{Cancelled, PeerEvent, PeerKey, PubSubHub, Subscribed, SubscriptionLimits, Ticket};
use monocoque_zmtp::Subscription;

use super::{Intake, Pattern};
use crate::options::Options;

/// Who listens to a publisher.
#[derive(Debug)]
pub(crate) struct Audience {
    /// Who gets what.
    hub: PubSubHub,
    /// Who asks for what, where that is not the same.
    asked: Option<Box<PubSubHub>>,
    farewells: Farewells,
    rules: Rules,
    /// Whose subscription the program has received last.
    last: Option<PeerKey>,
    /// What is sent next is for that one only: a message whose sender does not wait since before.
    aimed: Option<Ticket>,
    /// What is being sent is that.
    answering: bool,
}

/// What the program is still to be told of each peer that has gone and whose receiving side has not; kept if it wants to know.
type Farewells = Option<HashMap<PeerKey, Vec<Bytes>>>;

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
        Self {
            hub,
            asked,
            farewells: (pattern.intake == Intake::Subscriptions).then(HashMap::new),
            rules: Rules {
                verbose: options.verbose || options.manual,
                verboser: options.verboser || options.manual,
                inverted: options.inverted,
                answers: options.last_value,
            },
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

    /// A peer is gone, and what it has asked for with it.
    pub(super) fn down(&mut self, key: PeerKey) {
        let down = PeerEvent::Down { key };
        let mut topics = self.hub.on_event(down.clone());
        if let Some(asked) = &mut self.asked {
            topics = asked.topics(key).cloned().collect();
            asked.on_event(down);
        }
        if let Some(farewells) = &mut self.farewells
            && !topics.is_empty()
        {
            farewells.insert(key, topics);
        }
    }

    /// What the program is to be told that a peer which is gone wants no more.
    pub(super) fn farewell(&mut self, key: PeerKey) -> Vec<Bytes> {
        self.farewells.as_mut().and_then(|farewells| farewells.remove(&key)).unwrap_or_default()
    }

    /// Lets a peer ask for as much as it wants.
    pub(super) fn lift_limits(&mut self, key: PeerKey) {
        self.asked.as_deref_mut().unwrap_or(&mut self.hub).lift_limits(key);
    }

    /// A peer asks for something.
    pub(crate) fn hear(&mut self, key: PeerKey, kind: Subscription, topic: &[u8]) -> Asked {
        let hub = self.asked.as_deref_mut().unwrap_or(&mut self.hub);
        let news = match kind {
            Subscription::Subscribe => match hub.subscribe(key, topic) {
                Subscribed::Refused(_) => return Asked::TooMuch,
                Subscribed::First => true,
                Subscribed::Joined | Subscribed::Already => self.rules.verbose,
                Subscribed::NoPeer => false,
            },
            Subscription::Cancel => match hub.cancel(key, topic) {
                Cancelled::Last => true,
                Cancelled::Left => self.rules.verboser,
                Cancelled::Unknown => false,
            },
        };
        if news { Asked::News } else { Asked::Nothing }
    }

    /// How many bytes of topics a peer has asked for, all together.
    pub(crate) fn topic_bytes(&self, key: PeerKey) -> usize {
        self.asked.as_deref().unwrap_or(&self.hub).topic_bytes(key)
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
            self.hub.others(subject, targets);
        } else {
            self.hub.matches(subject, targets);
        }
        // Nobody needs an answer who is gone.
        if self.answering
            && let Some(last) = self.last
            && self.hub.has(last)
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
