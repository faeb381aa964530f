//! The addresses of network interfaces.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};

/// Returns the addresses of the interface `name`, IPv4 first, each with `port`; none if there is no
/// such interface.
pub(super) fn addresses(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let own = getifaddrs()?.filter(|entry| entry.interface_name == name);
    let mut addresses: Vec<_> = own.filter_map(|entry| address(&entry)).collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    for address in &mut addresses {
        address.set_port(port);
    }
    Ok(addresses)
}

fn address(entry: &InterfaceAddress) -> Option<SocketAddr> {
    let address = entry.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn loopback_lists_ipv4_address_first() {
        let addresses = addresses("lo", 7).expect("a list");
        assert_eq!(addresses.first(), Some(&SocketAddr::from((Ipv4Addr::LOCALHOST, 7))));
        assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
    }

    #[test]
    fn unknown_interface_has_no_address() {
        assert_eq!(addresses("none-such", 7).expect("a list"), []);
    }
}
