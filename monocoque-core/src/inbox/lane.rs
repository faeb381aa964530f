//! One lane of an inbox: what one connection has delivered and no receiver has fetched.

use std::collections::VecDeque;
use std::task::Waker;

use crate::{BytePermits, Hwm, Message, PeerKey, Room};

/// The cost of an item in the byte budget of its lane.
pub trait Weigh {
    /// Returns how many bytes the item takes, about.
    fn weight(&self) -> usize;
}

impl Weigh for Message {
    /// The value itself and its heap: an empty message is not free.
    #[inline]
    fn weight(&self) -> usize {
        size_of::<Self>() + self.heap_len()
    }
}

/// The limits and the order of a lane of an [`Inbox`](super::Inbox).
#[derive(Clone, Debug, Default)]
pub struct LaneConfig {
    /// The most items that the lane holds.
    pub hwm: Hwm,
    /// Extra capacity for a sender that has no queue of its own.
    pub sender_hwm: Option<Hwm>,
    /// The most bytes that the lane holds.
    pub budget: BytePermits,
    /// Lanes with the same group are received one after the other, in the order in which they were
    /// opened: the items of a lane wait until the earlier lanes have ended and are empty.
    ///
    /// For connections that replace each other, so that their messages stay in order.
    pub ordering_group: Option<u64>,
    /// Keeps the last item only: it replaces the one before it, and the lane is never full.
    pub conflate: bool,
}

/// The key of the lane of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey(pub(super) PeerKey);

/// The numbers of items of one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounters {
    /// Items that were pushed, without those that a later one has replaced.
    pub pushed: u64,
    /// Items that wait to be received.
    pub waiting: usize,
}

#[derive(Debug)]
pub(super) struct Lane<T, L> {
    pub(super) from: PeerKey,
    pub(super) label: L,
    pub(super) queue: VecDeque<T>,
    /// Memory for the next batch of its pump.
    pub(super) spare: VecDeque<T>,
    pub(super) hwm: Hwm,
    pub(super) sender_hwm: Option<Hwm>,
    /// The number of items that were pushed and are not known to be popped.
    pub(super) held: usize,
    /// The number of items that are known to be popped.
    pub(super) popped: u64,
    pub(super) budget: BytePermits,
    pub(super) schedule: Schedule,
    /// The connection has ended: nothing more is pushed.
    pub(super) is_detached: bool,
    /// The pump, while it waits for room.
    pub(super) pump: Option<Waker>,
    pub(super) ordering_group: Option<u64>,
    pub(super) conflate: bool,
    /// The lane was opened while ended connections had left too much: it has no room before enough
    /// of that is received.
    pub(super) is_newcomer: bool,
}

/// The place of a lane in the order of receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// An earlier lane of its ordering group is not used up.
    Blocked,
    /// The lane has no items.
    Idle,
    /// The lane is active, or listed to become so.
    Listed,
}

impl<T, L> Lane<T, L> {
    pub(super) fn new(from: PeerKey, label: L, config: LaneConfig, schedule: Schedule) -> Self {
        let LaneConfig { hwm, sender_hwm, budget, ordering_group, conflate } = config;
        Self {
            from,
            label,
            queue: VecDeque::new(),
            spare: VecDeque::new(),
            hwm,
            sender_hwm,
            held: 0,
            popped: 0,
            budget,
            schedule,
            is_detached: false,
            pump: None,
            ordering_group,
            conflate,
            is_newcomer: false,
        }
    }

    /// Returns how many more items the lane takes.
    #[inline]
    pub(super) fn room(&self) -> usize {
        match () {
            () if self.is_newcomer => 0,
            () if self.conflate => usize::MAX,
            () if !self.budget.admits(1) => 0,
            () => self.limit().room(self.held),
        }
    }

    #[inline]
    pub(super) fn limit(&self) -> Hwm {
        self.sender_hwm.map_or(self.hwm, |more| self.hwm.saturating_add(more))
    }

    /// Returns whether there is room. If not, the pump is woken once there is.
    #[inline]
    pub(super) fn room_or_wake(&mut self, pump: &Waker) -> Room {
        if self.room() > 0 {
            return Room::Available;
        }
        self.pump = Some(pump.clone());
        Room::Full
    }
}

impl<T: Weigh, L> Lane<T, L> {
    /// Lists the lane as ready, after items were added. Returns whether it was idle before.
    #[inline]
    pub(super) fn list(&mut self, key: LaneKey, ready: &mut Vec<LaneKey>, replaced: &mut u64) -> bool {
        if self.conflate {
            *replaced += self.keep_last();
        }
        let is_idle = self.schedule == Schedule::Idle;
        if is_idle {
            self.schedule = Schedule::Listed;
            ready.push(key);
        }
        is_idle
    }

    /// Drops all items but the last, and returns how many.
    pub(super) fn keep_last(&mut self) -> u64 {
        let replaced = self.queue.len().saturating_sub(1);
        self.queue.drain(..replaced).for_each(|item| self.budget.release(item.weight()));
        self.held -= replaced;
        replaced as u64
    }
}
