//! Live tables: what `mq top` and `mq proxy --top` show.
//!
//! [`peers`] and [`topics`] count, [`screen`] draws snapshots of them on a terminal, or prints them
//! where there is none.

mod peers;
mod screen;
mod topics;

use std::time::Duration;

pub(crate) use peers::Peers;
pub(crate) use screen::Screen;
pub(crate) use topics::Topics;

/// The lines and tables that are shown at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// The lines above the tables.
    pub(crate) lines: Vec<String>,
    pub(crate) tables: Vec<Table>,
}

/// A table with its title.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<String>>,
}

/// Messages and bytes, in all and since the last snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    messages: u64,
    bytes: u64,
    since: (u64, u64),
}

impl Counter {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// Sets the totals, which never decrease.
    pub(crate) fn set(&mut self, messages: u64, bytes: u64) {
        (self.messages, self.bytes) = (messages, bytes);
    }

    /// Returns the messages since the last snapshot.
    fn recent(&self) -> u64 {
        self.messages - self.since.0
    }

    /// Returns messages a second, bytes a second, messages, bytes and the mean size as cells of a
    /// row, and begins the next snapshot.
    pub(crate) fn cells(&mut self, elapsed: Duration) -> [String; 5] {
        let (messages, bytes) = (self.recent(), self.bytes - self.since.1);
        self.since = (self.messages, self.bytes);
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let mean = self.bytes.checked_div(self.messages).unwrap_or_default();
        [
            format!("{:.0}", messages as f64 / seconds),
            size(bytes as f64 / seconds),
            self.messages.to_string(),
            size(self.bytes as f64),
            size(mean as f64),
        ]
    }
}

/// Returns an amount of bytes as a short text.
fn size(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let unit =
        units.iter().enumerate().rfind(|(n, _)| bytes >= 1000_f64.powi(*n as i32)).map_or(0, |(n, _)| n);
    let digits = usize::from(unit > 0);
    format!("{:.digits$} {}", bytes / 1000_f64.powi(unit as i32), units[unit])
}

/// The columns of [`Counter::cells`], which a table has behind its first ones.
macro_rules! counted {
    ($($column:literal),*) => {
        &[$($column,)* "msg/s", "bytes/s", "messages", "bytes", "mean size"]
    };
}
pub(crate) use counted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_cover_last_interval() {
        let mut counter = Counter::default();
        (0..10).for_each(|_| counter.add(1500));
        assert_eq!(counter.cells(Duration::from_secs(2)), ["5", "7.5 kB", "10", "15.0 kB", "1.5 kB"]);
        assert_eq!(counter.cells(Duration::from_secs(2))[..3], ["0", "0 B", "10"]);
        assert_eq!(Counter::default().cells(Duration::ZERO)[4], "0 B");
    }
}
