//! The latency benchmark.

use std::time::Instant;

use monocoque::Message;
use monocoque::zmq::SocketType;

use super::cpu::CpuTime;
use super::histogram::Histogram;
use super::report::{Figures, Latency};
use super::{Bound, Plan};
use crate::error::Error;
use crate::session::Session;

pub(super) async fn ask(plan: Plan) -> Result<Option<Figures>, Error> {
    let session = Session::open(SocketType::Req, plan.opening(), &plan.env, |builder| builder).await?;
    let mut times = Histogram::default();
    let mut cpu = CpuTime::now();
    let work = async {
        session.in_time(session.socket.wait_for_peers(1), "no peer was there").await?;
        let progress = plan.progress();
        let body = plan.message();
        cpu = CpuTime::now();
        let began = Instant::now();
        while plan.goes_on(times.count(), began) {
            let start = Instant::now();
            session.send(Message::from(&body[..])).await?;
            let reply = session.recv().await?;
            times.add(start.elapsed());
            progress.add(1, || reply.byte_len());
        }
        if plan.count.is_none() {
            session.send(Plan::last_message()).await?;
            session.recv().await?;
        }
        Ok(())
    };
    let done = session.until_interrupted(work, || false).await;
    let cpu = cpu.elapsed();
    session.close(done, "no peer was ready in time").await?;
    let latency = Latency { times, size: plan.args.size, cpu };
    Ok((latency.times.count() > 0).then_some(Figures::Latency(latency)))
}

pub(super) async fn answer(plan: Plan, bound: Option<Bound>) -> Result<(), Error> {
    let session = Session::open(SocketType::Rep, plan.opening(), &plan.env, |builder| builder).await?;
    if let Some(bound) = bound {
        // If the receiver is gone, it has failed.
        let _ = bound.send(session.socket.last_endpoint());
    }
    let work = async {
        let mut answered = 0;
        while plan.count.is_none_or(|count| answered < count) {
            let request = session.recv().await?;
            let is_last = plan.count.is_none() && request == Plan::last_message();
            session.send(request).await?;
            if is_last {
                break;
            }
            answered += 1;
        }
        Ok(())
    };
    let done = session.until_interrupted(work, || false).await;
    session.close(done, "whoever had asked was gone").await
}
