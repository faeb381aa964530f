//! One connection: a handshake, then two pumps that own the wire.
//!
//! ```text
//!             +--------------------- SocketActor::run --------------------------+
//!             |  handshake: write <- Protocol::advance <- read   (one deadline) |
//!             |                 | Established                                   |
//!             |     ConnectionHandler::on_established(peer) -> Outlet, Inlet    |
//!             |      /                                  \                       |
//!             |  write pump                          read pump                  |
//!   Outlet ---|-> poll_take -> encode -> write        read -> decode -> on_item |--> Inlet
//!             |      ^  replies (control lane) <----------- Decode::next        |
//!             +-----------------------------------------------------------------+
//! ```
//!
//! The pumps are two tasks on one thread. Neither is dropped while the kernel works for it: a pump
//! ends by shutting the stream down, which makes the operation of the other return. So bytes that
//! were read are not lost, none is written twice, and nothing that a user can cancel owns a read or
//! a write. The one exception is a handshake, which may be dropped: it has nothing to lose. The
//! read pump waits for one thing at a time; the write side serves all deadlines.

mod byte_counters;
mod channel;
mod in_flight;
mod input;
mod read_pump;
mod write_pump;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use compio::runtime::ResumeUnwind;

#[cfg(feature = "metrics")]
pub use byte_counters::ByteCounters;
pub use channel::{Channel, ChannelClosed, ChannelInlet, ChannelOutlet};
pub use in_flight::InFlight;

use crate::transport::{ByteStream, DirectWriter};
use crate::{Decode, Encode, Established, Outbox, Protocol, Question, Step, deadline, runtime};
use byte_counters::Traffic;
use input::{Input, SharedArena};
use read_pump::ReadPump;
use write_pump::{CLOSE_TIMEOUT, WritePump};

/// One connection, generic over its stream and its protocol.
///
/// ```no_run
/// # use monocoque_core::{actor::{Channel, SocketActor}, Decode, Protocol, Message};
/// # async fn connect<P>(protocol: P) -> std::io::Result<()>
/// # where
/// #     P: Protocol<Peer = (), Question = std::convert::Infallible>,
/// #     P::Decoder: Decode<Item = Message, Kind = ()>,
/// # {
/// let stream = compio::net::TcpStream::connect("127.0.0.1:5555").await?;
/// let channel = Channel::new();
/// let closed = SocketActor::new(stream, protocol).run(channel).await;
/// println!("connection ended: {closed:?}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SocketActor<S, P> {
    stream: S,
    protocol: P,
    handshake_timeout: Option<Duration>,
    traffic: Traffic,
}

/// The owner of a connection: it learns the outcome of the handshake, and provides both ends.
pub trait ConnectionHandler<P: Protocol>: Sized {
    /// The source of the write pump.
    type Outlet: Outlet;
    /// The destination of the read pump.
    type Inlet: Inlet<P::Decoder>;

    /// Answers a question of the handshake. The future is dropped when the handshake is over its
    /// deadline.
    fn answer(&self, question: P::Question) -> impl Future<Output = <P::Question as Question>::Answer>;

    /// Called when the handshake is done. `None` refuses the peer: the connection is closed.
    ///
    /// While the write pump waits in [`Outlet::poll_take`], and only then, whole messages may be
    /// written through `direct` instead of being handed to the pump. The bytes of a message that
    /// the kernel did not take must be the first that the pump takes. `direct` is `None` if
    /// messages [change their form](crate::Encode::is_identity) on the way to the wire.
    fn on_established(
        self,
        peer: P::Peer,
        direct: Option<Arc<dyn DirectWriter>>,
    ) -> Option<(Self::Outlet, Self::Inlet)>;

    /// Called when the handshake has failed. [`on_established`](Self::on_established) is not
    /// called.
    fn on_handshake_failed(self) {}
}

/// The source of a write pump: encoded messages.
pub trait Outlet: 'static {
    /// Moves the messages that wait into `batch`, which is empty.
    ///
    /// Ready with `false` when none is left and none will follow.
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool>;

    /// Called when the pump stops waiting although there was nothing to take: it has replies to
    /// write.
    ///
    /// Returns `false` if a direct write has begun a message, which must be completed first. The
    /// pump is woken to take it.
    fn unpark(&mut self) -> bool {
        true
    }

    /// Called when the kernel has taken a part of the batch.
    fn on_progress(&mut self) {}

    /// Called when the connection has been idle for a while, to release memory.
    fn on_idle(&mut self) {}

    /// Waits until the batch in flight, and with it the connection, is to be aborted. Default:
    /// never.
    fn poll_abort(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Returns true if all that the peer has sent is to be read after the last message went out.
    /// Default: false, only what comes within 200 ms is read.
    ///
    /// Reading ends after 16 MiB, or after a second without the time in which there is no room.
    fn drains_input(&self) -> bool {
        false
    }

    /// Called when the connection has ended. `unsent` holds the taken messages of which the kernel
    /// did not take every byte.
    fn on_closed(&mut self, unsent: Outbox);
}

