//! Two results side by side: each is a file that `mq bench -O json` has written, or an endpoint
//! that is measured now.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Plan, latency};
use crate::args::{BenchArgs, EndpointArgs, Report, parse_endpoint};
use crate::error::Error;
use crate::output::print_line;
use crate::session::Env;

pub(super) async fn run(args: &BenchArgs, env: &Env) -> Result<(), Error> {
    let [one, other] = &*args.results else {
        return Err(Error::Usage("compare takes two results, each a file or the endpoint of a REP".into()));
    };
    let (one, other) = (results(one, args, env).await?, results(other, args, env).await?);
    let rows = rows(&one, &other);
    if rows.is_empty() {
        return Err(Error::Usage("the two results have no measure in common".into()));
    }
    if args.output == Report::Text {
        print_line(&format!("{:<28} {:>14} {:>14} {:>9}", "", "first", "second", "change"))?;
    }
    for row in rows {
        print_line(&row.text(args.output))?;
    }
    Ok(())
}

/// Returns the results of a file, or of an endpoint.
async fn results(source: &str, args: &BenchArgs, env: &Env) -> Result<Vec<Value>, Error> {
    if source.contains("://") {
        let endpoint = parse_endpoint(source).map_err(|error| Error::Usage(format!("{source}: {error}")))?;
        let plan = Plan::new(EndpointArgs::new([], [endpoint]), args, env);
        let figures = latency::ask(plan).await?;
        return Ok(figures.iter().map(|figures| figures.json()).collect());
    }
    let path = PathBuf::from(source);
    let text = fs::read_to_string(&path).map_err(|error| Error::File(path.clone(), error))?;
    let parse = |(n, line): (usize, &str)| {
        serde_json::from_str::<Value>(line).map_err(|error| Error::line(&path, n + 1, error))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

/// One figure of both results.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    measure: &'static str,
    figure: &'static str,
    one: f64,
    other: f64,
}

/// Returns the figures that both results have.
fn rows(one: &[Value], other: &[Value]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (measure, figures) in FIGURES {
        let find = |results: &[Value]| results.iter().find(|result| result["measure"] == measure).cloned();
        let (Some(one), Some(other)) = (find(one), find(other)) else { continue };
        rows.extend(figures.iter().filter_map(|&figure| {
            Some(Row { measure, figure, one: one[figure].as_f64()?, other: other[figure].as_f64()? })
        }));
    }
    rows
}

impl Row {
    fn text(&self, report: Report) -> String {
        let Self { measure, figure, one, other } = self;
        let change = self.change();
        match report {
            Report::Text => {
                let name = format!("{measure} {figure}");
                let change = change.map_or_else(String::new, |change| format!("{change:+.1} %"));
                format!("{name:<28} {one:>14.3} {other:>14.3} {change:>9}")
            }
            Report::Json => {
                json!({ "measure": measure, "figure": figure, "first": one, "second": other, "change_percent": change })
                    .to_string()
            }
        }
    }

    /// Returns by how many percent the second figure is larger.
    fn change(&self) -> Option<f64> {
        (self.one != 0.0).then(|| (self.other / self.one - 1.0) * 100.0)
    }
}

/// The figures that are compared.
const FIGURES: [(&str, &[&str]); 2] = [
    ("throughput", &["messages_per_second", "megabytes_per_second", "cpu_us_per_message"]),
    ("latency", &["p50_us", "p99_us", "p99.9_us", "cpu_us_per_message"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_figures_are_compared() {
        let one = [json!({"measure":"latency","p50_us":20.0,"p99_us":0}), json!({"measure":"throughput"})];
        let other = [json!({"measure":"latency","p50_us":25,"p99_us":1,"p99.9_us":2})];
        let rows = rows(&one, &other);
        assert_eq!(rows.iter().map(Row::change).collect::<Vec<_>>(), [Some(25.0), None]);
        assert!(rows[0].text(Report::Text).ends_with("+25.0 %"), "{rows:?}");
    }
}
