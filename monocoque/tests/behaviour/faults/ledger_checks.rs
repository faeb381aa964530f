//! Tests of the ledger itself: it detects every kind of fault.

use testing::ledger::{Account, Class, Ledger, NumberSet, OrderedRuns, Reader, Stream};

fn sent(stream: &Stream, n: usize) -> Vec<Vec<Vec<u8>>> {
    let next = |_| {
        let frames = stream.next(b'x', 0);
        stream.count();
        frames
    };
    (0..n).map(next).collect()
}

fn take(reader: &mut Reader, frames: &[Vec<u8>]) -> bool {
    reader.take(frames.iter().map(Vec::as_slice)).is_some()
}

#[test]
fn ledger_detects_altered_message() {
    let ledger = Ledger::new(1);
    let stream = ledger.stream(0, "sender", Class::Work, true);
    let mut reader = ledger.reader(1, "receiver", Class::Work);
    for (n, frames) in sent(&stream, 50).into_iter().enumerate() {
        let mut wrong = frames.clone();
        match n % 4 {
            0 => drop(wrong.pop()),
            1 => wrong.push(Vec::new()),
            2 => wrong[0][13] ^= 1,
            _ => wrong.swap(0, 1),
        }
        assert!(!take(&mut reader, &wrong));
        assert!(take(&mut reader, &frames));
        assert!(!take(&mut reader, &frames), "twice");
        if let Some(byte) = wrong.last_mut().and_then(|last| last.last_mut()) {
            *byte ^= 1;
            assert!(!take(&mut reader, &wrong));
        }
    }
    assert!(ledger.errors().len() >= 50);
}

#[test]
fn last_calm_forbids_loss() {
    let lost_in = |lost: u8, calms: u8| -> Vec<String> {
        let ledger = Ledger::new(3);
        let stream = ledger.stream(0, "sender", Class::Work, true);
        let mut reader = ledger.reader(1, "receiver", Class::Work);
        for phase in 0..=2 * calms {
            let frames = stream.next(b'x', phase);
            stream.count();
            assert!(phase == lost || take(&mut reader, &frames));
        }
        stream.note_losses(1);
        drop(reader);
        ledger.account(Class::Work, 0, 1, u64::MAX);
        ledger.errors()
    };
    assert!((0..2).all(|phase| lost_in(phase, 1).is_empty()));
    assert_eq!(1, lost_in(2, 1).len());
    assert!(
        (0..4).all(|phase| lost_in(phase, 2).is_empty()),
        "a connection was lost, and another calm followed"
    );
    assert_eq!(1, lost_in(4, 2).len());
}

#[test]
fn ledger_attributes_each_loss() {
    let ledger = Ledger::new(2);
    let judge = |killed: bool| -> (Account, usize) {
        let ledger = Ledger::new(2);
        let stream = ledger.stream(0, "sender", Class::Work, true);
        let mut reader = ledger.reader(1, "receiver", Class::Work);
        let before = sent(&stream, 10);
        stream.note_losses(1);
        let after = sent(&stream, 10);
        if killed {
            stream.mark_killed();
        }
        for frames in before[..7].iter().chain(&after[..5]) {
            assert!(take(&mut reader, frames));
        }
        drop(reader);
        let account = ledger.account(Class::Work, 0, 1, u64::MAX);
        (account, ledger.errors().len())
    };
    let (account, wrongs) = judge(false);
    assert_eq!((account.sent, account.received, account.lost_with_a_connection, wrongs), (20, 12, 3, 5));
    let (account, wrongs) = judge(true);
    assert_eq!((account.lost_with_a_connection, account.lost_with_the_sender, wrongs), (3, 5, 0));
    assert!(ledger.errors().is_empty());
}

#[test]
fn sequence_splits_into_fewest_runs() {
    let runs = |numbers: &[u64]| {
        let mut piles = OrderedRuns::default();
        numbers.iter().for_each(|number| piles.put(*number));
        piles.0.len()
    };
    assert_eq!(runs(&[1, 2, 3, 9]), 1);
    assert_eq!(runs(&[1, 2, 7, 3, 4, 8]), 2);
    assert_eq!(runs(&[10, 20, 11, 21, 12, 22]), 2);
    assert_eq!(runs(&[3, 2, 1]), 3);
}

#[test]
fn bit_set_counts_distinct_numbers() {
    let mut bits = NumberSet::default();
    assert!(bits.set(3) && bits.set(200) && !bits.set(3));
    assert!(bits.has(200) && !bits.has(199) && !bits.has(10_000));
    assert_eq!(bits.count, 2);
}
