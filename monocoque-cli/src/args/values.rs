//! Parsers of argument values.

use std::time::Duration;

use monocoque::zmq::SocketType;
use monocoque::{Endpoint, EndpointError};

/// Parses `100ms`, `2s`, `1m 30s`; a bare number is in seconds. The maximum is a century, so that
/// the duration can be added to any instant.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .map_or_else(|| humantime::parse_duration(text), Ok)
        .map(|duration| duration.min(CENTURY))
        .map_err(|error| format!("{error}; as in 100ms, 2s or 1m"))
}

pub(super) fn to_bind(text: &str) -> Result<Endpoint, EndpointError> {
    let endpoint: Endpoint = text.parse()?;
    endpoint.check_bind()?;
    Ok(endpoint)
}

pub(super) fn to_connect(text: &str) -> Result<Endpoint, EndpointError> {
    let endpoint: Endpoint = text.parse()?;
    endpoint.check_connect()?;
    Ok(endpoint)
}

pub(super) fn socket_type(text: &str) -> Result<SocketType, String> {
    SocketType::ALL
        .into_iter()
        .chain([SocketType::Stream])
        .find(|kind| kind.name().eq_ignore_ascii_case(text))
        .ok_or_else(|| "there is no such type of socket".into())
}

/// The bytes between two frames, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delimiter(pub(crate) Vec<u8>);

pub(super) fn delimiter(text: &str) -> Result<Delimiter, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = if *first == b'\\' { escaped(after)? } else { (*first, after) };
        bytes.push(byte);
        rest = after;
    }
    if bytes.is_empty() { Err("it needs at least one byte".into()) } else { Ok(Delimiter(bytes)) }
}

/// Parses an escape sequence behind its backslash. Returns its byte, and the rest of the text.
fn escaped(text: &[u8]) -> Result<(u8, &[u8]), String> {
    match text {
        [b't', rest @ ..] => Ok((b'\t', rest)),
        [b'n', rest @ ..] => Ok((b'\n', rest)),
        [b'r', rest @ ..] => Ok((b'\r', rest)),
        [b'0', rest @ ..] => Ok((0, rest)),
        [b'\\', rest @ ..] => Ok((b'\\', rest)),
        [b'x', high, low, rest @ ..] => match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => Ok((high << 4 | low, rest)),
            _ => Err("\\x needs two digits in hex".into()),
        },
        _ => Err("a backslash is followed by t, n, r, 0, \\ or xHH".into()),
    }
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_unit_defaults_to_seconds() {
        let milliseconds = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(milliseconds("100ms"), Ok(100));
        assert_eq!(milliseconds("1m 30s"), Ok(90_000));
        assert_eq!(milliseconds("2"), Ok(2_000));
        assert_eq!(milliseconds("0.5"), Ok(500));
        assert_eq!(duration("1e19"), Ok(CENTURY));
        for wrong in ["", "-1", "fast", "1 parsec", "nan", "inf"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn delimiter_escapes_are_decoded() {
        let bytes = |text| delimiter(text).map(|delimiter| delimiter.0);
        assert_eq!(bytes("\\t\\n\\r\\0\\\\\\x7F|"), Ok(b"\t\n\r\0\\\x7f|".to_vec()));
        for wrong in ["", "\\", "\\q", "\\x1", "\\xzz"] {
            assert!(delimiter(wrong).is_err(), "{wrong}");
        }
    }
}
