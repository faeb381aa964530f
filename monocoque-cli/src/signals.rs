//! Signals, as something that can be awaited.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::error::Error;

/// Ctrl-C, or a polite `kill`. Any number of clones hear of it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// Disconnected by the first signal; nothing is ever sent.
    come: flume::Receiver<()>,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Waits for the first signal, and returns its number.
    pub(crate) async fn come(&self) -> i32 {
        let _ = self.come.recv_async().await;
        self.signal.load(Ordering::Acquire)
    }

    /// Whether it has come.
    pub(crate) fn is_here(&self) -> bool {
        self.come.is_disconnected()
    }
}

/// Catches interrupts from now on. The second one ends the process at once: whoever asks twice does not want to wait for
/// what is still to be sent.
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

/// Each SIGUSR1 from now on.
pub(crate) fn reports() -> Result<flume::Receiver<()>, Error> {
    let mut signals = Signals::new([SIGUSR1]).map_err(Error::Signals)?;
    let (sender, receiver) = flume::bounded(1);
    thread::spawn(move || {
        for _ in signals.forever() {
            // One that waits stands for all that came meanwhile.
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}
