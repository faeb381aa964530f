//! Streams between processes: the trait that the actor needs, and the transports that provide it.
//!
//! A transport is a file here with a `connect` and a `Listener`; the enums [`Stream`] and
//! [`Listener`] name them all. A caller matches once and is generic from there on: nothing on the
//! path of a message is dispatched at run time. No transport knows a protocol. All of them run on a
//! compio runtime, with either driver.

mod any;
mod halves;
mod interface;
mod ipc;
mod options;
mod resolver;
mod socks;
mod tcp;

use std::fmt::Debug;
use std::future::ready;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use compio::driver::ToSharedFd;
use compio::io::{AsyncRead, AsyncWrite};
use compio::net::{TcpStream, UnixStream};
use rustix::net::{SendAncillaryBuffer, SendFlags};
use socket2::{Domain, SockRef, Type};

use crate::{Endpoint, EndpointErrorKind};

pub use any::AnyStream;
pub use halves::Halves;
pub use options::{InterfaceName, InterfaceNameError, Keepalive, SocketOptions};
pub use socks::SocksLogin;

/// A connected stream of bytes that an actor can run on.
///
/// TCP and Unix domain streams implement it; [`AnyStream`] wraps most others. An implementation
/// keeps these rules:
///
/// - A clone is the same stream: one clone reads while another one writes, both in operations that
///   may take for ever.
/// - [`AsyncRead::read`] of 0 bytes is the end of the stream. `write` and `write_vectored` may be
///   short.
/// - [`shutdown`](Self::shutdown) makes operations in flight return, because pumps are never
///   cancelled: after `Read` or `Both` a read returns 0 or an error, after `Write` or `Both` a
///   write returns an error.
pub trait ByteStream: AsyncRead + AsyncWrite + Clone + Debug + 'static {
    /// Ends one or both directions, at once and without waiting. It does nothing where that has
    /// ended.
    fn shutdown(&self, how: Shutdown);

    /// Waits until a [`shutdown`](Self::shutdown) is complete, such as one that exchanges messages
    /// with the peer. Default: it is complete at once.
    fn wait_shutdown(&self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Returns the address of the peer, for people to read: `tcp://127.0.0.1:40000`.
    fn peer_label(&self) -> String;

    /// Returns the descriptor to read from without waiting, if there is one.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns a writer for [direct writes](crate::actor::ConnectionHandler::on_established), if
    /// there is one. Default: none, the pump writes everything.
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        None
    }
}

/// A writer that does not wait, for any thread.
///
/// The caller makes sure that no other write is in flight.
pub trait DirectWriter: Debug + Send + Sync {
    /// Writes as much of the slices, one after the other, as the kernel takes at once. Returns how
    /// many bytes that are.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it takes nothing; else the error of the kernel.
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// A direct writer to the descriptor of a stream.
#[derive(Debug)]
struct FdWriter<S>(S);

impl<S: AsFd + Debug + Send + Sync> DirectWriter for FdWriter<S> {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(match slices {
            [bytes] => rustix::net::send(&self.0, bytes, flags)?,
            _ => rustix::net::sendmsg(&self.0, slices, &mut SendAncillaryBuffer::default(), flags)?,
        })
    }
}

impl ByteStream for TcpStream {
    fn shutdown(&self, how: Shutdown) {
        // Fails only if it is not connected any more.
        let _ended = SockRef::from(self).shutdown(how);
    }

    fn peer_label(&self) -> String {
        tcp::label(self.peer_addr())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        Some(Arc::new(FdWriter(self.clone())))
    }
}

impl ByteStream for UnixStream {
    fn shutdown(&self, how: Shutdown) {
        // As above.
        let _ended = SockRef::from(self).shutdown(how);
    }

    fn peer_label(&self) -> String {
        ipc::label(self)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        Some(Arc::new(FdWriter(self.clone())))
    }
}

/// A connected stream of one of the transports.
#[derive(Clone, Debug)]
pub enum Stream {
    /// Over TCP, with `TCP_NODELAY` set.
    Tcp(TcpStream),
    /// Over a Unix domain socket.
    Ipc(UnixStream),
}

