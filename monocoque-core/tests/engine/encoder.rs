//! A protocol whose messages go over the wire in another form than they are queued in.

use crate::common::{Counted, NotHello, Owner, Taken, Wire, encoded, masked, run, settle, until};
use monocoque_core::actor::{Closed, InFlight};
use monocoque_core::{Encode, Outbox, Queued};

/// An actor that runs, past its handshake.
fn start(wire: &Wire, owner: &Owner) -> compio::runtime::JoinHandle<Closed<NotHello>> {
    crate::common::start(Counted::masking(), wire, owner)
}

/// Small messages and large ones, more than are encoded at a time.
fn bodies() -> Vec<Vec<u8>> {
    let lens = [3, 0, 5_000, 1, 100_000, 4_096, 20, 60_000, 9_000];
    lens.iter().zip(1..).map(|(&len, byte)| vec![byte; len]).collect()
}

/// The messages as they are queued and as they are written.
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
            let wire = Wire::new().writes([Taken::Bytes(5), Taken::Bytes(cut), Taken::Interrupted]);
            let owner = Owner::default();
            bodies().iter().for_each(|body| owner.send(body));
            owner.finish();
            let actor = start(&wire, &owner);
            until("all is written", || wire.taken().len() == 5 + expected.len()).await;
            wire.end();
            assert!(matches!(actor.await.expect("no panic"), Closed::ByUs | Closed::ByPeer));
            assert!(wire.taken()[5..] == expected, "cut at {cut}");
            assert_eq!(owner.unsent(), []);
        });
    }
}

#[test]
fn lost_batch_returns_whole_neutral_messages() {
    let (queued, written) = both_forms();
    for cut in cuts(&written) {
        run(async {
            // What is encoded at a time is written in one go, as far as it goes.
            let mut left = cut;
            let wire = Wire::new();
            let owner = Owner::default();
            bodies().iter().for_each(|body| owner.send(body));
            let wire = wire.writes(
                [Taken::Bytes(5)].into_iter().chain(
                    std::iter::from_fn(move || {
                        let n = left.min(1_000);
                        left -= n;
                        Some(if n > 0 { Taken::Bytes(n) } else { Taken::Broken })
                    })
                    .take(cut / 1_000 + 2),
                ),
            );
            let closed = start(&wire, &owner).await.expect("no panic");
            assert!(matches!(closed, Closed::Io(_)), "{closed:?}");
            let taken = wire.taken().len() - 5;
            assert!(taken <= cut);
            let (mut done, mut end) = (0, 0);
            while done < written.len() && end + written[done].len() <= taken {
                end += written[done].len();
                done += 1;
            }
            assert!(owner.unsent() == queued[done..].concat(), "cut at {cut}");
            assert_eq!(owner.attempts(), u32::from(end < taken), "cut at {cut}");
        });
    }
}

#[test]
fn replies_are_encoded_between_messages() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        let _actor = start(&wire, &owner);
        until("it is up", || owner.is_attached()).await;
        let stuck = wire.clone().stuck();
        owner.send(b"first");
        settle(5).await;
        for _ in 0..3 {
            stuck.give(&encoded(b"?"));
        }
        settle(5).await;
        owner.send(b"second");
        stuck.release();
        let masked = |body: &[u8]| masked(&encoded(body));
        let expected =
            [b"hello".to_vec(), masked(b"first"), masked(b"!").repeat(3), masked(b"second")].concat();
        until("all is written", || wire.taken().len() == expected.len()).await;
        assert_eq!(wire.taken(), expected);
    });
}

#[test]
fn direct_write_needs_identity_encoder() {
    run(async {
        for (protocol, has_direct) in [(Counted::new(), true), (Counted::masking(), false)] {
            let (wire, owner) = (Wire::new(), Owner::default());
            let actor = crate::common::start(protocol, &wire, &owner);
            until("it is up", || owner.is_attached()).await;
            assert_eq!(owner.has_direct(), has_direct);
            wire.end();
            actor.await.expect("no panic");
        }
    });
}

/// Takes nothing.
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
