//! Panics in the tasks of an endpoint: the connection of the task ends, and an event reports it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use monocoque_core::Endpoint;

use crate::monitor::SocketEvent;
use crate::socket::Engine;

/// Awaits the work of an endpoint's task. A panic is reported as an event, and returns `None`.
///
/// Not an `async fn`, whose future would hold the work twice.
pub(crate) fn catch_panic<T>(
    engine: &Engine,
    address: &Endpoint,
    work: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    AssertUnwindSafe(work).catch_unwind().map(|outcome| match outcome {
        Ok(done) => Some(done),
        Err(panic) => {
            let message: Arc<str> = message_of(&*panic).into();
            engine.emit(|| SocketEvent::TaskPanicked { endpoint: address.clone(), message });
            None
        }
    })
}

/// Returns the text of a panic, if it has one.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
