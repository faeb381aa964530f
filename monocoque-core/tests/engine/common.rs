//! An in-memory stream that behaves like a kernel: short reads and writes, interruptions, errors,
//! end of stream.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use compio::BufResult;
use compio::buf::{IoBuf, IoBufMut, IoVectoredBuf};
use compio::io::{AsyncRead, AsyncWrite};
use monocoque_core::actor::{
    ByteCounters, Closed, ConnectionHandler, Inlet, InletStatus, Outlet, SocketActor,
};
use monocoque_core::transport::{ByteStream, DirectWriter};
use monocoque_core::{Decode, Encode, Established, Outbox, Protocol, Queued, SegmentedBuffer, Step};
use thiserror::Error;

/// One end of a stream. Output of the actor is returned by [`written`](Wire::written), its input is
/// given by [`push_input`](Wire::push_input).
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    /// The outcomes of the next writes; further writes succeed in full.
    writes: VecDeque<WriteOutcome>,
    /// Whether writes block.
    stuck: bool,
    /// The largest number of slices in one write.
    slices: usize,
    input: VecDeque<u8>,
    /// The largest number of bytes that one read returns.
    max_read: usize,
    interrupt_reads: bool,
    interrupted: bool,
    reads: usize,
    input_ended: bool,
    read_shut: bool,
    write_shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The outcome of one write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WriteOutcome {
    Bytes(usize),
    Nothing,
    Interrupted,
    Broken,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let wire = Self::default();
        wire.0.borrow_mut().max_read = usize::MAX;
        wire
    }

    pub(crate) fn max_read(self, at_most: usize) -> Self {
        self.0.borrow_mut().max_read = at_most;
        self
    }

    pub(crate) fn interrupt_reads(self) -> Self {
        self.0.borrow_mut().interrupt_reads = true;
        self
    }

    pub(crate) fn writes(self, script: impl IntoIterator<Item = WriteOutcome>) -> Self {
        self.0.borrow_mut().writes.extend(script);
        self
    }

    pub(crate) fn stuck(self) -> Self {
        self.0.borrow_mut().stuck = true;
        self
    }

    /// Appends input, as if the peer had sent it.
    pub(crate) fn push_input(&self, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        state.input.extend(bytes);
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// Ends the input.
    pub(crate) fn end(&self) {
        let mut state = self.0.borrow_mut();
        state.input_ended = true;
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// Lets blocked writes continue.
    pub(crate) fn release(&self) {
        let mut state = self.0.borrow_mut();
        state.stuck = false;
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        self.0.borrow().written.clone()
    }

    pub(crate) fn not_read(&self) -> usize {
        self.0.borrow().input.len()
    }

    pub(crate) fn reads(&self) -> usize {
        self.0.borrow().reads
    }

    pub(crate) fn slices(&self) -> usize {
        self.0.borrow().slices
    }

    async fn accept<'a>(&self, slices: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        let slices: Vec<_> = slices.collect();
        let whole: usize = slices.iter().map(|slice| slice.len()).sum();
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if state.write_shut && std::mem::take(&mut state.stuck) {
                // The reader learns of the shutdown first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if state.write_shut {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.stuck {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            state.slices = state.slices.max(slices.len());
            let n = match state.writes.pop_front().unwrap_or(WriteOutcome::Bytes(usize::MAX)) {
                WriteOutcome::Bytes(n) => n.min(whole),
                WriteOutcome::Nothing => 0,
                WriteOutcome::Interrupted => return Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
                WriteOutcome::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            };
            let bytes = slices.iter().flat_map(|slice| slice.iter()).take(n);
            state.written.extend(bytes);
            Poll::Ready(Ok(n))
        })
        .await
    }
}

