//! Messages, frames, routing ids and endpoints as values: the lines that one types by habit.
#![allow(
    clippy::nonminimal_bool,
    clippy::cmp_owned,
    clippy::comparison_to_empty,
    clippy::op_ref,
    clippy::redundant_clone,
    reason = "what one types by habit"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use monocoque::{Endpoint, Frame, FrameCountError, Host, Message, RoutingId, RoutingIdError, TextError};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

#[test]
fn messages_compare_with_literals() {
    let one = Message::from("x");
    assert!(one == "x" && "x" == one && one == *"x" && one == b"x" && one == *b"x");
    assert!(one == String::from("x") && one == Bytes::from("x") && one == vec![b'x'] && one == b"x"[..]);
    assert!(one == Frame::from("x") && one == Cow::Borrowed("x") && one != "y" && one != "");
    assert!(one == ["x"] && one == [b"x"] && one == vec!["x"] && one == ["x"][..] && one == &["x"][..]);
    let two = Message::from(["a", "b"]);
    assert!(two == ["a", "b"] && two == &["a", "b"] && two == vec!["a", "b"] && two == ["a", "b"][..]);
    assert!(two == [Frame::from("a"), Frame::from("b")] && two == [b"a".to_vec(), b"b".to_vec()]);
    assert!(two == [String::from("a"), String::from("b")] && two == [Bytes::from("a"), Bytes::from("b")]);
    assert!(two != "a" && two != "ab" && two != ["a"] && two != ["a", "b", ""] && two != [""; 0]);
    assert_eq!(two, two.clone());
    assert_eq!(Message::new(), [""; 0]);
}

#[test]
fn frames_compare_with_literals() {
    let frame = Frame::from("x");
    assert!(frame == "x" && "x" == frame && frame == *b"x" && frame == b"x" && frame == b"x"[..]);
    assert!(frame == Bytes::from("x") && Bytes::from("x") == frame && frame == vec![b'x']);
    assert!(frame == String::from("x") && frame == Cow::Borrowed("x") && frame == *"x" && frame != "");
    let id = RoutingId::try_from("x").unwrap();
    assert!(id == "x" && "x" == id && id == b"x" && id == *b"x" && id == frame && frame == id);
    assert!(frame < Frame::from("y") && id < "y".parse::<RoutingId>().unwrap());
}

#[test]
fn messages_are_made_of_anything() {
    let (text, bytes) = (String::from("x"), vec![b'x']);
    let id: RoutingId = "x".parse().unwrap();
    for message in [
        Message::from("x"),
        Message::from(&text),
        Message::from(text.clone()),
        Message::from(&bytes),
        Message::from(bytes.clone()),
        Message::from(b"x"),
        Message::from(*b"x"),
        Message::from(&b"x"[..]),
        Message::from(Box::<[u8]>::from(*b"x")),
        Message::from(Arc::<[u8]>::from(*b"x")),
        Message::from(Bytes::from("x")),
        Message::from(&Bytes::from("x")),
        Message::from(BytesMut::from("x")),
        Message::from(Cow::Borrowed("x")),
        Message::from(Cow::<str>::Owned(text.clone())),
        Message::from(Cow::Borrowed(&b"x"[..])),
        Message::from(Frame::from("x")),
        Message::from(&Frame::from("x")),
        Message::from(id.clone()),
        Message::from(&id),
        Message::from(&Message::from("x")),
        Message::from(["x"]),
        Message::from(("x",)),
        Message::from(vec!["x"]),
        ["x"].into_iter().collect(),
    ] {
        assert_eq!(message, "x");
    }
}

#[test]
fn messages_are_made_of_many_frames() {
    let (words, owned) = (vec!["a", "b"], vec![String::from("a"), String::from("b")]);
    for message in [
        Message::from(["a", "b"]),
        Message::from(&["a", "b"]),
        Message::from(&["a", "b"][..]),
        Message::from(&words),
        Message::from(words.clone()),
        Message::from(&words[..]),
        Message::from(&owned),
        Message::from(owned),
        Message::from(("a", "b")),
        Message::from(("a", vec![b'b'])),
        Message::from((Frame::from("a"), b"b")),
        Message::from((String::from("a"), Bytes::from("b"))),
        Message::from([b"a", b"b"]),
        Message::from([Bytes::from("a"), Bytes::from("b")]),
        Message::from(vec![vec![b'a'], vec![b'b']]),
        "a b".split(' ').collect(),
    ] {
        assert_eq!(message, ["a", "b"]);
    }
    let mut message = Message::from(("id", "", "body"));
    message.extend(["more"]);
    assert_eq!(message, ["id", "", "body", "more"]);
}

