//! One connection: a handshake, then two pumps that own the wire.
//!
//! ```text
//!             +--------------------- SocketActor::run --------------------------+
//!             |  handshake: write <- Protocol::advance <- read   (one deadline) |
//!             |                 | Established                                   |
//!             |        Attach::attach(peer) -> Outlet, Inlet                    |
//!             |      /                                  \                       |
//!             |  write pump                          read pump                  |
//!   Outlet ---|-> poll_take -> encode -> write        read -> decode -> accept --|--> Inlet
//!             |      ^  replies (control lane) <----------- Decode::next        |
//!             +-----------------------------------------------------------------+
//! ```
//!
//! The pumps are two tasks on one thread. Neither is ever dropped while the kernel works for it: a pump ends by shutting
//! the stream down, which makes the operation of the other return. So nothing that was read is lost, nothing is written
//! twice, and nothing that a user can cancel owns a read or a write. The read pump waits for one thing at a time; all
//! deadlines are served by the write side.

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

pub use channel::{Link, LinkClosed, LinkInlet, LinkOutlet};
pub use in_flight::InFlight;

use crate::transport::{Socket, WriteNow};
use crate::{Decode, Encode, Established, Outbox, Protocol, Step, runtime};
use input::{Input, SharedArena};
use read_pump::ReadPump;
use write_pump::{FAREWELL, WritePump};

/// One connection, generic over its stream and its protocol.
///
/// ```no_run
/// # use monocoque_core::{actor::{Link, SocketActor}, Decode, Protocol, Message};
/// # async fn connect<P>(protocol: P) -> std::io::Result<()>
/// # where
/// #     P: Protocol<Peer = ()>,
/// #     P::Decoder: Decode<Item = Message, Kind = ()>,
/// # {
/// let stream = compio::net::TcpStream::connect("127.0.0.1:5555").await?;
/// let link = Link::new();
/// let closed = SocketActor::new(stream, protocol).run(link).await;
/// println!("connection ended: {closed:?}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SocketActor<S, P> {
    stream: S,
    protocol: P,
    handshake_timeout: Option<Duration>,
}

/// Who owns a connection: is told that the handshake is done, and says where messages come from and go to.
pub trait Attach<P: Protocol>: Sized {
    /// Where the write pump takes from.
    type Outlet: Outlet;
    /// Where the read pump delivers to.
    type Inlet: Inlet<P::Decoder>;

    /// The handshake is done. `None` refuses the peer: the connection is closed.
    ///
    /// While the write pump waits in [`Outlet::poll_take`], and only then, whole messages may be written through `direct`
    /// instead of being handed to it. What the system did not take of one is to be the first that the pump takes. There is
    /// none if messages go over the wire in [another form](crate::Encode::is_identity) than they are queued in.
    fn attach(self, peer: P::Peer, direct: Option<Arc<dyn WriteNow>>) -> Option<(Self::Outlet, Self::Inlet)>;

    /// The handshake has failed: there will be nothing to attach.
    fn fail(self) {}
}

/// Where a write pump takes encoded messages from.
pub trait Outlet: 'static {
    /// Moves what waits into `batch`, which is empty.
    ///
    /// Ready with `false` when nothing is left and nothing will follow.
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool>;

    /// The pump waits no longer, although there was nothing to take: it has replies to write.
    ///
    /// `false` if a message was begun meanwhile, which is to be ended first: then the pump will be woken to take it.
    fn unpark(&mut self) -> bool {
        true
    }

    /// The system has taken a part of the batch.
    fn on_progress(&mut self) {}

    /// The connection has been quiet for a while: memory that is kept for more to send is let go.
    fn rest(&mut self) {}

    /// Waits until what is being written is to be given up, and with it the connection. Default: never.
    fn poll_abort(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// True if all that the peer has sent is to be read, although nothing more goes out to it. Default: false, only what
    /// comes within 200 ms is. Reading ends after 16 MiB, or a second beside waiting for room.
    fn awaits_rest(&self) -> bool {
        false
    }

    /// The connection has ended; `unsent` holds the messages, of those taken, of which the kernel did not take every byte.
    fn close(&mut self, unsent: Outbox);
}

/// Where a read pump delivers to.
pub trait Inlet<D: Decode>: 'static {
    /// Waits until at least one item can be [accepted](Self::accept). `false` when nobody will receive any more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool>;

    /// Where the decoder puts items.
    fn items(&mut self) -> &mut VecDeque<D::Item>;

    /// Takes the item that was put last. It may be held back until [`flush`](Self::flush).
    fn accept(&mut self, kind: D::Kind) -> Accepted;

    /// All that was read so far has been decoded, or there is no more room.
    fn flush(&mut self);
}

/// What an [`Inlet`] says to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// There is room for more.
    More,
    /// That was the last one for now.
    Full,
    /// The item breaks a rule: the connection is to be closed.
    Violation,
}

/// Why a connection ended.
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
    /// The owner refused the peer after the handshake.
    Refused,
}

impl<S: Socket, P: Protocol> SocketActor<S, P> {
    /// An actor for a connected stream.
    pub fn new(stream: S, protocol: P) -> Self {
        Self { stream, protocol, handshake_timeout: None }
    }

