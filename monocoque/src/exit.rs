//! The exit handler: messages queued on sockets that are still open are sent before the process
//! ends.
//!
//! The handler closes the sockets of I/O threads and waits for each of them, for at most its
//! `linger`, like `zmq_ctx_term`. It runs on the thread that ends the process, by a return from
//! `main` or by [`exit`](std::process::exit). It does not run after an abort or a signal, and does
//! not cover sockets on a runtime of the caller, whose thread has ended by then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use monocoque_core::block_on;

use crate::socket::Engine;

/// The sockets whose connections run on I/O threads.
#[derive(Debug, Default)]
struct LiveSockets {
    engines: Vec<Weak<Engine>>,
    /// The length of `engines` at which dropped sockets are removed from it.
    full: usize,
}

static SOCKETS: Mutex<LiveSockets> = Mutex::new(LiveSockets { engines: Vec::new(), full: 0 });

/// Registers a socket whose connections run on an I/O thread.
pub(crate) fn register(engine: &Arc<Engine>) {
    static HANDLER: Once = Once::new();
    // POSIX allows at least 32 handlers. If this one cannot be added, the process ends without
    // waiting, as after an abort.
    HANDLER.call_once(|| {
        let _added = shutdown_hooks::add_shutdown_hook(deliver);
    });
    let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    if sockets.engines.len() >= sockets.full {
        sockets.engines.retain(|engine| engine.strong_count() > 0);
        sockets.full = 16 + 2 * sockets.engines.len();
    }
    sockets.engines.push(Arc::downgrade(engine));
}

/// The exit handler. Each socket records the messages that its `linger` was too short for.
extern "C" fn deliver() {
    // A panic must not leave a C function. The panic hook has reported it already.
    let _caught = catch_unwind(AssertUnwindSafe(|| {
        let engines: Vec<_> = {
            let sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
            sockets.engines.iter().filter_map(Weak::upgrade).collect()
        };
        // Without the sockets of the parent of a forked process, and without those whose
        // connections run on this thread: waiting for them would never end.
        let engines: Vec<_> = engines
            .into_iter()
            .filter(|engine| !engine.is_foreign() && !engine.runs_on_current_thread())
            .collect();
        engines.iter().for_each(Engine::close);
        for engine in engines {
            block_on(engine.ended());
        }
    }));
}
