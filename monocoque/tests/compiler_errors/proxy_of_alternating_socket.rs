//! A socket that cannot stand at an end of a proxy.
//~ error: a `ReqSocket` cannot stand at an end of a proxy
//~ note: requests and replies of REQ and REP alternate; use DEALER and ROUTER in their place

use monocoque::zmq::{PushSocket, ReqSocket};

async fn forward(push: &PushSocket, req: &ReqSocket) {
    let _ended = monocoque::proxy(push, req).await;
}

fn main() {}
