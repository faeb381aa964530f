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
            assert_eq!(message, bodies[..left]);
        }
        assert!(message.pop_back().is_none());
        message.push_back("again");
        assert_eq!(message, "again");
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

#[test]
fn iterators_run_from_both_ends() {
    let long = "x".repeat(100);
    for frames in [vec!["a", "", "bcd"], vec!["a", &long, "", &long]] {
        let message = Message::from(&frames);
        assert_eq!(message.iter().len(), frames.len());
        assert!(message.iter().rev().eq(frames.iter().rev().map(|frame| frame.as_bytes())));
        assert!(message.clone().into_iter().rev().eq(frames.iter().rev().map(|frame| Frame::from(*frame))));
        let mut iter = message.iter();
        assert_eq!((iter.next(), iter.next_back()), (message.first(), message.last()));
        assert_eq!(iter.len(), frames.len() - 2);
        assert!(iter.eq(frames[1..frames.len() - 1].iter().map(|frame| frame.as_bytes())));
        let mut parts = message.into_iter();
        assert_eq!(parts.next_back().unwrap(), frames[frames.len() - 1]);
        assert_eq!(parts.next().unwrap(), "a");
        assert_eq!(parts.len(), frames.len() - 2);
    }
}

#[test]
fn edited_messages_keep_other_frames() {
    let long = "x".repeat(100);
    for body in ["b", &long] {
        let message = Message::from(["a", body, "c", body]);
        for index in 0..=5 {
            let mut model = message.to_vec();
            let mut edited = message.clone();
            let removed = (index < 4).then(|| model.remove(index));
            assert_eq!(edited.remove(index).map(Vec::from), removed);
            assert_eq!(edited, model);

            let (mut edited, mut model) = (message.clone(), message.to_vec());
            let replaced = model.get_mut(index).map(|frame| std::mem::replace(frame, b"new".to_vec()));
            assert_eq!(edited.replace(index, "new").map(Vec::from), replaced);
            assert_eq!(edited, model);

            let (mut edited, mut model) = (message.clone(), message.to_vec());
            edited.truncate(index);
            model.truncate(index);
            assert_eq!(edited, model);

            let mut front = message.clone();
            assert_eq!(front.split_off(index), message.to_vec()[index.min(4)..]);
            assert_eq!(front, model);

            if index <= 4 {
                let (mut edited, mut model) = (message.clone(), message.to_vec());
                edited.insert(index, "new");
                model.insert(index, b"new".to_vec());
                assert_eq!(edited, model);
                assert_eq!(message.slice(index..), message.to_vec()[index..]);
                assert_eq!(message.slice(..index), message.to_vec()[..index]);
            }
        }
        assert_eq!(message.slice(1..=2), [body, "c"]);
        let mut cleared = message;
        cleared.clear();
        assert!(cleared.is_empty());
    }
}

#[test]
#[should_panic(expected = "frames 3..5 of a message of 4 frames")]
fn range_behind_last_frame_panics() {
    Message::from(["a", "b", "c", "d"]).slice(3..5);
}

#[test]
#[should_panic(expected = "frame inserted at 2 into a message of 1 frames")]
fn insertion_behind_end_panics() {
    Message::from("a").insert(2, "b");
}

#[test]
fn wrong_frame_count_returns_message() {
    let error = <[Frame; 2]>::try_from(Message::from(["a", "b", "c"])).unwrap_err();
    assert_eq!((error.expected(), error.found()), (2, 3));
    assert_eq!(error.to_string(), "a message of 3 frames, expected 2");
    let (a, b, c): (Frame, Frame, Frame) = error.into_message().try_into().unwrap();
    assert_eq!((&*a, &*b, &*c), (&b"a"[..], &b"b"[..], &b"c"[..]));
}

#[test]
fn shared_bytes_are_not_copied() {
    let body = vec![7; 300];
    let at = body.as_ptr();
    let message = Message::from(body);
    assert_eq!(message[0].as_ptr(), at);
    let frame = Frame::try_from(message).unwrap();
    assert_eq!(frame.as_ptr(), at);
    assert_eq!(Frame::from(&frame).as_ptr(), at);
    let message = Message::from(("topic", &frame));
    assert_eq!(message[1].as_ptr(), at);
    assert_eq!(message.slice(1..)[0].as_ptr(), at);
    drop((frame, message.clone()));
    let [_, body] = <[Bytes; 2]>::try_from(Vec::<Bytes>::from(message)).unwrap();
    assert_eq!(body.as_ptr(), at);
    let body = Vec::<u8>::from(Frame::from(body));
    assert_eq!(body.as_ptr(), at);
}

#[test]
fn text_errors_name_frame() {
    let message = Message::from([&b"text"[..], b"\xff"]);
    assert_eq!(message.str(0), Ok("text"));
    assert!(matches!(message.str(1), Err(TextError::NotUtf8 { index: 1, .. })));
    assert_eq!(message.str(2).unwrap_err().to_string(), "no frame 2: the message has 2");
    assert_eq!(message.to_string(), "text \u{fffd}");
}
