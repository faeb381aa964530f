//! The incoming side of a socket: what a read pump does with a message before it is queued.

use monocoque_core::{Message, RoutingId};

use super::{Envelope, Intake, Pattern, subscription_frame};
use crate::options::Options;

/// What becomes of a message that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The application gets it.
    Queue,
    /// It is dropped, and counted.
    Drop,
    /// It is a list of subscriptions, with something behind them or not.
    TakeApart,
    /// The peer must not send such a thing: the connection is closed.
    Violation,
}

/// Judges a message from the peer called `id`, and changes its envelope to what the application sees.
///
/// A reply that bears a number keeps its envelope until it is received, and is judged then.
#[inline]
pub(crate) fn judge(pattern: &Pattern, options: &Options, id: &RoutingId, message: &mut Message) -> Verdict {
    match (pattern.intake, pattern.envelope) {
        (Intake::Discard, _) => Verdict::Drop,
        (Intake::Subscriptions, _) if options.only_first && subscription_frame::is_list(message) => {
            Verdict::TakeApart
        }
        // A request's envelope is taken off when it is received: it is needed for the reply.
        (_, Envelope::None | Envelope::Reply) => Verdict::Queue,
        (_, Envelope::Identity) => {
            message.push_front(id.clone());
            Verdict::Queue
        }
        (_, Envelope::Request) if options.correlate => Verdict::Queue,
        (_, Envelope::Request) => match message.pop_front() {
            Some(delimiter) if delimiter.is_empty() && !message.is_empty() => Verdict::Queue,
            _ => Verdict::Violation,
        },
    }
}

/// Gives a message that was to be queued the envelope back that it came in.
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
    fn each_type_takes_its_envelope_off() {
        let judge = |pattern, frames: &[&str]| {
            let mut message = frames.iter().copied().collect();
            let verdict = judge(pattern, &Options::default(), &id(), &mut message);
            if verdict == Verdict::Queue {
                let mut before = message.clone();
                restore(pattern, &Options::default(), &mut before);
                assert_eq!(before, frames.iter().copied().collect());
            }
            (verdict, message)
        };
        assert_eq!(judge(&PULL, &["a"]), (Verdict::Queue, "a".into()));
        assert_eq!(judge(&ROUTER, &["a"]), (Verdict::Queue, ["peer", "a"].into()));
        assert_eq!(judge(&REQ, &["", "a"]), (Verdict::Queue, "a".into()));
        assert_eq!(judge(&REQ, &["a"]).0, Verdict::Violation);
        assert_eq!(judge(&REQ, &[""]).0, Verdict::Violation);
        assert_eq!(judge(&PUSH, &["a"]).0, Verdict::Drop);
        assert_eq!(judge(&PUB, &["a"]).0, Verdict::Drop);
        assert_eq!(judge(&XPUB, &["\x01a", "b"]).0, Verdict::Queue);
    }
}
