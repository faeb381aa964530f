//! When a task that always finds something to do gives the others of its thread a turn.
//!
//! A future that is ready at every poll never returns to its executor: where the connections live on the same thread, nothing is
//! accepted, read, answered or timed out meanwhile. Every future of the library that can be ready many times in a row asks
//! [`is_due`] before it takes something, and yields if it says so: it wakes its own waker and is pending once.
//!
//! The time counts, since the caller's work between two calls is what takes long. It is read once in so many calls: at each
//! while work is slow, at one in 64 while it is quick. The state is that of the thread, whatever the sockets: tasks of one
//! thread wait for each other.

use std::cell::Cell;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long the tasks of a thread have gone on without a yield.
#[derive(Debug)]
struct Turn {
    /// Calls until the clock is read.
    left: Cell<u32>,
    /// How many calls there are between two readings.
    step: Cell<u32>,
    /// When it began and when the clock was last read; `None` before its first call.
    times: Cell<Option<(Instant, Instant)>>,
}

thread_local! {
    // Without a destructor: it can be asked at any time in the life of a thread.
    static TURN: Turn = const { Turn::new() };
}

/// Whether the calling task is to yield before it goes on. Says so once.
///
/// ```
/// use std::time::{Duration, Instant};
/// use monocoque_core::yielding;
///
/// let start = Instant::now();
/// while !yielding::is_due() {}
/// assert!(start.elapsed() >= Duration::from_millis(1));
/// assert!(!yielding::is_due(), "a new turn");
/// ```
#[inline]
pub fn is_due() -> bool {
    // Models run on one thread, and know no time.
    !cfg!(monocoque_loom) && TURN.with(Turn::is_over)
}

/// Pending once when a yield [is due](is_due); the task is woken at once then.
#[inline]
pub fn poll(cx: &Context<'_>) -> Poll<()> {
    if is_due() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// Yields if that [is due](is_due).
pub async fn now_if_due() {
    if is_due() {
        crate::home::yield_now().await;
    }
}

impl Turn {
    const fn new() -> Self {
        Self { left: Cell::new(1), step: Cell::new(1), times: Cell::new(None) }
    }

    #[inline]
    fn is_over(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        left == 0 && self.look(Instant::now())
    }

    /// Looks at the time.
    #[cold]
    fn look(&self, now: Instant) -> bool {
        let Some((began, looked)) = self.times.get() else {
            self.times.set(Some((now, now)));
            self.left.set(self.step.get());
            return false;
        };
        let is_over = now.saturating_duration_since(began) >= LONGEST;
        let took = now.saturating_duration_since(looked);
        let step = match self.step.get() {
            _ if is_over || took > SLOW => 1,
            step if took < QUICK => (step * 2).min(MOST),
            step => step,
        };
        self.step.set(step);
        self.left.set(step);
        self.times.set(if is_over { None } else { Some((began, now)) });
        is_over
    }
}

/// How long a task goes on: a peer waits this long for an answer, and what the caller does with one message.
const LONGEST: Duration = Duration::from_millis(1);
/// Between two readings of the clock: less, and it is read less often.
const QUICK: Duration = Duration::from_micros(100);
/// Between two readings of the clock: more, and it is read each time.
const SLOW: Duration = Duration::from_micros(400);
/// How many calls there are between two readings of the clock at most.
const MOST: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many calls, each so long after the other, say that a yield is due, and how often the clock is read.
    fn calls(turn: &Turn, clock: &mut Instant, n: usize, apart: Duration) -> (usize, usize) {
        let (mut due, mut read) = (0, 0);
        for _ in 0..n {
            *clock += apart;
            let left = turn.left.get() - 1;
            turn.left.set(left);
            if left == 0 {
                read += 1;
                due += usize::from(turn.look(*clock));
            }
        }
        (due, read)
    }

    #[test]
    fn slow_work_yields_at_each_call() {
        let (turn, mut clock) = (Turn::new(), Instant::now());
        for apart in [1, 5, 1000].map(Duration::from_millis) {
            let (due, _) = calls(&turn, &mut clock, 100, apart);
            assert!((49..=51).contains(&due), "{due} of 100 at {apart:?}");
        }
    }

    #[test]
    fn quick_work_yields_every_millisecond() {
        let (turn, mut clock) = (Turn::new(), Instant::now());
        for (apart, yields) in [(200_000, 20_000), (10_000, 1000), (65, 6)] {
            let (due, read) = calls(&turn, &mut clock, 100_000, Duration::from_nanos(apart));
            assert!(due >= yields / 2 && due <= yields + 1, "{due} in 100,000 at {apart} ns");
            if apart == 65 {
                assert!(read < 100_000 / 50, "the clock is read {read} times");
            }
        }
    }

    #[test]
    fn work_that_becomes_slow_is_noticed() {
        let (turn, mut clock) = (Turn::new(), Instant::now());
        calls(&turn, &mut clock, 10_000, Duration::from_nanos(65));
        let (due, _) = calls(&turn, &mut clock, 64, Duration::from_millis(1));
        assert!(due >= 1);
        let (due, _) = calls(&turn, &mut clock, 10, Duration::from_millis(1));
        assert!(due >= 5);
    }

    #[test]
    fn poll_wakes_and_is_pending_once() {
        let woken = std::sync::Arc::new(Woken::default());
        let waker = woken.clone().into();
        let cx = Context::from_waker(&waker);
        while poll(&cx).is_ready() {}
        assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(poll(&cx).is_ready());
    }

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicU32);

    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
