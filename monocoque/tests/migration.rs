//! The calls in the guide's page about migration: each compiles as it is printed.
//!
//! The module `here` has the code of the right columns, compiled and never run. The test compares.

/// The pieces of code in the columns for this library, and the headings above them.
fn right_columns(page: &'static str) -> Vec<(&'static str, &'static str)> {
    let (mut heading, mut column, mut found) = ("", None, Vec::new());
    for line in page.lines() {
        if line.starts_with('#') {
            heading = line;
        }
        let Some(row) = line.strip_prefix('|') else {
            column = None;
            continue;
        };
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let ours =
            |cell: &&str| cell.starts_with("here") || ["`SocketEvent`", "`MonocoqueError`"].contains(cell);
        match column {
            None => column = Some(cells.iter().position(ours).expect("a column for this library")),
            Some(column) => {
                found.extend(cells[column].split('`').skip(1).step_by(2).map(|code| (heading, code)));
            }
        }
    }
    found
}

#[test]
fn migration_page_names_compiled_calls() {
    let without_space = |text: &str| text.split_whitespace().collect::<String>();
    let (_, code) = include_str!("migration.rs").split_once("mod here").expect("the module");
    let code = without_space(code);
    let calls = right_columns(include_str!("../docs/guide/migration.md"));
    assert!(calls.len() > 300, "found only {}", calls.len());
    let missing: Vec<_> = calls.iter().filter(|(_, call)| !code.contains(&without_space(call))).collect();
    assert!(missing.is_empty(), "not compiled by this file: {missing:#?}");
}

#[expect(dead_code, unused_variables, reason = "compiled, not run")]
mod here {
    use std::net::TcpListener;
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixStream;
    use std::str::from_utf8;
    use std::time::Duration;

    use bytes::Bytes;
    use futures::{SinkExt, StreamExt, select};
    use monocoque::security::{Allow, AuthReply, AuthRequest, CurveKeyPair, CurvePublicKey, CurveSecretKey};
    use monocoque::zmq::{
        Builder, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket,
        RouterSocket, SocketType, StreamSocket, SubSocket, XpubSocket, XsubSocket,
    };
    use monocoque::{
        AnySocket, Context, DisconnectReason, Endpoint, Events, Frame, Message, MonocoqueError, Peer,
        PollItem, Proxy, ReconnectStop, RouterNotify, RoutingId, SendError, SocketEvent, blocking_proxy,
        poll, proxy,
    };

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn options(
        ctx: Context,
        (name, text, username, password, value): (&str, &str, &str, &str, &str),
        (n, octet, count, bytes): (usize, u8, u32, u64),
        (t, d): (Option<Duration>, Duration),
        (endpoint, message): (Endpoint, Message),
        (secret_key, server_key): (CurveSecretKey, CurvePublicKey),
    ) -> Outcome {
        let dealer = DealerSocket::builder()
            .routing_id(name)
            .send_hwm(n)
            .recv_hwm(n)
            .send_timeout(t)
            .recv_timeout(t)
            .linger(t)
            .immediate(true)
            .conflate(true)
            .connect_timeout(t)
            .handshake_timeout(t)
            .reconnect_interval(d)
            .reconnect_interval_max(d)
            .reconnect_stop([ReconnectStop::ConnectionRefused])
            .heartbeat_interval(t)
            .heartbeat_timeout(d)
            .heartbeat_ttl(d)
            .max_message_size(bytes)
            .max_frames(n)
            .probe_router(true)
            .backlog(count)
            .send_buffer(n)
            .recv_buffer(n)
            .type_of_service(octet)
            .tcp_keepalive(true)
            .tcp_keepalive_idle(d)
            .tcp_keepalive_interval(d)
            .tcp_keepalive_count(count)
            .socks_proxy(endpoint)
            .ipv6(false)
            .metadata(name, value)
            .zap_domain(text)
            .zap_enforce_domain(true)
            .build_in(&ctx)?;
        RouterSocket::builder()
            .router_mandatory(true)
            .router_handover(true)
            .router_notify([RouterNotify::Connect]);
        StreamSocket::builder().stream_notify(false);
        ReqSocket::builder().req_relaxed(true).req_correlate(true);
        XpubSocket::builder()
            .xpub_verbose(true)
            .xpub_verboser(true)
            .xpub_welcome_msg(message)
            .xpub_manual(true)
            .xpub_manual_last_value(true)
            .invert_matching(true)
            .only_first_subscribe(true)
            .nodrop(true);
        PushSocket::builder().curve_client(secret_key, server_key);
        PullSocket::builder().plain_server();
        PushSocket::builder().plain_client(username, password);
        PullSocket::builder().zap_domain(text);
        PullSocket::builder().zap_domain("global");
        PullSocket::builder().authenticator(Allow::new());
        PushSocket::builder().reconnect_interval_max(Duration::ZERO);
        PushSocket::builder().connect_timeout(Some(d));
        DealerSocket::builder().routing_id(name).build()?;
        DealerSocket::builder().routing_id("name");
        DealerSocket::builder().send_hwm(n).build_in(&ctx)?;
        DealerSocket::builder().linger(Duration::ZERO).build_in(&ctx)?;
        Ok(())
    }

