//! Where the connections of sockets live.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, Weak};

use monocoque_core::sync::Mutex;
use monocoque_core::{
    Driver, IoThread, IoThreadSettings, RuntimeHandle, block_on, process_id, runtime, runtime::yielding,
};
use smallvec::SmallVec;

use crate::engine::{Engine, Names};
use crate::error::MonocoqueError;
use crate::exit;

/// The thread, or threads, on which the connections of sockets live. Cheap to clone.
///
/// [`Context::current`] uses the compio runtime of the calling thread: no thread is crossed between a socket and its
/// connections, the fastest way. [`Context::new`] starts I/O threads, so that sockets can be used from anywhere: tokio,
/// smol, or no runtime at all. Sockets made by `new()` choose by themselves.
///
/// Names that sockets bind within the process (`inproc://name`) are known in their context only. All sockets that were made
/// without a context, or in a [`current`](Context::current) one, know the same names, on whatever thread they are.
///
/// The I/O threads of a context end once it and its sockets are dropped and what was queued is sent.
///
/// ```
/// use monocoque::{Context, zmq::PullSocket};
///
/// let context = Context::builder().io_threads(2).build()?;
/// let pull = PullSocket::new_in(&context)?;
/// # drop(pull);
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Context {
    shared: Arc<Shared>,
}

/// What the clones of a context share.
#[derive(Debug)]
struct Shared {
    homes: Vec<RuntimeHandle>,
    next: AtomicUsize,
    /// Threads of our own.
    threads: Mutex<Vec<IoThread>>,
    names: Arc<Names>,
    sockets: Mutex<Sockets>,
    /// Its connections live on the runtime of a caller's.
    of_caller: bool,
    /// The process that it belongs to: to one that was forked from it, it is shut down.
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
            // Nothing of the parent's is touched.
            std::mem::forget(std::mem::take(&mut self.homes));
        }
    }
}

/// The sockets of a context.
#[derive(Debug, Default)]
struct Sockets {
    engines: Vec<Weak<Engine>>,
    /// Looked through when there are so many.
    full: usize,
    shut_down: bool,
}

impl Context {
    /// A context with one I/O thread.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if the thread cannot be started.
    pub fn new() -> Result<Self, MonocoqueError> {
        Self::builder().build()
    }

    /// For a context with other settings.
    pub fn builder() -> ContextBuilder {
        ContextBuilder { io_threads: 1, affinity: Vec::new(), driver: None }
    }

    /// The compio runtime of the calling thread.
    ///
    /// Its sockets can be used from any thread, but they live as long as the runtime runs: close them before it ends, or
    /// what is queued is lost.
    ///
    /// With many peers a runtime is up to three times as fast if its ring does not interrupt the thread:
    ///
    /// ```
    /// use compio::{driver::ProactorBuilder, runtime::RuntimeBuilder};
    /// use monocoque::Context;
    ///
    /// let mut proactor = ProactorBuilder::new();
    /// // Linux 6.1, or `coop_taskrun(true).taskrun_flag(true)` from 5.19 on. Before that, compio falls back to polling.
    /// proactor.single_issuer(true).defer_taskrun(true).taskrun_flag(true);
    /// let runtime = RuntimeBuilder::new().with_proactor(proactor).build()?;
    /// let context = runtime.block_on(async { Context::current() })?;
    /// println!("{:?}", context.driver());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::NoRuntime`] outside a compio runtime.
    pub fn current() -> Result<Self, MonocoqueError> {
        let home = RuntimeHandle::current().ok_or(MonocoqueError::NoRuntime)?;
        Ok(Self::of(vec![home], Vec::new(), Names::of_process()))
    }

    /// How the connections talk to the kernel: io_uring, or readiness where that is forbidden.
    #[expect(clippy::indexing_slicing, reason = "a context has at least one home")]
    pub fn driver(&self) -> Driver {
        self.shared.homes[0].driver()
    }

