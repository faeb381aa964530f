//! A runtime for models, which run the tasks that they look at themselves.

use std::thread;

use rustix::thread::gettid;

use super::{Command, DriverType, RuntimeHandle};

/// The runtime of a [`RuntimeHandle`] that runs nothing. Its commands are dropped with it, as the
/// tasks of a runtime are.
#[derive(Debug)]
pub struct IdleRuntime(flume::Receiver<Command>);

impl RuntimeHandle {
    /// Returns a handle to a runtime that runs nothing, for models.
    pub fn idle() -> (Self, IdleRuntime) {
        let (commands, mailbox) = flume::unbounded();
        let handle = Self {
            commands: Some(commands),
            driver_type: DriverType::Polling,
            thread: gettid(),
            runtime: -1,
        };
        (handle, IdleRuntime(mailbox))
    }
}

impl Drop for IdleRuntime {
    fn drop(&mut self) {
        // A model that has failed has no locks for the destructors of the commands.
        if !thread::panicking() {
            self.0.try_iter().for_each(drop);
        }
    }
}
