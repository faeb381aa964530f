//! Messages in one direction, of all sizes.

use criterion::{Criterion, criterion_group, criterion_main};

use monocoque_bench::{KIB, Library, Load, Pattern, config, group, measure};

fn one_way(criterion: &mut Criterion) {
    for (name, pattern) in [("push to pull", Pattern::PushPull), ("dealer to router", Pattern::DealerRouter)]
    {
        let mut group = group(criterion, &format!("throughput, {name} by size"));
        for size in [16, 64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB] {
            for &library in Library::ALL {
                measure(&mut group, library, size, Load { size, ..Load::of(pattern) });
            }
        }
    }
}

criterion_group!(name = benches; config = config(); targets = one_way);
criterion_main!(benches);
