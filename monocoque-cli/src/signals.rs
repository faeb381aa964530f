//! Signals, as something that can be awaited.

use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::error::Error;

/// Ctrl-C, or a polite `kill`. Any number of clones hear of it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(flume::Receiver<()>);

impl Interrupt {
    /// Returns when it has come, now or earlier.
    pub(crate) async fn come(&self) {
        // Nothing is ever sent: it has come when the sender is gone.
        let _ = self.0.recv_async().await;
    }

    /// Whether it has come.
    pub(crate) fn is_here(&self) -> bool {
        self.0.is_disconnected()
    }
}

/// Catches interrupts from now on. The second one ends the process at once: whoever asks twice does not want to wait for
/// what is still to be sent.
pub(crate) fn interrupt() -> Result<Interrupt, Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Error::Signals)?;
    let (sender, receiver) = flume::bounded(0);
    thread::spawn(move || {
        let mut signals = signals.forever();
        signals.next();
        drop(sender);
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
    });
    Ok(Interrupt(receiver))
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