/// The destination of a read pump: decoded items.
pub trait Inlet<D: Decode>: 'static {
    /// Waits until there is room for at least one item. Ready with `false` when the receiver is
    /// gone.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool>;

    /// Returns the queue that the decoder puts items into.
    fn items(&mut self) -> &mut VecDeque<D::Item>;

    /// Called for the item that was put last. It may be kept back until [`flush`](Self::flush).
    fn on_item(&mut self, kind: D::Kind) -> InletStatus;

    /// Called when all that was read so far has been decoded, or there is no more room.
    fn flush(&mut self);
}

/// The state of an [`Inlet`] after an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InletStatus {
    /// There is room for more.
    Ready,
    /// There is no more room.
    Full,
    /// The item breaks a rule: the connection is to be closed.
    Violation,
}

/// The reason why a connection ended.
#[derive(Debug)]
pub enum Closed<E> {
    /// The peer closed it.
    ByPeer,
    /// The peer closed it before it had sent anything.
    Probe,
    /// We closed it, with nothing left to send.
    ByUs,
    /// The stream failed.
    Io(io::Error),
    /// The peer broke the protocol or stayed silent.
    Protocol(E),
    /// The peer sent something that its counterpart cannot take.
    Violation,
    /// The handshake did not end in time.
    HandshakeTimeout,
    /// The handler refused the peer after the handshake.
    Refused,
}

impl<S: ByteStream, P: Protocol> SocketActor<S, P> {
    /// An actor for a connected stream.
    pub fn new(stream: S, protocol: P) -> Self {
        Self { stream, protocol, handshake_timeout: None, traffic: Traffic::default() }
    }

    /// Counts the bytes of the connection, without those of direct writes.
    #[cfg(feature = "metrics")]
    pub fn byte_counters(mut self, bytes: Arc<ByteCounters>) -> Self {
        self.traffic.bytes = bytes;
        self
    }

    /// Limits the time of the whole handshake. Default: no limit.
    pub fn handshake_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Runs the connection to its end.
    ///
    /// Dropping the future closes the connection at once and loses the messages in flight: let the
    /// [`Outlet`] end it instead.
    pub async fn run<H: ConnectionHandler<P>>(self, handler: H) -> Closed<P::Error> {
        let stream = self.stream.clone();
        let guard = ShutdownOnDrop(stream.clone());
        let closed = self.run_inner(handler).await;
        drop(guard);
        let _in_time = compio::time::timeout(CLOSE_TIMEOUT, stream.wait_shutdown()).await;
        closed
    }

    /// Runs the handshake and the pumps.
    async fn run_inner<H: ConnectionHandler<P>>(self, handler: H) -> Closed<P::Error> {
        let Self { stream, protocol, handshake_timeout, traffic } = self;
        let mut input = Input::new(stream.clone());
        let end = handshake_timeout.and_then(|timeout| deadline::after(Instant::now(), timeout));
        let handshake = handshake(stream.clone(), protocol, &mut input, &handler, end, &traffic);
        let established = with_handshake_timeout(handshake_timeout, &stream, handshake).await;
        let Established { peer, decoder, encoder } = match established {
            Ok(established) => established,
            Err(closed) => {
                handler.on_handshake_failed();
                return closed;
            }
        };
        let direct = if encoder.is_identity() { stream.direct_writer() } else { None };
        let Some((outlet, inlet)) = handler.on_established(peer, direct) else {
            return Closed::Refused;
        };
        let state = Rc::new(PumpState::new(input.memory(), traffic));
        let reader = ReadPump::new(stream.clone(), input, decoder, inlet, state.clone());
        let reader = compio::runtime::spawn(reader.run());
        WritePump::new(stream, encoder, outlet, state.clone()).run().await;
        reader.await.resume_unwind();
        state.reason.take().unwrap_or(Closed::ByUs)
    }
}

/// Shuts a stream down in the end, also if that is the end of the runtime: operations of the kernel
/// then return while their memory exists.
struct ShutdownOnDrop<S: ByteStream>(S);

impl<S: ByteStream> Drop for ShutdownOnDrop<S> {
    fn drop(&mut self) {
        self.0.shutdown(Shutdown::Both);
    }
}