#[test]
fn frames_are_made_of_anything() {
    let (text, bytes) = (String::from("x"), vec![b'x']);
    for frame in [
        Frame::from("x"),
        Frame::from(&text),
        Frame::from(text.clone()),
        Frame::from(&bytes),
        Frame::from(bytes),
        Frame::from(b"x"),
        Frame::from(*b"x"),
        Frame::from(&b"x"[..]),
        Frame::from(Box::<[u8]>::from(*b"x")),
        Frame::from(Arc::<[u8]>::from(*b"x")),
        Frame::from(Bytes::from("x")),
        Frame::from(BytesMut::from("x")),
        Frame::from(Cow::Borrowed("x")),
        Frame::from(&Frame::from("x")),
        Frame::from(RoutingId::try_from(*b"x").unwrap()),
        Frame::from_static(b"x"),
    ] {
        assert_eq!(frame, "x");
    }
    assert!(Frame::default().is_empty());
}

#[test]
fn messages_come_apart() -> Result {
    let message = Message::from(["topic", "body"]);
    let [topic, body] = <[Frame; 2]>::try_from(message.clone())?;
    assert_eq!((topic.as_str()?, &*body), ("topic", &b"body"[..]));
    let (topic, body): (Frame, Frame) = message.clone().try_into()?;
    assert_eq!(String::try_from(topic)?, "topic");
    assert_eq!(String::try_from(Message::from("whole"))?, "whole");
    assert_eq!(
        String::try_from(message.clone()).unwrap_err().to_string(),
        "not one frame: the message has 2"
    );
    assert_eq!(RoutingId::try_from("worker")?.as_str()?, "worker");
    assert_eq!(Bytes::from(body), "body");
    assert_eq!(message.to_vec(), [&b"topic"[..], b"body"]);
    assert_eq!(Vec::<Frame>::from(message.clone()), ["topic", "body"]);
    assert_eq!(Vec::<Bytes>::from(message.clone()), ["topic", "body"]);
    assert_eq!(Vec::<Vec<u8>>::from(message.clone()), [&b"topic"[..], b"body"]);
    let error: FrameCountError = <[Frame; 3]>::try_from(message.clone()).expect_err("two frames");
    assert_eq!(error.to_string(), "a message of 2 frames, expected 3");
    assert_eq!(error.into_message(), message);
    assert_eq!(Frame::try_from(Message::from("x"))?, "x");
    assert_eq!(Vec::<u8>::from(Frame::from("x")), b"x");
    Ok(())
}

#[test]
fn frames_are_read_as_text() -> Result {
    let message = Message::from([&b"topic"[..], b"\xff"]);
    assert_eq!(message.str(0)?, "topic");
    assert_eq!(message.str(0)?.parse::<u32>().ok(), None);
    assert!(matches!(message.str(1), Err(TextError::NotUtf8 { index: 1, .. })));
    assert!(matches!(message.str(2), Err(TextError::NoFrame { index: 2, frames: 2 })));
    assert_eq!(message.to_string(), "topic \u{fffd}");
    assert_eq!(format!("{:>6}", Frame::from("x")), "     x");
    assert_eq!(Frame::from("x").to_string(), "x");
    assert!(String::try_from(Frame::from(*b"\xff")).is_err());
    Ok(())
}

