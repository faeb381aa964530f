//! A thread that runs a part through its lifetimes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use futures::channel::oneshot;

use crate::part::{Implementation, Part};
use crate::shared::Shared;
use crate::{child, monocoque_peers};

#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) part: Part,
    kill: Kill,
    thread: JoinHandle<()>,
}

/// The sender that ends the current lifetime.
type Kill = Arc<Mutex<Option<oneshot::Sender<()>>>>;

impl Actor {
    pub(crate) fn start(part: Part, shared: Arc<Shared>, seed: u64) -> Self {
        let kill = Kill::default();
        let (to_kill, own_part) = (kill.clone(), part.clone());
        let run = move || {
            let mut rng = Rng::with_seed(seed);
            let mut placement = None;
            loop {
                let (kill, end) = oneshot::channel();
                *to_kill.lock().expect("not poisoned") = Some(kill);
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                match own_part.implementation {
                    Implementation::Ours => {
                        placement = Some(monocoque_peers::live(&own_part, &shared, end, &mut rng, placement))
                    }
                    Implementation::Process | Implementation::Theirs => {
                        child::live(&own_part, &shared, end, &mut rng)
                    }
                }
                if !shared.ended.load(Ordering::SeqCst) {
                    // Stays away for a random time.
                    thread::sleep(Duration::from_millis(rng.u64(0..80)));
                }
            }
        };
        let thread = thread::Builder::new().name(part.name()).spawn(run).expect("a thread");
        Self { part, kill, thread }
    }

    /// Ends the current lifetime. Returns `false` between two lifetimes.
    pub(crate) fn kill(&self) -> bool {
        let kill = self.kill.lock().expect("not poisoned").take();
        kill.is_some_and(|kill| kill.send(()).is_ok())
    }

    /// Returns whether a lifetime is running that has no command to end.
    pub(crate) fn is_alive(&self) -> bool {
        self.kill.lock().expect("not poisoned").is_some()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Returns the panic message, if it has panicked.
    pub(crate) fn join(self) -> Option<String> {
        let name = self.part.name();
        let panic = self.thread.join().err()?;
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Some(format!("{name} panicked: {}", text.unwrap_or_default()))
    }
}
