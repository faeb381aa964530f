//! Lines of text, for the terminal and other tools. Frames with line breaks cannot be read back.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::Style;
use monocoque::{Frame, Message, RoutingId};

use super::{Encoder, FirstFrame, Received};
use crate::terminal::{FAINT, NAME};

/// Splits a line into frames at the delimiter, if there is one.
pub(super) fn parse(line: Vec<u8>, delimiter: Option<&[u8]>, first: FirstFrame) -> Message {
    let mut message: Message = match delimiter {
        None => line.into(),
        Some(delimiter) => split(&line, delimiter).into(),
    };
    if first == FirstFrame::RoutingId
        && let Some(id) = message.get(0).and_then(from_hex)
    {
        message.pop_front();
        message.push_front(id);
    }
    message
}

fn split(mut line: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(at) = line.windows(delimiter.len()).position(|window| window == delimiter) {
        frames.push(line[..at].to_vec());
        line = &line[at + delimiter.len()..];
    }
    frames.push(line.to_vec());
    frames
}

/// Parses a routing id in hex, `0x0012ab`: the form of those that are not text.
fn from_hex(text: &[u8]) -> Option<Frame> {
    let digits = std::str::from_utf8(text).ok()?.strip_prefix("0x")?;
    if digits.is_empty()
        || !digits.len().is_multiple_of(2)
        || !digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        return None;
    }
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(Frame::from)
}

pub(super) fn write(received: &Received, how: &Encoder, out: &mut impl Write) -> io::Result<()> {
    let faint = if how.colour { FAINT } else { Style::new() };
    if how.time {
        write!(out, "{faint}{}{faint:#}", received.time())?;
        out.write_all(&how.delimiter)?;
    }
    if let Some(peer) = &received.peer {
        write!(out, "{faint}{}{faint:#}", peer.connection().peer)?;
        out.write_all(&how.delimiter)?;
    }
    let mut frames = received.message.iter().peekable();
    if how.first == FirstFrame::RoutingId
        && let Some(Ok(id)) = received.message.get(0).map(RoutingId::try_from)
    {
        let style = if how.colour { NAME } else { Style::new() };
        write!(out, "{style}{id}{style:#}")?;
        frames.next();
        if frames.peek().is_some() {
            out.write_all(&how.delimiter)?;
        }
    }
    write_frames(frames, how, out)?;
    out.write_all(b"\n")
}

/// Writes frames with the delimiter between them.
pub(super) fn write_frames(
    frames: impl Iterator<Item = impl AsRef<[u8]>>,
    how: &Encoder,
    out: &mut impl Write,
) -> io::Result<()> {
    for (n, frame) in frames.enumerate() {
        if n > 0 {
            out.write_all(&how.delimiter)?;
        }
        if how.terminal {
            out.write_all(sanitize(frame.as_ref()).as_bytes())?;
        } else {
            out.write_all(frame.as_ref())?;
        }
    }
    Ok(())
}

/// Escapes control characters for a terminal.
fn sanitize(frame: &[u8]) -> String {
    let mut shown = String::with_capacity(frame.len());
    for chunk in frame.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() && char != '\t' {
                shown.extend(char.escape_default());
            } else {
                shown.push(char);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(sanitize("a\tb \u{1b}[2J\r\n\u{e9}".as_bytes()), "a\tb \\u{1b}[2J\\r\\n\u{e9}");
        assert_eq!(sanitize(b"\xff\x00x"), "\\xff\\u{0}x");
    }

    #[test]
    fn hex_id_parses_to_bytes() {
        assert_eq!(from_hex(b"0x00a1B2"), Some(Frame::from(vec![0, 0xa1, 0xb2])));
        for other in [&b"worker"[..], b"0x", b"0x123", b"0xzz", b"0x+1", b"0x\xff\xff"] {
            assert_eq!(from_hex(other), None, "{other:?}");
        }
    }
}
