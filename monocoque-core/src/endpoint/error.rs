//! The reasons why a text is no endpoint.

use std::convert::Infallible;
use std::io;

use thiserror::Error;

/// A text that is no endpoint, or an endpoint that cannot be used so.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid endpoint {:?}: {}", .0.endpoint, .0.kind)]
pub struct EndpointError(Box<Invalid>);

/// In a box, so that errors that may be this one are small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Invalid {
    endpoint: Box<str>,
    kind: EndpointErrorKind,
}

impl EndpointError {
    pub(super) fn new(endpoint: &str, kind: EndpointErrorKind) -> Self {
        Self(Box::new(Invalid { endpoint: endpoint.into(), kind }))
    }

    /// Returns the text.
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// Returns the reason.
    pub fn kind(&self) -> &EndpointErrorKind {
        &self.0.kind
    }
}

/// The reason why a text is no endpoint, or an endpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointErrorKind {
    /// There is no `://`.
    #[error("an endpoint needs a scheme, as in tcp://127.0.0.1:5555")]
    NoScheme,
    /// The scheme is neither `tcp` nor `ipc` nor `inproc`.
    #[error("no transport has the scheme {0:?}; there are tcp, ipc and inproc, in lower case")]
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
    /// The path is not UTF-8.
    #[error("an ipc path is UTF-8")]
    PathNotUtf8,
    /// The path contains a NUL.
    #[error("an ipc path cannot contain NUL")]
    NulInPath,
    /// A wildcard was to be connected to: it is for binding.
    #[error("a wildcard can be bound, but not connected to")]
    ConnectWildcard,
    /// Port 0 was to be connected to: it is for binding.
    #[error("connecting needs a port from 1 to 65535")]
    ConnectPort,
    /// The address of an endpoint without one was asked for.
    #[error("only a tcp endpoint whose host is an address has a socket address")]
    NoSocketAddr,
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
