//! Readiness of many streams behind one operation of the runtime.
//!
//! A read that waits in the kernel interrupts its thread when bytes arrive, at whatever point the
//! thread is. With many peers that send little at a time, these interruptions cost more than all
//! the rest. So a thread with many connections watches such streams with one epoll instance, and
//! one operation waits for that: it interrupts the thread once a turn of the runtime, however many
//! streams have become readable. Runtimes with `DEFER_TASKRUN` or `COOP_TASKRUN`, such as those of
//! I/O threads, are not interrupted and do not use this.
//!
//! Owns the epoll instance of a runtime, and the wakers of those that wait. It does not read.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use compio::runtime::Runtime;
use compio::runtime::fd::PollFd;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::spawn_local;
use crate::transport::ByteStream;
use crate::{PeerKey, PeerTable};

/// A connection that counts towards the [threshold](EPOLL_THRESHOLD) of this thread.
#[derive(Debug)]
pub(crate) struct CountedConnection(());

/// A stream that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Readable<S: ByteStream> {
    set: Rc<EpollSet>,
    key: PeerKey,
    stream: S,
}

/// The epoll instance of a runtime.
#[derive(Debug)]
struct EpollSet {
    epoll: PollFd<OwnedFd>,
    watched: RefCell<PeerTable<Watched>>,
    failed: Cell<bool>,
}

#[derive(Debug, Default)]
struct Watched {
    readiness: Readiness,
    waiter: Option<Waker>,
}

/// The events of a stream since it was last ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Readiness {
    #[default]
    NotReady,
    Readable,
    /// The peer has ended the stream: it stays readable. The kernel may report the end together
    /// with the last bytes, and does not report it again.
    Ended,
}

thread_local! {
    static CONNECTIONS: Cell<usize> = const { Cell::new(0) };
    static INTERRUPTED: Cell<bool> = const { Cell::new(true) };
    /// By the descriptor of the runtime. The task that drives a set keeps it alive as long as the
    /// runtime lives.
    static SETS: RefCell<HashMap<RawFd, Weak<EpollSet>>> = RefCell::default();
}

/// Notes that completions do not interrupt this thread.
pub(crate) fn set_uninterrupted() {
    INTERRUPTED.set(false);
}

/// Notes whether completions interrupt this thread. Returns what was noted before.
pub(crate) fn replace_interrupted(interrupted: bool) -> bool {
    INTERRUPTED.replace(interrupted)
}

impl CountedConnection {
    pub(crate) fn new() -> Self {
        CONNECTIONS.set(CONNECTIONS.get() + 1);
        Self(())
    }

    /// Returns true if watching streams costs this thread less than a read that waits for each.
    pub(crate) fn use_epoll(&self) -> bool {
        CONNECTIONS.get() >= EPOLL_THRESHOLD && INTERRUPTED.get()
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        CONNECTIONS.set(CONNECTIONS.get() - 1);
    }
}

