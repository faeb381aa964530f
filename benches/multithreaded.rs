//! Several I/O threads, and more peers than threads.

use criterion::{Criterion, criterion_group, criterion_main};

use monocoque_bench::{Library, Load, Pattern, config, group, measure};

/// The same number of I/O threads on both sides; four sending sockets are spread over them.
fn io_threads(criterion: &mut Criterion) {
    let mut group = group(criterion, "multithreaded, 4 pushes to pull by I/O threads");
    for io_threads in [1, 2] {
        let load = Load { from: 4, io_threads, ..Load::of(Pattern::PushPull) };
        for &library in WITH_IO_THREADS {
            measure(&mut group, library, io_threads, load);
        }
    }
}

/// Several DEALERs, each with one message in flight.
fn dealers(criterion: &mut Criterion) {
    let mut group = group(criterion, "multithreaded, dealers and router by dealers");
    for from in [1, 10, 100] {
        for &library in Library::ALL {
            measure(&mut group, library, from, Load { from, ..Load::of(Pattern::DealerRouterEcho) });
        }
    }
}

criterion_group!(name = benches; config = config(); targets = io_threads, dealers);
criterion_main!(benches);

/// The libraries with a configurable number of I/O threads.
const WITH_IO_THREADS: &[Library] = &[
    #[cfg(feature = "zmq")]
    Library::Zmq,
    Library::OursIo,
];
