//! `mq req`.

use monocoque::zmq::ReqSocket;

use super::{NOT_TAKEN, send};
use crate::args::ReqArgs;
use crate::error::Error;
use crate::format::FirstFrame;
use crate::output::{Output, Reader};
use crate::session::{Env, Session};

pub(super) async fn ask(args: &ReqArgs, env: &Env) -> Result<(), Error> {
    let (mut input, progress) = send::open(&args.push, env)?;
    let session = Session::<ReqSocket>::open(&args.push.connection, env, |builder| builder).await?;
    let output = Output::open(&args.output, &args.push.format, FirstFrame::Plain);
    let work = async {
        send::wait_for_peers(&session, args.push.input.wait_for_peers).await?;
        while let Some(message) = input.next().await? {
            session.send(message).await?;
            let reply = session.recv().await?;
            progress.add(1, || reply.byte_len());
            if output.write(vec![reply]).await == Reader::Gone {
                break;
            }
        }
        Ok(())
    };
    let done = session.until_interrupted(work, || args.push.is_endless()).await;
    drop(progress);
    let done = session.close(done, NOT_TAKEN).await;
    let written = output.finish().await;
    done.and(written)
}
