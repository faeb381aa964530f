//! The sockets of a proxy, over tcp and ipc.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size, set_socket_send_buffer_size};

/// A stream of tcp or ipc that does not block.
pub(super) enum Pipe {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

impl Pipe {
    pub(super) fn connect(endpoint: &str) -> io::Result<Self> {
        match address(endpoint) {
            Address::Tcp(address) => {
                // A short timeout: connecting blocks the commands and the other connections.
                let address = address.parse().map_err(io::Error::other)?;
                Self::Tcp(TcpStream::connect_timeout(&address, Duration::from_millis(200))?).ready()
            }
            Address::Ipc(path) => Self::Ipc(UnixStream::connect(path)?).ready(),
        }
    }

    /// Small buffers: a fault loses little, and the sender soon notices back-pressure.
    fn ready(self) -> io::Result<Self> {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                set_socket_recv_buffer_size(stream, BUFFER)?;
            }
            Self::Ipc(stream) => stream.set_nonblocking(true)?,
        }
        set_socket_send_buffer_size(&self, BUFFER)?;
        Ok(self)
    }

    pub(super) fn reset_at_end(&self) {
        if let Self::Tcp(stream) = self {
            // An error means that the connection has ended already.
            let _ended = set_socket_linger(stream, Some(Duration::ZERO));
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        let _ended = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Ipc(stream) => stream.shutdown(how),
        };
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Ipc(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Ipc(stream) => stream.write(bytes),
        }
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Ipc(stream) => stream.as_fd(),
        }
    }
}

/// A listener of tcp or ipc that does not block.
pub(super) enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener, String),
}

impl Listener {
    pub(super) fn bind(endpoint: &str) -> io::Result<Self> {
        let listener = match address(endpoint) {
            Address::Tcp(address) => Self::Tcp(TcpListener::bind(address)?),
            Address::Ipc(path) => Self::Ipc(UnixListener::bind(path)?, path.to_owned()),
        };
        match &listener {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                // Accepted connections inherit it.
                set_socket_recv_buffer_size(listener, BUFFER)?;
            }
            Self::Ipc(listener, _) => listener.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    pub(super) fn endpoint(&self) -> String {
        match self {
            Self::Tcp(listener) => format!("tcp://{}", listener.local_addr().expect("an address")),
            Self::Ipc(_, path) => format!("ipc://{path}"),
        }
    }

    pub(super) fn accept(&self) -> Option<Pipe> {
        let pipe = match self {
            Self::Tcp(listener) => Pipe::Tcp(listener.accept().ok()?.0),
            Self::Ipc(listener, _) => Pipe::Ipc(listener.accept().ok()?.0),
        };
        pipe.ready().ok()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Ipc(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Ipc(_, path) = self {
            // An error means that its directory was removed first.
            let _gone = std::fs::remove_file(path);
        }
    }
}

enum Address<'a> {
    Tcp(&'a str),
    Ipc(&'a str),
}

fn address(endpoint: &str) -> Address<'_> {
    match endpoint.split_once("://") {
        Some(("tcp", address)) => Address::Tcp(address),
        Some(("ipc", path)) => Address::Ipc(path),
        _ => panic!("neither tcp nor ipc: {endpoint}"),
    }
}

/// The buffer size requested of the kernel, which doubles it.
const BUFFER: usize = 32 * 1024;
