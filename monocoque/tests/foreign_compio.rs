//! A socket made within a runtime of another version of compio: a warning says that its connections
//! run elsewhere.
//!
//! The other runtime is a function of the same name. The process has one test, since only the first
//! socket is looked at.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use monocoque::zmq::PushSocket;
use monocoque::{Context, DriverType};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// A runtime that the library does not know.
mod compio_runtime {
    #[inline(never)]
    pub(super) fn block_on<T>(work: impl FnOnce() -> T) -> T {
        std::hint::black_box(work())
    }
}

/// A writer that keeps all lines.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lines").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[test]
fn other_compio_version_warns() {
    // The ring that the other runtime would have.
    let context = Context::new().expect("an I/O thread");
    if context.driver_type() != DriverType::IoUring {
        return;
    }
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone());
    let subscriber = subscriber.with_max_level(LevelFilter::DEBUG).finish();
    tracing::subscriber::with_default(subscriber, || {
        compio_runtime::block_on(|| PushSocket::new().expect("a socket"));
        PushSocket::new().expect("a socket")
    });
    let lines = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("text");
    let of = |text: &str| lines.lines().filter(|line| line.contains(text)).count();
    assert_eq!(of("WARN socket{type=PUSH id=0}: monocoque: the runtime of this thread"), 1, "{lines}");
    assert_eq!(of("DEBUG socket{type=PUSH id=1}: monocoque: no compio runtime"), 1, "{lines}");
}
