//! The reading end of a stream: leased memory in front of the rope that the decoder takes from.
//!
//! Owns how much is read at a time, and in which of two ways. A stream that sends much at a time,
//! or is one of a few, has a read that waits in the kernel. One of many that sends little is
//! watched, and read when bytes have arrived (see [`epoll`](crate::runtime::epoll)). Both ways end
//! in the same memory, and neither is given up halfway.
//!
//! # Memory
//!
//! A read after a full one finds more, and has a large page. A read that may have to wait has
//! little more than what has arrived of a partial frame: a peer that stops, or sends a byte at a
//! time, keeps at most twice what it has sent and a small page. The bytes of a partial frame are
//! moved to the front of the memory that the rest is read into, so that a whole frame lies in one
//! place. Large pages are kept while the stream is busy. The write pump
//! [releases](SharedArena::shrink) them once the connection is idle, and the read pump the one
//! [that holds bytes](Input::shrink) for which there is no room.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::SegmentedBuffer;
use crate::alloc::{IoArena, SlabMut};
use crate::runtime::epoll::{CountedConnection, Readable};
use crate::transport::{ByteStream, MAX_IO_BYTES};

#[derive(Debug)]
pub(super) struct Input<S: ByteStream> {
    stream: S,
    counted: CountedConnection,
    /// `Some` while the stream is watched.
    watched: Option<Readable<S>>,
    memory: SharedArena,
    pub(super) buffer: SegmentedBuffer,
    /// The front of a frame that has not arrived whole.
    partial_frame: Option<SlabMut>,
    /// The size of a read that finds bytes: follows what the peer sends.
    read_size: usize,
    /// The last read was full: there is more.
    is_busy: bool,
    /// The length of the buffer when memory was last [released](Self::shrink); `None` after a read.
    shrunk_len: Option<usize>,
}

/// The read memory of one connection, which the write pump releases when the connection is idle.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedArena(Rc<RefCell<Arenas>>);

#[derive(Debug, Default)]
struct Arenas {
    /// For reads that may have to wait.
    small: IoArena,
    /// For reads that find bytes.
    large: IoArena,
}

impl SharedArena {
    /// Releases all but the page of the read that waits.
    pub(super) fn shrink(&self) {
        let mut arenas = self.0.borrow_mut();
        arenas.small.shrink();
        arenas.large = IoArena::new();
    }

    /// Makes what was read visible.
    fn freeze(&self, slab: SlabMut) -> Bytes {
        let Arenas { small, large } = &mut *self.0.borrow_mut();
        // The arena that it was leased from takes the rest of it back.
        if small.owns(&slab) { small.freeze(slab) } else { large.freeze(slab) }
    }

    /// Returns true if an idle connection would keep as much.
    pub(super) fn is_small(&self) -> bool {
        let arenas = self.0.borrow();
        arenas.large.is_empty() && arenas.small.is_shrunk()
    }
}