#[test]
fn messages_are_indexed_and_edited() {
    let mut message = Message::from(["a", "b", "c"]);
    assert_eq!((&message[0], message.get(1), message.get(3)), (&b"a"[..], Some(&b"b"[..]), None));
    assert_eq!((message.first(), message.last()), (Some(&b"a"[..]), Some(&b"c"[..])));
    assert_eq!(message.slice(1..), ["b", "c"]);
    assert_eq!(message.slice(..=1), ["a", "b"]);
    assert_eq!(message.iter().len(), 3);
    assert!(message.iter().rev().eq([b"c", b"b", b"a"]));
    assert!(message.iter().any(|frame| frame == b"b"));
    for frame in &message {
        assert_eq!(frame.len(), 1);
    }
    message.insert(0, "id");
    message.insert(1, "");
    assert_eq!(message, ["id", "", "a", "b", "c"]);
    assert_eq!(message.remove(1).expect("a frame"), "");
    assert_eq!(message.replace(0, "other").expect("a frame"), "id");
    assert_eq!(message.split_off(2), ["b", "c"]);
    message.truncate(1);
    assert_eq!(message, "other");
    message.clear();
    assert!(message.is_empty());
    let frame = Frame::from("topic.sub");
    assert!(frame.starts_with(b"topic.") && frame[6..] == *b"sub" && frame.len() == 9);
}

#[test]
fn values_are_keys_of_maps() -> Result {
    let mut replies = HashMap::from([(Frame::from("1"), "one")]);
    assert_eq!(replies.remove(&b"1"[..]), Some("one"));
    let seen: HashSet<Message> = [Message::from("a"), ["a", "b"].into(), "a".into()].into();
    assert_eq!(seen.len(), 2);
    let sorted: BTreeSet<Message> = [Message::from("b"), ["a", "b"].into(), "a".into()].into();
    assert!(sorted.iter().eq(&[Message::from("a"), ["a", "b"].into(), "b".into()]));
    let workers = BTreeMap::from([("w1".parse::<RoutingId>()?, 1)]);
    assert_eq!(workers.get(&b"w1"[..]), Some(&1));
    let mut endpoints: Vec<Endpoint> = vec!["tcp://127.0.0.1:2".parse()?, "tcp://127.0.0.1:1".parse()?];
    endpoints.sort();
    assert_eq!(endpoints[0], "tcp://127.0.0.1:1");
    Ok(())
}

#[test]
fn routing_ids_are_made_of_text() -> Result {
    let id: RoutingId = "worker".parse()?;
    assert_eq!(id, RoutingId::try_from(b"worker")?);
    assert_eq!(id, RoutingId::try_from(String::from("worker"))?);
    assert_eq!(id, RoutingId::try_from(&String::from("worker"))?);
    assert_eq!(id, RoutingId::from(&id));
    assert_eq!(id.to_string(), "worker");
    assert_eq!("".parse::<RoutingId>(), Err(RoutingIdError::Empty));
    Ok(())
}

