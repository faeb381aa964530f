//! The throughput benchmark.

use std::time::Instant;

use bytes::Bytes;
use monocoque::Message;
use monocoque::zmq::SocketType;

use super::cpu::CpuTime;
use super::report::{Figures, Throughput};
use super::{Bound, Plan};
use crate::error::Error;
use crate::session::Session;

pub(super) async fn push(plan: Plan) -> Result<(), Error> {
    let session = Session::open(SocketType::Push, plan.opening(), &plan.env, |builder| builder).await?;
    let body = Bytes::from(plan.message());
    let work = async {
        let mut sent = 0;
        let mut began = Instant::now();
        while plan.goes_on(sent, began) {
            session.send(Message::from(body.clone())).await?;
            if sent == 0 {
                // The first one has waited for a peer.
                began = Instant::now();
            }
            sent += 1;
        }
        if plan.count.is_none() {
            session.send(Plan::last_message()).await?;
        }
        Ok(())
    };
    let done = session.until_interrupted(work, || false).await;
    session.close(done, "the receiver has ended, or was not ready within --linger").await
}

/// Counts received messages and bytes. Time begins with the first message, which is not counted.
pub(super) async fn pull(plan: Plan, bound: Option<Bound>) -> Result<Option<Figures>, Error> {
    let session = Session::open(SocketType::Pull, plan.opening(), &plan.env, |builder| builder).await?;
    if let Some(bound) = bound {
        // If the receiver is gone, it has failed.
        let _ = bound.send(session.socket.last_endpoint());
    }
    let mut figures = None;
    let work = async {
        figures = receive(&session, &plan).await?;
        Ok(())
    };
    let done = session.until_interrupted(work, || false).await;
    session.close(done, "").await?;
    Ok(figures)
}

async fn receive(session: &Session, plan: &Plan) -> Result<Option<Figures>, Error> {
    let progress = plan.progress();
    session.recv().await?;
    let (start, cpu) = (Instant::now(), CpuTime::now());
    let (mut messages, mut bytes) = (0, 0);
    let mut batch = Vec::new();
    let mut has_ended = false;
    while !has_ended && plan.count.is_none_or(|count| messages + 1 < count) {
        let left = plan.count.map_or(BATCH, |count| usize::try_from(count - 1 - messages).unwrap_or(BATCH));
        session.recv_batch(&mut batch, left.min(BATCH)).await?;
        if plan.count.is_none() && batch.last() == Some(&Plan::last_message()) {
            batch.pop();
            has_ended = true;
        }
        let size: usize = batch.iter().map(Message::byte_len).sum();
        messages += batch.len() as u64;
        bytes += size as u64;
        progress.add(batch.len() as u64, || size);
        batch.clear();
    }
    let elapsed = start.elapsed();
    Ok(Some(Figures::Throughput(Throughput { messages, bytes, elapsed, cpu: cpu.elapsed() })))
}

const BATCH: usize = 1000;
