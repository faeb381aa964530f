//! The addresses of network interfaces, by `RTM_GETADDR` of the kernel's rtnetlink(7).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use rustix::io::retry_on_intr;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice};

/// Returns the addresses of the interface `name`, IPv4 first, each with `port`; none if there is no
/// such interface. The name may be the label of an IPv4 address, such as `eth0:1`.
pub(super) fn addresses(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    // A label is no interface, although the kernel takes it for one.
    let is_label = name.contains(':');
    let index = netdevice::name_to_index(&socket, name).ok().filter(|_| !is_label);
    let mut addresses = Vec::new();
    dump(&socket, |entry| {
        let is_ours = match entry.label {
            Some(label) => label == name.as_bytes(),
            None => Some(entry.index) == index,
        };
        if is_ours {
            addresses.push(entry.address(port));
        }
    })?;
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

/// The numbers of linux/netlink.h and linux/rtnetlink.h that are used here.
mod kernel {
    pub(super) const ERROR: u16 = 2;
    pub(super) const DONE: u16 = 3;
    pub(super) const NEW_ADDRESS: u16 = 20;
    pub(super) const GET_ADDRESS: u16 = 22;
    /// `NLM_F_REQUEST | NLM_F_DUMP`.
    pub(super) const REQUEST_DUMP: u16 = 0x301;
    /// The length of `struct nlmsghdr`.
    pub(super) const HEADER: usize = 16;
    /// The length of `struct ifaddrmsg`.
    pub(super) const ADDRESS_HEADER: usize = 8;
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const LOCAL: u16 = 2;
    pub(super) const LABEL: u16 = 3;
    /// Room for one datagram: the kernel fills at most 32 KiB.
    pub(super) const DATAGRAM: usize = 32 * 1024;
}

/// Calls `found` with each address of the system.
fn dump(socket: &impl std::os::fd::AsFd, mut found: impl FnMut(Entry<'_>)) -> io::Result<()> {
    let mut request = [0; kernel::HEADER + kernel::ADDRESS_HEADER];
    let len = u32::try_from(request.len()).unwrap_or_default();
    let header =
        [&len.to_ne_bytes()[..], &kernel::GET_ADDRESS.to_ne_bytes(), &kernel::REQUEST_DUMP.to_ne_bytes()];
    for (to, from) in request.iter_mut().zip(header.concat()) {
        *to = from;
    }
    let the_kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(socket, &request, SendFlags::empty(), &the_kernel)?;

    let mut buffer = vec![0; kernel::DATAGRAM];
    loop {
        // With its length, even if it is longer than the buffer.
        let flags = RecvFlags::TRUNC;
        let (_, len, sender) = retry_on_intr(|| rustix::net::recvfrom(socket, &mut buffer[..], flags))?;
        let datagram = buffer.get(..len).ok_or(io::ErrorKind::InvalidData)?;
        let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        if sender.is_some_and(|sender| sender.pid() == 0) && each_message(datagram, &mut found)? {
            return Ok(());
        }
    }
}

/// Calls `found` with each address in a datagram. Returns true if it is the last one.
fn each_message(mut datagram: &[u8], found: &mut impl FnMut(Entry<'_>)) -> io::Result<bool> {
    while let Some((kind, body, rest)) = split_message(datagram) {
        match kind {
            kernel::DONE => return Ok(true),
            kernel::ERROR => {
                let errno = body.first_chunk().copied().map_or(0, i32::from_ne_bytes);
                return Err(io::Error::from_raw_os_error(errno.wrapping_neg()));
            }
            kernel::NEW_ADDRESS => Entry::parse(body).into_iter().for_each(&mut *found),
            _ => {}
        }
        datagram = rest;
    }
    Ok(false)
}

/// Splits off the first message: its type, its body, and what follows.
fn split_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    Some((kind, bytes.get(kernel::HEADER..len)?, bytes.get(len.next_multiple_of(4)..).unwrap_or_default()))
}

/// Splits off the first attribute: its type, its value, and what follows.
fn split_attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
    let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
    Some((kind, bytes.get(4..len)?, bytes.get(len.next_multiple_of(4)..).unwrap_or_default()))
}

/// One address of an interface.
#[derive(Debug, PartialEq)]
struct Entry<'a> {
    address: IpAddr,
    /// The number of the interface.
    index: u32,
    /// The name of an IPv4 address: that of its interface, unless it was given another.
    label: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    /// Parses the body of `RTM_NEWADDR`.
    fn parse(body: &'a [u8]) -> Option<Self> {
        let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
        let mut attributes = body.get(kernel::ADDRESS_HEADER..)?;
        let (mut address, mut local, mut label) = (None, None, None);
        while let Some((kind, value, rest)) = split_attribute(attributes) {
            match kind {
                kernel::ADDRESS => address = ip_address(value),
                // The own end of a point-to-point connection, whose `ADDRESS` is the other one.
                kernel::LOCAL => local = ip_address(value),
                kernel::LABEL => label = value.split(|byte| *byte == 0).next(),
                _ => {}
            }
            attributes = rest;
        }
        Some(Self { address: local.or(address)?, index, label })
    }

    fn address(&self, port: u16) -> SocketAddr {
        match self.address {
            // Such an address is one of an interface, whose number belongs to it.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, self.index).into(),
            address => SocketAddr::new(address, port),
        }
    }
}

