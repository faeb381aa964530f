//! The first bytes of a stranger: whatever they are, they are taken or refused alike however they
//! arrive, and what is
//! answered is bounded.
//!
//! Input: the bytes.

#![no_main]

use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use monocoque_fuzz::{End, Inbound};
use monocoque_zmtp::{Properties, Revision, SessionConfig, SocketType, ZmtpError};

fuzz_target!(|bytes: &[u8]| {
    let at_once = hear(bytes, bytes.len().max(1));
    for chop in [1, 7] {
        assert_eq!(hear(bytes, chop), at_once, "{chop} at a time");
    }
});

/// All that can be seen of a session afterwards.
#[derive(Debug, PartialEq)]
struct Heard {
    error: Option<ZmtpError>,
    peer: Option<(SocketType, Bytes, Revision, Properties)>,
    received: Vec<Inbound>,
    answered: Vec<u8>,
}

fn hear(bytes: &[u8], chop: usize) -> Heard {
    let mut end = End::new(SessionConfig::new(SocketType::Dealer), Instant::now());
    for piece in bytes.chunks(chop) {
        end.feed(piece, usize::MAX);
        assert!(end.output.bytes() <= ANSWER_MAX, "{} bytes put out", end.output.bytes());
    }
    let peer = end.peer.clone().map(|peer| {
        assert!(SocketType::Dealer.is_compatible_with(peer.socket_type));
        assert!(peer.routing_id.len() <= 255 && !peer.routing_id.starts_with(&[0]));
        (peer.socket_type, peer.routing_id, peer.revision, peer.properties)
    });
    Heard { error: end.error().cloned(), peer, received: end.recv(), answered: end.written() }
}

/// A greeting, a READY or an ERROR, and one PONG.
const ANSWER_MAX: usize = 200;