impl Stream {
    /// Connects to `endpoint`, once.
    ///
    /// A name is resolved each time, on another thread, and its addresses are tried in turn. There
    /// is no timeout but that of the system. Dropping the future gives the attempt up and closes
    /// its socket.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the endpoint is a wildcard, `Unsupported` if it is inproc, `WouldBlock` if
    /// the backlog of an ipc peer is full, `ConnectionRefused` also if a TCP connection met itself,
    /// `AddrNotAvailable` if no source address is of the peer's family; else the error of the
    /// system for the last address that was tried.
    pub async fn connect(endpoint: &Endpoint, options: &SocketOptions) -> io::Result<Self> {
        endpoint.check_connect()?;
        options.check(endpoint)?;
        match endpoint {
            Endpoint::Tcp { source, host, port } => {
                tcp::connect(source.as_ref(), host, *port, options).await.map(Self::Tcp)
            }
            Endpoint::Ipc(address) => ipc::connect(address, options).map(Self::Ipc),
            Endpoint::Inproc(_) => Err(inproc_has_no_stream()),
            Endpoint::Attached(_) => Err(endpoint.error(EndpointErrorKind::NoAddress).into()),
        }
    }
}

/// A bound endpoint that accepts streams. It stops listening when it is dropped.
#[derive(Debug)]
pub struct Listener(ListenerKind);

#[derive(Debug)]
enum ListenerKind {
    Tcp(tcp::Listener),
    Ipc(ipc::Listener),
}

impl Listener {
    /// Listens on `endpoint`, and returns the endpoint with its wildcards and names resolved.
    ///
    /// The file of an ipc endpoint without a listener is replaced. Our own file is removed with the
    /// listener.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the endpoint has a listener; `AlreadyExists` if the path is not a socket;
    /// `InvalidInput` if the endpoint has a source address, `Unsupported` if it is inproc; else the
    /// error of the system.
    pub async fn bind(endpoint: &Endpoint, options: &SocketOptions) -> io::Result<(Self, Endpoint)> {
        endpoint.check_bind()?;
        options.check(endpoint)?;
        match endpoint {
            Endpoint::Tcp { host, port, .. } => {
                let (listener, endpoint) = tcp::Listener::bind(host, *port, options).await?;
                Ok((Self(ListenerKind::Tcp(listener)), endpoint))
            }
            Endpoint::Ipc(address) => {
                let listener = ipc::Listener::bind(address, options).await?;
                let endpoint = listener.endpoint().clone();
                Ok((Self(ListenerKind::Ipc(listener)), endpoint))
            }
            Endpoint::Inproc(_) => Err(inproc_has_no_stream()),
            Endpoint::Attached(_) => Err(endpoint.error(EndpointErrorKind::NoAddress).into()),
        }
    }

