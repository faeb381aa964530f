//! The results of a benchmark, as text and as JSON.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use serde_json::{Value, json};

use super::histogram::Histogram;
use crate::args::Report;

#[derive(Clone, Debug)]
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
    /// The processor time of this process.
    pub(super) cpu: Duration,
}

/// The times from a request to its reply.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    pub(super) times: Histogram,
    pub(super) size: usize,
    /// The processor time of this process.
    pub(super) cpu: Duration,
}

impl Figures {
    /// Returns the lines to print.
    pub(super) fn text(&self, report: Report) -> String {
        match (self, report) {
            (_, Report::Json) => self.json().to_string(),
            (Self::Throughput(throughput), Report::Text) => throughput.text(),
            (Self::Latency(latency), Report::Text) => latency.text(),
        }
    }

    /// Returns the results as an object, which can be compared with another one.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Throughput(throughput) => throughput.json(),
            Self::Latency(latency) => latency.json(),
        }
    }
}

impl Throughput {
    fn text(&self) -> String {
        let Self { messages, bytes, elapsed, cpu } = self;
        let (rate, megabytes) = (self.rate(*messages), self.rate(*bytes) / 1e6);
        let cpu = microseconds_of_each(*cpu, *messages);
        format!(
            "throughput: {rate:.0} msg/s, {megabytes:.1} MB/s, CPU {cpu:.3} µs/msg ({messages} messages, {bytes} bytes in {elapsed:.3?})"
        )
    }

    fn json(&self) -> Value {
        json!({
            "measure": "throughput",
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": self.elapsed.as_secs_f64(),
            "messages_per_second": self.rate(self.messages),
            "megabytes_per_second": self.rate(self.bytes) / 1e6,
            "cpu_us_per_message": microseconds_of_each(self.cpu, self.messages),
        })
    }

    /// Returns an amount per second; zero if no time has passed.
    fn rate(&self, amount: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { amount as f64 / seconds } else { 0.0 }
    }
}

impl Latency {
    /// Returns the figures, and on a terminal the histogram.
    fn text(&self) -> String {
        let Self { times, size, cpu } = self;
        let [p50, p99, p999] = [500, 990, 999].map(|part| us(times.per_mille(part)));
        let (min, max) = (us(times.min()), us(times.max()));
        let cpu = microseconds_of_each(*cpu, times.count());
        let figures = format!(
            "latency: p50 {p50}, p99 {p99}, p99.9 {p999}, from {min} to {max}, CPU {cpu:.3} µs/msg ({} round trips of {size} bytes)",
            times.count()
        );
        if !stdout().is_terminal() {
            return figures;
        }
        [figures].into_iter().chain(times.lines(Histogram::style())).collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> Value {
        let Self { times, size, cpu } = self;
        let [p50, p99, p999] = [500, 990, 999].map(|part| microseconds(times.per_mille(part)));
        json!({
            "measure": "latency",
            "round_trips": times.count(),
            "size": size,
            "min_us": microseconds(times.min()),
            "p50_us": p50,
            "p99_us": p99,
            "p99.9_us": p999,
            "max_us": microseconds(times.max()),
            "cpu_us_per_message": microseconds_of_each(*cpu, times.count()),
        })
    }
}

fn us(time: Duration) -> String {
    format!("{:.1} µs", microseconds(time))
}

fn microseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn microseconds_of_each(time: Duration, messages: u64) -> f64 {
    if messages == 0 { 0.0 } else { microseconds(time) / messages as f64 }
}
