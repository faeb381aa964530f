//! Golden transcripts of CURVE: the bytes of libzmq 4.3.5 in either role, and ours with them.
//!
//! Each line of a transcript is what one side wrote: `<` libzmq, `>` we. Our random bytes are
//! fixed, so that those of libzmq, which are not, fit in every run.

use std::time::Instant;

use monocoque_core::Message;
use monocoque_zmtp::{Entropy, MechanismConfig, SocketType};
use testing::for_each_chunk_size;
use testing::session::{Inbound, TestPeer};

use crate::common::{config, curve_client, curve_server};

for_each_chunk_size! {
    fn libzmq_client_follows_transcript(chunk_len) {
        let transcript = include_str!("transcripts/libzmq_client.txt");
        replay(transcript, (SocketType::Router, curve_server(), 2), chunk_len);
    }

    fn libzmq_server_follows_transcript(chunk_len) {
        let transcript = include_str!("transcripts/libzmq_server.txt");
        replay(transcript, (SocketType::Dealer, curve_client(), 1), chunk_len);
    }
}

fn replay(transcript: &str, ours: (SocketType, MechanismConfig, u8), chunk_len: usize) {
    let (socket_type, mechanism, seed) = ours;
    let config = config(socket_type, mechanism);
    let mut end = TestPeer::with_entropy(config, [seed; Entropy::LEN], Instant::now());
    let mut has_sent = false;
    for line in transcript.lines() {
        let (side, bytes) = line.split_at(2);
        let bytes = from_hex(bytes);
        if side == "< " {
            end.feed(&bytes, chunk_len);
            continue;
        }
        let mut written = end.written();
        if written.is_empty() && end.is_ready() {
            end.send(Message::from(["from us", ""]));
            written = end.written();
            has_sent = true;
        }
        assert_eq!(written, bytes);
    }
    assert_eq!((end.error(), has_sent), (None, true));
    assert_eq!(end.recv(), [Inbound::Message(["from libzmq", ""].into())]);
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
