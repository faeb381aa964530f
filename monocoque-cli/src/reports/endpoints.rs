//! The state of the endpoints of a socket.

use std::cell::RefCell;
use std::collections::HashSet;

use monocoque::{Connection, ConnectionId, DisconnectReason, Endpoint, SocketEvent};

/// The endpoints of a socket, with the reasons why they do not work.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    endpoints: Vec<EndpointState>,
    /// The connections that this socket has made, as long as they last.
    made: HashSet<ConnectionId>,
    /// The connections whose handshake is done, as long as they last.
    established: HashSet<ConnectionId>,
}

#[derive(Debug)]
struct EndpointState {
    endpoint: Endpoint,
    progress: Progress,
    /// The failures reported since the endpoint worked last, at most [`MOST`].
    reported: Vec<String>,
    /// The line about security that was printed since then.
    explained: Option<String>,
}

/// The state of an endpoint that was connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// An endpoint that is bound.
    Bound,
    /// There was no outcome yet.
    Connecting,
    /// Connected, and the handshake is not done.
    Handshaking,
    Established,
    /// A connection was lost, and there was no outcome since.
    Lost,
    /// The last attempt failed, for this reason.
    Failing(String),
}

/// A change that is worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Failed(String),
    Recovered(String),
}

impl Endpoints {
    /// Adds an endpoint that the socket connects to.
    pub(crate) fn add_connecting(&self, endpoint: &Endpoint) {
        self.0.borrow_mut().at(endpoint, Progress::Connecting);
    }

    /// Returns the reasons why endpoints that were connected to do not work, as one text; `None` if
    /// all do.
    pub(crate) fn reason(&self) -> Option<String> {
        let state = self.0.borrow();
        let reasons: Vec<_> = state.endpoints.iter().filter_map(EndpointState::reason).collect();
        let more = reasons.len().saturating_sub(MOST);
        let mut text = reasons.into_iter().take(MOST).collect::<Vec<_>>().join("; ");
        if more > 0 {
            text += &format!("; and {more} more");
        }
        (!text.is_empty()).then_some(text)
    }

    /// Returns the endpoints that the socket listens on, as one text; `None` if there are none.
    pub(crate) fn listening(&self) -> Option<String> {
        let state = self.0.borrow();
        let bound = state.endpoints.iter().filter(|state| state.progress == Progress::Bound);
        let names: Vec<_> = bound.map(|state| state.endpoint.to_string()).collect();
        (!names.is_empty()).then(|| format!("listening on {}", names.join(", ")))
    }

    /// Takes an event into account, with the line that was printed about it. Returns what else is
    /// worth a line.
    pub(super) fn update(&self, event: &SocketEvent, explained: Option<&str>) -> Option<Change> {
        let state = &mut *self.0.borrow_mut();
        match event {
            SocketEvent::Listening { endpoint } => {
                state.at(endpoint, Progress::Bound);
                None
            }
            SocketEvent::Connected { connection } => {
                state.made.insert(connection.id);
                let endpoint = state.at(&connection.endpoint, Progress::Connecting);
                if !matches!(endpoint.progress, Progress::Failing(_)) {
                    endpoint.progress = Progress::Handshaking;
                }
                None
            }
            SocketEvent::ConnectFailed { endpoint, error } => {
                let endpoint = state.at(endpoint, Progress::Connecting);
                endpoint.fail(format!("cannot connect to {}: {error}", endpoint.endpoint))
            }
            SocketEvent::AcceptFailed { endpoint, error } => {
                let endpoint = state.at(endpoint, Progress::Bound);
                endpoint.report(format!("cannot accept connections at {}: {error}", endpoint.endpoint))
            }
            SocketEvent::HandshakeFailed { connection, reason } => {
                state.handshake_failed(connection, reason, explained)
            }
            SocketEvent::HandshakeSucceeded { connection, .. } => {
                state.established.insert(connection.id);
                let is_made = state.made.contains(&connection.id);
                let endpoint = state.at(&connection.endpoint, Progress::Bound);
                if is_made { endpoint.succeed() } else { None }
            }
            SocketEvent::Disconnected { connection, reason } => state.disconnected(connection, reason),
            SocketEvent::GivenUp { endpoint } => {
                let endpoint = state.at(endpoint, Progress::Connecting);
                endpoint.report(format!("{} is not tried again", endpoint.endpoint))
            }
            SocketEvent::TaskPanicked { endpoint, message } => {
                let endpoint = state.at(endpoint, Progress::Bound);
                endpoint.report(format!("a task of {} has panicked: {message}", endpoint.endpoint))
            }
            _ => None,
        }
    }
}

