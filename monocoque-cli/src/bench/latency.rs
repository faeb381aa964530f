//! The latency benchmark.

use std::time::Instant;

use monocoque::Message;
use monocoque::zmq::{RepSocket, ReqSocket};

use super::report::{Figures, Latency};
use super::{Bound, Plan};
use crate::error::Error;
use crate::progress::{Progress, ProgressMode};
use crate::session::Session;

pub(super) async fn ask(plan: Plan) -> Result<Option<Figures>, Error> {
    let session = Session::<ReqSocket>::open(plan.opening(), &plan.env, |builder| builder).await?;
    let mut times = Vec::new();
    let work = async {
        session.in_time(session.socket.wait_for_peers(1), "no peer was there").await?;
        let progress = if plan.env.is_verbose() {
            Progress::none()
        } else {
            Progress::new(Some(plan.count), ProgressMode::Nothing)
        };
        let body = plan.message();
        for _ in 0..plan.count {
            let start = Instant::now();
            session.send(Message::from(&body[..])).await?;
            let reply = session.recv().await?;
            times.push(start.elapsed());
            progress.add(1, || reply.byte_len());
        }
        Ok(())
    };
    let done = session.until_interrupted(work, || false).await;
    session.close(done, "no peer took them in time").await?;
    Ok(Latency::of(times, plan.args.size).map(Figures::Latency))
}

pub(super) async fn answer(plan: Plan, bound: Option<Bound>) -> Result<(), Error> {
    let session = Session::<RepSocket>::open(plan.opening(), &plan.env, |builder| builder).await?;
    if let Some(bound) = bound {
        // If the receiver is gone, it has failed.
        let _ = bound.send(session.socket.last_endpoint());
    }
    let work = async {
        for _ in 0..plan.count {
            let request = session.recv().await?;
            session.send(request).await?;
        }
        Ok(())
    };
    let done = session.until_interrupted(work, || false).await;
    session.close(done, "whoever had asked was gone").await
}
