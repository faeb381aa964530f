//! `send_buffered` and `flush`, in batches. libzmq has no counterpart; the figures of plain `send`
//! are in `throughput`.

use criterion::{Criterion, criterion_group, criterion_main};
use futures::future::{FutureExt, LocalBoxFuture};
use monocoque::MonocoqueError;
use monocoque::zmq::PushSocket;

use monocoque_bench::{Batches, KIB, Library, Load, Pattern, config, group, measure};

fn batches(criterion: &mut Criterion) {
    for (name, message) in [("64 B", 64), ("1 KiB", KIB)] {
        let mut group = group(criterion, &format!("pipelined_throughput, push to pull {name} by batch"));
        for size in [1, 10, 100, 1000] {
            let batches = Some(Batches { size, send: send_batches });
            let load = Load { size: message, batches, ..Load::of(Pattern::PushPull) };
            for library in [Library::Ours, Library::OursIo] {
                measure(&mut group, library, size, load);
            }
        }
    }
}

fn send_batches<'s>(
    push: &'s PushSocket,
    body: &'s [u8],
    n: usize,
    size: usize,
) -> LocalBoxFuture<'s, Result<(), MonocoqueError>> {
    async move {
        for sent in (0..n).step_by(size) {
            for _ in sent..n.min(sent + size) {
                push.send_buffered(body).await?;
            }
            push.flush().await?;
        }
        Ok(())
    }
    .boxed_local()
}

criterion_group!(name = benches; config = config(); targets = batches);
criterion_main!(benches);
