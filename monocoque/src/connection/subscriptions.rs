//! Subscriptions and notifications of a connection, over streams and inproc.

use monocoque_core::{Message, PeerKey, RoutingId};
use monocoque_zmtp::{Subscription, TopicBudget};

use crate::endpoint::{EndpointRef, Origin};
use crate::pattern::publisher::SubscriptionOutcome;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Incoming};
use crate::socket::Engine;

/// Adds or cancels a subscription of a peer. Updates in `allowance` the number it may still add.
pub(crate) fn on_subscription(
    engine: &Engine,
    key: PeerKey,
    kind: Subscription,
    topic: &[u8],
    allowance: Option<&TopicBudget>,
    wakes: &mut Wakes,
) -> SubscriptionOutcome {
    let mut out = engine.out.lock();
    let Some(publisher) = out.publisher() else { return SubscriptionOutcome::Silent };
    let outcome = publisher.on_subscription(key, kind, topic);
    if let Some(allowance) = allowance {
        allowance.set_used(publisher.topic_bytes(key) as u64);
    }
    out.on_targets_changed(wakes);
    match outcome {
        SubscriptionOutcome::Report if engine.pattern.incoming != Incoming::Subscriptions => {
            SubscriptionOutcome::Silent
        }
        outcome => outcome,
    }
}

/// Returns the configured disconnect or hiccup message, unless this side closed the endpoint.
pub(crate) fn disconnect_message(endpoint: &EndpointRef) -> Option<Message> {
    let message = match endpoint.key.origin {
        Origin::Bound | Origin::Adopted => &endpoint.options.disconnect_msg,
        Origin::Connected => &endpoint.options.hiccup_msg,
    };
    message.clone().filter(|_| !endpoint.token.is_cancelled())
}

/// Prepends the routing id of a peer, where received messages have one.
pub(crate) fn prepend_id(engine: &Engine, id: &RoutingId, message: &mut Message) {
    if engine.pattern.envelope == Envelope::Identity {
        message.push_front(id.clone());
    }
}
