//! Reconnect back-off: the delay before the next attempt to connect. Pure: the caller sleeps.

use std::time::Duration;

/// A sequence of delays that grows from an interval to a maximum, with jitter.
///
/// Each delay is drawn from the upper half of its step, so that peers of one server do not all
/// reconnect to it at the same time.
///
/// ```
/// use std::time::Duration;
/// use monocoque_core::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// assert!(backoff.next_delay() <= Duration::from_millis(100));
/// assert!(backoff.next_delay() <= Duration::from_millis(200));
/// backoff.reset();
/// assert!(backoff.next_delay() <= Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    step: Duration,
    /// The step after a connection that ended early.
    early_step: Duration,
}

impl Backoff {
    /// Starts at `first` and doubles up to `max`; with a `max` below `first` it stays at `first`.
    ///
    /// No delay is shorter than half a millisecond, so that an instant refusal does not spin.
    pub fn new(first: Duration, max: Duration) -> Self {
        let first = first.max(MIN_STEP);
        Self { first, max: max.max(first), step: first, early_step: first }
    }

    /// Returns the next delay.
    pub fn next_delay(&mut self) -> Duration {
        let step = self.step;
        self.step = step.saturating_mul(2).min(self.max);
        jitter(step)
    }

    /// Returns the delay after a connection that ended before a message was received. It grows up
    /// to the longest step.
    pub fn early_disconnect_delay(&mut self) -> Duration {
        let step = self.early_step;
        self.early_step = step.saturating_mul(2).min(self.longest());
        jitter(step)
    }

    /// Returns the delay after a peer has rejected the handshake: of the longest step, which is at
    /// least 32 times the first one. The sequence does not advance.
    pub fn rejected_delay(&self) -> Duration {
        jitter(self.longest())
    }

    fn longest(&self) -> Duration {
        self.max.max(self.first.saturating_mul(REJECTED_FACTOR))
    }

    /// Returns to the first step of failed attempts, after a handshake. Delays after connections
    /// that ended early keep growing.
    pub fn on_established(&mut self) {
        self.step = self.first;
    }

    /// Returns to the first step, after a good connection.
    pub fn reset(&mut self) {
        self.step = self.first;
        self.early_step = self.first;
    }
}

/// Draws a delay from the upper half of a step.
fn jitter(step: Duration) -> Duration {
    let drawn = step.as_secs_f64() * (0.5 + fastrand::f64() / 2.0);
    Duration::try_from_secs_f64(drawn).unwrap_or(step)
}

/// The least ratio of the longest step to the first.
const REJECTED_FACTOR: u32 = 32;
/// The shortest step.
const MIN_STEP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_max_with_jitter() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1000));
        for step in [100, 200, 400, 800, 1000, 1000] {
            let delay = backoff.next_delay();
            assert!(
                delay >= Duration::from_millis(step / 2) && delay <= Duration::from_millis(step),
                "{delay:?}"
            );
        }
        backoff.reset();
        let delays: Vec<_> = (0..8).map(|_| Backoff::next_delay(&mut backoff.clone())).collect();
        assert!(delays.iter().any(|delay| *delay != delays[0]), "no jitter");
    }

    #[test]
    fn rejected_peer_gets_longest_delay() {
        let ms = Duration::from_millis;
        for (max, longest) in [(0, 3200), (1000, 3200), (10_000, 10_000)] {
            let delay = Backoff::new(ms(100), ms(max)).rejected_delay();
            assert!(delay >= ms(longest / 2) && delay <= ms(longest), "{delay:?}");
        }
    }

    #[test]
    fn early_disconnect_delay_grows_to_longest() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), Duration::ZERO);
        for step in [100, 200, 400, 800, 1600, 3200, 3200] {
            let delay = backoff.early_disconnect_delay();
            assert!(delay >= ms(step / 2) && delay <= ms(step), "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.early_disconnect_delay() <= ms(100));
    }

    #[test]
    fn handshake_resets_failures_only() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(5000));
        for _ in 0..10 {
            backoff.next_delay();
            backoff.early_disconnect_delay();
        }
        backoff.on_established();
        assert!(backoff.next_delay() <= ms(100));
        assert!(backoff.early_disconnect_delay() >= ms(2500));
    }

    #[test]
    fn huge_intervals_saturate() {
        for (first, max) in [(Duration::MAX, Duration::MAX), (Duration::from_secs(1 << 62), Duration::MAX)] {
            let mut backoff = Backoff::new(first, max);
            for delay in (0..4).flat_map(|_| [backoff.next_delay(), backoff.early_disconnect_delay()]) {
                assert!(delay >= first / 3, "{delay:?}");
            }
            assert!(backoff.rejected_delay() >= first / 3);
        }
    }

    #[test]
    fn zero_interval_does_not_spin() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!((0..100).all(|_| backoff.next_delay() >= MIN_STEP / 2));
    }
}
