//! What is to happen once a lock is released: tasks are woken, connections to inproc peers are dropped.

use std::any::Any;
use std::task::Waker;

/// Tasks to wake once the lock is released. Nearly always there is one at most.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Waker>,
    /// Rare, and in one place, so that there is little to look at when there are none.
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

    /// Keeps a value, to be dropped after the tasks are woken.
    pub(crate) fn drop_later(&mut self, value: impl Any + Send) {
        self.more.get_or_insert_default().garbage.push(Box::new(value));
    }

    /// Wakes the tasks, and drops what was kept.
    ///
    /// By reference: most often there is nothing to do, and moving what was just made costs more than to look.
    #[inline]
    pub(crate) fn wake(&mut self) {
        if let Some(first) = self.first.take() {
            first.wake();
        }
        if self.more.is_some() {
            self.wake_more();
        }
    }

    #[cold]
    fn wake_more(&mut self) {
        let More { wakers, garbage } = self.more.take().map_or_else(More::default, |more| *more);
        wakers.into_iter().for_each(Waker::wake);
        drop(garbage);
    }
}
