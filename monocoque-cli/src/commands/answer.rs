//! `mq rep`.

use std::cell::Cell;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

use compio::runtime::spawn_blocking;
use monocoque::Message;
use monocoque::zmq::RepSocket;

use super::receive::Receiver;
use crate::args::RepArgs;
use crate::error::Error;
use crate::output::separator;
use crate::security::remove_secrets;
use crate::session::{Env, Session};
use crate::terminal::warn;

pub(super) async fn reply(args: &RepArgs, env: &Env) -> Result<(), Error> {
    let session = Session::<RepSocket>::open(&args.pull.connection, env, |builder| builder).await?;
    let mut receiver = Receiver::open(&args.pull, env);
    let failures = Cell::new(0);
    let work = async {
        let answer = async |request: &Message| session.send(answer(args, request, &failures).await?).await;
        receiver.receive(&session, answer).await.map(drop)
    };
    let done = session.until_interrupted(work, || args.pull.count.is_none()).await;
    let done = done.and_then(|()| all_succeeded(args, failures.get()));
    let done = session.close(done, "whoever had asked was gone, or had no room").await;
    receiver.finish(done).await
}

/// Returns an error if a command has failed. Its output was sent as the reply all the same.
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
    let Some(command) = args.answer.exec.clone() else { return Ok(request.clone()) };
    let frames: Vec<_> = request.iter().collect();
    let input = frames.join(&separator(&args.pull.format)[..]);
    let shown = command.clone();
    let run = spawn_blocking(move || run(&command, &input)).await;
    match run {
        Ok(Ok(Output { status, stdout, .. })) => {
            if !status.success() {
                warn(&format_args!("{shown:?} ended with {status}"));
                failures.set(failures.get() + 1);
            }
            Ok(stdout.into())
        }
        Ok(Err(error)) => Err(Error::Exec(shown, error)),
        Err(_) => unreachable!("running a command does not panic"),
    }
}

/// Runs a shell command with `input` as its standard input.
fn run(command: &str, input: &[u8]) -> io::Result<Output> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = remove_secrets(&mut shell).spawn()?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        // In parallel: a command may print before it has read its input, or end without reading it.
        scope.spawn(move || stdin.and_then(|mut stdin| stdin.write_all(input).ok()));
        child.wait_with_output()
    })
}