/// Reads and writes in turn until the protocol is established. Its questions are answered between
/// a write and a read, and until `end`.
async fn handshake<S: ByteStream, P: Protocol>(
    mut stream: S,
    mut protocol: P,
    input: &mut Input<S>,
    handler: &impl ConnectionHandler<P>,
    end: Option<Instant>,
    traffic: &Traffic,
) -> Result<Established<P>, Closed<P::Error>> {
    let mut output = Outbox::new();
    let mut has_received = false;
    loop {
        let step = protocol.advance(&mut input.buffer, &mut output, Instant::now());
        let mut batch = InFlight::unencoded(std::mem::take(&mut output));
        while !batch.is_empty() {
            let write = stream.write(batch).await;
            traffic.add_sent(*write.0.as_ref().unwrap_or(&0));
            batch = match write_pump::apply_write_result(write) {
                (Ok(()), batch) => batch,
                (Err(error), _) => {
                    let closed = step.err().map(Closed::Protocol);
                    return Err(closed.unwrap_or_else(|| handshake_io_error(error, has_received)));
                }
            };
        }
        match step {
            Ok(Step::Established(established)) => return Ok(established),
            Ok(Step::NeedInput(next)) => protocol = next,
            Ok(Step::Ask(pending, question)) => {
                let left = end.map(|end| end.saturating_duration_since(Instant::now()));
                // Boxed: few handshakes ask, and all would be as large as what they wait for.
                let answer = Box::pin(runtime::within(left, handler.answer(question))).await;
                protocol = pending.resume(answer.ok_or(Closed::HandshakeTimeout)?);
                continue;
            }
            Err(error) => {
                stream.shutdown(Shutdown::Both);
                return Err(Closed::Protocol(error));
            }
        }
        match input.read(protocol.need()).await {
            Ok(0) if has_received => return Err(Closed::ByPeer),
            Ok(0) => return Err(Closed::Probe),
            Ok(n) => {
                traffic.add_received(n);
                has_received = true;
            }
            Err(error) => return Err(handshake_io_error(error, has_received)),
        }
    }
}

/// Returns the reason for a handshake whose stream has failed. A peer that closes it with our
/// greeting unread resets it.
fn handshake_io_error<E>(error: io::Error, has_received: bool) -> Closed<E> {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset if !has_received => Closed::Probe,
        _ => Closed::Io(error),
    }
}

/// Bounds `handshake` by one deadline, as [`runtime::within`]. It is not dropped but ended, by
/// shutting the stream down.
async fn with_handshake_timeout<S: ByteStream, T, E>(
    timeout: Option<Duration>,
    stream: &S,
    handshake: impl Future<Output = Result<T, Closed<E>>>,
) -> Result<T, Closed<E>> {
    let mut handshake = std::pin::pin!(handshake);
    if let Some(result) = runtime::within(timeout, handshake.as_mut()).await {
        return result;
    }
    stream.shutdown(Shutdown::Both);
    let _ended = handshake.await;
    Err(Closed::HandshakeTimeout)
}

/// The state that the two pumps of a connection share.
struct PumpState<E> {
    /// The memory of reads.
    memory: SharedArena,
    /// Memory is kept that an idle connection does not need: the write pump releases it later.
    has_spare_memory: Cell<bool>,
    /// The read pump is to release its memory as well, if it waits for room.
    shrink_reads: Cell<bool>,
    /// The control lane: replies of the decoder.
    replies: RefCell<Outbox>,
    /// The write pump, while it waits.
    writer: RefCell<Option<Waker>>,
    /// The read pump, while it waits for room.
    reader: RefCell<Option<Waker>>,
    /// The read pump has ended.
    read_ended: Cell<bool>,
    /// The write pump has ended, and the stream with it: no more bytes will arrive.
    write_ended: Cell<bool>,
    /// The reason of the first pump that failed. The other one meets the consequences.
    reason: Cell<Option<Closed<E>>>,
    /// The last time that bytes arrived; `None` while there is no room for more, and silence does
    /// not count.
    last_received: Cell<Option<Instant>>,
    /// The number of bytes that have arrived.
    received_bytes: Cell<u64>,
    traffic: Traffic,
}

impl<E> PumpState<E> {
    fn new(memory: SharedArena, traffic: Traffic) -> Self {
        Self {
            memory,
            has_spare_memory: Cell::new(false),
            shrink_reads: Cell::new(false),
            replies: RefCell::default(),
            writer: RefCell::default(),
            reader: RefCell::default(),
            read_ended: Cell::new(false),
            write_ended: Cell::new(false),
            reason: Cell::new(None),
            last_received: Cell::new(None),
            received_bytes: Cell::new(0),
            traffic,
        }
    }

    /// Sets the reason of the end, unless there is one.
    fn set_reason(&self, reason: Closed<E>) {
        let first = self.reason.take().unwrap_or(reason);
        self.reason.set(Some(first));
    }

    /// Notes that memory is kept, which the write pump releases once the connection is idle.
    fn note_spare_memory(&self) {
        if !self.has_spare_memory.replace(true) {
            self.wake_writer();
        }
    }

    fn wake_reader(&self) {
        let waker = self.reader.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake_writer(&self) {
        let waker = self.writer.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The size of a read or a batch from which on memory may be kept that an idle connection does not
/// need.
const BURST_BYTES: usize = 2 * 1024;
