//! Calls that park the thread, for programs without an executor.
//!
//! Each does the same as the call of that name without `blocking_`. There is a macro with the
//! methods of each capability, for the types that have it (`pub fn`) and for the trait (`fn`).

macro_rules! blocking_socket_methods {
    ($vis:vis fn) => {
        /// [`bind`](Self::bind), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `bind`; [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on
        /// the thread that runs the connections.
        $vis fn blocking_bind<E>(
            &self,
            endpoint: E,
        ) -> Result<$crate::Endpoint, $crate::MonocoqueError>
        where
            E: TryInto<$crate::Endpoint>,
            $crate::MonocoqueError: From<E::Error>,
        {
            self.handle().block_on(self.handle().bind(endpoint))
        }

        /// [`connect`](Self::connect), for threads without an executor. Returns at once, on any
        /// thread.
        ///
        /// # Errors
        ///
        /// As `connect`.
        $vis fn blocking_connect<E>(
            &self,
            endpoint: E,
        ) -> Result<$crate::Endpoint, $crate::MonocoqueError>
        where
            E: TryInto<$crate::Endpoint>,
            $crate::MonocoqueError: From<E::Error>,
        {
            $crate::endpoint::connect::connect(self.handle().engine(), endpoint.try_into()?, None)
        }

        /// [`unbind`](Self::unbind), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `unbind`; [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on
        /// the thread that runs the connections.
        $vis fn blocking_unbind<E>(&self, endpoint: E) -> Result<(), $crate::MonocoqueError>
        where
            E: TryInto<$crate::Endpoint>,
            $crate::MonocoqueError: From<E::Error>,
        {
            self.handle().block_on(self.handle().unbind(endpoint))
        }

        /// [`disconnect`](Self::disconnect), for threads without an executor. Returns at once, on
        /// any thread.
        ///
        /// # Errors
        ///
        /// As `disconnect`.
        $vis fn blocking_disconnect<E>(&self, endpoint: E) -> Result<(), $crate::MonocoqueError>
        where
            E: TryInto<$crate::Endpoint>,
            $crate::MonocoqueError: From<E::Error>,
        {
            $crate::endpoint::connect::disconnect(self.handle().engine(), &endpoint.try_into()?)
        }

        /// [`wait_for_peers`](Self::wait_for_peers), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `wait_for_peers`;
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections.
        $vis fn blocking_wait_for_peers(&self, n: usize) -> Result<(), $crate::MonocoqueError> {
            self.handle().block_on(self.wait_for_peers(n))
        }

        /// [`close`](Self::close), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections; the socket is not closed then.
        $vis fn blocking_close(&self) -> Result<(), $crate::MonocoqueError> {
            self.handle().block_on(async { Ok(self.close().await) })
        }

        /// [`close_within`](Self::close_within), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::Context;
        /// use monocoque::zmq::PushSocket;
        ///
        /// let push = PushSocket::new_in(&Context::new()?)?;
        /// assert_eq!(push.blocking_close_within(Duration::from_secs(1))?, 0);
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections; the socket is not closed then.
        $vis fn blocking_close_within(
            &self,
            limit: std::time::Duration,
        ) -> Result<u64, $crate::MonocoqueError> {
            self.handle().block_on(async { Ok(self.close_within(limit).await) })
        }
    };
}

macro_rules! blocking_send_methods {
    ($vis:vis fn) => {
        /// [`send`](Self::send), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::Context;
        /// use monocoque::zmq::PushSocket;
        ///
        /// let context = Context::new()?;
        /// let limit = Duration::from_millis(10);
        /// let push = PushSocket::builder().send_timeout(Some(limit)).build_in(&context)?;
        /// let error = push.blocking_send("no peer").unwrap_err();
        /// assert!(error.reason().is_timeout());
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// Gives the message back, as `send`; with
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections.
        $vis fn blocking_send<M: Into<$crate::Message>>(
            &self,
            message: M,
        ) -> Result<(), $crate::SendError> {
            self.handle().block_on_send(message, |engine, message| engine.send(None, message))
        }

        /// [`send_timeout`](Self::send_timeout), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::Context;
        /// use monocoque::zmq::PushSocket;
        ///
        /// let push = PushSocket::new_in(&Context::new()?)?;
        /// let limit = Duration::from_millis(10);
        /// let error = push.blocking_send_timeout("no peer", limit).unwrap_err();
        /// assert!(error.reason().is_timeout());
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// As [`blocking_send`](Self::blocking_send).
        $vis fn blocking_send_timeout<M: Into<$crate::Message>>(
            &self,
            message: M,
            timeout: std::time::Duration,
        ) -> Result<(), $crate::SendError> {
            self.handle().block_on_send(message, |engine, message| engine.send_within(timeout, message))
        }

        /// [`flush`](Self::flush), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `flush`; [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on
        /// the thread that runs the connections.
        $vis fn blocking_flush(&self) -> Result<(), $crate::MonocoqueError> {
            self.handle().block_on(self.flush())
        }
    };
}

