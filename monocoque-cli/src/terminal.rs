//! What is said on standard error, and how it is coloured.

use std::fmt::Display;
use std::io::{Write, stderr};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// What went wrong.
pub(crate) fn complain(error: &dyn Display) {
    say(format!("{BAD}mq:{BAD:#} {error}\n"));
}

/// What is worth knowing.
pub(crate) fn note(text: impl Display) {
    say(format!("{FAINT}mq:{FAINT:#} {text}\n"));
}

/// In one write, so that lines of several processes stay apart.
fn say(mut line: String) {
    if AutoStream::choice(&stderr()) == ColorChoice::Never {
        line = strip_str(&line).to_string();
    }
    // Where nobody can be told, nobody can be told of that either.
    let _ = stderr().write_all(line.as_bytes());
}

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();
