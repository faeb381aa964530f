//! Where to listen and where to connect to: `tcp://host:port`, `ipc://path` and `inproc://name`.
//!
//! Endpoints are parsed strictly, once, when the user names them; behind that nobody looks at strings. Names are not
//! resolved here and no socket is touched: that is the transports' work.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

/// An address to bind or to connect to.
///
/// ```
/// use monocoque_core::Endpoint;
///
/// let endpoint: Endpoint = "tcp://[::1]:5555".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:5555");
/// assert!(Endpoint::try_from("tcp://*:*")?.check_connect().is_err());
/// # Ok::<_, monocoque_core::EndpointError>(())
/// ```
///
/// | form | bind | connect |
/// |---|---|---|
/// | `tcp://192.0.2.1:5555`, `tcp://[2001:db8::1]:5555`, `tcp://[fe80::1%eth0]:5555` | yes | yes |
/// | `tcp://host.example:5555` | its first address that can be bound | its addresses in turn |
/// | `tcp://eth0:5555` (the addresses of an interface, IPv4 first) | the first that can be bound | no |
/// | `tcp://192.0.2.7:0;192.0.2.1:5555` (from a source address and port, 0 or `*` for any port) | no | yes |
/// | `tcp://[::]:5555` (all interfaces, IPv4 too) | yes | yes |
/// | `tcp://*:5555` (all IPv4 interfaces), `tcp://127.0.0.1:*` or `:0` (a port the system chooses) | yes | no |
/// | `ipc:///run/app.sock` (at most 107 bytes), `ipc://@name` (Linux abstract) | yes | yes |
/// | `ipc://*` (a socket in a directory of its own) | yes | no |
/// | `inproc://name` (within the process; any name, of at least one byte) | yes | yes, also before it is bound |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP address.
    Tcp {
        /// Where to connect from; else the system chooses.
        source: Option<Source>,
        /// The interface or the peer.
        host: Host,
        /// The port; 0 is one that the system chooses.
        port: u16,
    },
    /// A Unix domain socket.
    Ipc(IpcAddress),
    /// A name within the process: there is no stream between the two ends.
    Inproc(InprocName),
    /// A stream that was connected by somebody else. No text is parsed to one.
    Attached(AttachedStream),
}

