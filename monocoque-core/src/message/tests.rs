//! Messages, by themselves.

use super::*;

#[test]
fn frame_and_message_sizes_are_fixed() {
    assert_eq!(size_of::<Frame>(), 40);
    assert_eq!(size_of::<Message>(), 80);
}

#[test]
fn conversions_keep_bytes() {
    let long = [7u8; 300];
    assert_eq!(&Message::from("a")[0], b"a");
    assert_eq!(&Message::from(b"a")[0], b"a");
    assert_eq!(&Message::from(long.as_slice())[0], long);
    assert_eq!(&Message::from(long.to_vec())[0], long);
    assert_eq!(&Message::from(Bytes::copy_from_slice(&long))[0], long);
    assert_eq!(&Message::from(String::from("s"))[0], b"s");
    assert_eq!(Message::from(vec!["a", "b"]), Message::from(["a", "b"]));
    assert_eq!(Message::from(vec![vec![1u8], vec![2]]).len(), 2);
}

#[test]
fn inline_frames_spill_to_heap_unchanged() {
    let mut message = Message::new();
    let mut expected = Vec::new();
    for len in [0, 1, 37, 38, 39, 0, 255, 256, 3] {
        let body = vec![len as u8; len];
        message.push_back(body.as_slice());
        expected.push(body);
        assert!(message.iter().eq(expected.iter().map(Vec::as_slice)));
        assert_eq!(message.byte_len(), expected.iter().map(Vec::len).sum::<usize>());
    }
    for body in &expected {
        assert_eq!(*message.pop_front().expect("a frame"), **body);
    }
    assert!(message.pop_front().is_none());
}

#[test]
fn pop_back_keeps_front_frames() {
    for bodies in [
        &["", "a", "bc", "", "def"][..],
        &["x", "", "more than fits beside what is there, or so it seems here"],
    ] {
        let mut message: Message = bodies.iter().copied().collect();
        for left in (0..bodies.len()).rev() {
            assert_eq!(&*message.pop_back().expect("a frame"), bodies[left].as_bytes());
            assert_eq!(message, bodies[..left].iter().copied().collect());
        }
        assert!(message.pop_back().is_none());
        message.push_back("again");
        assert_eq!(message, "again".into());
    }
}

#[test]
fn split_then_append_restores_frames() {
    for len in [1, 30, 100] {
        let frames: Vec<_> = (0..6).map(|n| vec![n; len]).collect();
        for n in 0..=7 {
            let mut rest = Message::from(frames.clone());
            let mut front = rest.split_front(n);
            assert_eq!(front.len(), n.min(6));
            front.append(&rest);
            assert!(front.into_iter().map(Frame::into_bytes).eq(frames.iter().cloned()));
        }
    }
}

#[test]
fn push_front_pop_front_round_trip() {
    for len in [0, 10, 64, 65, 66, 71, 72, 200] {
        let body = vec![9; len];
        let mut message = Message::from(body.as_slice());
        message.push_front("");
        message.push_front(b"\0\x01\x02\x03\x04");
        assert_eq!(message.len(), 3);
        assert_eq!(&message[2], body);
        assert_eq!(&*message.pop_front().expect("the identity"), b"\0\x01\x02\x03\x04");
        assert_eq!(&*message.pop_front().expect("the delimiter"), b"");
        assert_eq!(message, Message::from(body));
    }
}

#[test]
fn small_message_stays_inline() {
    let mut message = Message::from([7; 64].as_slice());
    message.push_front("");
    message.push_front(b"\0\x01\x02\x03\x04");
    assert!(matches!(message.0, Repr::Inline(_)));
}

#[test]
fn pushed_prefix_is_ordinary_frame() {
    let bytes: Vec<_> = (1..=200).collect();
    for given in [0, 1, 71, 72, 73, 80, 200] {
        for len in 0..=given {
            let mut message = Message::new();
            message.push_prefix(&bytes[..given], len);
            assert_eq!(message, Message::from(&bytes[..len]), "{len} of {given}");
            assert_eq!(matches!(message.0, Repr::Inline(_)), len <= Message::INLINE_BLOCK);
            message.push_prefix(&bytes[..given], len);
            message.push_copy(b"behind");
            assert_eq!(message, Message::from([&bytes[..len], &bytes[..len], b"behind"]));
            let mut front = message;
            front.push_front("");
            assert_eq!(front.into_iter().map(Frame::into_bytes).last().expect("four"), "behind");
        }
    }
}

#[test]
#[should_panic(expected = "out of range")]
fn prefix_longer_than_slice_panics() {
    Message::new().push_prefix(b"short", 6);
}

#[test]
fn inline_block_needs_single_frame() {
    let bytes: Vec<_> = (1..=80).collect();
    for len in 0..=bytes.len() {
        let body = &bytes[..len];
        let mut started = Message::new();
        started.push_prefix(&bytes, len);
        for message in [Message::from(body), started] {
            match message.inline_block() {
                Some((found, block)) => assert_eq!((found, &block[..len]), (len, body)),
                None => assert!(len > Message::INLINE_BLOCK),
            }
        }
    }
    assert!(Message::new().inline_block().is_none());
    assert!(Message::from(["a", "b"]).inline_block().is_none());
    assert!(Message::from(Bytes::from_static(b"shared")).inline_block().is_none());
    let mut rest = Message::from(["gone", "kept"]);
    rest.pop_front();
    let (len, block) = rest.inline_block().expect("one frame is left");
    assert_eq!(&block[..len], b"kept");
}

#[test]
fn debug_output_is_bounded() {
    let shown = format!("{:?}", Message::from(vec![b'x'; 1 << 20]));
    assert!(shown.len() < 80 && shown.contains("1048576"), "{shown}");
}
