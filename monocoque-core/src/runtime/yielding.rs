//! Yields: futures that are always ready give the other tasks of their thread a turn.
//!
//! A future that is ready at every poll never returns to its executor. Where connections live on
//! the same thread, nothing is accepted, read, answered or timed out meanwhile. Every future of the
//! library that can be ready many times in a row keeps a [`Yield`] and asks it before it takes
//! something.
//!
//! Time counts, not calls, since what takes long is the work of the caller between two calls. The
//! clock is read at each call while work is slow, and at one in eight while it is quick. The time
//! is that of the thread, for all sockets: tasks of one thread wait for each other. Once a time
//! slice is over, each future that has not yielded does so, until one of them is polled again: only
//! that shows that the executor has run other tasks.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The time that the tasks of a thread have run without a yield.
#[derive(Debug)]
struct TimeSlice {
    /// Calls until the clock is read.
    left: Cell<u32>,
    /// Calls between two readings of the clock.
    step: Cell<u32>,
    /// The start of the slice and the last reading of the clock; `None` before its first call.
    times: Cell<Option<(Instant, Instant)>>,
}

thread_local! {
    // Without a destructor: it can be used at any time in the life of a thread.
    static SLICE: TimeSlice = const { TimeSlice::new() };
}

/// The yields of one future.
///
/// The future is pending once when the time slice of its thread is over, and goes on at its next
/// poll.
///
/// ```
/// use std::time::{Duration, Instant};
/// use monocoque_core::runtime::yielding::Yield;
///
/// let start = Instant::now();
/// let mut first = Yield::default();
/// while !first.is_due() {}
/// assert!(start.elapsed() >= Duration::from_millis(1));
/// let mut second = Yield::default();
/// assert!(second.is_due(), "the executor has not run other tasks");
/// assert!(!first.is_due(), "it has yielded");
/// assert!(!Yield::default().is_due(), "a new time slice");
/// ```
#[derive(Debug, Default)]
pub struct Yield {
    yielded: Yielded,
}

/// The polls in a row that were pending for a yield alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Yielded {
    #[default]
    No,
    Once,
    Twice,
}

impl Yield {
    /// Returns true if the future is to be pending now, and its task to be woken at once.
    ///
    /// Twice in a row if its next poll comes late: the caller may have kept the first one to itself
    /// and gone on with what it had, as `ready_chunks` does. Never more often.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        // Models run on one thread, and have no time.
        if cfg!(monocoque_loom) {
            return false;
        }
        if self.yielded != Yielded::No {
            return self.is_due_again(Instant::now());
        }
        let is_over = SLICE.with(TimeSlice::is_over);
        if is_over {
            self.yielded = Yielded::Once;
        }
        is_over
    }

    #[cold]
    fn is_due_again(&mut self, now: Instant) -> bool {
        if self.yielded == Yielded::Once && SLICE.with(|slice| slice.is_long_ago(now)) {
            self.yielded = Yielded::Twice;
            return true;
        }
        self.yielded = Yielded::No;
        SLICE.with(|slice| slice.begin(now));
        false
    }

    /// Returns pending once when a yield [is due](Self::is_due), and wakes the task at once.
    #[inline]
    pub fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.is_due() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Yield {
    /// Ends the time slice: without the next poll of this future, others would yield for ever where
    /// each is polled only once.
    #[inline]
    fn drop(&mut self) {
        if self.yielded != Yielded::No {
            SLICE.with(TimeSlice::reset);
        }
    }
}

/// Yields if that [is due](Yield::is_due).
pub async fn now_if_due() {
    let mut yields = Yield::default();
    poll_fn(|cx| yields.poll(cx)).await;
}

impl TimeSlice {
    const fn new() -> Self {
        Self { left: Cell::new(1), step: Cell::new(1), times: Cell::new(None) }
    }

    #[inline]
    fn is_over(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        left == 0 && self.check(Instant::now())
    }

    /// Returns true if the clock was last read at least a time slice ago.
    fn is_long_ago(&self, now: Instant) -> bool {
        self.times.get().is_some_and(|(_, read)| now.saturating_duration_since(read) >= LENGTH)
    }

    /// Begins a new slice: other tasks have run.
    #[cold]
    fn begin(&self, now: Instant) {
        self.times.set(Some((now, now)));
        self.left.set(self.step.get());
    }

    /// Lets the next call begin a new slice.
    #[cold]
    fn reset(&self) {
        self.times.set(None);
        self.left.set(1);
    }

