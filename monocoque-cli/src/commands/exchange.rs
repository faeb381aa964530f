//! `mq dealer`, `mq pair`, `mq router`, `mq xpub` and `mq xsub`: sending and receiving at once.

use std::cell::Cell;
use std::pin::pin;
use std::time::{Duration, Instant};

use compio::time::sleep_until;
use futures_lite::future::{or, pending};
use futures_util::future::{Either, select};
use monocoque::zmq::{Builder, SocketType};
use monocoque::{AnySocket, Message};

use super::receive::{Receiver, Stopped};
use super::{NOT_TAKEN, send, topics};
use crate::args::{DealerArgs, ExchangeArgs, RouterArgs, XpubArgs, XsubArgs};
use crate::error::Error;
use crate::format::FirstFrame;
use crate::input::{Extent, Input};
use crate::progress::Progress;
use crate::session::{Env, Session};

pub(super) async fn dealer(args: &DealerArgs, env: &Env) -> Result<(), Error> {
    let DealerArgs { exchange: args, conflate } = args;
    let input = Input::open(&args.input, &args.format, FirstFrame::Plain, Extent::default())?;
    let tune = |builder: Builder<AnySocket>| builder.recv_timeout(None).conflate(*conflate);
    let session = Session::open(SocketType::Dealer, &args.connection, env, tune).await?;
    if *conflate {
        session.expect_drops();
    }
    exchange(session, input, open(args, FirstFrame::Plain, env), args, NOT_TAKEN).await
}

pub(super) async fn pair(args: &ExchangeArgs, env: &Env) -> Result<(), Error> {
    both_ways(SocketType::Pair, args, env, |builder| builder, NOT_TAKEN).await
}

pub(super) async fn xpub(args: &XpubArgs, env: &Env) -> Result<(), Error> {
    let tune = |builder: Builder<AnySocket>| {
        let builder = builder.nodrop(args.drops.nodrop).xpub_verbose(args.xpub_verbose);
        let builder = if args.xpub_verboser { builder.xpub_verboser(true) } else { builder };
        match &args.xpub_welcome_msg {
            Some(text) => builder.xpub_welcome_msg(text.clone()),
            None => builder,
        }
    };
    both_ways(
        SocketType::Xpub,
        &args.exchange,
        env,
        tune,
        "subscribers had no room or were lost; see --nodrop",
    )
    .await
}

pub(super) async fn xsub(args: &XsubArgs, env: &Env) -> Result<(), Error> {
    let XsubArgs { exchange: args, subscribe } = args;
    topics::warn_of_wildcards(subscribe);
    let input = Input::open(&args.input, &args.format, FirstFrame::Plain, Extent::default())?;
    let tune = |builder: Builder<AnySocket>| builder.recv_timeout(None);
    let session = Session::open(SocketType::Xsub, &args.connection, env, tune).await?;
    subscribe.iter().try_for_each(|topic| session.socket.subscribe(topic))?;
    let receiver = open(args, FirstFrame::Plain, env);
    exchange(session, input, receiver, args, NOT_TAKEN).await
}

pub(super) async fn router(args: &RouterArgs, env: &Env) -> Result<(), Error> {
    let RouterArgs { exchange: args, reply, router_mandatory, router_handover } = args;
    let tune = |builder: Builder<AnySocket>| builder.router_handover(*router_handover);
    if reply.echo {
        return send_back(Session::open(SocketType::Router, &args.connection, env, tune).await?, args, env)
            .await;
    }
    let tune = |builder| tune(builder).recv_timeout(None).router_mandatory(*router_mandatory);
    route(Session::open(SocketType::Router, &args.connection, env, tune), args, env).await
}

