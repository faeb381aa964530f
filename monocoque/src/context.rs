//! Contexts: the threads that run the connections of sockets.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use monocoque_core::sync::Mutex;
use monocoque_core::{
    DriverType, IoThread, IoThreadSettings, RuntimeHandle, block_on, process_id, runtime, runtime::yielding,
};
use smallvec::SmallVec;

use crate::driver::Driver;
use crate::error::MonocoqueError;
use crate::exit;
use crate::inproc::InprocRegistry;
use crate::socket::Engine;

/// The thread, or threads, that run the connections of sockets. Cheap to clone.
///
/// [`Context::current`] uses the compio runtime of the calling thread. It is the fastest way:
/// messages do not cross threads between a socket and its connections. [`Context::new`] starts I/O
/// threads, so that sockets can be used from anywhere: tokio, smol, or no runtime at all. Sockets
/// created by `new()` use the runtime of the calling thread if it is compio's, else
/// [`Context::shared`].
///
/// An inproc name (`inproc://name`) is visible within its context only. All sockets created without
/// a context, or in a [`current`](Context::current) one, share one set of names, on any thread.
///
/// The I/O threads of a context end once it and its sockets are dropped and queued messages are
/// sent.
///
/// There is no `Default`: to start a thread may fail. [`Context::shared`] is the context that
/// sockets use by default.
///
/// ```
/// use monocoque::{Context, zmq::PullSocket};
///
/// let context = Context::builder().io_threads(2).build()?;
/// let pull = PullSocket::new_in(&context)?;
/// # drop(pull);
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

/// Names the number of I/O threads, 0 on a runtime of the caller, and the driver.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let io_threads = if self.shared.of_caller { 0 } else { self.shared.runtimes.len() };
        let mut fields = f.debug_struct("Context");
        fields.field("io_threads", &io_threads).field("driver", &self.driver_type()).finish()
    }
}

/// The state that the clones of a context share.
#[derive(Debug)]
struct Shared {
    runtimes: Vec<RuntimeHandle>,
    next: AtomicUsize,
    /// Own I/O threads.
    threads: Mutex<Vec<IoThread>>,
    registry: Arc<InprocRegistry<Engine>>,
    sockets: Mutex<Sockets>,
    /// Connections run on a runtime of the caller.
    of_caller: bool,
    /// The process that created the context. In a process forked from it the context is shut down.
    process: u32,
}

impl Shared {
    fn is_foreign(&self) -> bool {
        self.process != process_id()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.is_foreign() {
            // State of the parent process is left alone: it may be locked.
            std::mem::forget(std::mem::take(&mut self.runtimes));
        }
    }
}

/// Returns the inproc registry of all sockets created without a context of their own.
fn process_registry() -> Arc<InprocRegistry<Engine>> {
    static REGISTRY: OnceLock<Arc<InprocRegistry<Engine>>> = OnceLock::new();
    REGISTRY.get_or_init(Arc::default).clone()
}

/// The sockets of a context.
#[derive(Debug, Default)]
struct Sockets {
    engines: Vec<Weak<Engine>>,
    /// The length of `engines` at which dropped sockets are removed from it.
    full: usize,
    shut_down: bool,
}

impl Context {
    /// Creates a context with one I/O thread.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if the thread cannot be started.
    pub fn new() -> Result<Self, MonocoqueError> {
        Self::builder().build()
    }

    /// Returns a builder for a context with other settings.
    pub fn builder() -> ContextBuilder {
        ContextBuilder { io_threads: 1, affinity: Vec::new(), driver: None }
    }

    /// Returns a context that uses the compio runtime of the calling thread.
    ///
    /// Its sockets can be used from any thread, but their connections end with the runtime: close
    /// the sockets before it ends, or queued messages are lost.
    ///
    /// With many peers a runtime is up to three times as fast if its ring does not interrupt the
    /// thread:
    ///
    /// ```
    /// use compio::{driver::ProactorBuilder, runtime::RuntimeBuilder};
    /// use monocoque::Context;
    ///
    /// let mut proactor = ProactorBuilder::new();
    /// // From Linux 6.1 on. 5.19: `coop_taskrun(true).taskrun_flag(true)`; older ones poll.
    /// proactor.single_issuer(true).defer_taskrun(true).taskrun_flag(true);
    /// let runtime = RuntimeBuilder::new().with_proactor(proactor).build()?;
    /// let context = runtime.block_on(async { Context::current() })?;
    /// println!("{:?}", context.driver_type());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::NoRuntime`] outside a compio runtime.
    pub fn current() -> Result<Self, MonocoqueError> {
        let runtime = RuntimeHandle::current().ok_or(MonocoqueError::NoRuntime)?;
        Ok(Self::of(vec![runtime], Vec::new(), process_registry()))
    }

