//! Two halves of the traits of compio as one polled stream.
//!
//! An operation of compio owns its half and its buffer until it is done, and cannot be dropped
//! without losing the bytes that it has read. So it is kept here while it runs, even if no task
//! waits for it, and has a buffer of its own.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// A stream of the traits of `futures`, made of a reader and a writer of the traits of compio; see
/// [`AnyStream::from_halves`](super::AnyStream::from_halves).
pub struct Halves<R, W> {
    reading: Reading<R>,
    writing: Writing<W>,
}

enum Reading<R> {
    /// The bytes that were read, and how many of them were taken.
    Idle(R, Vec<u8>, usize),
    Busy(Operation<(R, BufResult<usize, Vec<u8>>)>),
    Gone,
}

enum Writing<W> {
    Idle(W, Vec<u8>),
    Busy(Operation<(W, BufResult<(), Vec<u8>>)>),
    Closing(Operation<io::Result<()>>),
    Gone,
}

type Operation<T> = Pin<Box<dyn Future<Output = T>>>;

impl<R, W> Halves<R, W> {
    pub(super) fn new(reader: R, writer: W) -> Self {
        Self { reading: Reading::Idle(reader, Vec::new(), 0), writing: Writing::Idle(writer, Vec::new()) }
    }
}

// Neither half is ever pinned here: operations are, in boxes of their own.
impl<R, W> Unpin for Halves<R, W> {}

impl<R: AsyncRead + 'static, W> futures_io::AsyncRead for Halves<R, W> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match &mut self.reading {
                Reading::Idle(_, bytes, at) if *at < bytes.len() => {
                    let mut rest = bytes.get(*at..).unwrap_or_default();
                    let n = io::Read::read(&mut rest, room)?;
                    *at += n;
                    return Poll::Ready(Ok(n));
                }
                Reading::Idle(..) => {
                    let Reading::Idle(mut reader, mut bytes, _) =
                        std::mem::replace(&mut self.reading, Reading::Gone)
                    else {
                        unreachable!("it was idle");
                    };
                    bytes.clear();
                    bytes.reserve(room.len());
                    self.reading = Reading::Busy(Box::pin(async move {
                        let read = reader.read(bytes).await;
                        (reader, read)
                    }));
                }
                Reading::Busy(operation) => {
                    let (reader, BufResult(result, bytes)) = ready!(operation.as_mut().poll(cx));
                    let at = if result.is_ok() { 0 } else { bytes.len() };
                    self.reading = Reading::Idle(reader, bytes, at);
                    if result? == 0 {
                        return Poll::Ready(Ok(0));
                    }
                }
                Reading::Gone => return Poll::Ready(Err(gone())),
            }
        }
    }
}

impl<R, W: AsyncWrite + 'static> Halves<R, W> {
    /// Waits until no write is in flight.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.writing {
            Writing::Idle(..) => Poll::Ready(Ok(())),
            Writing::Busy(operation) => {
                let (writer, BufResult(result, bytes)) = ready!(operation.as_mut().poll(cx));
                self.writing = Writing::Idle(writer, bytes);
                Poll::Ready(result)
            }
            Writing::Closing(_) | Writing::Gone => Poll::Ready(Err(gone())),
        }
    }
}

impl<R, W: AsyncWrite + 'static> futures_io::AsyncWrite for Halves<R, W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Starts a write, which goes on in `poll_flush`.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_idle(cx))?;
        let Writing::Idle(mut writer, mut bytes) = std::mem::replace(&mut self.writing, Writing::Gone) else {
            unreachable!("it is idle");
        };
        bytes.clear();
        for slice in slices {
            let room = CHUNK.saturating_sub(bytes.len());
            bytes.extend_from_slice(slice.get(..room).unwrap_or(slice));
        }
        let taken = bytes.len();
        self.writing = Writing::Busy(Box::pin(async move {
            let BufResult(mut result, bytes) = writer.write_all(bytes).await;
            if result.is_ok() {
                result = writer.flush().await;
            }
            (writer, BufResult(result, bytes))
        }));
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_idle(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !matches!(self.writing, Writing::Closing(_)) {
            ready!(self.poll_idle(cx))?;
            let Writing::Idle(mut writer, _) = std::mem::replace(&mut self.writing, Writing::Gone) else {
                unreachable!("it is idle");
            };
            self.writing = Writing::Closing(Box::pin(async move { writer.shutdown().await }));
        }
        let Writing::Closing(operation) = &mut self.writing else { unreachable!("it is being closed") };
        let result = ready!(operation.as_mut().poll(cx));
        self.writing = Writing::Gone;
        Poll::Ready(result)
    }
}

impl<R, W> fmt::Debug for Halves<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halves").finish_non_exhaustive()
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// The most bytes of one write.
const CHUNK: usize = 64 * 1024;
