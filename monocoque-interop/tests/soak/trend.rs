//! Evaluation of a series of figures for growth.
//!
//! The first quarter is warm-up. A series grows if two measures of the rest agree: the Theil-Sen
//! slope over the whole time, which is the median of the slopes between all pairs and insensitive
//! to outliers; and the median of the last third compared with that of the first. Growth within the
//! tolerance does not count.

use std::fmt;

/// The allowed growth: the larger of the two values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    /// Relative to the median of the first third.
    pub(crate) relative: f64,
    pub(crate) absolute: f64,
}

impl Tolerance {
    /// For figures that are printed only.
    pub(crate) const NONE: Self = Self { relative: f64::INFINITY, absolute: f64::INFINITY };
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    tolerance: Tolerance,
    points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) grows: bool,
    first: f64,
    last: f64,
    by_slope: f64,
    allowed: f64,
}

impl Column {
    pub(crate) fn new(name: &'static str, tolerance: Tolerance) -> Self {
        Self { name, tolerance, points: Vec::new() }
    }

    pub(crate) fn put(&mut self, at: f64, figure: f64) {
        self.points.push((at, figure));
    }

    pub(crate) fn evaluate(&self) -> Verdict {
        let points = &self.points[self.points.len() / 4..];
        assert!(points.len() >= 6, "too few figures");
        let third = points.len() / 3;
        let figures = |points: &[(f64, f64)]| median(points.iter().map(|(_, figure)| *figure).collect());
        let (first, last) = (figures(&points[..third]), figures(&points[points.len() - third..]));
        let time = points[points.len() - 1].0 - points[0].0;
        let by_slope = slope(points) * time;
        let allowed = self.tolerance.absolute.max(first * self.tolerance.relative);
        // The middles of the two thirds are two thirds of the time apart.
        let grows = by_slope > allowed && last - first > allowed * 2.0 / 3.0;
        Verdict { grows, first, last, by_slope, allowed }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grows, first, last, by_slope, allowed } = self;
        let word = if *grows { "GROWS" } else { "steady" };
        write!(
            f,
            "{word}: median {first:.1}, then {last:.1}; {by_slope:+.1} by its slope, {allowed:.1} allowed"
        )
    }
}

/// Returns the median of the slopes between all pairs.
fn slope(points: &[(f64, f64)]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(n, a)| points[n + 1..].iter().map(move |b| (a, b)));
    median(pairs.map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(figure: impl Fn(f64) -> f64) -> Verdict {
        let mut column = Column::new("x", Tolerance { relative: 0.1, absolute: 50.0 });
        (0..60).map(|n| f64::from(n) * 5.0).for_each(|at| column.put(at, figure(at)));
        column.evaluate()
    }

    /// Returns reproducible noise.
    fn noise(at: f64) -> f64 {
        (at * 12.9898).sin() * 43_758.547 % 40.0
    }

    #[test]
    fn noisy_constant_series_is_steady() {
        assert!(!evaluate(|_| 1_000.0).grows);
        assert!(!evaluate(|at| 1_000.0 + noise(at)).grows);
        assert!(
            !evaluate(|at| 1_000.0 + if (at as u32).is_multiple_of(35) { 100_000.0 } else { noise(at) })
                .grows
        );
        assert!(!evaluate(|at| 1_000.0 - at).grows, "shrinking is not growth");
    }

    #[test]
    fn early_growth_is_steady() {
        assert!(!evaluate(|at| 1_000.0 + at.min(70.0) * 50.0).grows);
    }

    #[test]
    fn noisy_growth_is_detected() {
        assert!(evaluate(|at| 1_000.0 + at).grows);
        assert!(evaluate(|at| 1_000.0 + at * 2.0 + noise(at)).grows);
        assert!(
            evaluate(|at| 1_000.0 + at * 2.0 + if (at as u32).is_multiple_of(35) { 100_000.0 } else { 0.0 })
                .grows
        );
        assert!(evaluate(|at| 1_000.0 + (at / 50.0).floor() * 100.0).grows, "growth in steps");
    }

    #[test]
    fn growth_within_tolerance_is_steady() {
        assert!(!evaluate(|at| 1_000.0 + at * 0.2).grows);
    }
}
