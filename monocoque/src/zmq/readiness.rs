//! Methods of every socket about readiness, and its descriptor.

/// The methods of readiness, for a type and for the trait.
macro_rules! readiness_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Returns whether a message can be received, and whether one can be sent, without waiting
        /// (`ZMQ_EVENTS`). Takes no message and no turn. Clears the [descriptor](Self::descriptor):
        /// it is readable again once the answer may have changed.
        ///
        /// *Readable* is a socket with a message for the application: messages that match no
        /// subscription of a SUB are removed and counted as discarded on the way; a REQ has the
        /// reply to its request; a REP has a request, and has answered the one before; an XPUB has
        /// a subscription to report, or a message. PUSH and PUB never are.
        ///
        /// *Writable* is a socket that queues or drops a small message at once. PULL and SUB never
        /// are. PUSH, DEALER, PAIR and REQ are while a peer, or the queue for the first peer, has
        /// room, and no other task waits for it; a REQ only while a request may be sent. A REP is
        /// while a request waits for its reply. PUB, XPUB and XSUB always are, and a ROUTER, as in
        /// libzmq: [`router_mandatory`](crate::zmq::Builder::router_mandatory) requires a peer with
        /// room, [`nodrop`](crate::zmq::Builder::nodrop) room for all peers. A STREAM
        /// is unless all its peers are full. A message can still have to wait: a large one, or one
        /// for a peer that is full while others are not.
        ///
        /// With several threads or tasks on one socket, another one may be faster: only
        /// [`WouldBlock`](crate::MonocoqueError::WouldBlock) or a message is certain.
        ///
        /// ```
        /// use monocoque::{Context, Events};
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// let context = Context::new()?;
        /// let (push, pull) = (PushSocket::new_in(&context)?, PullSocket::new_in(&context)?);
        /// assert_eq!(push.events()?, Events::NONE);
        /// push.blocking().connect(pull.blocking().bind("inproc://jobs")?)?;
        /// assert_eq!(push.events()?, Events::WRITABLE);
        /// push.try_send("a job")?;
        /// assert_eq!(pull.events()?, Events::READABLE);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn events(&self) -> Result<$crate::Events, $crate::MonocoqueError> {
            self.handle().engine().events()
        }

        /// Waits until a message can be received; for ever on a socket that does not receive.
        /// [`events`](Self::events) says what that means. Takes no message, and no turn of those
        /// that receive. Does not touch the [descriptor](Self::descriptor). Cancel safe.
        ///
        /// ```
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # compio::runtime::Runtime::new()?.block_on(async {
        /// use monocoque::zmq::{PullSocket, PushSocket};
        ///
        /// let (push, pull) = (PushSocket::new()?, PullSocket::new()?);
        /// push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
        /// push.send("a job").await?;
        /// pull.readable().await?;
        /// assert_eq!(&pull.try_recv()?[0], b"a job");
        /// # Ok(())
        /// # })
        /// # }
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn readable(&self) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().engine_unchecked().readable()
        }

        /// Waits until a message can be sent; for ever on a socket that does not send.
        /// [`events`](Self::events) says what that means. Sends nothing, and takes no turn of those
        /// that send. Does not touch the [descriptor](Self::descriptor). Cancel safe.
        ///
        /// ```
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # compio::runtime::Runtime::new()?.block_on(async {
        /// use monocoque::zmq::PushSocket;
        ///
        /// let push = PushSocket::new()?;
        /// push.connect("tcp://127.0.0.1:5557").await?;
        /// push.writable().await?;
        /// push.try_send("waits for the peer")?;
        /// # push.close_within(std::time::Duration::ZERO).await;
        /// # Ok(())
        /// # })
        /// # }
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Closed`](crate::MonocoqueError::Closed) once the socket is closed.
        $vis fn writable(&self) -> impl Future<Output = Result<(), $crate::MonocoqueError>> $(+ $auto)? {
            self.handle().engine_unchecked().writable()
        }

        /// Returns a descriptor for an event loop (`ZMQ_FD`): it becomes readable when
        /// [`events`](Self::events) may have changed. All handles of the socket share it, and it is
        /// the one of [`AsFd`](std::os::fd::AsFd) and [`AsRawFd`](std::os::fd::AsRawFd). It is open
        /// as long as a handle is, and not to be read or written.
        ///
        /// It is a hint. A loop waits for it to be readable, edge-triggered or not, then calls
        /// `events`, which clears it, and receives with `try_recv` until
        /// [`WouldBlock`](crate::MonocoqueError::WouldBlock), or sends. Then it may wait again; a
        /// loop that stops earlier calls `events` once more before it waits. No change is lost, and
        /// an idle socket never makes it readable. It is readable when it is made.
        ///
        /// Two loops that wait for one socket need a descriptor each, and the socket has one: give
        /// each loop sockets of its own, or use [`readable`](Self::readable).
        ///
        /// It is made at the first call. A socket without costs nothing for it.
        ///
        /// ```
        /// use std::os::fd::AsFd;
        /// use monocoque::Context;
        /// use monocoque::zmq::{PullSocket, PushSocket};
        /// use rustix::event::{PollFd, PollFlags, poll};
        ///
        /// let context = Context::new()?;
        /// let (push, pull) = (PushSocket::new_in(&context)?, PullSocket::new_in(&context)?);
        /// push.blocking().connect(pull.blocking().bind("tcp://127.0.0.1:0")?)?;
        /// push.blocking().send("a job")?;
        /// let descriptor = pull.descriptor()?;
        /// let job = loop {
        ///     if pull.events()?.is_readable() {
        ///         break pull.try_recv()?;
        ///     }
        ///     // Or epoll, or a library.
        ///     poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None)?;
        /// };
        /// assert_eq!(&job[0], b"a job");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::Readiness`](crate::MonocoqueError::Readiness) if there is no
        /// descriptor left. `as_fd` and `as_raw_fd`, which cannot fail, then return one that all
        /// such sockets of the process share: it is always readable, so that a loop is busy but
        /// misses nothing.
        $vis fn descriptor(&self) -> Result<std::os::fd::BorrowedFd<'_>, $crate::MonocoqueError> {
            self.handle().engine().descriptor()
        }
    };
}

/// Gives a socket type the traits of its descriptor.
macro_rules! descriptor {
    ($name:ident) => {
        /// The [`descriptor`](Self::descriptor) of the socket.
        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.handle().engine().descriptor_or_spare()
            }
        }

        /// The number of the [`descriptor`](Self::descriptor) of the socket.
        impl std::os::fd::AsRawFd for $name {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(self))
            }
        }
    };
}
