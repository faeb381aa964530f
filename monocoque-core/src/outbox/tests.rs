//! The outbox, by itself.

use super::*;

fn message(outbox: &mut Outbox, id: u8, len: usize) -> Vec<u8> {
    let body = Bytes::from(vec![id; len]);
    outbox.put(&[id, 0xff]);
    outbox.put_shared(&body);
    outbox.end_message();
    [&[id, 0xff], &*body].concat()
}

fn written(outbox: &Outbox) -> Vec<u8> {
    outbox.slices().collect::<Vec<_>>().concat()
}

#[test]
fn partial_consume_rewinds_to_message_start() {
    let lens = [3, CHAIN_MIN, 0, CHAIN_MIN + 1, CHAIN_MIN, 7];
    let mut probe = Outbox::new();
    let bodies: Vec<_> = lens.iter().zip(1..).map(|(&len, id)| message(&mut probe, id, len)).collect();
    let whole = bodies.concat();
    let mut starts = vec![0];
    bodies.iter().for_each(|body| starts.push(starts[starts.len() - 1] + body.len()));

    for cut in (0..whole.len()).filter(|cut| cut % 97 < 3 || whole.len() - cut < 20) {
        let mut outbox = Outbox::new();
        lens.iter().zip(1..).for_each(|(&len, id)| drop(message(&mut outbox, id, len)));
        outbox.consume(cut / 2);
        outbox.consume(cut - cut / 2);
        assert_eq!(written(&outbox), whole[cut..], "cut at {cut}");
        assert!(whole[cut..].starts_with(outbox.chunk()) && !outbox.chunk().is_empty());
        let done = starts.iter().filter(|&&start| start <= cut).count() - 1;
        assert_eq!(outbox.messages(), lens.len() - done);
        outbox.rewind();
        assert_eq!(written(&outbox), whole[starts[done]..]);
        assert_eq!(outbox.bytes(), whole.len() - starts[done]);
    }
}