    async fn contexts(n: usize, context: Context) -> Outcome {
        let ctx = Context::new()?;
        Context::shared()?;
        Context::builder().io_threads(n).build()?;
        Context::builder().io_threads(2).build()?;
        DealerSocket::new()?;
        DealerSocket::new_in(&ctx)?;
        DealerSocket::new_in(&context)?;
        SubSocket::new_in(&ctx)?;
        ctx.shutdown().await;
        ctx.blocking_shutdown()?;
        context.blocking_shutdown()?;
        Ok(())
    }

    async fn endpoints(
        (socket, sock, router): (DealerSocket, DealerSocket, RouterSocket),
        (endpoint, name, listener): (&str, &str, TcpListener),
        (n, t): (usize, Option<Duration>),
    ) -> Outcome {
        let bound = socket.bind(endpoint).await?;
        let bound = socket.bind("tcp://127.0.0.1:0").await?;
        socket.connect(endpoint).await?;
        socket.unbind(endpoint).await?;
        socket.disconnect(endpoint).await?;
        socket.bind_fd(listener).await?;
        router.connect_as(endpoint, name).await?;
        socket.wait_for_peers(1).await?;
        socket.wait_for_peers(n).await?;
        socket.last_endpoint();
        socket.stats();
        socket.peer_count();
        socket.peers();
        socket.socket_type();
        socket.routing_id();
        socket.endpoints();
        socket.is_closed();
        socket.context();
        socket.set_linger(t);
        socket.set_linger(Duration::ZERO);
        socket.close_within(Duration::ZERO).await;
        socket.set_send_hwm(n);
        socket.set_recv_hwm(n);
        socket.monitor();
        sock.monitor();
        let other = socket.clone();
        socket.close().await;
        socket.blocking().bind(endpoint)?;
        socket.blocking().close()?;
        Ok(())
    }

    async fn sending(
        (socket, router, sock): (DealerSocket, RouterSocket, DealerSocket),
        (a, b, data, bytes): (Bytes, Bytes, &[u8], Bytes),
        (vec, parts, owner, message): (Vec<Bytes>, Vec<Frame>, Vec<u8>, Message),
        (other, n, d, peer): (Message, usize, Duration, RoutingId),
    ) -> Outcome {
        socket.send("text").await?;
        socket.send(data).await?;
        socket.send(String::from("text")).await?;
        socket.send(bytes).await?;
        socket.send(["a", "b"]).await?;
        socket.send(("topic", data)).await?;
        socket.send(["topic", "body"]).await?;
        socket.send([a, b]).await?;
        socket.send(parts).await?;
        socket.send(Message::new()).await?;
        socket.send(Message::from(vec)).await?;
        socket.send(Frame::from_static(b"text")).await?;
        socket.send(Bytes::from_owner(owner)).await?;
        socket.try_send(data)?;
        if let Err(error) = socket.try_send(data) {
            error.is_would_block();
            let message = error.into_message();
        }
        socket.send_timeout("text", d).await?;
        socket.flush().await?;
        socket.blocking().send("text")?;
        router.send_to(&peer, message).await?;
        let message = Message::new();
        socket.send_buffered(message).await?;
        router.send_to("worker", "text").await?;
        let mut sink = socket.sink();
        sink.feed("text").await?;
        sink.flush().await?;
        let mut message = Message::from(["a", "b"]);
        message.push_back("last");
        message.push_front("first");
        message.pop_front();
        message.split_front(n);
        message.split_off(n);
        message.append(&other);
        Ok(())
    }

    async fn receiving(
        (socket, router): (DealerSocket, RouterSocket),
        (t, name, property, max, n): (Duration, &str, &str, usize, usize),
    ) -> Outcome {
        let message = socket.recv().await?;
        let frame = &message[0];
        let size = message[0].len();
        message.get(0);
        message.get(1);
        for frame in &message {}
        message.str(0)?;
        message.len();
        message.to_vec();
        let copy = message.clone();
        let text = from_utf8(&message[0])?;
        let [a, b]: [Frame; 2] = message.try_into()?;
        let text = String::try_from(socket.recv().await?)?;
        if let Err(error) = socket.try_recv() {
            error.is_would_block();
            error.is_timeout();
            error.is_closed();
            error.kind();
        }
        socket.recv_timeout(t).await?;
        socket.blocking().recv()?;
        socket.blocking().recv_timeout(t)?;
        let mut messages = Vec::new();
        socket.recv_batch(&mut messages, max).await?;
        socket.recv_batch(&mut messages, n).await?;
        let (message, peer) = socket.recv_with_peer().await?;
        let peer: &Peer = &peer;
        peer.address();
        peer.socket_type();
        peer.routing_id();
        peer.user_id();
        peer.property(name);
        let (peer, message) = router.recv_from().await?;
        let mut stream = socket.stream();
        stream.next().await;
        Ok(())
    }