impl Endpoint {
    /// Whether it says where to connect to: a host, a port and a name, no wildcard.
    pub fn check_connect(&self) -> Result<(), EndpointError> {
        match self {
            Self::Tcp { host: Host::Any, .. } => Err(EndpointError::ConnectWildcard),
            Self::Tcp { port: 0, .. } => Err(EndpointError::ConnectPort),
            Self::Ipc(address) if address.is_wildcard() => Err(EndpointError::ConnectWildcard),
            Self::Attached(_) => Err(EndpointError::NoAddress),
            Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_) => Ok(()),
        }
    }

    /// Whether it says where to listen: nothing about where a connection is to come from.
    pub fn check_bind(&self) -> Result<(), EndpointError> {
        match self {
            Self::Tcp { source: Some(_), .. } => Err(EndpointError::BindSource),
            Self::Attached(_) => Err(EndpointError::NoAddress),
            Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_) => Ok(()),
        }
    }

    /// Whether it names an IPv6 address, be it as a source.
    pub fn is_ipv6(&self) -> bool {
        match self {
            Self::Tcp { source, host, .. } => {
                host.is_ipv6() || source.as_ref().is_some_and(|source| source.host.is_ipv6())
            }
            Self::Ipc(_) | Self::Inproc(_) | Self::Attached(_) => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (scheme, address) = text.split_once("://").ok_or(EndpointError::NoScheme)?;
        match scheme {
            "tcp" => parse_tcp(address),
            "ipc" => parse_ipc(address).map(Self::Ipc),
            "inproc" if address.is_empty() => Err(EndpointError::NoName),
            "inproc" => Ok(Self::Inproc(InprocName(address.into()))),
            _ => Err(EndpointError::UnknownScheme(scheme.into())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { source: None, host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Tcp { source: Some(source), host, port } => write!(f, "tcp://{source};{host}:{port}"),
            Self::Ipc(address) => write!(f, "ipc://{address}"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
            Self::Attached(stream) => write!(f, "{stream}"),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                Host::Zoned(*v6.ip(), HostName(v6.scope_id().to_string().into()))
            }
            _ => Host::Ip(address.ip()),
        };
        Self::Tcp { source: None, host, port: address.port() }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<&Self> for Endpoint {
    fn from(endpoint: &Self) -> Self {
        endpoint.clone()
    }
}

/// Where a connection is to come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// An address, an interface by its name, or `*`.
    pub host: Host,
    /// The port; 0 is one that the system chooses. From another one a lost connection may not be made anew for a minute.
    pub port: u16,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The host of a [TCP endpoint](Endpoint::Tcp).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `*`: all IPv4 interfaces, for binding only.
    Any,
    /// An address.
    Ip(IpAddr),
    /// An IPv6 address within a zone, which is an interface's name or number: `fe80::1%eth0`.
    Zoned(Ipv6Addr, HostName),
    /// A name to be resolved; of an interface, if it is to be listened on or connected from.
    Name(HostName),
}

impl Host {
    fn is_ipv6(&self) -> bool {
        matches!(self, Self::Ip(IpAddr::V6(_)) | Self::Zoned(..))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Zoned(ip, zone) => write!(f, "[{ip}%{zone}]"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

/// The name of a host or of a zone: letters, digits and `.`, `-`, `_` only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(Box<str>);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows `ipc://`: a path, an abstract name, or a wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpcAddress(Box<str>);

impl IpcAddress {
    /// Whether it is `*`.
    pub fn is_wildcard(&self) -> bool {
        &*self.0 == "*"
    }

    /// The name behind the `@` of an abstract address: one that is in no file system.
    pub fn abstract_name(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }

    /// The path of the socket's file.
    pub fn path(&self) -> Option<&Path> {
        (!self.is_wildcard() && self.abstract_name().is_none()).then(|| Path::new(&*self.0))
    }
}

impl fmt::Display for IpcAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows `inproc://`: any text but the empty one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InprocName(Box<str>);

impl fmt::Display for InprocName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stream that was connected by somebody else: a number, by which its owner knows it, and what its other end is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttachedStream {
    number: u64,
    label: Box<str>,
}

impl AttachedStream {
    /// One that is told from all others by its number.
    pub fn new(number: u64, label: impl Into<Box<str>>) -> Self {
        Self { number, label: label.into() }
    }

    /// What its other end is called, for people to read.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl fmt::Display for AttachedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// Why a text is no endpoint, or an endpoint cannot be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no `://`.
    #[error("an endpoint needs a scheme, as in tcp://127.0.0.1:5555")]
    NoScheme,
    /// The scheme is neither `tcp` nor `ipc` nor `inproc`.
    #[error("no transport has the scheme {0:?}; there are tcp, ipc and inproc")]
    UnknownScheme(Box<str>),
    /// There is no `:port` behind the host.
    #[error("a tcp endpoint needs a port")]
    NoPort,
    /// The port is not a number from 0 to 65535, without sign and leading zeros, nor `*`.
    #[error("{0:?} is not a port")]
    BadPort(Box<str>),
    /// The host is neither an address, nor a name, nor `*`.
    #[error("{0:?} is not a host")]
    BadHost(Box<str>),
    /// An IPv6 address without brackets, of which the last part may be the port or not.
    #[error("an IPv6 address needs brackets, as in tcp://[{0}]:{1}")]
    NoBrackets(Box<str>, Box<str>),
    /// `source;destination` is for connecting.
    #[error("a source address is for connecting, not for binding")]
    BindSource,
    /// An IPv6 address, where [`ipv6`](crate::transport::SocketOptions::ipv6) is off.
    #[error("IPv6 is switched off")]
    Ipv6Off,
    /// Nothing follows `ipc://`, or nothing follows its `@`.
    #[error("an ipc endpoint needs a path or a name")]
    NoPath,
    /// Nothing follows `inproc://`.
    #[error("an inproc endpoint needs a name")]
    NoName,
    /// More bytes than a socket's address can hold.
    #[error("an ipc path of {0} bytes is too long; 107 fit")]
    PathTooLong(usize),
    /// A path with a NUL in it.
    #[error("an ipc path cannot contain NUL")]
    NulInPath,
    /// `*` is for binding.
    #[error("a wildcard can be bound, but not connected to")]
    ConnectWildcard,
    /// Port 0 is for binding.
    #[error("connecting needs a port from 1 to 65535")]
    ConnectPort,
    /// A stream that was attached is neither bound nor connected.
    #[error("an attached stream has no address to bind or to connect to")]
    NoAddress,
}

impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<EndpointError> for io::Error {
    fn from(error: EndpointError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

fn parse_tcp(address: &str) -> Result<Endpoint, EndpointError> {
    let (source, destination) = match address.split_once(';') {
        Some((source, destination)) => (Some(parse_host_port(source)?), destination),
        None => (None, address),
    };
    let source = source.map(|(host, port)| Source { host, port });
    let (host, port) = parse_host_port(destination)?;
    Ok(Endpoint::Tcp { source, host, port })
}

fn parse_host_port(text: &str) -> Result<(Host, u16), EndpointError> {
    let (host, port) = text.rsplit_once(':').ok_or(EndpointError::NoPort)?;
    if port.contains(']') {
        return Err(EndpointError::NoPort);
    }
    if !host.starts_with('[') && parse_ipv6(host).is_some() {
        return Err(EndpointError::NoBrackets(host.into(), port.into()));
    }
    let host = parse_host(host).ok_or_else(|| EndpointError::BadHost(host.into()))?;
    let port = parse_port(port).ok_or_else(|| EndpointError::BadPort(port.into()))?;
    Ok((host, port))
}

fn parse_host(text: &str) -> Option<Host> {
    if text == "*" {
        return Some(Host::Any);
    }
    if let Some(inner) = text.strip_prefix('[') {
        return parse_ipv6(inner.strip_suffix(']')?);
    }
    if let Ok(ip) = text.parse() {
        return Some(Host::Ip(IpAddr::V4(ip)));
    }
    let is_name = is_host_name(text) || (is_interface_name(text) && !is_mistyped_address(text));
    is_name.then(|| Host::Name(HostName(text.into())))
}

fn parse_ipv6(text: &str) -> Option<Host> {
    let Some((ip, zone)) = text.split_once('%') else {
        return Some(Host::Ip(IpAddr::V6(text.parse().ok()?)));
    };
    is_interface_name(zone).then_some(Host::Zoned(ip.parse().ok()?, HostName(zone.into())))
}

/// Whether the kernel takes it as the name of an interface. What separates the parts of an endpoint cannot be in it.
fn is_interface_name(text: &str) -> bool {
    let is_taken = |c: char| {
        !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | ':' | ';' | '[' | ']' | '%' | '*')
    };
    (1..=ZONE_MAX).contains(&text.len()) && !matches!(text, "." | "..") && text.chars().all(is_taken)
}

/// Whether it looks like an address with a mistake in it: a resolver would read `10.1` as 10.0.0.1.
fn is_mistyped_address(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// A DNS name. One whose last label is a number is none: it may be the name of an interface.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_name_byte)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or(name);
    name.len() <= 253 && name.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn parse_port(text: &str) -> Option<u16> {
    if text == "*" {
        return Some(0);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

fn parse_ipc(address: &str) -> Result<IpcAddress, EndpointError> {
    match address {
        "" | "@" => Err(EndpointError::NoPath),
        _ if address.len() > IPC_MAX => Err(EndpointError::PathTooLong(address.len())),
        _ if address.contains('\0') => Err(EndpointError::NulInPath),
        _ => Ok(IpcAddress(address.into())),
    }
}

/// What fits in a socket's address, with a NUL at the end of a path or at the front of an abstract name.
const IPC_MAX: usize = 107;
/// The longest name of an interface.
const ZONE_MAX: usize = 15;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Endpoint {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refused(text: &str) -> EndpointError {
        match text.parse::<Endpoint>() {
            Err(error) => error,
            Ok(endpoint) => panic!("{text} became {endpoint:?}"),
        }
    }

    #[test]
    fn texts_are_written_as_they_are_read() {
        for text in [
            "tcp://127.0.0.1:5555",
            "tcp://[::1]:1",
            "tcp://[::ffff:192.0.2.1]:80",
            "tcp://[fe80::1%eth0.100]:65535",
            "tcp://*:0",
            "tcp://localhost:5555",
            "tcp://a_b-c.example.:5555",
            "tcp://eth0:5555",
            "ipc:///run/app.sock",
            "ipc://relative path/ü",
            "ipc://*",
            "ipc://@abstract",
            "ipc://@*",
            "ipc://a@b",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn forms_of_one_endpoint_are_equal() {
        assert_eq!(parse("tcp://[::1]:5555"), parse("tcp://[0:0::1]:5555"));
        assert_eq!(parse("tcp://*:*"), parse("tcp://*:0"));
        assert_eq!(parse("tcp://[::]:*").to_string(), "tcp://[::]:0");
    }

    #[test]
    fn schemes_are_known() {
        for text in ["", "tcp", "tcp:127.0.0.1:5555", "/run/app.sock", "tcp:/127.0.0.1:1"] {
            assert_eq!(refused(text), EndpointError::NoScheme, "{text}");
        }
        for scheme in ["udp", "TCP", "", " tcp", "inproc "] {
            assert_eq!(refused(&format!("{scheme}://a:1")), EndpointError::UnknownScheme(scheme.into()));
        }
    }

    #[test]
    fn ports_are_strict() {
        for text in ["tcp://", "tcp://127.0.0.1", "tcp://[::1]", "tcp://localhost"] {
            assert_eq!(refused(text), EndpointError::NoPort, "{text}");
        }
        for port in
            ["", "65536", "+1", "-1", "1x", " 1", "1 ", "080", "00", "0x1", "99999999999999999999", "**", "١"]
        {
            assert_eq!(refused(&format!("tcp://127.0.0.1:{port}")), EndpointError::BadPort(port.into()));
        }
    }

    #[test]
    fn hosts_are_strict() {
        let long = ["a"; 128].join(".");
        let label = "a".repeat(64);
        for host in [
            "",
            " ",
            "a b",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.",
            "127.1",
            "01.2.3.4",
            "1234",
            "[127.0.0.1]",
            "[::1",
            "::1]",
            "[]",
            "[::1]x",
            ":::1",
            "::g",
            "::1%",
            "::1%a b",
            "::1%a%b",
            "::1%0123456789abcdef",
            "1.2.3.4%eth0",
            ".",
            "..",
            "1.2.3",
            "300.1.1.1",
            "*.a",
            "**",
            "a/b",
            "-a-name-too-long-",
            "[*]",
            "[a]",
            "a\0",
            &long,
            &label,
        ] {
            assert_eq!(refused(&format!("tcp://{host}:5555")), EndpointError::BadHost(host.into()));
        }
    }

    #[test]
    fn interface_names_are_those_of_the_kernel() {
        for name in [
            "eth0",
            "eth0.100",
            "br-0a1b2c",
            "wg_0",
            "we@ird",
            "a+b",
            "-a",
            "a-",
            ".a",
            "a..b",
            "ü",
            "0123456789abcde",
        ] {
            for text in [format!("tcp://{name}:5555"), format!("tcp://[fe80::1%{name}]:5555")] {
                match text.contains("0123456789") && !text.contains('[') {
                    true => assert_eq!(
                        refused("tcp://0123456789:5555"),
                        EndpointError::BadHost("0123456789".into())
                    ),
                    false => assert_eq!(parse(&text).to_string(), text),
                }
            }
        }
        assert_eq!(parse("tcp://[fe80::1%100]:1").to_string(), "tcp://[fe80::1%100]:1");
    }

    #[test]
    fn ipv6_address_without_brackets_is_refused_with_the_hint() {
        let error = refused("tcp://2001:db8::1:2");
        assert_eq!(error, EndpointError::NoBrackets("2001:db8::1".into(), "2".into()));
        assert_eq!(error.to_string(), "an IPv6 address needs brackets, as in tcp://[2001:db8::1]:2");
        assert_eq!(refused("tcp://::1:5555"), EndpointError::NoBrackets("::1".into(), "5555".into()));
        assert_eq!(
            refused("tcp://fe80::1%eth0:1"),
            EndpointError::NoBrackets("fe80::1%eth0".into(), "1".into())
        );
        assert_eq!(refused("tcp://::1:0;[::1]:1"), EndpointError::NoBrackets("::1".into(), "0".into()));
    }

    #[test]
    fn a_source_is_a_host_and_a_port_and_for_connecting_only() {
        for text in ["tcp://eth0:0;192.0.2.1:5555", "tcp://[::1]:7;host.example:1", "tcp://*:0;[::1]:65535"] {
            let endpoint = parse(text);
            assert_eq!(endpoint.to_string(), text);
            assert_eq!(endpoint.check_connect(), Ok(()));
            assert_eq!(endpoint.check_bind(), Err(EndpointError::BindSource));
        }
        assert_eq!(parse("tcp://127.0.0.1:*;127.0.0.1:1"), parse("tcp://127.0.0.1:0;127.0.0.1:1"));
        assert_ne!(parse("tcp://127.0.0.1:0;127.0.0.1:1"), parse("tcp://127.0.0.1:1"));
        assert_eq!(parse("tcp://127.0.0.1:1").check_bind(), Ok(()));
        assert_eq!(refused("tcp://127.0.0.1;127.0.0.1:1"), EndpointError::NoPort);
        assert_eq!(refused("tcp://;127.0.0.1:1"), EndpointError::NoPort);
        assert_eq!(refused("tcp://a b:1;127.0.0.1:1"), EndpointError::BadHost("a b".into()));
        assert_eq!(refused("tcp://a:1;"), EndpointError::NoPort);
        assert_eq!(refused("tcp://a:1;b:2;c:3"), EndpointError::BadHost("b:2;c".into()));
        assert_eq!(parse("tcp://a:1;*:2").check_connect(), Err(EndpointError::ConnectWildcard));
        assert_eq!(parse("tcp://a:1;b:0").check_connect(), Err(EndpointError::ConnectPort));
    }

    #[test]
    fn what_names_an_ipv6_address_is_known() {
        for text in ["tcp://[::1]:1", "tcp://[fe80::1%eth0]:1", "tcp://[::1]:0;host.example:1"] {
            assert!(parse(text).is_ipv6(), "{text}");
        }
        for text in ["tcp://127.0.0.1:1", "tcp://host.example:1", "tcp://*:1", "ipc://x"] {
            assert!(!parse(text).is_ipv6(), "{text}");
        }
    }

    #[test]
    fn ipc_addresses_are_strict() {
        assert_eq!(refused("ipc://"), EndpointError::NoPath);
        assert_eq!(refused("ipc://@"), EndpointError::NoPath);
        assert_eq!(refused("ipc://a\0b"), EndpointError::NulInPath);
        let longest = "a".repeat(107);
        assert_eq!(parse(&format!("ipc://{longest}")).to_string().len(), 113);
        assert_eq!(refused(&format!("ipc://{longest}b")), EndpointError::PathTooLong(108));
    }

    #[test]
    fn ipc_addresses_are_told_apart() {
        let Endpoint::Ipc(path) = parse("ipc://./@x") else { panic!("ipc") };
        assert_eq!((path.path(), path.abstract_name()), (Some(Path::new("./@x")), None));
        let Endpoint::Ipc(name) = parse("ipc://@x") else { panic!("ipc") };
        assert_eq!((name.path(), name.abstract_name()), (None, Some("x")));
        let Endpoint::Ipc(any) = parse("ipc://*") else { panic!("ipc") };
        assert_eq!((any.path(), any.abstract_name(), any.is_wildcard()), (None, None, true));
    }

    #[test]
    fn only_concrete_endpoints_are_connected_to() {
        for text in ["tcp://localhost:1", "tcp://0.0.0.0:65535", "ipc://@x", "ipc://x"] {
            assert_eq!(parse(text).check_connect(), Ok(()));
        }
        for text in ["tcp://*:1", "tcp://*:*", "ipc://*"] {
            assert_eq!(parse(text).check_connect(), Err(EndpointError::ConnectWildcard));
        }
        assert_eq!(parse("tcp://[::1]:0").check_connect(), Err(EndpointError::ConnectPort));
    }

    #[test]
    fn many_types_become_endpoints() {
        fn take<T: TryInto<Endpoint, Error: Into<EndpointError>>>(
            endpoint: T,
        ) -> Result<Endpoint, EndpointError> {
            endpoint.try_into().map_err(Into::into)
        }
        let text = "tcp://127.0.0.1:5555".to_owned();
        let endpoint = take(&*text).expect("valid");
        assert_eq!(take(&text).as_ref(), Ok(&endpoint));
        assert_eq!(take(text).as_ref(), Ok(&endpoint));
        assert_eq!(take(&endpoint).as_ref(), Ok(&endpoint));
        assert_eq!(take(SocketAddr::from(([127, 0, 0, 1], 5555))).as_ref(), Ok(&endpoint));
        assert_eq!(take(endpoint.clone()), Ok(endpoint));
        assert_eq!(take("x"), Err(EndpointError::NoScheme));
    }

    proptest! {
        #[test]
        fn addresses_survive_a_round_trip(ip: IpAddr, port: u16, scope in prop_oneof![Just(0), any::<u32>()]) {
            let mut address = SocketAddr::new(ip, port);
            if let SocketAddr::V6(v6) = &mut address {
                v6.set_scope_id(scope);
            }
            let endpoint = Endpoint::from(address);
            prop_assert_eq!(parse(&endpoint.to_string()), endpoint);
        }

        #[test]
        fn what_is_accepted_survives_a_round_trip(
            text in "(tcp|ipc)://(\\PC{0,12}|([a-z0-9.:*]{0,9}:[0-9]{1,2};)?[a-z0-9.:%\\[\\]*@-]{0,20}(:[0-9*]{0,6})?)",
        ) {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(parse(&endpoint.to_string()), endpoint);
            }
        }
    }
}
