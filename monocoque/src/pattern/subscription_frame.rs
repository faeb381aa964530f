//! Subscriptions as messages: a frame that starts with a byte 1 or 0, followed by the topic.

use monocoque_core::{Frame, Message};
use monocoque_zmtp::Subscription;

/// Parses a frame as a subscription.
#[inline]
fn as_subscription_frame(frame: &[u8]) -> Option<(Subscription, &[u8])> {
    match frame {
        [1, topic @ ..] => Some((Subscription::Subscribe, topic)),
        [0, topic @ ..] => Some((Subscription::Cancel, topic)),
        _ => None,
    }
}

/// Parses a message as one subscription and nothing else.
#[inline]
pub(crate) fn as_subscription(message: &Message) -> Option<(Subscription, &[u8])> {
    if message.len() == 1 { message.get(0).and_then(as_subscription_frame) } else { None }
}

/// Creates the message that reports a subscription.
pub(crate) fn report(kind: Subscription, topic: &[u8]) -> Message {
    let prefix = match kind {
        Subscription::Subscribe => 1,
        Subscription::Cancel => 0,
    };
    Message::from([&[prefix], topic].concat())
}

/// Returns whether a multi-frame message starts with a subscription. Other frames may follow.
pub(crate) fn is_list(message: &Message) -> bool {
    message.len() > 1 && message.get(0).is_some_and(|frame| as_subscription_frame(frame).is_some())
}

/// The subscriptions of a message, and its other frames.
#[derive(Debug)]
pub(crate) struct SubscriptionList {
    frames: Vec<Frame>,
    pub(crate) rest: Message,
}

impl SubscriptionList {
    pub(crate) fn of(message: Message) -> Self {
        let mut list = Self { frames: Vec::new(), rest: Message::new() };
        for frame in message {
            match as_subscription_frame(&frame) {
                Some(_) => list.frames.push(frame),
                None => list.rest.push_back(frame),
            }
        }
        list
    }

    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (Subscription, &[u8])> {
        self.frames.iter().filter_map(|frame| as_subscription_frame(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_frame_decides_list() {
        assert!(is_list(&[&b"\x01a"[..], b"data"].into()));
        assert!(!is_list(&[&b"data"[..], b"\x01a"].into()));
        assert!(!is_list(&b"\x01a".into()), "it is one by itself");
        assert!(!is_list(&Message::new()));
        let list = SubscriptionList::of([&b"\x01a"[..], b"data", b"", b"\0", b"\x02", b"\x01a"].into());
        let subscriptions: Vec<_> = list.subscriptions().collect();
        assert_eq!(
            subscriptions,
            [
                (Subscription::Subscribe, &b"a"[..]),
                (Subscription::Cancel, b""),
                (Subscription::Subscribe, b"a")
            ]
        );
        assert_eq!(list.rest, [&b"data"[..], b"", b"\x02"]);
    }

    #[test]
    fn subscription_report_round_trips() {
        for (kind, topic) in [(Subscription::Subscribe, &b"a"[..]), (Subscription::Cancel, b"")] {
            assert_eq!(as_subscription(&report(kind, topic)), Some((kind, topic)));
        }
        assert_eq!(as_subscription(&[&b"\x01a"[..], b"data"].into()), None);
        assert_eq!(as_subscription(&"".into()), None);
    }
}
