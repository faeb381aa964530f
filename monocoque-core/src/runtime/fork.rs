//! Futures that end in a forked process, where the runtime that would wake them does not exist.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::RuntimeGone;
use crate::process_id;

/// Awaits `work` in this process only.
///
/// In a process that is forked meanwhile the runtime is gone, and `work` is neither polled nor
/// dropped: its locks may be held for ever, or belong to the parent.
pub fn unless_forked<F: Future>(work: F) -> UnlessForked<F> {
    UnlessForked { work: Some(Box::pin(work)), process: process_id() }
}

/// The future of [`unless_forked`].
#[derive(Debug)]
pub struct UnlessForked<F> {
    /// `None` only while it is being dropped.
    work: Option<Pin<Box<F>>>,
    process: u32,
}

impl<F: Future> Future for UnlessForked<F> {
    type Output = Result<F::Output, RuntimeGone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.process != process_id() {
            return Poll::Ready(Err(RuntimeGone));
        }
        self.work.as_mut().map_or(Poll::Ready(Err(RuntimeGone)), |work| work.as_mut().poll(cx).map(Ok))
    }
}

impl<F> Drop for UnlessForked<F> {
    fn drop(&mut self) {
        if self.process != process_id() {
            std::mem::forget(self.work.take());
        }
    }
}
