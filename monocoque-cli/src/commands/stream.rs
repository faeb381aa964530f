//! `mq stream`.

use monocoque::AnySocket;
use monocoque::zmq::{Builder, SocketType};

use super::exchange::{exchange, open, route, send_back};
use crate::args::{ExchangeArgs, StreamArgs};
use crate::error::Error;
use crate::format::FirstFrame;
use crate::input::{Extent, Input};
use crate::session::{Env, Session};

pub(super) async fn run(args: &StreamArgs, env: &Env) -> Result<(), Error> {
    let StreamArgs { exchange: args, reply, stream_notify } = args;
    let endpoints = &args.connection.endpoints;
    // With --echo, an empty chunk would be sent back, and end the connection.
    let tune = |builder: Builder<AnySocket>| builder.stream_notify(*stream_notify && !reply.echo);
    if reply.echo {
        return send_back(Session::open(SocketType::Stream, &args.connection, env, tune).await?, args, env)
            .await;
    }
    if endpoints.bind.is_empty() && endpoints.connect.len() == 1 {
        return be_client(args, env).await;
    }
    let tune = |builder| tune(builder).recv_timeout(None);
    route(Session::open(SocketType::Stream, &args.connection, env, tune), args, env).await
}

/// Exchanges bytes over the one connection that the socket makes, until that ends.
async fn be_client(args: &ExchangeArgs, env: &Env) -> Result<(), Error> {
    let input = Input::open(&args.input, &args.format, FirstFrame::Plain, Extent::default())?;
    let tune = |builder: Builder<AnySocket>| builder.recv_timeout(None).stream_notify(true);
    let session = Session::open(SocketType::Stream, &args.connection, env, tune).await?;
    let mut receiver = open(args, FirstFrame::Plain, env);
    let connecting = async {
        // The first chunk is empty, and tells that the connection has begun.
        let mut begun = session.in_time(session.socket.recv(), "no connection was made").await?;
        receiver.follow(begun.pop_front().unwrap_or_default());
        Ok(())
    };
    match session.until_interrupted(connecting, || false).await {
        Ok(()) => exchange(session, input, receiver, args, ENDED).await,
        failed => receiver.finish(session.close(failed, ENDED).await).await,
    }
}

const ENDED: &str = "the connection had ended, or had no room";
