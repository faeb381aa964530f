//! What a socket makes of what its peers want to hear, whichever way it has come.

use monocoque_core::{Cancelled, Message, PeerKey, Subscribed};
use monocoque_zmtp::Subscription;

use super::Engine;
use crate::pattern::Intake;
use crate::pattern::wakes::Wakes;

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
    /// A peer has changed what it is subscribed to.
    pub(super) fn hear(&self, key: PeerKey, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> Heard {
        let mut out = self.out.lock();
        wakes.add(out.watchers.dismiss());
        let Some(hub) = out.subscriptions() else { return Heard::ToItself };
        let reported = match kind {
            Subscription::Subscribe => match hub.subscribe(key, topic) {
                Subscribed::First => true,
                Subscribed::Joined | Subscribed::Already => self.options.verbose,
                Subscribed::Refused(_) => return Heard::TooMuch,
                Subscribed::NoPeer => false,
            },
            Subscription::Cancel => match hub.cancel(key, topic) {
                Cancelled::Last => true,
                Cancelled::Left => self.options.verboser,
                Cancelled::Unknown => false,
            },
        };
        match reported && self.pattern.intake == Intake::Subscriptions {
            true => Heard::PassOn(notice(kind, topic)),
            false => Heard::ToItself,
        }
    }

    /// What the application still gets of a peer whose receiving side has ended.
    pub(super) fn farewell(&self, key: PeerKey) -> Vec<Message> {
        if self.pattern.intake != Intake::Subscriptions {
            return Vec::new();
        }
        let topics = self.with_wakes(|out, _| out.farewell(key));
        topics.iter().map(|topic| notice(Subscription::Cancel, topic)).collect()
    }
}

/// A subscription as the application receives it.
fn notice(kind: Subscription, topic: &[u8]) -> Message {
    let kind = match kind {
        Subscription::Subscribe => 1,
        Subscription::Cancel => 0,
    };
    Message::from([&[kind], topic].concat())
}
