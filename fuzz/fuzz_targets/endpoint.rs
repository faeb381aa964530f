//! Each parsed endpoint has one text form, which parses to the same endpoint.
//!
//! Input: the text of an endpoint. Input that is not UTF-8 is used as the bytes of a socket
//! address.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libfuzzer_sys::fuzz_target;
use monocoque_core::{Endpoint, Host};

fuzz_target!(|bytes: &[u8]| {
    let endpoint = match std::str::from_utf8(bytes) {
        Ok(text) => text.parse().ok(),
        Err(_) => socket_address(bytes).map(Endpoint::from),
    };
    if let Some(endpoint) = endpoint {
        check(&endpoint);
    }
});

fn check(endpoint: &Endpoint) {
    let text = endpoint.to_string();
    let again: Endpoint = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(again, *endpoint, "{text:?}");
    assert_eq!(again.to_string(), text);
    let connectable = endpoint.check_connect().is_ok();
    match endpoint {
        Endpoint::Tcp { source, host, port } => {
            assert_eq!(connectable, *port != 0 && *host != Host::Any);
            assert_eq!(endpoint.check_bind().is_ok(), source.is_none());
            let first = source.as_ref().map_or(host, |source| &source.host);
            let has_colons = matches!(first, Host::Ip(IpAddr::V6(_)) | Host::Zoned(..));
            assert_eq!(text.starts_with("tcp://["), has_colons, "{text:?}");
        }
        Endpoint::Ipc(address) => {
            assert!(
                (1..=IPC_MAX).contains(&(text.len() - "ipc://".len())) && !text.contains('\0'),
                "{text:?}"
            );
            let forms = [address.is_wildcard(), address.path().is_some(), address.abstract_name().is_some()];
            assert_eq!(forms.into_iter().filter(|form| *form).count(), 1, "{text:?}");
            assert_eq!(connectable, !address.is_wildcard());
        }
        Endpoint::Inproc(_) => {
            assert!(text.len() > "inproc://".len() && connectable && endpoint.check_bind().is_ok());
        }
        // The parser produces no other variant.
        other => panic!("{other:?}"),
    }
}

/// Reads an address from bytes: port, then IPv4, or IPv6 with a zone.
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (port, rest) = bytes.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    if let Some((ip, zone)) = rest.split_first_chunk::<16>() {
        let zone = zone.first_chunk().map_or(0, |zone| u32::from_be_bytes(*zone));
        return Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, zone).into());
    }
    let ip = rest.first_chunk::<4>()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(*ip), port).into())
}

/// The longest path of a Unix socket address.
const IPC_MAX: usize = 107;
