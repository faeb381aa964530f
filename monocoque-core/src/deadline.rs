//! Deadlines, and the grace for those that fire late. Pure: instants are arguments.
//!
//! A deadline fires late when its thread has stood still: the process was stopped, or the code of
//! the caller kept the runtime busy. What the peer sent meanwhile has not been read, and what we
//! were to send has not been sent. So time in which the thread stood still does not count against
//! the peer.

use std::time::{Duration, Instant};

/// Returns the deadline that is `duration` after `now`; `None`, never, if that is beyond the clock.
///
/// ```
/// use std::time::{Duration, Instant};
/// use monocoque_core::deadline;
///
/// let now = Instant::now();
/// assert_eq!(deadline::after(now, Duration::ZERO), Some(now));
/// assert_eq!(deadline::after(now, Duration::MAX), None);
/// ```
pub fn after(now: Instant, duration: Duration) -> Option<Instant> {
    now.checked_add(duration)
}

/// A count of the deadlines that may still fire late without a consequence.
///
/// A deadline that is granted grace starts again, with its whole time. The number is bounded: a
/// dead peer is given up in the end, also by a thread that stands still again and again.
///
/// ```
/// use std::time::{Duration, Instant};
/// use monocoque_core::deadline::StallGrace;
///
/// let (mut grace, deadline) = (StallGrace::new(), Instant::now());
/// assert!(!grace.grant(deadline, deadline), "in time");
/// assert!(grace.grant(deadline, deadline + Duration::from_secs(10)));
/// ```
#[derive(Debug)]
pub struct StallGrace {
    left: u32,
}

impl StallGrace {
    /// A count of three deadlines in a row.
    pub const fn new() -> Self {
        Self { left: MAX_GRANTS }
    }

    /// Returns true if a deadline that is served at `now` fired late and has grace, and counts it.
    pub fn grant(&mut self, deadline: Instant, now: Instant) -> bool {
        let has_stalled = now.saturating_duration_since(deadline) >= STALL_MIN;
        let granted = has_stalled && self.left > 0;
        self.left -= u32::from(granted);
        granted
    }

    /// Starts the count again, once bytes of the peer have arrived.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for StallGrace {
    fn default() -> Self {
        Self::new()
    }
}

/// The least lateness of a timer that shows that its thread has stood still.
const STALL_MIN: Duration = Duration::from_millis(20);
/// The most late deadlines in a row that have grace.
const MAX_GRANTS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_deadline_excuses_run_out() {
        let (mut grace, deadline) = (StallGrace::new(), Instant::now());
        let served =
            |grace: &mut StallGrace, late| grace.grant(deadline, deadline + Duration::from_millis(late));
        assert!(!served(&mut grace, 0) && !served(&mut grace, 19), "as timers are");
        for _ in 0..2 {
            assert!((0..MAX_GRANTS).all(|_| served(&mut grace, 20)));
            assert!(!served(&mut grace, 10_000), "all are used up");
            grace.reset();
        }
    }

    #[test]
    fn huge_duration_means_no_deadline() {
        let now = Instant::now();
        for duration in [Duration::MAX, Duration::from_secs(u64::MAX)] {
            assert_eq!(after(now, duration), None);
        }
        assert!(after(now, Duration::from_secs(u64::MAX / 4)).is_some());
    }
}
