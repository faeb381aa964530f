//! The first bytes of a connection are accepted or rejected alike however they are split, and the
//! answer is bounded.
//!
//! Input: the bytes.

#![no_main]

use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use monocoque_fuzz::{Inbound, TestPeer};
use monocoque_zmtp::{Properties, Revision, SessionConfig, SocketType, ZmtpError};

fuzz_target!(|bytes: &[u8]| {
    let at_once = run_handshake(bytes, bytes.len().max(1));
    for chunk_len in [1, 7] {
        assert_eq!(run_handshake(bytes, chunk_len), at_once, "{chunk_len} at a time");
    }
});

/// The observable state of a session.
#[derive(Debug, PartialEq)]
struct Outcome {
    error: Option<ZmtpError>,
    peer: Option<(SocketType, Bytes, Revision, Properties)>,
    received: Vec<Inbound>,
    answered: Vec<u8>,
}

fn run_handshake(bytes: &[u8], chunk_len: usize) -> Outcome {
    let mut end = TestPeer::new(SessionConfig::new(SocketType::Dealer), Instant::now());
    for piece in bytes.chunks(chunk_len) {
        end.feed(piece, usize::MAX);
        assert!(end.output.bytes() <= ANSWER_MAX, "{} bytes put out", end.output.bytes());
    }
    let peer = end.peer.clone().map(|peer| {
        assert!(SocketType::Dealer.is_compatible_with(peer.socket_type));
        assert!(peer.routing_id.len() <= 255 && !peer.routing_id.starts_with(&[0]));
        (peer.socket_type, peer.routing_id, peer.revision, peer.properties)
    });
    Outcome { error: end.error().cloned(), peer, received: end.recv(), answered: end.written() }
}

/// A greeting, a READY or an ERROR, and one PONG.
const ANSWER_MAX: usize = 200;
