//! The reading end of a stream: leased memory in front of the rope that the decoder takes from.
//!
//! Owns how much is read at a time, and in which of two ways: a stream that sends much at a time, or is one of a few, has a read
//! waiting in the kernel; one of a crowd that sends little is watched, and read when there is something (see
//! [`epoll`](crate::runtime::epoll)). Both end in the same memory, and neither is ever given up halfway.
//!
//! # Memory
//!
//! A read that follows a full one finds more, and has a large page. One that may have to wait has little more than what
//! has arrived of the frame that is not whole, so that a peer that stops, or sends a byte at a time, keeps no more than
//! twice what it has sent and a small page. Bytes of a frame that is cut are moved to the front of the memory that the
//! rest is read into: the frame lies in one place when it is whole. Large pages are kept while the stream is busy; the
//! write pump [lets go](SharedArena::rest) of them when it has been quiet for a while, and the read pump of the one that
//! [holds](Input::rest) what there is no room for.

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
use crate::transport::{CALL_MAX, Socket};

#[derive(Debug)]
pub(super) struct Input<S: Socket> {
    stream: S,
    counted: CountedConnection,
    /// There while the stream is watched.
    watched: Option<Readable<S>>,
    memory: SharedArena,
    pub(super) buffer: SegmentedBuffer,
    /// The front of a frame that has not arrived whole.
    cut: Option<SlabMut>,
    /// How much a read asks for that finds something: follows what the peer sends.
    want: usize,
    /// The last read got all it asked for: there is more.
    busy: bool,
    /// Nothing was read since it [rested](Self::rest).
    rested: bool,
}

/// The read memory of one connection, of which the write pump lets go when it is quiet.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedArena(Rc<RefCell<Arenas>>);

#[derive(Debug, Default)]
struct Arenas {
    /// For reads that may have to wait.
    small: IoArena,
    /// For reads that find something.
    large: IoArena,
}

impl SharedArena {
    /// Lets go of all but the page of the read that waits.
    pub(super) fn rest(&self) {
        let mut arenas = self.0.borrow_mut();
        arenas.small.rest();
        arenas.large = IoArena::new();
    }

    /// Makes what was read visible.
    fn freeze(&self, slab: SlabMut) -> Bytes {
        let Arenas { small, large } = &mut *self.0.borrow_mut();
        // Whichever it was leased from takes the rest of it back.
        if small.owns(&slab) { small.freeze(slab) } else { large.freeze(slab) }
    }

    /// Whether a quiet connection needs no more than it keeps.
    pub(super) fn is_small(&self) -> bool {
        let arenas = self.0.borrow();
        arenas.large.is_empty() && arenas.small.is_at_rest()
    }
}

