//! The results as a table.

use crate::outcome::{Outcome, Verdict, pairing};
use crate::rows::Figure;

pub(crate) fn head() {
    line(["row", "from > to", "msg/s, or us p50/p99/p99.9", "CPU ns/msg", "ratio", "bars"]);
}

pub(crate) fn print(outcome: &Outcome<'_>) {
    for (n, cell) in outcome.row.cells.iter().enumerate() {
        let figure = match outcome.row.figure {
            Figure::Rate => outcome.median(n, |m| m.rate).map(rate),
            Figure::RoundTrip => {
                let micros = [0, 1, 2].map(|i| outcome.median(n, |m| m.round_trip[i] / 1000.0));
                micros[0].map(|_| micros.map(|us| format!("{:.1}", us.unwrap_or(0.0))).join(" / "))
            }
            Figure::Memory => outcome.median(n, |m| m.memory).map(|kib| format!("{kib:.1} KiB")),
        };
        let cpu = [0, 1].map(|end| outcome.median(n, |m| m.cpu[end]));
        let cpu = match (outcome.row.figure, cpu) {
            (Figure::Rate | Figure::RoundTrip, [Some(from), Some(to)]) => format!("{from:.0} + {to:.0}"),
            _ => String::new(),
        };
        let ratio = match n {
            0 => None,
            _ => outcome.main_ratio(n),
        };
        line([
            if n == 0 { &outcome.row.name } else { "" },
            &pairing(outcome.row, cell),
            figure.as_deref().unwrap_or("failed"),
            &cpu,
            &ratio.map(|ratio| format!("{ratio:.2}x")).unwrap_or_default(),
            &outcome.verdicts(n).map(|verdict| verdict.text(outcome.row)).collect::<Vec<_>>().join("; "),
        ]);
        for (round, result) in outcome.results[n].iter().enumerate() {
            if let Err(error) = result {
                println!("  round {round}: {error}");
            }
        }
    }
}

pub(crate) fn conclude(outcomes: &[Outcome<'_>]) {
    let all = || outcomes.iter().flat_map(|o| (0..o.row.cells.len()).flat_map(|cell| o.verdicts(cell)));
    println!("{} of {} bars hold", all().filter(Verdict::holds).count(), all().count());
}

fn line([row, pairing, figure, cpu, ratio, bars]: [&str; 6]) {
    let text = format!("{row:<39} {pairing:<24} {figure:>26} {cpu:>19} {ratio:>8}  {bars}");
    println!("{}", text.trim_end());
}

fn rate(per_second: f64) -> String {
    match per_second {
        _ if per_second >= 1e6 => format!("{:.2} M", per_second / 1e6),
        _ if per_second >= 1e4 => format!("{:.0} k", per_second / 1e3),
        _ => format!("{:.2} k", per_second / 1e3),
    }
}
