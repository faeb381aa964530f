//! When deadlines are, and what one is worth that fires late. Pure: instants are arguments.
//!
//! A deadline fires late when the thread that waits for it has stood still: the process was stopped, or the caller's code kept
//! a runtime busy. What the other end did meanwhile has not been looked at, and what we were to send has not been sent. So
//! time in which we stood still is not held against the other end.

use std::time::{Duration, Instant};

/// The deadline that is `duration` after `now`; `None`, never, if that is beyond the clock.
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

/// How often deadlines may still fire late without a consequence.
///
/// The one whom they are about then has its whole time again. Bounded: who is dead is given up in the end, also by a thread that
/// stands still again and again.
///
/// ```
/// use std::time::{Duration, Instant};
/// use monocoque_core::deadline::Excuses;
///
/// let (mut excuses, deadline) = (Excuses::new(), Instant::now());
/// assert!(!excuses.excuse(deadline, deadline), "in time");
/// assert!(excuses.excuse(deadline, deadline + Duration::from_secs(10)));
/// ```
#[derive(Debug)]
pub struct Excuses {
    left: u32,
}

impl Excuses {
    /// As many as there are.
    pub const fn new() -> Self {
        Self { left: EXCUSES }
    }

    /// Whether a deadline that is served at `now` is excused.
    pub fn excuse(&mut self, deadline: Instant, now: Instant) -> bool {
        let is_late = now.saturating_duration_since(deadline) >= LATE;
        let excused = is_late && self.left > 0;
        self.left -= u32::from(excused);
        excused
    }

    /// The other end has been heard: all excuses are there again.
    pub const fn renew(&mut self) {
        *self = Self::new();
    }
}

impl Default for Excuses {
    fn default() -> Self {
        Self::new()
    }
}

/// By how much a timer fires late at least if its thread has stood still.
const LATE: Duration = Duration::from_millis(20);
/// How many late deadlines in a row are excused.
const EXCUSES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_deadlines_are_excused_until_excuses_run_out() {
        let (mut excuses, deadline) = (Excuses::new(), Instant::now());
        let served =
            |excuses: &mut Excuses, late| excuses.excuse(deadline, deadline + Duration::from_millis(late));
        assert!(!served(&mut excuses, 0) && !served(&mut excuses, 19), "as timers are");
        for _ in 0..2 {
            assert!((0..EXCUSES).all(|_| served(&mut excuses, 20)));
            assert!(!served(&mut excuses, 10_000), "all are used up");
            excuses.renew();
        }
    }

    #[test]
    fn durations_beyond_the_clock_mean_never() {
        let now = Instant::now();
        for duration in [Duration::MAX, Duration::from_secs(u64::MAX)] {
            assert_eq!(after(now, duration), None);
        }
        assert!(after(now, Duration::from_secs(u64::MAX / 4)).is_some());
    }
}
