//! `mq monitor`.

use std::time::SystemTime;

use futures_lite::StreamExt;
use monocoque::zmq::capability::Secure;
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    SocketType, StreamSocket, SubSocket, XpubSocket, XsubSocket,
};
use monocoque::{Monitor, SocketEvent};

use super::NOT_TAKEN;
use crate::args::{MonitorArgs, Report};
use crate::error::Error;
use crate::events::describe;
use crate::output::{Reader, print_line};
use crate::reports::Verbosity;
use crate::session::{Env, Session};
use crate::terminal::FAINT;

pub(super) async fn run(args: &MonitorArgs, env: &Env) -> Result<(), Error> {
    // The command itself prints the events.
    let env = &Env { verbosity: Verbosity::Explanations, ..env.clone() };
    match args.kind {
        SocketType::Pair => watch::<PairSocket>(args, env).await,
        SocketType::Pub => watch::<PubSocket>(args, env).await,
        SocketType::Sub => watch::<SubSocket>(args, env).await,
        SocketType::Req => watch::<ReqSocket>(args, env).await,
        SocketType::Rep => watch::<RepSocket>(args, env).await,
        SocketType::Dealer => watch::<DealerSocket>(args, env).await,
        SocketType::Router => watch::<RouterSocket>(args, env).await,
        SocketType::Pull => watch::<PullSocket>(args, env).await,
        SocketType::Push => watch::<PushSocket>(args, env).await,
        SocketType::Xpub => watch::<XpubSocket>(args, env).await,
        SocketType::Xsub => watch::<XsubSocket>(args, env).await,
        SocketType::Stream => {
            let session =
                Session::<StreamSocket>::make_raw((&args.connection).into(), env, |builder| builder)?;
            watch_session(args, session).await
        }
    }
}

async fn watch<S: Secure>(args: &MonitorArgs, env: &Env) -> Result<(), Error> {
    watch_session(args, Session::<S>::make((&args.connection).into(), env, |builder| builder)?).await
}

async fn watch_session<S: Socket>(args: &MonitorArgs, session: Session<S>) -> Result<(), Error> {
    let monitor = session.socket.monitor();
    session.attach(&args.connection.endpoints).await?;
    let done =
        session.until_interrupted(print_events(&session, monitor, args), || args.count.is_none()).await;
    session.close(done, NOT_TAKEN).await
}

async fn print_events<S: Socket>(
    session: &Session<S>,
    mut monitor: Monitor,
    args: &MonitorArgs,
) -> Result<(), Error> {
    let mut seen = 0;
    while args.count.is_none_or(|count| seen < count) {
        let next = async { Ok(monitor.next().await) };
        let event = match session.in_time(next, "nothing happened").await {
            Err(Error::TimedOut(_)) if args.count.is_none() && seen > 0 => return Ok(()),
            event => event?,
        };
        let Some(event) = event.filter(|event| !matches!(event, SocketEvent::Closed)) else { break };
        let event = describe(&event);
        let line = match args.output {
            Report::Text if args.time => {
                format!(
                    "{FAINT}{}{FAINT:#} {}",
                    humantime::format_rfc3339_micros(SystemTime::now()),
                    event.coloured()
                )
            }
            Report::Text => event.coloured(),
            Report::Json => event.json(),
        };
        if print_line(&line)? == Reader::Gone {
            break;
        }
        seen += 1;
    }
    Ok(())
}
