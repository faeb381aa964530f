//! CURVE: a REP that answers the clients whose keys it knows, over encrypted connections.
//!
//! Run with `cargo run --example curve_req_rep`. Prints who asks, and the reason that the stranger
//! gets; fails if an answer is wrong, or if the stranger is let in.

use std::error::Error;
use std::time::Duration;

use compio::time::timeout;
use monocoque::security::{Allow, CurveKeyPair, CurvePublicKey, RefusalStatus};
use monocoque::zmq::{RepSocket, ReqSocket};
use monocoque::{DisconnectReason, Endpoint, Monitor, MonocoqueError, SocketEvent};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    compio::runtime::Runtime::new()?.block_on(async { timeout(Duration::from_secs(30), run()).await? })
}

async fn run() -> Outcome<()> {
    // Each program has its secret key in a file of its own, and the public ones of its peers.
    let server = CurveKeyPair::generate();
    let (anna, ben, stranger) =
        (CurveKeyPair::generate(), CurveKeyPair::generate(), CurveKeyPair::generate());

    let rep = RepSocket::builder()
        .curve_server(&server)
        .authenticator(Allow::new().keys([anna.public, ben.public]))
        .build()?;
    let mut events = rep.monitor();
    let endpoint = rep.bind("tcp://127.0.0.1:0").await?;
    let serving = compio::runtime::spawn(serve(rep.clone()));

    for client in [&anna, &ben] {
        ask(client, server.public, endpoint.clone()).await?;
    }
    expect_refusal(&stranger, server.public, endpoint).await?;
    match failure(&mut events).await? {
        DisconnectReason::Refused(RefusalStatus::Denied) => {}
        other => return Err(other.into()),
    }
    println!("refused peers: {}", rep.stats().auth_failures);

    rep.close().await;
    let served = serving.await.map_err(|_| "the server panicked")??;
    println!("{served} requests were answered");
    if served == 2 { Ok(()) } else { Err("not all requests were answered".into()) }
}

/// Answers each request with the name of its sender, until the socket is closed. Returns their
/// number.
async fn serve(rep: RepSocket) -> Result<u64, MonocoqueError> {
    let mut served = 0;
    loop {
        let (request, client) = match rep.recv_with_peer().await {
            Ok(received) => received,
            Err(MonocoqueError::Closed) => return Ok(served),
            Err(error) => return Err(error),
        };
        // `Allow::keys` gives each peer its key as the user id.
        let user_id = client.user_id().unwrap_or_default();
        println!("{user_id} asks {request:?}");
        rep.send(user_id).await?;
        served += 1;
    }
}

/// Sends a request and checks the answer.
async fn ask(keys: &CurveKeyPair, server: CurvePublicKey, endpoint: Endpoint) -> Outcome<()> {
    let req = ReqSocket::builder().curve_client(keys, server).build()?;
    req.connect(endpoint).await?;
    let answer = req.request("who am I?").await?;
    if answer[0] != *keys.public.to_string().as_bytes() {
        return Err(format!("{} was taken for {answer:?}", keys.public).into());
    }
    req.close().await;
    Ok(())
}

/// Connects with a key that the server does not know, and waits for the refusal.
async fn expect_refusal(keys: &CurveKeyPair, server: CurvePublicKey, endpoint: Endpoint) -> Outcome<()> {
    let req = ReqSocket::builder().curve_client(keys, server).build()?;
    let mut events = req.monitor();
    req.connect(endpoint).await?;
    match failure(&mut events).await? {
        reason @ DisconnectReason::Denied(400) => println!("the stranger: {reason}"),
        other => return Err(other.into()),
    }
    Ok(())
}

/// Waits for a handshake that fails. Returns the reason.
async fn failure(events: &mut Monitor) -> Outcome<DisconnectReason> {
    while let Some(event) = events.recv().await {
        if let SocketEvent::HandshakeFailed { reason, .. } = event {
            return Ok(reason);
        }
    }
    Err("no handshake failed".into())
}
