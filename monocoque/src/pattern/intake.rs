//! The incoming side of a socket: what a read pump does with a message before it is queued.

use monocoque_core::{Message, RoutingId};

use super::{Envelope, Intake, Pattern};

/// What becomes of a message that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The application gets it.
    Queue(Message),
    /// It is dropped, and counted.
    Drop,
    /// The peer must not send such a thing: the connection is closed.
    Violation,
}

/// Judges a message from the peer called `id`.
#[inline]
pub(crate) fn judge(pattern: &Pattern, id: &RoutingId, mut message: Message) -> Verdict {
    match (pattern.intake, pattern.envelope) {
        (Intake::Discard, _) => Verdict::Drop,
        (_, Envelope::None) => Verdict::Queue(message),
        (_, Envelope::Identity) => {
            message.push_front(id.clone());
            Verdict::Queue(message)
        }
        // Checked when it is received: only then its envelope is taken off.
        (_, Envelope::Reply) => Verdict::Queue(message),
        (_, Envelope::Request) => match message.pop_front() {
            Some(delimiter) if delimiter.is_empty() && !message.is_empty() => Verdict::Queue(message),
            _ => Verdict::Violation,
        },
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
        let judge = |pattern, frames: &[&str]| judge(pattern, &id(), frames.iter().copied().collect());
        assert_eq!(judge(&PULL, &["a"]), Verdict::Queue("a".into()));
        assert_eq!(judge(&ROUTER, &["a"]), Verdict::Queue(["peer", "a"].into()));
        assert_eq!(judge(&REQ, &["", "a"]), Verdict::Queue("a".into()));
        assert_eq!(judge(&REQ, &["a"]), Verdict::Violation);
        assert_eq!(judge(&REQ, &[""]), Verdict::Violation);
        assert_eq!(judge(&PUSH, &["a"]), Verdict::Drop);
        assert_eq!(judge(&PUB, &["a"]), Verdict::Drop);
    }
}
