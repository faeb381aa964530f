//! Where engines run: the compio runtime of the calling thread, or a thread of our own.
//!
//! Whatever touches a stream lives on one thread. A [`Home`] is the door to it: a mailbox that takes closures from any
//! thread and makes their futures into tasks over there. The mailbox is the only task that other threads wake to get
//! work started, and it ends by itself once nobody holds a `Home` any more.

mod block_on;
pub(crate) mod epoll;
pub mod yielding;

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use futures_util::future::{Either, select};
use rustix::thread::{Pid, gettid};
use thiserror::Error;

use crate::deadline::{self, Excuses};
use crate::process_id;

pub use block_on::block_on;

/// What a mailbox takes.
enum Mail {
    Job(Box<dyn FnOnce() + Send>),
    End,
}

/// A thread with a runtime on which connections live.
#[derive(Clone, Debug)]
pub struct Home {
    /// There until it is dropped.
    jobs: Option<flume::Sender<Mail>>,
    driver: Driver,
    thread: Pid,
    /// The descriptor of its runtime.
    runtime: RawFd,
}

/// How a [`Home`] talks to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Through io_uring.
    IoUring,
    /// Through readiness and system calls: where io_uring is missing or forbidden.
    Polling,
}

/// The runtime of a [`Home`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the runtime that the connections lived on has ended")]
pub struct HomeGone;

/// The end of a thread with a [`Home`], for those who wait for it.
#[derive(Debug)]
pub struct ThreadEnd {
    thread: thread::JoinHandle<()>,
    /// Closed when the runtime is gone, and nothing is left to do but to leave.
    ended: flume::Receiver<Infallible>,
}

/// How an I/O thread of our own is made.
#[derive(Clone, Debug, Default)]
pub struct ThreadSettings {
    /// The name of the thread, as tools show it.
    pub name: String,
    /// The processors that the thread may run on; empty for any.
    pub affinity: HashSet<usize>,
    /// The driver to insist on; `None` takes io_uring where it is to be had.
    pub driver: Option<Driver>,
}

impl Home {
    /// The compio runtime of the calling thread; `None` outside one.
    pub fn current() -> Option<Self> {
        let (driver, runtime) = Runtime::try_with_current(traits).ok()?;
        let (jobs, mailbox) = flume::unbounded();
        compio::runtime::spawn(serve(mailbox)).detach();
        Some(Self { jobs: Some(jobs), driver, thread: gettid(), runtime })
    }

    /// A home whose runtime has ended, and that belongs to no thread.
    pub fn gone() -> Self {
        Self { jobs: None, driver: Driver::Polling, thread: Pid::INIT, runtime: -1 }
    }

    /// A new thread with a runtime of its own. It ends when the last `Home` that leads to it is gone, or it is
    /// [ended](Self::end).
    pub fn thread(settings: ThreadSettings) -> io::Result<(Self, ThreadEnd)> {
        let (jobs, mailbox) = flume::unbounded();
        let (ready, started) = flume::bounded(1);
        let (ending, ended) = flume::bounded(0);
        let thread = thread::Builder::new().name(settings.name.clone()).spawn(move || {
            let runtime = match build(&settings) {
                Ok((runtime, interrupted)) => {
                    if !interrupted {
                        epoll::is_not_interrupted();
                    }
                    runtime
                }
                Err(error) => return drop(ready.send(Err(error))),
            };
            if ready.send(Ok((traits(&runtime), gettid()))).is_ok() {
                runtime.block_on(serve(mailbox));
            }
            drop(runtime);
            drop(ending);
        })?;
        let ((driver, runtime), id) =
            started.recv().unwrap_or_else(|_| Err(io::Error::other("the I/O thread did not start")))?;
        let home = Self { jobs: Some(jobs), driver, thread: id, runtime };
        Ok((home, ThreadEnd { thread, ended }))
    }

