//! The state that the actors share, and the pace of their messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use monocoque::Context;

use crate::part::Role;
use testing::hostile;
use testing::ledger::{CHAOS, Ledger, is_lossless};

/// The state that all actors share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) context: Context,
    pub(crate) phase: AtomicU8,
    /// Whether threads have stopped to connect and disconnect.
    pub(crate) reconnected: AtomicBool,
    /// The number of lifetimes with such threads.
    pub(crate) reconnecting: AtomicU64,
    /// The number of connects and disconnects by those threads.
    pub(crate) reconnects: AtomicU64,
    /// The number of whole messages received from hostile peers.
    pub(crate) hostile_messages: AtomicU64,
    /// The longest wait of a Monocoque part for its endpoint to become free, in milliseconds.
    pub(crate) longest_bind: AtomicU64,
    /// The number of times that a process was stopped.
    pub(crate) stops: AtomicU64,
    /// The number of processes that libzmq has aborted.
    pub(crate) aborts: AtomicU64,
    /// Whether no further lifetime begins.
    pub(crate) ended: AtomicBool,
    pub(crate) replies: AtomicU64,
    pub(crate) replies_dropped: AtomicU64,
    /// The number of replies that a later lifetime of a DEALER with the same routing id received.
    pub(crate) stale_replies: AtomicU64,
    pub(crate) publications_dropped: AtomicU64,
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ledger: Ledger::new(seed),
            context: Context::builder().io_threads(2).build().expect("I/O threads"),
            phase: AtomicU8::new(CHAOS),
            reconnected: AtomicBool::new(false),
            reconnecting: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            hostile_messages: AtomicU64::new(0),
            longest_bind: AtomicU64::new(0),
            stops: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            replies: AtomicU64::new(0),
            replies_dropped: AtomicU64::new(0),
            stale_replies: AtomicU64::new(0),
            publications_dropped: AtomicU64::new(0),
        }
    }

    pub(crate) fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    /// Returns the number of messages in a burst: so few in a quiet period that queues drain.
    pub(crate) fn burst(&self, role: Role) -> usize {
        burst(self.phase(), role)
    }
}

/// Returns the number of messages in a burst of this phase.
pub(crate) fn burst(phase: u8, role: Role) -> usize {
    let fast = if cfg!(debug_assertions) { 1 } else { 3 };
    match (phase, role) {
        (CHAOS, Role::Push) => 6 * fast,
        (CHAOS, _) => 2 * fast,
        _ => 1,
    }
}

/// The number of messages that a sender has to send in a lossless phase.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    phase: u8,
    sent: usize,
}

impl Quota {
    pub(crate) fn left(&mut self, phase: u8) -> usize {
        if !is_lossless(phase) {
            return usize::MAX;
        }
        if phase != self.phase {
            *self = Self { phase, sent: 0 };
        }
        LOSSLESS_MESSAGES - self.sent
    }

    /// Counts a message if its phase is the last one asked for.
    pub(crate) fn count(&mut self, phase: u8) {
        self.sent += usize::from(phase == self.phase);
    }
}

/// The topic that all SUBs subscribe to.
pub(crate) const TOPIC: u8 = hostile::TOPIC;
/// The number of messages of each sender in a lossless phase.
pub(crate) const LOSSLESS_MESSAGES: usize = 200;
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// The pause between two bursts.
pub(crate) const PAUSE: Duration = Duration::from_millis(4);