    /// Takes over a stream socket that listens already, such as one of a service manager, and
    /// returns its endpoint.
    ///
    /// The file of a Unix domain socket belongs to its creator, and stays.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the descriptor is not a listening stream socket of IP or of the Unix
    /// domain, or if its path is not UTF-8; else the error of the system.
    pub fn adopt(descriptor: OwnedFd, options: &SocketOptions) -> io::Result<(Self, Endpoint)> {
        let socket = socket2::Socket::from(descriptor);
        socket.set_cloexec(true)?;
        let listens = socket.r#type()? == Type::STREAM && socket.is_listener()?;
        match socket.domain()? {
            Domain::IPV4 | Domain::IPV6 if listens => {
                let (listener, endpoint) = tcp::Listener::adopt(socket, options)?;
                Ok((Self(ListenerKind::Tcp(listener)), endpoint))
            }
            Domain::UNIX if listens => {
                let listener = ipc::Listener::adopt(socket, options)?;
                let endpoint = listener.endpoint().clone();
                Ok((Self(ListenerKind::Ipc(listener)), endpoint))
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a listening stream socket")),
        }
    }

    /// Accepts the next stream, and returns it with the [address](ByteStream::peer_label) of its
    /// peer.
    ///
    /// It waits for readiness and accepts then: no stream is lost with a future that is dropped, or
    /// with a runtime that ends. It is ready at once as long as peers wait: a loop of it has to
    /// yield.
    ///
    /// # Errors
    ///
    /// The error of the system. The listener stays usable: wait a little (the process may be out of
    /// descriptors) and try again.
    pub async fn accept(&self) -> io::Result<(Stream, String)> {
        match &self.0 {
            ListenerKind::Tcp(listener) => {
                listener.accept().await.map(|(stream, label)| (Stream::Tcp(stream), label))
            }
            ListenerKind::Ipc(listener) => {
                listener.accept().await.map(|(stream, label)| (Stream::Ipc(stream), label))
            }
        }
    }

    /// Stops listening, and returns when the endpoint can be bound again.
    ///
    /// Dropping the listener stops as well, but an `accept` that was dropped may hold it open until
    /// the next turn of the runtime.
    pub async fn close(self) -> io::Result<()> {
        match self.0 {
            ListenerKind::Tcp(listener) => listener.close().await,
            ListenerKind::Ipc(listener) => listener.close().await,
        }
    }
}

fn inproc_has_no_stream() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "an inproc endpoint has no stream")
}

/// Closes a socket as soon as the runtime has no operation on it.
///
/// With a system call: an operation of the runtime would never start if the runtime ended
/// meanwhile, and the socket would stay open.
async fn close<T: AsFd + 'static>(socket: impl ToSharedFd<T>) {
    let shared = socket.to_shared_fd();
    drop(socket);
    drop(shared.take().await);
}

