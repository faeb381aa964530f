//! Waiting for several sockets and descriptors, on a thread without an executor.
//!
//! Each thread that waits has a descriptor of its own, which is made readable by a waker: it stands
//! among the observers of each socket, so that threads which wait for one socket do not take the
//! signals of one another.

use std::cell::RefCell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use monocoque_core::{EventFd, Ticket, deadline, process_id};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use smallvec::SmallVec;

use crate::error::MonocoqueError;
use crate::readiness::Events;
use crate::socket::Engine;
use crate::zmq::{IntoLimit, Socket};

/// A socket or a descriptor that [`poll`] waits for (`zmq_pollitem_t`).
#[derive(Clone, Copy)]
pub struct PollItem<'a> {
    source: Source<'a>,
    interest: Events,
    ready: Events,
    has_error: bool,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Socket(&'a Arc<Engine>),
    Descriptor(BorrowedFd<'a>),
}

impl<'a> PollItem<'a> {
    /// An item for a socket of any type. It is ready when the [`events`](Socket::events) of the
    /// socket have something of `interest`.
    pub fn socket<S: Socket>(socket: &'a S, interest: Events) -> Self {
        Self::new(Source::Socket(socket.handle().engine()), interest)
    }

    /// An item for a descriptor, such as a pipe, a timer or a socket of the system.
    pub fn descriptor(descriptor: &'a impl AsFd, interest: Events) -> Self {
        Self::new(Source::Descriptor(descriptor.as_fd()), interest)
    }

    fn new(source: Source<'a>, interest: Events) -> Self {
        Self { source, interest, ready: Events::NONE, has_error: false }
    }

    /// Returns what the item waits for.
    pub fn interest(&self) -> Events {
        self.interest
    }

    /// Changes what the item waits for. [`Events::NONE`] leaves it out.
    pub fn set_interest(&mut self, interest: Events) {
        self.interest = interest;
    }

    /// Returns the part of the interest that the item was ready for when [`poll`] returned last.
    pub fn events(&self) -> Events {
        self.ready
    }

    /// Returns whether it can be read, or received from.
    pub fn is_readable(&self) -> bool {
        self.ready.is_readable()
    }

    /// Returns whether it can be written to, or sent to.
    pub fn is_writable(&self) -> bool {
        self.ready.is_writable()
    }

    /// Returns whether the descriptor has an error, or its other end is closed (`ZMQ_POLLERR`).
    /// Never for a socket.
    pub fn has_error(&self) -> bool {
        self.has_error
    }

    fn is_ready(&self) -> bool {
        self.has_error || !self.ready.is_empty()
    }

    fn engine(&self) -> Option<&'a Arc<Engine>> {
        match self.source {
            Source::Socket(engine) if !self.interest.is_empty() => Some(engine),
            Source::Socket(_) | Source::Descriptor(_) => None,
        }
    }

    fn poll_fd(&self) -> Option<PollFd<'a>> {
        let Source::Descriptor(descriptor) = self.source else { return None };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.interest.is_readable());
        flags.set(PollFlags::OUT, self.interest.is_writable());
        (!self.interest.is_empty()).then(|| PollFd::from_borrowed_fd(descriptor, flags))
    }

    fn set_ready(&mut self, flags: PollFlags) {
        let is_closed = flags.intersects(PollFlags::HUP | PollFlags::ERR);
        let readable = flags.contains(PollFlags::IN) || is_closed;
        let writable = flags.contains(PollFlags::OUT) || flags.contains(PollFlags::ERR);
        self.ready = Events::new(readable, writable) & self.interest;
        self.has_error = flags.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
    }
}

impl fmt::Debug for PollItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut item = f.debug_struct("PollItem");
        match self.source {
            Source::Socket(engine) => item.field("socket", &engine.pattern.socket_type),
            Source::Descriptor(descriptor) => item.field("descriptor", &descriptor),
        };
        item.field("interest", &self.interest).field("events", &self.ready).finish_non_exhaustive()
    }
}

