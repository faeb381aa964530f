//! The parts of models: the search through the orders of their threads, and a waker that it sees.
//!
//! A model fails if one of its threads panics, or if all that are left wait: a wake-up was lost
//! then.

use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use loom::model::Builder;
use loom::sync::Notify;
pub use loom::thread::{JoinHandle, spawn};

use super::locks_held;

/// Runs `model` in all orders in which its threads are interrupted at most `preemptions` times in
/// all where they could have gone on. `LOOM_MAX_PREEMPTIONS` overrides the number.
///
/// # Panics
///
/// If the model fails in one of them, or if there is only one.
pub fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = MAX_BRANCHES;
    // Either would end the search early, and report success.
    (builder.max_permutations, builder.max_duration) = (None, None);
    let (orders, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let counted = orders.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    println!("{}: {orders} orders, {:.1?}", thread::current().name().unwrap_or("model"), started.elapsed());
    assert!(orders > 1, "nothing happens at the same time");
}

/// Runs `work` on a thread of its own that shares a value with the caller.
pub fn spawn_with<S: 'static, T: 'static>(
    shared: &Arc<S>,
    work: impl FnOnce(&Arc<S>) -> T + 'static,
) -> JoinHandle<T> {
    let shared = shared.clone();
    spawn(move || work(&shared))
}

/// Waits for a future. It is also polled without a wake-up, as executors may do.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let alarm = Arc::new(NotifyWaker(Notify::new()));
    let waker = Waker::from(alarm.clone());
    // Not dropped if the model fails here: its destructor could get no locks.
    let mut future = ManuallyDrop::new(Box::pin(future));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            drop(ManuallyDrop::into_inner(future));
            return output;
        }
        alarm.0.wait();
    }
}

/// Polls a future once, before it is dropped. Its waker does nothing.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::new(SilentWaker))))
}

/// Wakes the thread that waits for it.
struct NotifyWaker(Notify);

/// Wakes no thread.
struct SilentWaker;

impl Wake for NotifyWaker {
    fn wake(self: Arc<Self>) {
        check_unlocked();
        self.0.notify();
    }
}

impl Wake for SilentWaker {
    fn wake(self: Arc<Self>) {
        check_unlocked();
    }
}

fn check_unlocked() {
    assert_eq!(locks_held(), 0, "woken under a lock");
}

/// The most steps of one run: far more than any model takes.
const MAX_BRANCHES: usize = 10_000;
