//! Requests and replies between plain threads: no async runtime, the connections run on the I/O
//! thread of a context.
//!
//! Run with `cargo run --example req_rep`. One REP thread squares the numbers that three REQ
//! threads send; each of these prints a summary, and fails if a reply does not belong to its
//! request.

use std::error::Error;
use std::thread;

use futures::executor::block_on;
use monocoque::zmq::{RepSocket, ReqSocket};
use monocoque::{Context, MonocoqueError};

const CLIENTS: u64 = 3;
const REQUESTS: u64 = 100;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let context = Context::new()?;
    let server = RepSocket::new_in(&context)?;
    let endpoint = block_on(server.bind("ipc://*"))?; // a Unix domain socket in a directory of its own
    println!("serving at {endpoint}");

    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&server));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (context, endpoint) = (&context, endpoint.to_string());
                scope.spawn(move || ask(context, &endpoint, client))
            })
            .collect();
        // Joins all clients before it checks them: the server ends when they have, even after an
        // error.
        let outcomes: Vec<_> =
            clients.into_iter().map(|client| client.join().expect("a client panicked")).collect();
        block_on(server.close());
        let served = serving.join().expect("the server panicked")?;
        for outcome in outcomes {
            println!("{}", outcome?);
        }
        assert_eq!(served, CLIENTS * REQUESTS);
        println!("{served} requests were answered");
        Ok(())
    })
}

/// Squares numbers until the socket is closed. Returns their number.
fn serve(server: &RepSocket) -> Outcome<u64> {
    let mut served = 0;
    loop {
        let request = match block_on(server.recv()) {
            Ok(request) => request,
            Err(MonocoqueError::Closed) => return Ok(served),
            Err(error) => return Err(error.into()),
        };
        let number: u64 = std::str::from_utf8(&request[0])?.parse()?;
        block_on(server.send((number * number).to_string()))?;
        served += 1;
    }
}

/// Sends numbers of its own and checks the replies.
fn ask(context: &Context, endpoint: &str, client: u64) -> Outcome<String> {
    let socket = ReqSocket::new_in(context)?;
    block_on(socket.connect(endpoint))?;
    let mut sum = 0;
    for number in client * REQUESTS..(client + 1) * REQUESTS {
        let reply = block_on(socket.request(number.to_string()))?;
        let square: u64 = std::str::from_utf8(&reply[0])?.parse()?;
        if square != number * number {
            return Err(format!("client {client}: {number} squared is not {square}").into());
        }
        sum += square;
    }
    Ok(format!("client {client}: {REQUESTS} squares, their sum is {sum}"))
}
