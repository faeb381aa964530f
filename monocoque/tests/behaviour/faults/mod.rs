//! FaultPlan of a proxy between sockets: messages arrive complete, once and in order, and only data
//! that the kernel had accepted is lost.
//!
//! Random choices follow from a seed, which a failure prints and `SEED` repeats.

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

/// Starts a proxy over the transport of the test.
fn through(at: &At, target: &Endpoint, faults: FaultPlan, seed: u64) -> Proxy {
    let front = match at.transport {
        Transport::Tcp => format!("tcp://{}:0", own_loopback()),
        Transport::Ipc | Transport::Inproc => at.unused_endpoint("proxy").to_string(),
    };
    Proxy::start(&front, &target.to_string(), faults, seed)
}

/// Parses the number of a message, which is its first frame.
fn number(message: &Message) -> u64 {
    let text = message.get(0).and_then(|frame| std::str::from_utf8(frame).ok());
    text.and_then(|text| text.parse().ok()).expect("a number")
}

const SOON: Duration = Duration::from_millis(1);