#[test]
fn attempts_count_for_begun_message() {
    let mut outbox = Outbox::new();
    let first = message(&mut outbox, 1, 10).len();
    message(&mut outbox, 2, 20);
    message(&mut outbox, 3, 30);
    outbox.rewind();
    assert_eq!(outbox.first_attempts(), 0, "nothing was begun");
    outbox.consume(first + 1);
    outbox.rewind();
    outbox.consume(1);
    outbox.rewind();
    assert_eq!(outbox.first_attempts(), 2);
    let mut next = Outbox::new();
    message(&mut next, 9, 5);
    next.append(&outbox);
    assert_eq!(next.attempts().collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(next.first_attempts(), 0);
    assert_eq!(next.drop_first(), 7);
    assert_eq!(next.first_attempts(), 2);
    assert_eq!((next.drop_first(), next.first_attempts(), next.messages()), (22, 0, 1));
    next.set_last_attempts(3);
    assert_eq!(next.first_attempts(), 3);
    next.consume(next.bytes());
    assert_eq!((next.first_attempts(), next.attempts().count()), (0, 0));
}

#[test]
fn put_copies_small_shares_large() {
    let mut outbox = Outbox::new();
    for id in 0..100 {
        message(&mut outbox, id, 64);
    }
    assert!(outbox.is_contiguous());
    assert_eq!(outbox.slices().count(), 1);
    let body = Bytes::from(vec![1; CHAIN_MIN]);
    outbox.put_shared(&body);
    outbox.end_message();
    assert!(outbox.slices().any(|slice| slice.as_ptr() == body.as_ptr()));
}

#[test]
fn append_keeps_bytes_and_counts() {
    let mut one = Outbox::new();
    let expected =
        [message(&mut one, 1, 9), message(&mut one, 2, CHAIN_MIN), message(&mut one, 3, 1)].concat();
    let mut target = Outbox::new();
    let before = message(&mut target, 9, 30);
    target.append(&one);
    target.append(&one);
    assert_eq!(written(&target), [&*before, &*expected, &*expected].concat());
    assert_eq!(target.messages(), 7);
    target.consume(before.len() + 11);
    assert_eq!(target.messages(), 5);
}

#[test]
fn block_prefix_is_put_exactly() {
    let block: [u8; 72] = std::array::from_fn(|n| n as u8);
    let (mut started, mut put) = (Outbox::new(), Outbox::new());
    for len in 0..=block.len() {
        started.put_prefix(&block, len);
        put.put(&block[..len]);
        if len % 3 == 0 {
            started.end_message();
            put.end_message();
        }
    }
    assert_eq!(written(&started), written(&put));
    assert_eq!((started.bytes(), started.messages()), (put.bytes(), put.messages()));
    assert!(started.is_contiguous());
}

#[test]
#[should_panic(expected = "9 bytes of a block of 8")]
fn prefix_beyond_block_panics() {
    Outbox::new().put_prefix(&[0; 8], 9);
}

#[test]
fn run_keeps_message_boundaries() {
    let ends = [3, 4, 10, CHAIN_MIN, CHAIN_MIN + 1];
    let run: Vec<_> = (0..=CHAIN_MIN).map(|n| (n % 251) as u8).collect();
    let run = Bytes::from(run);
    for shared in [true, false] {
        let fill = || {
            let mut outbox = Outbox::new();
            message(&mut outbox, 1, 5);
            match shared {
                true => outbox.put_shared_messages(run.clone(), ends.into_iter()),
                false => outbox.put_copied_messages(&run, ends.into_iter()),
            }
            message(&mut outbox, 2, 5);
            outbox
        };
        let outbox = fill();
        let whole = [&[1, 0xff, 1, 1, 1, 1, 1], &*run, &[2, 0xff, 2, 2, 2, 2, 2]].concat();
        assert_eq!((written(&outbox), outbox.bytes(), outbox.messages()), (whole.clone(), whole.len(), 7));
        assert_eq!(outbox.slices().any(|slice| slice.as_ptr() == run.as_ptr()), shared);
        assert_eq!(outbox.is_contiguous(), !shared);
        let starts = [0, 7].into_iter().chain(ends.iter().map(|end| 7 + end)).chain([whole.len()]);
        let starts: Vec<_> = starts.collect();
        for cut in 0..whole.len() {
            let mut outbox = fill();
            outbox.consume(cut);
            let done = starts.iter().rposition(|start| *start <= cut).expect("the first starts at 0");
            assert_eq!(outbox.messages(), 7 - done, "cut at {cut}");
            outbox.rewind();
            assert_eq!(written(&outbox), whole[starts[done]..], "cut at {cut}");
        }
        let mut target = fill();
        target.append(&fill());
        assert_eq!((written(&target), target.messages()), ([&*whole, &*whole].concat(), 14));
    }
}

#[test]
fn into_segments_shares_remaining_bytes() {
    let mut outbox = Outbox::new();
    let run = Bytes::from(vec![3; CHAIN_MIN]);
    message(&mut outbox, 1, 5);
    outbox.put_shared_messages(run.clone(), [CHAIN_MIN].into_iter());
    message(&mut outbox, 2, CHAIN_MIN);
    message(&mut outbox, 3, 5);
    let all = written(&outbox);
    for cut in [0, 1, 7, 8, 7 + CHAIN_MIN, 10 + CHAIN_MIN, all.len()] {
        let mut rest = Outbox::new();
        rest.append(&outbox);
        rest.consume(cut);
        let mut segments = rest.into_segments();
        assert_eq!(segments.len(), all.len() - cut);
        assert_eq!(segments.take(all.len() - cut).unwrap_or_default(), all[cut..]);
    }
    let mut segments = outbox.into_segments();
    segments.advance(7);
    assert_eq!(segments.chunk().as_ptr(), run.as_ptr());
}

#[test]
fn single_slice_is_recognized() {
    let run = || Bytes::from_static(b"one run");
    let mut outbox = Outbox::new();
    assert!(outbox.is_one_slice(), "none needs no more than one");
    outbox.put_shared_messages(run(), [7].into_iter());
    assert!(outbox.is_one_slice() && !outbox.is_contiguous());
    outbox.consume(3);
    assert!(outbox.is_one_slice());
    outbox.put_copied_messages(b"and another", [11].into_iter());
    assert!(!outbox.is_one_slice());
    outbox.consume(4);
    assert!(outbox.is_one_slice() && outbox.is_contiguous());
    outbox.put_shared_messages(run(), [7].into_iter());
    assert!(!outbox.is_one_slice());
    outbox.consume(11);
    assert!(outbox.is_one_slice() && !outbox.is_contiguous());
    outbox.put_shared_messages(run(), [7].into_iter());
    assert!(!outbox.is_one_slice(), "two that are shared");
}

#[test]
fn shrink_releases_empty_outbox_memory() {
    let mut outbox = Outbox::new();
    for _ in 0..1000 {
        message(&mut outbox, 1, 1000);
    }
    outbox.shrink();
    assert!(!outbox.is_empty());
    outbox.consume(outbox.bytes());
    outbox.shrink();
    assert_eq!(outbox.small.capacity(), 0);
}
