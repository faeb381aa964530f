//! The actor on an in-memory stream that behaves like a kernel: messages are delivered whole, in
//! order and once, or returned.

use std::time::Duration;

use crate::common::{
    LengthPrefixed, NotHello, TestHandler, Wire, WriteOutcome, check_replies, check_written, encoded, run,
    run_tasks, wait_until,
};
use monocoque_core::actor::{Closed, SocketActor};

/// Starts an actor that has completed its handshake.
fn start(wire: &Wire, handler: &TestHandler) -> compio::runtime::JoinHandle<Closed<NotHello>> {
    crate::common::start(LengthPrefixed::new(), wire, handler)
}

/// Returns small and large messages; some of the large ones are shared instead of copied.
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
            let wire = Wire::new().writes([
                WriteOutcome::Bytes(usize::MAX),
                WriteOutcome::Bytes(cut),
                WriteOutcome::Interrupted,
            ]);
            check_written(LengthPrefixed::new(), wire, &bodies(), &expected, cut).await;
        });
    }
}

#[test]
fn single_byte_writes_complete() {
    run(async {
        let bodies: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![7; 5000], b"two".to_vec()];
        let expected: Vec<u8> = bodies.iter().flat_map(|body| encoded(body)).collect();
        let wire = Wire::new().writes(std::iter::repeat_n(WriteOutcome::Bytes(1), 5 + expected.len()));
        let handler = TestHandler::default();
        bodies.iter().for_each(|body| handler.send(body));
        let _actor = start(&wire, &handler);
        wait_until("all messages are written", || wire.written().len() == 5 + expected.len()).await;
        assert!(wire.written()[5..] == expected);
    });
}

#[test]
fn slices_over_iov_max_are_split() {
    run(async {
        let bodies: Vec<_> = (0..1500_usize).map(|n| vec![n as u8; 4096]).collect();
        let expected: Vec<u8> = bodies.iter().flat_map(|body| encoded(body)).collect();
        let script = [
            WriteOutcome::Bytes(5),
            WriteOutcome::Bytes(1024 * 2050 - 1),
            WriteOutcome::Bytes(3),
            WriteOutcome::Interrupted,
        ];
        let wire = Wire::new().writes(script);
        let handler = TestHandler::default();
        bodies.iter().for_each(|body| handler.send(body));
        let _actor = start(&wire, &handler);
        wait_until("all messages are written", || wire.written().len() == 5 + expected.len()).await;
        assert!(wire.written()[5..] == expected);
        assert!((2..=1024).contains(&wire.slices()), "{} slices", wire.slices());
    });
}

#[test]
fn unfinished_messages_are_returned() {
    let expected: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
    let mut starts = vec![0];
    bodies().iter().for_each(|body| starts.push(starts[starts.len() - 1] + 4 + body.len()));
    for failure in [WriteOutcome::Broken, WriteOutcome::Nothing] {
        for cut in
            (1..expected.len()).filter(|cut| cut % 1021 == 0 || starts.iter().any(|at| at.abs_diff(*cut) < 3))
        {
            run(async {
                let wire = Wire::new().writes([WriteOutcome::Bytes(5), WriteOutcome::Bytes(cut), failure]);
                let handler = TestHandler::default();
                bodies().iter().for_each(|body| handler.send(body));
                let closed = start(&wire, &handler).await.expect("no panic");
                assert!(matches!(closed, Closed::Io(_)), "{closed:?}");
                assert_eq!(wire.written().len(), 5 + cut);
                let whole =
                    starts.iter().filter(|&&start| start <= cut).max().expect("a start at or before the cut");
                assert!(handler.unsent() == expected[*whole..], "cut at {cut}");
            });
        }
    }
}

#[test]
fn abort_ends_stuck_write() {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        let actor = start(&wire, &handler);
        wait_until("the connection is established", || handler.is_attached()).await;
        let stuck = wire.clone().stuck();
        bodies().iter().for_each(|body| handler.send(body));
        run_tasks(20).await;
        assert_eq!(stuck.written(), b"hello");
        handler.abort();
        let closed = actor.await.expect("no panic");
        assert!(matches!(closed, Closed::ByUs), "{closed:?}");
        let expected: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
        assert!(handler.unsent() == expected);
    });
}

#[test]
fn chunked_input_decodes_whole() {
    let all: Vec<u8> = bodies().iter().flat_map(|body| encoded(body)).collect();
    for max_read in [1, 2, 7, usize::MAX] {
        for wire in [Wire::new().max_read(max_read), Wire::new().max_read(max_read).interrupt_reads()] {
            run(async {
                let handler = TestHandler::default();
                let actor = start(&wire, &handler);
                wire.push_input(&all);
                wire.push_input(b"\0\0\0\x09not all");
                wire.end();
                let closed = actor.await.expect("no panic");
                assert!(matches!(closed, Closed::ByPeer), "{closed:?}");
                assert!(handler.received() == bodies(), "{max_read} at a time");
                assert_eq!(handler.unsent(), []);
            });
        }
    }
}

