//! The commands. Those that send, receive or do both share that code; they differ in their socket
//! type and in the frames in front.

mod answer;
mod exchange;
mod monitor;
mod proxy;
mod receive;
mod request;
mod send;

use monocoque::zmq::{DealerSocket, PairSocket};

use crate::args::Command;
use crate::bench;
use crate::error::Error;
use crate::session::Setting;

pub(crate) async fn run(command: Command, setting: Setting) -> Result<(), Error> {
    let setting = &setting;
    match command {
        Command::Push(args) => send::push(&args, setting).await,
        Command::Pull(args) => receive::pull(&args, setting).await,
        Command::Pub(args) => send::publish(&args, setting).await,
        Command::Sub(args) => receive::subscribe(&args, setting).await,
        Command::Req(args) => request::ask(&args, setting).await,
        Command::Rep(args) => answer::reply(&args, setting).await,
        Command::Dealer(args) => exchange::both_ways::<DealerSocket>(&args, setting).await,
        Command::Pair(args) => exchange::both_ways::<PairSocket>(&args, setting).await,
        Command::Router(args) => exchange::route(&args, setting).await,
        Command::Proxy(args) => proxy::run(&args, setting).await,
        Command::Monitor(args) => monitor::run(&args, setting).await,
        Command::Bench(args) => bench::run(&args, setting).await,
    }
}

/// The reason for lost messages.
const NOT_TAKEN: &str = "no peer took them in time; --linger says how long to go on";
