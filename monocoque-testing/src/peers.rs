//! Peers that speak in bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use monocoque::Endpoint;
use monocoque::zmq::Socket;

use crate::bytes::{greeting, ready};
use crate::cases::{At, Placement, Transport};
use crate::wait::DEADLINE;

/// Where strangers come from: they dial, or are dialled.
#[derive(Debug)]
pub enum Strangers {
    Dial(Endpoint),
    Listen(WireListener),
}

impl Strangers {
    /// Both sorts, for a socket that is bound: it connects to those who listen.
    pub async fn of<S: Socket>(at: &At, socket: &S, bound: &Endpoint) -> [Arc<Self>; 2] {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("strangers-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (listener, endpoint) = WireListener::bind(at, &name);
        socket.connect(endpoint).await.expect("connected");
        [Self::Dial(bound.clone()), Self::Listen(listener)].map(Arc::new)
    }

    /// One sort in each placement, for what takes long.
    pub async fn of_one_sort<S: Socket>(at: &At, socket: &S, bound: &Endpoint) -> Arc<Self> {
        let [dial, listen] = Self::of(at, socket, bound).await;
        match at.placement {
            Placement::Current => dial,
            Placement::Thread => listen,
        }
    }

    /// The next one.
    pub fn next(&self) -> Wire {
        match self {
            Self::Dial(endpoint) => Wire::connect(endpoint),
            Self::Listen(listener) => listener.accept(),
        }
    }

    /// The next one, whose handshake is done.
    pub fn meet(&self, socket_type: &str) -> Wire {
        let mut wire = self.next();
        wire.shake_hands(socket_type, b"");
        wire
    }
}

/// A peer that speaks in bytes. It blocks.
#[derive(Debug)]
pub enum Wire {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

/// Where a [`Wire`] comes from that was not the one who called.
#[derive(Debug)]
pub enum WireListener {
    Tcp(TcpListener),
    Ipc(UnixListener),
}

impl WireListener {
    pub fn bind(at: &At, name: &str) -> (Self, Endpoint) {
        match at.transport {
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let endpoint = listener.local_addr().expect("an address").into();
                (Self::Tcp(listener), endpoint)
            }
            Transport::Ipc => {
                let endpoint = at.nowhere(name);
                let listener = UnixListener::bind(ipc_path(&endpoint)).expect("a path");
                (Self::Ipc(listener), endpoint)
            }
            Transport::Inproc => unreachable!("there are no streams within the process"),
        }
    }

    pub fn accept(&self) -> Wire {
        let wire = match self {
            Self::Tcp(listener) => Wire::Tcp(listener.accept().expect("a peer").0),
            Self::Ipc(listener) => Wire::Ipc(listener.accept().expect("a peer").0),
        };
        wire.bounded()
    }
}

impl Wire {
    pub fn connect(endpoint: &Endpoint) -> Self {
        let wire = match endpoint.to_string().strip_prefix("tcp://") {
            Some(address) => Self::Tcp(TcpStream::connect(address).expect("somebody listens")),
            None => Self::Ipc(UnixStream::connect(ipc_path(endpoint)).expect("somebody listens")),
        };
        wire.bounded()
    }

    /// A peer whose handshake is done.
    pub fn meet(endpoint: &Endpoint, socket_type: &str) -> Self {
        let mut wire = Self::connect(endpoint);
        wire.shake_hands(socket_type, b"");
        wire
    }

    pub fn shake_hands(&mut self, socket_type: &str, identity: &[u8]) {
        self.put(&[&greeting()[..], &ready(socket_type, identity)].concat());
        assert_eq!(self.take(64)[9..12], greeting()[9..12]);
        let (flags, body) = self.frame();
        assert_eq!((flags, &body[..6]), (4, &b"\x05READY"[..]));
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.write_all(bytes).expect("written");
    }

    pub fn take(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.read_exact(&mut bytes).expect("something to read");
        bytes
    }

    /// The next frame: its flags and its body.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let flags = self.take(1)[0];
        let len = if flags & 2 == 0 {
            usize::from(self.take(1)[0])
        } else {
            u64::from_be_bytes(self.take(8).try_into().expect("eight bytes")) as usize
        };
        (flags, self.take(len))
    }

    /// Reads to the end of the stream, which must come; what was in front of it.
    pub fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open after {rest:x?}"),
        }
        rest
    }

    pub fn close(&self) {
        // It may have ended already.
        let _ended = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Ipc(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    pub fn write_timeout(&self, timeout: Duration) {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Self::Ipc(stream) => stream.set_write_timeout(Some(timeout)),
        }
        .expect("a timeout");
    }

    fn bounded(self) -> Self {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true).expect("an option");
                stream.set_read_timeout(Some(DEADLINE / 2))
            }
            Self::Ipc(stream) => stream.set_read_timeout(Some(DEADLINE / 2)),
        }
        .expect("a timeout");
        self.write_timeout(DEADLINE / 2);
        self
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Ipc(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Ipc(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ipc_path(endpoint: &Endpoint) -> String {
    endpoint.to_string().strip_prefix("ipc://").expect("an ipc endpoint").to_owned()
}