fn ip_address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attribute, padded as in a message.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(kernel::HEADER + body.len()).expect("short");
        [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    /// The body of `RTM_NEWADDR` for interface 7.
    fn address_of_seven(attributes: &[Vec<u8>]) -> Vec<u8> {
        [&[0; 4][..], &7u32.to_ne_bytes(), &attributes.concat()].concat()
    }

    #[test]
    fn loopback_lists_ipv4_address_first() {
        let addresses = addresses("lo", 7).expect("a list");
        assert_eq!(addresses.first(), Some(&SocketAddr::from((Ipv4Addr::LOCALHOST, 7))));
        assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
    }

    #[test]
    fn unknown_interface_has_no_address() {
        assert_eq!(addresses("none-such", 7).expect("a list"), []);
        assert_eq!(addresses("a name that is longer than an interface has", 7).expect("a list"), []);
        assert_eq!(addresses("lo:none", 7).expect("a list"), []);
    }

    #[test]
    fn own_end_of_connection_is_listed() {
        let body = address_of_seven(&[
            attribute(kernel::ADDRESS, &[10, 0, 0, 2]),
            attribute(99, b"unknown"),
            attribute(kernel::LOCAL, &[10, 0, 0, 1]),
            attribute(kernel::LABEL, b"tun0:1\0"),
        ]);
        let entry = Entry::parse(&body).expect("an entry");
        assert_eq!(entry, Entry { address: [10, 0, 0, 1].into(), index: 7, label: Some(b"tun0:1") });
        assert_eq!(entry.address(80), SocketAddr::from(([10, 0, 0, 1], 80)));
    }

    #[test]
    fn link_local_address_has_scope() {
        let link_local = "fe80::1".parse::<Ipv6Addr>().expect("an address");
        let body = address_of_seven(&[attribute(kernel::ADDRESS, &link_local.octets())]);
        let entry = Entry::parse(&body).expect("an entry");
        assert_eq!(entry.address(80), SocketAddrV6::new(link_local, 80, 0, 7).into());
    }

    #[test]
    fn datagrams_are_read_until_the_last() {
        let address =
            message(kernel::NEW_ADDRESS, &address_of_seven(&[attribute(kernel::ADDRESS, &[1, 2, 3, 4])]));
        let mut found = 0;
        let mut read = |datagram: &[u8]| each_message(datagram, &mut |_| found += 1);
        assert!(!read(&[address.clone(), address.clone()].concat()).expect("read"));
        assert!(read(&[address, message(kernel::DONE, &[0; 4])].concat()).expect("read"));
        let error = read(&message(kernel::ERROR, &(-13i32).to_ne_bytes())).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(13));
        assert_eq!(found, 3);
    }

    #[test]
    fn truncated_messages_are_left_out() {
        let body = address_of_seven(&[attribute(kernel::ADDRESS, &[1, 2, 3, 4])]);
        let whole = message(kernel::NEW_ADDRESS, &body);
        for len in 0..whole.len() {
            let read = each_message(&whole[..len], &mut |entry| panic!("{entry:?} of {len} bytes"));
            assert!(!read.expect("read"));
        }
        assert_eq!(split_attribute(&[0; 4]), None);
    }
}
