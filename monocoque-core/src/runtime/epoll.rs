//! Readiness of many streams behind one operation of the runtime.
//!
//! A read that waits in the kernel interrupts this thread when its bytes arrive, wherever it is at that moment. With many
//! peers that send little at a time, those interruptions cost more than all the rest. So where there is a crowd, such streams
//! are watched by one epoll instance, and one operation waits for that: it interrupts once a turn of the runtime, however
//! many streams have become readable. A runtime whose ring is asked for its completions, and not interrupted by them, as those of
//! our own threads, needs none of this.
//!
//! Owns the epoll instance of a runtime, and who waits for what. It does not read.

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

use crate::runtime::spawn_here;
use crate::transport::Socket;
use crate::{PeerKey, PeerTable};

/// A connection that takes part in the count of this thread.
#[derive(Debug)]
pub(crate) struct Member(());

/// A stream that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Readable<S: Socket> {
    reactor: Rc<Reactor>,
    key: PeerKey,
    stream: S,
}

/// The epoll instance of a runtime.
#[derive(Debug)]
struct Reactor {
    epoll: PollFd<OwnedFd>,
    watched: RefCell<PeerTable<Watched>>,
    failed: Cell<bool>,
}

#[derive(Debug, Default)]
struct Watched {
    ready: bool,
    /// The peer has ended the stream. That may be told together with its last bytes, and is not told again.
    ended: bool,
    waiter: Option<Waker>,
}

thread_local! {
    static MEMBERS: Cell<usize> = const { Cell::new(0) };
    static INTERRUPTED: Cell<bool> = const { Cell::new(true) };
    /// By the descriptor of the runtime. The task that turns a reactor keeps it alive as long as the runtime lives.
    static REACTORS: RefCell<HashMap<RawFd, Weak<Reactor>>> = RefCell::default();
}

/// Says that completions do not interrupt this thread.
pub(crate) fn is_not_interrupted() {
    INTERRUPTED.set(false);
}

impl Member {
    pub(crate) fn new() -> Self {
        MEMBERS.set(MEMBERS.get() + 1);
        Self(())
    }

    /// Whether this thread is better off if it watches streams than if it reads ahead from each.
    pub(crate) fn of_a_crowd(&self) -> bool {
        MEMBERS.get() >= CROWD && INTERRUPTED.get()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        MEMBERS.set(MEMBERS.get() - 1);
    }
}

impl<S: Socket> Readable<S> {
    /// Watches `stream`, on the runtime that this thread is in. `None` if it has no descriptor.
    pub(crate) fn new(stream: S) -> io::Result<Option<Self>> {
        if stream.descriptor().is_none() {
            return Ok(None);
        }
        let reactor = Reactor::here()?;
        let key = reactor.watched.borrow_mut().insert(Watched::default());
        let readable = Self { reactor, key, stream };
        if let Some(descriptor) = readable.stream.descriptor() {
            let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&*readable.reactor.epoll, descriptor, EventData::new_u64(pack(key)), flags)?;
        }
        Ok(Some(readable))
    }

    /// Waits until something arrives, or has arrived since this was ready last.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.reactor.failed.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut watched = self.reactor.watched.borrow_mut();
        match watched.get_mut(self.key) {
            Some(row) if !row.ready => {
                row.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(row) => {
                row.ready = row.ended;
                Poll::Ready(Ok(()))
            }
            None => unreachable!("its row is there until it is dropped"),
        }
    }
}

impl<S: Socket> Drop for Readable<S> {
    fn drop(&mut self) {
        if let Some(descriptor) = self.stream.descriptor() {
            // It is not there if it could not be added.
            let _gone = epoll::delete(&*self.reactor.epoll, descriptor);
        }
        self.reactor.watched.borrow_mut().remove(self.key);
    }
}

impl Reactor {
    /// That of the runtime that this thread is in.
    fn here() -> io::Result<Rc<Self>> {
        let runtime = Runtime::with_current(|runtime| runtime.as_raw_fd());
        REACTORS.with_borrow_mut(|reactors| {
            if let Some(reactor) = reactors.get(&runtime).and_then(Weak::upgrade) {
                return Ok(reactor);
            }
            let reactor = Rc::new(Self {
                epoll: PollFd::new(epoll::create(CreateFlags::CLOEXEC)?)?,
                watched: RefCell::new(PeerTable::new()),
                failed: Cell::new(false),
            });
            reactors.retain(|_, reactor| reactor.strong_count() > 0);
            reactors.insert(runtime, Rc::downgrade(&reactor));
            spawn_here(reactor.clone().turn());
            Ok(reactor)
        })
    }

    async fn turn(self: Rc<Self>) {
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
                let waiter = self.watched.borrow_mut().get_mut(unpack(event.data.u64())).and_then(|row| {
                    row.ready = true;
                    row.ended |= flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
                    row.waiter.take()
                });
                waiter.into_iter().for_each(Waker::wake);
            }
            if events.len() < EVENTS {
                return Ok(());
            }
        }
    }
}

/// What epoll keeps for us: the place, and as much of the epoch as there is room for.
fn pack(key: PeerKey) -> u64 {
    (key.slot() as u64) << EPOCH_BITS | key.epoch() & EPOCH_MASK
}

fn unpack(data: u64) -> PeerKey {
    PeerKey::new((data >> EPOCH_BITS) as u32, data & EPOCH_MASK)
}

/// From how many connections of a thread on its streams are watched: with a few, one operation less is worth more.
const CROWD: usize = 8;
/// How many events are fetched at a time.
const EVENTS: usize = 256;
/// Leaves 2^24 places; after 2^40 connections of one thread, none is watched any more.
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
    fn what_arrives_is_told_once_and_so_is_the_end() {
        run(async {
            let (mut theirs, ours) = pair();
            let readable = Readable::new(ours.clone()).expect("watched").expect("it has a descriptor");
            theirs.write_all("a").await.0.expect("written");
            readable.wait().await.expect("it has arrived");
            let cx = Context::from_waker(Waker::noop());
            assert!(readable.poll(&cx).is_pending());
            theirs.write_all("b").await.0.expect("written");
            readable.wait().await.expect("more has arrived, although nobody has read");
            drop(theirs);
            readable.wait().await.expect("the end");
        });
    }

    #[test]
    fn an_end_that_comes_with_the_last_bytes_is_told_after_them() {
        run(async {
            let (mut theirs, ours) = pair();
            let readable = Readable::new(ours).expect("watched").expect("it has a descriptor");
            theirs.write_all("last").await.0.expect("written");
            drop(theirs);
            readable.wait().await.expect("the bytes");
            // Of the two, the kernel has told once.
            let end = compio::time::timeout(Duration::from_secs(5), readable.wait()).await;
            end.expect("in time").expect("the end");
        });
    }

    #[test]
    fn a_runtime_after_another_has_a_reactor_of_its_own() {
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
    fn a_place_that_is_used_again_gets_nothing_of_the_past() {
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
            second.reactor.dispatch(&mut Vec::with_capacity(EVENTS)).expect("looked");
            assert!(second.poll(&Context::from_waker(Waker::noop())).is_pending());
        });
    }
}
