//! Configurations of both sides, and sealed connections between them.

use monocoque_zmtp::{
    CurvePublicKey, CurveSecretKey, MechanismConfig, PlainCredentials, SessionConfig, SocketType,
};
use testing::session::Pair;

/// The secret key of the servers.
pub(crate) fn server_key() -> CurveSecretKey {
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6".parse().expect("a key")
}

/// The secret key of the clients.
pub(crate) fn client_key() -> CurveSecretKey {
    "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs".parse().expect("a key")
}

pub(crate) fn config(socket_type: SocketType, mechanism: MechanismConfig) -> SessionConfig {
    SessionConfig { mechanism, ..SessionConfig::new(socket_type) }
}

pub(crate) fn plain_client(username: &'static str, password: &str) -> MechanismConfig {
    MechanismConfig::PlainClient(PlainCredentials { username: username.into(), password: password.into() })
}

pub(crate) fn curve_server() -> MechanismConfig {
    MechanismConfig::CurveServer { secret_key: server_key() }
}

pub(crate) fn curve_client() -> MechanismConfig {
    curve_client_of(server_key().public_key())
}

/// A client that takes `server_key` for the key of the server.
pub(crate) fn curve_client_of(server_key: CurvePublicKey) -> MechanismConfig {
    MechanismConfig::CurveClient { secret_key: client_key(), server_key }
}

/// Two peers of CURVE before their handshake.
pub(crate) fn curve_pair(client: SocketType, server: SocketType, chunk_len: usize) -> Pair {
    Pair::new(config(client, curve_client()), config(server, curve_server()), chunk_len)
}

/// Two peers of CURVE after their handshake.
pub(crate) fn sealed_pair(client: SocketType, server: SocketType, chunk_len: usize) -> Pair {
    let mut pair = curve_pair(client, server, chunk_len);
    pair.handshake();
    pair
}
