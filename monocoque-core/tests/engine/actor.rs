//! The actor on a wire that does what kernels do: messages are whole, in order and there once, or
//! given back.

use std::time::Duration;

use crate::common::{Counted, NotHello, Owner, Taken, Wire, encoded, run, settle, until};
use monocoque_core::actor::{Closed, SocketActor};

/// An actor that runs, past its handshake.
fn start(wire: &Wire, owner: &Owner) -> compio::runtime::JoinHandle<Closed<NotHello>> {
    crate::common::start(Counted::new(), wire, owner)
}

/// Small messages and large ones, some of which are passed on by reference.
fn bodies() -> Vec<Vec<u8>> {
    [3, 0, 5000, 1, 4096, 4095, 20, 9000].iter().zip(1..).map(|(&len, byte)| vec![byte; len]).collect()
}

#[test]
fn short_writes_resume_at_any_byte() {
    let expected: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
    let cuts =
        (0..expected.len()).filter(|cut| cut % 509 == 0 || cut % 4096 < 12 || expected.len() - cut < 40);
    for cut in cuts.filter(|&cut| cut > 0) {
        run(async {
            let wire = Wire::new().writes([Taken::Bytes(usize::MAX), Taken::Bytes(cut), Taken::Interrupted]);
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
fn single_byte_writes_complete() {
    run(async {
        let bodies: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![7; 5000], b"two".to_vec()];
        let expected: Vec<u8> = bodies.iter().flat_map(|body| encoded(body)).collect();
        let wire = Wire::new().writes(std::iter::repeat_n(Taken::Bytes(1), 5 + expected.len()));
        let owner = Owner::default();
        bodies.iter().for_each(|body| owner.send(body));
        let _actor = start(&wire, &owner);
        until("all is written", || wire.taken().len() == 5 + expected.len()).await;
        assert!(wire.taken()[5..] == expected);
    });
}

#[test]
fn slices_over_iov_max_are_split() {
    run(async {
        let bodies: Vec<_> = (0..1500_usize).map(|n| vec![n as u8; 4096]).collect();
        let expected: Vec<u8> = bodies.iter().flat_map(|body| encoded(body)).collect();
        let script = [Taken::Bytes(5), Taken::Bytes(1024 * 2050 - 1), Taken::Bytes(3), Taken::Interrupted];
        let wire = Wire::new().writes(script);
        let owner = Owner::default();
        bodies.iter().for_each(|body| owner.send(body));
        let _actor = start(&wire, &owner);
        until("all is written", || wire.taken().len() == 5 + expected.len()).await;
        assert!(wire.taken()[5..] == expected);
        assert!((2..=1024).contains(&wire.slices()), "{} slices", wire.slices());
    });
}

#[test]
fn unfinished_messages_are_returned() {
    let expected: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
    let mut starts = vec![0];
    bodies().iter().for_each(|body| starts.push(starts[starts.len() - 1] + 4 + body.len()));
    for failure in [Taken::Broken, Taken::Nothing] {
        for cut in
            (1..expected.len()).filter(|cut| cut % 1021 == 0 || starts.iter().any(|at| at.abs_diff(*cut) < 3))
        {
            run(async {
                let wire = Wire::new().writes([Taken::Bytes(5), Taken::Bytes(cut), failure]);
                let owner = Owner::default();
                bodies().iter().for_each(|body| owner.send(body));
                let closed = start(&wire, &owner).await.expect("no panic");
                assert!(matches!(closed, Closed::Io(_)), "{closed:?}");
                assert_eq!(wire.taken().len(), 5 + cut);
                let whole = starts.iter().filter(|&&start| start <= cut).max().expect("zero is one");
                assert!(owner.unsent() == expected[*whole..], "cut at {cut}");
            });
        }
    }
}

#[test]
fn abort_ends_stuck_write() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        let actor = start(&wire, &owner);
        until("it is up", || owner.is_attached()).await;
        let stuck = wire.clone().stuck();
        bodies().iter().for_each(|body| owner.send(body));
        settle(20).await;
        assert_eq!(stuck.taken(), b"hello");
        owner.abort();
        let closed = actor.await.expect("no panic");
        assert!(matches!(closed, Closed::ByUs), "{closed:?}");
        let expected: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
        assert!(owner.unsent() == expected);
    });
}

#[test]
fn chunked_input_decodes_whole() {
    let all: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
    for chop in [1, 2, 7, usize::MAX] {
        for wire in [Wire::new().chop(chop), Wire::new().chop(chop).interrupt_reads()] {
            run(async {
                let owner = Owner::default();
                let actor = start(&wire, &owner);
                wire.give(&all);
                wire.give(b"\0\0\0\x09not all");
                wire.end();
                let closed = actor.await.expect("no panic");
                assert!(matches!(closed, Closed::ByPeer), "{closed:?}");
                assert!(owner.received() == bodies(), "{chop} at a time");
                assert_eq!(owner.unsent(), []);
            });
        }
    }
}

#[test]
fn large_body_decodes_without_more_input() {
    for (len, chop) in [(300 << 10, 1461), (1 << 20, 65_536), (1 << 20, usize::MAX), (64 << 20, 1 << 20)] {
        run(async {
            let wire = Wire::new().chop(chop);
            let owner = Owner::default();
            let _actor = start(&wire, &owner);
            let body: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            wire.give(&encoded(&body));
            until("it is there", || owner.received().len() == 1).await;
            assert!(owner.received()[0] == body, "{len} bytes");
        });
    }
}