/// Exchanges messages of which no frame is a routing id.
async fn both_ways(
    socket_type: SocketType,
    args: &ExchangeArgs,
    env: &Env,
    tune: impl FnOnce(Builder<AnySocket>) -> Builder<AnySocket>,
    why_lost: &'static str,
) -> Result<(), Error> {
    let input = Input::open(&args.input, &args.format, FirstFrame::Plain, Extent::default())?;
    let tune = |builder| tune(builder).recv_timeout(None);
    let session = Session::open(socket_type, &args.connection, env, tune).await?;
    let receiver = open(args, FirstFrame::Plain, env);
    exchange(session, input, receiver, args, why_lost).await
}

/// Exchanges messages whose first frame is a routing id.
pub(super) async fn route(
    session: impl Future<Output = Result<Session, Error>>,
    args: &ExchangeArgs,
    env: &Env,
) -> Result<(), Error> {
    let input = Input::open(&args.input, &args.format, FirstFrame::RoutingId, Extent::default())?;
    let session = session.await?;
    let receiver = open(args, FirstFrame::RoutingId, env);
    exchange(session, input, receiver, args, NOT_THERE).await
}

/// Sends each message back to its sender.
pub(super) async fn send_back(session: Session, args: &ExchangeArgs, env: &Env) -> Result<(), Error> {
    let mut receiver = open(args, FirstFrame::RoutingId, env);
    let back = async |message: &Message| session.send(message.clone()).await;
    let work = async { receiver.receive(&session, back).await.map(drop) };
    let done = session.until_interrupted(work, || args.count.is_none()).await;
    receiver.finish(session.close(done, NOT_THERE).await).await
}

pub(super) fn open(args: &ExchangeArgs, first: FirstFrame, env: &Env) -> Receiver {
    Receiver::new(&args.output, &args.format, first, args.count, env)
}

pub(super) async fn exchange(
    session: Session,
    input: Input,
    mut receiver: Receiver,
    args: &ExchangeArgs,
    why_lost: &'static str,
) -> Result<(), Error> {
    let front = receiver.connection().cloned();
    let (last_received, silent, all_sent) =
        (Cell::new(Instant::now()), Cell::new(false), Cell::new(args.input.repeat));
    let sending = async {
        send::wait_for_peers(&session, args.input.wait_for_peers).await?;
        let sent = send::send_all(&session, input, front.as_ref(), &Progress::none()).await;
        // The timeout does not run while there is input to send.
        last_received.set(Instant::now());
        all_sent.set(sent.is_ok());
        sent
    };
    let receiving = receiver.receive(&session, async |_| {
        last_received.set(Instant::now());
        Ok(())
    });
    let silence = async {
        match session.timeout {
            Some(limit) => wait_for_silence(&last_received, limit).await,
            None => pending().await,
        }
        silent.set(true);
    };
    let mut done = session
        .until_interrupted(both(sending, receiving, silence), || all_sent.get() && args.count.is_none())
        .await;
    if done.is_ok() {
        done = receiver.check_connection();
    }
    if silent.get() && !receiver.is_content() {
        done = Err(session.timed_out("nothing was received"));
    }
    receiver.finish(session.close(done, why_lost).await).await
}

/// Runs until everything is sent and then received, or silence follows, or standard output or the
/// one connection is closed.
async fn both(
    sending: impl Future<Output = Result<(), Error>>,
    receiving: impl Future<Output = Result<Stopped, Error>>,
    silence: impl Future<Output = ()>,
) -> Result<(), Error> {
    match select(pin!(sending), pin!(receiving)).await {
        Either::Left((sent, receiving)) => {
            sent?;
            let silence = async {
                silence.await;
                Ok(Stopped::Enough)
            };
            or(receiving, silence).await.map(drop)
        }
        Either::Right((received, sending)) => match received? {
            Stopped::Enough => sending.await,
            Stopped::OutputClosed | Stopped::ConnectionEnded => Ok(()),
        },
    }
}

/// Waits until nothing was received for `limit`.
async fn wait_for_silence(last_received: &Cell<Instant>, limit: Duration) {
    while last_received.get().elapsed() < limit {
        sleep_until(last_received.get() + limit).await;
    }
}

const NOT_THERE: &str = "no peer with that routing id was there, or it had no room";