impl<S: ByteStream> Input<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            counted: CountedConnection::new(),
            watched: None,
            memory: SharedArena::default(),
            buffer: SegmentedBuffer::new(),
            partial_frame: None,
            read_size: READ_MIN,
            is_busy: false,
            shrunk_len: Some(0),
        }
    }

    /// Returns the memory of reads, for the write pump.
    pub(super) fn memory(&self) -> SharedArena {
        self.memory.clone()
    }

    /// Moves what has arrived into memory that is not much larger, because nothing is read for a
    /// while. `need` is as for [`read`](Self::read).
    pub(super) fn shrink(&mut self, need: usize) {
        self.is_busy = false;
        // A frame that is larger has memory of its own.
        if self.buffer.len() < PIECE_MIN {
            self.buffer.compact();
        }
        self.partial_frame = self.partial_frame.take().map(|slab| self.extend_partial(slab, need));
        self.shrunk_len = Some(self.buffer.len());
    }

    /// Returns true if the memory may be much larger than what has arrived.
    pub(super) fn has_spare_memory(&self) -> bool {
        self.shrunk_len.is_none_or(|len| len > 2 * self.buffer.len().max(LEASE_MIN))
    }

    /// Reads once. A partial frame, of which `need` bytes are wanted in one place, is kept out of
    /// the buffer until all of them have arrived.
    pub(super) async fn read(&mut self, need: usize) -> io::Result<usize> {
        let slab = match self.partial_frame.take() {
            Some(slab) => self.extend_partial(slab, need),
            None => self.lease_for_read(need),
        };
        let asked = slab.remaining().min(MAX_IO_BYTES);
        // Memory for this frame alone says nothing about what follows it.
        let is_exact = slab.capacity() == need;
        let (result, slab) = self.read_into(slab).await;
        let n = result?;
        self.shrunk_len = None;
        self.adjust_read_size(n, asked, is_exact);
        if n == 0 || slab.filled() >= need {
            let piece = self.memory.freeze(slab);
            self.buffer.push(piece);
        } else {
            self.partial_frame = Some(slab);
        }
        Ok(n)
    }

    /// Leases memory for a read, with what has arrived of a partial frame in front.
    fn lease_for_read(&mut self, need: usize) -> SlabMut {
        let arrived = self.buffer.len();
        let need = need.max(arrived + 1);
        let allowed = self.allowed_capacity(need, arrived);
        let Arenas { small, large } = &mut *self.memory.0.borrow_mut();
        let mut slab = if need >= PIECE_MIN {
            large.kept_piece(need).unwrap_or_else(|| IoArena::piece(allowed))
        } else if self.is_busy {
            large.lease(need.max(LEASE_MIN), self.read_size.max(need))
        } else if allowed <= READ_MIN {
            small.lease(need.clamp(LEASE_MIN, READ_MIN), READ_MIN)
        } else {
            IoArena::piece(allowed)
        };
        slab.fill_front(&mut self.buffer);
        slab
    }

    /// Makes room for more of a partial frame in its memory.
    fn extend_partial(&self, mut slab: SlabMut, need: usize) -> SlabMut {
        let arrived = slab.filled();
        let is_oversize = !self.is_busy && slab.capacity() > READ_MIN.max(4 * arrived);
        if slab.remaining() == 0 || is_oversize {
            slab.grow(self.allowed_capacity(need, arrived));
        }
        slab
    }

    /// Returns how much memory a partial frame may have. Its length is a claim of the peer: memory
    /// is in proportion to what has arrived.
    fn allowed_capacity(&self, need: usize, arrived: usize) -> usize {
        let least = if self.is_busy { self.read_size } else { READ_MIN };
        need.min(least.max(2 * arrived)).max(arrived + 1)
    }

    /// Adjusts the size of the next read to what the peer sends.
    fn adjust_read_size(&mut self, n: usize, asked: usize, is_exact: bool) {
        let was_busy = std::mem::replace(&mut self.is_busy, n == asked && !is_exact);
        if is_exact {
            return;
        }
        if n == asked {
            self.read_size = (self.read_size * 2).min(READ_MAX);
        } else if was_busy && n < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(READ_MIN);
        }
    }

    /// Reads once, behind what `slab` holds.
    async fn read_into(&mut self, mut slab: SlabMut) -> (io::Result<usize>, SlabMut) {
        // A full read gets no event for what comes after it; one that finds bytes needs none.
        let is_small = !self.is_busy && slab.filled() == 0 && self.read_size == READ_MIN;
        if !is_small || !self.counted.use_epoll() {
            self.watched = None;
        } else if self.watched.is_none() {
            // A stream that cannot be watched can still be read.
            self.watched = Readable::new(self.stream.clone()).unwrap_or(None);
        }
        match &self.watched {
            Some(readable) => (read_ready(&self.stream, readable, &mut slab).await, slab),
            None => read_ahead(&mut self.stream, slab).await,
        }
    }
}

/// Waits for bytes to arrive, then reads.
///
/// The event is for bytes that arrive after the last read that was not full. A full read is
/// followed by a larger one, which does not wait in this way.
async fn read_ready<S: ByteStream>(
    stream: &S,
    readable: &Readable<S>,
    slab: &mut SlabMut,
) -> io::Result<usize> {
    loop {
        readable.wait().await?;
        let Some(descriptor) = stream.descriptor() else { return Err(io::ErrorKind::Unsupported.into()) };
        let read = slab.fill_with(|room| recv(descriptor, room, DONTWAIT).map(|((read, _), _)| read));
        match read {
            Err(Errno::AGAIN | Errno::INTR) => {}
            read => return Ok(read?),
        }
    }
}

/// Leaves a read with the kernel until bytes arrive, again after a signal.
async fn read_ahead<S: ByteStream>(stream: &mut S, mut slab: SlabMut) -> (io::Result<usize>, SlabMut) {
    loop {
        let filled = slab.filled();
        let end = slab.capacity().min(filled + MAX_IO_BYTES);
        let BufResult(result, back) = stream.read(slab.slice(filled..end)).await;
        slab = back.into_inner();
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return (result, slab),
        }
    }
}

const DONTWAIT: RecvFlags = RecvFlags::DONTWAIT;
/// The smallest read: the lease of an idle connection.
const READ_MIN: usize = 8 * 1024;
/// The largest read of small messages. Larger ones gave nothing more, and cost cache.
const READ_MAX: usize = 128 * 1024;
/// The smallest rest of a page that is worth a read.
const LEASE_MIN: usize = 1024;
/// Frames from this size on have memory of their own, so that a body can be handed over in place.
const PIECE_MIN: usize = 64 * 1024;
