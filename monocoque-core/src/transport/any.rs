//! Makes a [`Socket`] of a stream that is one object: TLS, a stream in a stream, or two halves of one's own making.
//!
//! The two pumps of a connection read and write at the same time, and a stream that is polled takes one call after the
//! other. So nobody holds it for longer than one poll, and whichever of the two waits, the other one gets its turn. What
//! wakes one of them wakes both: to read a stream like TLS may be to write, and the stream remembers who asked last.

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

use super::{Halves, Socket};

/// A stream of any kind, as a [`Socket`].
///
/// [`new`](Self::new) takes one that implements the traits of `futures`, such as the `TlsStream` of `compio-tls` or of
/// `futures-rustls`; [`from_halves`](Self::from_halves) takes the two halves of one that implements those of compio. It
/// costs a copy of what is read, and of what is written to halves.
///
/// What the stream has taken counts as sent, also if it has yet to pass it on when it fails. A write is
/// [flushed](futures_io::AsyncWrite::poll_flush) before the next one begins. At the end of the connection the stream is
/// [closed](futures_io::AsyncWrite::poll_close), and dropped if that takes longer than a moment.
pub struct AnyStream<T> {
    shared: Rc<Shared<T>>,
}

/// What the clones of a stream share.
struct Shared<T> {
    stream: RefCell<Pin<Box<T>>>,
    label: String,
    /// What was read, on its way to where it is wanted.
    scratch: RefCell<Vec<u8>>,
    read_ended: Cell<bool>,
    write_ended: Cell<bool>,
    closed: Cell<bool>,
    /// Met behind what the stream had taken: told by the next write.
    failure: RefCell<Option<io::Error>>,
    waiting: Arc<Waiting>,
    /// Wakes all that are waiting.
    waker: Waker,
}

/// Who waits for the stream.
#[derive(Debug, Default)]
struct Waiting {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AnyStream<T> {
    /// A connected stream of the traits of `futures`, and a name of its other end for people to read:
    /// `tls://192.0.2.1:443`.
    ///
    /// The stream must allow what all those do that are called full duplex: that one task waits to read and another one to
    /// write.
    pub fn new(stream: T, label: impl Into<String>) -> Self {
        let waiting = Arc::new(Waiting::default());
        let shared = Shared {
            stream: RefCell::new(Box::pin(stream)),
            label: label.into(),
            scratch: RefCell::default(),
            read_ended: Cell::new(false),
            write_ended: Cell::new(false),
            closed: Cell::new(false),
            failure: RefCell::default(),
            waker: waiting.clone().into(),
            waiting,
        };
        Self { shared: Rc::new(shared) }
    }
}

impl<R: AsyncRead + 'static, W: AsyncWrite + 'static> AnyStream<Halves<R, W>> {
    /// The two halves of a connected stream of compio's traits, and a name of its other end.
    ///
    /// They must not wait for each other: not those that [`compio::io::util::split`] makes, of which one holds the stream
    /// for as long as it reads.
    pub fn from_halves(reader: R, writer: W, label: impl Into<String>) -> Self {
        Self::new(Halves::new(reader, writer), label)
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AnyStream<T> {
    /// Gives the stream to the closure, unless the direction has ended.
    fn poll<O>(
        &self,
        ended: &Cell<bool>,
        work: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<O>,
    ) -> Poll<Option<O>> {
        if ended.get() {
            return Poll::Ready(None);
        }
        let mut stream = self.shared.stream.borrow_mut();
        work(stream.as_mut(), &mut Context::from_waker(&self.shared.waker)).map(Some)
    }

    /// Reads some of what has arrived.
    async fn fetch(&self, room: &mut [u8]) -> io::Result<usize> {
        let Shared { read_ended, waiting, .. } = &*self.shared;
        let read = poll_fn(|cx| {
            waiting.reader.register(cx.waker());
            self.poll(read_ended, |stream, cx| stream.poll_read(cx, room))
        });
        let read = read.await;
        waiting.reader.take();
        read.unwrap_or(Ok(0))
    }

    /// Writes some of it, and has the stream pass it on.
    async fn put(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Shared { write_ended, waiting, failure, .. } = &*self.shared;
        if let Some(failure) = failure.take() {
            return Err(failure);
        }
        let mut taken = 0;
        let written = poll_fn(|cx| {
            waiting.writer.register(cx.waker());
            self.poll(write_ended, |mut stream, cx| {
                if taken == 0 {
                    taken = ready!(stream.as_mut().poll_write_vectored(cx, slices))?;
                }
                stream.poll_flush(cx)
            })
        });
        let written = written.await;
        waiting.writer.take();
        match written.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into())) {
            Ok(()) => Ok(taken),
            // Nobody knows how much of it has gone: it is not to be sent a second time.
            Err(error) if taken > 0 => {
                failure.replace(Some(error));
                Ok(taken)
            }
            Err(error) => Err(error),
        }
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AsyncRead for AnyStream<T> {
    async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        let mut scratch = self.shared.scratch.take();
        scratch.resize(buf.buf_capacity().min(CHUNK), 0);
        let result = self.fetch(&mut scratch).await;
        let read = match result {
            Ok(n) => {
                let mut bytes = scratch.get(..n).unwrap_or_default();
                bytes.read(buf).await
            }
            Err(error) => BufResult(Err(error), buf),
        };
        self.shared.scratch.replace(scratch);
        read
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> AsyncWrite for AnyStream<T> {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        let result = self.put(&[IoSlice::new(buf.as_init())]).await;
        BufResult(result, buf)
    }

    async fn write_vectored<B: IoVectoredBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        let slices: Vec<_> = buf.iter_slice().map(IoSlice::new).collect();
        let result = self.put(&slices).await;
        drop(slices);
        BufResult(result, buf)
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Socket::shutdown(self, Shutdown::Write);
        self.finish().await;
        Ok(())
    }
}

impl<T: futures_io::AsyncRead + futures_io::AsyncWrite + 'static> Socket for AnyStream<T> {
    fn shutdown(&self, how: Shutdown) {
        let Shared { read_ended, write_ended, waiting, .. } = &*self.shared;
        if how != Shutdown::Write {
            read_ended.set(true);
            waiting.reader.wake();
        }
        if how != Shutdown::Read {
            write_ended.set(true);
            waiting.writer.wake();
        }
    }

    fn peer_label(&self) -> String {
        self.shared.label.clone()
    }

    async fn finish(&self) {
        let Shared { write_ended, closed, waiting, .. } = &*self.shared;
        if !write_ended.get() {
            return;
        }
        let closing = poll_fn(|cx| {
            waiting.writer.register(cx.waker());
            self.poll(closed, |stream, cx| stream.poll_close(cx))
        });
        // One that fails is closed as well.
        let _closed = closing.await;
        waiting.writer.take();
        closed.set(true);
    }
}

impl<T> Clone for AnyStream<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for AnyStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyStream").field("label", &self.shared.label).finish_non_exhaustive()
    }
}

/// The most that is read at a time: more than one TLS record, and what most of them gather.
const CHUNK: usize = 64 * 1024;
