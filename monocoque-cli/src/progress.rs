//! How far it has come, for whoever watches.

use std::cell::Cell;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// A line on standard error, or nothing where nobody would see it or it would be in the way.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    bytes: Cell<u64>,
}

/// Where messages come from or go to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside {
    /// Standard input, unless messages were given on the command line.
    Stdin,
    /// Standard output.
    Stdout,
    /// Neither.
    Nothing,
}

impl Progress {
    pub(crate) fn none() -> Self {
        Self { bar: None, bytes: Cell::new(0) }
    }

    /// Up to so many messages, if that is known. Where people type or read messages there is none.
    pub(crate) fn new(count: Option<u64>, beside: Beside) -> Self {
        let in_the_way = match beside {
            Beside::Stdin => stdin().is_terminal(),
            Beside::Stdout => stdout().is_terminal(),
            Beside::Nothing => false,
        };
        if in_the_way || !stderr().is_terminal() {
            return Self::none();
        }
        let (bar, template) = match count {
            Some(count) => (ProgressBar::new(count), "{bar:30} {pos}/{len} messages, {msg}, {per_sec}"),
            None => (ProgressBar::new_spinner(), "{spinner} {pos} messages, {msg}, {per_sec}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message(HumanBytes(0).to_string());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar: Some(bar), bytes: Cell::new(0) }
    }

    pub(crate) fn add(&self, messages: u64, bytes: impl FnOnce() -> usize) {
        let Some(bar) = &self.bar else { return };
        self.bytes.set(self.bytes.get() + bytes() as u64);
        bar.inc(messages);
        bar.set_message(HumanBytes(self.bytes.get()).to_string());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
