//! PUSH to PULL over Unix sockets and over TCP.

use criterion::{Criterion, criterion_group, criterion_main};

use monocoque_bench::{KIB, Library, Load, Pattern, Transport, config, group, measure_as};

fn both(criterion: &mut Criterion) {
    let mut group = group(criterion, "ipc_vs_tcp, push to pull by size");
    for size in [64, KIB, 16 * KIB] {
        for &library in Library::ALL {
            for (name, transport) in [("tcp", Transport::Tcp), ("ipc", Transport::Ipc)] {
                let load = Load { size, transport, ..Load::of(Pattern::PushPull) };
                measure_as(&mut group, &format!("{library} {name}"), library, size, load);
            }
        }
    }
}

criterion_group!(name = benches; config = config(); targets = both);
criterion_main!(benches);
