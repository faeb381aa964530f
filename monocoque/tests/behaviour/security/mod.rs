//! Mechanisms, and who may come in.

mod allow;
mod authenticator;
mod handshakes;
mod wire;
mod zap;

use futures::StreamExt;
use monocoque::security::{Allow, CurveKeyPair, CurveSecretKey};
use monocoque::zmq::Builder;
use monocoque::zmq::capability::Secure;
use monocoque::{DisconnectReason, Monitor, SocketEvent};

/// The keys of the server.
fn server_keys() -> CurveKeyPair {
    CurveSecretKey::from_bytes([1; 32]).into()
}

/// The keys of a client.
fn client_keys() -> CurveKeyPair {
    CurveSecretKey::from_bytes([2; 32]).into()
}

/// Makes a server that lets everybody in, without asking a ZAP handler of another test.
fn curve_server<S: Secure>(builder: Builder<S>) -> Builder<S> {
    builder.curve_server(server_keys()).authenticator(Allow::new().any_key())
}

fn curve_client<S: Secure>(builder: Builder<S>) -> Builder<S> {
    builder.curve_client(client_keys(), server_keys().public)
}

/// Returns the reason of the next handshake that fails.
async fn failed_handshake(monitor: &mut Monitor) -> DisconnectReason {
    while let Some(event) = monitor.next().await {
        match event {
            SocketEvent::HandshakeFailed { reason, .. } => return reason,
            SocketEvent::HandshakeSucceeded { .. } => panic!("the peer was let in"),
            _ => {}
        }
    }
    panic!("the monitor has ended")
}
