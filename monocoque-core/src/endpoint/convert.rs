//! Conversions from and to endpoints, and comparison with text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};

use super::parse::{parse_host, parse_ipv6};
use super::{Endpoint, EndpointError, EndpointErrorKind, Host, HostName};

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

impl From<SocketAddrV4> for Endpoint {
    fn from(address: SocketAddrV4) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<SocketAddrV6> for Endpoint {
    fn from(address: SocketAddrV6) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<Endpoint> for String {
    /// Returns the text, as [`Display`](std::fmt::Display) does.
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl TryFrom<Endpoint> for SocketAddr {
    type Error = EndpointError;

    /// Returns the [address and the port](Endpoint::socket_addr). Fails unless the transport is tcp
    /// and the host an address.
    fn try_from(endpoint: Endpoint) -> Result<Self, EndpointError> {
        (&endpoint).try_into()
    }
}

impl TryFrom<&Endpoint> for SocketAddr {
    type Error = EndpointError;

    /// Returns the [address and the port](Endpoint::socket_addr). Fails unless the transport is tcp
    /// and the host an address.
    fn try_from(endpoint: &Endpoint) -> Result<Self, EndpointError> {
        endpoint.socket_addr().ok_or_else(|| endpoint.error(EndpointErrorKind::NoSocketAddr))
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

impl TryFrom<&Path> for Endpoint {
    type Error = EndpointError;

    /// Returns the [ipc endpoint](Endpoint::ipc) of a path.
    fn try_from(path: &Path) -> Result<Self, EndpointError> {
        let Some(text) = path.to_str() else {
            return Err(EndpointError::new(&path.to_string_lossy(), EndpointErrorKind::PathNotUtf8));
        };
        format!("ipc://{text}").parse()
    }
}

impl TryFrom<&PathBuf> for Endpoint {
    type Error = EndpointError;

    /// Returns the [ipc endpoint](Endpoint::ipc) of a path.
    fn try_from(path: &PathBuf) -> Result<Self, EndpointError> {
        path.as_path().try_into()
    }
}

impl TryFrom<PathBuf> for Endpoint {
    type Error = EndpointError;

    /// Returns the [ipc endpoint](Endpoint::ipc) of a path.
    fn try_from(path: PathBuf) -> Result<Self, EndpointError> {
        path.as_path().try_into()
    }
}

impl<H: TryInto<Host, Error: Into<EndpointError>>> TryFrom<(H, u16)> for Endpoint {
    type Error = EndpointError;

    /// Returns the [TCP endpoint](Endpoint::tcp) of a host and a port.
    fn try_from((host, port): (H, u16)) -> Result<Self, EndpointError> {
        Self::tcp(host, port)
    }
}

macro_rules! host_from {
    ($($address:ty),+) => {$(
        impl From<$address> for Host {
            fn from(address: $address) -> Self {
                Self::Ip(address.into())
            }
        }
    )+};
}

host_from!(IpAddr, Ipv4Addr, Ipv6Addr);

impl TryFrom<&str> for Host {
    type Error = EndpointError;

    /// Parses a host as in an endpoint. An IPv6 address needs no brackets.
    fn try_from(text: &str) -> Result<Self, EndpointError> {
        let host = parse_host(text).or_else(|| parse_ipv6(text));
        host.ok_or_else(|| EndpointError::new(text, EndpointErrorKind::BadHost(text.into())))
    }
}

impl TryFrom<String> for Host {
    type Error = EndpointError;

    /// Parses a host as in an endpoint. An IPv6 address needs no brackets.
    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.as_str().try_into()
    }
}

impl TryFrom<&String> for Host {
    type Error = EndpointError;

    /// Parses a host as in an endpoint. An IPv6 address needs no brackets.
    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.as_str().try_into()
    }
}

impl PartialEq<str> for Endpoint {
    fn eq(&self, text: &str) -> bool {
        self.to_string().as_str() == text
    }
}

/// Types that deref to text: comparison in both directions.
macro_rules! compare_with_text {
    ($($type:ty),+) => {$(
        impl PartialEq<$type> for Endpoint {
            fn eq(&self, text: &$type) -> bool {
                let text: &str = text;
                *self == *text
            }
        }

        impl PartialEq<Endpoint> for $type {
            fn eq(&self, endpoint: &Endpoint) -> bool {
                endpoint == self
            }
        }
    )+};
}

compare_with_text!(&str, String, &String);

impl PartialEq<Endpoint> for str {
    fn eq(&self, endpoint: &Endpoint) -> bool {
        endpoint == self
    }
}

impl From<&Self> for Endpoint {
    fn from(endpoint: &Self) -> Self {
        endpoint.clone()
    }
}
