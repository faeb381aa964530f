//! Lines on standard error about the connections of a socket.
//!
//! [`endpoints`] keeps the state of each endpoint, so that a failure is reported once and is in the
//! text of a timeout. [`repeats`] folds the repetitions of events for --verbose.

mod endpoints;
mod repeats;

use std::rc::Rc;

use futures_lite::StreamExt;
use futures_lite::future::or;
use monocoque::{Monitor, SocketEvent};

use crate::security::{Explanation, Failures};
use crate::terminal::{info, warn};
use endpoints::Change;
pub(crate) use endpoints::Endpoints;
use repeats::Repeats;

/// The events that are printed on standard error, in addition to failures of security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// None, and no failures of security either: the command shows what is wrong on a screen.
    Silent,
    /// None: the command prints all of them on standard output.
    Explanations,
    /// The first failure of each endpoint, and that it works again.
    Failures,
    /// All.
    Events,
}

/// Prints the events of a socket until it is closed.
pub(crate) async fn print(
    mut monitor: Monitor,
    verbosity: Verbosity,
    endpoints: Rc<Endpoints>,
    mut security: Failures,
) {
    let mut repeats = Repeats::default();
    loop {
        let due = async {
            security.until_due().await;
            None
        };
        let Some(event) = or(async { Some(monitor.next().await) }, due).await else {
            summarize(verbosity, &security.summaries());
            continue;
        };
        let Some(event) = event else { break };
        let explained = security.explain(&event);
        let change = endpoints.update(&event, explained.as_ref().map(|explained| &*explained.line));
        if verbosity == Verbosity::Events {
            repeats.lines(&event).iter().for_each(info);
        }
        match (explained, change) {
            (Some(Explanation { line, is_error: false }), _) if verbosity != Verbosity::Silent => warn(&line),
            (None, Some(change)) if verbosity == Verbosity::Failures => report(&change),
            _ => {}
        }
        if matches!(event, SocketEvent::Closed) {
            break;
        }
    }
    summarize(verbosity, &security.last_summaries());
}

/// Prints lines about repetitions of failures of security.
fn summarize(verbosity: Verbosity, lines: &[String]) {
    if verbosity != Verbosity::Silent {
        lines.iter().for_each(|line| warn(line));
    }
}

fn report(change: &Change) {
    match change {
        Change::Failed(line) => warn(line),
        Change::Recovered(line) => info(line),
    }
}
