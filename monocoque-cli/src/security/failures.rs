//! Handshakes that fail because of security, as lines that say what to do.

use std::collections::HashSet;
use std::future::pending;
use std::time::Instant;

use compio::time::sleep_until;
use monocoque::security::RefusalStatus;
use monocoque::zmq::{CommandKind, Incompatible, Misbehaved, ZmtpError};
use monocoque::{Connection, ConnectionId, DisconnectReason, Endpoint, SocketEvent};

use super::refusals::{FirstRefusal, Refusals};
use super::repeats::{Failure, Repeats};
use super::{Mechanism, Security};

/// The failures of one socket.
///
/// A socket connects again and again: each failure at an endpoint that it connects to is reported
/// once, until a handshake succeeds. Those of peers that connect are reported once for each peer,
/// and their repetitions by their number.
#[derive(Debug)]
pub(crate) struct Failures {
    mechanism: Mechanism,
    /// The failures at endpoints that this socket connects to.
    reported: HashSet<(Endpoint, String)>,
    /// The failures of peers that connect.
    repeats: Repeats,
    /// The connections that this socket has made, as long as they last.
    made: HashSet<ConnectionId>,
    refusals: Refusals,
    first_refusal: Option<FirstRefusal>,
}

/// A line about an event.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) line: String,
    /// Set for the error that the command ends with, which is not printed before.
    pub(crate) is_error: bool,
}

/// The side that has made a connection.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// This socket has connected.
    Connected,
    /// The peer has connected.
    Accepted,
}

impl Failures {
    pub(crate) fn new(security: &Security) -> Self {
        Self {
            mechanism: security.mechanism.clone(),
            reported: HashSet::new(),
            repeats: Repeats::default(),
            made: HashSet::new(),
            refusals: Refusals::default(),
            first_refusal: security.first_refusal.clone(),
        }
    }

    /// Returns the refusals of the socket, which change with the events.
    pub(crate) fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    /// Returns the line about an event, if there is one.
    pub(crate) fn explain(&mut self, event: &SocketEvent) -> Option<Explanation> {
        match event {
            SocketEvent::Connected { connection } => {
                self.made.insert(connection.id);
                None
            }
            SocketEvent::Disconnected { connection, .. } => {
                self.made.remove(&connection.id);
                None
            }
            SocketEvent::HandshakeSucceeded { connection, .. } => {
                self.reported.retain(|(endpoint, _)| *endpoint != connection.endpoint);
                self.refusals.remove(&connection.endpoint);
                None
            }
            SocketEvent::HandshakeFailed { connection, reason } => self.explain_failure(connection, reason),
            _ => None,
        }
    }

    fn explain_failure(&mut self, connection: &Connection, reason: &DisconnectReason) -> Option<Explanation> {
        let origin = if self.made.contains(&connection.id) { Origin::Connected } else { Origin::Accepted };
        let text = self.mechanism.explain(reason, origin)?;
        let (endpoint, peer) = (&connection.endpoint, connection.peer.to_string());
        let line = format!("{peer} {text}");
        if matches!(reason, DisconnectReason::Denied(status) if *status == RefusalStatus::Denied.code()) {
            self.refusals.insert(endpoint);
            if self.first_refusal.as_ref().is_some_and(|first| first.report(&line)) {
                return Some(Explanation { line, is_error: true });
            }
        }
        let is_new = match origin {
            Origin::Connected => self.reported.insert((endpoint.clone(), text)),
            Origin::Accepted => {
                let (endpoint, address) = (endpoint.clone(), without_port(&peer).to_owned());
                let failure = Failure { endpoint, address, claim: claim(reason), text };
                self.repeats.insert(failure, Instant::now())
            }
        };
        is_new.then_some(Explanation { line, is_error: false })
    }

    /// Waits until [`summaries`](Self::summaries) has lines.
    pub(crate) async fn until_due(&self) {
        match self.repeats.due() {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    }

    /// Returns the lines about repetitions that are due.
    pub(crate) fn summaries(&mut self) -> Vec<String> {
        self.repeats.take_due(Instant::now())
    }

    /// Returns the lines about repetitions that are left when the socket is closed.
    pub(crate) fn last_summaries(&mut self) -> Vec<String> {
        self.repeats.take_all()
    }
}

/// Returns the key or the user name of a peer that was refused: no reason has it so far.
fn claim(_reason: &DisconnectReason) -> Option<String> {
    None
}

/// Returns the address of a peer without the port of a tcp connection.
fn without_port(peer: &str) -> &str {
    let is_tcp = peer.starts_with("tcp://");
    peer.rsplit_once(':').filter(|_| is_tcp).map_or(peer, |(address, _)| address)
}

impl Mechanism {
    /// Returns the text after the address of the peer.
    fn explain(&self, reason: &DisconnectReason, origin: Origin) -> Option<String> {
        match reason {
            DisconnectReason::Denied(status) => Some(self.denied(*status)),
            DisconnectReason::Refused(status) => Some(self.refused(*status)),
            // libzmq may reset the connection, and with it what it has sent.
            DisconnectReason::ByPeer | DisconnectReason::Probe | DisconnectReason::Io(_) => {
                // At a listener without security it may be a stranger.
                let is_stranger = matches!((self, origin), (Self::Null, Origin::Accepted));
                (!is_stranger).then(|| self.ended())
            }
            DisconnectReason::Protocol(ZmtpError::Incompatible(Incompatible::Mechanism { theirs })) => {
                let (name, options) = (self.name(), self.options());
                let text =
                    format!("uses {theirs}, this socket uses {name}: both need the same mechanism{options}");
                Some(text)
            }
            DisconnectReason::Protocol(ZmtpError::Misbehaved(error)) => self.misbehaved(*error),
            DisconnectReason::HandshakeTimeout => self.timed_out(),
            _ => None,
        }
    }

