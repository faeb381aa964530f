//! The runtime of a thread with sockets.

use std::io;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};

use crate::error::Error;

/// Runs a future on a runtime of this thread.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    let runtime = best().or_else(|_| Runtime::new()).map_err(Error::Runtime)?;
    Ok(runtime.block_on(future))
}

/// Creates a runtime whose ring does not interrupt the thread. The driver is set explicitly, so
/// that an older kernel fails instead of falling back to polling.
fn best() -> io::Result<Runtime> {
    let mut proactor = ProactorBuilder::new();
    proactor.driver_type(DriverType::IoUring).single_issuer(true).defer_taskrun(true).taskrun_flag(true);
    RuntimeBuilder::new().with_proactor(proactor).build()
}
