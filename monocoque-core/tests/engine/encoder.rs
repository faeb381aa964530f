//! Protocols that write messages in another form than they are queued in.

use crate::common::{
    LengthPrefixed, NotHello, TestHandler, Wire, WriteOutcome, check_replies, check_written, encoded, masked,
    run, wait_until,
};
use monocoque_core::actor::{Closed, InFlight};
use monocoque_core::{Encode, Outbox, Queued};

/// Starts an actor that has completed its handshake.
fn start(wire: &Wire, handler: &TestHandler) -> compio::runtime::JoinHandle<Closed<NotHello>> {
    crate::common::start(LengthPrefixed::masking(), wire, handler)
}

/// Returns small and large messages, more than one call encodes.
fn bodies() -> Vec<Vec<u8>> {
    let lens = [3, 0, 5_000, 1, 100_000, 4_096, 20, 60_000, 9_000];
    lens.iter().zip(1..).map(|(&len, byte)| vec![byte; len]).collect()
}

/// Returns the messages as they are queued and as they are written.
fn both_forms() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let queued: Vec<_> = bodies().iter().map(|body| encoded(body)).collect();
    let written = queued.iter().map(|message| masked(message)).collect();
    (queued, written)
}

fn cuts(written: &[Vec<u8>]) -> impl Iterator<Item = usize> {
    let mut ends = vec![0];
    written.iter().for_each(|message| ends.push(ends[ends.len() - 1] + message.len()));
    let whole = ends[ends.len() - 1];
    (1..whole).filter(move |cut| cut % 7_919 == 0 || ends.iter().any(|end| end.abs_diff(*cut) < 3))
}

#[test]
fn encoded_batch_short_writes_continue() {
    let written = both_forms().1;
    let expected = written.concat();
    for cut in cuts(&written) {
        run(async {
            let wire = Wire::new().writes([
                WriteOutcome::Bytes(5),
                WriteOutcome::Bytes(cut),
                WriteOutcome::Interrupted,
            ]);
            check_written(LengthPrefixed::masking(), wire, &bodies(), &expected, cut).await;
        });
    }
}

#[test]
fn lost_batch_returns_whole_neutral_messages() {
    let (queued, written) = both_forms();
    for cut in cuts(&written) {
        run(async {
            // A batch of encoded messages takes several short writes.
            let mut left = cut;
            let wire = Wire::new();
            let handler = TestHandler::default();
            bodies().iter().for_each(|body| handler.send(body));
            let wire = wire.writes(
                [WriteOutcome::Bytes(5)].into_iter().chain(
                    std::iter::from_fn(move || {
                        let n = left.min(1_000);
                        left -= n;
                        Some(if n > 0 { WriteOutcome::Bytes(n) } else { WriteOutcome::Broken })
                    })
                    .take(cut / 1_000 + 2),
                ),
            );
            let closed = start(&wire, &handler).await.expect("no panic");
            assert!(matches!(closed, Closed::Io(_)), "{closed:?}");
            let taken = wire.written().len() - 5;
            assert!(taken <= cut);
            let (mut done, mut end) = (0, 0);
            while done < written.len() && end + written[done].len() <= taken {
                end += written[done].len();
                done += 1;
            }
            assert!(handler.unsent() == queued[done..].concat(), "cut at {cut}");
            assert_eq!(handler.attempts(), u32::from(end < taken), "cut at {cut}");
        });
    }
}

#[test]
fn replies_are_encoded_between_messages() {
    check_replies(LengthPrefixed::masking(), |body| masked(&encoded(body)));
}

#[test]
fn direct_write_needs_identity_encoder() {
    run(async {
        for (protocol, has_direct) in [(LengthPrefixed::new(), true), (LengthPrefixed::masking(), false)] {
            let (wire, handler) = (Wire::new(), TestHandler::default());
            let actor = crate::common::start(protocol, &wire, &handler);
            wait_until("the connection is established", || handler.is_attached()).await;
            assert_eq!(handler.has_direct(), has_direct);
            wire.end();
            actor.await.expect("no panic");
        }
    });
}

/// An encoder that encodes nothing.
#[derive(Debug)]
struct Stuck;

impl Encode for Stuck {
    type Error = NotHello;

    fn is_identity(&self) -> bool {
        false
    }

    fn encode(&mut self, _queued: &mut Queued<'_>, _wire: &mut Outbox, _limit: usize) {}
}

#[test]
fn stuck_encoder_keeps_the_batch() {
    let mut batch = InFlight::new(&Stuck);
    crate::common::put(batch.queued_mut(), b"message");
    batch.encode(&mut Stuck);
    assert!(batch.wire().is_empty() && !batch.is_empty());
    assert_eq!(batch.into_unsent().chunk(), encoded(b"message"));
}
