//! How long to wait before the next attempt to connect. Pure: the caller sleeps.

use std::time::Duration;

/// A sequence of delays that grows from an interval to a maximum, with jitter.
///
/// Each delay is drawn from the upper half of its step, so that peers which lost the same server do not come back in step.
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
}

impl Backoff {
    /// Starts at `first` and doubles up to `max`; with a `max` below `first` it stays at `first`.
    ///
    /// No delay is shorter than half a millisecond, so that an instant refusal does not become a spin.
    pub fn new(first: Duration, max: Duration) -> Self {
        let first = first.max(SHORTEST);
        Self { first, max: max.max(first), step: first }
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let step = self.step;
        self.step = (step * 2).min(self.max);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Back to the first step: the connection was good.
    pub fn reset(&mut self) {
        self.step = self.first;
    }
}

/// The shortest step.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_maximum_and_never_in_step() {
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
    fn an_interval_of_zero_does_not_spin() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert!((0..100).all(|_| backoff.next_delay() >= SHORTEST / 2));
    }
}
