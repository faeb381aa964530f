//! Repeated events, folded into one line.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use monocoque::{Connection, Endpoint, SocketEvent};

use crate::events::describe;

/// The failures of endpoints that go on. The first one is printed with all its events, the others
/// are counted.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    runs: HashMap<Endpoint, Run>,
}

/// Attempts at one endpoint that fail in the same way.
#[derive(Debug)]
struct Run {
    /// The description of the first failure.
    line: String,
    stage: Stage,
    reason: String,
    times: u64,
    /// The number in the last line.
    printed: u64,
    last_line: Instant,
}

/// The part of an attempt that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Handshake,
}

impl Repeats {
    /// Returns the lines to print at an event.
    pub(super) fn lines(&mut self, event: &SocketEvent) -> Vec<String> {
        let line = || describe(event).coloured();
        match event {
            SocketEvent::ConnectFailed { endpoint, error } => {
                self.fail(endpoint, Stage::Connecting, error.to_string(), line())
            }
            SocketEvent::HandshakeFailed { connection, reason } => {
                self.fail(&connection.endpoint, Stage::Handshake, reason.to_string(), line())
            }
            SocketEvent::Connected { connection } | SocketEvent::Accepted { connection } => {
                match self.runs.get(&connection.endpoint) {
                    Some(run) if run.stage == Stage::Handshake => Vec::new(),
                    _ => self.end(connection, line()),
                }
            }
            SocketEvent::HandshakeSucceeded { connection, .. } => self.end(connection, line()),
            SocketEvent::Disconnected { connection, .. } => self.follow(&connection.endpoint, line()),
            SocketEvent::Retrying { endpoint, .. } => self.follow(endpoint, line()),
            SocketEvent::Closed => {
                let counts = self.runs.values_mut().filter_map(Run::count);
                counts.chain([line()]).collect()
            }
            _ => vec![line()],
        }
    }

    fn fail(&mut self, endpoint: &Endpoint, stage: Stage, reason: String, line: String) -> Vec<String> {
        match self.runs.get_mut(endpoint) {
            Some(run) if run.stage == stage && run.reason == reason => {
                run.times += 1;
                let is_due = run.last_line.elapsed() >= BETWEEN;
                is_due.then(|| run.count()).flatten().into_iter().collect()
            }
            _ => {
                let run = Run {
                    line: line.clone(),
                    stage,
                    reason,
                    times: 1,
                    printed: 1,
                    last_line: Instant::now(),
                };
                let before = self.runs.insert(endpoint.clone(), run);
                before.and_then(|mut run| run.count()).into_iter().chain([line]).collect()
            }
        }
    }

    /// Returns the line about what follows a failure, unless that is a repetition.
    fn follow(&self, endpoint: &Endpoint, line: String) -> Vec<String> {
        let is_repeated = self.runs.get(endpoint).is_some_and(|run| run.times > 1);
        if is_repeated { Vec::new() } else { vec![line] }
    }

    /// Ends the failures of an endpoint.
    fn end(&mut self, connection: &Connection, line: String) -> Vec<String> {
        let run = self.runs.remove(&connection.endpoint);
        run.and_then(|mut run| run.count()).into_iter().chain([line]).collect()
    }
}

impl Run {
    /// Returns the line with the number of failures, if it has grown since the last line.
    fn count(&mut self) -> Option<String> {
        let has_grown = self.times > self.printed;
        self.printed = self.times;
        self.last_line = Instant::now();
        has_grown.then(|| format!("{} ... {} times", self.line, self.times))
    }
}

/// The time between two lines about failures that go on.
const BETWEEN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn failed(endpoint: &Endpoint, text: &str) -> SocketEvent {
        SocketEvent::ConnectFailed { endpoint: endpoint.clone(), error: io::Error::other(text).into() }
    }

    #[test]
    fn repeated_failures_become_one_line() {
        let mut repeats = Repeats::default();
        let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        let retrying =
            SocketEvent::Retrying { endpoint: endpoint.clone(), delay: Duration::from_millis(100) };
        let mut lines = Vec::new();
        for _ in 0..12 {
            lines.extend(repeats.lines(&failed(&endpoint, "refused")));
            lines.extend(repeats.lines(&retrying));
        }
        assert_eq!(lines.len(), 2, "{lines:?}");
        lines = repeats.lines(&failed(&endpoint, "unreachable"));
        assert!(lines[0].ends_with("refused ... 12 times") && lines[1].ends_with("unreachable"), "{lines:?}");
        assert_eq!(repeats.lines(&SocketEvent::Closed).len(), 1, "a single failure is not counted");
    }
}
