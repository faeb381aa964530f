//! What a socket makes of what its peers want to hear, whichever way it has come.

use monocoque_core::{Message, PeerKey, RoutingId};
use monocoque_zmtp::{Subscription, TopicBudget};

use super::Engine;
use super::endpoints::{Attached, Via};
use crate::pattern::asking::report;
use crate::pattern::audience::Asked;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Intake};

/// What has come of a subscription.
#[derive(Debug)]
pub(super) enum Heard {
    /// The application does not want to know.
    ToItself,
    /// The application receives this.
    PassOn(Message),
    /// The peer has more than it may have.
    TooMuch,
}

impl Engine {
    /// Takes a change of what a peer is subscribed to, and notes in `allowance` what it may still add.
    pub(super) fn hear(
        &self,
        key: PeerKey,
        kind: Subscription,
        topic: &[u8],
        allowance: Option<&TopicBudget>,
        wakes: &mut Wakes,
    ) -> Heard {
        let mut out = self.out.lock();
        let Some(audience) = out.audience() else { return Heard::ToItself };
        let asked = audience.hear(key, kind, topic);
        if let Some(allowance) = allowance {
            allowance.set_used(audience.topic_bytes(key) as u64);
        }
        out.on_targets_changed(wakes);
        match asked {
            Asked::News if self.pattern.intake == Intake::Subscriptions => Heard::PassOn(report(kind, topic)),
            Asked::News | Asked::Nothing => Heard::ToItself,
            Asked::TooMuch => Heard::TooMuch,
        }
    }

    /// What the application receives in the name of a peer that is gone and was not sent away, if it wants that.
    pub(super) fn last_words(&self, via: &Via) -> Option<Message> {
        let words = match via.kind {
            Attached::Bound | Attached::Given => &self.options.disconnect_msg,
            Attached::Connected => &self.options.hiccup_msg,
        };
        words.clone().filter(|_| !via.stop.is_said())
    }

    /// Makes a message of our own look like one of the peer called `id`.
    pub(super) fn put_in_envelope(&self, id: &RoutingId, message: &mut Message) {
        if self.pattern.envelope == Envelope::Identity {
            message.push_front(id.clone());
        }
    }
}
