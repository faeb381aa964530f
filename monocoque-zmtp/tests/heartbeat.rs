//! Heartbeats, in virtual time.

use std::time::{Duration, Instant};

use monocoque_zmtp::{ConfigError, SessionConfig, SocketType, ZmtpError, ZmtpSession};
use testing::session::{Inbound, Pair, TestPeer};

const PING: &[u8] = b"\x04\x07\x04PING\0\0";
const PONG: &[u8] = b"\x04\x05\x04PONG";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config(socket_type: SocketType, interval: u64, timeout: Option<u64>, ttl: u64) -> SessionConfig {
    let mut config = SessionConfig::new(socket_type);
    config.heartbeat.interval = Some(ms(interval));
    config.heartbeat.timeout = timeout.map(ms);
    config.heartbeat.ttl = ms(ttl);
    config
}

/// Creates a peer of which the other side is silent.
fn with_silent_peer(interval: u64, timeout: Option<u64>, ttl: u64) -> TestPeer {
    TestPeer::established(config(SocketType::Dealer, interval, timeout, ttl), SocketType::Router)
}

/// Advances a peer by single milliseconds. Returns its outputs and their times.
fn advance(end: &mut TestPeer, millis: u64) -> Vec<(u64, Vec<u8>)> {
    let mut put = Vec::new();
    for at in 1..=millis {
        end.now += ms(1);
        end.tick();
        let bytes = end.written();
        if !bytes.is_empty() {
            put.push((at, bytes));
        }
    }
    put
}

#[test]
fn heartbeat_off_has_no_deadline() {
    let end = TestPeer::established(SessionConfig::new(SocketType::Dealer), SocketType::Router);
    assert_eq!(end.deadline(), None);
    assert_eq!(with_silent_peer(0, None, 0).deadline(), None, "zero is off");
}

#[test]
fn ping_is_sent_each_interval() {
    let mut end = with_silent_peer(100, Some(0), 0);
    assert_eq!(end.deadline(), Some(end.now + ms(100)));
    let pings = advance(&mut end, 350);
    assert_eq!(pings, [100, 200, 300].map(|at| (at, PING.to_vec())));
    assert!(end.is_ready(), "a timeout of zero waits for ever");
}

#[test]
fn ping_announces_ttl_in_deciseconds() {
    let mut end = with_silent_peer(100, Some(0), 2599);
    assert_eq!(advance(&mut end, 100), [(100, b"\x04\x07\x04PING\0\x19".to_vec())]);
    assert_eq!(
        ZmtpSession::new(config(SocketType::Dealer, 100, None, 6_553_600)).err(),
        Some(ConfigError::HeartbeatTtl)
    );
}

#[test]
fn silence_after_ping_times_out() {
    for (timeout, ends_at) in [(Some(30), 130), (None, 200), (Some(250), 350)] {
        let mut end = with_silent_peer(100, timeout, 0);
        advance(&mut end, ends_at - 1);
        assert_eq!(end.error(), None);
        advance(&mut end, 1);
        assert_eq!(end.error(), Some(&ZmtpError::HeartbeatTimeout));
    }
}

#[test]
fn traffic_after_ping_keeps_connection() {
    for sign_of_life in [PONG, b"\x00\x01A", b"\x04\x04\x03XYZ"] {
        let mut end = with_silent_peer(100, Some(50), 0);
        advance(&mut end, 99);
        for _ in 0..5 {
            assert_eq!(advance(&mut end, 1).len(), 1, "a PING");
            advance(&mut end, 49);
            end.feed(sign_of_life, usize::MAX);
            advance(&mut end, 50);
        }
        assert_eq!(end.error(), None);
    }
}

#[test]
fn traffic_before_ping_does_not_count() {
    let mut end = with_silent_peer(100, Some(50), 0);
    advance(&mut end, 99);
    end.feed(b"\x00\x01A", usize::MAX);
    advance(&mut end, 50);
    assert_eq!(end.error(), None);
    advance(&mut end, 1);
    assert_eq!(end.error(), Some(&ZmtpError::HeartbeatTimeout));
}

#[test]
fn mutual_heartbeats_keep_connection() {
    for (client, server) in [
        (SocketType::Dealer, SocketType::Router),
        (SocketType::Push, SocketType::Pull),
        (SocketType::Sub, SocketType::Pub),
    ] {
        let config = |socket_type| config(socket_type, 20, Some(5), 100);
        let mut pair = Pair::new(config(client), config(server), 7);
        pair.handshake();
        pair.advance(ms(500));
        assert!(pair.client.is_ready() && pair.server.is_ready());
        assert_eq!(pair.server.recv(), []);
    }
}

