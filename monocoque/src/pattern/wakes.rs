//! Work for after a lock is released: tasks to wake, connections to inproc peers to drop.

use std::any::Any;
use std::task::Waker;

/// Tasks to wake once the lock is released. Nearly always there is one at most.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Waker>,
    /// Rarely needed, and in one place, so that the check for it is cheap.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    wakers: Vec<Waker>,
    /// Values whose destructors take locks of their own.
    garbage: Vec<Box<dyn Any + Send>>,
}

impl Wakes {
    #[inline]
    pub(crate) fn add(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        for waker in wakers {
            match &mut self.first {
                None => self.first = Some(waker),
                Some(_) => self.more.get_or_insert_default().wakers.push(waker),
            }
        }
    }

    /// Keeps a value, to be dropped before the tasks are woken: one of them may end the socket,
    /// after which nothing is to be reported.
    pub(crate) fn drop_later(&mut self, value: impl Any + Send) {
        self.more.get_or_insert_default().garbage.push(Box::new(value));
    }

    /// Drops the values, and wakes the tasks.
    ///
    /// Takes a reference: mostly there is nothing to do, and a move costs more than the check.
    #[inline]
    pub(crate) fn wake(&mut self) {
        if self.more.is_some() {
            self.drop_garbage_and_wake();
        }
        if let Some(first) = self.first.take() {
            first.wake();
        }
    }

    #[cold]
    fn drop_garbage_and_wake(&mut self) {
        let More { wakers, garbage } = self.more.take().map_or_else(More::default, |more| *more);
        drop(garbage);
        wakers.into_iter().for_each(Waker::wake);
    }
}