macro_rules! blocking_recv_methods {
    ($vis:vis fn) => {
        /// [`recv`](Self::recv), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// ```
        /// use monocoque::MonocoqueError;
        /// use monocoque::zmq::PullSocket;
        ///
        /// # compio::runtime::Runtime::new().unwrap().block_on(async {
        /// let pull = PullSocket::new()?; // its connections live on this thread
        /// assert!(matches!(pull.blocking_recv(), Err(MonocoqueError::WouldDeadlock)));
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// # }).unwrap();
        /// ```
        ///
        /// # Errors
        ///
        /// As `recv`; [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on
        /// the thread that runs the connections.
        $vis fn blocking_recv(&self) -> Result<$crate::Message, $crate::MonocoqueError> {
            self.handle().block_on(self.recv())
        }

        /// [`recv_timeout`](Self::recv_timeout), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// ```
        /// use std::time::Duration;
        /// use monocoque::Context;
        /// use monocoque::zmq::PullSocket;
        ///
        /// let pull = PullSocket::new_in(&Context::new()?)?;
        /// let error = pull.blocking_recv_timeout(Duration::from_millis(10)).unwrap_err();
        /// assert!(error.is_timeout());
        /// # Ok::<(), monocoque::MonocoqueError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// As [`blocking_recv`](Self::blocking_recv), and
        /// [`MonocoqueError::TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn blocking_recv_timeout(
            &self,
            timeout: std::time::Duration,
        ) -> Result<$crate::Message, $crate::MonocoqueError> {
            self.handle().block_on(self.recv_timeout(timeout))
        }

        /// [`recv_with_peer`](Self::recv_with_peer), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `recv_with_peer`;
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections.
        $vis fn blocking_recv_with_peer(
            &self,
        ) -> Result<($crate::Message, std::sync::Arc<$crate::Peer>), $crate::MonocoqueError> {
            self.handle().block_on(self.recv_with_peer())
        }

        /// [`recv_batch`](Self::recv_batch), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `recv_batch`; [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock)
        /// on the thread that runs the connections.
        $vis fn blocking_recv_batch(
            &self,
            messages: &mut Vec<$crate::Message>,
            max: usize,
        ) -> Result<usize, $crate::MonocoqueError> {
            self.handle().block_on(self.recv_batch(messages, max))
        }
    };
}

macro_rules! blocking_by_id_methods {
    ($vis:vis fn) => {
        /// [`recv_from`](Self::recv_from), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `recv_from`; [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock)
        /// on the thread that runs the connections.
        $vis fn blocking_recv_from(
            &self,
        ) -> Result<($crate::RoutingId, $crate::Message), $crate::MonocoqueError> {
            self.handle().block_on(self.recv_from())
        }

        /// [`send_to`](Self::send_to), for threads without an executor: a
        /// [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// Gives the message back, as `send_to`; with
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections.
        $vis fn blocking_send_to<M: Into<$crate::Message>>(
            &self,
            peer: &$crate::RoutingId,
            message: M,
        ) -> Result<(), $crate::SendError> {
            self.handle().block_on_send(message, |engine, message| engine.send(Some(peer), message))
        }

        /// [`connect_as`](Self::connect_as), for threads without an executor. Returns at once, on
        /// any thread.
        ///
        /// # Errors
        ///
        /// As `connect_as`.
        $vis fn blocking_connect_as<E, I>(
            &self,
            endpoint: E,
            routing_id: I,
        ) -> Result<$crate::Endpoint, $crate::MonocoqueError>
        where
            E: TryInto<$crate::Endpoint>,
            I: TryInto<$crate::RoutingId>,
            $crate::MonocoqueError: From<E::Error> + From<I::Error>,
        {
            monocoque_core::block_on(self.handle().connect_as(endpoint, routing_id))
        }
    };
}

macro_rules! blocking_publish_methods {
    ($vis:vis fn) => {
        /// [`wait_for_subscriptions`](Self::wait_for_subscriptions), for threads without an
        /// executor: a [blocking call](crate::zmq#blocking-calls).
        ///
        /// # Errors
        ///
        /// As `wait_for_subscriptions`;
        /// [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) on the thread
        /// that runs the connections.
        $vis fn blocking_wait_for_subscriptions(
            &self,
            n: usize,
        ) -> Result<(), $crate::MonocoqueError> {
            self.handle().block_on(self.wait_for_subscriptions(n))
        }
    };
}
