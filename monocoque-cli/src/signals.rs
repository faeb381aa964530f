//! Signals as futures.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::error::Error;

/// The first SIGINT or SIGTERM, for any number of clones.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Disconnected by the first signal; nothing is ever sent.
    come: flume::Receiver<()>,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Waits for the first signal, and returns its number.
    pub(crate) async fn received(&self) -> i32 {
        let _ = self.come.recv_async().await;
        self.signal.load(Ordering::Acquire)
    }

    /// Returns whether the signal has been received.
    pub(crate) fn is_received(&self) -> bool {
        self.come.is_disconnected()
    }
}

/// Catches SIGINT and SIGTERM from now on. The second signal ends the process at once, without
/// waiting for messages that are still to be sent.
pub(crate) fn interrupt() -> Result<Interrupt, Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Error::Signals)?;
    let (sender, come) = flume::bounded(0);
    let signal = Arc::new(AtomicI32::new(SIGINT));
    let first = signal.clone();
    thread::spawn(move || {
        let mut signals = signals.forever();
        if let Some(signal) = signals.next() {
            first.store(signal, Ordering::Release);
        }
        drop(sender);
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
    });
    Ok(Interrupt { come, signal })
}

/// Returns a receiver of each SIGUSR1 from now on.
pub(crate) fn reports() -> Result<flume::Receiver<()>, Error> {
    let mut signals = Signals::new([SIGUSR1]).map_err(Error::Signals)?;
    let (sender, receiver) = flume::bounded(1);
    thread::spawn(move || {
        for _ in signals.forever() {
            // A pending one stands for all that arrive meanwhile.
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}
