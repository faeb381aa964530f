//! Name resolution: the resolver of the system blocks, so each lookup has a thread of its own.
//!
//! There is no thread pool: a thread that cannot be started is an error of one attempt, and a
//! forked process lacks none.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use crate::sync::Mutex;
use crate::{WaitGuard, Waiters};

/// The lookups of one thread that owns connections.
#[derive(Debug, Default)]
struct Resolvers {
    running: usize,
    /// The tasks that wait for one of them to end.
    waiters: Waiters,
}

thread_local! {
    static RESOLVERS: Arc<Mutex<Resolvers>> = Arc::default();
}

/// A permit for one thread.
#[derive(Debug)]
struct Permit(Arc<Mutex<Resolvers>>);

impl Permit {
    /// Waits while there are too many threads.
    async fn acquire() -> Self {
        let resolvers = RESOLVERS.with(Arc::clone);
        let mut guard = WaitGuard::new(|ticket| {
            let next = resolvers.lock().waiters.remove(ticket);
            next.into_iter().for_each(std::task::Waker::wake);
        });
        poll_fn(|cx| {
            let mut state = resolvers.lock();
            if state.running < MAX_THREADS && state.waiters.is_next(guard.ticket) {
                state.running += 1;
                return Poll::Ready(());
            }
            state.waiters.wait(&mut guard.ticket, cx.waker());
            Poll::Pending
        })
        .await;
        drop(guard);
        Self(resolvers)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        let next = state.waiters.first();
        drop(state);
        next.into_iter().for_each(std::task::Waker::wake);
    }
}

/// Returns the addresses of a name. A lookup that is dropped still ends on its thread.
pub(super) async fn resolve(name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    spawn_lookup(move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)).await
}

/// Runs a blocking call on a thread of its own.
async fn spawn_lookup<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let permit = Permit::acquire().await;
    let (done, result) = flume::bounded(1);
    thread::Builder::new().name("monocoque-names".into()).spawn(move || {
        let outcome = call();
        drop(permit);
        // Fails if the attempt was dropped.
        let _gone = done.send(outcome);
    })?;
    let outcome = result.into_recv_async().await;
    outcome.unwrap_or_else(|_| Err(io::Error::other("the thread that resolves the name has panicked")))
}

/// The most threads: more lookups wait for their turn.
const MAX_THREADS: usize = 64;

#[cfg(all(test, not(monocoque_loom)))]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[test]
    fn lookups_beyond_limit_wait_for_thread() {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let (release, gate) = mpsc::channel::<()>();
            let gate = Arc::new(std::sync::Mutex::new(gate));
            let blocked = || {
                let gate = gate.clone();
                spawn_lookup(move || Ok(gate.lock().expect("no panic").recv().is_err())).boxed_local()
            };
            let mut running: Vec<_> = (0..MAX_THREADS).map(|_| blocked()).collect();
            assert!(running.iter_mut().all(|one| one.now_or_never().is_none()));
            let mut next = resolve("localhost".into(), 1).boxed_local();
            assert!((&mut next).now_or_never().is_none());
            let given_up = running.pop();
            drop(given_up);
            assert!((&mut next).now_or_never().is_none(), "its thread goes on");
            drop(release);
            assert!(!next.await.expect("resolved").is_empty());
            assert!(join_all(running).await.into_iter().all(|one| one.is_ok_and(|released| released)));
        });
    }
}
