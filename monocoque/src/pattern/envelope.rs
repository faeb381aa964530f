//! The request-reply dialogue of REQ and REP: alternation, and the envelope of messages.

use monocoque_core::{Frame, Message, PeerKey};

use super::Envelope;
use crate::error::MonocoqueError;

/// The state of the dialogue. Sockets without a dialogue stay idle.
#[derive(Debug, Default)]
pub(crate) enum Dialogue {
    /// No request is open.
    #[default]
    Idle,
    /// A request is sent or queued (REQ). `of` is the peer that took it, `number` the request id
    /// that the reply must carry, and `answered` is set once the reply waits to be received.
    Asked { of: Option<PeerKey>, number: Option<Frame>, answered: bool },
    /// A request was received (REP) and waits for its reply.
    Answering { origin: PeerKey, envelope: Message },
}

impl Dialogue {
    /// Returns an error if the application may not send now.
    pub(crate) fn check_send(&self, envelope: Envelope) -> Result<(), MonocoqueError> {
        match (envelope, self) {
            (Envelope::Request, Self::Asked { .. }) => {
                Err(MonocoqueError::OutOfTurn("a REQ socket must receive the reply before it sends again"))
            }
            (Envelope::Reply, Self::Idle) => {
                Err(MonocoqueError::OutOfTurn("a REP socket must receive a request before it replies"))
            }
            _ => Ok(()),
        }
    }