    /// Reads the clock, and returns true if the slice is over.
    #[cold]
    fn check(&self, now: Instant) -> bool {
        let Some((began, read)) = self.times.get() else {
            self.begin(now);
            return false;
        };
        let is_over = now.saturating_duration_since(began) >= LENGTH;
        let took = now.saturating_duration_since(read);
        let step = match self.step.get() {
            _ if is_over || took > SLOW => 1,
            step if took < QUICK => (step * 2).min(MAX_STEP),
            step => step,
        };
        self.step.set(step);
        self.left.set(step);
        self.times.set(Some((began, now)));
        is_over
    }
}

/// The length of a time slice: a peer waits this long for an answer, plus the time that the caller
/// takes for one message.
const LENGTH: Duration = Duration::from_millis(1);
/// Less than this between two readings of the clock, and it is read less often.
const QUICK: Duration = Duration::from_micros(100);
/// More than this between two readings of the clock, and it is read at each call.
const SLOW: Duration = Duration::from_micros(400);
/// The most calls between two readings of the clock.
const MAX_STEP: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of `n` calls, each `apart` after the one before, say that a yield is due,
    /// and how often the clock is read. The poll after a yield is not counted.
    fn calls(slice: &TimeSlice, clock: &mut Instant, n: usize, apart: Duration) -> (usize, usize) {
        let (mut due, mut read) = (0, 0);
        for _ in 0..n {
            *clock += apart;
            let left = slice.left.get() - 1;
            slice.left.set(left);
            if left == 0 {
                read += 1;
                if slice.check(*clock) {
                    due += 1;
                    slice.begin(*clock);
                }
            }
        }
        (due, read)
    }

    #[test]
    fn slow_work_yields_at_each_call() {
        let (slice, mut clock) = (TimeSlice::new(), Instant::now());
        for apart in [1, 5, 1000].map(Duration::from_millis) {
            let (due, _) = calls(&slice, &mut clock, 100, apart);
            assert!((99..=100).contains(&due), "{due} of 100 at {apart:?}");
        }
    }

    #[test]
    fn quick_work_yields_every_millisecond() {
        let (slice, mut clock) = (TimeSlice::new(), Instant::now());
        for (apart, yields) in [(200_000, 20_000), (10_000, 1000), (65, 6)] {
            let (due, read) = calls(&slice, &mut clock, 100_000, Duration::from_nanos(apart));
            assert!(due >= yields / 2 && due <= yields + 1, "{due} in 100,000 at {apart} ns");
            if apart == 65 {
                assert!(read < 100_000 / 7, "the clock is read {read} times");
            }
        }
    }

    #[test]
    fn slowing_work_yields_soon() {
        let (slice, mut clock) = (TimeSlice::new(), Instant::now());
        calls(&slice, &mut clock, 10_000, Duration::from_nanos(65));
        let (due, _) = calls(&slice, &mut clock, 64, Duration::from_millis(1));
        assert!(due >= 1);
        let (due, _) = calls(&slice, &mut clock, 10, Duration::from_millis(1));
        assert!(due >= 5);
    }

    #[test]
    fn due_yield_wakes_and_pends_once() {
        let woken = std::sync::Arc::new(Woken::default());
        let waker = woken.clone().into();
        let cx = Context::from_waker(&waker);
        let mut yields = Yield::default();
        while yields.poll(&cx).is_ready() {}
        assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(yields.poll(&cx).is_ready());
    }

    /// Two halves of a `join!`: one sends and works, and the other receives.
    #[test]
    fn joined_futures_progress_despite_yields() {
        let (mut sender, mut receiver) = (Yield::default(), Yield::default());
        let (mut sent, mut received) = (0, 0);
        for _ in 0..40 {
            sent += usize::from(!sender.is_due());
            std::thread::sleep(LENGTH);
            received += usize::from(!receiver.is_due());
        }
        assert!(sent >= 13 && received >= 13, "{sent} sent, {received} received");
    }

    /// A `select!` in a loop that polls the same one first, and drops the pending ones.
    #[test]
    fn first_select_branch_keeps_priority() {
        let (mut first, mut second) = (0, 0);
        for _ in 0..40 {
            let (mut control, mut data) = (Yield::default(), Yield::default());
            while control.is_due() {
                if !data.is_due() {
                    second += 1;
                    break;
                }
            }
            first += 1;
            std::thread::sleep(LENGTH);
        }
        assert_eq!((first, second), (40, 0));
    }

    #[test]
    fn dropped_yield_lets_next_pass() {
        let mut done = 0;
        for _ in 0..40 {
            done += usize::from(!Yield::default().is_due());
            std::thread::sleep(LENGTH);
        }
        assert!(done >= 20, "{done}");
    }

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicU32);

    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
