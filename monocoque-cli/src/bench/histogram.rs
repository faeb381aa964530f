//! A histogram of times, of bounded size whatever the number of times.

use std::time::Duration;

use anstyle::Style;

use crate::terminal::NAME;

/// Times in buckets whose width is at most 1.6 % of their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Indexed by [`bucket`].
    counts: Vec<u64>,
    count: u64,
    min: Option<Duration>,
    max: Duration,
}

impl Histogram {
    pub(super) fn add(&mut self, time: Duration) {
        let bucket = bucket(nanoseconds(time));
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.min = Some(self.min.map_or(time, |min| min.min(time)));
        self.max = self.max.max(time);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn min(&self) -> Duration {
        self.min.unwrap_or_default()
    }

    pub(super) fn max(&self) -> Duration {
        self.max
    }

    /// Returns the time that the given part of all times, in thousandths, does not exceed.
    pub(super) fn per_mille(&self, part: u64) -> Duration {
        let rank = (self.count * part).div_ceil(1000).max(1);
        let mut below = 0;
        let reached = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        });
        let time = reached.map_or(self.max, |bucket| Duration::from_nanos(upper_bound(bucket)));
        time.clamp(self.min(), self.max)
    }

    /// Returns the histogram as lines of text, with bounds that grow by the same factor. Times
    /// beyond 99 % are in the last line.
    pub(super) fn lines(&self, style: Style) -> Vec<String> {
        let (low, high) = (nanoseconds(self.min()).max(1) as f64, nanoseconds(self.per_mille(990)) as f64);
        if self.count == 0 {
            return Vec::new();
        }
        let factor = (high / low).max(1.0).powf(1.0 / ROWS as f64);
        let mut rows = [0_u64; ROWS];
        for (bucket, count) in self.counts.iter().enumerate() {
            let value = upper_bound(bucket) as f64;
            let row = if factor > 1.0 { (value / low).ln() / factor.ln() } else { 0.0 };
            // The cast saturates: a row beyond the last is the last.
            rows[(row.max(0.0) as usize).min(ROWS - 1)] += count;
        }
        let most = rows.iter().copied().max().unwrap_or_default().max(1);
        let row = |(n, count): (usize, &u64)| {
            let bound = low * factor.powi(i32::try_from(n + 1).unwrap_or(i32::MAX)) / 1e3;
            let (sign, bound) =
                if n + 1 == ROWS { ("> ", low * factor.powi(ROWS as i32 - 1) / 1e3) } else { ("<= ", bound) };
            let share = *count as f64 * 100.0 / self.count as f64;
            format!("{sign:>5}{bound:>9.1} µs {style}{:<WIDTH$}{style:#} {share:>5.1} %", bar(*count, most))
        };
        rows.iter().enumerate().map(row).collect()
    }

    /// Returns the colour of bars.
    pub(super) fn style() -> Style {
        NAME
    }
}

/// Returns a bar whose length is in proportion, to an eighth of a column.
fn bar(count: u64, most: u64) -> String {
    let eighths =
        usize::try_from(u128::from(count) * WIDTH as u128 * 8 / u128::from(most)).unwrap_or_default();
    let mut bar = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1) {
        bar.extend("▏▎▍▌▋▊▉".chars().nth(part));
    } else if bar.is_empty() && count > 0 {
        bar.push('▏');
    }
    bar
}

/// Returns the bucket of a value: one each up to 128, then 64 for each power of two.
fn bucket(value: u64) -> usize {
    let exponent = (63 - (value | 1).leading_zeros()).saturating_sub(PRECISION);
    let index = u64::from(exponent) * (1 << PRECISION) + (value >> exponent);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Returns the largest value of a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let exponent = (bucket >> PRECISION).saturating_sub(1);
    let lower = (bucket - (exponent << PRECISION)) << exponent;
    lower + (1 << exponent) - 1
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The logarithm of the number of buckets for a power of two.
const PRECISION: u32 = 6;
/// The lines of a printed histogram, and the columns of its longest bar.
const ROWS: usize = 12;
const WIDTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_all_values() {
        let mut last = 0;
        for value in (0..1000).chain((10..64).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + (1 << (n - 2))]))
        {
            let bucket = bucket(value);
            assert!(bucket >= last && upper_bound(bucket) >= value, "{value}");
            assert!(upper_bound(bucket) as f64 <= (value as f64) * 1.016 + 1.0, "{value}");
            last = bucket;
        }
    }

    #[test]
    fn percentiles_are_close_to_values() {
        let mut times = Histogram::default();
        (1..=10_000).rev().for_each(|n| times.add(Duration::from_micros(n)));
        for (part, expected) in [(500, 5000.0), (990, 9900.0), (999, 9990.0), (1000, 10_000.0)] {
            let found = times.per_mille(part).as_secs_f64() * 1e6;
            assert!((found / expected - 1.0).abs() < 0.016, "{part}: {found}");
        }
        assert_eq!((times.min(), times.max()), (Duration::from_micros(1), Duration::from_millis(10)));
    }

    #[test]
    fn equal_times_share_one_percentile() {
        let mut times = Histogram::default();
        times.add(Duration::from_micros(5));
        assert_eq!((times.per_mille(500), times.per_mille(999)), (times.min(), times.max()));
    }

    #[test]
    fn histogram_lines_hold_all_times() {
        let mut times = Histogram::default();
        (1..=1000).for_each(|n| times.add(Duration::from_micros(n)));
        let lines = times.lines(Style::new());
        assert_eq!(lines.len(), ROWS);
        let share = |line: &String| line.rsplit(' ').nth(1).unwrap().parse::<f64>().unwrap();
        let sum: f64 = lines.iter().map(share).sum();
        assert!((sum - 100.0).abs() < 1.0, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(&"█".repeat(WIDTH))), "{lines:?}");
        assert!(Histogram::default().lines(Style::new()).is_empty());
    }
}
