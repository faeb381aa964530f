//! Frames with their lengths in front: a format for any bytes.
//!
//! ```text
//! flag (1 byte: 1 if more frames follow, else 0) | length (4 bytes, big-endian) | body
//! ```

use std::io::{self, BufRead, ErrorKind, Read, Write};

use monocoque::Message;

use super::FormatError;

pub(super) fn read(input: &mut impl BufRead) -> Result<Option<Message>, FormatError> {
    if input.fill_buf().map_err(FormatError::Io)?.is_empty() {
        return Ok(None);
    }
    let mut message = Message::default();
    loop {
        let (body, more) = read_frame(input)?;
        message.push_back(body);
        if !more {
            return Ok(Some(message));
        }
    }
}

fn read_frame(input: &mut impl BufRead) -> Result<(Vec<u8>, bool), FormatError> {
    let mut header = [0; HEADER];
    input.read_exact(&mut header).map_err(ended)?;
    let [flag, length @ ..] = header;
    let more = match flag {
        LAST => false,
        MORE => true,
        other => return Err(FormatError::Flag(other)),
    };
    let length = u64::from(u32::from_be_bytes(length));
    let mut body = Vec::new();
    // Allocates as data arrives, not as the header announces.
    input.take(length).read_to_end(&mut body).map_err(FormatError::Io)?;
    if (body.len() as u64) < length { Err(FormatError::CutShort) } else { Ok((body, more)) }
}

pub(super) fn write(message: &Message, out: &mut impl Write) -> io::Result<()> {
    let last = message.len().saturating_sub(1);
    for (n, frame) in message.iter().enumerate() {
        let length = u32::try_from(frame.len()).map_err(|_| {
            io::Error::new(ErrorKind::InvalidData, "the format `frames` is limited to frames below 4 GiB")
        })?;
        out.write_all(&[if n == last { LAST } else { MORE }])?;
        out.write_all(&length.to_be_bytes())?;
        out.write_all(frame)?;
    }
    Ok(())
}

fn ended(error: io::Error) -> FormatError {
    if error.kind() == ErrorKind::UnexpectedEof { FormatError::CutShort } else { FormatError::Io(error) }
}

const HEADER: usize = 5;
const LAST: u8 = 0;
const MORE: u8 = 1;
