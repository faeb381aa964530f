//! A comparison of Monocoque and libzmq under the same load on the same machine.
//!
//! Every figure is measured between two processes, one for each side, so that processor time is
//! accounted to the side that used it. The receiving side counts. The libraries take turns, round
//! after round, and ratios are computed within a round, so that other load on the machine affects
//! both alike.
//!
//! ```text
//! cargo bench --bench compare --features zmq --
//!     [--list] [--rows TEXT] [--rounds N] [--seconds S] [--json PATH]
//! ```
//!
//! Both processes run this program, started as `compare --end ...`; see [`job`].

mod ends;
mod job;
mod json;
mod measure;
mod outcome;
mod pair;
mod report;
mod rows;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use outcome::Outcome;
use rows::Row;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [first, job @ ..] = &words[..]
        && first == job::CHILD
    {
        return ends::run(job);
    }
    match Args::parse(&words) {
        Ok(args) => compare(&args),
        Err(mistake) => {
            eprintln!("{mistake}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn compare(args: &Args) -> ExitCode {
    let rows: Vec<Row> = rows::all().into_iter().filter(|row| row.name.contains(&args.rows)).collect();
    if args.list {
        for row in &rows {
            println!("{}", row.name);
        }
        return ExitCode::SUCCESS;
    }
    report::head();
    let outcomes: Vec<Outcome<'_>> = rows
        .iter()
        .map(|row| {
            let outcome = measure_row(row, args);
            report::print(&outcome);
            outcome
        })
        .collect();
    report::conclude(&outcomes);
    if let Err(error) = json::write(&args.json, &outcomes, args.rounds, args.window) {
        eprintln!("{}: {error}", args.json.display());
        return ExitCode::FAILURE;
    }
    // A missed bar is a result; a figure that could not be measured is a failure.
    match outcomes.iter().any(Outcome::has_failed) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// Measures the cells one after the other, round after round.
fn measure_row<'r>(row: &'r Row, args: &Args) -> Outcome<'r> {
    let mut outcome = Outcome::new(row);
    for _ in 0..args.rounds {
        for (cell, results) in row.cells.iter().zip(&mut outcome.results) {
            results.push(pair::measure(row, cell, args.window));
        }
    }
    outcome
}

struct Args {
    rows: String,
    rounds: usize,
    window: Duration,
    json: PathBuf,
    list: bool,
}

impl Args {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut args = Self {
            rows: String::new(),
            rounds: 5,
            window: Duration::from_secs(1),
            json: Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/compare.json"),
            list: false,
        };
        let mut words = words.iter();
        while let Some(flag) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--rows" => args.rows.clone_from(value()?),
                "--rounds" => args.rounds = number(value()?)?,
                "--seconds" => {
                    args.window =
                        Duration::try_from_secs_f64(number(value()?)?).map_err(|e| e.to_string())?;
                }
                "--json" => args.json = value()?.into(),
                "--list" => args.list = true,
                // An argument that `cargo bench` adds.
                "--bench" => {}
                _ => return Err(format!("unknown argument: {flag}")),
            }
        }
        Ok(args)
    }
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}

const USAGE: &str = "\
usage: cargo bench --bench compare --features zmq -- [OPTIONS]
  --list          prints the rows and ends
  --rows TEXT     only the rows whose name contains TEXT
  --rounds N      how often each figure is taken; medians are reported (default: 5)
  --seconds S     how long each time (default: 1)
  --json PATH     where the figures go (default: target/compare.json)";