    /// Creates a context whose connections run on the calling thread, in an event loop of the
    /// caller.
    ///
    /// The loop waits for the descriptor of the [`Driver`] and calls [`Driver::turn`]; `run_local`
    /// (feature `tokio`) and `run_smol` (feature `smol`) are such loops. No thread is crossed, as
    /// in [`Context::current`]: the fastest way for a program with an event loop of its own, and
    /// for a current-thread tokio. In a multi-threaded one an I/O thread is as good:
    /// [`Context::new`].
    ///
    /// Its sockets can be used from any thread, but their connections end with the driver: close
    /// the sockets, or [shut down](Self::shutdown) the context, while the loop runs, or queued
    /// messages are lost. It has inproc names of its own. Sockets created by `new()` are not in it:
    /// use `new_in` and `build_in`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::Context;
    /// use monocoque::zmq::PullSocket;
    ///
    /// let (context, driver) = Context::embedded()?;
    /// let pull = PullSocket::new_in(&context)?;
    /// while driver.turn() == Some(Duration::ZERO) {} // in a loop that waits in between
    /// # drop(pull);
    /// # Ok::<(), monocoque::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Runtime`] if the kernel has no descriptor or no memory for it.
    pub fn embedded() -> Result<(Self, Driver), MonocoqueError> {
        let (runtime, driver) = Driver::new()?;
        Ok((Self::of(vec![runtime], Vec::new(), Arc::default()), driver))
    }

    /// Returns the driver of the connections: io_uring, or polling where that is missing or
    /// forbidden.
    #[expect(clippy::indexing_slicing, reason = "a context has at least one runtime")]
    pub fn driver_type(&self) -> DriverType {
        self.shared.runtimes[0].driver_type()
    }

    /// Closes all sockets of this context at the same time, as [`close`](crate::zmq::Socket::close)
    /// does, waits for their end, and then ends the I/O threads (`zmq_ctx_term`).
    ///
    /// Waiting calls on the sockets return [`MonocoqueError::Closed`], and creating a socket fails.
    /// Each socket sends its queued messages for at most its `linger`. Any number of calls may wait
    /// at once.
    ///
    /// Cancel safe: closing continues after a cancelled call, but the threads then end only once
    /// the last socket is dropped, or another call has returned.
    ///
    /// ```
    /// use monocoque::{Context, zmq::PullSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let context = Context::new()?;
    ///         let pull = PullSocket::new_in(&context)?;
    ///         context.shutdown().await;
    ///         assert!(pull.recv().await.unwrap_err().is_closed());
    ///         assert!(PullSocket::new_in(&context).unwrap_err().is_closed());
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub async fn shutdown(&self) {
        yielding::now_if_due().await;
        if !self.shared.is_foreign() {
            let _forked = runtime::unless_forked(self.shut_down(None)).await;
        }
    }

