//! A wire in memory that does to the actor what kernels do: takes a part, gives a part, is
//! interrupted, ends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use compio::BufResult;
use compio::buf::{IoBuf, IoBufMut, IoVectoredBuf};
use compio::io::{AsyncRead, AsyncWrite};
use monocoque_core::actor::{Closed, ConnectionHandler, Inlet, InletStatus, Outlet, SocketActor};
use monocoque_core::transport::{ByteStream, DirectWriter};
use monocoque_core::{Decode, Encode, Established, Outbox, Protocol, Queued, SegmentedBuffer, Step};
use thiserror::Error;

/// One end of a wire. What it writes is [taken](Wire::taken), what it reads was
/// [given](Wire::give).
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    /// How many bytes, or what else, each write comes to; once there are no more, everything is
    /// taken.
    writes: VecDeque<Taken>,
    /// Writes take nothing and wait.
    stuck: bool,
    /// The largest number of slices that one write was given.
    slices: usize,
    input: VecDeque<u8>,
    /// How many bytes a read gives at most.
    chop: usize,
    interrupt_reads: bool,
    interrupted: bool,
    reads: usize,
    input_ended: bool,
    read_shut: bool,
    write_shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What becomes of one write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taken {
    Bytes(usize),
    Nothing,
    Interrupted,
    Broken,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let wire = Self::default();
        wire.0.borrow_mut().chop = usize::MAX;
        wire
    }

    pub(crate) fn chop(self, at_most: usize) -> Self {
        self.0.borrow_mut().chop = at_most;
        self
    }

    pub(crate) fn interrupt_reads(self) -> Self {
        self.0.borrow_mut().interrupt_reads = true;
        self
    }

    pub(crate) fn writes(self, script: impl IntoIterator<Item = Taken>) -> Self {
        self.0.borrow_mut().writes.extend(script);
        self
    }

    pub(crate) fn stuck(self) -> Self {
        self.0.borrow_mut().stuck = true;
        self
    }

    /// The other end sends.
    pub(crate) fn give(&self, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        state.input.extend(bytes);
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// The other end sends no more.
    pub(crate) fn end(&self) {
        let mut state = self.0.borrow_mut();
        state.input_ended = true;
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// Writes go on.
    pub(crate) fn release(&self) {
        let mut state = self.0.borrow_mut();
        state.stuck = false;
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn taken(&self) -> Vec<u8> {
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
                // The reader hears of the end first.
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
            let n = match state.writes.pop_front().unwrap_or(Taken::Bytes(usize::MAX)) {
                Taken::Bytes(n) => n.min(whole),
                Taken::Nothing => 0,
                Taken::Interrupted => return Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
                Taken::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
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
            let n = state.input.len().min(capacity).min(state.chop);
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
        Some(Arc::new(NeverNow))
    }
}

/// A direct way that never takes anything.
#[derive(Debug)]
struct NeverNow;

impl DirectWriter for NeverNow {
    fn try_write(&self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// A protocol: `hello` is the handshake, then each item is a length of four bytes and a body. `?`
/// is answered with `!`.
///
/// With a mask, items go over the wire in another form than they are queued in: see [`masked`].
#[derive(Debug)]
pub(crate) struct Counted {
    greeted: bool,
    masks: bool,
}

#[derive(Debug, Error, PartialEq)]
#[error("not hello")]
pub(crate) struct NotHello;

#[derive(Debug, Default)]
pub(crate) struct CountedDecoder {
    need: usize,
}

#[derive(Debug)]
pub(crate) struct CountedEncoder {
    masks: bool,
}

impl Counted {
    pub(crate) fn new() -> Self {
        Self { greeted: false, masks: false }
    }

    pub(crate) fn masking() -> Self {
        Self { greeted: false, masks: true }
    }
}

impl Protocol for Counted {
    type Peer = ();
    type Decoder = CountedDecoder;
    type Encoder = CountedEncoder;
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
                let decoder = CountedDecoder::default();
                let encoder = CountedEncoder { masks: self.masks };
                Ok(Step::Established(Established { peer: (), decoder, encoder }))
            }
            Some(_) => {
                output.put(b"what?");
                output.end_message();
                Err(NotHello)
            }
        }
    }
}

impl Decode for CountedDecoder {
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
            let body = input.take(len).expect("it is there").to_vec();
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

impl Encode for CountedEncoder {
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

/// The masked form of a message: every byte changes, and so does the length.
pub(crate) fn masked(queued: &[u8]) -> Vec<u8> {
    let bytes: Vec<_> = queued.iter().map(|byte| byte ^ 0x5a).collect();
    [b"<", &*bytes, b">"].concat()
}

/// An actor that runs, past its handshake.
pub(crate) fn start(
    protocol: Counted,
    wire: &Wire,
    owner: &Owner,
) -> compio::runtime::JoinHandle<Closed<NotHello>> {
    wire.give(b"hello");
    compio::runtime::spawn(SocketActor::new(wire.clone(), protocol).run(owner.clone()))
}

pub(crate) fn put(out: &mut Outbox, body: &[u8]) {
    out.put(&(body.len() as u32).to_be_bytes());
    out.put_shared(&bytes::Bytes::copy_from_slice(body));
    out.end_message();
}

pub(crate) fn encoded(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

/// Who owns the connection in a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner(Rc<RefCell<Owned>>, VecDeque<Vec<u8>>);

#[derive(Debug, Default)]
struct Owned {
    queued: Outbox,
    /// Nothing will follow.
    done: bool,
    aborted: bool,
    wakers: Vec<Waker>,
    /// How many more items there is room for; `None` for any number.
    room: Option<usize>,
    gone: bool,
    held: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
    unsent: Option<Outbox>,
    attached: bool,
    /// There is a direct way.
    has_direct: bool,
}

impl Owner {
    pub(crate) fn send(&self, body: &[u8]) {
        self.change(|owned| put(&mut owned.queued, body));
    }

    pub(crate) fn finish(&self) {
        self.change(|owned| owned.done = true);
    }

    pub(crate) fn abort(&self) {
        self.change(|owned| owned.aborted = true);
    }

    pub(crate) fn room(&self, room: usize) {
        self.change(|owned| owned.room = Some(room));
    }

    /// Wants to receive no more.
    pub(crate) fn leave(&self) {
        self.change(|owned| owned.gone = true);
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

    /// How often the first message that came back was begun.
    pub(crate) fn attempts(&self) -> u32 {
        self.0.borrow().unsent.as_ref().map_or(0, Outbox::first_attempts)
    }

    /// What came back at the end, which has come.
    pub(crate) fn unsent(&self) -> Vec<u8> {
        let owned = self.0.borrow();
        owned.unsent.as_ref().expect("the outlet was closed").slices().collect::<Vec<_>>().concat()
    }

    fn change(&self, change: impl FnOnce(&mut Owned)) {
        let mut owned = self.0.borrow_mut();
        change(&mut owned);
        owned.wakers.drain(..).for_each(Waker::wake);
    }
}

impl ConnectionHandler<Counted> for Owner {
    type Outlet = Self;
    type Inlet = Self;

    fn on_established(self, (): (), direct: Option<Arc<dyn DirectWriter>>) -> Option<(Self, Self)> {
        self.0.borrow_mut().attached = true;
        self.0.borrow_mut().has_direct = direct.is_some();
        Some((self.clone(), self))
    }
}

impl Outlet for Owner {
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool> {
        let mut owned = self.0.borrow_mut();
        assert!(batch.is_empty());
        if !owned.queued.is_empty() {
            std::mem::swap(&mut owned.queued, batch);
            return Poll::Ready(true);
        }
        if owned.done {
            return Poll::Ready(false);
        }
        owned.wakers.push(cx.waker().clone());
        Poll::Pending
    }

    fn poll_abort(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut owned = self.0.borrow_mut();
        if owned.aborted {
            return Poll::Ready(());
        }
        owned.wakers.push(cx.waker().clone());
        Poll::Pending
    }

    fn on_closed(&mut self, unsent: Outbox) {
        let previous = self.0.borrow_mut().unsent.replace(unsent);
        assert!(previous.is_none(), "closed once");
    }
}

impl Inlet<CountedDecoder> for Owner {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut owned = self.0.borrow_mut();
        if owned.gone {
            return Poll::Ready(false);
        }
        if owned.room == Some(0) {
            owned.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(true)
    }

    fn items(&mut self) -> &mut VecDeque<Vec<u8>> {
        &mut self.1
    }

    fn on_item(&mut self, (): ()) -> InletStatus {
        let item = self.1.pop_front().expect("it was put");
        let mut owned = self.0.borrow_mut();
        assert_ne!(owned.room, Some(0), "there was no room");
        owned.room = owned.room.map(|room| room - 1);
        let verdict = match () {
            () if item == b"forbidden" => return InletStatus::Violation,
            () if owned.room == Some(0) => InletStatus::Full,
            () => InletStatus::Ready,
        };
        owned.held.push(item);
        verdict
    }

    fn flush(&mut self) {
        let owned = &mut *self.0.borrow_mut();
        owned.received.append(&mut owned.held);
    }
}

/// Runs `body` on a runtime, to its end in time.
pub(crate) fn run(body: impl Future<Output = ()>) {
    let bounded = compio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(async { compio::time::timeout(2 * LIMIT, body).await });
    bounded.expect("it ends in time");
}

/// Lets the tasks run until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "not in time: {what}");
        settle(1).await;
    }
}

/// Lets the tasks run `n` times.
pub(crate) async fn settle(n: usize) {
    for _ in 0..n {
        monocoque_core::runtime::yield_now().await;
    }
}

/// How long a condition may take to come true. `scripts/tsan.sh` asks for patience.
const LIMIT: Duration = Duration::from_secs(if option_env!("MONOCOQUE_SLOW").is_some() { 200 } else { 10 });
