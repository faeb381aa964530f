//! The incoming side of a socket: how a read pump handles a message before it is queued.

use monocoque_core::{Message, RoutingId};

use super::{Envelope, Incoming, Pattern, subscription_frame};
use crate::options::Options;

/// The handling of a message that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Queued for the application.
    Queue,
    /// Dropped and counted.
    Drop,
    /// Split: a list of subscriptions, possibly followed by other frames.
    SplitSubscriptions,
    /// Not allowed: the connection is closed.
    Violation,
}

/// Classifies a message from the peer with the routing id `id`, and converts its envelope to the
/// form that the application receives.
///
/// A reply with a request id keeps its envelope until it is received, and is checked then.
#[inline]
pub(crate) fn classify(
    pattern: &Pattern,
    options: &Options,
    id: &RoutingId,
    message: &mut Message,
) -> Disposition {
    match (pattern.incoming, pattern.envelope) {
        (Incoming::Discard, _) => Disposition::Drop,
        (Incoming::Subscriptions, _) if options.only_first && subscription_frame::is_list(message) => {
            Disposition::SplitSubscriptions
        }
        // The envelope of a request is stripped when it is received: it is needed for the reply.
        (_, Envelope::None | Envelope::Reply) => Disposition::Queue,
        (_, Envelope::Identity) => {
            message.push_front(id.clone());
            Disposition::Queue
        }
        (_, Envelope::Request) if options.correlate => Disposition::Queue,
        (_, Envelope::Request) => match message.pop_front() {
            Some(delimiter) if delimiter.is_empty() && !message.is_empty() => Disposition::Queue,
            _ => Disposition::Violation,
        },
    }
}

/// Restores the envelope of a message that [`classify`] has converted.
pub(crate) fn restore(pattern: &Pattern, options: &Options, message: &mut Message) {
    match pattern.envelope {
        Envelope::Identity => drop(message.pop_front()),
        Envelope::Request if !options.correlate => message.push_front(""),
        Envelope::None | Envelope::Reply | Envelope::Request => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn id() -> RoutingId {
        RoutingId::try_from("peer").expect("a routing id")
    }

    #[test]
    fn incoming_envelope_removal_is_reversible() {
        let classify = |pattern, frames: &[&str]| {
            let mut message = frames.iter().copied().collect();
            let disposition = classify(pattern, &Options::default(), &id(), &mut message);
            if disposition == Disposition::Queue {
                let mut before = message.clone();
                restore(pattern, &Options::default(), &mut before);
                assert_eq!(before, frames);
            }
            (disposition, message)
        };
        assert_eq!(classify(&PULL, &["a"]), (Disposition::Queue, "a".into()));
        assert_eq!(classify(&ROUTER, &["a"]), (Disposition::Queue, ["peer", "a"].into()));
        assert_eq!(classify(&REQ, &["", "a"]), (Disposition::Queue, "a".into()));
        assert_eq!(classify(&REQ, &["a"]).0, Disposition::Violation);
        assert_eq!(classify(&REQ, &[""]).0, Disposition::Violation);
        assert_eq!(classify(&PUSH, &["a"]).0, Disposition::Drop);
        assert_eq!(classify(&PUB, &["a"]).0, Disposition::Drop);
        assert_eq!(classify(&XPUB, &["\x01a", "b"]).0, Disposition::Queue);
    }
}
