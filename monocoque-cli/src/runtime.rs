//! The runtime that a thread with sockets runs.

use std::io;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};

use crate::error::Error;

/// Runs a future on a runtime of this thread.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    let runtime = best().or_else(|_| Runtime::new()).map_err(Error::Runtime)?;
    Ok(runtime.block_on(future))
}

/// With a ring that does not interrupt the thread. Asked for by name, so that an older kernel refuses it instead of
/// polling.
fn best() -> io::Result<Runtime> {
    let mut proactor = ProactorBuilder::new();
    proactor.driver_type(DriverType::IoUring).single_issuer(true).defer_taskrun(true).taskrun_flag(true);
    RuntimeBuilder::new().with_proactor(proactor).build()
}