    /// Returns an error if the application may not receive now.
    pub(crate) fn check_recv(&self, envelope: Envelope) -> Result<(), MonocoqueError> {
        match (envelope, self) {
            (Envelope::Request, Self::Idle) => {
                Err(MonocoqueError::OutOfTurn("a REQ socket must send a request before it receives"))
            }
            (Envelope::Reply, Self::Answering { .. }) => {
                Err(MonocoqueError::OutOfTurn("a REP socket must reply before it receives again"))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a message from `from` is the first reply to the open request. Others are
    /// discarded.
    pub(crate) fn takes_reply(&mut self, from: PeerKey, message: &Message) -> bool {
        let Self::Asked { of: Some(asked), number, answered: answered @ false } = self else { return false };
        let bears = |number: &Frame| message.get(0) == Some(&**number);
        *answered = *asked == from && number.as_ref().is_none_or(bears);
        *answered
    }

    /// Returns whether the application would receive a message from `from`, by
    /// [`on_recv`](Self::on_recv).
    pub(crate) fn admits(&self, envelope: Envelope, from: PeerKey, message: &Message) -> bool {
        match (envelope, self) {
            (Envelope::None | Envelope::Identity, _) => true,
            (Envelope::Request, Self::Asked { of: Some(asked), number, .. }) => {
                *asked == from && number.as_ref().is_none_or(|number| has_number(number, message))
            }
            (Envelope::Request, _) => false,
            (Envelope::Reply, _) => {
                let delimiter = message.iter().position(<[u8]>::is_empty);
                delimiter.is_some_and(|delimiter| delimiter + 1 < message.len())
            }
        }
    }

    /// Strips the envelope of a message that the application receives. Returns `false` if the
    /// message is no reply to the open request, or no valid request; it is discarded then.
    pub(crate) fn on_recv(&mut self, envelope: Envelope, from: PeerKey, message: &mut Message) -> bool {
        match (envelope, &self) {
            (Envelope::None | Envelope::Identity, _) => true,
            (Envelope::Request, Self::Asked { of: Some(asked), number, .. }) if *asked == from => {
                let answers = number.as_ref().is_none_or(|number| strip_number(number, message));
                if answers {
                    *self = Self::Idle;
                }
                answers
            }
            (Envelope::Request, _) => false,
            (Envelope::Reply, _) => {
                let Some(delimiter) = message.iter().position(<[u8]>::is_empty) else { return false };
                let envelope = message.split_front(delimiter + 1);
                let is_request = !message.is_empty();
                if is_request {
                    *self = Self::Answering { origin: from, envelope };
                }
                is_request
            }
        }
    }
}

/// Returns whether a reply has this request id, a delimiter, and a body.
fn has_number(number: &Frame, message: &Message) -> bool {
    message.len() > 2 && message.get(0) == Some(&**number) && message.get(1).is_some_and(<[u8]>::is_empty)
}

/// Strips request id and delimiter of a reply. Returns `false` if it does not reply to this
/// request.
fn strip_number(number: &Frame, message: &mut Message) -> bool {
    let answers = has_number(number, message);
    if answers {
        message.pop_front();
        message.pop_front();
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerKey = PeerKey::new(0, 1);
    const OTHER: PeerKey = PeerKey::new(0, 2);

    fn recv(
        dialogue: &mut Dialogue,
        envelope: Envelope,
        from: PeerKey,
        mut message: Message,
    ) -> Option<Message> {
        dialogue.on_recv(envelope, from, &mut message).then_some(message)
    }

    #[test]
    fn only_asked_peer_may_reply() {
        let mut dialogue = Dialogue::Asked { of: Some(PEER), number: None, answered: false };
        assert_eq!(recv(&mut dialogue, Envelope::Request, OTHER, "late".into()), None);
        assert!(dialogue.check_send(Envelope::Request).is_err());
        assert_eq!(recv(&mut dialogue, Envelope::Request, PEER, "reply".into()), Some("reply".into()));
        assert_eq!(recv(&mut dialogue, Envelope::Request, PEER, "twice".into()), None);
        assert!(dialogue.check_send(Envelope::Request).is_ok());
        assert!(dialogue.check_recv(Envelope::Request).is_err());
    }

    #[test]
    fn only_first_matching_reply_taken() {
        let mut idle = Dialogue::Idle;
        assert!(!idle.takes_reply(PEER, &"nobody asked".into()));
        let mut asked = Dialogue::Asked { of: Some(PEER), number: None, answered: false };
        assert!(!asked.takes_reply(OTHER, &"of another".into()));
        assert!(asked.takes_reply(PEER, &"reply".into()));
        assert!(!asked.takes_reply(PEER, &"surplus".into()));
        let number = Some(Frame::from(b"0002"));
        let mut numbered = Dialogue::Asked { of: Some(PEER), number, answered: false };
        assert!(!numbered.takes_reply(PEER, &["0001", "", "late"].into()));
        assert!(numbered.takes_reply(PEER, &["0002", "", "reply"].into()));
    }

    #[test]
    fn reply_with_wrong_number_ignored() {
        let asked =
            || Dialogue::Asked { of: Some(PEER), number: Some(Frame::from(b"0002")), answered: false };
        let replies: [(&[&str], Option<Message>); 6] = [
            (&["0001", "", "late"], None),
            (&["", "no number"], None),
            (&["0002", "no delimiter", ""], None),
            (&["0002", ""], None),
            (&["0002", "", "a", "b"], Some(["a", "b"].into())),
            (&["0002"], None),
        ];
        for (frames, opened) in replies {
            let mut dialogue = asked();
            let reply = frames.iter().copied().collect();
            assert_eq!(recv(&mut dialogue, Envelope::Request, PEER, reply), opened, "{frames:?}");
            assert_eq!(dialogue.check_send(Envelope::Request).is_ok(), opened.is_some());
        }
    }

    #[test]
    fn request_envelope_kept_for_reply() {
        let mut dialogue = Dialogue::Idle;
        let request = Message::from(["hop", "", "question", ""]);
        assert_eq!(recv(&mut dialogue, Envelope::Reply, PEER, request), Some(["question", ""].into()));
        let Dialogue::Answering { origin, envelope } = &dialogue else { panic!("not answering") };
        assert_eq!(*origin, PEER);
        assert_eq!(*envelope, Message::from(["hop", ""]));
        assert!(dialogue.check_recv(Envelope::Reply).is_err());
    }

    #[test]
    fn malformed_request_is_ignored() {
        let mut dialogue = Dialogue::Idle;
        assert_eq!(recv(&mut dialogue, Envelope::Reply, PEER, ["no", "delimiter"].into()), None);
        assert_eq!(recv(&mut dialogue, Envelope::Reply, PEER, ["no body", ""].into()), None);
        assert!(matches!(dialogue, Dialogue::Idle));
    }
}
