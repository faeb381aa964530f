//! `mq monitor`.

use std::time::SystemTime;

use futures_lite::StreamExt;
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
    let session = Session::make(args.kind, (&args.connection).into(), env, |builder| builder)?;
    let monitor = session.socket.monitor();
    session.attach(&args.connection.endpoints).await?;
    let done =
        session.until_interrupted(print_events(&session, monitor, args), || args.count.is_none()).await;
    session.close(done, NOT_TAKEN).await
}

async fn print_events(session: &Session, mut monitor: Monitor, args: &MonitorArgs) -> Result<(), Error> {
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
