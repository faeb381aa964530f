//! The loop for smol, and for all that uses async-io.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_util::future::{Either, select};
use monocoque_core::runtime::yield_now;

use super::Driver;

impl Driver {
    /// Drives the connections for ever, in smol or any other executor: spawn it on a
    /// `LocalExecutor`, or put it beside the program by `or` in `block_on`. It stays on its thread,
    /// so `smol::spawn` does not take it.
    ///
    /// Drop the future, or its task, to end the connections; close the sockets before.
    ///
    /// ```
    /// use monocoque::zmq::{PullSocket, PushSocket};
    /// use monocoque::{Context, Result};
    ///
    /// fn main() -> Result<()> {
    ///     let (context, driver) = Context::embedded()?;
    ///     let local = smol::LocalExecutor::new();
    ///     let _driven = local.spawn(driver.run_smol()); // until it is dropped
    ///     smol::block_on(local.run(async {
    ///         let (pull, push) = (PullSocket::new_in(&context)?, PushSocket::new_in(&context)?);
    ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    ///         push.send("on the thread of smol").await?;
    ///         assert_eq!(pull.recv().await?, "on the thread of smol");
    ///         context.shutdown().await;
    ///         Ok(())
    ///     }))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If async-io cannot watch the descriptor.
    pub async fn run_smol(self) -> io::Result<Infallible> {
        let descriptor = Async::new_nonblocking(self.as_fd())?;
        loop {
            match self.turn() {
                Some(Duration::ZERO) => yield_now().await,
                Some(sleep) => {
                    let readable = pin!(descriptor.readable());
                    if let Either::Left((ready, _)) = select(readable, Timer::after(sleep)).await {
                        ready?;
                    }
                }
                None => descriptor.readable().await?,
            }
        }
    }
}
