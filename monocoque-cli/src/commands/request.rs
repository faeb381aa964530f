//! `mq req`.

use std::cell::RefCell;

use futures_lite::StreamExt;
use futures_lite::future::{or, pending};
use futures_util::stream::FuturesUnordered;
use monocoque::zmq::{Builder, SocketType};
use monocoque::{AnySocket, Message};

use super::{NOT_TAKEN, send};
use crate::args::ReqArgs;
use crate::error::Error;
use crate::format::FirstFrame;
use crate::input::Input;
use crate::output::{Output, Reader};
use crate::progress::Progress;
use crate::session::{Env, Session};

pub(super) async fn ask(args: &ReqArgs, env: &Env) -> Result<(), Error> {
    let (input, progress) = send::open(&args.send, env)?;
    let tune = |builder: Builder<AnySocket>| builder.req_correlate(args.req_correlate);
    let mut sessions = Vec::new();
    for _ in 0..args.parallel.get() {
        sessions.push(Session::open(SocketType::Req, &args.send.connection, env, tune).await?);
    }
    let output = Output::open(&args.output, &args.send.format, FirstFrame::Plain);
    let dialogue = Dialogue { args, output: &output, progress: &progress };
    let (requests, waiting) = flume::bounded(0);
    let mut asking: FuturesUnordered<_> =
        sessions.iter().map(|session| dialogue.hold(session, waiting.clone())).collect();
    drop(waiting);
    // It ends with the input, or when the sockets do.
    let failure = RefCell::new(None);
    let feeding = async {
        let fed = feed(input, requests).await;
        fed.unwrap_or_else(|error| drop(failure.replace(Some(error))));
        pending::<Result<(), Error>>().await
    };
    let work = async {
        let all = async {
            while let Some(done) = asking.next().await {
                if done? == Reader::Gone {
                    break;
                }
            }
            Ok(())
        };
        or(all, feeding).await?;
        failure.take().map_or(Ok(()), Err)
    };
    let [first, ..] = &*sessions else { unreachable!("there is at least one socket") };
    let mut done = first.until_interrupted(work, || args.send.is_endless()).await;
    drop(asking);
    drop(progress);
    for session in sessions {
        done = session.close(done, NOT_TAKEN).await;
    }
    let written = output.finish().await;
    done.and(written)
}

/// Passes the input on, each message to the socket that asks for it first.
async fn feed(mut input: Input, requests: flume::Sender<Message>) -> Result<(), Error> {
    while let Some(message) = input.next().await? {
        if requests.send_async(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The parts that all sockets of the command share.
#[derive(Debug)]
struct Dialogue<'a> {
    args: &'a ReqArgs,
    output: &'a Output,
    progress: &'a Progress,
}

impl Dialogue<'_> {
    /// Sends requests over a socket, each after the reply to the one before.
    async fn hold(&self, session: &Session, requests: flume::Receiver<Message>) -> Result<Reader, Error> {
        send::wait_for_peers(session, self.args.send.input.wait_for_peers).await?;
        while let Ok(request) = requests.recv_async().await {
            session.send(request).await?;
            let reply = if self.args.output.needs_peer() {
                session.recv_with_peer().await?
            } else {
                session.recv().await?.into()
            };
            self.progress.add(1, || reply.message.byte_len());
            if self.output.write(vec![reply]).await == Reader::Gone {
                return Ok(Reader::Gone);
            }
        }
        Ok(Reader::There)
    }
}