    /// Takes no more work from anybody. A thread of our own ends, with all that still runs there; the runtime of a caller goes
    /// on.
    pub fn end(&self) {
        // If it has ended already nobody hears it.
        let _heard = self.jobs.as_ref().map(|jobs| jobs.send(Mail::End));
    }

    /// How this home talks to the kernel.
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// Whether the calling thread is the one over there: if it waits for what is done there, it waits for ever.
    pub fn is_here(&self) -> bool {
        // Not by thread-locals: it is asked in their destructors too.
        self.thread == gettid()
    }

    /// Whether the calling thread is inside the runtime over there, as long as that is not over.
    pub fn is_current(&self) -> bool {
        self.is_here() && Runtime::try_with_current(Runtime::as_raw_fd).is_ok_and(|fd| fd == self.runtime)
    }

    /// Makes a future over there and lets it run to its end as a task.
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> Result<(), HomeGone>
    where
        F: Future<Output = ()> + 'static,
    {
        let job = move || compio::runtime::spawn(make()).detach();
        self.jobs.as_ref().ok_or(HomeGone)?.send(Mail::Job(Box::new(job))).map_err(|_| HomeGone)
    }

    /// Makes a future over there and waits for what it comes to.
    pub async fn run<F, T>(&self, make: impl FnOnce() -> F + Send + 'static) -> Result<T, HomeGone>
    where
        F: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let (done, result) = flume::bounded(1);
        self.spawn(move || {
            let future = make();
            async move {
                // Nobody waits for the result of a call that was cancelled.
                let _ = done.send(future.await);
            }
        })?;
        unless_forked(result.into_recv_async()).await?.map_err(|_| HomeGone)
    }
}

impl ThreadEnd {
    /// Waits until nothing is left for the thread to do but to leave.
    pub fn wait(&self) -> impl Future<Output = ()> + use<> {
        let ended = self.ended.clone();
        async move {
            let Err(flume::RecvError::Disconnected) = ended.recv_async().await;
        }
    }

    /// Waits until the thread has ended.
    ///
    /// # Panics
    ///
    /// As the thread has.
    pub async fn ended(self) {
        let Err(flume::RecvError::Disconnected) = self.ended.recv_async().await;
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The last one wakes the mailbox task.
        let jobs = self.jobs.take();
        outside_panic(move || drop(jobs));
    }
}

#[cfg(monocoque_loom)]
mod modelled {
    use std::thread;

    use rustix::thread::gettid;

    use super::{Driver, Home, Mail};

    /// The runtime of a [`Home`] that runs nothing. What it was given ends with it, as tasks do with theirs.
    #[derive(Debug)]
    pub struct IdleRuntime(flume::Receiver<Mail>);

    impl Home {
        /// For models, which run what they want to look at themselves.
        pub fn idle() -> (Self, IdleRuntime) {
            let (jobs, mailbox) = flume::unbounded();
            let thread = gettid();
            let home = Self { jobs: Some(jobs), driver: Driver::Polling, thread, runtime: -1 };
            (home, IdleRuntime(mailbox))
        }
    }

    impl Drop for IdleRuntime {
        fn drop(&mut self) {
            // A model that has failed has no lock for what they do at their end.
            if !thread::panicking() {
                self.0.try_iter().for_each(drop);
            }
        }
    }
}
#[cfg(monocoque_loom)]
pub use modelled::IdleRuntime;

/// Runs `work` here, or on another thread while this one panics.
///
/// For whatever is dropped by users and wakes tasks: a waker of the runtime that is woken by a panicking thread aborts the
/// process, and the user never learns what the panic was about.
pub fn outside_panic(work: impl FnOnce() + Send + 'static) {
    if thread::panicking() {
        // If there is no thread to be had either, the work is left undone.
        let _thread = thread::Builder::new().spawn(work);
    } else {
        work();
    }
}

