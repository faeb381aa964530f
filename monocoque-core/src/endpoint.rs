//! Endpoints: addresses to bind and to connect to, `tcp://host:port`, `ipc://path` and
//! `inproc://name`.
//!
//! Endpoints are parsed strictly, once, where the user passes them; the rest of the code uses no
//! strings. This file resolves no names and opens no sockets: the transports do.

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
/// | `tcp://eth0:5555` (an interface, IPv4 first) | its first address that can be bound | no |
/// | `tcp://192.0.2.7:0;192.0.2.1:5555` (a source, 0 or `*` for any port) | no | yes |
/// | `tcp://[::]:5555` (all interfaces, IPv4 too) | yes | yes |
/// | `tcp://*:5555` (all IPv4 interfaces), `tcp://127.0.0.1:*` or `:0` (any free port) | yes | no |
/// | `ipc:///run/app.sock` (at most 107 bytes), `ipc://@name` (Linux abstract) | yes | yes |
/// | `ipc://*` (a socket in a directory of its own) | yes | no |
/// | `inproc://name` (within the process; any name but the empty one) | yes | also before the bind |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP address.
    Tcp {
        /// The address to connect from; `None` lets the system choose.
        source: Option<Source>,
        /// The interface to bind or the peer to connect to.
        host: Host,
        /// The port; 0 lets the system choose.
        port: u16,
    },
    /// A Unix domain socket.
    Ipc(IpcAddress),
    /// A name within the process: there is no stream between the two sockets.
    Inproc(InprocName),
    /// A stream that the application has connected. No text is parsed to one.
    Attached(AttachedStream),
}

impl Endpoint {
    /// Checks that the endpoint can be connected to: it has a host and a port or a name, and no
    /// wildcard.
    pub fn check_connect(&self) -> Result<(), EndpointError> {
        match self {
            Self::Tcp { host: Host::Any, .. } => Err(EndpointError::ConnectWildcard),
            Self::Tcp { port: 0, .. } => Err(EndpointError::ConnectPort),
            Self::Ipc(address) if address.is_wildcard() => Err(EndpointError::ConnectWildcard),
            Self::Attached(_) => Err(EndpointError::NoAddress),
            Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_) => Ok(()),
        }
    }

    /// Checks that the endpoint can be bound: it has no source address.
    pub fn check_bind(&self) -> Result<(), EndpointError> {
        match self {
            Self::Tcp { source: Some(_), .. } => Err(EndpointError::BindSource),
            Self::Attached(_) => Err(EndpointError::NoAddress),
            Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_) => Ok(()),
        }
    }

    /// Returns true if the host or the source is an IPv6 address.
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

/// The source address of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// An address, an interface by its name, or `*`.
    pub host: Host,
    /// The port; 0 lets the system choose. With another one, reconnecting may fail for a minute
    /// after a connection was lost.
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
    /// A name to be resolved; for binding and as a source also the name of an interface.
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
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address after `ipc://`: a path, an abstract name, or a wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpcAddress(Box<str>);

impl IpcAddress {
    /// Returns true for `*`.
    pub fn is_wildcard(&self) -> bool {
        &*self.0 == "*"
    }

    /// Returns the name after the `@` of an abstract address, which is in no file system.
    pub fn abstract_name(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }

    /// Returns the path of the socket file.
    pub fn path(&self) -> Option<&Path> {
        (!self.is_wildcard() && self.abstract_name().is_none()).then(|| Path::new(&*self.0))
    }
}

impl fmt::Display for IpcAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name after `inproc://`: any text but the empty one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InprocName(Box<str>);

impl fmt::Display for InprocName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a stream that the application has connected: a unique number, and the address of
/// the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttachedStream {
    number: u64,
    label: Box<str>,
}

impl AttachedStream {
    /// An attached stream; the caller makes sure that no other one has the number.
    pub fn new(number: u64, label: impl Into<Box<str>>) -> Self {
        Self { number, label: label.into() }
    }

    /// Returns the address of the peer, for people to read.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl fmt::Display for AttachedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// The reason why a text is no endpoint, or an endpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no `://`.
    #[error("an endpoint needs a scheme, as in tcp://127.0.0.1:5555")]
    NoScheme,
    /// The scheme is neither `tcp` nor `ipc` nor `inproc`.
    #[error("no transport has the scheme {0:?}; there are tcp, ipc and inproc")]
    UnknownScheme(Box<str>),
    /// There is no `:port` after the host.
    #[error("a tcp endpoint needs a port")]
    NoPort,
    /// The port is not a number from 0 to 65535, without sign and leading zeros, nor `*`.
    #[error("{0:?} is not a port: expected a number from 0 to 65535, or *")]
    BadPort(Box<str>),
    /// The host is neither an address, nor a name, nor `*`.
    #[error("{0:?} is not a host")]
    BadHost(Box<str>),
    /// An IPv6 address without brackets, whose last part may be the port or not.
    #[error("an IPv6 address needs brackets, as in tcp://[{0}]:{1}")]
    NoBrackets(Box<str>, Box<str>),
    /// An endpoint with a source address was to be bound: it is for connecting.
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
    /// The path has more bytes than a socket address can hold.
    #[error("an ipc path of {0} bytes is too long; 107 fit")]
    PathTooLong(usize),
    /// The path contains a NUL.
    #[error("an ipc path cannot contain NUL")]
    NulInPath,
    /// A wildcard was to be connected to: it is for binding.
    #[error("a wildcard can be bound, but not connected to")]
    ConnectWildcard,
    /// Port 0 was to be connected to: it is for binding.
    #[error("connecting needs a port from 1 to 65535")]
    ConnectPort,
    /// An attached stream was to be bound or connected.
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

/// Returns true if the kernel takes the text as the name of an interface. The separators of
/// endpoints cannot be in it.
fn is_interface_name(text: &str) -> bool {
    let is_taken = |c: char| {
        !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | ':' | ';' | '[' | ']' | '%' | '*')
    };
    (1..=ZONE_MAX).contains(&text.len()) && !matches!(text, "." | "..") && text.chars().all(is_taken)
}

/// Returns true for a text like an address with a mistake: a resolver would read `10.1` as
/// 10.0.0.1.
fn is_mistyped_address(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Returns true for a DNS name. A name whose last label is a number is none: it may be the name of
/// an interface.
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

/// The most bytes of a path or an abstract name that fit in a socket address, beside a NUL.
const IPC_MAX: usize = 107;
/// The longest name of an interface.
const ZONE_MAX: usize = 15;

#[cfg(test)]
mod tests;