/// Waits until one of `items` is ready, for at most `timeout`, and returns how many are
/// (`zmq_poll`): 0 if the timeout is over. The items tell which.
///
/// `None` and [`Duration::MAX`] wait for ever, [`Duration::ZERO`] looks and does not wait. Without
/// items it sleeps. For threads without an executor, with sockets whose connections live on I/O
/// threads; it parks the thread, and costs no processor time meanwhile. With an executor, use
/// `select!` on [`readable`](Socket::readable) and [`writable`](Socket::writable).
///
/// Takes no message and no turn, and does not touch the [descriptors](Socket::descriptor) of the
/// sockets: any number of threads may wait for the same ones. The thread gets one descriptor when
/// it first waits, which it keeps.
///
/// ```
/// use std::time::Duration;
/// use monocoque::zmq::{PullSocket, PushSocket, SubSocket};
/// use monocoque::{Context, Events, PollItem, poll};
///
/// let context = Context::new()?;
/// let (jobs, news) = (PullSocket::new_in(&context)?, SubSocket::new_in(&context)?);
/// let push = PushSocket::new_in(&context)?;
/// push.blocking().connect(jobs.blocking().bind("inproc://jobs")?)?;
/// push.blocking().send("a job")?;
///
/// let mut items =
///     [PollItem::socket(&jobs, Events::READABLE), PollItem::socket(&news, Events::READABLE)];
/// assert_eq!(poll(&mut items, Duration::from_secs(10))?, 1);
/// assert!(items[0].is_readable() && !items[1].is_readable());
/// assert_eq!(&jobs.try_recv()?[0], b"a job");
/// assert_eq!(poll(&mut items, Duration::from_millis(10))?, 0);
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
///
/// # Errors
///
/// [`MonocoqueError::WouldDeadlock`] if the connections of a socket live on this thread;
/// [`MonocoqueError::Closed`] if one of the sockets is closed, or is closed meanwhile;
/// [`MonocoqueError::Interrupted`] if a signal handler has run meanwhile;
/// [`MonocoqueError::Readiness`] if the system has no descriptor left.
pub fn poll(items: &mut [PollItem<'_>], timeout: impl IntoLimit<Duration>) -> Result<usize, MonocoqueError> {
    for engine in items.iter().filter_map(PollItem::engine) {
        if engine.is_foreign() {
            return Err(MonocoqueError::Closed);
        }
        if engine.runs_on_current_thread() {
            return Err(MonocoqueError::WouldDeadlock);
        }
    }
    let timeout: Option<Duration> = timeout.into_limit();
    let ready = look(items)?;
    if ready > 0 || timeout == Some(Duration::ZERO) {
        return Ok(ready);
    }
    // A deadline that the clock cannot represent never comes.
    let deadline = timeout.and_then(|timeout| deadline::after(Instant::now(), timeout));
    Bell::with_current(|bell| wait(items, deadline, bell))
}

/// Waits with the descriptor of this thread.
fn wait(
    items: &mut [PollItem<'_>],
    deadline: Option<Instant>,
    bell: &Arc<Bell>,
) -> Result<usize, MonocoqueError> {
    let waker = Waker::from(bell.clone());
    let sockets = items.iter().filter_map(PollItem::engine);
    let mut watched = Watched(sockets.map(|engine| (engine, None)).collect());
    loop {
        // A change between this look and the wait makes the descriptor of the thread readable.
        watched.renew(&waker);
        let ready = look(items)?;
        let remaining = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if ready > 0 || remaining == Some(Duration::ZERO) {
            return Ok(ready);
        }
        let mut descriptors: Descriptors<'_> = items.iter().filter_map(PollItem::poll_fd).collect();
        descriptors.push(PollFd::new(&bell.descriptor, PollFlags::IN));
        // A time that the system cannot represent is for ever.
        let remaining = remaining.and_then(|remaining| Timespec::try_from(remaining).ok());
        poll_system(&mut descriptors, remaining.as_ref())?;
        bell.descriptor.reset();
    }
}

/// Looks at all items, and returns how many are ready.
fn look(items: &mut [PollItem<'_>]) -> Result<usize, MonocoqueError> {
    let mut descriptors: Descriptors<'_> = items.iter().filter_map(PollItem::poll_fd).collect();
    if !descriptors.is_empty() {
        poll_system(&mut descriptors, Some(&Timespec::default()))?;
    }
    let mut flags = descriptors.iter().map(PollFd::revents);
    let mut ready = 0;
    for item in items.iter_mut() {
        (item.ready, item.has_error) = (Events::NONE, false);
        if let Some(engine) = item.engine() {
            item.ready = engine.ready(item.interest)?;
        } else if item.poll_fd().is_some() {
            item.set_ready(flags.next().unwrap_or(PollFlags::empty()));
        }
        ready += usize::from(item.is_ready());
    }
    Ok(ready)
}

fn poll_system(descriptors: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> Result<(), MonocoqueError> {
    match rustix::event::poll(descriptors, timeout) {
        Ok(_) => Ok(()),
        Err(Errno::INTR) => Err(MonocoqueError::Interrupted),
        Err(error) => Err(MonocoqueError::Readiness(error.into())),
    }
}

type Descriptors<'a> = SmallVec<[PollFd<'a>; FEW + 1]>;

/// Sockets whose readiness wakes this thread.
struct Watched<'a>(SmallVec<[(&'a Arc<Engine>, Option<Ticket>); FEW]>);

impl Watched<'_> {
    /// Asks for the next signal of each socket.
    fn renew(&mut self, waker: &Waker) {
        for (engine, ticket) in &mut self.0 {
            engine.watch_readiness(ticket, waker);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        for (engine, ticket) in &mut self.0 {
            engine.unwatch_readiness(ticket);
        }
    }
}

/// A waker that ends the wait of a thread.
#[derive(Debug)]
struct Bell {
    descriptor: EventFd,
    /// A process that was forked from this one must not share the descriptor.
    process: u32,
}

impl Bell {
    /// Calls `work` with the bell of this thread.
    fn with_current<T>(
        work: impl FnOnce(&Arc<Self>) -> Result<T, MonocoqueError>,
    ) -> Result<T, MonocoqueError> {
        let kept = BELL.try_with(|kept| kept.take()).unwrap_or_default();
        let bell = match kept {
            Some(bell) if bell.process == process_id() => bell,
            _ => Arc::new(Self {
                descriptor: EventFd::new().map_err(MonocoqueError::Readiness)?,
                process: process_id(),
            }),
        };
        let result = work(&bell);
        // In a destructor of thread-locals it is not kept.
        let _kept = BELL.try_with(|kept| kept.replace(Some(bell)));
        result
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.descriptor.set();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.descriptor.set();
    }
}

thread_local! {
    static BELL: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
}

/// The number of items for which no memory is allocated.
const FEW: usize = 8;
