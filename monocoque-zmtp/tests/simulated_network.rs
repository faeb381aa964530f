//! Two peers on a connection that splits, delays, cuts and resets.

use std::time::Duration;

use fastrand::Rng;
use monocoque_core::Message;
use monocoque_zmtp::{SessionConfig, SocketType, ZmtpError};
use testing::session::network::{NetworkConditions, SimulatedConnection, seeds};
use testing::session::{Inbound, TestPeer};

/// The number of seeds for each property.
const SEEDS: u64 = 1000;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Chooses two compatible types.
fn types(rng: &mut Rng) -> [SocketType; 2] {
    let all = SocketType::ALL;
    let pairs = all.into_iter().flat_map(|one| all.map(|other| [one, other]));
    let fitting: Vec<_> = pairs.filter(|[one, other]| one.is_compatible_with(*other)).collect();
    *rng.choice(&fitting).expect("compatible types")
}

fn configs(rng: &mut Rng) -> [SessionConfig; 2] {
    types(rng).map(|socket_type| {
        let mut config = SessionConfig::new(socket_type);
        config.routing_id = vec![b'i'; *rng.choice(&[0, 1, 255]).expect("three")].into();
        config
    })
}

/// Returns an item that a peer may send to a peer of type `to`.
fn random_item(from: &TestPeer, to: SocketType, rng: &mut Rng) -> Inbound {
    assert!(from.is_ready());
    let topic = |rng: &mut Rng| Message::from(vec![rng.u8(..); rng.usize(0..300)]);
    match (to.takes_subscriptions(), rng.u8(0..3)) {
        (true, 0) => Inbound::Subscribe(topic(rng)),
        (true, 1) => Inbound::Cancel(topic(rng)),
        _ => {
            let frames = rng.usize(1..5);
            // A message that starts with 0 or 1 would be a subscription.
            let frame = |rng: &mut Rng| vec![rng.u8(2..); size(rng)];
            Inbound::Message((0..frames).map(|_| frame(rng)).collect::<Vec<_>>().into())
        }
    }
}

fn size(rng: &mut Rng) -> usize {
    match rng.u8(0..20) {
        0 => rng.usize(0..2000),
        1..4 => rng.usize(250..260),
        _ => rng.usize(0..40),
    }
}

/// Sends items between the peers for some time, from the peer of their handshake.
fn exchange_items(connection: &mut SimulatedConnection, types: [SocketType; 2], times: usize, rng: &mut Rng) {
    for _ in 0..times {
        connection.advance(ms(rng.u64(0..30)));
        let from = rng.usize(0..2);
        if connection.peers[from].is_ready() {
            let what = random_item(&connection.peers[from], types[1 - from], rng);
            connection.send(from, what);
        }
        connection.check_received();
    }
}

fn types_of(configs: &[SessionConfig; 2]) -> [SocketType; 2] {
    [configs[0].socket_type, configs[1].socket_type]
}

#[test]
fn handshake_completes_under_any_chunking() {
    seeds(SEEDS, |mut rng| {
        let configs = configs(&mut rng);
        let conditions = NetworkConditions::any(&mut rng, ms(1000));
        let mut connection = SimulatedConnection::new(configs.clone(), conditions, &mut rng);
        while connection.wire.is_busy() {
            assert!(connection.step(connection.now + ms(1000)), "bytes in flight arrive");
            assert_eq!(connection.first_error(), None);
        }
        assert!(connection.is_ready());
        for side in 0..2 {
            let (peer, config) = (connection.peers[side].peer.as_ref().expect("a peer"), &configs[1 - side]);
            assert_eq!(peer.socket_type, config.socket_type);
            let announced = config.socket_type.announces_routing_id();
            assert_eq!(peer.routing_id, if announced { config.routing_id.clone() } else { "".into() });
        }
    });
}

#[test]
fn broken_wire_handshake_never_errs() {
    seeds(SEEDS, |mut rng| {
        let configs = configs(&mut rng);
        let conditions = NetworkConditions::any(&mut rng, ms(1000));
        let mut connection = SimulatedConnection::new(configs, conditions, &mut rng);
        for _ in 0..rng.usize(0..40) {
            connection.step(connection.now + ms(100));
        }
        let before = [0, 1].map(|side: usize| connection.peers[side].is_ready());
        match rng.u8(0..3) {
            2 => connection.reset(),
            side => connection.wire.cut(side.into()),
        }
        connection.advance(ms(100_000));
        assert_eq!(connection.first_error(), None);
        assert!(
            (0..2).all(|side| connection.peers[side].is_ready() || !before[side]),
            "an established peer stays established"
        );
        connection.check_received();
    });
}

#[test]
fn received_is_prefix_of_sent() {
    seeds(SEEDS, |mut rng| {
        let configs = configs(&mut rng);
        let types = types_of(&configs);
        let conditions = NetworkConditions::any(&mut rng, ms(50));
        let mut connection = SimulatedConnection::new(configs, conditions, &mut rng);
        exchange_items(&mut connection, types, 8, &mut rng);
        let breaks = rng.u8(0..4);
        match breaks {
            3 => {}
            2 => connection.reset(),
            side => connection.wire.cut(side.into()),
        }
        if breaks != 2 {
            exchange_items(&mut connection, types, 5, &mut rng);
        }
        connection.advance(ms(1000));
        assert_eq!(connection.first_error(), None, "neither peer has a heartbeat");
        assert!(!connection.wire.is_busy());
        connection.check_received();
        if breaks == 3 {
            connection.check_all_received();
        }
    });
}