    /// Ends the connection if the whole handshake takes longer than `timeout`. Default: no limit.
    pub fn handshake_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Runs the connection to its end.
    ///
    /// Dropping the future closes the connection at once and loses what is in flight; ask the [`Outlet`] to end instead.
    pub async fn run<A: Attach<P>>(self, owner: A) -> Closed<P::Error> {
        let stream = self.stream.clone();
        let down = ShutDown(stream.clone());
        let closed = self.converse(owner).await;
        drop(down);
        let _in_time = compio::time::timeout(FAREWELL, stream.finish()).await;
        closed
    }

    /// From the handshake until neither end says anything more.
    async fn converse<A: Attach<P>>(self, owner: A) -> Closed<P::Error> {
        let Self { stream, protocol, handshake_timeout } = self;
        let mut input = Input::new(stream.clone());
        let handshake = handshake(stream.clone(), protocol, &mut input);
        let Established { peer, decoder, encoder } = match within(handshake_timeout, &stream, handshake).await
        {
            Ok(established) => established,
            Err(closed) => {
                owner.fail();
                return closed;
            }
        };
        let direct = if encoder.is_identity() { stream.direct() } else { None };
        let Some((outlet, inlet)) = owner.attach(peer, direct) else {
            return Closed::Refused;
        };
        let shared = Rc::new(Shared::new(input.memory()));
        let reader = ReadPump::new(stream.clone(), input, decoder, inlet, shared.clone());
        let reader = compio::runtime::spawn(reader.run());
        WritePump::new(stream, encoder, outlet, shared.clone()).run().await;
        reader.await.resume_unwind();
        shared.reason.take().unwrap_or(Closed::ByUs)
    }
}

/// Shuts a stream down at the end, also if that is the end of the runtime: what the kernel does for it then returns while
/// its memory is there.
struct ShutDown<S: Socket>(S);

impl<S: Socket> Drop for ShutDown<S> {
    fn drop(&mut self) {
        self.0.shutdown(Shutdown::Both);
    }
}

/// Reads and writes in turn until the protocol says that it is established.
async fn handshake<S: Socket, P: Protocol>(
    mut stream: S,
    mut protocol: P,
    input: &mut Input<S>,
) -> Result<Established<P>, Closed<P::Error>> {
    let mut output = Outbox::new();
    let mut heard = false;
    loop {
        let step = protocol.advance(&mut input.buffer, &mut output, Instant::now());
        let mut batch = InFlight::as_it_is(std::mem::take(&mut output));
        while !batch.is_empty() {
            let write = stream.write(batch).await;
            batch = match write_pump::settle(write) {
                (Ok(()), batch) => batch,
                (Err(error), _) => {
                    return Err(step.err().map_or_else(|| ended(error, heard), Closed::Protocol));
                }
            };
        }
        match step {
            Ok(Step::Established(established)) => return Ok(established),
            Ok(Step::NeedInput(next)) => protocol = next,
            Err(error) => {
                stream.shutdown(Shutdown::Both);
                return Err(Closed::Protocol(error));
            }
        }
        match input.read(protocol.need()).await {
            Ok(0) if heard => return Err(Closed::ByPeer),
            Ok(0) => return Err(Closed::Probe),
            Ok(_) => heard = true,
            Err(error) => return Err(ended(error, heard)),
        }
    }
}

/// Why a handshake ends whose stream has failed. One that a peer closes with our greeting unread is reset.
fn ended<E>(error: io::Error, heard: bool) -> Closed<E> {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset if !heard => Closed::Probe,
        _ => Closed::Io(error),
    }
}

/// Bounds `handshake` by one deadline, as [`runtime::within`]. It is not dropped but ended, by shutting the stream down.
async fn within<S: Socket, T, E>(
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

/// What the two pumps of a connection say to each other.
struct Shared<E> {
    /// The memory that large reads go into.
    memory: SharedArena,
    /// Memory is kept, and the write pump lets go of it when the connection has been quiet for a while.
    tidies: Cell<bool>,
    /// The read pump lets go of memory as well, if it waits for room.
    rests: Cell<bool>,
    /// The control lane: replies that the decoder has put out.
    replies: RefCell<Outbox>,
    /// The write pump, while it waits.
    writer: RefCell<Option<Waker>>,
    /// The read pump, while it waits for room.
    reader: RefCell<Option<Waker>>,
    /// The read pump has ended.
    read_ended: Cell<bool>,
    /// The write pump has ended, and the stream with it: what has arrived is all there will be.
    write_ended: Cell<bool>,
    /// Why the connection ends: what the first of the two to fail has met. The other one meets the consequences.
    reason: Cell<Option<Closed<E>>>,
    /// When bytes last arrived; `None` while the owner holds the peer back.
    heard: Cell<Option<Instant>>,
    /// How many bytes have arrived.
    arrived: Cell<u64>,
}

impl<E> Shared<E> {
    fn new(memory: SharedArena) -> Self {
        Self {
            memory,
            tidies: Cell::new(false),
            rests: Cell::new(false),
            replies: RefCell::default(),
            writer: RefCell::default(),
            reader: RefCell::default(),
            read_ended: Cell::new(false),
            write_ended: Cell::new(false),
            reason: Cell::new(None),
            heard: Cell::new(None),
            arrived: Cell::new(0),
        }
    }

    fn end(&self, reason: Closed<E>) {
        let first = self.reason.take().unwrap_or(reason);
        self.reason.set(Some(first));
    }

    /// Memory is kept, of which the write pump lets go when the connection has been quiet for a while.
    fn note_kept(&self) {
        if !self.tidies.replace(true) {
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

/// How much a read or a batch has at least after which memory may be kept that a quiet connection does not need.
const BURST: usize = 2 * 1024;
