//! `mq push` and `mq pub`.

use monocoque::zmq::{Builder, SocketType};
use monocoque::{AnySocket, Frame};

use super::NOT_TAKEN;
use crate::args::{InputArgs, PubArgs, PushArgs, SendArgs};
use crate::error::Error;
use crate::format::FirstFrame;
use crate::input::{Extent, Input};
use crate::progress::Progress;
use crate::session::{Env, Session};
use crate::terminal::info;

pub(super) async fn push(args: &PushArgs, env: &Env) -> Result<(), Error> {
    let conflate = args.queue.conflate;
    let args = &args.send;
    let (input, progress) = open(args, env)?;
    let tune = |builder: Builder<AnySocket>| builder.conflate(conflate);
    let session = Session::open(SocketType::Push, &args.connection, env, tune).await?;
    if conflate {
        session.expect_drops();
    }
    let work = async {
        wait_for_peers(&session, args.input.wait_for_peers).await?;
        send_all(&session, input, None, &progress).await
    };
    let done = session.until_interrupted(work, || args.is_endless()).await;
    drop(progress);
    session.close(done, NOT_TAKEN).await
}

pub(super) async fn publish(args: &PubArgs, env: &Env) -> Result<(), Error> {
    let (input, progress) = open(&args.send, env)?;
    let SendArgs { connection, input: InputArgs { wait_for_peers, .. }, .. } = &args.send;
    let tune = |builder: Builder<AnySocket>| builder.nodrop(args.drops.nodrop).conflate(args.queue.conflate);
    let session = Session::open(SocketType::Pub, connection, env, tune).await?;
    if args.queue.conflate {
        session.expect_drops();
    }
    let work = async {
        if let Some(n) = *wait_for_peers {
            let subscribed = session.socket.wait_for_subscriptions(n);
            session.in_time(subscribed, &format!("there were fewer than {n} subscriptions")).await?;
        }
        let topic = args.topic.as_deref().map(Frame::from);
        send_all(&session, input, topic.as_ref(), &progress).await
    };
    let done = session.until_interrupted(work, || args.send.is_endless()).await;
    drop(progress);
    if wait_for_peers.is_none() && session.socket.subscription_count() == 0 {
        info("nobody is subscribed at the end; --wait-for-peers 1 waits for a subscriber first");
    }
    session.close(done, "subscribers had no room or were lost; see --nodrop, --hwm and --interval").await
}

/// Opens the input.
pub(super) fn open(args: &SendArgs, env: &Env) -> Result<(Input, Progress), Error> {
    let extent = Extent { limit: args.count, fill: args.count.is_some() };
    let input = Input::open(&args.input, &args.format, FirstFrame::Plain, extent)?;
    let progress = if env.is_verbose() { Progress::none() } else { Progress::new(args.count, input.beside) };
    Ok((input, progress))
}

pub(super) async fn wait_for_peers(session: &Session, n: Option<usize>) -> Result<(), Error> {
    let Some(n) = n else { return Ok(()) };
    session.in_time(session.socket.wait_for_peers(n), &format!("there were fewer than {n} peers")).await
}

/// Sends all of the input, each message behind the frame `front`: a topic or a routing id.
pub(super) async fn send_all(
    session: &Session,
    mut input: Input,
    front: Option<&Frame>,
    progress: &Progress,
) -> Result<(), Error> {
    while let Some(mut message) = input.next().await? {
        if let Some(front) = front {
            message.push_front(front.clone());
        }
        progress.add(1, || message.byte_len());
        session.send(message).await?;
    }
    Ok(())
}
