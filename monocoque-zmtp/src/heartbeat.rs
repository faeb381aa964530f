//! The heartbeat: detects peers that are gone (RFC 37, section 'Connection Heartbeating').
//!
//! Owns when a PING is due and when silence has lasted too long. It has no clock: instants are
//! arguments. The engine passes when bytes were last received, so that a peer is never given up
//! while we do not read. Called by the encoder; the decoder only notes the TTL that a peer
//! announces.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use monocoque_core::{Outbox, deadline};

use crate::command::put_command;
use crate::names::CommandKind;
use crate::{ConfigError, ZmtpError};

/// The settings of the heartbeat.
///
/// ```
/// use std::time::Duration;
///
/// use monocoque_zmtp::HeartbeatConfig;
///
/// let interval = Some(Duration::from_secs(5));
/// let heartbeat = HeartbeatConfig { interval, ..HeartbeatConfig::default() };
/// assert_eq!(heartbeat.timeout, None, "as long as the interval");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// The time between two PINGs; `None`, the default, or zero: no PINGs. libzmq:
    /// `ZMQ_HEARTBEAT_IVL`.
    pub interval: Option<Duration>,
    /// How long the peer may be silent after a PING; `None`, the default: as long as the interval;
    /// zero: for ever. libzmq: `ZMQ_HEARTBEAT_TIMEOUT`.
    pub timeout: Option<Duration>,
    /// The TTL that a PING announces: the peer gives us up if it receives nothing for this time
    /// after it. 0, the default, announces none; at most 6553.5 seconds, in steps of a tenth of a
    /// second. libzmq up to 4.3.5 misreads more than 65.5 seconds. libzmq: `ZMQ_HEARTBEAT_TTL`.
    pub ttl: Duration,
}

impl HeartbeatConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.ttl_tenths().map(drop)
    }

    fn ttl_tenths(&self) -> Result<u16, ConfigError> {
        u16::try_from(self.ttl.as_millis() / u128::from(TENTH_MILLIS)).map_err(|_| ConfigError::HeartbeatTtl)
    }
}

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Option<Duration>,
    timeout: Option<Duration>,
    ttl: [u8; 2],
    next_ping: Option<Instant>,
    /// The time of the oldest PING without an answer, as far as is known.
    ping_sent_at: Option<Instant>,
    /// The last time that bytes were received, as far as is known. It may be out of date: then
    /// [`deadline`](Self::deadline) is too early, and `on_deadline` corrects it.
    last_received: Instant,
    announced_ttl: AnnouncedTtl,
}

impl Heartbeat {
    /// Starts at the end of the handshake.
    pub(crate) fn new(config: &HeartbeatConfig, now: Instant) -> Self {
        let interval = config.interval.filter(|interval| !interval.is_zero());
        Self {
            interval,
            timeout: config.timeout.or(interval).filter(|timeout| !timeout.is_zero()),
            ttl: config.ttl_tenths().unwrap_or(u16::MAX).to_be_bytes(),
            next_ping: interval.and_then(|interval| deadline::after(now, interval)),
            ping_sent_at: None,
            last_received: now,
            announced_ttl: AnnouncedTtl::default(),
        }
    }

    pub(crate) fn announced_ttl(&self) -> AnnouncedTtl {
        self.announced_ttl.clone()
    }

    /// Returns the earliest of the timers.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.next_ping, self.timeout_at(), self.ttl_expires_at()].into_iter().flatten().min()
    }

    pub(crate) fn on_deadline(
        &mut self,
        now: Instant,
        last_received: Instant,
        output: &mut Outbox,
    ) -> Result<(), ZmtpError> {
        self.last_received = last_received;
        // Bytes received at the same instant as the PING answer it: one more PING is better than
        // giving up a live peer.
        self.ping_sent_at = self.ping_sent_at.filter(|&since| last_received < since);
        let reached = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if reached(self.timeout_at()) {
            return Err(ZmtpError::HeartbeatTimeout);
        }
        if reached(self.ttl_expires_at()) {
            return Err(ZmtpError::TtlExpired);
        }
        if reached(self.next_ping) {
            // One PING that waits behind a batch is enough.
            if output.is_empty() {
                put_command(CommandKind::Ping, &self.ttl, output);
            }
            self.ping_sent_at = self.ping_sent_at.or(Some(now));
            self.next_ping = self.interval.and_then(|interval| deadline::after(now, interval));
        }
        Ok(())
    }

    /// Returns when to give up a peer that does not answer.
    fn timeout_at(&self) -> Option<Instant> {
        deadline::after(self.ping_sent_at?, self.timeout?)
    }

    /// Returns when the TTL that the peer has announced expires.
    fn ttl_expires_at(&self) -> Option<Instant> {
        deadline::after(self.last_received, self.announced_ttl.duration()?)
    }
}

/// The TTL that the peer has announced, in tenths of a second: a PING announces it, any other frame
/// cancels it. Shared by the two halves of a connection, which live on one thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnnouncedTtl(Rc<Cell<u16>>);

impl AnnouncedTtl {
    /// Notes the TTL of a PING; zero is none.
    pub(crate) fn announce(&self, tenths: u16) {
        self.0.set(tenths);
    }

    /// Notes any other frame.
    #[inline]
    pub(crate) fn cancel(&self) {
        self.0.set(0);
    }

    fn duration(&self) -> Option<Duration> {
        // Multiplied in 64 bits: in 16, a TTL of 65.6 seconds would overflow to zero.
        let millis = u64::from(self.0.get()) * TENTH_MILLIS;
        (millis > 0).then(|| Duration::from_millis(millis))
    }
}

/// A tenth of a second, the unit of a TTL.
const TENTH_MILLIS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_beyond_16_bits_is_rejected() {
        let check = |ttl| HeartbeatConfig { ttl, ..HeartbeatConfig::default() }.check();
        assert_eq!(check(Duration::from_millis(6_553_599)), Ok(()));
        assert_eq!(check(Duration::from_millis(6_553_600)), Err(ConfigError::HeartbeatTtl));
        assert_eq!(check(Duration::MAX), Err(ConfigError::HeartbeatTtl));
    }

    #[test]
    fn silence_after_stall_pings_again() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let config = HeartbeatConfig { interval: Some(second), ..HeartbeatConfig::default() };
        let (mut heartbeat, mut output) = (Heartbeat::new(&config, start), Outbox::new());
        heartbeat.announced_ttl().announce(10);
        assert_eq!(heartbeat.on_deadline(start + second / 2, start, &mut output), Ok(()));
        // We stand still for ten seconds, and ask again.
        let later = start + second * 10;
        assert_eq!(heartbeat.on_deadline(later, start, &mut output), Err(ZmtpError::TtlExpired));
        assert_eq!(heartbeat.on_deadline(later, later, &mut output), Ok(()));
        assert!(!output.is_empty(), "a PING");
        assert_eq!(heartbeat.deadline(), Some(later + second));
        // The peer sends nothing more after its last bytes before that.
        heartbeat.announced_ttl().cancel();
        let heard = later.checked_sub(second / 2).expect("an instant");
        let outcome = heartbeat.on_deadline(later + second, heard, &mut output);
        assert_eq!(outcome, Err(ZmtpError::HeartbeatTimeout));
    }

    #[test]
    fn huge_interval_means_no_deadline() {
        let config = HeartbeatConfig { interval: Some(Duration::MAX), ..HeartbeatConfig::default() };
        assert_eq!(Heartbeat::new(&config, Instant::now()).deadline(), None);
    }
}
