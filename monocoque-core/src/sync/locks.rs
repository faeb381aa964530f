//! The locks of loom with the interface of parking_lot: without results. They count how many a
//! thread holds.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::thread;

use loom::sync;

/// A lock for one holder.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// A lock for one writer, or many readers.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

/// The guard of a [`Mutex`].
#[derive(Debug)]
pub struct MutexGuard<'a, T>(sync::MutexGuard<'a, T>, HeldLock);

/// The guard of a [`RwLock`] for a reader.
#[derive(Debug)]
pub struct RwLockReadGuard<'a, T>(sync::RwLockReadGuard<'a, T>, HeldLock);

/// The guard of a [`RwLock`] for a writer.
#[derive(Debug)]
pub struct RwLockWriteGuard<'a, T>(sync::RwLockWriteGuard<'a, T>, HeldLock);

/// One of the locks that this thread holds.
#[derive(Debug)]
struct HeldLock;

/// Returns how many locks this thread of a model holds.
pub fn locks_held() -> usize {
    HELD.with(Cell::get)
}

impl<T> Mutex<T> {
    /// A lock that is free.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(self.0.lock().unwrap_or_else(PoisonError::into_inner), HeldLock::new())
    }
}

impl<T> RwLock<T> {
    /// A lock that is free.
    pub fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits for writers.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard(self.0.read().unwrap_or_else(PoisonError::into_inner), HeldLock::new())
    }

    /// Waits for all other holders.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard(self.0.write().unwrap_or_else(PoisonError::into_inner), HeldLock::new())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl HeldLock {
    fn new() -> Self {
        HELD.with(|held| held.set(held.get() + 1));
        Self
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // A model that has failed has no current thread any more.
        if !thread::panicking() {
            HELD.with(|held| held.set(held.get() - 1));
        }
    }
}

loom::thread_local! {
    static HELD: Cell<usize> = Cell::new(0);
}
