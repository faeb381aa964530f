//! Tasks that are to be woken, and neighbours that are to be left, but not under a lock.

use std::task::Waker;

use super::link::Neighbour;

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
    /// Neighbours that are no longer ours.
    left: Vec<Box<dyn Neighbour>>,
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

    /// The connection to a neighbour has ended: it learns of it.
    pub(crate) fn leave(&mut self, neighbour: Option<Box<dyn Neighbour>>) {
        if let Some(neighbour) = neighbour {
            self.more.get_or_insert_default().left.push(neighbour);
        }
    }

    /// By reference: most often there is nobody, and moving what was just made costs more than to look.
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
        let More { wakers, left } = self.more.take().map_or_else(More::default, |more| *more);
        wakers.into_iter().for_each(Waker::wake);
        drop(left);
    }
}
