//! The results of a benchmark, as text and as JSON.

use std::time::Duration;

use serde_json::json;

use crate::args::Report;

#[derive(Clone, Copy, Debug)]
pub(super) enum Figures {
    Throughput(Throughput),
    Latency(Latency),
}

/// The messages received after the first one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) elapsed: Duration,
}

/// The times from a request to its reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    round_trips: usize,
    size: usize,
    min: Duration,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Latency {
    /// Computes the statistics; `None` if there are no times.
    pub(super) fn of(mut times: Vec<Duration>, size: usize) -> Option<Self> {
        times.sort_unstable();
        let (&min, &max) = (times.first()?, times.last()?);
        // The time that the given percentage of the round trips does not exceed.
        let percentile = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self { round_trips: times.len(), size, min, p50: percentile(50), p99: percentile(99), max })
    }
}

impl Figures {
    pub(super) fn line(&self, report: Report) -> String {
        match (self, report) {
            (Self::Throughput(throughput), Report::Text) => throughput.text(),
            (Self::Throughput(throughput), Report::Json) => throughput.json(),
            (Self::Latency(latency), Report::Text) => latency.text(),
            (Self::Latency(latency), Report::Json) => latency.json(),
        }
    }
}

impl Throughput {
    fn text(&self) -> String {
        let Self { messages, bytes, elapsed } = self;
        let (rate, megabytes) = (self.rate(*messages), self.rate(*bytes) / 1e6);
        format!(
            "throughput: {rate:.0} msg/s, {megabytes:.1} MB/s ({messages} messages, {bytes} bytes in {elapsed:.3?})"
        )
    }

    fn json(&self) -> String {
        json!({
            "measure": "throughput",
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": self.elapsed.as_secs_f64(),
            "messages_per_second": self.rate(self.messages),
            "megabytes_per_second": self.rate(self.bytes) / 1e6,
        })
        .to_string()
    }

    /// Returns an amount per second; zero if no time has passed.
    fn rate(&self, amount: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { amount as f64 / seconds } else { 0.0 }
    }
}

impl Latency {
    fn text(&self) -> String {
        let Self { round_trips, size, min, p50, p99, max } = self;
        let us = |time: &Duration| format!("{:.1} µs", microseconds(time));
        let (min, p50, p99, max) = (us(min), us(p50), us(p99), us(max));
        format!(
            "latency: p50 {p50}, p99 {p99}, from {min} to {max} ({round_trips} round trips of {size} bytes)"
        )
    }

    fn json(&self) -> String {
        json!({
            "measure": "latency",
            "round_trips": self.round_trips,
            "size": self.size,
            "min_us": microseconds(&self.min),
            "p50_us": microseconds(&self.p50),
            "p99_us": microseconds(&self.p99),
            "max_us": microseconds(&self.max),
        })
        .to_string()
    }
}

fn microseconds(time: &Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let times = (1..=200).rev().map(Duration::from_micros).collect();
        let latency = Latency::of(times, 1).unwrap();
        assert_eq!((latency.p50, latency.p99), (Duration::from_micros(100), Duration::from_micros(198)));
        let one = Latency::of(vec![Duration::from_micros(5)], 1).unwrap();
        assert_eq!((one.p50, one.p99), (one.min, one.max));
        assert!(Latency::of(Vec::new(), 1).is_none());
    }
}