    async fn patterns(
        (sub, xpub, publisher, req, rep): (SubSocket, XpubSocket, PubSocket, ReqSocket, RepSocket),
        (xsub, pair, stream): (XsubSocket, PairSocket, StreamSocket),
        (topic, message, n): (&str, Message, usize),
        (f, b, c): (RouterSocket, DealerSocket, PubSocket),
        (frontend, backend): (RouterSocket, DealerSocket),
    ) -> Outcome {
        sub.subscribe(topic)?;
        sub.unsubscribe(topic)?;
        sub.subscribe("topic")?;
        sub.unsubscribe("topic")?;
        sub.subscribe("10001 ")?;
        xpub.subscribe(topic)?;
        publisher.wait_for_subscriptions(n).await?;
        let reply = req.request(message).await?;
        let request = rep.recv().await?;
        rep.send(request).await?;
        pair.connect("inproc://name").await?;
        proxy(&f, &b).await?;
        proxy(&frontend, &backend).await?;
        blocking_proxy(&f, &b)?;
        Proxy::new(&f, &b).run().await?;
        Proxy::new(&f, &b).capture(&c).run().await?;
        let broker = Proxy::new(&f, &b);
        let control = broker.control();
        control.pause();
        control.resume();
        control.terminate();
        control.stats();
        Ok(())
    }

    async fn readiness((socket, fd, timeout): (DealerSocket, UnixStream, Duration)) -> Outcome {
        socket.descriptor()?;
        socket.as_fd();
        socket.as_raw_fd();
        let events = socket.events()?;
        events.is_readable();
        events.is_writable();
        socket.readable().await?;
        let item = PollItem::descriptor(&fd, Events::WRITABLE);
        let mut items =
            [PollItem::socket(&socket, Events::READABLE), PollItem::descriptor(&fd, Events::READABLE)];
        poll(&mut items, timeout)?;
        items[0].is_readable();
        items[0].has_error();
        Ok(())
    }

    async fn waits_for_several(one: PullSocket, other: SubSocket) -> Outcome {
        let (mut jobs, mut news) = (one.stream(), other.stream());
        select! {
            job = jobs.next() => drop(job),
            event = news.next() => drop(event),
        }
        Ok(())
    }

    fn server(secret_key: CurveSecretKey) {
        PullSocket::builder().curve_server(secret_key);
    }

    fn security(
        (secret_key, key): (CurveSecretKey, CurvePublicKey),
        (secret, text, directory): ([u8; 32], &str, &str),
    ) -> Outcome {
        let keys = CurveKeyPair::generate();
        keys.secret.to_z85();
        let secret = CurveSecretKey::from_bytes(secret);
        let public = CurveKeyPair::from(secret).public;
        secret_key.public_key();
        key.to_string();
        secret_key.to_z85();
        text.parse::<CurvePublicKey>()?;
        text.parse::<CurveSecretKey>()?;
        Allow::new().addresses(["10.0.0.1"])?.deny_addresses(["10.0.0.2"])?;
        Allow::new().passwords([("anna", "s3cret")]);
        Allow::new().key_directory(directory);
        Allow::new().any_key();
        PullSocket::builder().authenticator(async |request: AuthRequest| AuthReply::allow());
        Ok(())
    }

    fn any_type(ctx: Context, socket_type: SocketType, n: usize) -> Outcome {
        let socket = AnySocket::new_in(socket_type, &ctx)?;
        let change = |options: Builder<AnySocket>| options.send_hwm(n);
        socket.reconfigure(change)?;
        socket.options().send_hwm();
        Ok(())
    }

    fn failures(error: &MonocoqueError) {
        use MonocoqueError::*;
        match error {
            WouldBlock | TimedOut | OutOfTurn(_) | Unreachable | Closed => {}
            Io { .. } | Endpoint(_) | Descriptor(_) | Thread(_) | Readiness(_) | Interrupted => {}
            RoutingId(_) | ReservedRoutingId | DuplicateRoutingId | HeartbeatTtl => {}
            InterfaceName(_) | OutOfRange { .. } | Security(_) | Unsupported { .. } => {}
            UnknownEndpoint(_) | UnknownPeer(_) | WrongThread | WouldDeadlock | NoRuntime => {}
            EmptyMessage | RawInproc | ManualModeRequired => {}
            _ => {}
        }
    }

    fn parts(error: SendError) -> (MonocoqueError, Message) {
        error.into_parts()
    }

    fn events(event: SocketEvent) {
        use SocketEvent::*;
        match event {
            Listening { .. } | BindFailed { .. } | Accepted { .. } | AcceptFailed { .. } => {}
            Connected { .. } | ConnectFailed { .. } | Retrying { .. } | GivenUp { .. } => {}
            HandshakeSucceeded { .. } | Unbound { .. } | Closed => {}
            HandshakeFailed { reason, .. } | Disconnected { reason, .. } => match reason {
                DisconnectReason::Denied(status) => {}
                DisconnectReason::Refused { .. } => {}
                _ => {}
            },
            MessageDropped { .. } | TaskPanicked { .. } => {}
            Lagged(n) => {}
            _ => {}
        }
    }
}
