//! The source of locks and atomics: parking_lot and the standard library.
//!
//! In a build with `--cfg monocoque_loom` they are those of loom, and `model` runs code that uses
//! them in all orders in which its threads may run. All state that threads share and wait for uses
//! them.
//!
//! `Arc` is that of the standard library in either build: no decision depends on its count, and
//! loom's can neither hold a trait object nor be the receiver of a method.

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
