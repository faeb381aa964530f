//! An adapter that makes a [`ByteStream`] of a stream that is one object: TLS, a stream in a
//! stream, or two halves.
//!
//! The two pumps of a connection read and write at the same time, but a polled stream takes one
//! call after the other. So a pump borrows it for one poll only, and while one pump waits, the
//! other one can go on. A wake-up of the stream wakes both pumps: reading a stream like TLS may
//! write, and the stream keeps only the waker of its last caller.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use compio::BufResult;
use compio::buf::{IoBuf, IoBufMut, IoVectoredBuf};
use compio::io::{AsyncRead, AsyncWrite};
use futures_util::task::AtomicWaker;

use super::{ByteStream, Halves};

/// A stream of any kind, as a [`ByteStream`].
///
/// [`new`](Self::new) takes a stream that implements the traits of `futures`, such as the
/// `TlsStream` of `compio-tls` or of `futures-rustls`; [`from_halves`](Self::from_halves) takes the
/// two halves of one that implements the traits of compio. It costs a copy of the bytes that are
/// read, and of those that are written to halves.
///
/// Bytes that the stream has taken count as sent, even if it fails before it passes them on. A
/// write is [flushed](futures_io::AsyncWrite::poll_flush) before the next one begins. At the end of
/// the connection the stream is [closed](futures_io::AsyncWrite::poll_close), and dropped if that
/// takes longer than 200 ms.
pub struct AnyStream<T> {
    state: Rc<StreamState<T>>,
}

/// The state that the clones of a stream share.
struct StreamState<T> {
    stream: RefCell<Pin<Box<T>>>,
    label: String,
    /// The bytes that were read, before they are copied into the buffer of the caller.
    read_buffer: RefCell<Vec<u8>>,
    read_ended: Cell<bool>,
    write_ended: Cell<bool>,
    closed: Cell<bool>,
    /// An error after bytes that the stream had taken: returned by the next write.
    deferred_error: RefCell<Option<io::Error>>,
    wakers: Arc<StreamWakers>,
    /// Wakes both.
    waker: Waker,
}

/// The pumps that wait for the stream.
#[derive(Debug, Default)]
struct StreamWakers {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for StreamWakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AnyStream<T> {
    /// Wraps a connected stream of the traits of `futures`. `label` is the address of the peer, for
    /// people to read: `tls://192.0.2.1:443`.
    ///
    /// The stream must be full duplex: one task may wait to read while another one waits to write.
    pub fn new(stream: T, label: impl Into<String>) -> Self {
        let wakers = Arc::new(StreamWakers::default());
        let state = StreamState {
            stream: RefCell::new(Box::pin(stream)),
            label: label.into(),
            read_buffer: RefCell::default(),
            read_ended: Cell::new(false),
            write_ended: Cell::new(false),
            closed: Cell::new(false),
            deferred_error: RefCell::default(),
            waker: wakers.clone().into(),
            wakers,
        };
        Self { state: Rc::new(state) }
    }
}

impl<R: AsyncRead + 'static, W: AsyncWrite + 'static> AnyStream<Halves<R, W>> {
    /// Wraps the two halves of a connected stream of the traits of compio. `label` is as for
    /// [`new`](Self::new).
    ///
    /// The halves must not wait for each other, as those of [`compio::io::util::split`] do: there,
    /// a read holds the stream until it is done.
    pub fn from_halves(reader: R, writer: W, label: impl Into<String>) -> Self {
        Self::new(Halves::new(reader, writer), label)
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AnyStream<T> {
    /// Calls `work` with the stream, unless the direction has ended.
    fn poll<O>(
        &self,
        ended: &Cell<bool>,
        work: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<O>,
    ) -> Poll<Option<O>> {
        if ended.get() {
            return Poll::Ready(None);
        }
        let mut stream = self.state.stream.borrow_mut();
        work(stream.as_mut(), &mut Context::from_waker(&self.state.waker)).map(Some)
    }

    /// Reads some of the bytes that have arrived.
    async fn read_some(&self, room: &mut [u8]) -> io::Result<usize> {
        let StreamState { read_ended, wakers, .. } = &*self.state;
        let read = poll_fn(|cx| {
            wakers.reader.register(cx.waker());
            self.poll(read_ended, |stream, cx| stream.poll_read(cx, room))
        });
        let read = read.await;
        wakers.reader.take();
        read.unwrap_or(Ok(0))
    }

    /// Writes some of the bytes, and flushes the stream.
    async fn write_some(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let StreamState { write_ended, wakers, deferred_error, .. } = &*self.state;
        if let Some(error) = deferred_error.take() {
            return Err(error);
        }
        let mut taken = 0;
        let written = poll_fn(|cx| {
            wakers.writer.register(cx.waker());
            self.poll(write_ended, |mut stream, cx| {
                if taken == 0 {
                    taken = ready!(stream.as_mut().poll_write_vectored(cx, slices))?;
                }
                stream.poll_flush(cx)
            })
        });
        let written = written.await;
        wakers.writer.take();
        match written.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into())) {
            Ok(()) => Ok(taken),
            // Some of them may have gone out: they are not to be sent a second time.
            Err(error) if taken > 0 => {
                deferred_error.replace(Some(error));
                Ok(taken)
            }
            Err(error) => Err(error),
        }
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AsyncRead for AnyStream<T> {
    async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        let mut bytes = self.state.read_buffer.take();
        bytes.resize(buf.buf_capacity().min(CHUNK), 0);
        let result = self.read_some(&mut bytes).await;
        let read = match result {
            Ok(n) => {
                let mut read = bytes.get(..n).unwrap_or_default();
                read.read(buf).await
            }
            Err(error) => BufResult(Err(error), buf),
        };
        self.state.read_buffer.replace(bytes);
        read
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AsyncWrite for AnyStream<T> {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        let result = self.write_some(&[IoSlice::new(buf.as_init())]).await;
        BufResult(result, buf)
    }

    async fn write_vectored<B: IoVectoredBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        let slices: Vec<_> = buf.iter_slice().map(IoSlice::new).collect();
        let result = self.write_some(&slices).await;
        drop(slices);
        BufResult(result, buf)
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        ByteStream::shutdown(self, Shutdown::Write);
        self.wait_shutdown().await;
        Ok(())
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> ByteStream for AnyStream<T> {
    fn shutdown(&self, how: Shutdown) {
        let StreamState { read_ended, write_ended, wakers, .. } = &*self.state;
        if how != Shutdown::Write {
            read_ended.set(true);
            wakers.reader.wake();
        }
        if how != Shutdown::Read {
            write_ended.set(true);
            wakers.writer.wake();
        }
    }

    fn peer_label(&self) -> String {
        self.state.label.clone()
    }

    async fn wait_shutdown(&self) {
        let StreamState { write_ended, closed, wakers, .. } = &*self.state;
        if !write_ended.get() {
            return;
        }
        let closing = poll_fn(|cx| {
            wakers.writer.register(cx.waker());
            self.poll(closed, |stream, cx| stream.poll_close(cx))
        });
        // A stream that fails to close is closed as well.
        let _closed = closing.await;
        wakers.writer.take();
        closed.set(true);
    }
}

impl<T> Clone for AnyStream<T> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone() }
    }
}

impl<T> fmt::Debug for AnyStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyStream").field("label", &self.state.label).finish_non_exhaustive()
    }
}

/// The most bytes of one read: more than one TLS record, and what most streams buffer.
const CHUNK: usize = 64 * 1024;