#[test]
fn false_length_allocates_no_memory() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        let actor = start(&wire, &owner);
        wire.give(b"\xff\xff\xff\xffa");
        settle(20).await;
        wire.end();
        assert!(matches!(actor.await.expect("no panic"), Closed::ByPeer));
    });
}

#[test]
fn full_inlet_pauses_reading() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        owner.room(2);
        let _actor = start(&wire, &owner);
        until("it is up", || owner.is_attached()).await;
        for n in 0..5_u8 {
            wire.give(&encoded(&[n]));
        }
        until("two are there", || owner.received().len() == 2).await;
        wire.give(&encoded(&[5; 100_000]));
        let reads = wire.reads();
        settle(50).await;
        assert_eq!((wire.reads(), owner.received().len()), (reads, 2));
        assert!(wire.not_read() > 100_000);
        owner.room(4);
        until("all are there", || owner.received().len() == 6).await;
        let expected: Vec<_> = (0..5).map(|n| vec![n]).chain([vec![5; 100_000]]).collect();
        assert!(owner.received() == expected);
    });
}

#[test]
fn closed_inlet_discards_input() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        owner.room(0);
        let actor = start(&wire, &owner);
        until("it is up", || owner.is_attached()).await;
        wire.give(&encoded(&[1; 100_000]));
        owner.leave();
        until("it is read all the same", || wire.not_read() == 0).await;
        owner.send(b"farewell");
        owner.finish();
        wire.end();
        actor.await.expect("no panic");
        assert_eq!(wire.taken(), [&b"hello"[..], &encoded(b"farewell")].concat());
        assert!(owner.received().is_empty());
    });
}

#[test]
fn replies_precede_queued_messages() {
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
        let expected =
            [b"hello".to_vec(), encoded(b"first"), encoded(b"!").repeat(3), encoded(b"second")].concat();
        until("all is written", || wire.taken().len() == expected.len()).await;
        assert_eq!(wire.taken(), expected);
    });
}

#[test]
fn idle_writer_replies_at_once() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        owner.room(1);
        let _actor = start(&wire, &owner);
        wire.give(&encoded(b"?"));
        until("it has replied", || wire.taken().ends_with(&encoded(b"!"))).await;
    });
}

#[test]
fn unwritten_reply_is_not_returned() {
    run(async {
        let wire = Wire::new().writes([Taken::Bytes(5), Taken::Bytes(2), Taken::Broken]);
        let owner = Owner::default();
        let actor = start(&wire, &owner);
        wire.give(&encoded(b"?"));
        assert!(matches!(actor.await.expect("no panic"), Closed::Io(_)));
        assert_eq!(owner.unsent(), []);
    });
}

#[test]
fn violation_closes_connection() {
    run(async {
        let wire = Wire::new();
        let owner = Owner::default();
        let actor = start(&wire, &owner);
        wire.give(&[encoded(b"fine"), encoded(b"forbidden"), encoded(b"too late")].concat());
        let closed = actor.await.expect("no panic");
        assert!(matches!(closed, Closed::Violation), "{closed:?}");
        assert_eq!(owner.received(), [b"fine"]);
    });
}

#[test]
fn failed_handshake_replies_then_closes() {
    run(async {
        let wire = Wire::new().chop(1);
        wire.give(b"hullo");
        let owner = Owner::default();
        let closed = SocketActor::new(wire.clone(), Counted::new()).run(owner.clone()).await;
        assert!(matches!(closed, Closed::Protocol(NotHello)), "{closed:?}");
        assert_eq!(wire.taken(), b"hellowhat?");
        assert!(!owner.is_attached());
    });
}

#[test]
fn truncated_handshake_closes_connection() {
    for (bytes, is_probe) in [(&b""[..], true), (b"hell", false)] {
        run(async {
            let wire = Wire::new();
            wire.give(bytes);
            wire.end();
            let closed = SocketActor::new(wire, Counted::new()).run(Owner::default()).await;
            match is_probe {
                true => assert!(matches!(closed, Closed::Probe), "{closed:?}"),
                false => assert!(matches!(closed, Closed::ByPeer), "{closed:?}"),
            }
        });
    }
}

#[test]
fn handshake_deadline_covers_slow_reads() {
    run(async {
        let wire = Wire::new();
        let slow = wire.clone();
        // Each byte comes in good time, and all of them too late.
        let drip = compio::runtime::spawn(async move {
            for byte in b"hell" {
                slow.give(&[*byte]);
                compio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let actor = SocketActor::new(wire, Counted::new()).handshake_timeout(Some(Duration::from_millis(60)));
        let closed = actor.run(Owner::default()).await;
        assert!(matches!(closed, Closed::HandshakeTimeout), "{closed:?}");
        drip.await.expect("no panic");
    });
}

#[test]
fn handshake_deadline_covers_stuck_write() {
    run(async {
        let actor = SocketActor::new(Wire::new().stuck(), Counted::new())
            .handshake_timeout(Some(Duration::from_millis(20)));
        let closed = actor.run(Owner::default()).await;
        assert!(matches!(closed, Closed::HandshakeTimeout), "{closed:?}");
    });
}
