//! The round trip of one 64-byte message at a time.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use monocoque_bench::{Library, Load, Pattern, config, group, measure};

fn round_trip(criterion: &mut Criterion) {
    for (name, pattern) in
        [("req and rep", Pattern::ReqRep), ("dealer and router", Pattern::DealerRouterEcho)]
    {
        let mut group = group(criterion, &format!("latency, {name} by size"));
        // Enough samples for p99.9.
        group.measurement_time(Duration::from_secs(4));
        for &library in Library::ALL {
            measure(&mut group, library, 64, Load::of(pattern));
        }
    }
}

criterion_group!(name = benches; config = config(); targets = round_trip);
criterion_main!(benches);
