//! Links to inproc peers: each message is delivered at once.

use std::fmt::Debug;

use monocoque_core::{Hwm, Message, Outbox, Room};
use monocoque_zmtp::Subscription;

use super::SendContext;
use crate::pattern::wakes::Wakes;

/// The receiving end of an inproc connection. Accepts messages under the lock of the sending
/// socket.
///
/// It is dropped after that lock is released, when the connection ends.
pub(crate) trait InprocPeer: Debug + Send {
    /// Delivers a message. Returns whether there is room for another, or `None`, without taking the
    /// message, if nothing will receive it.
    fn deliver(&mut self, message: &mut Message, wakes: &mut Wakes) -> Option<Room>;

    /// Delivers a subscription. Returns `false` if it exceeds the limit of the peer.
    fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool;

    /// Returns whether there is room under the high-water mark of the sender.
    fn room(&mut self, hwm: Hwm) -> Room;
}

/// The link to an inproc peer.
#[derive(Debug)]
pub(in crate::pattern) enum InprocLink {
    /// The peer is known but not connected yet: messages for it are kept.
    Reserved(Outbox),
    Connected {
        peer: Box<dyn InprocPeer>,
        /// The peer has no room, and wakes the sender when it has some.
        is_full: bool,
    },
}

impl Default for InprocLink {
    fn default() -> Self {
        Self::Reserved(Outbox::new())
    }
}

impl InprocLink {
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        matches!(self, Self::Connected { is_full: false, .. })
    }

    pub(super) fn check_room(&mut self, hwm: Hwm) -> bool {
        let Self::Connected { peer, is_full } = self else { return false };
        *is_full = peer.room(hwm) == Room::Full;
        !*is_full
    }

    pub(super) fn send(&mut self, cx: &mut SendContext<'_>, message: &mut Message) -> Option<Room> {
        let Self::Connected { peer, is_full } = self else { return None };
        let len = message.byte_len();
        let room = peer.deliver(message, cx.wakes)?;
        *is_full = room == Room::Full;
        cx.yield_budget.add_message(len);
        Some(room)
    }

    pub(super) fn subscribe(&mut self, kind: Subscription, topic: &[u8], wakes: &mut Wakes) -> bool {
        match self {
            Self::Connected { peer, .. } => peer.subscribe(kind, topic, wakes),
            Self::Reserved(_) => false,
        }
    }

    /// Takes the peer, to be dropped after the lock is released.
    pub(in crate::pattern) fn into_peer(self) -> Option<Box<dyn InprocPeer>> {
        match self {
            Self::Connected { peer, .. } => Some(peer),
            Self::Reserved(_) => None,
        }
    }
}
