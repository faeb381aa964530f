//! `mq rep`.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;

use compio::runtime::spawn_blocking;
use monocoque::Message;
use monocoque::zmq::kind::Rep;

use super::receive::Receiver;
use crate::args::RepArgs;
use crate::error::Error;
use crate::output::separator;
use crate::session::{Session, Setting};
use crate::terminal::complain;

pub(super) async fn reply(args: &RepArgs, setting: &Setting) -> Result<(), Error> {
    let session = Session::<Rep>::open(&args.pull.connection, setting, |builder| builder).await?;
    let mut receiver = Receiver::open(&args.pull, setting);
    let work = async {
        let answer = async |request: &Message| session.send(answer(args, request).await?).await;
        receiver.receive(&session, answer).await.map(drop)
    };
    let done = session.until_interrupted(work).await;
    let done = session.close(done, "whoever had asked was gone, or had no room").await;
    receiver.finish(done).await
}

async fn answer(args: &RepArgs, request: &Message) -> Result<Message, Error> {
    if let Some(text) = &args.answer.reply {
        return Ok(text.clone().into());
    }
    let Some(command) = args.answer.exec.clone() else { return Ok(request.clone()) };
    let frames: Vec<_> = request.iter().collect();
    let input = frames.join(&separator(&args.pull.format)[..]);
    let shown = command.clone();
    let run = spawn_blocking(move || run(&command, &input)).await;
    match run {
        Ok(printed) => printed.map(Message::from).map_err(|error| Error::Exec(shown, error)),
        Err(_) => unreachable!("running a command does not panic"),
    }
}

/// What a command prints when it is given that.
fn run(command: &str, input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child =
        Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // Beside reading: a command may print before it has read all. One that does not care for its input ends without it.
        scope.spawn(move || stdin.and_then(|mut stdin| stdin.write_all(input).ok()));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        complain(&format_args!("{command:?} ended with {}", output.status));
    }
    Ok(output.stdout)
}
