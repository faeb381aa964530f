//! One to many and many to one, with 64-byte messages. A message to many has arrived when all of
//! them have it.

use criterion::{Criterion, criterion_group, criterion_main};

use monocoque_bench::{Library, Load, Pattern, config, group, measure};

fn publish(criterion: &mut Criterion) {
    let mut group = group(criterion, "patterns, pub to subs by subs");
    for subs in [1, 8, 32] {
        for &library in Library::ALL {
            measure(&mut group, library, subs, Load { to: subs, ..Load::of(Pattern::PubSub) });
        }
    }
}

/// A SUB that matches every second message.
fn filter(criterion: &mut Criterion) {
    let mut group = group(criterion, "patterns, pub to sub by subscriptions");
    for topics in [1, 100, 10_000] {
        for &library in Library::ALL {
            measure(&mut group, library, topics, Load { topics, ..Load::of(Pattern::PubSub) });
        }
    }
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = group(criterion, "patterns, push to pulls by pulls");
    for &library in Library::ALL {
        measure(&mut group, library, 4, Load { to: 4, ..Load::of(Pattern::PushPull) });
    }
}

fn fan_in(criterion: &mut Criterion) {
    let mut group = group(criterion, "patterns, pushes to pull by pushes");
    for &library in Library::ALL {
        measure(&mut group, library, 4, Load { from: 4, ..Load::of(Pattern::PushPull) });
    }
}

criterion_group!(name = benches; config = config(); targets = publish, filter, fan_out, fan_in);
criterion_main!(benches);