impl State {
    fn handshake_failed(
        &mut self,
        connection: &Connection,
        reason: &DisconnectReason,
        explained: Option<&str>,
    ) -> Option<Change> {
        if matches!(reason, DisconnectReason::ByUs) {
            // The socket is being closed, as a rule: this is no failure of the endpoint.
            return None;
        }
        let is_made = self.made.contains(&connection.id);
        let endpoint = self.at(&connection.endpoint, Progress::Bound);
        if let Some(line) = explained {
            endpoint.explained = Some(line.to_owned());
        }
        let line = format!("the handshake with {} failed: {reason}", connection.peer);
        if is_made {
            endpoint.fail_handshake(line)
        } else if may_be_a_probe(reason) {
            None
        } else {
            // The port of the peer differs each time.
            endpoint.report_as(reason.to_string(), line)
        }
    }

    fn disconnected(&mut self, connection: &Connection, reason: &DisconnectReason) -> Option<Change> {
        self.made.remove(&connection.id);
        let was_established = self.established.remove(&connection.id);
        let endpoint = self.at(&connection.endpoint, Progress::Bound);
        if endpoint.progress == Progress::Established {
            endpoint.progress = Progress::Lost;
        }
        let is_fault = !matches!(reason, DisconnectReason::ByUs) && !may_be_a_probe(reason);
        if !was_established || !is_fault {
            return None;
        }
        endpoint.report_as(reason.to_string(), format!("lost {}: {reason}", connection.peer))
    }

    /// Returns the state of an endpoint, which is new if there was none.
    fn at(&mut self, endpoint: &Endpoint, new: Progress) -> &mut EndpointState {
        let known = self.endpoints.iter().position(|state| state.endpoint == *endpoint);
        let index = known.unwrap_or_else(|| {
            self.endpoints.push(EndpointState {
                endpoint: endpoint.clone(),
                progress: new,
                reported: Vec::new(),
                explained: None,
            });
            self.endpoints.len() - 1
        });
        &mut self.endpoints[index]
    }
}

impl EndpointState {
    fn reason(&self) -> Option<String> {
        let Self { endpoint, progress, .. } = self;
        match progress {
            Progress::Bound | Progress::Established => None,
            Progress::Connecting => Some(format!("{endpoint} has not answered")),
            Progress::Handshaking => Some(format!("{endpoint} has not completed the handshake")),
            Progress::Lost => Some(format!("the connection to {endpoint} was lost")),
            Progress::Failing(reason) => Some(reason.clone()),
        }
    }

    fn fail(&mut self, line: String) -> Option<Change> {
        self.progress = Progress::Failing(line.clone());
        self.report(line)
    }

    /// Takes a failed handshake into account. The line about security, which was printed once, says
    /// more than any other.
    fn fail_handshake(&mut self, line: String) -> Option<Change> {
        match &self.explained {
            None => self.fail(line),
            Some(explained) => {
                self.progress = Progress::Failing(explained.clone());
                self.reported.push(line);
                self.reported.truncate(MOST);
                None
            }
        }
    }

