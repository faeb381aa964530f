use std::io::Cursor;

use super::*;

fn messages() -> Vec<Message> {
    let binary: Vec<u8> = (0..=255).collect();
    let frames = |frames: &[&[u8]]| frames.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>().into();
    vec![
        frames(&[b""]),
        frames(&[b"", b"", b""]),
        frames(&[b"text", "\u{e9}\"\\\n\t\u{0}".as_bytes()]),
        frames(&[&binary, b"\n", &vec![7; 100_000]]),
        frames(&[&b"\xff"[..]; 100]),
    ]
}

fn encoder(format: OutputFormat, first: FirstFrame) -> Encoder {
    Encoder {
        format,
        template: None,
        time: false,
        payloads: JsonPayloads::AsText,
        delimiter: b"\t".to_vec(),
        first,
        terminal: false,
        colour: false,
    }
}

fn decoder(format: InputFormat, first: FirstFrame) -> Decoder {
    Decoder { format, delimiter: Some(b"\t".to_vec()), first }
}

fn written(encoder: &Encoder, messages: &[Message]) -> Vec<u8> {
    let mut out = Vec::new();
    messages.iter().for_each(|message| encoder.write(&message.clone().into(), &mut out).unwrap());
    out
}

fn read(decoder: &Decoder, bytes: &[u8]) -> Result<Vec<Message>, FormatError> {
    let mut input = Cursor::new(bytes);
    std::iter::from_fn(|| decoder.next(&mut input).transpose()).collect()
}

#[test]
fn written_messages_read_back() {
    for (output, input) in
        [(OutputFormat::Frames, InputFormat::Frames), (OutputFormat::Json, InputFormat::Json)]
    {
        for first in [FirstFrame::Plain, FirstFrame::RoutingId] {
            let bytes = written(&encoder(output, first), &messages());
            assert_eq!(read(&decoder(input, first), &bytes).unwrap(), messages());
        }
    }
}

#[test]
fn lines_carry_routing_ids() {
    let sent =
        vec![Message::from([&b"\x00\x01\xab"[..], b"", b"hello"]), Message::from(["worker-1", "hello"])];
    let bytes = written(&encoder(OutputFormat::Lines, FirstFrame::RoutingId), &sent);
    assert_eq!(bytes, b"0x0001ab\t\thello\nworker-1\thello\n");
    assert_eq!(read(&decoder(InputFormat::Lines, FirstFrame::RoutingId), &bytes).unwrap(), sent);
}

#[test]
fn last_line_needs_no_newline() {
    let lines = Decoder { delimiter: None, ..decoder(InputFormat::Lines, FirstFrame::Plain) };
    let expected: Vec<Message> = ["one\t1", "", "two"].map(Message::from).into();
    assert_eq!(read(&lines, b"one\t1\n\ntwo").unwrap(), expected);
    assert_eq!(read(&lines, b"one\t1\n\ntwo\n").unwrap(), expected);
    assert!(read(&lines, b"").unwrap().is_empty());
}

#[test]
fn line_break_may_be_crlf() {
    let lines = decoder(InputFormat::Lines, FirstFrame::Plain);
    let expected: Vec<Message> = vec![["a", "1"].into(), "".into(), "b\r".into(), "c\r".into()];
    assert_eq!(read(&lines, b"a\t1\r\n\r\nb\r\r\nc\r").unwrap(), expected);
}

#[test]
fn truncated_frames_are_rejected() {
    let frames = decoder(InputFormat::Frames, FirstFrame::Plain);
    let bytes = written(&encoder(OutputFormat::Frames, FirstFrame::Plain), &["ab".into()]);
    assert_eq!(bytes, b"\0\0\0\0\x02ab");
    for end in 1..bytes.len() {
        assert!(matches!(read(&frames, &bytes[..end]), Err(FormatError::CutShort)));
    }
    assert!(matches!(read(&frames, b"\x01\0\0\0\0"), Err(FormatError::CutShort)));
    assert!(matches!(read(&frames, b"\0\xff\xff\xff\xffa"), Err(FormatError::CutShort)));
    assert!(matches!(read(&frames, b"hello"), Err(FormatError::Flag(b'h'))));
}

#[test]
fn malformed_json_is_rejected() {
    let json = decoder(InputFormat::Json, FirstFrame::Plain);
    for text in [
        "",
        "{",
        "[]",
        r#""text""#,
        "{}",
        r#"{"frames":[]}"#,
        r#"{"frames":"text"}"#,
        r#"{"frames":[1]}"#,
        r#"{"frames":[{"json":1,"more":2}]}"#,
        r#"{"frames":[{"base64":1}]}"#,
        r#"{"frames":[{"base64":"?"}]}"#,
        r#"{"frames":[{"base64":"","text":""}]}"#,
    ] {
        assert!(json.parse(text.into()).is_err(), "{text}");
    }
    assert_eq!(json.parse(r#"{"id":"a","frames":["b"]}"#.into()).unwrap(), ["a", "b"]);
    let annotated = r#"{"event":"x","time":"now","frames":["b"],"more":{"frames":1}}"#;
    assert_eq!(json.parse(annotated.into()).unwrap(), "b");
}

#[test]
fn json_payloads_round_trip() {
    let how = Encoder { payloads: JsonPayloads::AsJson, ..encoder(OutputFormat::Json, FirstFrame::Plain) };
    let sent: Vec<Message> = vec![
        [&br#"{"b":1.50,"a":[12345678901234567890123]}"#[..], b"[]", b"{", b"5", b"\xff"].into(),
        " text".into(),
    ];
    let bytes = written(&how, &sent);
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(
        text.contains(r#"{"json":{"b":1.50,"a":[12345678901234567890123]}},{"json":[]},"{","5","#),
        "{text}"
    );
    assert_eq!(read(&decoder(InputFormat::Json, FirstFrame::Plain), &bytes).unwrap(), sent);
}

#[test]
fn template_fields_are_filled() {
    let template = r"{topic}|{body}|{message}|{size}|{frames}".parse().unwrap();
    let how = Encoder { template: Some(template), ..encoder(OutputFormat::Quiet, FirstFrame::Plain) };
    let bytes = written(&how, &[["a", "bc", "d"].into()]);
    assert_eq!(bytes, b"a|bc\td|a\tbc\td|4|3\n");
    let how = Encoder { template: Some("{time} {unix}".parse().unwrap()), ..how };
    let received = Received { at: std::time::SystemTime::UNIX_EPOCH, ..Message::from("x").into() };
    let mut out = Vec::new();
    how.write(&received, &mut out).unwrap();
    assert_eq!(out, b"1970-01-01T00:00:00.000000Z 0.000000\n");
}
