//! `mq rep`.

use std::cell::Cell;

use monocoque::Message;
use monocoque::zmq::SocketType;

use super::exec;
use super::receive::Receiver;
use crate::args::RepArgs;
use crate::error::Error;
use crate::format::InputFormat;
use crate::output::separator;
use crate::session::{Env, Session};
use crate::terminal::warn;

pub(super) async fn reply(args: &RepArgs, env: &Env) -> Result<(), Error> {
    let session = Session::open(SocketType::Rep, &args.receive.connection, env, |builder| builder).await?;
    let mut receiver = Receiver::open(&args.receive, env);
    let failures = Cell::new(0);
    let work = async {
        let answer = async |request: &Message| session.send(answer(args, request, &failures).await?).await;
        receiver.receive(&session, answer).await.map(drop)
    };
    let done = session.until_interrupted(work, || args.receive.count.is_none()).await;
    let done = done.and_then(|()| all_succeeded(args, failures.get()));
    let done = session.close(done, "whoever had asked was gone, or had no room").await;
    receiver.finish(done).await
}

/// Returns an error if a command has failed. The request has a reply all the same.
fn all_succeeded(args: &RepArgs, failures: u64) -> Result<(), Error> {
    match &args.answer.exec {
        Some(command) if failures > 0 => Err(Error::ExecFailed { command: command.clone(), failures }),
        _ => Ok(()),
    }
}

/// Returns the reply to a request, and counts failed commands.
async fn answer(args: &RepArgs, request: &Message, failures: &Cell<u64>) -> Result<Message, Error> {
    if let Some(text) = &args.answer.reply {
        return Ok(text.clone().into());
    }
    let Some(command) = &args.answer.exec else { return Ok(request.clone()) };
    let codec = exec::Codec {
        format: args.exec.exec_format.unwrap_or(InputFormat::Whole),
        delimiter: separator(&args.receive.format),
    };
    let (output, failure) = match exec::run(command, codec.encode(request)?, args.exec.exec_timeout).await {
        Ok(exec::Ended { status, output }) if status.success() => match codec.decode(&output) {
            Ok(reply) => return Ok(reply),
            Err(reason) => (output, reason),
        },
        Ok(exec::Ended { status, output }) => (output, format!("ended with {status}")),
        Err(exec::Failure::TimedOut(limit)) => {
            let limit = humantime::format_duration(limit);
            (Vec::new(), format!("was killed: it took longer than {limit}"))
        }
        Err(exec::Failure::Start(error)) => return Err(Error::Exec(command.clone(), error)),
    };
    warn(&format_args!("{command:?} {failure}"));
    failures.set(failures.get() + 1);
    Ok(args.exec.exec_failure.clone().map_or_else(|| output.into(), Message::from))
}