impl<S: ByteStream> Readable<S> {
    /// Watches `stream` on the runtime of this thread. `None` if it has no descriptor.
    pub(crate) fn new(stream: S) -> io::Result<Option<Self>> {
        if stream.descriptor().is_none() {
            return Ok(None);
        }
        let set = EpollSet::current()?;
        let key = set.watched.borrow_mut().insert(Watched::default());
        let readable = Self { set, key, stream };
        if let Some(descriptor) = readable.stream.descriptor() {
            let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&*readable.set.epoll, descriptor, EventData::new_u64(pack(key)), flags)?;
        }
        Ok(Some(readable))
    }

    /// Waits until bytes arrive, or have arrived since this was last ready.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Waits until the peer has ended the stream, whether its last bytes were read or not.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        loop {
            self.wait().await?;
            if self.set.watched.borrow().get(self.key).is_some_and(|row| row.readiness == Readiness::Ended) {
                return Ok(());
            }
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.set.failed.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut watched = self.set.watched.borrow_mut();
        let Some(row) = watched.get_mut(self.key) else {
            unreachable!("its row is there until it is dropped")
        };
        match row.readiness {
            Readiness::NotReady => {
                row.waiter = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Readiness::Readable => row.readiness = Readiness::NotReady,
            Readiness::Ended => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: ByteStream> Drop for Readable<S> {
    fn drop(&mut self) {
        if let Some(descriptor) = self.stream.descriptor() {
            // Fails if it could not be added.
            let _removed = epoll::delete(&*self.set.epoll, descriptor);
        }
        self.set.watched.borrow_mut().remove(self.key);
    }
}

impl EpollSet {
    /// Returns the set of the runtime of this thread.
    fn current() -> io::Result<Rc<Self>> {
        let runtime = Runtime::with_current(|runtime| runtime.as_raw_fd());
        SETS.with_borrow_mut(|sets| {
            if let Some(set) = sets.get(&runtime).and_then(Weak::upgrade) {
                return Ok(set);
            }
            let set = Rc::new(Self {
                epoll: PollFd::new(epoll::create(CreateFlags::CLOEXEC)?)?,
                watched: RefCell::new(PeerTable::new()),
                failed: Cell::new(false),
            });
            sets.retain(|_, set| set.strong_count() > 0);
            sets.insert(runtime, Rc::downgrade(&set));
            spawn_local(set.clone().run());
            Ok(set)
        })
    }

    async fn run(self: Rc<Self>) {
        let mut events = Vec::with_capacity(EVENTS);
        while self.epoll.read_ready().await.is_ok() && self.dispatch(&mut events).is_ok() {}
        self.failed.set(true);
        let waiters: Vec<_> =
            self.watched.borrow_mut().iter_mut().filter_map(|(_, row)| row.waiter.take()).collect();
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Wakes those whose streams have become readable.
    fn dispatch(&self, events: &mut Vec<Event>) -> io::Result<()> {
        loop {
            events.clear();
            match epoll::wait(&*self.epoll, spare_capacity(events), Some(&Timespec::default())) {
                Err(Errno::INTR) => continue,
                outcome => outcome?,
            };
            for event in &*events {
                let flags = event.flags;
                let waiter = self
                    .watched
                    .borrow_mut()
                    .get_mut(unpack(event.data.u64()))
                    .and_then(|row| row.on_event(flags));
                waiter.into_iter().for_each(Waker::wake);
            }
            if events.len() < EVENTS {
                return Ok(());
            }
        }
    }
}

impl Watched {
    /// Returns the waiter, to be woken.
    fn on_event(&mut self, flags: EventFlags) -> Option<Waker> {
        if flags.intersects(EventFlags::RDHUP | EventFlags::HUP) {
            self.readiness = Readiness::Ended;
        } else if self.readiness == Readiness::NotReady {
            self.readiness = Readiness::Readable;
        }
        self.waiter.take()
    }
}

/// Packs a key into the 64 bits that epoll keeps: the slot, and as much of the epoch as fits.
fn pack(key: PeerKey) -> u64 {
    (key.slot() as u64) << EPOCH_BITS | key.epoch() & EPOCH_MASK
}

fn unpack(data: u64) -> PeerKey {
    PeerKey::new((data >> EPOCH_BITS) as u32, data & EPOCH_MASK)
}

/// The number of connections of a thread from which on streams are watched: with fewer, one
/// operation less is worth more.
const EPOLL_THRESHOLD: usize = 8;
/// The most events that are fetched at a time.
const EVENTS: usize = 256;
/// Leaves 2^24 slots; after 2^40 connections of one thread, streams are not watched any more.
const EPOCH_BITS: u32 = 40;
const EPOCH_MASK: u64 = (1 << EPOCH_BITS) - 1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use compio::io::AsyncWriteExt;
    use compio::net::UnixStream;

    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        let (one, other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        (UnixStream::from_std(one).expect("attached"), UnixStream::from_std(other).expect("attached"))
    }

    fn run(body: impl Future<Output = ()>) {
        Runtime::new().expect("a runtime").block_on(body);
    }

    #[test]
    fn readiness_is_reported_once_per_arrival() {
        run(async {
            let (mut theirs, ours) = pair();
            let readable = Readable::new(ours.clone()).expect("watched").expect("it has a descriptor");
            theirs.write_all("a").await.0.expect("written");
            readable.wait().await.expect("it has arrived");
            let cx = Context::from_waker(Waker::noop());
            assert!(readable.poll(&cx).is_pending());
            theirs.write_all("b").await.0.expect("written");
            readable.wait().await.expect("more has arrived, although nothing was read");
            drop(theirs);
            readable.wait().await.expect("the end");
        });
    }

    #[test]
    fn hangup_with_data_wakes_twice() {
        run(async {
            let (mut theirs, ours) = pair();
            let readable = Readable::new(ours).expect("watched").expect("it has a descriptor");
            theirs.write_all("last").await.0.expect("written");
            drop(theirs);
            readable.wait().await.expect("the bytes");
            // The kernel has reported both at once.
            let end = compio::time::timeout(Duration::from_secs(5), readable.wait()).await;
            end.expect("in time").expect("the end");
        });
    }

    #[test]
    fn new_runtime_gets_new_reactor() {
        for _ in 0..3 {
            run(async {
                let (mut theirs, ours) = pair();
                let readable = Readable::new(ours).expect("watched").expect("it has a descriptor");
                theirs.write_all("a").await.0.expect("written");
                readable.wait().await.expect("it has arrived");
            });
        }
    }

    #[test]
    fn reused_slot_gets_no_stale_event() {
        run(async {
            let (mut theirs, ours) = pair();
            let first = Readable::new(ours.clone()).expect("watched").expect("it has a descriptor");
            let (_others, second) = pair();
            let key = first.key;
            theirs.write_all("a").await.0.expect("written");
            drop(first);
            let second = Readable::new(second).expect("watched").expect("it has a descriptor");
            assert_eq!((second.key.slot(), second.key == key), (key.slot(), false));
            assert_eq!(unpack(pack(second.key)), second.key);
            second.set.dispatch(&mut Vec::with_capacity(EVENTS)).expect("looked");
            assert!(second.poll(&Context::from_waker(Waker::noop())).is_pending());
        });
    }
}
