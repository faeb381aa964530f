//! ZAP 1.0: asks a handler at `inproc://zeromq.zap.01` about a peer (RFC 27).
//!
//! Owns the form of requests and replies, and what holds where there is no handler. Each request
//! goes over a DEALER of its own, as in libzmq.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use monocoque_core::{Endpoint, Message};
use monocoque_zmtp::{
    Admission, AuthFault, AuthReply, Credentials, MechanismConfig, Properties, RefusalStatus,
};

use super::AuthRequest;
use crate::endpoint::connect;
use crate::options::Options;
use crate::pattern;
use crate::security::SecurityOptions;
use crate::socket::Engine;
use crate::socket::send::ByPattern;
use crate::trace;

/// Asks the handler of the context. Without one, the mechanism and the domain decide.
pub(super) async fn authenticate(
    engine: &Arc<Engine>,
    security: &SecurityOptions,
    request: &AuthRequest,
) -> AuthReply {
    let Ok(endpoint) = ENDPOINT.parse::<Endpoint>() else { unreachable!("a valid endpoint") };
    let Endpoint::Inproc(name) = &endpoint else { unreachable!("an inproc endpoint") };
    if !engine.registry.is_bound(name) {
        return without_handler(engine, security);
    }
    let fault = match ask(engine, endpoint, request_frames(request)).await {
        Ok(reply) => match parse_reply(&reply) {
            Ok(reply) => return reply,
            Err(fault) => fault,
        },
        Err(fault) => fault,
    };
    AuthReply::Fail(fault)
}

/// Returns the decision where nobody can be asked, as libzmq makes it.
fn without_handler(engine: &Engine, security: &SecurityOptions) -> AuthReply {
    let is_required = match security.mechanism {
        MechanismConfig::PlainServer => true,
        _ => security.enforces_domain,
    };
    if is_required {
        return AuthReply::Fail(AuthFault::NoHandler);
    }
    if security.is_secured() {
        trace::open_server(&engine.span, &engine.is_open_reported);
    }
    AuthReply::allow()
}

/// Sends a request to the handler and receives its reply.
async fn ask(engine: &Arc<Engine>, endpoint: Endpoint, request: Message) -> Result<Message, AuthFault> {
    let options = Options { linger: Some(std::time::Duration::ZERO), ..Options::default() };
    let dealer = Engine::new(&pattern::DEALER, options, engine.runtime.clone(), engine.registry.clone());
    let dealer = Dealer(dealer.map_err(|_| AuthFault::HandlerGone)?);
    connect::connect(&dealer.0, endpoint, None).map_err(|_| AuthFault::HandlerGone)?;
    // A handler that is there is connected at once.
    if dealer.0.peer_count() == 0 {
        return Err(AuthFault::HandlerGone);
    }
    dealer.0.send(ByPattern, request).await.map_err(|_| AuthFault::HandlerGone)?;
    let gone = pin!(dealer.0.watch(|out| (out.peer_count() == 0).then_some(())));
    // The reply comes first if both are there.
    match select(dealer.0.recv(), gone).await {
        Either::Left((Ok(reply), _)) => Ok(reply),
        _ => Err(AuthFault::HandlerGone),
    }
}

/// A socket that is closed when the request is over, also if it is given up.
struct Dealer(Arc<Engine>);

impl Drop for Dealer {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn request_frames(request: &AuthRequest) -> Message {
    let address = request.address().map(|address| address.to_string()).unwrap_or_default();
    let mechanism = request.mechanism().to_string();
    let mut frames = Message::from([
        &b""[..],
        VERSION,
        REQUEST_ID,
        request.domain().as_bytes(),
        address.as_bytes(),
        request.routing_id(),
        mechanism.as_bytes(),
    ]);
    match request.credentials() {
        Credentials::Plain { username, password } => {
            frames.push_back(&**username);
            frames.push_back(password.expose());
        }
        #[cfg(feature = "curve")]
        Credentials::Curve(key) => frames.push_back(&key.as_bytes()[..]),
        _ => {}
    }
    frames
}

/// Parses the reply of a handler.
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "for fuzz targets"))]
pub fn parse_reply(reply: &Message) -> Result<AuthReply, AuthFault> {
    let frames: Vec<&[u8]> = reply.iter().collect();
    let [delimiter, version, id, status, _text, user_id, metadata] = frames[..] else {
        return Err(AuthFault::FrameCount(frames.len()));
    };
    if !delimiter.is_empty() || version != VERSION {
        return Err(AuthFault::Version);
    }
    if id != REQUEST_ID {
        return Err(AuthFault::RequestId);
    }
    match status {
        b"200" => {
            let user_id = std::str::from_utf8(user_id).map_err(|_| AuthFault::Metadata)?;
            let properties = Properties::from_wire(metadata).map_err(|_| AuthFault::Metadata)?;
            Ok(AuthReply::Allow(Admission { user_id: user_id.to_owned(), properties }))
        }
        b"300" => Ok(AuthReply::Refuse(RefusalStatus::Temporary)),
        b"400" => Ok(AuthReply::Refuse(RefusalStatus::Denied)),
        b"500" => Ok(AuthReply::Refuse(RefusalStatus::Internal)),
        _ => Err(AuthFault::Status),
    }
}

const ENDPOINT: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";
/// The number of every request: each has a connection of its own.
const REQUEST_ID: &[u8] = b"1";