    fn succeed(&mut self) -> Option<Change> {
        self.progress = Progress::Established;
        let has_failed = !self.reported.is_empty();
        self.reported.clear();
        self.explained = None;
        has_failed.then(|| Change::Recovered(format!("connected to {}", self.endpoint)))
    }

    /// Returns the line, unless it was reported before, or many were.
    fn report(&mut self, line: String) -> Option<Change> {
        self.report_as(line.clone(), line)
    }

    /// Returns the line, unless its failure was reported before, or many were.
    fn report_as(&mut self, failure: String, line: String) -> Option<Change> {
        if self.reported.len() == MOST || self.reported.contains(&failure) {
            return None;
        }
        self.reported.push(failure);
        Some(Change::Failed(line))
    }
}

/// Returns whether a connection may have been one of a stranger that looks for open ports, or has
/// ended as connections do.
fn may_be_a_probe(reason: &DisconnectReason) -> bool {
    matches!(reason, DisconnectReason::ByPeer | DisconnectReason::Probe | DisconnectReason::Io(_))
}

/// The most lines about an endpoint until it works, and the most reasons in a text.
const MOST: usize = 3;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn refused(endpoint: &Endpoint, text: &str) -> SocketEvent {
        SocketEvent::ConnectFailed { endpoint: endpoint.clone(), error: io::Error::other(text).into() }
    }

    #[test]
    fn repeated_failure_is_reported_once() {
        let endpoints = Endpoints::default();
        let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        endpoints.add_connecting(&endpoint);
        assert_eq!(endpoints.reason().unwrap(), "tcp://127.0.0.1:1 has not answered");
        let line = "cannot connect to tcp://127.0.0.1:1: refused".to_owned();
        assert_eq!(
            endpoints.update(&refused(&endpoint, "refused"), None),
            Some(Change::Failed(line.clone()))
        );
        assert_eq!(endpoints.update(&refused(&endpoint, "refused"), None), None);
        assert_eq!(endpoints.reason(), Some(line));
        let other = endpoints.update(&refused(&endpoint, "unreachable"), None);
        assert!(matches!(other, Some(Change::Failed(line)) if line.ends_with("unreachable")));
    }

    #[test]
    fn explanation_replaces_earlier_reason() {
        let endpoints = Endpoints::default();
        let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        let failing = |explained: Option<&str>| {
            let state = &mut *endpoints.0.borrow_mut();
            let state = state.at(&endpoint, Progress::Connecting);
            state.explained = explained.map(str::to_owned).or_else(|| state.explained.take());
            state.fail_handshake("the handshake failed".into())
        };
        endpoints.update(&refused(&endpoint, "refused"), None);
        assert_eq!(failing(Some("wrong key")), None, "it was printed as an explanation");
        assert_eq!(endpoints.reason().as_deref(), Some("wrong key"));
        endpoints.update(&refused(&endpoint, "refused"), None);
        assert_eq!(failing(None), None, "it was explained before");
        assert_eq!(endpoints.reason().as_deref(), Some("wrong key"));
    }

    #[test]
    fn lines_about_endpoint_are_bounded() {
        let endpoints = Endpoints::default();
        let endpoint: Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        let lines = (0..100).filter_map(|n| endpoints.update(&refused(&endpoint, &n.to_string()), None));
        assert_eq!(lines.count(), MOST);
        assert!(endpoints.reason().unwrap().ends_with(": 99"), "the last reason is kept");
    }

    #[test]
    fn reasons_of_many_endpoints_are_bounded() {
        let endpoints = Endpoints::default();
        for port in 1..=5 {
            endpoints.add_connecting(&format!("tcp://127.0.0.1:{port}").parse().unwrap());
        }
        let reason = endpoints.reason().unwrap();
        assert!(reason.starts_with("tcp://127.0.0.1:1 has not answered; "), "{reason}");
        assert!(reason.ends_with("tcp://127.0.0.1:3 has not answered; and 2 more"), "{reason}");
    }
}
