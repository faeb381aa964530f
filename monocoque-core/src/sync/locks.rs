//! Loom's locks in the shape of parking_lot's: without results. They count how many a thread holds.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::thread;

use loom::sync;

/// A lock for one.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// A lock for one that writes, or many that read.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

/// What a [`Mutex`] guards.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(sync::MutexGuard<'a, T>, Held);

/// What a [`RwLock`] guards, to read.
#[derive(Debug)]
pub struct RwLockReadGuard<'a, T>(sync::RwLockReadGuard<'a, T>, Held);

/// What a [`RwLock`] guards, to change.
#[derive(Debug)]
pub struct RwLockWriteGuard<'a, T>(sync::RwLockWriteGuard<'a, T>, Held);

/// One of the locks that this thread holds.
#[derive(Debug)]
struct Held;

/// How many locks this thread of a model holds.
pub fn locks_held() -> usize {
    HELD.with(Cell::get)
}

impl<T> Mutex<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(self.0.lock().unwrap_or_else(PoisonError::into_inner), Held::new())
    }
}

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits for those who write.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard(self.0.read().unwrap_or_else(PoisonError::into_inner), Held::new())
    }

    /// Waits for all others.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard(self.0.write().unwrap_or_else(PoisonError::into_inner), Held::new())
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

impl Held {
    fn new() -> Self {
        HELD.with(|held| held.set(held.get() + 1));
        Self
    }
}

impl Drop for Held {
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
