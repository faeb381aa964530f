//! The end of the process: what was sent by sockets that nobody has closed is still delivered.
//!
//! An exit handler closes the sockets of I/O threads and waits for them, each for at most its `linger`, as the contexts of
//! a C library do. It runs whichever thread ends the process, by a return from `main` or by
//! [`exit`](std::process::exit); not after an abort or a signal, nor for sockets on a runtime of the caller's, whose thread
//! is gone by then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use monocoque_core::block_on;

use crate::socket::Engine;

/// The sockets that live on I/O threads.
#[derive(Debug, Default)]
struct Sockets {
    engines: Vec<Weak<Engine>>,
    /// Looked through when there are so many.
    full: usize,
}

static SOCKETS: Mutex<Sockets> = Mutex::new(Sockets { engines: Vec::new(), full: 0 });

/// Takes note of a socket that lives on an I/O thread.
pub(crate) fn register(engine: &Arc<Engine>) {
    static HANDLER: Once = Once::new();
    // The system has room for at least 32 of them; without it the end of the process waits for nobody, as after an abort.
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

/// The exit handler. What cannot be delivered is told by each socket when its `linger` is over.
extern "C" fn deliver() {
    // A panic must not leave it; what has caused one was told already.
    let _caught = catch_unwind(AssertUnwindSafe(|| {
        let engines: Vec<_> = {
            let sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
            sockets.engines.iter().filter_map(Weak::upgrade).collect()
        };
        // Not those of the process that this one was forked from, nor those that this thread would have to serve.
        let engines: Vec<_> =
            engines.into_iter().filter(|engine| !engine.is_foreign() && !engine.is_at_home()).collect();
        engines.iter().for_each(Engine::close);
        for engine in engines {
            block_on(engine.ended());
        }
    }));
}
