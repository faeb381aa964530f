//! The outgoing messages that a socket drops, as they are logged: the first of each reason at WARN,
//! later ones as a sum at DEBUG once a minute, and all of them at WARN when the socket ends.
//!
//! The sending side notes a drop under its lock, on a branch that nothing else takes. The
//! supervisor of the socket logs it.

use std::sync::Arc;

use monocoque_core::Waiters;

use crate::pattern::wakes::Wakes;
use crate::peer::Peer;

/// The reason why an outgoing message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The queue of the peer is full, or that for the peer of a connecting endpoint.
    QueueFull,
    /// No peer with this routing id is connected.
    UnknownId,
    /// The peer that sent the request is not connected any more.
    PeerGone,
}

/// The receiver that a dropped message was for, as far as it is known.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only logged"))]
pub(crate) enum DropTarget<'a> {
    Unknown,
    Peer(&'a Arc<Peer>),
    Id(&'a [u8]),
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::sync::Arc;

    use super::{DropReason, DropTarget, Waiters, Wakes};
    use crate::socket::Engine;

    /// The drops of one socket that are to be logged.
    #[derive(Debug, Default)]
    pub(crate) struct DropLog {}

    impl DropLog {
        pub(crate) fn note(&self, _: DropReason, _: DropTarget<'_>, _: &mut Waiters, _: &mut Wakes) {}
    }

    /// Runs the work of the supervisor.
    pub(crate) fn beside<'a, F: Future + 'a>(
        _engine: &'a Arc<Engine>,
        work: F,
    ) -> impl Future<Output = F::Output> {
        work
    }

    pub(crate) fn ended(_engine: &Engine) {}
}

#[cfg(feature = "tracing")]
mod on {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::future::{Either, select};
    use monocoque_core::runtime;
    use tracing::{debug, warn};

    use super::super::TARGET;
    use super::{DropReason, DropTarget, Waiters, Wakes};
    use crate::socket::Engine;

    /// The drops of one socket that are to be logged.
    #[derive(Debug)]
    pub(crate) struct DropLog([Drops; 3]);

    /// The drops for one reason.
    #[derive(Clone, Debug)]
    struct Drops {
        reason: DropReason,
        total: u64,
        /// The part of `total` that was logged.
        logged: u64,
        /// The part of `total` that was logged at WARN.
        warned: u64,
        /// The receiver of the first message.
        first: Option<Arc<str>>,
    }

    impl Default for DropLog {
        fn default() -> Self {
            let reasons = [DropReason::QueueFull, DropReason::UnknownId, DropReason::PeerGone];
            Self(reasons.map(|reason| Drops { reason, total: 0, logged: 0, warned: 0, first: None }))
        }
    }

    impl DropLog {
        /// Notes a dropped message. Wakes the supervisor unless it knows of an earlier one.
        #[cold]
        #[inline(never)]
        pub(crate) fn note(
            &mut self,
            reason: DropReason,
            target: DropTarget<'_>,
            watchers: &mut Waiters,
            wakes: &mut Wakes,
        ) {
            let Some(drops) = self.0.iter_mut().find(|drops| drops.reason == reason) else { return };
            if drops.total == 0 {
                drops.first = match target {
                    DropTarget::Unknown => None,
                    DropTarget::Peer(peer) => Some(peer.connection.to_string().into()),
                    DropTarget::Id(id) => Some(display_id(id).into()),
                };
            }
            if drops.total == drops.logged {
                wakes.add(watchers.drain());
            }
            drops.total += 1;
        }

        /// Returns the drops that were not logged, as far as `is_due`, and marks them as logged.
        fn take(&mut self, is_due: impl Fn(&Drops) -> bool) -> Option<Vec<Drops>> {
            let due = self.0.iter_mut().filter(|drops| drops.total > drops.logged && is_due(drops));
            let due = due.map(|drops| {
                let taken = drops.clone();
                drops.logged = drops.total;
                if drops.warned == 0 {
                    drops.warned = drops.total;
                }
                taken
            });
            Some(due.collect()).filter(|due: &Vec<_>| !due.is_empty())
        }
    }

    /// Returns a routing id as text; [`RoutingId`](monocoque_core::RoutingId) shows it alike.
    fn display_id(id: &[u8]) -> String {
        monocoque_core::RoutingId::try_from(id).map_or_else(|_| String::from("(empty)"), |id| id.to_string())
    }

    impl DropReason {
        const fn text(self) -> &'static str {
            match self {
                Self::QueueFull => "the queue of the peer is full",
                Self::UnknownId => "no peer with this routing id is connected",
                Self::PeerGone => "the peer is not connected any more",
            }
        }
    }

    /// Runs the work of the supervisor, and meanwhile logs drops.
    pub(crate) async fn beside<T>(engine: &Arc<Engine>, work: impl Future<Output = T>) -> T {
        let logging = std::pin::pin!(async {
            loop {
                log(engine, engine.watch(|out| out.drops.take(|_| true)).await);
                let pause = std::pin::pin!(runtime::sleep(INTERVAL));
                let first = std::pin::pin!(async {
                    loop {
                        log(engine, engine.watch(|out| out.drops.take(|drops| drops.logged == 0)).await);
                    }
                });
                select(pause, first).await;
            }
        });
        match select(std::pin::pin!(work), logging).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => never,
        }
    }

    fn log(engine: &Engine, all: Vec<Drops>) {
        for Drops { reason, total, logged, first, .. } in all {
            let (reason, messages) = (reason.text(), total - logged);
            let peer = first.as_deref();
            engine.span.within(|| match logged {
                0 => warn!(target: TARGET, reason, peer, messages, "messages are dropped"),
                _ => debug!(target: TARGET, reason, messages, total, "more messages were dropped"),
            });
        }
    }

    /// Logs the drops of a socket that has ended, unless one warning was about all of them.
    pub(crate) fn ended(engine: &Engine) {
        let all = engine.out.lock().drops.0.clone();
        for Drops { reason, total, first, .. } in all.into_iter().filter(|drops| drops.total > drops.warned) {
            let (reason, peer) = (reason.text(), first.as_deref());
            engine.span.within(|| {
                warn!(target: TARGET, reason, peer, messages = total, "the socket has dropped messages");
            });
        }
    }

    /// The least time between two entries about one reason.
    const INTERVAL: Duration = Duration::from_secs(60);
}

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::{DropLog, beside, ended};
#[cfg(feature = "tracing")]
pub(crate) use self::on::{DropLog, beside, ended};
