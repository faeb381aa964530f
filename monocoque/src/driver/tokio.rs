//! The loop for tokio.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::Driver;

impl Driver {
    /// Drives the connections for ever, in tokio: spawn it in a `LocalSet`, or put it beside the
    /// program by `select!` in `block_on`. It stays on its thread, so `tokio::spawn` does not take
    /// it.
    ///
    /// Drop the future, or abort its task, to end the connections; close the sockets before.
    ///
    /// ```
    /// use monocoque::zmq::{PullSocket, PushSocket};
    /// use monocoque::{Context, Result};
    ///
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> Result<()> {
    ///     let (context, driver) = Context::embedded()?;
    ///     let local = tokio::task::LocalSet::new();
    ///     local.spawn_local(driver.run_local());
    ///     let exchange = async {
    ///         let (pull, push) = (PullSocket::new_in(&context)?, PushSocket::new_in(&context)?);
    ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    ///         push.send("on the thread of tokio").await?;
    ///         assert_eq!(pull.recv().await?, "on the thread of tokio");
    ///         context.shutdown().await;
    ///         Ok(())
    ///     };
    ///     local.run_until(exchange).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Outside a tokio runtime, or if tokio cannot watch the descriptor.
    ///
    /// # Panics
    ///
    /// In a runtime without `enable_io` and `enable_time`, as everything of tokio that needs them.
    #[allow(deprecated, reason = "its successor cannot be called from safe code")]
    pub async fn run_local(self) -> io::Result<Infallible> {
        Handle::try_current().map_err(io::Error::other)?;
        let descriptor = AsyncFd::with_interest(self.as_fd(), Interest::READABLE)?;
        loop {
            let readable = async { descriptor.readable().await.map(|mut ready| ready.clear_ready()) };
            match self.turn() {
                Some(Duration::ZERO) => yield_now().await,
                Some(sleep) => timeout(sleep, readable).await.unwrap_or(Ok(()))?,
                None => readable.await?,
            }
        }
    }
}
