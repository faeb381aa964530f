//! The progress bar.

use std::fmt::Write;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressState, ProgressStyle};

/// A line on standard error, unless that is no terminal or messages are on the terminal too.
#[derive(Debug)]
pub(crate) struct Progress(Option<Shown>);

#[derive(Debug)]
struct Shown {
    bar: ProgressBar,
    /// Read by the thread that draws.
    bytes: Arc<AtomicU64>,
}

/// The stream of messages beside the progress bar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProgressMode {
    /// Standard input, unless messages were given on the command line.
    Stdin,
    /// Standard output.
    Stdout,
    /// Neither.
    Nothing,
}

impl Progress {
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Starts a progress bar, up to `count` messages if that is known. There is none if messages
    /// are typed or printed on a terminal.
    pub(crate) fn new(count: Option<u64>, beside: ProgressMode) -> Self {
        let in_the_way = match beside {
            ProgressMode::Stdin => stdin().is_terminal(),
            ProgressMode::Stdout => stdout().is_terminal(),
            ProgressMode::Nothing => false,
        };
        if in_the_way || !stderr().is_terminal() {
            return Self::none();
        }
        let (bar, template) = match count {
            Some(count) => (ProgressBar::new(count), "{bar:30} {pos}/{len} messages, {amount}, {rate}"),
            None => (ProgressBar::new_spinner(), "{spinner} {pos} messages, {amount}, {rate}"),
        };
        let bytes = Arc::new(AtomicU64::new(0));
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("amount", amount(bytes.clone())).with_key("rate", rate);
        let bar = bar.with_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(Shown { bar, bytes }))
    }

    pub(crate) fn add(&self, messages: u64, bytes: impl FnOnce() -> usize) {
        if let Some(shown) = &self.0 {
            shown.bytes.fetch_add(bytes() as u64, Ordering::Relaxed);
            shown.bar.inc(messages);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            shown.bar.finish_and_clear();
        }
    }
}

/// A line with a number that goes down, on standard error if that is a terminal.
#[derive(Debug)]
pub(crate) struct Waiting(ProgressBar);

impl Waiting {
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{spinner} {msg}: {pos}");
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())).with_message(what))
    }

    pub(crate) fn set(&self, number: usize) {
        self.0.set_position(number as u64);
        self.0.tick();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn amount(bytes: Arc<AtomicU64>) -> impl Fn(&ProgressState, &mut dyn Write) + Clone {
    move |_, out| {
        // A failure to draw has no consequence.
        let _ = write!(out, "{}", HumanBytes(bytes.load(Ordering::Relaxed)));
    }
}

fn rate(state: &ProgressState, out: &mut dyn Write) {
    let _ = write!(out, "{:.0} msg/s", state.per_sec());
}
