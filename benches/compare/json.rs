//! The results as JSON, with the facts needed to interpret them later.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, io};

use monocoque_bench::machine;
use serde_json::{Value, json};

use crate::job::Role;
use crate::outcome::{Outcome, pairing};
use crate::pair::Measured;

/// Writes all results, for `scripts/analyze_benchmarks.py`.
pub(crate) fn write(
    path: &Path,
    outcomes: &[Outcome<'_>],
    rounds: usize,
    window: Duration,
) -> io::Result<()> {
    let everything = json!({
        "machine": machine::machine(),
        "versions": machine::versions(),
        "command": command(),
        "time": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        "rounds": rounds,
        "seconds": window.as_secs_f64(),
        "rows": outcomes.iter().map(row_json).collect::<Vec<_>>(),
    });
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, format!("{everything:#}\n"))
}

fn row_json(outcome: &Outcome<'_>) -> Value {
    let row = outcome.row;
    let cells: Vec<Value> = (0..row.cells.len()).map(|n| cell_json(outcome, n)).collect();
    json!({
        "name": row.name,
        "from": row.shape.from.to_string(),
        "to": row.shape.to.to_string(),
        "per_receiver": row.shape.to == Role::Sub,
        "transport": format!("{:?}", row.transport).to_lowercase(),
        "size": row.size,
        "placement": format!("{:?}", row.placement),
        "figure": format!("{:?}", row.figure),
        "cells": cells,
    })
}

fn cell_json(outcome: &Outcome<'_>, n: usize) -> Value {
    let cell = &outcome.row.cells[n];
    let median = |of: fn(&Measured) -> f64| outcome.median(n, of);
    let bars: Vec<Value> = outcome
        .verdicts(n)
        .map(|verdict| json!({ "text": verdict.text(outcome.row), "holds": verdict.holds() }))
        .collect();
    let rounds: Vec<Value> = outcome.results[n]
        .iter()
        .map(|result| match result {
            Ok(m) => {
                json!({ "rate": m.rate, "round_trip_ns": m.round_trip, "cpu_ns": m.cpu, "kib": m.memory })
            }
            Err(error) => json!({ "error": error }),
        })
        .collect();
    json!({
        "pairing": pairing(outcome.row, cell),
        "from": cell.from.to_string(),
        "to": cell.to.to_string(),
        "idle": cell.idle,
        "rate": median(|m| m.rate),
        "round_trip_ns": [median(|m| m.round_trip[0]), median(|m| m.round_trip[1]), median(|m| m.round_trip[2])],
        "cpu_ns": [median(|m| m.cpu[0]), median(|m| m.cpu[1])],
        "kib": median(|m| m.memory),
        "ratio": outcome.main_ratio(n),
        "bars": bars,
        "rounds": rounds,
    })
}

/// Returns the command line without arguments that do not affect the figures.
fn command() -> String {
    let mut args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let Some(at) = args.iter().position(|arg| arg == "--json") {
        args.drain(at..at + 2);
    }
    let separator = if args.is_empty() { "" } else { " -- " };
    format!("cargo bench --bench compare --features zmq{separator}{}", args.join(" "))
}
