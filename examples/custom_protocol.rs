//! A custom protocol, lines of text, on the actor of `monocoque-core` alone.
//!
//! Run with `cargo run --example custom_protocol`. Two peers exchange lines; exits with an error if
//! a line differs.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::time::Instant;

use compio::net::{TcpListener, TcpStream};
use monocoque_core::actor::{Channel, SocketActor};
use monocoque_core::{
    Decode, Established, IdentityEncoder, Message, Outbox, Protocol, SegmentedBuffer, Step,
};
use thiserror::Error;

/// The protocol. It has no handshake: it is established before the first byte.
#[derive(Debug)]
struct Lines;

/// The receiving half of the protocol.
#[derive(Debug)]
struct LineDecoder;

#[derive(Debug, Error)]
#[error("a line of more than {LONGEST} bytes")]
struct TooLong;

impl Protocol for Lines {
    type Peer = ();
    type Decoder = LineDecoder;
    type Encoder = IdentityEncoder<TooLong>;
    type Question = Infallible;
    type Error = TooLong;

    fn advance(self, _: &mut SegmentedBuffer, _: &mut Outbox, _: Instant) -> Result<Step<Self>, TooLong> {
        Ok(Step::Established(Established { peer: (), decoder: LineDecoder, encoder: IdentityEncoder::new() }))
    }

    fn resume(self, answer: Infallible) -> Self {
        match answer {}
    }
}

impl Decode for LineDecoder {
    type Item = Message;
    type Kind = ();
    type Error = TooLong;

    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        _: &mut Outbox,
        lines: &mut VecDeque<Message>,
    ) -> Result<Option<()>, TooLong> {
        let mut front = [0; LONGEST + 1];
        let seen = input.peek_into(&mut front);
        let Some(end) = front[..seen].iter().position(|&byte| byte == b'\n') else {
            return if seen > LONGEST { Err(TooLong) } else { Ok(None) };
        };
        let line = input.take(end);
        input.advance(1);
        Ok(line.map(|line| lines.push_back(line.into())))
    }
}

fn put_line(line: &[u8]) -> impl Fn(&mut Outbox) {
    move |out| [line, b"\n"].into_iter().for_each(|bytes| out.put(bytes))
}

#[compio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let (ours, theirs) = (Channel::new(), Channel::new());
    compio::runtime::spawn(SocketActor::new(stream, Lines).run(ours.clone())).detach();
    compio::runtime::spawn(SocketActor::new(listener.accept().await?.0, Lines).run(theirs.clone())).detach();

    for question in ["hello", "", "what is the time?"] {
        ours.send(put_line(question.as_bytes())).await?;
        let heard = theirs.recv().await?;
        theirs.send(put_line(&[b"re: ", &heard[0]].concat())).await?;
        let answer = ours.recv().await?;
        if answer != format!("re: {question}") {
            return Err(format!("sent {question:?}, received {answer:?}").into());
        }
        println!("{question:?} -> {answer:?}");
    }
    ours.close();
    theirs.recv().await.map_or_else(|_end| Ok(()), |line| Err(format!("a line too many: {line:?}").into()))
}

const LONGEST: usize = 255;