    /// Describes that the peer has refused this socket.
    fn denied(&self, status: u16) -> String {
        let cause = match self {
            _ if status != RefusalStatus::Denied.code() => "it could not decide who may connect".into(),
            Self::CurveClient { secret_key, .. } => {
                format!("it does not allow the public key {} of this socket", secret_key.public_key())
            }
            Self::PlainClient { user, .. } => format!("the user {user:?} or the password is wrong"),
            _ => "it does not allow this socket".into(),
        };
        format!("refused this socket ({status}): {cause}")
    }

    /// Describes that this socket has refused the peer.
    fn refused(&self, status: RefusalStatus) -> String {
        let cause = match self {
            Self::CurveServer(_) => "its key or its address is not allowed",
            Self::PlainServer => "its user, password or address is not allowed",
            _ => "its address is not allowed",
        };
        format!("was refused ({status}): {cause}")
    }

    /// Describes that the peer has ended the connection. libzmq does so without a word if the
    /// mechanisms differ, and a server of CURVE if the client has another key of the server.
    fn ended(&self) -> String {
        let (name, options) = (self.name(), self.options());
        let key = match self {
            Self::CurveClient { server_key, .. } => {
                format!(", or have another public key than --server-key {server_key}")
            }
            _ => String::new(),
        };
        format!("ended the handshake: it may use another mechanism than {name}{key}{options}")
    }

    /// Describes a command that was not expected, or not sealed for this socket.
    fn misbehaved(&self, error: Misbehaved) -> Option<String> {
        let name = self.name();
        match (self, error) {
            (Self::CurveServer(key), Misbehaved::CannotOpen(CommandKind::Hello)) => {
                Some(format!("expects another server: the public key of this one is {}", key.public_key()))
            }
            (
                Self::CurveClient { .. } | Self::PlainClient { .. },
                Misbehaved::UnexpectedCommand(CommandKind::Hello),
            ) => Some(format!("is a client of {name}, too: one of both must be the server")),
            (Self::CurveClient { .. } | Self::PlainClient { .. }, _) => {
                Some(format!("failed in the handshake of {name}: {error}"))
            }
            _ => None,
        }
    }

    fn timed_out(&self) -> Option<String> {
        let name = self.name();
        match self {
            Self::Null => None,
            Self::PlainServer | Self::CurveServer(_) => {
                Some(format!("did not complete the handshake in time: it must be a client of {name}"))
            }
            Self::PlainClient { .. } | Self::CurveClient { .. } => {
                Some(format!("did not complete the handshake in time: it must be a server of {name}"))
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainServer | Self::PlainClient { .. } => "PLAIN",
            Self::CurveServer(_) | Self::CurveClient { .. } => "CURVE",
        }
    }

    /// Returns a hint at the options, if none is used.
    fn options(&self) -> &'static str {
        if matches!(self, Self::Null) { "; see --curve-client and --plain-client" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use monocoque::security::CurveKeyPair;

    use super::*;

    fn text(mechanism: &Mechanism, reason: &DisconnectReason, origin: Origin) -> String {
        mechanism.explain(reason, origin).unwrap_or_default()
    }

    #[test]
    fn strangers_at_null_listener_are_not_reported() {
        let reason = DisconnectReason::ByPeer;
        assert_eq!(text(&Mechanism::Null, &reason, Origin::Accepted), "");
        assert!(text(&Mechanism::Null, &reason, Origin::Connected).starts_with("ended the handshake"));
        let server = Mechanism::CurveServer(CurveKeyPair::generate().secret);
        assert!(text(&server, &reason, Origin::Accepted).starts_with("ended the handshake"));
    }

    #[test]
    fn silent_peer_must_have_other_role() {
        let server = Mechanism::CurveServer(CurveKeyPair::generate().secret);
        let client = Mechanism::PlainClient { user: "anna".into(), password: "".into() };
        let late = DisconnectReason::HandshakeTimeout;
        assert!(text(&server, &late, Origin::Connected).ends_with("it must be a client of CURVE"));
        assert!(text(&client, &late, Origin::Connected).ends_with("it must be a server of PLAIN"));
        assert_eq!(text(&Mechanism::Null, &late, Origin::Connected), "");
    }

    #[test]
    fn failed_authenticator_is_not_a_wrong_password() {
        let client = Mechanism::PlainClient { user: "anna".into(), password: "".into() };
        let text = |status| text(&client, &DisconnectReason::Denied(status), Origin::Connected);
        assert_eq!(text(400), "refused this socket (400): the user \"anna\" or the password is wrong");
        assert_eq!(text(500), "refused this socket (500): it could not decide who may connect");
    }
}
