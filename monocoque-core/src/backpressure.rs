//! How much may wait: message counts and byte budgets of one link and one direction.
//!
//! Plain counting. Both types belong to whoever owns a queue and live under that owner's lock. Who waits for room, in which
//! order they are served, and what becomes of one that gives up, is the business of the owner's queue of waiters:
//! nothing here blocks, wakes or knows of tasks.

use std::fmt;

/// High-water mark: how many messages a queue takes before it is full.
///
/// Zero stands for no limit. The default is 1000.
///
/// ```
/// use monocoque_core::Hwm;
///
/// let hwm = Hwm::new(3);
/// assert!(hwm.admits(2) && !hwm.admits(3));
/// assert_eq!(hwm.room(1), 2);
/// assert_eq!(hwm.low_water(), 2);
///
/// assert!(Hwm::UNLIMITED.admits(1_000_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hwm {
    /// `usize::MAX` for no limit, so that no test needs a second case.
    limit: usize,
}

impl Hwm {
    /// No limit.
    pub const UNLIMITED: Self = Self::new(0);

    /// A limit of `messages`; zero for none.
    pub const fn new(messages: usize) -> Self {
        Self { limit: if messages == 0 { usize::MAX } else { messages } }
    }

    /// The limit in messages, `None` when there is none.
    pub const fn limit(self) -> Option<usize> {
        if self.limit == usize::MAX { None } else { Some(self.limit) }
    }

    /// Whether a queue that holds `queued` messages takes one more.
    #[inline]
    pub const fn admits(self, queued: usize) -> bool {
        queued < self.limit
    }

    /// How many more messages a queue takes that holds `queued`.
    #[inline]
    pub const fn room(self, queued: usize) -> usize {
        self.limit.saturating_sub(queued)
    }

    /// The mark of a queue that stands for two, one behind the other.
    ///
    /// ```
    /// use monocoque_core::Hwm;
    ///
    /// assert_eq!(Hwm::new(3).plus(Hwm::new(4)), Hwm::new(7));
    /// assert_eq!(Hwm::new(3).plus(Hwm::UNLIMITED), Hwm::UNLIMITED);
    /// ```
    pub const fn plus(self, other: Self) -> Self {
        Self { limit: self.limit.saturating_add(other.limit) }
    }

    /// How many messages leave a full queue before those who wait for room are told: half the limit, rounded up.
    /// Zero when there is no limit.
    ///
    /// Telling them of each message would wake a task a message.
    #[inline]
    pub const fn low_water(self) -> usize {
        match self.limit() {
            Some(limit) => limit.div_ceil(2),
            None => 0,
        }
    }
}

impl Default for Hwm {
    fn default() -> Self {
        Self::new(DEFAULT_HWM)
    }
}

impl From<usize> for Hwm {
    fn from(messages: usize) -> Self {
        Self::new(messages)
    }
}

impl fmt::Debug for Hwm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hwm({self})")
    }
}

impl fmt::Display for Hwm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit() {
            Some(limit) => limit.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

/// The byte budget of one link and direction.
///
/// A message larger than the whole budget is admitted when nothing else is held: it waits for an empty budget, not for
/// ever. The default capacity is [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY).
///
/// The budget only counts. First come, first served, and taking back the claim of a sender that was cancelled, are kept by
/// the owner's queue of waiters, which asks [`admits`](Self::admits) for the waiter at its head only: so a large
/// request is not starved by small ones that would fit past it.
///
/// ```
/// use monocoque_core::BytePermits;
///
/// let mut permits = BytePermits::new(100);
/// assert!(permits.admits(500), "too large for the budget, but nothing is held");
/// permits.take(80);
/// assert!(permits.admits(20) && !permits.admits(21) && !permits.admits(500));
/// permits.give(80);
/// assert_eq!(permits.in_use(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct BytePermits {
    capacity: usize,
    held: usize,
}

impl BytePermits {
    /// 64 MiB: a thousand messages of 64 KiB, so that the default high-water mark is what fills up first for all but
    /// large messages.
    pub const DEFAULT_CAPACITY: usize = 64 * 1024 * 1024;

    /// A budget of `capacity` bytes, nothing of it held.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, held: 0 }
    }

    /// Whether `n` bytes fit, or nothing at all is held.
    #[inline]
    pub const fn admits(&self, n: usize) -> bool {
        self.held == 0 || n <= self.capacity.saturating_sub(self.held)
    }

    /// Holds `n` bytes.
    ///
    /// Does not ask [`admits`](Self::admits): that is for the caller, who may know better, as for a message that was
    /// admitted before and is queued anew.
    #[inline]
    pub const fn take(&mut self, n: usize) {
        debug_assert!(self.held.checked_add(n).is_some(), "more held than there is memory");
        self.held = self.held.saturating_add(n);
    }

    /// Gives `n` bytes back.
    #[inline]
    pub const fn give(&mut self, n: usize) {
        debug_assert!(n <= self.held, "more given back than was taken");
        self.held = self.held.saturating_sub(n);
    }

    /// How many bytes are held. More than the capacity while an oversize message is.
    #[inline]
    pub const fn in_use(&self) -> usize {
        self.held
    }

    /// The size of the budget, in bytes.
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Default for BytePermits {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

const DEFAULT_HWM: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_one_and_two_have_a_low_water() {
        for (limit, low_water) in [(1, 1), (2, 1), (3, 2), (1000, 500)] {
            let hwm = Hwm::new(limit);
            assert_eq!((0..).take_while(|&queued| hwm.admits(queued)).count(), limit);
            assert_eq!(hwm.low_water(), low_water);
            assert_eq!((hwm.room(0), hwm.room(limit), hwm.room(limit + 1)), (limit, 0, 0));
        }
        assert_eq!(Hwm::default(), Hwm::from(1000));
    }

    #[test]
    fn zero_is_no_limit() {
        let hwm = Hwm::new(0);
        assert_eq!((hwm.limit(), hwm.low_water()), (None, 0));
        assert!(hwm.admits(usize::MAX - 1));
        assert_eq!((hwm.to_string(), format!("{:?}", Hwm::new(7))), ("unlimited".into(), "Hwm(7)".into()));
    }

    #[test]
    fn an_oversize_request_waits_for_an_empty_budget() {
        let mut permits = BytePermits::new(10);
        permits.take(1);
        assert!(!permits.admits(11));
        permits.give(1);
        assert!(permits.admits(11));
        permits.take(11);
        assert_eq!((permits.in_use(), permits.capacity()), (11, 10));
        assert!(!permits.admits(1));
        assert!(permits.admits(0), "nothing needs no room");
        permits.give(11);
        assert!(permits.admits(usize::MAX));
    }

    #[test]
    fn a_budget_of_nothing_admits_one_at_a_time() {
        let mut permits = BytePermits::new(0);
        assert!(permits.admits(5));
        permits.take(5);
        assert!(!permits.admits(1));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "more given back")]
    fn giving_back_too_much_is_noticed() {
        BytePermits::new(10).give(1);
    }
}