#[test]
fn unilateral_heartbeat_keeps_connection() {
    let mut pair =
        Pair::new(config(SocketType::Dealer, 20, Some(5), 0), SessionConfig::new(SocketType::Router), 1);
    pair.handshake();
    pair.advance(ms(200));
    assert!(pair.client.is_ready() && pair.server.is_ready());
    pair.send("still here");
    assert_eq!(pair.recv(), [Inbound::Message("still here".into())]);
}

#[test]
fn paused_reading_expires_no_timer() {
    let mut end = with_silent_peer(100, Some(50), 0);
    end.feed(b"\x04\x07\x04PING\0\x01", usize::MAX);
    end.written();
    for _ in 0..1000 {
        // The engine has stopped reading, and reports the peer as alive now.
        end.last_received = end.now + ms(1);
        advance(&mut end, 1);
    }
    assert_eq!(end.error(), None);
}

#[test]
fn expired_ttl_disconnects() {
    for (tenths, millis) in [(1_u16, 100), (25, 2500)] {
        let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
        advance(&mut end, 10_000);
        end.feed(&[&b"\x04\x07\x04PING"[..], &tenths.to_be_bytes()].concat(), usize::MAX);
        assert_eq!(end.written(), PONG);
        advance(&mut end, millis - 1);
        assert_eq!(end.error(), None);
        advance(&mut end, 1);
        assert_eq!(end.error(), Some(&ZmtpError::TtlExpired));
    }
}

#[test]
fn later_frame_cancels_ttl() {
    for later in [PING, PONG, b"\x00\x01A", b"\x04\x04\x03XYZ"] {
        for glued in [true, false] {
            let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
            let promise = b"\x04\x07\x04PING\0\x01";
            if glued {
                end.feed(&[promise, later].concat(), usize::MAX);
            } else {
                end.feed(promise, usize::MAX);
                advance(&mut end, 50);
                end.feed(later, usize::MAX);
            }
            advance(&mut end, 1000);
            assert_eq!(end.error(), None);
            assert_eq!(end.deadline(), None);
        }
    }
}

#[test]
fn ping_renews_ttl() {
    let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
    for _ in 0..10 {
        end.feed(b"\x04\x07\x04PING\0\x01", usize::MAX);
        advance(&mut end, 99);
    }
    assert_eq!(end.error(), None);
    // A longer TTL, then a shorter one.
    end.feed(b"\x04\x07\x04PING\x10\0", usize::MAX);
    advance(&mut end, 99);
    end.feed(b"\x04\x07\x04PING\0\x01", usize::MAX);
    advance(&mut end, 100);
    assert_eq!(end.error(), Some(&ZmtpError::TtlExpired));
}

#[test]
fn max_ttl_does_not_wrap() {
    let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
    end.feed(b"\x04\x07\x04PING\xff\xff", usize::MAX);
    end.tick();
    assert_eq!(end.deadline(), Some(end.now + ms(6_553_500)));
    end.now += ms(6_553_499);
    end.tick();
    assert_eq!(end.error(), None);
    end.now += ms(1);
    end.tick();
    assert_eq!(end.error(), Some(&ZmtpError::TtlExpired));
}

#[test]
fn zero_ttl_sets_no_deadline() {
    let mut end = TestPeer::established(SessionConfig::new(SocketType::Pull), SocketType::Push);
    end.feed(PING, usize::MAX);
    assert_eq!(end.deadline(), None);
}

#[test]
fn late_deadline_sends_one_ping() {
    let mut end = with_silent_peer(100, Some(0), 0);
    end.now += ms(1000);
    end.tick();
    assert_eq!(end.written(), PING);
    assert_eq!(end.deadline(), Some(end.now + ms(100)));
}

#[test]
fn served_deadline_moves_forward() {
    // With any timers, an engine that serves deadlines when they pass makes progress.
    let mut end = with_silent_peer(70, Some(30), 100);
    let mut served = 0;
    let stop: Instant = end.now + ms(10_000);
    while let Some(at) = end.deadline().filter(|at| *at < stop) {
        end.now = end.now.max(at);
        end.feed(b"\x04\x07\x04PING\0\x01", usize::MAX);
        end.tick();
        end.written();
        served += 1;
    }
    assert_eq!(end.error(), None);
    assert!(served < 500, "{served} calls in ten seconds");
}