#[test]
fn large_body_decodes_without_more_input() {
    for (len, max_read) in [(300 << 10, 1461), (1 << 20, 65_536), (1 << 20, usize::MAX), (64 << 20, 1 << 20)]
    {
        run(async {
            let wire = Wire::new().max_read(max_read);
            let handler = TestHandler::default();
            let _actor = start(&wire, &handler);
            let body: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            wire.push_input(&encoded(&body));
            wait_until("the message is received", || handler.received().len() == 1).await;
            assert!(handler.received()[0] == body, "{len} bytes");
        });
    }
}

#[test]
fn false_length_allocates_no_memory() {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        let actor = start(&wire, &handler);
        wire.push_input(b"\xff\xff\xff\xffa");
        run_tasks(20).await;
        wire.end();
        assert!(matches!(actor.await.expect("no panic"), Closed::ByPeer));
    });
}

#[test]
fn full_inlet_pauses_reading() {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        handler.room(2);
        let _actor = start(&wire, &handler);
        wait_until("the connection is established", || handler.is_attached()).await;
        for n in 0..5_u8 {
            wire.push_input(&encoded(&[n]));
        }
        wait_until("two messages are received", || handler.received().len() == 2).await;
        wire.push_input(&encoded(&[5; 100_000]));
        let reads = wire.reads();
        run_tasks(50).await;
        assert_eq!((wire.reads(), handler.received().len()), (reads, 2));
        assert!(wire.not_read() > 100_000);
        handler.room(4);
        wait_until("all messages are received", || handler.received().len() == 6).await;
        let expected: Vec<_> = (0..5).map(|n| vec![n]).chain([vec![5; 100_000]]).collect();
        assert!(handler.received() == expected);
    });
}

#[test]
fn closed_inlet_discards_input() {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        handler.room(0);
        let actor = start(&wire, &handler);
        wait_until("the connection is established", || handler.is_attached()).await;
        wire.push_input(&encoded(&[1; 100_000]));
        handler.close_inlet();
        wait_until("the input is read", || wire.not_read() == 0).await;
        handler.send(b"farewell");
        handler.finish();
        wire.end();
        actor.await.expect("no panic");
        assert_eq!(wire.written(), [&b"hello"[..], &encoded(b"farewell")].concat());
        assert!(handler.received().is_empty());
    });
}

#[test]
fn replies_precede_queued_messages() {
    check_replies(LengthPrefixed::new(), encoded);
}

#[test]
fn idle_writer_replies_at_once() {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        handler.room(1);
        let _actor = start(&wire, &handler);
        wire.push_input(&encoded(b"?"));
        wait_until("a reply is written", || wire.written().ends_with(&encoded(b"!"))).await;
    });
}

#[test]
fn unwritten_reply_is_not_returned() {
    run(async {
        let wire = Wire::new().writes([WriteOutcome::Bytes(5), WriteOutcome::Bytes(2), WriteOutcome::Broken]);
        let handler = TestHandler::default();
        let actor = start(&wire, &handler);
        wire.push_input(&encoded(b"?"));
        assert!(matches!(actor.await.expect("no panic"), Closed::Io(_)));
        assert_eq!(handler.unsent(), []);
    });
}

#[test]
fn violation_closes_connection() {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        let actor = start(&wire, &handler);
        wire.push_input(&[encoded(b"fine"), encoded(b"forbidden"), encoded(b"too late")].concat());
        let closed = actor.await.expect("no panic");
        assert!(matches!(closed, Closed::Violation), "{closed:?}");
        assert_eq!(handler.received(), [b"fine"]);
    });
}

#[test]
fn failed_handshake_replies_then_closes() {
    run(async {
        let wire = Wire::new().max_read(1);
        wire.push_input(b"hullo");
        let handler = TestHandler::default();
        let closed = SocketActor::new(wire.clone(), LengthPrefixed::new()).run(handler.clone()).await;
        assert!(matches!(closed, Closed::Protocol(NotHello)), "{closed:?}");
        assert_eq!(wire.written(), b"hellowhat?");
        assert!(!handler.is_attached());
    });
}

#[test]
fn truncated_handshake_closes_connection() {
    for (bytes, is_probe) in [(&b""[..], true), (b"hell", false)] {
        run(async {
            let wire = Wire::new();
            wire.push_input(bytes);
            wire.end();
            let closed = SocketActor::new(wire, LengthPrefixed::new()).run(TestHandler::default()).await;
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
        // Each byte arrives in time, but all of them together do not.
        let drip = compio::runtime::spawn(async move {
            for byte in b"hell" {
                slow.push_input(&[*byte]);
                compio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let actor =
            SocketActor::new(wire, LengthPrefixed::new()).handshake_timeout(Some(Duration::from_millis(60)));
        let closed = actor.run(TestHandler::default()).await;
        assert!(matches!(closed, Closed::HandshakeTimeout), "{closed:?}");
        drip.await.expect("no panic");
    });
}

#[test]
fn handshake_deadline_covers_stuck_write() {
    run(async {
        let actor = SocketActor::new(Wire::new().stuck(), LengthPrefixed::new())
            .handshake_timeout(Some(Duration::from_millis(20)));
        let closed = actor.run(TestHandler::default()).await;
        assert!(matches!(closed, Closed::HandshakeTimeout), "{closed:?}");
    });
}
