//! Options of an open socket: those that take effect at once, and those of endpoints made later.
//!
//! Each endpoint keeps the options that it was made with. What a call reads while it runs is in
//! [`LiveOptions`] or under a lock of the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use monocoque_core::Hwm;

use super::Engine;
use super::wait_slot::WaitQueue;
use crate::error::MonocoqueError;
use crate::options::Options;
use crate::pattern::Pattern;
use crate::pattern::wakes::Wakes;

/// The options that calls read without a lock.
#[derive(Debug)]
pub(super) struct LiveOptions {
    /// In nanoseconds; [`u64::MAX`] for no limit, here and below.
    send_timeout: AtomicU64,
    recv_timeout: AtomicU64,
    drops_when_full: AtomicBool,
}

impl LiveOptions {
    pub(super) fn new(pattern: &Pattern, options: &Options) -> Self {
        Self {
            send_timeout: AtomicU64::new(nanoseconds(options.send_timeout)),
            recv_timeout: AtomicU64::new(nanoseconds(options.recv_timeout)),
            drops_when_full: AtomicBool::new(pattern.drops_when_full(options)),
        }
    }

    fn set(&self, pattern: &Pattern, options: &Options) {
        self.send_timeout.store(nanoseconds(options.send_timeout), Ordering::Relaxed);
        self.recv_timeout.store(nanoseconds(options.recv_timeout), Ordering::Relaxed);
        self.drops_when_full.store(pattern.drops_when_full(options), Ordering::Relaxed);
    }

    /// Returns the timeout of the calls that wait in a queue; `None` for no limit.
    #[inline]
    pub(super) fn timeout(&self, queue: WaitQueue) -> Option<Duration> {
        let nanoseconds = match queue {
            WaitQueue::Senders => self.send_timeout.load(Ordering::Relaxed),
            WaitQueue::Receivers => self.recv_timeout.load(Ordering::Relaxed),
            WaitQueue::Watchers => u64::MAX,
        };
        (nanoseconds != u64::MAX).then(|| Duration::from_nanos(nanoseconds))
    }

    /// Returns whether a message is dropped while queues are full.
    #[inline]
    pub(super) fn drops_when_full(&self) -> bool {
        self.drops_when_full.load(Ordering::Relaxed)
    }
}

/// Returns a timeout in nanoseconds. One of more than 584 years is none.
fn nanoseconds(timeout: Option<Duration>) -> u64 {
    timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}

impl Engine {
    /// Returns the options as they are now.
    pub(crate) fn options(&self) -> Arc<Options> {
        self.current.lock().clone()
    }

    /// Replaces the options that are still `before`. Returns whether they were.
    pub(crate) fn reconfigure(
        &self,
        before: &Arc<Options>,
        options: Options,
    ) -> Result<bool, MonocoqueError> {
        self.check_open()?;
        if let Some(operation) = change_of_fixed(before, &options) {
            return Err(self.pattern.unsupported(operation));
        }
        let mut wakes = Wakes::default();
        let mut current = self.current.lock();
        let is_current = Arc::ptr_eq(&current, before);
        if is_current {
            *current = Arc::new(options);
            self.apply(before, &current, &mut wakes);
        }
        drop(current);
        wakes.wake();
        Ok(is_current)
    }

    pub(crate) fn set_send_hwm(&self, hwm: Hwm) {
        self.update_options(|options, wakes| {
            options.send_hwm = hwm;
            self.out.lock().set_hwm(hwm, wakes);
        });
    }

    pub(crate) fn set_recv_hwm(&self, hwm: Hwm) {
        self.update_options(|options, wakes| {
            options.recv_hwm = hwm;
            self.apply_recv_hwm(hwm, wakes);
        });
    }

    /// Changes one option, which `update` applies.
    pub(super) fn update_options(&self, update: impl FnOnce(&mut Options, &mut Wakes)) {
        let mut wakes = Wakes::default();
        update(Arc::make_mut(&mut self.current.lock()), &mut wakes);
        wakes.wake();
    }

    /// Applies the options that take effect at once.
    fn apply(&self, before: &Options, options: &Options, wakes: &mut Wakes) {
        self.live.set(self.pattern, options);
        let mut out = self.out.lock();
        out.reconfigure(self.pattern, options, wakes);
        if options.linger != before.linger && self.pattern.lingers {
            out.set_linger(options.linger, wakes);
        }
        drop(out);
        if options.recv_hwm != before.recv_hwm {
            self.apply_recv_hwm(options.recv_hwm, wakes);
        }
    }

    fn apply_recv_hwm(&self, hwm: Hwm, wakes: &mut Wakes) {
        let mut current = self.recv_hwm.lock();
        *current = hwm;
        wakes.add(self.inbox.set_hwm(hwm));
    }
}

/// Returns the error text of the first option that differs and cannot be changed.
fn change_of_fixed(before: &Options, now: &Options) -> Option<&'static str> {
    let fixed = [
        (before.affinity != now.affinity, "change the option `affinity`"),
        (before.conflate != now.conflate, "change the option `conflate`"),
        (before.departed_budget != now.departed_budget, "change the option `departed_budget`"),
        (before.correlate != now.correlate, "change the option `req_correlate`"),
        (before.inverted != now.inverted, "change the option `invert_matching`"),
        (before.only_first != now.only_first, "change the option `only_first_subscribe`"),
        (before.verboser != now.verboser, "change the option `xpub_verboser`"),
        (before.last_value != now.last_value, "change the option `xpub_manual_last_value`"),
        (before.manual != now.manual, "change the option `xpub_manual`"),
    ];
    fixed.into_iter().find_map(|(has_changed, operation)| has_changed.then_some(operation))
}
