//! The text of endpoints.

use std::net::IpAddr;
use std::str::FromStr;

use super::{Endpoint, EndpointError, EndpointErrorKind, Host, HostName, InprocName, IpcAddress, Source};

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        parse(text).map_err(|kind| EndpointError::new(text, kind))
    }
}

fn parse(text: &str) -> Result<Endpoint, EndpointErrorKind> {
    let (scheme, address) = text.split_once("://").ok_or(EndpointErrorKind::NoScheme)?;
    match scheme {
        "tcp" => parse_tcp(address),
        "ipc" => parse_ipc(address).map(Endpoint::Ipc),
        "inproc" if address.is_empty() => Err(EndpointErrorKind::NoName),
        "inproc" => Ok(Endpoint::Inproc(InprocName(address.into()))),
        _ => Err(EndpointErrorKind::UnknownScheme(scheme.into())),
    }
}

fn parse_tcp(address: &str) -> Result<Endpoint, EndpointErrorKind> {
    let (source, destination) = match address.split_once(';') {
        Some((source, destination)) => (Some(parse_host_port(source)?), destination),
        None => (None, address),
    };
    let source = source.map(|(host, port)| Source { host, port });
    let (host, port) = parse_host_port(destination)?;
    Ok(Endpoint::Tcp { source, host, port })
}

fn parse_host_port(text: &str) -> Result<(Host, u16), EndpointErrorKind> {
    let (host, port) = text.rsplit_once(':').ok_or(EndpointErrorKind::NoPort)?;
    if port.contains(']') {
        return Err(EndpointErrorKind::NoPort);
    }
    if !host.starts_with('[') && parse_ipv6(host).is_some() {
        return Err(EndpointErrorKind::NoBrackets(host.into(), port.into()));
    }
    let host = parse_host(host).ok_or_else(|| EndpointErrorKind::BadHost(host.into()))?;
    let port = parse_port(port).ok_or_else(|| EndpointErrorKind::BadPort(port.into()))?;
    Ok((host, port))
}

/// Parses a host as it stands in an endpoint.
pub(super) fn parse_host(text: &str) -> Option<Host> {
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

/// Parses an IPv6 address without brackets, with or without a zone.
pub(super) fn parse_ipv6(text: &str) -> Option<Host> {
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

fn parse_ipc(address: &str) -> Result<IpcAddress, EndpointErrorKind> {
    match address {
        "" | "@" => Err(EndpointErrorKind::NoPath),
        _ if address.len() > IPC_MAX => Err(EndpointErrorKind::PathTooLong(address.len())),
        _ if address.contains('\0') => Err(EndpointErrorKind::NulInPath),
        _ => Ok(IpcAddress(address.into())),
    }
}

/// The most bytes of a path or an abstract name that fit in a socket address, beside a NUL.
const IPC_MAX: usize = 107;
/// The longest name of an interface.
const ZONE_MAX: usize = 15;
