//! Proxies: messages received by one socket are sent by another.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use monocoque_core::sync::Mutex;
use monocoque_core::{WaitGuard, Waiters, block_on, runtime::yielding};

use crate::error::MonocoqueError;
use crate::pattern::{Routing, Turns};
use crate::socket::Engine;
use crate::socket::adapters::forward::{Forwarded, Forwarding};
use crate::zmq::capability::{Proxied, Sends};

/// Forwards messages between two sockets, in both directions, until one of them is closed
/// (`zmq_proxy`).
///
/// ROUTER and DEALER form a request queue, XSUB and XPUB a forwarder, PULL and PUSH a streamer. See
/// [`Proxy`] for statistics, a capture socket and control.
///
/// With the same socket on both sides, received messages are sent back: a ROUTER returns its own
/// messages to each peer, as in libzmq. Forwarding them from one peer to another requires an
/// application that puts the routing id of the other peer in front.
///
/// ```
/// use monocoque::proxy;
/// use monocoque::zmq::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let (clients, workers) = (RouterSocket::new()?, DealerSocket::new()?);
///         let front = clients.bind("tcp://127.0.0.1:0").await?;
///         let back = workers.bind("tcp://127.0.0.1:0").await?;
///         let broker = compio::runtime::spawn(async move { proxy(&clients, &workers).await });
///
///         let (client, worker) = (ReqSocket::new()?, RepSocket::new()?);
///         client.connect(front).await?;
///         worker.connect(back).await?;
///         client.send("question").await?;
///         assert_eq!(&worker.recv().await?[0], b"question");
///         worker.send("answer").await?;
///         assert_eq!(&client.recv().await?[0], b"answer");
///         drop(broker);
///         Ok(())
///     })
/// }
/// ```
///
/// Cancel safe: a message leaves one socket only once the other has accepted it.
///
/// # Errors
///
/// [`MonocoqueError::Closed`] when one of the sockets is closed; [`MonocoqueError::Unsupported`]
/// for an [`AnySocket`](crate::AnySocket) that is a REQ or REP, whose requests and replies
/// alternate.
pub fn proxy<'a, F: Proxied, B: Proxied>(
    frontend: &'a F,
    backend: &'a B,
) -> BoxFuture<'a, Result<(), MonocoqueError>> {
    let proxy = Proxy::new(frontend, backend);
    Box::pin(async move { proxy.run().await })
}

/// Runs [`proxy`] on a thread without an executor (`zmq_proxy`).
///
/// ```
/// use std::thread;
/// use monocoque::Context;
/// use monocoque::zmq::{PullSocket, PushSocket};
///
/// let context = Context::new()?;
/// let (frontend, backend) = (PullSocket::new_in(&context)?, PushSocket::new_in(&context)?);
/// let front = frontend.blocking().bind("tcp://127.0.0.1:0")?;
/// let back = backend.blocking().bind("tcp://127.0.0.1:0")?;
/// let broker = thread::spawn(move || monocoque::blocking_proxy(&frontend, &backend));
///
/// let (push, pull) = (PushSocket::new_in(&context)?, PullSocket::new_in(&context)?);
/// push.blocking().connect(front)?;
/// pull.blocking().connect(back)?;
/// push.blocking().send("passed on")?;
/// assert_eq!(&pull.blocking().recv()?[0], b"passed on");
/// context.blocking_shutdown()?;
/// assert!(broker.join().unwrap().unwrap_err().is_closed());
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
///
/// # Errors
///
/// As [`proxy`]; [`MonocoqueError::WouldDeadlock`] on a thread that runs the connections of one of
/// the sockets.
pub fn blocking_proxy<F: Proxied, B: Proxied>(frontend: &F, backend: &B) -> Result<(), MonocoqueError> {
    frontend.handle().check_may_block()?;
    backend.handle().check_may_block()?;
    block_on(proxy(frontend, backend))
}

/// A [`proxy`] with a capture socket and a [`ProxyControl`] (`zmq_proxy_steerable`).
///
/// ```
/// use monocoque::Proxy;
/// use monocoque::zmq::{PubSocket, PullSocket, PushSocket};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let (sources, sinks) = (PullSocket::new()?, PushSocket::new()?);
///         let observers = PubSocket::new()?;
///         let proxy = Proxy::new(&sources, &sinks).capture(&observers);
///         let control = proxy.control();
///         control.terminate();
///         proxy.run().await?;
///         assert_eq!(control.stats().forward.messages, 0);
///         Ok(())
///     })
/// }
/// ```
#[derive(Debug)]
pub struct Proxy<'a> {
    frontend: &'a Arc<Engine>,
    backend: &'a Arc<Engine>,
    capture: Option<&'a Arc<Engine>>,
    control: ProxyControl,
}

/// Controls a [`Proxy`], from any thread. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ProxyControl(Arc<Mutex<ControlState>>);

