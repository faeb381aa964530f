//! Certificates of czmq and pyzmq: files in ZPL with lines `public-key = "..."`.

use super::files::lines;

/// The keys in a certificate, each with the number of its line.
#[derive(Clone, Copy)]
pub(super) struct Certificate<'a> {
    pub(super) public: Option<(usize, &'a [u8])>,
    pub(super) secret: Option<(usize, &'a [u8])>,
}

impl<'a> Certificate<'a> {
    /// Finds the keys in a file; `None` if it has none under their names.
    pub(super) fn find(bytes: &'a [u8]) -> Option<Self> {
        let value = |name: &[u8]| {
            (1..).zip(lines(bytes)).find_map(|(number, line)| Some((number, value_of(line, name)?)))
        };
        let found = Self { public: value(b"public-key"), secret: value(b"secret-key") };
        (found.public.is_some() || found.secret.is_some()).then_some(found)
    }
}

/// Returns the value of a line `name = "value"`, without quotation marks.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.trim_ascii().strip_prefix(name)?.trim_ascii_start();
    let value = rest.strip_prefix(b"=")?.trim_ascii_start();
    let quoted = |mark: &[u8]| value.strip_prefix(mark)?.strip_suffix(mark);
    Some(quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_keys_are_found() {
        let text = b"#   public-key of anna\n\nmetadata\ncurve\n    public-key = \"a=#\"\r\n  secret-key='b'";
        let found = Certificate::find(text).unwrap();
        assert_eq!((found.public, found.secret), (Some((5, &b"a=#"[..])), Some((6, &b"b"[..]))));
        assert!(Certificate::find(b"public-keys = \"a\"\nx").is_none());
    }
}
