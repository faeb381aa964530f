//! `mq dealer`, `mq pair` and `mq router`: sending and receiving at once.

use std::cell::Cell;
use std::pin::pin;
use std::time::{Duration, Instant};

use compio::time::sleep_until;
use futures_lite::future::{or, pending};
use futures_util::future::{Either, select};
use monocoque::Message;
use monocoque::zmq::RouterSocket;
use monocoque::zmq::capability::{Receives, Secure, Sends};

use super::receive::Receiver;
use super::{NOT_TAKEN, send};
use crate::args::{ExchangeArgs, RouterArgs};
use crate::error::Error;
use crate::format::FirstFrame;
use crate::input::{Extent, Input};
use crate::output::{Output, Reader};
use crate::progress::Progress;
use crate::session::{Env, Session};

pub(super) async fn both_ways<S: Sends + Receives + Secure>(
    args: &ExchangeArgs,
    env: &Env,
) -> Result<(), Error> {
    let input = Input::open(&args.input, &args.format, FirstFrame::Plain, Extent::default())?;
    let session = Session::<S>::open(&args.connection, env, |builder| builder.recv_timeout(None)).await?;
    let receiver = open(args, FirstFrame::Plain, env);
    exchange(session, input, receiver, args, NOT_TAKEN).await
}

pub(super) async fn route(args: &RouterArgs, env: &Env) -> Result<(), Error> {
    let RouterArgs { exchange: args, echo } = args;
    let id = FirstFrame::RoutingId;
    if *echo {
        let session = Session::<RouterSocket>::open(&args.connection, env, |builder| builder).await?;
        let mut receiver = open(args, id, env);
        let back = async |message: &Message| session.send(message.clone()).await;
        let work = async { receiver.receive(&session, back).await.map(drop) };
        let done = session.until_interrupted(work, || args.count.is_none()).await;
        return receiver.finish(session.close(done, NOT_THERE).await).await;
    }
    let input = Input::open(&args.input, &args.format, id, Extent::default())?;
    let tune =
        |builder: monocoque::zmq::Builder<RouterSocket>| builder.recv_timeout(None).router_mandatory(true);
    let session = Session::open(&args.connection, env, tune).await?;
    let receiver = open(args, id, env);
    exchange(session, input, receiver, args, NOT_THERE).await
}

fn open(args: &ExchangeArgs, first: FirstFrame, env: &Env) -> Receiver {
    Receiver::new(Output::open(&args.output, &args.format, first), args.count, env)
}

async fn exchange<S: Sends + Receives>(
    session: Session<S>,
    input: Input,
    mut receiver: Receiver,
    args: &ExchangeArgs,
    why_lost: &'static str,
) -> Result<(), Error> {
    let (last_received, silent, all_sent) =
        (Cell::new(Instant::now()), Cell::new(false), Cell::new(args.input.repeat));
    let sending = async {
        send::wait_for_peers(&session, args.input.wait_for_peers).await?;
        let sent = send::send_all(&session, input, None, &Progress::none()).await;
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
    if silent.get() && !receiver.is_content() {
        done = Err(session.timed_out("nothing was received"));
    }
    receiver.finish(session.close(done, why_lost).await).await
}

/// Runs until everything is sent and then received, or silence follows, or standard output is
/// closed.
async fn both(
    sending: impl Future<Output = Result<(), Error>>,
    receiving: impl Future<Output = Result<Reader, Error>>,
    silence: impl Future<Output = ()>,
) -> Result<(), Error> {
    match select(pin!(sending), pin!(receiving)).await {
        Either::Left((sent, receiving)) => {
            sent?;
            let silence = async {
                silence.await;
                Ok(Reader::There)
            };
            or(receiving, silence).await.map(drop)
        }
        Either::Right((received, sending)) => match received? {
            Reader::There => sending.await,
            Reader::Gone => Ok(()),
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
