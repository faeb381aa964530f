//! The commands. Those that send, receive or do both share that code; they differ in their socket
//! type and in the frames in front.

mod answer;
mod documents;
mod exchange;
mod exec;
mod keygen;
mod monitor;
mod proxy;
mod proxy_top;
mod receive;
mod request;
mod send;
mod stream;
mod top;
mod topics;

use crate::args::Command;
use crate::bench;
use crate::error::Error;
use crate::session::Env;

pub(crate) async fn run(command: Command, env: Env) -> Result<(), Error> {
    let env = &env;
    match command {
        Command::Push(args) => send::push(&args, env).await,
        Command::Pull(args) => receive::pull(&args, env).await,
        Command::Pub(args) => send::publish(&args, env).await,
        Command::Sub(args) => receive::subscribe(&args, env).await,
        Command::Req(args) => request::ask(&args, env).await,
        Command::Rep(args) => answer::reply(&args, env).await,
        Command::Dealer(args) => exchange::dealer(&args, env).await,
        Command::Pair(args) => exchange::pair(&args, env).await,
        Command::Router(args) => exchange::router(&args, env).await,
        Command::Xpub(args) => exchange::xpub(&args, env).await,
        Command::Xsub(args) => exchange::xsub(&args, env).await,
        Command::Stream(args) => stream::run(&args, env).await,
        Command::Proxy(args) => proxy::run(&args, env).await,
        Command::Monitor(args) => monitor::run(&args, env).await,
        Command::Top(args) => top::run(&args, env).await,
        Command::Bench(args) => bench::run(&args, env).await,
        Command::Keygen(args) => keygen::run(&args),
        Command::Completions(args) => documents::completions(&args),
        Command::Man(args) => documents::man(&args),
    }
}

/// The reason for lost messages.
const NOT_TAKEN: &str = "no peer was ready in time; --linger says how long to go on";