impl AsyncRead for Wire {
    async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        let capacity = buf.buf_capacity();
        let piece = poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if state.read_shut {
                return Poll::Ready(Ok(Vec::new()));
            }
            if state.interrupt_reads && !std::mem::replace(&mut state.interrupted, true) {
                return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
            }
            if state.input.is_empty() && !state.input_ended {
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            state.interrupted = false;
            state.reads += 1;
            let n = state.input.len().min(capacity).min(state.max_read);
            Poll::Ready(Ok::<_, io::Error>(state.input.drain(..n).collect()))
        })
        .await;
        match piece {
            Ok(piece) => (&*piece).read(buf).await,
            Err(error) => BufResult(Err(error), buf),
        }
    }
}

impl AsyncWrite for Wire {
    async fn write<T: IoBuf>(&mut self, buf: T) -> BufResult<usize, T> {
        BufResult(self.accept(std::iter::once(buf.as_init())).await, buf)
    }

    async fn write_vectored<T: IoVectoredBuf>(&mut self, buf: T) -> BufResult<usize, T> {
        BufResult(self.accept(buf.iter_slice()).await, buf)
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ByteStream for Wire {
    fn shutdown(&self, how: Shutdown) {
        let mut state = self.0.borrow_mut();
        state.read_shut |= how != Shutdown::Write;
        state.write_shut |= how != Shutdown::Read;
        state.reader.take().into_iter().for_each(Waker::wake);
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    fn peer_label(&self) -> String {
        "memory".into()
    }

    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        Some(Arc::new(BlockedWriter))
    }
}

/// A direct writer that always blocks.
#[derive(Debug)]
struct BlockedWriter;

impl DirectWriter for BlockedWriter {
    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// A protocol with the handshake `hello`. Each item has a length of four bytes and a body; `?` is
/// answered with `!`.
///
/// With a mask, items are written in another form than they are queued in: see [`masked`].
#[derive(Debug)]
pub(crate) struct LengthPrefixed {
    greeted: bool,
    masks: bool,
}

#[derive(Debug, Error, PartialEq)]
#[error("not hello")]
pub(crate) struct NotHello;

#[derive(Debug, Default)]
pub(crate) struct LengthPrefixedDecoder {
    need: usize,
}

#[derive(Debug)]
pub(crate) struct LengthPrefixedEncoder {
    masks: bool,
}

impl LengthPrefixed {
    pub(crate) fn new() -> Self {
        Self { greeted: false, masks: false }
    }

    pub(crate) fn masking() -> Self {
        Self { greeted: false, masks: true }
    }
}

impl Protocol for LengthPrefixed {
    type Peer = ();
    type Decoder = LengthPrefixedDecoder;
    type Encoder = LengthPrefixedEncoder;
    type Question = Infallible;
    type Error = NotHello;

    fn advance(
        mut self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        _now: Instant,
    ) -> Result<Step<Self>, NotHello> {
        if !std::mem::replace(&mut self.greeted, true) {
            output.put(b"hello");
            output.end_message();
        }
        match input.peek::<5>() {
            None => Ok(Step::NeedInput(self)),
            Some(hello) if hello == *b"hello" => {
                input.advance(5);
                let decoder = LengthPrefixedDecoder::default();
                let encoder = LengthPrefixedEncoder { masks: self.masks };
                Ok(Step::Established(Established { peer: (), decoder, encoder }))
            }
            Some(_) => {
                output.put(b"what?");
                output.end_message();
                Err(NotHello)
            }
        }
    }

    fn resume(self, answer: Infallible) -> Self {
        match answer {}
    }
}

impl Decode for LengthPrefixedDecoder {
    type Item = Vec<u8>;
    type Kind = ();
    type Error = NotHello;

    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        items: &mut VecDeque<Vec<u8>>,
    ) -> Result<Option<()>, NotHello> {
        loop {
            self.need = 4;
            let Some(len) = input.peek::<4>() else { return Ok(None) };
            let len = u32::from_be_bytes(len) as usize;
            self.need = 4 + len;
            if input.len() < self.need {
                return Ok(None);
            }
            input.advance(4);
            let body = input.take(len).expect("a whole body").to_vec();
            if body == b"?" {
                put(replies, b"!");
                continue;
            }
            items.push_back(body);
            return Ok(Some(()));
        }
    }

    fn need(&self) -> usize {
        self.need
    }
}

impl Encode for LengthPrefixedEncoder {
    type Error = NotHello;

    fn is_identity(&self) -> bool {
        !self.masks
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit
            && let Some(message) = queued.next_message()
        {
            wire.put(&masked(&message.flat_map(|part| part.body().to_vec()).collect::<Vec<_>>()));
            wire.end_message();
        }
    }
}

/// Returns the masked form of a message: every byte changes, and so does the length.
pub(crate) fn masked(queued: &[u8]) -> Vec<u8> {
    let bytes: Vec<_> = queued.iter().map(|byte| byte ^ 0x5a).collect();
    [b"<", &*bytes, b">"].concat()
}

/// Starts an actor that has completed its handshake.
pub(crate) fn start(
    protocol: LengthPrefixed,
    wire: &Wire,
    handler: &TestHandler,
) -> compio::runtime::JoinHandle<Closed<NotHello>> {
    wire.push_input(b"hello");
    compio::runtime::spawn(SocketActor::new(wire.clone(), protocol).run(handler.clone()))
}

/// Checks that `bodies` are written as the bytes `expected`, with a short write at `cut`.
pub(crate) async fn check_written(
    protocol: LengthPrefixed,
    wire: Wire,
    bodies: &[Vec<u8>],
    expected: &[u8],
    cut: usize,
) {
    let handler = TestHandler::default();
    bodies.iter().for_each(|body| handler.send(body));
    handler.finish();
    let actor = start(protocol, &wire, &handler);
    wait_until("all messages are written", || wire.written().len() == 5 + expected.len()).await;
    wire.end();
    assert!(matches!(actor.await.expect("no panic"), Closed::ByUs | Closed::ByPeer));
    assert!(wire.written()[5..] == *expected, "cut at {cut}");
    assert_eq!(handler.unsent(), []);
}

/// Checks that replies are written between messages, each in the form that `encode` gives it.
pub(crate) fn check_replies(protocol: LengthPrefixed, encode: impl Fn(&[u8]) -> Vec<u8>) {
    run(async {
        let wire = Wire::new();
        let handler = TestHandler::default();
        let _actor = start(protocol, &wire, &handler);
        wait_until("the connection is established", || handler.is_attached()).await;
        let stuck = wire.clone().stuck();
        handler.send(b"first");
        run_tasks(5).await;
        for _ in 0..3 {
            stuck.push_input(&encoded(b"?"));
        }
        run_tasks(5).await;
        handler.send(b"second");
        stuck.release();
        let expected =
            [b"hello".to_vec(), encode(b"first"), encode(b"!").repeat(3), encode(b"second")].concat();
        wait_until("all messages are written", || wire.written().len() == expected.len()).await;
        assert_eq!(wire.written(), expected);
    });
}

pub(crate) fn put(out: &mut Outbox, body: &[u8]) {
    out.put(&(body.len() as u32).to_be_bytes());
    out.put_shared(&bytes::Bytes::copy_from_slice(body));
    out.end_message();
}

pub(crate) fn encoded(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

/// The handler of a connection in a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestHandler(Rc<RefCell<HandlerState>>, VecDeque<Vec<u8>>);

#[derive(Debug, Default)]
struct HandlerState {
    queued: Outbox,
    /// Whether the last message is queued.
    done: bool,
    aborted: bool,
    wakers: Vec<Waker>,
    /// The number of items that fit; `None` for no limit.
    room: Option<usize>,
    gone: bool,
    held: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
    unsent: Option<Outbox>,
    attached: bool,
    /// Whether a direct writer exists.
    has_direct: bool,
}

impl TestHandler {
    pub(crate) fn send(&self, body: &[u8]) {
        self.change(|state| put(&mut state.queued, body));
    }

    pub(crate) fn finish(&self) {
        self.change(|state| state.done = true);
    }

    pub(crate) fn abort(&self) {
        self.change(|state| state.aborted = true);
    }

    pub(crate) fn room(&self, room: usize) {
        self.change(|state| state.room = Some(room));
    }

    /// Closes the receiving side.
    pub(crate) fn close_inlet(&self) {
        self.change(|state| state.gone = true);
    }

    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.0.borrow().received.clone()
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.0.borrow().attached
    }

    pub(crate) fn has_direct(&self) -> bool {
        self.0.borrow().has_direct
    }

    /// Returns how many times the first returned message was attempted.
    pub(crate) fn attempts(&self) -> u32 {
        self.0.borrow().unsent.as_ref().map_or(0, Outbox::first_attempts)
    }

    /// Returns the messages that were returned unsent at the end. Panics before the end.
    pub(crate) fn unsent(&self) -> Vec<u8> {
        let state = self.0.borrow();
        state.unsent.as_ref().expect("the outlet was closed").slices().collect::<Vec<_>>().concat()
    }

    fn change(&self, change: impl FnOnce(&mut HandlerState)) {
        let mut state = self.0.borrow_mut();
        change(&mut state);
        state.wakers.drain(..).for_each(Waker::wake);
    }
}

impl ConnectionHandler<LengthPrefixed> for TestHandler {
    type Outlet = Self;
    type Inlet = Self;

    async fn answer(&self, question: Infallible) -> Infallible {
        question
    }

    fn on_established(
        self,
        (): (),
        direct: Option<Arc<dyn DirectWriter>>,
        _bytes: &Arc<ByteCounters>,
    ) -> Option<(Self, Self)> {
        self.0.borrow_mut().attached = true;
        self.0.borrow_mut().has_direct = direct.is_some();
        Some((self.clone(), self))
    }
}

impl Outlet for TestHandler {
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool> {
        let mut state = self.0.borrow_mut();
        assert!(batch.is_empty());
        if !state.queued.is_empty() {
            std::mem::swap(&mut state.queued, batch);
            return Poll::Ready(true);
        }
        if state.done {
            return Poll::Ready(false);
        }
        state.wakers.push(cx.waker().clone());
        Poll::Pending
    }

    fn poll_abort(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.aborted {
            return Poll::Ready(());
        }
        state.wakers.push(cx.waker().clone());
        Poll::Pending
    }

    fn on_closed(&mut self, unsent: Outbox) {
        let previous = self.0.borrow_mut().unsent.replace(unsent);
        assert!(previous.is_none(), "on_closed is called once");
    }
}

impl Inlet<LengthPrefixedDecoder> for TestHandler {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.0.borrow_mut();
        if state.gone {
            return Poll::Ready(false);
        }
        if state.room == Some(0) {
            state.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(true)
    }

    fn items(&mut self) -> &mut VecDeque<Vec<u8>> {
        &mut self.1
    }

    fn on_item(&mut self, (): ()) -> InletStatus {
        let item = self.1.pop_front().expect("an item was pushed");
        let mut state = self.0.borrow_mut();
        assert_ne!(state.room, Some(0), "the inlet reported no room");
        state.room = state.room.map(|room| room - 1);
        let verdict = match () {
            () if item == b"forbidden" => return InletStatus::Violation,
            () if state.room == Some(0) => InletStatus::Full,
            () => InletStatus::Ready,
        };
        state.held.push(item);
        verdict
    }

    fn flush(&mut self) {
        let state = &mut *self.0.borrow_mut();
        state.received.append(&mut state.held);
    }
}

/// Runs `body` on a runtime, within a time limit.
pub(crate) fn run(body: impl Future<Output = ()>) {
    let bounded = compio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(async { compio::time::timeout(2 * LIMIT, body).await });
    bounded.expect("the test ends in time");
}

/// Runs the other tasks until `holds` returns `true`.
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "timed out waiting until {what}");
        run_tasks(1).await;
    }
}

/// Runs the other tasks `n` times.
pub(crate) async fn run_tasks(n: usize) {
    for _ in 0..n {
        monocoque_core::runtime::yield_now().await;
    }
}

/// How long a condition may take to hold. It is longer under `scripts/tsan.sh`.
const LIMIT: Duration = Duration::from_secs(if option_env!("MONOCOQUE_SLOW").is_some() { 200 } else { 10 });
