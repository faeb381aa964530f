//! Parsers of argument values.

use std::time::Duration;

use monocoque::zmq::SocketType;
use monocoque::{Endpoint, EndpointError, EndpointErrorKind};

/// Parses `100ms`, `2s`, `1m 30s`; a bare number is in seconds. The maximum is a century, so that
/// the duration can be added to any instant.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .map_or_else(|| humantime::parse_duration(text), Ok)
        .map(|duration| duration.min(CENTURY))
        .map_err(|error| format!("{error}; as in 100ms, 2s or 1m"))
}

/// Parses an endpoint to bind.
pub(super) fn to_bind(text: &str) -> Result<Endpoint, String> {
    let endpoint = endpoint(text, "*")?;
    endpoint.check_bind().map_err(reason)?;
    Ok(endpoint)
}

/// Parses an endpoint to connect to.
pub(crate) fn to_connect(text: &str) -> Result<Endpoint, String> {
    let endpoint = endpoint(text, "localhost")?;
    endpoint.check_connect().map_err(reason)?;
    Ok(endpoint)
}

/// An endpoint with the way that it is used.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Bind(Endpoint),
    Connect(Endpoint),
}

/// Parses an endpoint that is given without an option: it is to bind with an @ in front, a
/// wildcard, or `0.0.0.0` or `[::]`, which stand for all interfaces.
pub(super) fn either(text: &str) -> Result<Way, String> {
    if let Some(text) = text.strip_prefix('@') {
        return to_bind(text).map(Way::Bind);
    }
    let endpoint = endpoint(text, "localhost")?;
    let is_unspecified = endpoint.socket_addr().is_some_and(|address| address.ip().is_unspecified());
    if endpoint.check_connect().is_ok() && !is_unspecified {
        return Ok(Way::Connect(endpoint));
    }
    endpoint.check_bind().map_err(reason)?;
    Ok(Way::Bind(endpoint))
}

/// Parses a number of bytes: `65536`, `64k`, `1M`, `1G`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1 << 10),
        Some('M') => (&text[..text.len() - 1], 1 << 20),
        Some('G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "a number of bytes, as in 65536, 64k or 1M".into())
}

/// Parses an endpoint that another process can reach.
fn endpoint(text: &str, host: &str) -> Result<Endpoint, String> {
    match text.parse() {
        Ok(Endpoint::Inproc(_)) => {
            Err("inproc reaches sockets of the same process only, and mq has no other: use ipc or tcp".into())
        }
        Ok(endpoint) => Ok(endpoint),
        Err(error) if *error.kind() == EndpointErrorKind::NoScheme => {
            let hint = completed(text, host).map(|whole| format!(": did you mean {}?", quoted(whole)));
            Err(reason(error) + &hint.unwrap_or_default())
        }
        Err(error) => Err(reason(error)),
    }
}

/// Returns the reason of an error without the endpoint, which is in front of it already.
fn reason(error: EndpointError) -> String {
    error.kind().to_string()
}

/// Returns the endpoint that a text without a scheme may stand for: a port, a host and a port, or a
/// path.
fn completed(text: &str, host: &str) -> Option<String> {
    let whole = if text.contains('/') {
        format!("ipc://{text}")
    } else if let Some(port) =
        text.strip_prefix("*:").or_else(|| text.strip_prefix(':')).or_else(|| is_port(text))
    {
        format!("tcp://{host}:{port}")
    } else {
        format!("tcp://{text}")
    };
    whole.parse::<Endpoint>().is_ok().then_some(whole)
}

/// Quotes an endpoint with a wildcard, which a shell would take for the name of a file.
fn quoted(endpoint: String) -> String {
    if endpoint.contains('*') { format!("'{endpoint}'") } else { endpoint }
}

/// Returns whether a text may be an endpoint without its scheme.
pub(super) fn may_be_endpoint(text: &str) -> bool {
    completed(text, "localhost").is_some()
}

fn is_port(text: &str) -> Option<&str> {
    text.parse::<u16>().is_ok().then_some(text)
}

pub(super) fn socket_type(text: &str) -> Result<SocketType, String> {
    SocketType::ALL
        .into_iter()
        .chain([SocketType::Stream])
        .find(|kind| kind.name().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("there is no such type of socket; there are {SOCKET_TYPES}"))
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

/// The name of an endpoint in the texts of the command line.
pub(super) const ENDPOINT: &str = "ENDPOINT";
const SOCKET_TYPES: &str = "pair, pub, sub, req, rep, dealer, router, pull, push, xpub, xsub and stream";
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
    fn incomplete_endpoints_are_completed() {
        let hint = |parse: fn(&str) -> Result<Endpoint, String>, text: &str| {
            let error = parse(text).unwrap_err();
            error.split_once("did you mean ").map(|(_, hint)| hint.to_owned())
        };
        for (text, to_bind_hint, to_connect_hint) in [
            ("5555", "'tcp://*:5555'?", "tcp://localhost:5555?"),
            ("*:5555", "'tcp://*:5555'?", "tcp://localhost:5555?"),
            (":5555", "'tcp://*:5555'?", "tcp://localhost:5555?"),
            ("server:5555", "tcp://server:5555?", "tcp://server:5555?"),
            ("/tmp/socket", "ipc:///tmp/socket?", "ipc:///tmp/socket?"),
        ] {
            assert_eq!(hint(to_bind, text).as_deref(), Some(to_bind_hint));
            assert_eq!(hint(to_connect, text).as_deref(), Some(to_connect_hint));
        }
        for text in ["", "here", "70000", "a:b:c"] {
            assert_eq!(hint(to_bind, text), None, "{text}");
        }
    }

    #[test]
    fn wildcard_endpoint_is_bound() {
        for text in
            ["tcp://*:5555", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "@tcp://127.0.0.1:5555", "ipc://*"]
                .into_iter()
                .chain(["tcp://0.0.0.0:5555", "tcp://[::]:5555"])
        {
            assert!(matches!(either(text), Ok(Way::Bind(_))), "{text}");
        }
        for text in ["tcp://server:5555", "ipc:///tmp/x", "ipc://@name"] {
            assert!(matches!(either(text), Ok(Way::Connect(_))), "{text}");
        }
        for text in ["server", "@", "@@", "inproc://x"] {
            assert!(either(text).is_err(), "{text}");
        }
    }

    #[test]
    fn byte_units_are_powers() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("64k"), Ok(65_536));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        for wrong in ["", "k", "1x", "-1", "99999999999G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
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
