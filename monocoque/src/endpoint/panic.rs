//! Tasks that panic: what they served is ended, and told.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use monocoque_core::Endpoint;

use crate::monitor::SocketEvent;
use crate::socket::Engine;

/// Awaits the work of a task for an endpoint. A panic is told, and comes to `None`.
///
/// Not an `async fn`, which would keep room for the work twice.
pub(crate) fn guarded<T>(
    engine: &Engine,
    endpoint: &Endpoint,
    work: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    AssertUnwindSafe(work).catch_unwind().map(|outcome| match outcome {
        Ok(done) => Some(done),
        Err(panic) => {
            let message: Arc<str> = message_of(&*panic).into();
            engine.tell(|| SocketEvent::TaskPanicked { endpoint: endpoint.clone(), message });
            None
        }
    })
}

/// What a panic was about, if that is text.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