    /// Closes all sockets of this context, as [`close`](crate::zmq::Socket::close) does and all at the same time, waits until
    /// they have ended, and then ends the I/O threads (`zmq_ctx_term`).
    ///
    /// Calls that wait on any of the sockets return [`MonocoqueError::Closed`], and no more sockets can be made. Each
    /// socket goes on sending what is queued for at most its `linger`. Cancel safe: the closing goes on, but the threads end
    /// only once the last socket is dropped, or when another call has returned. Any number of calls wait for the same end.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::{Context, zmq::PullSocket};
    ///
    /// let context = Context::new()?;
    /// let pull = PullSocket::new_in(&context)?;
    /// context.shutdown().await;
    /// assert!(pull.recv().await.unwrap_err().is_closed());
    /// assert!(PullSocket::new_in(&context).unwrap_err().is_closed());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub async fn shutdown(&self) {
        yielding::now_if_due().await;
        if !self.shared.is_foreign() {
            let _forked = runtime::unless_forked(self.shut_down()).await;
        }
    }

    async fn shut_down(&self) {
        let engines: Vec<_> = {
            let mut sockets = self.shared.sockets.lock();
            sockets.shut_down = true;
            // They stay: another call, or one after this was given up, waits for them too.
            sockets.engines.iter().filter_map(Weak::upgrade).collect()
        };
        engines.iter().for_each(Engine::close);
        for engine in engines {
            engine.ended().await;
        }
        self.shared.homes.iter().for_each(RuntimeHandle::shutdown);
        let ends: Vec<_> = self.shared.threads.lock().iter().map(IoThread::wait).collect();
        for end in ends {
            end.await;
        }
        let threads = std::mem::take(&mut *self.shared.threads.lock());
        for thread in threads {
            thread.join().await;
        }
    }

    /// [`shutdown`](Self::shutdown), for threads without an executor.
    ///
    /// ```
    /// use monocoque::{Context, zmq::PullSocket};
    ///
    /// let context = Context::new()?;
    /// let pull = PullSocket::new_in(&context)?;
    /// context.blocking_shutdown()?;
    /// assert!(pull.blocking_recv().unwrap_err().is_closed());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::WouldDeadlock`] on a thread that runs the connections; nothing is closed then.
    pub fn blocking_shutdown(&self) -> Result<(), MonocoqueError> {
        if !self.shared.is_foreign() && self.shared.homes.iter().any(RuntimeHandle::is_current_thread) {
            return Err(MonocoqueError::WouldDeadlock);
        }
        block_on(self.shutdown());
        Ok(())
    }

    /// The context that all of the process share: one I/O thread, which is started by the first call. Sockets that are made
    /// with [`new()`](crate::zmq::Socket::new) outside a compio runtime live there.
    ///
    /// When the process ends, by a return from `main` or by [`exit`](std::process::exit), the sockets of this and of all
    /// other contexts with I/O threads send what is queued, each for at most its `linger`. A process that was forked has
    /// one of its own.
    ///
    /// ```
    /// use monocoque::{Context, zmq::PushSocket};
    ///
    /// let context = Context::shared()?;
    /// let push = PushSocket::new()?;
    /// push.blocking_connect("tcp://127.0.0.1:5555")?;
    /// assert!(push.try_send("whoever comes").is_ok());
    /// # push.blocking_disconnect("tcp://127.0.0.1:5555")?;
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
                // Its names are its own: those of the parent may be locked for ever.
                let mut of_this = OF_A_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(context) = of_this.as_ref().filter(|context| !context.shared.is_foreign()) {
                    return Ok(context.clone());
                }
                let made = Self::builder().build()?;
                // Another one may be there, of a process that this one was forked from.
                std::mem::forget(of_this.replace(made.clone()));
                Ok(made)
            }
            Some(shared) => Ok(shared.clone()),
            None => {
                let made = Self::builder().build_with(Names::of_process())?;
                Ok(SHARED.get_or_init(|| made).clone())
            }
        }
    }

    /// The runtime of the calling thread, else the shared context.
    pub(crate) fn ambient() -> Result<Self, MonocoqueError> {
        Self::current().or_else(|_| Self::shared())
    }

    /// The names that its sockets bind and connect to within the process.
    pub(crate) fn names(&self) -> Arc<Names> {
        self.shared.names.clone()
    }

    /// The home of the next socket, which is one of those with these numbers, if there are some.
    #[expect(clippy::indexing_slicing, reason = "the remainder is less than how many there are")]
    pub(crate) fn home(&self, affinity: &[usize]) -> Result<RuntimeHandle, MonocoqueError> {
        if self.shared.is_foreign() {
            return Err(MonocoqueError::Closed);
        }
        let Shared { homes, next, .. } = &*self.shared;
        let wanted = |number: usize| affinity.is_empty() || affinity.contains(&number);
        let homes: SmallVec<[&RuntimeHandle; 8]> =
            homes.iter().enumerate().filter(|(number, _)| wanted(*number)).map(|(_, home)| home).collect();
        if homes.is_empty() {
            let range = "the number of an I/O thread of the context";
            return Err(MonocoqueError::OutOfRange { option: "affinity", range });
        }
        Ok(homes[next.fetch_add(1, Ordering::Relaxed) % homes.len()].clone())
    }

    /// Takes note of a new socket. One that comes too late is closed.
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

    fn of(homes: Vec<RuntimeHandle>, threads: Vec<IoThread>, names: Arc<Names>) -> Self {
        let shared = Shared {
            of_caller: threads.is_empty(),
            process: process_id(),
            homes,
            next: AtomicUsize::new(0),
            threads: Mutex::new(threads),
            names,
            sockets: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

/// Makes a [`Context`] with I/O threads.
#[derive(Clone, Debug)]
pub struct ContextBuilder {
    io_threads: usize,
    affinity: Vec<usize>,
    driver: Option<Driver>,
}

impl ContextBuilder {
    /// How many I/O threads (`ZMQ_IO_THREADS`), at least one; sockets are spread over them in turn. Default: 1.
    pub fn io_threads(mut self, n: usize) -> Self {
        self.io_threads = n.max(1);
        self
    }

    /// The processors on which the I/O threads may run (`ZMQ_THREAD_AFFINITY_CPU_ADD`). Default: any.
    pub fn thread_affinity(mut self, processors: impl IntoIterator<Item = usize>) -> Self {
        self.affinity = processors.into_iter().collect();
        self
    }

    /// The driver to insist on. Default: io_uring where it is to be had.
    pub fn driver(mut self, driver: Driver) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Thread`] if one cannot be started, or cannot have the driver.
    pub fn build(self) -> Result<Context, MonocoqueError> {
        self.build_with(Arc::default())
    }

    fn build_with(self, names: Arc<Names>) -> Result<Context, MonocoqueError> {
        let start = |n| {
            let settings = IoThreadSettings {
                name: format!("monocoque-io-{n}"),
                affinity: self.affinity.iter().copied().collect(),
                driver: self.driver,
            };
            IoThread::spawn(settings).map_err(MonocoqueError::Thread)
        };
        let started = (0..self.io_threads).map(start).collect::<Result<Vec<_>, _>>()?;
        let (homes, threads) = started.into_iter().unzip();
        Ok(Context::of(homes, threads, names))
    }
}