impl<S: Socket> Input<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            counted: CountedConnection::new(),
            watched: None,
            memory: SharedArena::default(),
            buffer: SegmentedBuffer::new(),
            cut: None,
            want: READ_MIN,
            busy: false,
            rested: true,
        }
    }

    /// The memory of reads, for whoever lets go of it.
    pub(super) fn memory(&self) -> SharedArena {
        self.memory.clone()
    }

    /// Nothing is read for a while: keeps what has arrived in memory that is not much larger. `need` is as for
    /// [`read`](Self::read).
    pub(super) fn rest(&mut self, need: usize) {
        self.busy = false;
        // A frame that is larger has memory of its own.
        if self.buffer.len() < PIECE_MIN {
            self.buffer.compact();
        }
        self.cut = self.cut.take().map(|slab| self.go_on(slab, need));
        self.rested = true;
    }

    /// Returns true if the memory may be much larger than what has arrived.
    pub(super) fn is_spread(&self) -> bool {
        !self.rested
    }

    /// Reads once. Of a frame that is cut, for which `need` bytes are wanted in one place, nothing is in the buffer
    /// before all of that has arrived.
    pub(super) async fn read(&mut self, need: usize) -> io::Result<usize> {
        let slab = match self.cut.take() {
            Some(slab) => self.go_on(slab, need),
            None => self.begin(need),
        };
        let asked = slab.remaining().min(CALL_MAX);
        // Memory for this frame alone says nothing about what follows it.
        let exact = slab.capacity() == need;
        let (result, slab) = self.fill(slab).await;
        let n = result?;
        self.rested = false;
        self.adapt(n, asked, exact);
        if n == 0 || slab.filled() >= need {
            let piece = self.memory.freeze(slab);
            self.buffer.push(piece);
        } else {
            self.cut = Some(slab);
        }
        Ok(n)
    }

    /// Memory for a read, with what has arrived of a frame that is cut in front.
    fn begin(&mut self, need: usize) -> SlabMut {
        let arrived = self.buffer.len();
        let need = need.max(arrived + 1);
        let trusted = self.trusted(need, arrived);
        let Arenas { small, large } = &mut *self.memory.0.borrow_mut();
        let mut slab = if need >= PIECE_MIN {
            large.kept_piece(need).unwrap_or_else(|| IoArena::piece(trusted))
        } else if self.busy {
            large.lease(need.max(LEASE_MIN), self.want.max(need))
        } else if trusted <= READ_MIN {
            small.lease(need.clamp(LEASE_MIN, READ_MIN), READ_MIN)
        } else {
            IoArena::piece(trusted)
        };
        slab.fill_front(&mut self.buffer);
        slab
    }

    /// The memory of a frame that is cut, with room for more of it.
    fn go_on(&self, mut slab: SlabMut, need: usize) -> SlabMut {
        let arrived = slab.filled();
        let idle = !self.busy && slab.capacity() > READ_MIN.max(4 * arrived);
        if slab.remaining() == 0 || idle {
            slab.grow(self.trusted(need, arrived));
        }
        slab
    }

    /// How much memory a frame that is cut may have. How large it is was said by the peer: memory is asked for in
    /// proportion to what has arrived.
    fn trusted(&self, need: usize, arrived: usize) -> usize {
        let least = if self.busy { self.want } else { READ_MIN };
        need.min(least.max(2 * arrived)).max(arrived + 1)
    }

    /// Follows what the peer sends.
    fn adapt(&mut self, n: usize, asked: usize, exact: bool) {
        let was_busy = std::mem::replace(&mut self.busy, n == asked && !exact);
        if exact {
            return;
        }
        if n == asked {
            self.want = (self.want * 2).min(READ_MAX);
        } else if was_busy && n < self.want / 4 {
            self.want = (self.want / 2).max(READ_MIN);
        }
    }

    /// One read behind what `slab` holds.
    async fn fill(&mut self, mut slab: SlabMut) -> (io::Result<usize>, SlabMut) {
        // A read that fills its room is not told of what comes behind, and one that finds something needs no telling.
        let small = !self.busy && slab.filled() == 0 && self.want == READ_MIN;
        if !small || !self.counted.use_epoll() {
            self.watched = None;
        } else if self.watched.is_none() {
            // Where it cannot be watched, it can still be read.
            self.watched = Readable::new(self.stream.clone()).unwrap_or(None);
        }
        match &self.watched {
            Some(readable) => (read_ready(&self.stream, readable, &mut slab).await, slab),
            None => read_ahead(&mut self.stream, slab).await,
        }
    }
}

/// Waits for something to arrive, then reads.
///
/// What is told is what arrives after the last read that did not fill its room. One that did is followed by a larger one, which
/// is not waited for in this way.
async fn read_ready<S: Socket>(stream: &S, readable: &Readable<S>, slab: &mut SlabMut) -> io::Result<usize> {
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

/// Leaves a read with the kernel until something arrives, again if a signal came between.
async fn read_ahead<S: Socket>(stream: &mut S, mut slab: SlabMut) -> (io::Result<usize>, SlabMut) {
    loop {
        let filled = slab.filled();
        let end = slab.capacity().min(filled + CALL_MAX);
        let BufResult(result, back) = stream.read(slab.slice(filled..end)).await;
        slab = back.into_inner();
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return (result, slab),
        }
    }
}

const DONTWAIT: RecvFlags = RecvFlags::DONTWAIT;
/// The smallest read: what an idle connection has leased.
const READ_MIN: usize = 8 * 1024;
/// The largest read of small messages. Larger gave nothing more, and costs cache.
const READ_MAX: usize = 128 * 1024;
/// The rest of a page that is worth a read.
const LEASE_MIN: usize = 1024;
/// Frames from this size on have memory of their own, so that a body can be handed over where it lies.
const PIECE_MIN: usize = 64 * 1024;
