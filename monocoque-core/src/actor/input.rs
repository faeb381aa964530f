//! The reading end of a stream: leased memory in front of the rope that the decoder takes from.
//!
//! Owns how much is read at a time, and in which of two ways: a stream that sends much at a time, or is one of a few, has a read
//! waiting in the kernel; one of a crowd that sends little is watched, and read when there is something (see
//! [`reactor`](crate::reactor)). Both end in the same memory, and neither is ever given up halfway.

use std::io;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::reactor::{Member, Readable};
use crate::transport::Socket;
use crate::{IoArena, SegmentedBuffer, SlabMut};

#[derive(Debug)]
pub(super) struct Input<S: Socket> {
    stream: S,
    member: Member,
    /// There while the stream is watched.
    watched: Option<Readable<S>>,
    arena: IoArena,
    pub(super) buffer: SegmentedBuffer,
    /// A large body that has not arrived whole.
    gathered: Option<SlabMut>,
    /// How much the next read asks for: follows what the peer sends.
    want: usize,
}

impl<S: Socket> Input<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            member: Member::new(),
            watched: None,
            arena: IoArena::new(),
            buffer: SegmentedBuffer::new(),
            gathered: None,
            want: READ_MIN,
        }
    }

    /// Reads once. Of a large body, of which `need` bytes are wanted in one place, nothing is in the buffer before all of
    /// that has arrived.
    pub(super) async fn read(&mut self, need: usize) -> io::Result<usize> {
        if let Some(slab) = self.gathered.take() {
            return self.gather(slab).await;
        }
        if need > self.buffer.len() + READ_MAX {
            let slab = self.begin(need);
            return self.gather(slab).await;
        }
        let slab = self.arena.lease(READ_MIN, self.want);
        let asked = slab.capacity();
        let (result, slab) = self.fill(slab).await;
        let n = result?;
        self.buffer.push(self.arena.freeze(slab));
        if n == asked {
            self.want = (self.want * 2).min(READ_MAX);
        } else if n < self.want / 4 {
            self.want = (self.want / 2).max(READ_MIN);
        }
        Ok(n)
    }

    /// Memory for a large body of its own, with the part of it in front that has arrived.
    ///
    /// How large it is was said by the peer: memory is asked for in proportion to what the peer has sent.
    fn begin(&mut self, need: usize) -> SlabMut {
        let trusted = need.min(GATHER_MIN.max(self.buffer.len() * 2));
        let mut slab = self.arena.lease(trusted, trusted);
        slab.fill_front(&mut self.buffer);
        slab
    }

    /// Reads on into the memory of a large body.
    async fn gather(&mut self, slab: SlabMut) -> io::Result<usize> {
        // It fills its room, so that nothing would be told of what comes behind.
        self.watched = None;
        let (result, slab) = read_ahead(&mut self.stream, slab).await;
        let n = result?;
        if n == 0 || slab.filled() == slab.capacity() {
            self.buffer.push(self.arena.freeze(slab));
        } else {
            self.gathered = Some(slab);
        }
        Ok(n)
    }

    /// One read behind what `slab` holds.
    async fn fill(&mut self, mut slab: SlabMut) -> (io::Result<usize>, SlabMut) {
        if self.want > READ_MIN || !self.member.of_a_crowd() {
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
        let BufResult(result, back) = stream.read(slab.slice(filled..)).await;
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
/// How large a body may be on the word of a peer that has sent nothing of it.
const GATHER_MIN: usize = 512 * 1024;
