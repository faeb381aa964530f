//! A reply of a ZAP handler: it is understood, or refused with a name, and nothing panics.
//!
//! Input: the frames of the reply.

#![no_main]

use libfuzzer_sys::fuzz_target;
use monocoque::Message;
use monocoque::fuzzing::parse_zap_reply;
use monocoque::security::{AuthFault, AuthReply};
use monocoque_fuzz::Script;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let mut frames: Vec<&[u8]> = Vec::new();
    while !script.is_over() {
        frames.push(match script.below(8) {
            0 | 1 => b"",
            2 => b"1.0",
            3 => b"1",
            4 => b"200",
            5 => b"400",
            _ => script.string(64),
        });
    }
    let reply: Message = frames.iter().copied().collect();
    match parse_zap_reply(&reply) {
        Ok(AuthReply::Allow(admission)) => {
            assert_eq!((frames.len(), frames[3]), (7, &b"200"[..]));
            assert_eq!(admission.user_id.as_bytes(), frames[5]);
        }
        Ok(AuthReply::Refuse(status)) => assert_eq!(status.code().to_string().as_bytes(), frames[3]),
        Ok(AuthReply::Fail(fault)) => panic!("{fault}"),
        Err(AuthFault::FrameCount(count)) => assert!(count == frames.len() && count != 7),
        Err(_) => assert_eq!(frames.len(), 7),
    }
});