/// Awaits `work` in this process only. To one that is forked meanwhile its home is gone, and `work` is never touched there:
/// what it waits with may be locked for ever, or be the parent's.
pub fn unless_forked<F: Future>(work: F) -> UnlessForked<F> {
    UnlessForked { work: Some(Box::pin(work)), process: process_id() }
}

/// See [`unless_forked`].
#[derive(Debug)]
pub struct UnlessForked<F> {
    /// There until it is dropped.
    work: Option<Pin<Box<F>>>,
    process: u32,
}

impl<F: Future> Future for UnlessForked<F> {
    type Output = Result<F::Output, HomeGone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.process != process_id() {
            return Poll::Ready(Err(HomeGone));
        }
        self.work.as_mut().map_or(Poll::Ready(Err(HomeGone)), |work| work.as_mut().poll(cx).map(Ok))
    }
}

impl<F> Drop for UnlessForked<F> {
    fn drop(&mut self) {
        if self.process != process_id() {
            std::mem::forget(self.work.take());
        }
    }
}

/// Makes a future a task of the runtime that this thread is in.
///
/// # Panics
///
/// Outside a compio runtime.
pub fn spawn_here(future: impl Future<Output = ()> + 'static) {
    compio::runtime::spawn(future).detach();
}

/// Lets the other tasks run that can.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Sleeps, on the runtime that this thread is in; for ever if the end is beyond the clock.
pub async fn sleep(duration: Duration) {
    match deadline::after(Instant::now(), duration) {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Sleeps until `deadline`, on the runtime that this thread is in.
pub async fn sleep_until(deadline: Instant) {
    compio::time::sleep_until(deadline).await;
}

/// Lets what has completed by now be taken in: a turn of the driver, and one of the tasks that it wakes.
pub async fn take_in() {
    sleep(MOMENT).await;
    yield_now().await;
}

/// Awaits `future` for at most `limit`; then it is dropped. Without a limit, or with one beyond the clock, for as long as it
/// takes.
///
/// Time in which this thread stood still does not count: if the limit is over then, it begins [anew](Excuses). What has
/// completed is looked at before the end.
pub async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut excuses = Excuses::new();
    loop {
        let Some(end) = limit.and_then(|limit| deadline::after(Instant::now(), limit)) else {
            return Some(future.await);
        };
        if let Either::Left((done, _)) = select(future.as_mut(), pin!(sleep_until(end))).await {
            return Some(done);
        }
        if limit == Some(Duration::ZERO) {
            return None;
        }
        if !excuses.excuse(end, Instant::now()) {
            break;
        }
    }
    match select(future, pin!(take_in())).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

impl Driver {
    fn of(runtime: &Runtime) -> Self {
        if runtime.driver_type().is_iouring() { Self::IoUring } else { Self::Polling }
    }
}

/// What a home tells of its runtime.
fn traits(runtime: &Runtime) -> (Driver, RawFd) {
    (Driver::of(runtime), runtime.as_raw_fd())
}

/// The mailbox task.
async fn serve(mailbox: flume::Receiver<Mail>) {
    while let Ok(Mail::Job(job)) = mailbox.recv_async().await {
        job();
    }
}

/// The best runtime that this kernel allows, and whether completions interrupt its thread.
///
/// A ring is asked for with fewer and fewer flags, each time by name, so that a refusal shows instead of becoming a
/// silent fallback.
fn build(settings: &ThreadSettings) -> io::Result<(Runtime, bool)> {
    let ladder: [fn(&mut ProactorBuilder) -> bool; 4] = [
        |proactor| {
            proactor
                .driver_type(DriverType::IoUring)
                .single_issuer(true)
                .defer_taskrun(true)
                .taskrun_flag(true);
            false
        },
        |proactor| {
            proactor.driver_type(DriverType::IoUring).coop_taskrun(true).taskrun_flag(true);
            false
        },
        |proactor| {
            proactor.driver_type(DriverType::IoUring);
            true
        },
        |proactor| {
            proactor.driver_type(DriverType::Poll);
            true
        },
    ];
    let steps = match settings.driver {
        None => &ladder[..],
        Some(Driver::IoUring) => &ladder[..3],
        Some(Driver::Polling) => &ladder[3..],
    };
    let mut refusal = io::Error::from(io::ErrorKind::Unsupported);
    for step in steps {
        let mut proactor = ProactorBuilder::new();
        proactor.capacity(RING_ENTRIES);
        let interrupted = step(&mut proactor);
        let mut builder = RuntimeBuilder::new();
        builder
            .with_proactor(proactor)
            .sync_queue_size(FOREIGN_WAKES)
            .thread_affinity(settings.affinity.clone());
        match builder.build() {
            Ok(runtime) => return Ok((runtime, interrupted)),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Long enough for a turn of the driver.
const MOMENT: Duration = Duration::from_millis(1);
/// Submissions between two turns of the loop: above it the ring is entered early.
const RING_ENTRIES: u32 = 4096;
/// Tasks that other threads can wake at the same time without waiting for this one: one a connection, and some.
const FOREIGN_WAKES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_what_it_is_given_and_ends_when_nobody_leads_to_it() {
        for driver in [None, Some(Driver::IoUring), Some(Driver::Polling)] {
            let settings = ThreadSettings { name: "io".into(), driver, ..ThreadSettings::default() };
            let (home, thread) = Home::thread(settings).expect("a thread");
            assert_eq!(home.driver(), driver.unwrap_or(Driver::IoUring));
            let name = futures_util::FutureExt::now_or_never(async {});
            assert!(name.is_some());
            let runtime = Runtime::new().expect("a runtime");
            let there = home.clone();
            assert!(!home.is_here());
            let name = runtime.block_on(async move {
                there.run(async || thread::current().name().map(String::from)).await
            });
            assert_eq!(name, Ok(Some("io".into())));
            drop(home);
            runtime.block_on(thread.ended());
        }
    }

    #[test]
    fn limit_of_a_stalled_thread_begins_anew() {
        let limit = Some(Duration::from_millis(50));
        Runtime::new().expect("a runtime").block_on(async {
            let work = async {
                for _ in 0..3 {
                    thread::sleep(Duration::from_millis(200));
                    // What completes needs a turn of the driver.
                    sleep(Duration::from_millis(1)).await;
                }
            };
            assert_eq!(within(limit, work).await, Some(()));
            let start = Instant::now();
            assert_eq!(within(limit, std::future::pending::<()>()).await, None);
            assert!(start.elapsed() >= Duration::from_millis(50));
            let stalls = async {
                loop {
                    thread::sleep(Duration::from_millis(100));
                    yield_now().await;
                }
            };
            assert_eq!(within(limit, stalls).await, None::<()>, "it is over at last");
        });
    }

    #[test]
    fn limits_beyond_the_clock_are_none() {
        Runtime::new().expect("a runtime").block_on(async {
            for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 4)] {
                assert_eq!(within(Some(limit), sleep(Duration::from_millis(1))).await, Some(()));
                assert_eq!(within(Some(Duration::from_millis(1)), sleep(limit)).await, None);
            }
            assert_eq!(within(Some(Duration::ZERO), async {}).await, Some(()));
            assert_eq!(within(Some(Duration::ZERO), std::future::pending::<()>()).await, None);
        });
    }

    #[test]
    fn outside_a_runtime_there_is_no_current_home() {
        assert!(Home::current().is_none());
    }

    #[test]
    fn a_home_notices_that_its_runtime_has_ended() {
        let runtime = Runtime::new().expect("a runtime");
        let home = runtime.block_on(async { Home::current() }).expect("inside a runtime");
        assert!(home.is_here() && !home.is_current());
        assert!(runtime.block_on(async { home.is_current() }));
        let other = Runtime::new().expect("a runtime");
        assert!(!other.block_on(async { home.is_current() }));
        drop(runtime);
        assert_eq!(home.spawn(async || {}), Err(HomeGone));
    }
}
