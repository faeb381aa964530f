//! Messages on standard error, and their colours.

use std::fmt::Display;
use std::io::{Write, stderr};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Prints an error.
pub(crate) fn warn(error: &dyn Display) {
    print_line(format!("{BAD}mq:{BAD:#} {error}\n"));
}

/// Prints a note.
pub(crate) fn info(text: impl Display) {
    print_line(format!("{FAINT}mq:{FAINT:#} {text}\n"));
}

/// Prints a line in one write, so that lines of several processes do not mix.
fn print_line(mut line: String) {
    if AutoStream::choice(&stderr()) == ColorChoice::Never {
        line = strip_str(&line).to_string();
    }
    // A failure to write to standard error cannot be reported.
    let _ = stderr().write_all(line.as_bytes());
}

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();