/// The most bytes that one call to the kernel carries: it refuses slices of 2^31 bytes and more.
pub(crate) const MAX_IO_BYTES: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use compio::BufResult;
    use compio::driver::{DriverType, ProactorBuilder};
    use compio::io::{AsyncReadExt, AsyncWriteExt};
    use compio::runtime::{Runtime, RuntimeBuilder};
    use futures_util::{join, try_join};

    use super::*;

    /// Runs `body` on the driver that the system offers and on the fallback, each to its end within
    /// ten seconds.
    pub(super) fn on_both_drivers(body: impl AsyncFn()) {
        let mut polling = ProactorBuilder::new();
        polling.driver_type(DriverType::Poll);
        let polling = RuntimeBuilder::new().with_proactor(polling).build().expect("a polling runtime");
        assert!(polling.driver_type().is_polling());
        for runtime in [Runtime::new().expect("a runtime"), polling] {
            let bounded =
                runtime.block_on(async { compio::time::timeout(Duration::from_secs(10), body()).await });
            bounded.expect("it ends in time");
        }
    }

    pub(super) fn endpoint(text: &str) -> Endpoint {
        text.parse().expect("an endpoint")
    }

    pub(super) async fn bind(text: &str) -> io::Result<(Listener, Endpoint)> {
        Listener::bind(&endpoint(text), &SocketOptions::default()).await
    }

    pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Stream> {
        Stream::connect(endpoint, &SocketOptions::default()).await
    }

    /// Connects to `listener` at `endpoint`: the connecting end, the accepted one and its label.
    pub(super) async fn pair(listener: &Listener, endpoint: &Endpoint) -> (Stream, Stream, String) {
        match try_join!(connect(endpoint), listener.accept()) {
            Ok((ours, (theirs, label))) => (ours, theirs, label),
            Err(error) => panic!("{endpoint}: {error}"),
        }
    }

    /// Both directions carry bytes, and a shut down direction ends.
    async fn talk<A: ByteStream, B: ByteStream>(mut a: A, mut b: B) {
        a.write_all("ping").await.0.expect("sent");
        assert_eq!(b.read_exact(Vec::with_capacity(4)).await.1, b"ping");
        let waiting = a.clone();
        let (BufResult(end, ()), ()) = join!(
            async {
                let mut waiting = waiting;
                let BufResult(result, _) = waiting.read(Vec::with_capacity(1)).await;
                BufResult(result, ())
            },
            async { a.shutdown(Shutdown::Both) }
        );
        a.wait_shutdown().await;
        assert_eq!(end.unwrap_or(0), 0, "the read in flight has returned");
        assert_eq!(b.read(Vec::with_capacity(1)).await.0.expect("the end"), 0);
        a.shutdown(Shutdown::Both);
        b.shutdown(Shutdown::Write);
        assert!(b.write("x").await.0.is_err());
    }

    async fn talk_over(text: &str) {
        let (listener, endpoint) = bind(text).await.expect("bound");
        match pair(&listener, &endpoint).await {
            (Stream::Tcp(a), Stream::Tcp(b), label) => {
                assert_eq!(a.peer_label(), endpoint.to_string());
                assert_eq!(b.peer_label(), label);
                talk(a, b).await;
            }
            (Stream::Ipc(a), Stream::Ipc(b), label) => {
                assert_eq!(a.peer_label(), endpoint.to_string());
                assert_eq!(label, endpoint.to_string());
                assert_eq!(b.peer_label(), label);
                talk(a, b).await;
            }
            mixed => panic!("two transports: {mixed:?}"),
        }
    }

    #[test]
    fn streams_carry_bytes_until_shutdown() {
        on_both_drivers(async || {
            for text in ["tcp://127.0.0.1:*", "tcp://[::1]:0", "ipc://*", "ipc://@monocoque-transport-talk"] {
                talk_over(text).await;
            }
        });
    }

    #[test]
    fn paired_halves_act_as_stream() {
        on_both_drivers(async || {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
            let halves = |stream| {
                let stream = UnixStream::from_std(stream).expect("attached");
                AnyStream::from_halves(stream.clone(), stream, "a pair")
            };
            let (ours, theirs) = (halves(ours), halves(theirs));
            assert_eq!(ours.peer_label(), "a pair");
            talk(ours, theirs).await;
        });
    }

    /// Bytes that a failing stream has taken count as sent, and the next write fails.
    #[test]
    fn write_error_surfaces_on_next_write() {
        on_both_drivers(async || {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
            drop(theirs);
            let stream = UnixStream::from_std(ours).expect("attached");
            let mut stream = AnyStream::from_halves(stream.clone(), stream, "a pair");
            assert_eq!(stream.write("taken").await.0.expect("taken"), 5);
            let BufResult(result, _) = stream.write("not taken").await;
            assert_eq!(result.expect_err("it has failed").kind(), io::ErrorKind::BrokenPipe);
        });
    }

    #[test]
    fn wildcard_connect_is_refused() {
        on_both_drivers(async || {
            for text in ["tcp://*:1", "tcp://127.0.0.1:0", "ipc://*"] {
                let error = connect(&endpoint(text)).await.expect_err("refused");
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            }
        });
    }

    #[test]
    fn buffer_sizes_are_set() {
        on_both_drivers(async || {
            let options = SocketOptions {
                send_buffer: Some(20_000),
                recv_buffer: Some(30_000),
                ..SocketOptions::default()
            };
            for text in ["tcp://127.0.0.1:*", "ipc://*"] {
                let (listener, endpoint) = Listener::bind(&endpoint(text), &options).await.expect("bound");
                let streams = try_join!(Stream::connect(&endpoint, &options), listener.accept());
                let (ours, (theirs, _)) = streams.expect("connected");
                for stream in [ours, theirs] {
                    let socket = match &stream {
                        Stream::Tcp(stream) => SockRef::from(stream),
                        Stream::Ipc(stream) => SockRef::from(stream),
                    };
                    // Linux doubles what is asked for, to make room for its own records.
                    assert!(
                        (20_000..=40_000).contains(&socket.send_buffer_size().expect("a size")),
                        "{text}"
                    );
                    assert!(
                        (30_000..=60_000).contains(&socket.recv_buffer_size().expect("a size")),
                        "{text}"
                    );
                }
            }
        });
    }
}
