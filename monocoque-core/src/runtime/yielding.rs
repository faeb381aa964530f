//! When a task that always finds something to do gives the others of its thread a turn.
//!
//! A future that is ready at every poll never returns to its executor: where the connections live on the same thread, nothing is
//! accepted, read, answered or timed out meanwhile. Every future of the library that can be ready many times in a row keeps a
//! [`Yield`] and asks it before it takes something.
//!
//! The time counts, since the caller's work between two calls is what takes long. It is read once in so many calls: at each
//! while work is slow, at one in eight while it is quick. The time is that of the thread, whatever the sockets: tasks of one
//! thread wait for each other. Once it is over, each future that has not yielded does so, until one of them is polled again:
//! only that shows that the executor has had its turn.

use std::cell::Cell;
use std::future::poll_fn;
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

/// The yields of one future: it is pending once when the turn of its thread is over, and goes on at its next poll.
///
/// ```
/// use std::time::{Duration, Instant};
/// use monocoque_core::runtime::yielding::Yield;
///
/// let start = Instant::now();
/// let mut of_one = Yield::default();
/// while !of_one.is_due() {}
/// assert!(start.elapsed() >= Duration::from_millis(1));
/// let mut of_another = Yield::default();
/// assert!(of_another.is_due(), "the executor has not had its turn");
/// assert!(!of_one.is_due(), "it has yielded");
/// assert!(!Yield::default().is_due(), "a new turn");
/// ```
#[derive(Debug, Default)]
pub struct Yield {
    /// The future was pending at its last poll, for this alone.
    is_pending: bool,
    /// And at the poll before that.
    was_pending: bool,
}

impl Yield {
    /// Returns true if the future is to be pending now, and its task to be woken at once.
    ///
    /// Twice in a row if its next poll comes late: what it is part of may have kept the first time for itself and gone on with
    /// what it had, as `ready_chunks` does. Never more often.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        // Models run on one thread, and know no time.
        if cfg!(monocoque_loom) {
            return false;
        }
        if self.is_pending {
            return self.is_due_again(Instant::now());
        }
        self.is_pending = TURN.with(Turn::is_over);
        self.is_pending
    }

    #[cold]
    fn is_due_again(&mut self, now: Instant) -> bool {
        self.was_pending = !self.was_pending && TURN.with(|turn| turn.is_long_ago(now));
        self.is_pending = self.was_pending;
        if !self.is_pending {
            TURN.with(|turn| turn.begin(now));
        }
        self.is_pending
    }

    /// Pending once when a yield [is due](Self::is_due); the task is woken at once then.
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
    /// Without its next poll, others would yield for ever where they are polled but once.
    #[inline]
    fn drop(&mut self) {
        if self.is_pending {
            TURN.with(Turn::forget);
        }
    }
}

/// Yields if that [is due](Yield::is_due).
pub async fn now_if_due() {
    let mut yields = Yield::default();
    poll_fn(|cx| yields.poll(cx)).await;
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

    /// Returns true if the time was last looked at as long ago as a turn takes.
    fn is_long_ago(&self, now: Instant) -> bool {
        self.times.get().is_some_and(|(_, looked)| now.saturating_duration_since(looked) >= LONGEST)
    }

    /// The task begins anew: others have had their turn.
    #[cold]
    fn begin(&self, now: Instant) {
        self.times.set(Some((now, now)));
        self.left.set(self.step.get());
    }

    /// The next call begins.
    #[cold]
    fn forget(&self) {
        self.times.set(None);
        self.left.set(1);
    }

    /// Looks at the time.
    #[cold]
    fn look(&self, now: Instant) -> bool {
        let Some((began, looked)) = self.times.get() else {
            self.begin(now);
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
        self.times.set(Some((began, now)));
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
const MOST: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many calls, each so long after the other, say that a yield is due, and how often the clock is read. The
    /// one that is polled again after a yield is not counted.
    fn calls(turn: &Turn, clock: &mut Instant, n: usize, apart: Duration) -> (usize, usize) {
        let (mut due, mut read) = (0, 0);
        for _ in 0..n {
            *clock += apart;
            let left = turn.left.get() - 1;
            turn.left.set(left);
            if left == 0 {
                read += 1;
                if turn.look(*clock) {
                    due += 1;
                    turn.begin(*clock);
                }
            }
        }
        (due, read)
    }

    #[test]
    fn slow_work_yields_at_each_call() {
        let (turn, mut clock) = (Turn::new(), Instant::now());
        for apart in [1, 5, 1000].map(Duration::from_millis) {
            let (due, _) = calls(&turn, &mut clock, 100, apart);
            assert!((99..=100).contains(&due), "{due} of 100 at {apart:?}");
        }
    }

    #[test]
    fn quick_work_yields_every_millisecond() {
        let (turn, mut clock) = (Turn::new(), Instant::now());
        for (apart, yields) in [(200_000, 20_000), (10_000, 1000), (65, 6)] {
            let (due, read) = calls(&turn, &mut clock, 100_000, Duration::from_nanos(apart));
            assert!(due >= yields / 2 && due <= yields + 1, "{due} in 100,000 at {apart} ns");
            if apart == 65 {
                assert!(read < 100_000 / 7, "the clock is read {read} times");
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
    fn a_future_wakes_and_is_pending_once() {
        let woken = std::sync::Arc::new(Woken::default());
        let waker = woken.clone().into();
        let cx = Context::from_waker(&waker);
        let mut yields = Yield::default();
        while yields.poll(&cx).is_ready() {}
        assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(yields.poll(&cx).is_ready());
    }

    /// As two halves of a `join!`, of which one sends and works, and the other receives.
    #[test]
    fn one_who_yields_goes_on_whatever_the_others_do() {
        let (mut sender, mut receiver) = (Yield::default(), Yield::default());
        let (mut sent, mut received) = (0, 0);
        for _ in 0..40 {
            sent += usize::from(!sender.is_due());
            std::thread::sleep(LONGEST);
            received += usize::from(!receiver.is_due());
        }
        assert!(sent >= 13 && received >= 13, "{sent} sent, {received} received");
    }

    /// As a `select!` in a loop that asks the same one first, and drops what was pending.
    #[test]
    fn one_who_is_asked_first_is_not_passed_over() {
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
            std::thread::sleep(LONGEST);
        }
        assert_eq!((first, second), (40, 0));
    }

    #[test]
    fn one_who_is_polled_but_once_is_let_through_next_time() {
        let mut done = 0;
        for _ in 0..40 {
            done += usize::from(!Yield::default().is_due());
            std::thread::sleep(LONGEST);
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
