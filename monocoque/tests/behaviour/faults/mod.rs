//! Sockets whose connections meet the faults of a proxy: what arrives is whole, once and in order,
//! and what is lost is what the system had taken.
//!
//! What is decided by chance follows from a seed, which a failure prints and `SEED` repeats.

mod close;
mod ledger_checks;
mod message_loss;
mod proxy_checks;
mod requests;
mod resubscription;
mod routing_ids;

use std::time::Duration;

use monocoque::{Endpoint, Message};

use testing::proxy::{FaultPlan, Proxy, own_loopback};
use testing::{At, Transport};

/// A proxy of the transport of the test.
fn through(at: &At, target: &Endpoint, faults: FaultPlan, seed: u64) -> Proxy {
    let front = match at.transport {
        Transport::Tcp => format!("tcp://{}:0", own_loopback()),
        Transport::Ipc | Transport::Inproc => at.unused_endpoint("proxy").to_string(),
    };
    Proxy::start(&front, &target.to_string(), faults, seed)
}

/// The number of a message, which is all of its first frame.
fn number(message: &Message) -> u64 {
    let text = message.frame(0).and_then(|frame| std::str::from_utf8(frame).ok());
    text.and_then(|text| text.parse().ok()).expect("a number")
}

const SOON: Duration = Duration::from_millis(1);
