//! The measurements of a row, and their evaluation: medians, ratios, and whether the bars are met.

use crate::measure::median;
use crate::pair::{MeasureResult, Measured};
use crate::rows::{Against, Bar, Cell, Figure, Limit, Metric, Row};

/// A row with the measurements of its cells, round by round.
pub(crate) struct Outcome<'r> {
    pub(crate) row: &'r Row,
    pub(crate) results: Vec<Vec<MeasureResult>>,
}

/// A bar and the value of the cell.
pub(crate) struct Verdict<'b> {
    bar: &'b Bar,
    /// `None` if it could not be measured.
    value: Option<f64>,
}

impl<'r> Outcome<'r> {
    pub(crate) fn new(row: &'r Row) -> Self {
        Self { row, results: row.cells.iter().map(|_| Vec::new()).collect() }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.results.iter().flatten().any(Result::is_err)
    }

    pub(crate) fn median(&self, cell: usize, of: impl Fn(&Measured) -> f64) -> Option<f64> {
        median(self.results[cell].iter().flatten().map(of).collect())
    }

    /// Returns the median of the ratios within a round.
    fn ratio(&self, cell: usize, other: usize, of: impl Fn(&Measured) -> f64) -> Option<f64> {
        let rounds = self.results[cell].iter().zip(&self.results[other]);
        median(rounds.filter_map(|(a, b)| Some(of(a.as_ref().ok()?) / of(b.as_ref().ok()?))).collect())
    }

    /// Returns the ratio to the first cell in the figure of the row.
    pub(crate) fn main_ratio(&self, cell: usize) -> Option<f64> {
        let metric = match self.row.figure {
            Figure::Rate => Metric::Rate,
            Figure::RoundTrip => Metric::Median,
            Figure::Memory => Metric::Memory,
        };
        self.ratio(cell, 0, |measured| metric.of(measured))
    }

    pub(crate) fn verdicts(&self, cell: usize) -> impl Iterator<Item = Verdict<'_>> {
        self.row.bars.iter().filter(move |bar| bar.cell == cell).map(|bar| {
            let of = |measured: &Measured| bar.metric.of(measured);
            let value = match bar.against {
                Against::Cell(other) => self.ratio(bar.cell, other, of),
                Against::Nothing => self.median(bar.cell, of),
            };
            Verdict { bar, value }
        })
    }
}

impl Metric {
    fn of(self, measured: &Measured) -> f64 {
        match self {
            Self::Rate => measured.rate,
            Self::Cpu => measured.cpu.iter().sum(),
            Self::Median => measured.round_trip[0],
            Self::Memory => measured.memory,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Cpu => "CPU",
            Self::Median => "p50",
            Self::Memory => "KiB",
        }
    }
}

impl Verdict<'_> {
    pub(crate) fn holds(&self) -> bool {
        self.value.is_some_and(|value| match self.bar.limit {
            Limit::AtLeast(limit) => value >= limit,
            Limit::AtMost(limit) => value <= limit,
        })
    }

    pub(crate) fn text(&self, row: &Row) -> String {
        let Self { bar, value } = self;
        let value = value.map_or_else(|| "?".to_owned(), |value| format!("{value:.2}"));
        let limit = match bar.limit {
            Limit::AtLeast(limit) => format!(">= {limit:.2}"),
            Limit::AtMost(limit) => format!("<= {limit:.2}"),
        };
        let against = match bar.against {
            Against::Cell(0) | Against::Nothing => String::new(),
            Against::Cell(other) => format!(" of {}", pairing(row, &row.cells[other])),
        };
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        format!("{} {value}{against} {limit}: {verdict}", bar.metric.name())
    }
}

/// Returns `LIBRARY > LIBRARY`: the first one sends or requests. For memory, it has the
/// connections.
pub(crate) fn pairing(row: &Row, cell: &Cell) -> String {
    match (row.figure, cell.idle) {
        (Figure::Memory, _) => cell.to.to_string(),
        (_, 0) => format!("{} > {}", cell.from, cell.to),
        (_, idle) => format!("{} > {}, {idle} idle", cell.from, cell.to),
    }
}
