//! Repetitions of a failure, which are counted instead of printed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use monocoque::Endpoint;

/// The failures of peers that connect, each with those that have followed.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Failure, Repeated>);

/// A failure. Those that are equal are repetitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Failure {
    /// The endpoint that the peer has connected to.
    pub(super) endpoint: Endpoint,
    /// The address of the peer, without a port, which is another one each time.
    pub(super) address: String,
    /// The key or the user name that was refused, if it is known.
    pub(super) claim: Option<String>,
    /// The text after the address.
    pub(super) text: String,
}

#[derive(Debug)]
struct Repeated {
    /// The number since the last line.
    count: u64,
    /// The time of the next line.
    due: Instant,
    /// The time from one line to the next.
    interval: Duration,
}

impl Repeats {
    /// Counts a failure. Returns whether it is new, and to be printed.
    pub(super) fn insert(&mut self, mut failure: Failure, now: Instant) -> bool {
        if self.0.len() >= FAILURES && !self.0.contains_key(&failure) {
            // Strangers can have many addresses.
            failure.address = "others".into();
            failure.claim = None;
        }
        let mut is_new = false;
        let repeated = self.0.entry(failure).or_insert_with(|| {
            is_new = true;
            Repeated { count: 0, due: now + INTERVAL, interval: INTERVAL }
        });
        repeated.count += u64::from(!is_new);
        is_new
    }

    /// Returns the time of the next summary.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().map(|repeated| repeated.due).min()
    }

    /// Returns the lines that are due. A failure without a repetition is new the next time.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        self.0.retain(|failure, repeated| {
            if repeated.due > now {
                return true;
            }
            lines.extend(failure.summary(repeated.count));
            let is_repeated = repeated.count > 0;
            repeated.interval = (repeated.interval * 2).min(INTERVAL_MAX);
            repeated.due = now + repeated.interval;
            repeated.count = 0;
            is_repeated
        });
        lines
    }

    /// Returns the lines about all repetitions that are left.
    pub(super) fn take_all(&mut self) -> Vec<String> {
        self.0.drain().filter_map(|(failure, repeated)| failure.summary(repeated.count)).collect()
    }
}

impl Failure {
    /// Returns a line about repetitions, if there are any.
    fn summary(&self, count: u64) -> Option<String> {
        let Self { address, text, .. } = self;
        let times = if count == 1 { "1 more time".into() } else { format!("{count} more times") };
        (count > 0).then(|| format!("{address} {text}: {times}"))
    }
}

/// How long repetitions are counted at first, before a line gives their number, and at most.
const INTERVAL: Duration = Duration::from_secs(10);
const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// The maximum number of failures that are told apart.
const FAILURES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(address: &str, claim: Option<&str>) -> Failure {
        let endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        let (address, claim) = (address.to_owned(), claim.map(str::to_owned));
        Failure { endpoint, address, claim, text: "was refused".into() }
    }

    #[test]
    fn repetitions_are_summed_up_when_due() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        assert!(repeats.insert(failure("a", None), now));
        assert_eq!(repeats.due(), Some(now + INTERVAL));
        assert!(!repeats.insert(failure("a", None), now) && !repeats.insert(failure("a", None), now));
        assert!(repeats.take_due(now).is_empty());
        assert_eq!(repeats.take_due(now + INTERVAL), ["a was refused: 2 more times"]);
        assert!(!repeats.insert(failure("a", None), now + INTERVAL), "the repetitions go on");
        assert_eq!(repeats.take_due(now + 3 * INTERVAL), ["a was refused: 1 more time"]);
        assert!(repeats.take_due(now + 7 * INTERVAL).is_empty());
        assert!(repeats.insert(failure("a", None), now + 7 * INTERVAL), "they had ended");
    }

    #[test]
    fn other_address_or_claim_is_new() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let failures = [failure("a", None), failure("b", None), failure("a", Some("anna"))];
        for failure in failures {
            assert!(repeats.insert(failure.clone(), now), "{failure:?}");
            assert!(!repeats.insert(failure, now));
        }
        assert_eq!(repeats.take_all().len(), 3);
    }

    #[test]
    fn many_addresses_are_counted_together() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let new = |n: usize| failure(&n.to_string(), None);
        assert!((0..=FAILURES).all(|n| repeats.insert(new(n), now)));
        assert!(!(0..FAILURES + 9).any(|n| repeats.insert(new(n), now)));
        assert_eq!(repeats.0.len(), FAILURES + 1);
        assert!(repeats.take_all().contains(&"others was refused: 9 more times".into()));
    }
}
