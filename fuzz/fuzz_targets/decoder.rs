//! Traffic is decoded alike, or fails with the same error, however its bytes are split; nothing
//! beyond the limits is accepted; decoded items can be encoded and decoded again.
//!
//! Input: socket type, limits, the number of chunk lengths, those lengths, then the bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use monocoque_core::Message;
use monocoque_fuzz::{Inbound, Script, TestPeer, counterpart, pieces};
use monocoque_zmtp::{
    Limits, Misbehaved, SessionConfig, SocketType, Subscription, ZmtpError, encode_message,
};

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let ours = *script.choose(&SocketType::ALL);
    let limits = *script.choose(&[Limits::default(), SMALL, SHORT, SINGLE]);
    let cuts = script.string(15);
    let stream = script.rest();

    let at_once = decode(ours, limits, std::iter::once(stream));
    assert_eq!(decode(ours, limits, pieces(stream, cuts)), at_once, "cut by {cuts:?}");
    assert_eq!(decode(ours, limits, stream.chunks(1)), at_once, "byte by byte");

    check_pending_frame(ours, limits, stream, at_once.waiting);
    assert!(at_once.answered.len() <= ANSWER_MAX, "{} bytes put out", at_once.answered.len());
    for item in &at_once.received {
        check_limits(item, limits);
    }
    check_resend(&at_once.received, cuts);
});

/// The observable state of a decoder.
#[derive(Debug, PartialEq)]
struct Decoded {
    received: Vec<Inbound>,
    error: Option<ZmtpError>,
    answered: Vec<u8>,
    /// The number of bytes left and of bytes needed; `None` after an error.
    waiting: Option<(usize, usize)>,
}

fn decode<'a>(ours: SocketType, limits: Limits, reads: impl Iterator<Item = &'a [u8]>) -> Decoded {
    let mut config = SessionConfig::new(ours);
    config.limits = limits;
    let mut end = TestPeer::established(config, counterpart(ours));
    for read in reads {
        end.feed(read, usize::MAX);
    }
    let error = end.error().cloned();
    let waiting = error.is_none().then(|| (end.input.len(), end.need()));
    Decoded { received: end.recv(), error, answered: end.written(), waiting }
}

/// Checks that a frame beyond a limit is rejected at its header: once the decoder waits for a body,
/// it accepts it.
fn check_pending_frame(ours: SocketType, limits: Limits, stream: &[u8], waiting: Option<(usize, usize)>) {
    let Some((waits, wanted)) = waiting else { return };
    let frame = &stream[stream.len() - waits..];
    let header_len = if frame.first().is_none_or(|flags| flags & LONG == 0) { 2 } else { 9 };
    if waits < header_len || wanted > BODY_MAX {
        return;
    }
    let body = vec![0; wanted - waits];
    let error = decode(ours, limits, [stream, &*body].into_iter()).error;
    let refused = match error {
        Some(ZmtpError::Misbehaved(misbehaved)) => matches!(
            misbehaved,
            Misbehaved::FrameTooLarge { .. }
                | Misbehaved::MessageTooLarge { .. }
                | Misbehaved::TooManyFrames { .. }
        ),
        _ => false,
    };
    assert!(!refused, "{error:?}, after the decoder waited for the body");
}

fn check_limits(item: &Inbound, limits: Limits) {
    let fits = |len: usize, limit: u64| assert!(len as u64 <= limit, "{len} bytes, {limit} are allowed");
    match item {
        Inbound::Message(message) => {
            assert!(!message.is_empty() && message.len() <= limits.max_frames);
            fits(message.byte_len(), limits.max_message_size);
            message.iter().for_each(|frame| fits(frame.len(), limits.max_frame_size));
        }
        Inbound::Subscribe(topic) | Inbound::Cancel(topic) => {
            assert_eq!(topic.len(), 1);
            fits(topic.byte_len(), TOPICS_MAX);
        }
    }
}

/// Checks that received items arrive again when they are encoded and sent on.
fn check_resend(items: &[Inbound], cuts: &[u8]) {
    let mut messages = TestPeer::established(SessionConfig::new(SocketType::Dealer), SocketType::Dealer);
    let mut topics = TestPeer::established(SessionConfig::new(SocketType::Pub), SocketType::Sub);
    for item in items {
        match item {
            Inbound::Message(message) => {
                encode_message(message, &mut messages.output);
                check_arrival(&mut messages, item, cuts);
            }
            Inbound::Subscribe(topic) => subscribe(&mut topics, Subscription::Subscribe, topic, item, cuts),
            Inbound::Cancel(topic) => subscribe(&mut topics, Subscription::Cancel, topic, item, cuts),
        }
    }
}

fn subscribe(end: &mut TestPeer, kind: Subscription, topic: &Message, item: &Inbound, cuts: &[u8]) {
    for minor in [0, 1] {
        let config = SessionConfig::new(SocketType::Sub);
        let mut subscriber = TestPeer::established_over(minor, config, SocketType::Pub);
        subscriber.subscribe(kind, &topic[0]);
        end.output.put(&subscriber.written());
        end.output.end_message();
        check_arrival(end, item, cuts);
    }
}

/// Feeds the output of a peer back to it, and checks that `item` arrives.
fn check_arrival(end: &mut TestPeer, item: &Inbound, cuts: &[u8]) {
    assert_eq!(end.output.messages(), 1);
    let encoded = end.written();
    pieces(&encoded, cuts).for_each(|piece| end.feed(piece, usize::MAX));
    assert_eq!(end.error(), None);
    assert_eq!(end.recv(), std::slice::from_ref(item));
}

const SMALL: Limits = Limits { max_frame_size: 16, max_message_size: 24, max_frames: 3 };
/// The message limit is the stricter one.
const SHORT: Limits = Limits { max_frame_size: 600, max_message_size: 300, max_frames: 8 };
const SINGLE: Limits = Limits { max_frame_size: 1, max_message_size: 1, max_frames: 1 };
const LONG: u8 = 2;
/// Subscriptions have a limit of their own.
const TOPICS_MAX: u64 = 64 * 1024 * 1024;
/// The largest body to test; larger ones take too long.
const BODY_MAX: usize = 4096;
/// The length of one PONG.
const ANSWER_MAX: usize = 2 + 5 + 16;
