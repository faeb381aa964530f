//! Where locks and atomics come from: parking_lot and the standard library.
//!
//! In a build with `--cfg monocoque_loom` they are those of loom, and `model` runs the code that takes them through the
//! orders in which its threads may run. Whatever is shared between threads and waits for something takes them from here.
//!
//! `Arc` is that of the standard library in either build: nothing is decided by its count, and loom's can neither hold a
//! trait object nor be what a method is called on.

#[cfg(not(monocoque_loom))]
pub use parking_lot::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};
#[cfg(not(monocoque_loom))]
pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

#[cfg(monocoque_loom)]
mod locks;
#[cfg(monocoque_loom)]
pub mod model;

#[cfg(monocoque_loom)]
pub use locks::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, locks_held};
#[cfg(monocoque_loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
