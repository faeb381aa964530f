//! The failures of an endpoint, as they are logged: the first of a run at WARN, its repetitions at
//! DEBUG, its end at INFO. The ends of established connections likewise, by the kind of reason.

use std::fmt::Display;
use std::time::Duration;

use monocoque_core::Endpoint;

use super::Span;
use crate::endpoint::EndpointRef;
use crate::monitor::DisconnectReason;

/// A step of an endpoint that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Accept,
    Connect,
    Handshake,
}

/// The failures of one endpoint since it last succeeded. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailureLog {
    #[cfg(feature = "tracing")]
    run: std::sync::Arc<monocoque_core::sync::Mutex<run::Run>>,
}

#[cfg(not(feature = "tracing"))]
impl FailureLog {
    pub(crate) fn failed(
        &self,
        _span: &Span,
        _step: Failure,
        _endpoint: &Endpoint,
        _reason: &dyn Display,
        _retry_in: Option<Duration>,
    ) {
    }

    pub(crate) fn succeeded(&self, _span: &Span, _endpoint: &Endpoint) {}

    pub(crate) fn refused(&self, _span: &Span, _reason: &DisconnectReason) {}

    pub(crate) fn lost(&self, _span: &Span, _endpoint: &EndpointRef, _reason: &DisconnectReason) {}

    pub(crate) fn note_end(&self, _span: &Span, _endpoint: &Endpoint, _is_early: bool, _has_progress: bool) {}
}

#[cfg(feature = "tracing")]
impl FailureLog {
    /// Records a failure of the endpoint itself, and the time until the next attempt.
    pub(crate) fn failed(
        &self,
        span: &Span,
        step: Failure,
        endpoint: &Endpoint,
        reason: &dyn Display,
        retry_in: Option<Duration>,
    ) {
        use tracing::field::debug;
        use tracing::{debug, warn};

        use super::TARGET;

        let failures = self.run.lock().add();
        let (reason, retry_in) = (tracing::field::display(reason), retry_in.map(debug));
        span.within(|| match failures {
            1 => warn!(target: TARGET, %endpoint, reason, retry_in, "{} failed", step.label()),
            _ => {
                debug!(target: TARGET, %endpoint, reason, retry_in, failures, "{} failed again", step.label())
            }
        });
    }

    /// Records the end of a run of failures, if there was one.
    pub(crate) fn succeeded(&self, span: &Span, endpoint: &Endpoint) {
        let failures = self.run.lock().end();
        if failures > 0 {
            span.within(|| tracing::info!(target: super::TARGET, %endpoint, failures, "works again"));
        }
    }

    /// Records the failed handshake of a peer that has connected to the endpoint: at WARN once a
    /// minute for each kind of reason, since peers decide how often that is.
    pub(crate) fn refused(&self, span: &Span, reason: &DisconnectReason) {
        use tracing::{debug, warn};

        use super::TARGET;

        let is_quiet = matches!(reason, DisconnectReason::Probe | DisconnectReason::ByUs);
        let is_first = !is_quiet && self.run.lock().is_first(reason.label());
        span.within(|| match is_first {
            _ if matches!(reason, DisconnectReason::Probe) => debug!(target: TARGET, "probed"),
            true => warn!(target: TARGET, %reason, "handshake failed"),
            false => debug!(target: TARGET, %reason, "handshake failed"),
        });
    }

    /// Records the end of an established connection that this socket did not close: once a minute
    /// for each kind of reason, a violation, a limit and a heartbeat timeout at WARN, a lost
    /// connection at INFO. A peer that leaves a bound endpoint is no loss.
    pub(crate) fn lost(&self, span: &Span, endpoint: &EndpointRef, reason: &DisconnectReason) {
        use tracing::{debug, info, warn};

        use super::TARGET;

        let is_failure = reason.is_violation() || matches!(reason, DisconnectReason::HeartbeatTimeout);
        let is_loss = match reason {
            DisconnectReason::ByUs => return,
            DisconnectReason::ByPeer | DisconnectReason::Probe => endpoint.key.is_connected(),
            _ => true,
        };
        let is_first = is_loss && self.run.lock().is_first(reason.label());
        span.within(|| match (is_first, is_failure) {
            (true, true) => warn!(target: TARGET, %reason, "the connection was ended"),
            (true, false) => info!(target: TARGET, %reason, "the connection was lost"),
            (false, true) => debug!(target: TARGET, %reason, "the connection was ended again"),
            (false, false) => debug!(target: TARGET, %reason, "the connection was lost again"),
        });
    }

    /// Notes the end of a connection of `connect`. Warns once in a run of connections that the peer
    /// ended right after the handshake: `is_early`.
    pub(crate) fn note_end(&self, span: &Span, endpoint: &Endpoint, is_early: bool, has_progress: bool) {
        if has_progress {
            self.run.lock().early = 0;
        }
        if is_early && self.run.lock().add_early() == MANY_EARLY {
            span.within(|| {
                tracing::warn!(
                    target: super::TARGET,
                    %endpoint,
                    connections = MANY_EARLY,
                    "the peer closes each connection after the handshake: \
                     another peer may have this routing id, or its place at a PAIR",
                );
            });
        }
    }
}

/// The number of connections in a row, ended right after their handshake, that is reported.
#[cfg(feature = "tracing")]
const MANY_EARLY: u64 = 3;

#[cfg(feature = "tracing")]
impl Failure {
    const fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
        }
    }
}

#[cfg(feature = "tracing")]
mod run {
    use std::time::{Duration, Instant};

    /// The failures of an endpoint in a row, and the reasons that were reported.
    #[derive(Debug, Default)]
    pub(super) struct Run {
        failures: u64,
        /// The connections in a row that ended right after their handshake.
        pub(super) early: u64,
        /// The kinds of reasons that were reported, and when.
        reported: Vec<(&'static str, Instant)>,
    }

    impl Run {
        /// Adds a failure, and returns the number of failures in a row.
        pub(super) fn add(&mut self) -> u64 {
            self.failures = self.failures.saturating_add(1);
            self.failures
        }

        /// Adds a connection that ended right after its handshake, and returns their number.
        pub(super) fn add_early(&mut self) -> u64 {
            self.early = self.early.saturating_add(1);
            self.early
        }

        /// Ends the run, and returns its length.
        pub(super) fn end(&mut self) -> u64 {
            std::mem::take(&mut self.failures)
        }

        /// Returns whether this kind of reason was not reported within a minute.
        pub(super) fn is_first(&mut self, kind: &'static str) -> bool {
            self.reported.retain(|(_, at)| at.elapsed() < REPORT_INTERVAL);
            let is_first = self.reported.iter().all(|(reported, _)| *reported != kind);
            if is_first {
                self.reported.push((kind, Instant::now()));
            }
            is_first
        }
    }

    /// The least time between two warnings of one kind.
    const REPORT_INTERVAL: Duration = Duration::from_secs(60);
}
