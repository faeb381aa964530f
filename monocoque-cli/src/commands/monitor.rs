//! `mq monitor`.

use futures_lite::StreamExt;
use monocoque::zmq::SocketType;
use monocoque::zmq::kind::{Dealer, Kind, Pair, Pub, Pull, Push, Rep, Req, Router, Stream, Sub, Xpub, Xsub};
use monocoque::{Monitor, SocketEvent};

use super::NOT_TAKEN;
use crate::args::{MonitorArgs, Report};
use crate::error::Error;
use crate::events::describe;
use crate::output::{Reader, print_line};
use crate::session::{Session, Setting};

pub(super) async fn run(args: &MonitorArgs, setting: &Setting) -> Result<(), Error> {
    match args.kind {
        SocketType::Pair => watch::<Pair>(args, setting).await,
        SocketType::Pub => watch::<Pub>(args, setting).await,
        SocketType::Sub => watch::<Sub>(args, setting).await,
        SocketType::Req => watch::<Req>(args, setting).await,
        SocketType::Rep => watch::<Rep>(args, setting).await,
        SocketType::Dealer => watch::<Dealer>(args, setting).await,
        SocketType::Router => watch::<Router>(args, setting).await,
        SocketType::Pull => watch::<Pull>(args, setting).await,
        SocketType::Push => watch::<Push>(args, setting).await,
        SocketType::Xpub => watch::<Xpub>(args, setting).await,
        SocketType::Xsub => watch::<Xsub>(args, setting).await,
        SocketType::Stream => watch::<Stream>(args, setting).await,
    }
}

async fn watch<K: Kind>(args: &MonitorArgs, setting: &Setting) -> Result<(), Error> {
    // The command itself prints the events of --verbose.
    let quiet = Setting { verbose: false, ..setting.clone() };
    let session = Session::<K>::make((&args.connection).into(), &quiet, |builder| builder)?;
    let monitor = session.socket.monitor();
    session.attach(&args.connection.endpoints).await?;
    let done =
        session.until_interrupted(print_events(&session, monitor, args), || args.count.is_none()).await;
    session.close(done, NOT_TAKEN).await
}

async fn print_events<K: Kind>(
    session: &Session<K>,
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