/// Configures heartbeats that tolerate a delay in each direction.
fn with_heartbeats(mut configs: [SessionConfig; 2], delay: Duration, rng: &mut Rng) -> [SessionConfig; 2] {
    for config in &mut configs {
        let interval = ms(rng.u64(5..200));
        config.heartbeat.interval = Some(interval);
        // A PING arrives after one delay at the latest, and its answer after two.
        config.heartbeat.timeout = Some(2 * delay + ms(rng.u64(0..100)));
        // The TTL is rounded down to tenths of a second.
        config.heartbeat.ttl = interval + delay + ms(rng.u64(100..300));
    }
    configs
}

#[test]
fn slow_wire_never_times_out() {
    seeds(SEEDS, |mut rng| {
        let conditions = NetworkConditions::any(&mut rng, ms(100));
        let configs = configs(&mut rng);
        let types = types_of(&configs);
        // A timeout of zero would disable it.
        let delay = conditions.delay.max(ms(1));
        let configs = with_heartbeats(configs, delay, &mut rng);
        let mut connection = SimulatedConnection::new(configs, conditions, &mut rng);
        while !connection.is_ready() {
            connection.step(connection.now + ms(1000));
        }
        exchange_items(&mut connection, types, 8, &mut rng);
        connection.advance(ms(600));
        assert_eq!(connection.first_error(), None);
        assert!(connection.pings.iter().all(|pings| pings.len() > 2));
        connection.advance(ms(200));
        connection.check_all_received();
    });
}

#[test]
fn cut_wire_times_out_on_time() {
    seeds(SEEDS, |mut rng| {
        let conditions = NetworkConditions::any(&mut rng, ms(50));
        let configs = configs(&mut rng);
        let types = types_of(&configs);
        let mut configs = with_heartbeats(configs, conditions.delay.max(ms(1)), &mut rng);
        // One peer detects the cut; the other has neither TTL nor timeout, so that the cause is
        // certain.
        let side = rng.usize(0..2);
        configs[1 - side].heartbeat.ttl = Duration::ZERO;
        configs[1 - side].heartbeat.timeout = Some(Duration::ZERO);
        configs[side].heartbeat.ttl = Duration::ZERO;
        let [interval, timeout] = [configs[side].heartbeat.interval, configs[side].heartbeat.timeout]
            .map(|time| time.expect("both are set"));
        let mut connection = SimulatedConnection::new(configs, conditions, &mut rng);
        while !connection.is_ready() {
            connection.step(connection.now + ms(1000));
        }
        exchange_items(&mut connection, types, 5, &mut rng);
        connection.wire.cut(side);
        exchange_items(&mut connection, types, 3, &mut rng);
        connection.advance(ms(10_000));
        let heard = connection.peers[side].last_received;
        let asked = connection.pings[side].iter().find(|at| **at > heard).expect("a PING after the cut");
        assert_eq!(connection.first_error(), Some((side, &ZmtpError::HeartbeatTimeout)));
        assert_eq!(connection.now, *asked + timeout);
        assert!(connection.now <= heard + interval + timeout);
        connection.check_received();
    });
}

#[test]
fn cut_wire_expires_ttl() {
    seeds(SEEDS, |mut rng| {
        let conditions = NetworkConditions::any(&mut rng, ms(50));
        let mut configs = configs(&mut rng);
        let side = rng.usize(0..2);
        let heartbeat = &mut configs[1 - side].heartbeat;
        heartbeat.interval = Some(ms(rng.u64(1..300)));
        heartbeat.timeout = Some(Duration::ZERO);
        let tenths = rng.u64(4..20);
        heartbeat.ttl = ms(100 * tenths);
        let mut connection = SimulatedConnection::new(configs, conditions, &mut rng);
        while connection.pings[1 - side].is_empty() {
            connection.step(connection.now + ms(1000));
        }
        connection.advance(conditions.delay + ms(rng.u64(0..1000)));
        connection.wire.cut(side);
        connection.advance(ms(10_000));
        assert_eq!(connection.first_error(), Some((side, &ZmtpError::TtlExpired)));
        assert_eq!(connection.now, connection.peers[side].last_received + ms(100 * tenths));
    });
}

#[test]
fn early_deadline_call_changes_nothing() {
    seeds(SEEDS, |mut rng| {
        let conditions = NetworkConditions::any(&mut rng, ms(50));
        let configs = configs(&mut rng);
        let types = types_of(&configs);
        let configs = with_heartbeats(configs, conditions.delay.max(ms(1)), &mut rng);
        let mut connection = SimulatedConnection::new(configs, conditions, &mut rng);
        while !connection.is_ready() {
            connection.step(connection.now + ms(1000));
        }
        for _ in 0..10 {
            exchange_items(&mut connection, types, 1, &mut rng);
            for peer in &mut connection.peers {
                let before = peer.deadline().expect("a heartbeat");
                peer.serve_deadline();
                assert_eq!(peer.error(), None);
                assert!(peer.output.is_empty(), "no PING before its deadline");
                assert!(peer.deadline() >= Some(before), "an early call must not move a deadline forward");
            }
        }
    });
}
