//! Endpoints: addresses to bind and to connect to, `tcp://host:port`, `ipc://path` and
//! `inproc://name`.
//!
//! Endpoints are parsed strictly, once, where the user passes them; the rest of the code uses no
//! strings. This module resolves no names and opens no sockets: the transports do.
//!
//! | file | owns |
//! |---|---|
//! | `parse` | the text of endpoints |
//! | `convert` | conversions from other types, comparison with text |
//! | `error` | the reasons why a text is no endpoint |

mod convert;
mod error;
mod parse;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;

pub use error::{EndpointError, EndpointErrorKind};

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A TCP endpoint: a host by its address, by its name, or by a text such as `*` or `::1`, and a
    /// port, of which 0 lets the system choose.
    ///
    /// ```
    /// use monocoque_core::Endpoint;
    ///
    /// assert_eq!(Endpoint::tcp("localhost", 5555)?, "tcp://localhost:5555");
    /// assert_eq!(Endpoint::tcp(std::net::Ipv6Addr::LOCALHOST, 0)?, "tcp://[::1]:0");
    /// # Ok::<_, monocoque_core::EndpointError>(())
    /// ```
    pub fn tcp<H>(host: H, port: u16) -> Result<Self, EndpointError>
    where
        H: TryInto<Host, Error: Into<EndpointError>>,
    {
        Ok(Self::Tcp { source: None, host: host.try_into().map_err(Into::into)?, port })
    }

    /// An ipc endpoint: the path of a socket file, of at most 107 bytes of UTF-8, or `@name`.
    pub fn ipc(path: impl AsRef<Path>) -> Result<Self, EndpointError> {
        path.as_ref().try_into()
    }

    /// An endpoint within the process: any name but the empty one.
    pub fn inproc(name: &str) -> Result<Self, EndpointError> {
        format!("inproc://{name}").parse()
    }

    /// Returns the transport: `tcp`, `ipc` or `inproc`, and `attached` for an attached stream.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => "tcp",
            Self::Ipc(_) => "ipc",
            Self::Inproc(_) => "inproc",
            Self::Attached(_) => "attached",
        }
    }

    /// Returns the host, `None` unless the transport is tcp.
    pub fn host(&self) -> Option<&Host> {
        if let Self::Tcp { host, .. } = self { Some(host) } else { None }
    }

    /// Returns the port, `None` unless the transport is tcp.
    pub fn port(&self) -> Option<u16> {
        if let Self::Tcp { port, .. } = self { Some(*port) } else { None }
    }

    /// Returns the path of the socket file, `None` unless the transport is ipc and the address a
    /// path.
    pub fn path(&self) -> Option<&Path> {
        if let Self::Ipc(address) = self { address.path() } else { None }
    }

    /// Returns the name within the process, `None` unless the transport is inproc.
    pub fn name(&self) -> Option<&str> {
        if let Self::Inproc(name) = self { Some(&name.0) } else { None }
    }

    /// Returns whether the transport is tcp.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// Returns whether the transport is ipc.
    pub fn is_ipc(&self) -> bool {
        matches!(self, Self::Ipc(_))
    }

    /// Returns whether the transport is inproc.
    pub fn is_inproc(&self) -> bool {
        matches!(self, Self::Inproc(_))
    }

    /// Returns the endpoint with another port. One without a port stays as it is.
    ///
    /// ```
    /// use monocoque_core::Endpoint;
    ///
    /// assert_eq!(Endpoint::tcp("localhost", 5555)?.with_port(5556), "tcp://localhost:5556");
    /// # Ok::<_, monocoque_core::EndpointError>(())
    /// ```
    pub fn with_port(mut self, port: u16) -> Self {
        if let Self::Tcp { port: old, .. } = &mut self {
            *old = port;
        }
        self
    }

    /// Returns the address and the port, `None` unless the transport is tcp and the host an
    /// address. A zone has to be a number.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let Self::Tcp { host, port, .. } = self else { return None };
        match host {
            Host::Ip(ip) => Some((*ip, *port).into()),
            Host::Zoned(ip, zone) => {
                Some(SocketAddrV6::new(*ip, *port, 0, zone.as_str().parse().ok()?).into())
            }
            Host::Any | Host::Name(_) => None,
        }
    }

    /// Checks that the endpoint can be connected to: it has a host and a port or a name, and no
    /// wildcard.
    pub fn check_connect(&self) -> Result<(), EndpointError> {
        let fault = match self {
            Self::Tcp { host: Host::Any, .. } => EndpointErrorKind::ConnectWildcard,
            Self::Tcp { port: 0, .. } => EndpointErrorKind::ConnectPort,
            Self::Ipc(address) if address.is_wildcard() => EndpointErrorKind::ConnectWildcard,
            Self::Attached(_) => EndpointErrorKind::NoAddress,
            Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_) => return Ok(()),
        };
        Err(self.error(fault))
    }

    /// Checks that the endpoint can be bound: it has no source address.
    pub fn check_bind(&self) -> Result<(), EndpointError> {
        let fault = match self {
            Self::Tcp { source: Some(_), .. } => EndpointErrorKind::BindSource,
            Self::Attached(_) => EndpointErrorKind::NoAddress,
            Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_) => return Ok(()),
        };
        Err(self.error(fault))
    }

    /// An error about this endpoint.
    pub(crate) fn error(&self, kind: EndpointErrorKind) -> EndpointError {
        EndpointError::new(&self.to_string(), kind)
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Tcp { source: None, host, port } => format!("tcp://{host}:{port}"),
            Self::Tcp { source: Some(source), host, port } => format!("tcp://{source};{host}:{port}"),
            Self::Ipc(address) => format!("ipc://{address}"),
            Self::Inproc(name) => format!("inproc://{name}"),
            Self::Attached(stream) => return stream.fmt(f),
        })
    }
}

/// The source address of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InprocName(Box<str>);

impl fmt::Display for InprocName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a stream that the application has connected: a unique number, and the address of
/// the peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        f.pad(&self.label)
    }
}

#[cfg(test)]
mod tests;