    /// Shuts the context down as [`shutdown`](Self::shutdown) does, and waits no longer than
    /// `limit` for the queued messages to be sent. Returns the number of messages that were not
    /// sent, of all sockets that had not ended before.
    ///
    /// A socket whose `linger` is shorter has less time. Zero drops all queued messages at once;
    /// [`Duration::MAX`] is no limit beside `linger`. The call may take 200 ms longer: so long a
    /// connection waits for its peer to close its side.
    ///
    /// Cancel safe, as `shutdown`.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use monocoque::{Context, zmq::PushSocket};
    ///
    /// let context = Context::new()?;
    /// let push = PushSocket::new_in(&context)?;
    /// push.connect("ipc:///tmp/nobody-listens-here").await?;
    /// push.send("lost").await?;
    /// let unsent = context.shutdown_timeout(Duration::from_millis(10)).await;
    /// assert_eq!(unsent, 1);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub async fn shutdown_timeout(&self, limit: Duration) -> u64 {
        yielding::now_if_due().await;
        if self.shared.is_foreign() {
            return 0;
        }
        runtime::unless_forked(self.shut_down(Some(limit))).await.unwrap_or_default()
    }

    /// Closes all sockets and ends the threads. Returns the number of messages that were not sent.
    async fn shut_down(&self, limit: Option<Duration>) -> u64 {
        let engines: Vec<_> = {
            let mut sockets = self.shared.sockets.lock();
            sockets.shut_down = true;
            // They stay in the list: other calls, and those after a cancelled one, wait for them
            // too.
            let engines = sockets.engines.iter().filter_map(Weak::upgrade);
            // The `close_within` of an ended socket has returned its unsent messages.
            engines.filter(|engine| !engine.has_ended()).collect()
        };
        if let Some(limit) = limit {
            engines.iter().for_each(|engine| engine.limit_linger(limit));
        }
        engines.iter().for_each(Engine::close);
        let mut unsent = 0;
        for engine in engines {
            engine.ended().await;
            unsent += engine.unsent();
        }
        self.shared.runtimes.iter().for_each(RuntimeHandle::shutdown);
        let ends: Vec<_> = self.shared.threads.lock().iter().map(IoThread::wait).collect();
        for end in ends {
            end.await;
        }
        let threads = std::mem::take(&mut *self.shared.threads.lock());
        for thread in threads {
            thread.join().await;
        }
        unsent
    }

    /// Waits for [`shutdown`](Self::shutdown), on a thread without an executor.
    ///
    /// ```
    /// use monocoque::{Context, zmq::PullSocket};
    ///
    /// let context = Context::new()?;
    /// let pull = PullSocket::new_in(&context)?;
    /// context.blocking_shutdown()?;
    /// assert!(pull.blocking().recv().unwrap_err().is_closed());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WouldDeadlock`] on a thread that runs the connections; nothing is closed
    /// then.
    pub fn blocking_shutdown(&self) -> Result<(), MonocoqueError> {
        self.check_may_block()?;
        block_on(self.shutdown());
        Ok(())
    }

    /// Waits for [`shutdown_timeout`](Self::shutdown_timeout), on a thread without an executor.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::{Context, zmq::PushSocket};
    ///
    /// let context = Context::new()?;
    /// let push = PushSocket::new_in(&context)?;
    /// assert_eq!(context.blocking_shutdown_timeout(Duration::from_secs(1))?, 0);
    /// # drop(push);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WouldDeadlock`] on a thread that runs the connections; nothing is closed
    /// then.
    pub fn blocking_shutdown_timeout(&self, limit: Duration) -> Result<u64, MonocoqueError> {
        self.check_may_block()?;
        Ok(block_on(self.shutdown_timeout(limit)))
    }

    /// Fails on a thread that runs the connections: a call that parks it would wait for itself.
    fn check_may_block(&self) -> Result<(), MonocoqueError> {
        if !self.shared.is_foreign() && self.shared.runtimes.iter().any(RuntimeHandle::is_current_thread) {
            return Err(MonocoqueError::WouldDeadlock);
        }
        Ok(())
    }

    /// Returns the context of the whole process. Its one I/O thread is started by the first call.
    /// Sockets created with [`new()`](crate::zmq::TypedSocket::new) outside a compio runtime use
    /// it.
    ///
    /// When the process ends, by a return from `main` or by [`exit`](std::process::exit), the
    /// sockets of this and all other contexts with I/O threads send their queued messages, each for
    /// at most its `linger`. A forked process has a shared context of its own.
    ///
    /// ```
    /// use monocoque::{Context, zmq::PushSocket};
    ///
    /// let context = Context::shared()?;
    /// let push = PushSocket::new()?;
    /// push.blocking().connect("tcp://127.0.0.1:5555")?;
    /// assert!(push.try_send("whoever comes").is_ok());
    /// # push.blocking().disconnect("tcp://127.0.0.1:5555")?;
    /// # drop(context);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if the thread cannot be started.
    pub fn shared() -> Result<Self, MonocoqueError> {
        static SHARED: OnceLock<Context> = OnceLock::new();
        static OF_A_CHILD: std::sync::Mutex<Option<Context>> = std::sync::Mutex::new(None);
        match SHARED.get() {
            Some(shared) if shared.shared.is_foreign() => {
                // It has its own inproc registry: that of the parent may be locked forever.
                let mut of_this = OF_A_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(context) = of_this.as_ref().filter(|context| !context.shared.is_foreign()) {
                    return Ok(context.clone());
                }
                let made = Self::builder().build()?;
                // A previous value belongs to an ancestor of this process.
                std::mem::forget(of_this.replace(made.clone()));
                Ok(made)
            }
            Some(shared) => Ok(shared.clone()),
            None => {
                let made = Self::builder().build_with(process_registry())?;
                Ok(SHARED.get_or_init(|| made).clone())
            }
        }
    }

    /// Returns the context of the calling thread's runtime, else the shared context.
    pub(crate) fn ambient() -> Result<Self, MonocoqueError> {
        Self::current().or_else(|_| Self::shared())
    }

    /// Returns the inproc registry of its sockets.
    pub(crate) fn registry(&self) -> Arc<InprocRegistry<Engine>> {
        self.shared.registry.clone()
    }

    /// Chooses the thread of the next socket, out of those with the given numbers, or all if there
    /// are none.
    #[expect(clippy::indexing_slicing, reason = "the remainder is less than how many there are")]
    pub(crate) fn runtime(&self, affinity: &[usize]) -> Result<RuntimeHandle, MonocoqueError> {
        if self.shared.is_foreign() {
            return Err(MonocoqueError::Closed);
        }
        let Shared { runtimes, next, .. } = &*self.shared;
        let wanted = |number: usize| affinity.is_empty() || affinity.contains(&number);
        let runtimes: SmallVec<[&RuntimeHandle; 8]> = runtimes
            .iter()
            .enumerate()
            .filter(|(number, _)| wanted(*number))
            .map(|(_, runtime)| runtime)
            .collect();
        if runtimes.is_empty() {
            let range = "the number of an I/O thread of the context";
            return Err(MonocoqueError::OutOfRange { option: "affinity", range });
        }
        Ok(runtimes[next.fetch_add(1, Ordering::Relaxed) % runtimes.len()].clone())
    }

    /// Registers a new socket, or closes it if the context is shut down.
    pub(crate) fn admit(&self, engine: &Arc<Engine>) -> Result<(), MonocoqueError> {
        let mut sockets = self.shared.sockets.lock();
        if sockets.shut_down {
            drop(sockets);
            engine.close();
            return Err(MonocoqueError::Closed);
        }
        if sockets.engines.len() >= sockets.full {
            sockets.engines.retain(|engine| engine.strong_count() > 0);
            sockets.full = 16 + 2 * sockets.engines.len();
        }
        sockets.engines.push(Arc::downgrade(engine));
        drop(sockets);
        if !self.shared.of_caller {
            exit::register(engine);
        }
        Ok(())
    }

    fn of(
        runtimes: Vec<RuntimeHandle>,
        threads: Vec<IoThread>,
        registry: Arc<InprocRegistry<Engine>>,
    ) -> Self {
        let shared = Shared {
            of_caller: threads.is_empty(),
            process: process_id(),
            runtimes,
            next: AtomicUsize::new(0),
            threads: Mutex::new(threads),
            registry,
            sockets: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

/// Builds a [`Context`] with I/O threads.
#[derive(Clone, Debug)]
pub struct ContextBuilder {
    io_threads: usize,
    affinity: Vec<usize>,
    driver: Option<DriverType>,
}

impl ContextBuilder {
    /// Sets the number of I/O threads (`ZMQ_IO_THREADS`), at least one. Sockets are assigned to
    /// them in turn. Default: 1.
    ///
    /// A context without I/O threads is [`Context::current`], which uses the runtime of the caller.
    pub fn io_threads(mut self, n: usize) -> Self {
        self.io_threads = n;
        self
    }

    /// Sets the CPUs that the I/O threads may run on (`ZMQ_THREAD_AFFINITY_CPU_ADD`). Default: any.
    pub fn thread_affinity(mut self, processors: impl IntoIterator<Item = usize>) -> Self {
        self.affinity = processors.into_iter().collect();
        self
    }

    /// Requires a driver. Default: io_uring if it is available, else polling.
    pub fn driver_type(mut self, driver: DriverType) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if a thread cannot be started, or the driver is not available;
    /// [`MonocoqueError::OutOfRange`] for [`io_threads(0)`](Self::io_threads).
    pub fn build(self) -> Result<Context, MonocoqueError> {
        self.build_with(Arc::default())
    }

    fn build_with(self, registry: Arc<InprocRegistry<Engine>>) -> Result<Context, MonocoqueError> {
        if self.io_threads == 0 {
            return Err(MonocoqueError::OutOfRange { option: "io_threads", range: "at least 1" });
        }
        let start = |n| {
            let settings = IoThreadSettings {
                name: format!("monocoque-io-{n}"),
                affinity: self.affinity.iter().copied().collect(),
                driver: self.driver,
            };
            IoThread::spawn(settings).map_err(MonocoqueError::Thread)
        };
        let started = (0..self.io_threads).map(start).collect::<Result<Vec<_>, _>>()?;
        let (runtimes, threads) = started.into_iter().unzip();
        Ok(Context::of(runtimes, threads, registry))
    }
}
