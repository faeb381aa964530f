//! Limits of queues: message counts and byte budgets, for one connection and direction.
//!
//! Plain counting. Both types belong to the owner of a queue and live under its lock. The order of
//! those that wait for room is up to the [`Waiters`](crate::Waiters) of the owner: nothing here
//! blocks, wakes or knows tasks.

use std::fmt;

/// The high-water mark: how many messages a queue holds before it is full.
///
/// Zero is no limit. The default is 1000.
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
    /// `usize::MAX` for no limit, so that no comparison needs a second case.
    limit: usize,
}

impl Hwm {
    /// No limit.
    pub const UNLIMITED: Self = Self::new(0);

    /// A limit of `messages`; zero is no limit.
    pub const fn new(messages: usize) -> Self {
        Self { limit: if messages == 0 { usize::MAX } else { messages } }
    }

    /// Returns the limit in messages; `None` if there is none.
    pub const fn limit(self) -> Option<usize> {
        if self.limit == usize::MAX { None } else { Some(self.limit) }
    }

    /// Returns true if a queue that holds `queued` messages takes one more.
    #[inline]
    pub const fn admits(self, queued: usize) -> bool {
        queued < self.limit
    }

    /// Returns how many more messages a queue that holds `queued` takes.
    #[inline]
    pub const fn room(self, queued: usize) -> usize {
        self.limit.saturating_sub(queued)
    }

    /// Returns the mark of two queues in a row.
    ///
    /// ```
    /// use monocoque_core::Hwm;
    ///
    /// assert_eq!(Hwm::new(3).saturating_add(Hwm::new(4)), Hwm::new(7));
    /// assert_eq!(Hwm::new(3).saturating_add(Hwm::UNLIMITED), Hwm::UNLIMITED);
    /// ```
    pub const fn saturating_add(self, other: Self) -> Self {
        Self { limit: self.limit.saturating_add(other.limit) }
    }

    /// Returns how many messages leave a full queue before those that wait for room are woken: half
    /// the limit, rounded up. Zero if there is no limit.
    ///
    /// Waking them for each message would cost one wake-up a message.
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

/// The byte budget of one connection and direction.
///
/// A message larger than the whole budget is admitted when no other is held: it waits for an empty
/// budget, not for ever. The default capacity is [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY).
///
/// The budget only counts. The owner keeps the order of its waiters, and asks
/// [`admits`](Self::admits) for the first one only, so that small requests do not starve a large
/// one.
///
/// ```
/// use monocoque_core::BytePermits;
///
/// let mut permits = BytePermits::new(100);
/// assert!(permits.admits(500), "too large for the budget, but nothing is held");
/// permits.acquire(80);
/// assert!(permits.admits(20) && !permits.admits(21) && !permits.admits(500));
/// permits.release(80);
/// assert_eq!(permits.in_use(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct BytePermits {
    capacity: usize,
    held: usize,
}

impl BytePermits {
    /// 64 MiB: a thousand messages of 64 KiB, so that only large messages reach it before the
    /// default high-water mark.
    pub const DEFAULT_CAPACITY: usize = 64 * 1024 * 1024;

    /// A budget of `capacity` bytes, of which none is held.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, held: 0 }
    }

    /// Returns true if `n` bytes fit, or none are held.
    #[inline]
    pub const fn admits(&self, n: usize) -> bool {
        self.held == 0 || n <= self.capacity.saturating_sub(self.held)
    }

    /// Takes `n` bytes.
    ///
    /// It does not check [`admits`](Self::admits): the caller may know better, as for a message
    /// that was admitted before and is queued again.
    #[inline]
    pub const fn acquire(&mut self, n: usize) {
        debug_assert!(self.held.checked_add(n).is_some(), "more held than there is memory");
        self.held = self.held.saturating_add(n);
    }

    /// Gives `n` bytes back.
    #[inline]
    pub const fn release(&mut self, n: usize) {
        debug_assert!(n <= self.held, "more given back than was taken");
        self.held = self.held.saturating_sub(n);
    }

    /// Returns how many bytes are held. With an oversize message, that is more than the capacity.
    #[inline]
    pub const fn in_use(&self) -> usize {
        self.held
    }

    /// Returns the size of the budget, in bytes.
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
    fn low_water_is_half_rounded_up() {
        for (limit, low_water) in [(1, 1), (2, 1), (3, 2), (1000, 500)] {
            let hwm = Hwm::new(limit);
            assert_eq!((0..).take_while(|&queued| hwm.admits(queued)).count(), limit);
            assert_eq!(hwm.low_water(), low_water);
            assert_eq!((hwm.room(0), hwm.room(limit), hwm.room(limit + 1)), (limit, 0, 0));
        }
        assert_eq!(Hwm::default(), Hwm::from(1000));
    }

    #[test]
    fn zero_hwm_means_unlimited() {
        let hwm = Hwm::new(0);
        assert_eq!((hwm.limit(), hwm.low_water()), (None, 0));
        assert!(hwm.admits(usize::MAX - 1));
        assert_eq!((hwm.to_string(), format!("{:?}", Hwm::new(7))), ("unlimited".into(), "Hwm(7)".into()));
    }

    #[test]
    fn oversize_request_needs_empty_budget() {
        let mut permits = BytePermits::new(10);
        permits.acquire(1);
        assert!(!permits.admits(11));
        permits.release(1);
        assert!(permits.admits(11));
        permits.acquire(11);
        assert_eq!((permits.in_use(), permits.capacity()), (11, 10));
        assert!(!permits.admits(1));
        assert!(permits.admits(0), "nothing needs no room");
        permits.release(11);
        assert!(permits.admits(usize::MAX));
    }

    #[test]
    fn zero_budget_admits_one_request() {
        let mut permits = BytePermits::new(0);
        assert!(permits.admits(5));
        permits.acquire(5);
        assert!(!permits.admits(1));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "more given back")]
    fn giving_excess_permits_panics() {
        BytePermits::new(10).release(1);
    }
}
