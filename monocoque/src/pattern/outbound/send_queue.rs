//! The messages of a socket that are not queued for a connection yet.

use monocoque_core::{Outbox, PeerKey, Waiters};

use super::readiness::SendObserver;
use crate::pattern::backlog::Backlog;
use crate::pattern::broadcast_log::BroadcastLog;
use crate::pattern::envelope::Dialogue;
use crate::pattern::yield_budget::YieldBudget;

/// The messages that wait for any peer, and the senders that wait for room.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    pub(crate) dialogue: Dialogue,
    /// The tasks waiting in `send`, in order.
    pub(crate) senders: Waiters,
    pub(crate) observer: SendObserver,
    pub(crate) yield_budget: YieldBudget,
    /// Some link has [deferred](crate::pattern::link::Flush::Deferred) messages, which are written
    /// with the next one.
    pub(crate) has_deferred: bool,
    /// Messages that wait for any peer.
    pub(super) backlog: Backlog,
    pub(super) broadcast: Broadcast,
    /// Some link may be full.
    pub(super) may_be_full: bool,
}

/// The state for messages to many peers.
#[derive(Debug, Default)]
pub(super) struct Broadcast {
    /// Messages that no write pump has taken yet.
    pub(super) log: BroadcastLog,
    /// The message being sent, encoded.
    pub(super) scratch: Outbox,
    /// The peers that it goes to.
    pub(super) targets: Vec<PeerKey>,
}