/// The statistics of a [`Proxy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Traffic from the frontend to the backend.
    pub forward: Traffic,
    /// Traffic from the backend to the frontend.
    pub backward: Traffic,
    /// Messages that the capture socket had no room for.
    pub not_captured: u64,
}

/// The messages forwarded in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Their number.
    pub messages: u64,
    /// The sum of their lengths, in bytes, without framing.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct ControlState {
    paused: bool,
    terminated: bool,
    stats: ProxyStats,
    runner: Waiters,
}

impl<'a> Proxy<'a> {
    /// Creates a proxy between two sockets. Messages are forwarded while it [runs](Self::run).
    pub fn new<F: Proxied, B: Proxied>(frontend: &'a F, backend: &'a B) -> Self {
        Self {
            frontend: frontend.handle().engine(),
            backend: backend.handle().engine(),
            capture: None,
            control: ProxyControl::default(),
        }
    }

    /// Sends a copy of all forwarded messages to a third socket. Copies that it has no room for are
    /// dropped and counted.
    pub fn capture<C: Sends>(mut self, capture: &'a C) -> Self {
        self.capture = Some(capture.handle().engine());
        self
    }

    /// Returns the control of this proxy.
    pub fn control(&self) -> ProxyControl {
        self.control.clone()
    }

    /// Forwards messages until the proxy is [terminated](ProxyControl::terminate).
    ///
    /// Cancel safe, and can be run again: a message leaves one socket only once the other has
    /// accepted it.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] when one of the two sockets is closed;
    /// [`MonocoqueError::Unsupported`] for an [`AnySocket`](crate::AnySocket) that is a REQ or REP,
    /// or if the capture socket does not send.
    pub async fn run(&self) -> Result<(), MonocoqueError> {
        yielding::now_if_due().await;
        self.check_types()?;
        // In a forked process both sockets are closed, and the state may be locked forever.
        let is_foreign = || self.frontend.is_foreign() || self.backend.is_foreign();
        let mut guard = WaitGuard::new(|ticket| {
            if !is_foreign() {
                drop(self.control.0.lock().runner.remove(ticket));
            }
        });
        let mut forward = Forwarding::new(self.frontend, self.backend);
        let mut backward = Forwarding::new(self.backend, self.frontend);
        poll_fn(|cx| {
            if is_foreign() {
                return Poll::Ready(Err(MonocoqueError::Closed));
            }
            {
                let mut state = self.control.0.lock();
                if state.terminated {
                    return Poll::Ready(Ok(()));
                }
                state.runner.wait(&mut guard.ticket, cx.waker());
                if state.paused {
                    return Poll::Pending;
                }
            }
            let mut again = false;
            for (way, is_forward) in [(&mut forward, true), (&mut backward, false)] {
                let Some(way) = way else { continue };
                let mut missed = 0;
                let passed = way.poll(cx, |message| {
                    let copied = self.capture.map(|capture| capture.try_send(None, message.clone()));
                    missed += u64::from(matches!(copied, Some(Err(_))));
                });
                if let Poll::Ready(passed) = passed {
                    let passed = passed?;
                    self.control.note(is_forward, passed, missed);
                    again |= passed.more;
                }
            }
            if again {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// Fails if a socket is of a type that cannot be where it is.
    fn check_types(&self) -> Result<(), MonocoqueError> {
        let mut both = [self.frontend, self.backend].into_iter();
        if let Some(alternating) = both.find(|engine| engine.pattern.turns == Turns::Alternate) {
            return Err(alternating.pattern.unsupported("stand at an end of a proxy"));
        }
        match self.capture {
            Some(capture) if capture.pattern.routing == Routing::Nowhere => {
                Err(capture.pattern.unsupported("send"))
            }
            _ => Ok(()),
        }
    }
}

impl ProxyControl {
    /// Pauses forwarding; messages wait in the queues of the sockets.
    pub fn pause(&self) {
        self.change(|state| state.paused = true);
    }

    /// Resumes forwarding after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.change(|state| state.paused = false);
    }

    /// Ends [`Proxy::run`]. The sockets stay open.
    pub fn terminate(&self) {
        self.change(|state| state.terminated = true);
    }

    /// Returns the statistics so far.
    pub fn stats(&self) -> ProxyStats {
        self.0.lock().stats
    }

    fn change(&self, change: impl FnOnce(&mut ControlState)) {
        let mut state = self.0.lock();
        change(&mut state);
        let runner = state.runner.drain();
        drop(state);
        runner.into_iter().for_each(std::task::Waker::wake);
    }

    fn note(&self, is_forward: bool, passed: Forwarded, missed: u64) {
        let stats = &mut self.0.lock().stats;
        let way = if is_forward { &mut stats.forward } else { &mut stats.backward };
        way.messages += passed.messages;
        way.bytes += passed.bytes;
        stats.not_captured += missed;
    }
}