#[test]
fn endpoints_answer_questions() -> Result {
    let endpoint: Endpoint = "tcp://127.0.0.1:5555".parse()?;
    assert_eq!((endpoint.scheme(), endpoint.port()), ("tcp", Some(5555)));
    assert_eq!(endpoint.host(), Some(&Host::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    assert_eq!(endpoint.socket_addr(), Some(SocketAddr::from(([127, 0, 0, 1], 5555))));
    assert_eq!(endpoint, Endpoint::tcp("127.0.0.1", 5555)?);
    assert_eq!(endpoint, Endpoint::try_from((Ipv4Addr::LOCALHOST, 5555))?);
    assert_eq!(Endpoint::tcp(Ipv6Addr::LOCALHOST, 1)?, "tcp://[::1]:1");
    assert_eq!(Endpoint::try_from(("localhost", 1))?, "tcp://localhost:1");
    assert_eq!(Endpoint::ipc("/run/app.sock")?, Endpoint::try_from(Path::new("/run/app.sock"))?);
    assert_eq!(Endpoint::inproc("name")?, "inproc://name");
    let error = "foo".parse::<Endpoint>().expect_err("no scheme");
    assert!(error.to_string().starts_with("invalid endpoint \"foo\": "), "{error}");
    Ok(())
}

#[test]
fn durations_need_no_some() {
    use std::time::Duration;

    use monocoque::zmq::DealerSocket;

    let (short, none) = (Duration::from_millis(5), None::<Duration>);
    for limit in [Some(short), none] {
        let builder = DealerSocket::builder().linger(limit).send_timeout(limit).recv_timeout(limit);
        let builder = builder.connect_timeout(limit).handshake_timeout(limit).heartbeat_interval(limit);
        let builder = builder.heartbeat_timeout(limit).heartbeat_ttl(limit).reconnect_interval(limit);
        assert!(builder.reconnect_interval_max(limit).tcp_max_retransmit_timeout(limit).build().is_ok());
    }
    let builder = DealerSocket::builder().linger(short).send_timeout(short).recv_timeout(short);
    let builder = builder.connect_timeout(short).handshake_timeout(None).heartbeat_interval(short);
    let builder = builder.heartbeat_timeout(short).heartbeat_ttl(short).reconnect_interval(short);
    assert!(builder.reconnect_interval_max(short).tcp_keepalive_idle(Duration::from_secs(1)).build().is_ok());
}

#[test]
fn calls_without_limit_wait_for_ever() -> Result {
    use std::time::Duration;

    use monocoque::Context;
    use monocoque::zmq::{PullSocket, PushSocket};

    let context = Context::new()?;
    let pull = PullSocket::builder().recv_timeout(Duration::ZERO).build_in(&context)?;
    let push = PushSocket::builder().send_timeout(Duration::ZERO).build_in(&context)?;
    let endpoint = pull.blocking().bind("tcp://127.0.0.1:0")?;
    push.blocking().connect(endpoint)?;
    push.blocking().send_timeout("x", None)?;
    push.blocking().flush_timeout(None)?;
    assert_eq!(pull.blocking().recv_timeout(None)?, "x");
    assert!(pull.blocking().recv_timeout(Some(Duration::ZERO)).expect_err("nothing").is_timeout());
    assert_eq!(push.blocking().close_within(None)?, 0);
    Ok(())
}

#[test]
fn comparison_works_in_both_directions() -> Result {
    let two = Message::from(["a", "b"]);
    assert!(["a", "b"] == two && vec!["a", "b"] == two && ["a", "b"][..] == two && &["a", "b"] == two);
    assert!(two == ("a", "b") && ("a", b"b") == two && two == ("a", Frame::from("b")) && two != ("a",));
    assert!(&two == &["a", "b"] && &["a", "b"] == &two && two == &vec!["a", "b"]);
    let one = Message::from("x");
    assert!(one == &String::from("x") && &String::from("x") == one && Box::<str>::from("x") == one);
    assert!(Frame::from("x") == one && one == &"x" && one == Arc::<str>::from("x"));
    let frame = Frame::from("b");
    assert!(frame > *"a" && frame > "a" && frame > b"a" && frame >= b"b"[..] && frame < String::from("c"));
    let id = RoutingId::try_from("b")?;
    assert!(id > "a" && id < b"c" && id <= frame && frame >= id);
    let (endpoint, text) = (Endpoint::tcp("h", 1)?, String::from("tcp://h:1"));
    assert!(endpoint == text && text == endpoint && endpoint == &text && &endpoint == &text);
    assert!("tcp://h:1" == endpoint && *"tcp://h:1" == endpoint && &endpoint == "tcp://h:1");
    assert!("tcp://h:2" != endpoint);
    Ok(())
}

#[test]
fn text_of_any_owner_is_sent() -> Result {
    let mut text = String::from("x");
    for message in [
        Message::from(&"x"),
        Message::from(&&b"x"[..]),
        Message::from(&mut text),
        Message::from(Box::<str>::from("x")),
        Message::from(Arc::<str>::from("x")),
        Message::from(VecDeque::from(["x"])),
        "x".parse()?,
        ["x"].iter().collect(),
    ] {
        assert_eq!(message, "x");
    }
    for frame in [
        Frame::from(&"x"),
        Frame::from(&&b"x"[..]),
        Frame::from(&mut text),
        Frame::from(Box::<str>::from("x")),
        Frame::from(Arc::<str>::from("x")),
        Frame::copy_from_slice(b"x"),
        "x".parse()?,
        b"x".iter().copied().collect(),
    ] {
        assert_eq!(frame, "x");
    }
    assert_eq!(Message::from(("a", "b", "c", "d", "e", "f", "g", b"h")).len(), 8);
    let mut message = Message::from("a");
    message.extend(&["b", "c"]);
    assert_eq!(message, ["a", "b", "c"]);
    Ok(())
}

#[test]
fn messages_come_apart_into_any_types() -> Result {
    let message = Message::from(["a", "b"]);
    let [a, b]: [String; 2] = message.clone().try_into()?;
    assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
    let [a, b]: [Bytes; 2] = message.clone().try_into()?;
    assert!(a == "a" && b == "b");
    let [a, b]: [Vec<u8>; 2] = message.clone().try_into()?;
    assert!(a == b"a" && b == b"b");
    let (a, b): (String, Vec<u8>) = message.clone().try_into()?;
    assert!(a == "a" && b == b"b");
    let (a, b): (Bytes, Frame) = message.clone().try_into()?;
    assert!(a == "a" && b == "b");
    let [a, b]: [&[u8]; 2] = (&message).try_into()?;
    assert!(a == b"a" && b == b"b");
    let (a, b): (&[u8], &[u8]) = (&message).try_into()?;
    assert!(a == b"a" && b == b"b");
    assert_eq!(Vec::<String>::try_from(message.clone())?, ["a", "b"]);
    assert_eq!(Vec::<Vec<u8>>::from(&message), [b"a", b"b"]);
    assert_eq!(Bytes::try_from(Message::from("x"))?, "x");
    assert_eq!(Vec::<u8>::try_from(Message::from("x"))?, b"x");
    assert_eq!(Bytes::try_from(message.clone()).expect_err("two frames").into_message(), message);
    let error = <(String, Frame, Frame)>::try_from(message.clone()).expect_err("two frames");
    assert_eq!(error.to_string(), "a message of 2 frames, expected 3");
    let error = <[&[u8]; 1]>::try_from(&message).expect_err("two frames");
    assert_eq!((error.found(), error.expected()), (2, 1));
    let binary = Message::from([&b"a"[..], b"\xff"]);
    assert!(matches!(<(String, String)>::try_from(binary.clone()), Err(TextError::NotUtf8 { index: 1, .. })));
    assert!(matches!(<[String; 2]>::try_from(binary), Err(TextError::NotUtf8 { index: 1, .. })));
    Ok(())
}

#[test]
fn frames_come_apart_into_any_types() -> Result {
    let frame = Frame::from("abc");
    assert_eq!(Box::<[u8]>::from(frame.clone()), Box::from(*b"abc"));
    assert_eq!(&*Arc::<[u8]>::from(frame.clone()), b"abc");
    assert_eq!(BytesMut::from(frame.clone()), "abc");
    assert_eq!(<[u8; 3]>::try_from(frame.clone())?, *b"abc");
    assert!(<[u8; 2]>::try_from(frame.clone()).is_err());
    assert_eq!(<&[u8; 3]>::try_from(&frame)?, b"abc");
    assert_eq!(<&str>::try_from(&frame)?, "abc");
    assert_eq!(
        (frame.as_bytes(), frame.slice(1..), frame.slice(..=1)),
        (&b"abc"[..], "bc".into(), "ab".into())
    );
    let long = Frame::from(vec![7; 100]);
    assert_eq!(long.slice(50..).as_ptr(), long[50..].as_ptr());
    assert!(Frame::new().is_empty());
    let id = RoutingId::try_from("w1")?;
    assert_eq!(Vec::<u8>::from(id.clone()), b"w1");
    assert_eq!(Bytes::from(id.clone()), "w1");
    assert_eq!(String::try_from(id.clone())?, "w1");
    assert_eq!(id.as_bytes(), b"w1");
    for other in [
        RoutingId::try_from(Cow::Borrowed("w1"))?,
        RoutingId::try_from(Cow::Borrowed(&b"w1"[..]))?,
        RoutingId::try_from(Arc::<[u8]>::from(*b"w1"))?,
        RoutingId::try_from(Box::<str>::from("w1"))?,
    ] {
        assert_eq!(other, id);
    }
    Ok(())
}

#[test]
fn messages_are_edited_like_vectors() {
    let mut message = Message::new();
    message.push("a");
    message.push(b"b");
    message.push(vec![b'c'; 100]);
    assert_eq!(message.pop().expect("a frame").len(), 100);
    message.swap(0, 1);
    assert_eq!(message, ["b", "a"]);
    assert!(message.contains("a") && message.contains(b"b") && !message.contains("c"));
    assert!(message.starts_with("b") && message.starts_with(["b", "a"]) && message.starts_with(("b", b"a")));
    assert!(!message.starts_with("a") && !message.starts_with(["b", "a", "c"]));
    let (first, rest) = message.split_first().expect("a frame");
    assert_eq!((first, rest), (&b"b"[..], Message::from("a")));
    assert!(Message::new().split_first().is_none());
    message.retain(|frame| frame != b"b");
    assert_eq!(message, "a");
    let mut message = Message::from(["a", "b", "c", "d"]);
    assert!(message.drain(1..3).eq(["b", "c"]));
    assert_eq!(message, ["a", "d"]);
    drop(message.drain(..));
    assert!(message.is_empty());
}

#[test]
fn endpoints_convert_both_ways() -> Result {
    let address: SocketAddr = "127.0.0.1:5".parse()?;
    let endpoint = Endpoint::from(address);
    assert_eq!(SocketAddr::try_from(&endpoint)?, address);
    assert_eq!(SocketAddr::try_from(endpoint.clone())?, address);
    assert_eq!(String::from(endpoint.clone()), "tcp://127.0.0.1:5");
    assert_eq!(Endpoint::from("127.0.0.1:5".parse::<SocketAddrV4>()?), endpoint);
    assert_eq!(Endpoint::from("[::1]:5".parse::<SocketAddrV6>()?), "tcp://[::1]:5");
    assert_eq!(Endpoint::try_from((String::from("h"), 5))?, "tcp://h:5");
    assert_eq!(endpoint.with_port(6), "tcp://127.0.0.1:6");
    let path = Endpoint::try_from(PathBuf::from("/tmp/x"))?;
    assert_eq!(path.path(), Some(Path::new("/tmp/x")));
    assert!(path.is_ipc() && !path.is_tcp() && !path.is_inproc());
    assert_eq!(path.clone().with_port(6), path);
    let error = SocketAddr::try_from(path).expect_err("a path");
    assert!(error.to_string().ends_with("has a socket address"), "{error}");
    let name = Endpoint::inproc("x")?;
    assert_eq!((name.name(), name.path(), name.is_inproc()), (Some("x"), None, true));
    let error = "TCP://h:1".parse::<Endpoint>().expect_err("capitals");
    assert!(error.to_string().ends_with("in lower case"), "{error}");
    Ok(())
}

#[test]
fn values_are_padded() -> Result {
    let message = Message::from(["a", "b"]);
    assert_eq!(format!("{message:>5}|{message:<5}|"), "  a b|a b  |");
    let (id, endpoint) = (RoutingId::try_from("w1")?, Endpoint::tcp("h", 1)?);
    assert_eq!(format!("{id:>4}|{:>5}", RoutingId::try_from(b"\0")?), "  w1| 0x00");
    assert_eq!(format!("{endpoint:>12}|{endpoint:<10}|"), "   tcp://h:1|tcp://h:1 |");
    Ok(())
}

#[test]
fn errors_of_values_are_errors_of_library() {
    fn topic(message: Message) -> monocoque::Result<(String, RoutingId)> {
        let id = RoutingId::try_from(message.first().unwrap_or_default())?;
        message.str(0)?;
        std::str::from_utf8(&id)?;
        let _last = message.last().map_or_else(Frame::new, Frame::from).as_str()?;
        let _frames: [Frame; 2] = message.clone().try_into()?;
        "tcp://h:1".parse::<Endpoint>()?;
        Ok((message.try_into().map(|[topic, _]: [String; 2]| topic)?, id))
    }
    let reason = |message| {
        let error = topic(message).expect_err("no topic");
        assert_eq!(error.kind(), monocoque::ErrorKind::InvalidInput);
        error.to_string()
    };
    assert!(topic(["a", "b"].into()).is_ok());
    assert_eq!(reason(["a", "b", "c"].into()), "a message of 3 frames, expected 2");
    assert_eq!(reason(Message::new()), "invalid routing id: a routing id has at least one byte");
    assert!(reason(b"\xff".into()).starts_with("frame 0 is not UTF-8: "));
    assert!(reason([&b"a"[..], b"\xff"].into()).starts_with("invalid utf-8"));
}
