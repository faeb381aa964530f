//! Traffic: however the bytes are cut, the same comes out of them, or the same error; nothing
//! beyond the limits comes
//! out; and what has come out can be sent on and arrives as it is.
//!
//! Input: socket type, limits, how many lengths, the lengths of the pieces, then the bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use monocoque_core::Message;
use monocoque_fuzz::{End, Inbound, Script, counterpart, pieces};
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

    check_wanted(ours, limits, stream, at_once.waiting);
    assert!(at_once.answered.len() <= ANSWER_MAX, "{} bytes put out", at_once.answered.len());
    for item in &at_once.received {
        check_limits(item, limits);
    }
    send_on(&at_once.received, cuts);
});

/// All that can be seen of a decoder afterwards.
#[derive(Debug, PartialEq)]
struct Decoded {
    received: Vec<Inbound>,
    error: Option<ZmtpError>,
    answered: Vec<u8>,
    /// How many bytes were left, and how many are wanted; after an error that does not matter.
    waiting: Option<(usize, usize)>,
}

fn decode<'a>(ours: SocketType, limits: Limits, reads: impl Iterator<Item = &'a [u8]>) -> Decoded {
    let mut config = SessionConfig::new(ours);
    config.limits = limits;
    let mut end = End::established(config, counterpart(ours));
    for read in reads {
        end.feed(read, usize::MAX);
    }
    let error = end.error().cloned();
    let waiting = error.is_none().then(|| (end.input.len(), end.need()));
    Decoded { received: end.recv(), error, answered: end.written(), waiting }
}

/// What is beyond a limit is refused at its header: a body that is waited for is taken once it is
/// there.
fn check_wanted(ours: SocketType, limits: Limits, stream: &[u8], waiting: Option<(usize, usize)>) {
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
    assert!(!refused, "{error:?}, after it was waited for");
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

/// Encodes what was received, and checks that it is received again.
fn send_on(items: &[Inbound], cuts: &[u8]) {
    let mut messages = End::established(SessionConfig::new(SocketType::Dealer), SocketType::Dealer);
    let mut topics = End::established(SessionConfig::new(SocketType::Pub), SocketType::Sub);
    for item in items {
        match item {
            Inbound::Message(message) => {
                encode_message(message, &mut messages.output);
                arrives(&mut messages, item, cuts);
            }
            Inbound::Subscribe(topic) => subscribe(&mut topics, Subscription::Subscribe, topic, item, cuts),
            Inbound::Cancel(topic) => subscribe(&mut topics, Subscription::Cancel, topic, item, cuts),
        }
    }
}

fn subscribe(end: &mut End, kind: Subscription, topic: &Message, item: &Inbound, cuts: &[u8]) {
    for minor in [0, 1] {
        let config = SessionConfig::new(SocketType::Sub);
        let mut subscriber = End::established_over(minor, config, SocketType::Pub);
        subscriber.subscribe(kind, &topic[0]);
        end.output.put(&subscriber.written());
        end.output.end_message();
        arrives(end, item, cuts);
    }
}

/// Gives `end` what was encoded, and checks that it is this.
fn arrives(end: &mut End, item: &Inbound, cuts: &[u8]) {
    assert_eq!(end.output.messages(), 1);
    let encoded = end.written();
    pieces(&encoded, cuts).for_each(|piece| end.feed(piece, usize::MAX));
    assert_eq!(end.error(), None);
    assert_eq!(end.recv(), std::slice::from_ref(item));
}

const SMALL: Limits = Limits { max_frame_size: 16, max_message_size: 24, max_frames: 3 };
/// The limit on messages is the stricter one.
const SHORT: Limits = Limits { max_frame_size: 600, max_message_size: 300, max_frames: 8 };
const SINGLE: Limits = Limits { max_frame_size: 1, max_message_size: 1, max_frames: 1 };
const LONG: u8 = 2;
/// No limit on messages is one on subscriptions.
const TOPICS_MAX: u64 = 64 * 1024 * 1024;
/// How large a body is that is worth the time.
const BODY_MAX: usize = 4096;
/// One PONG.
const ANSWER_MAX: usize = 2 + 5 + 16;
