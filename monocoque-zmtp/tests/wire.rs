//! Two ends on a wire that chops, delays, is cut and is reset.

use std::time::Duration;

use fastrand::Rng;
use monocoque_core::Message;
use monocoque_zmtp::{SessionConfig, SocketType, ZmtpError};
use testing::session::wire::{Link, Weather, seeds};
use testing::session::{End, Inbound};

/// How many wires each property is tried on.
const SEEDS: u64 = 1000;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two types that fit.
fn types(chance: &mut Rng) -> [SocketType; 2] {
    let all = SocketType::ALL;
    let pairs = all.into_iter().flat_map(|one| all.map(|other| [one, other]));
    let fitting: Vec<_> = pairs.filter(|[one, other]| one.is_compatible_with(*other)).collect();
    *chance.choice(&fitting).expect("some fit")
}

fn configs(chance: &mut Rng) -> [SessionConfig; 2] {
    types(chance).map(|socket_type| {
        let mut config = SessionConfig::new(socket_type);
        config.routing_id = vec![b'i'; *chance.choice(&[0, 1, 255]).expect("three")].into();
        config
    })
}

/// Something that this end may say to the other.
fn anything(from: &End, to: SocketType, chance: &mut Rng) -> Inbound {
    assert!(from.is_ready());
    let topic = |chance: &mut Rng| Message::from(vec![chance.u8(..); chance.usize(0..300)]);
    match (to.takes_subscriptions(), chance.u8(0..3)) {
        (true, 0) => Inbound::Subscribe(topic(chance)),
        (true, 1) => Inbound::Cancel(topic(chance)),
        _ => {
            let frames = chance.usize(1..5);
            // What starts with 0 or 1 is a subscription to a publisher.
            let frame = |chance: &mut Rng| vec![chance.u8(2..); size(chance)];
            Inbound::Message((0..frames).map(|_| frame(chance)).collect::<Vec<_>>().into())
        }
    }
}

fn size(chance: &mut Rng) -> usize {
    match chance.u8(0..20) {
        0 => chance.usize(0..2000),
        1..4 => chance.usize(250..260),
        _ => chance.usize(0..40),
    }
}

/// Lets both ends talk, as soon as they can, for some time.
fn talk(link: &mut Link, types: [SocketType; 2], times: usize, chance: &mut Rng) {
    for _ in 0..times {
        link.pass(ms(chance.u64(0..30)));
        let from = chance.usize(0..2);
        if link.ends[from].is_ready() {
            let what = anything(&link.ends[from], types[1 - from], chance);
            link.send(from, what);
        }
        link.check_received();
    }
}

fn types_of(configs: &[SessionConfig; 2]) -> [SocketType; 2] {
    [configs[0].socket_type, configs[1].socket_type]
}

#[test]
fn handshake_completes_under_any_chunking() {
    seeds(SEEDS, |mut chance| {
        let configs = configs(&mut chance);
        let weather = Weather::any(&mut chance, ms(1000));
        let mut link = Link::new(configs.clone(), weather, &mut chance);
        while link.wire.is_busy() {
            assert!(link.step(link.now + ms(1000)), "what is on its way arrives");
            assert_eq!(link.given_up(), None);
        }
        assert!(link.is_ready());
        for side in 0..2 {
            let (peer, config) = (link.ends[side].peer.as_ref().expect("a peer"), &configs[1 - side]);
            assert_eq!(peer.socket_type, config.socket_type);
            let announced = config.socket_type.announces_routing_id();
            assert_eq!(peer.routing_id, if announced { config.routing_id.clone() } else { "".into() });
        }
    });
}

#[test]
fn broken_wire_handshake_never_errs() {
    seeds(SEEDS, |mut chance| {
        let configs = configs(&mut chance);
        let weather = Weather::any(&mut chance, ms(1000));
        let mut link = Link::new(configs, weather, &mut chance);
        for _ in 0..chance.usize(0..40) {
            link.step(link.now + ms(100));
        }
        let before = [0, 1].map(|side: usize| link.ends[side].is_ready());
        match chance.u8(0..3) {
            2 => link.reset(),
            side => link.wire.cut(side.into()),
        }
        link.pass(ms(100_000));
        assert_eq!(link.given_up(), None);
        assert!(
            (0..2).all(|side| link.ends[side].is_ready() || !before[side]),
            "what is established stays so"
        );
        link.check_received();
    });
}

#[test]
fn received_is_prefix_of_sent() {
    seeds(SEEDS, |mut chance| {
        let configs = configs(&mut chance);
        let types = types_of(&configs);
        let weather = Weather::any(&mut chance, ms(50));
        let mut link = Link::new(configs, weather, &mut chance);
        talk(&mut link, types, 8, &mut chance);
        let breaks = chance.u8(0..4);
        match breaks {
            3 => {}
            2 => link.reset(),
            side => link.wire.cut(side.into()),
        }
        if breaks != 2 {
            talk(&mut link, types, 5, &mut chance);
        }
        link.pass(ms(1000));
        assert_eq!(link.given_up(), None, "nobody has a heartbeat");
        assert!(!link.wire.is_busy());
        link.check_received();
        if breaks == 3 {
            link.check_all_received();
        }
    });
}

/// With heartbeats that bear a way of so long in each direction.
fn with_heartbeats(mut configs: [SessionConfig; 2], delay: Duration, chance: &mut Rng) -> [SessionConfig; 2] {
    for config in &mut configs {
        let interval = ms(chance.u64(5..200));
        config.heartbeat.interval = Some(interval);
        // The peer hears of a PING after one way at the latest, we of the answer after two.
        config.heartbeat.timeout = Some(2 * delay + ms(chance.u64(0..100)));
        // In tenths of a second, rounded down.
        config.heartbeat.ttl = interval + delay + ms(chance.u64(100..300));
    }
    configs
}

#[test]
fn slow_wire_never_times_out() {
    seeds(SEEDS, |mut chance| {
        let weather = Weather::any(&mut chance, ms(100));
        let configs = configs(&mut chance);
        let types = types_of(&configs);
        // The shortest timeout there can be is no time at all, which means for ever.
        let delay = weather.delay.max(ms(1));
        let configs = with_heartbeats(configs, delay, &mut chance);
        let mut link = Link::new(configs, weather, &mut chance);
        while !link.is_ready() {
            link.step(link.now + ms(1000));
        }
        talk(&mut link, types, 8, &mut chance);
        link.pass(ms(600));
        assert_eq!(link.given_up(), None);
        assert!(link.pings.iter().all(|pings| pings.len() > 2));
        link.pass(ms(200));
        link.check_all_received();
    });
}

#[test]
fn cut_wire_times_out_on_time() {
    seeds(SEEDS, |mut chance| {
        let weather = Weather::any(&mut chance, ms(50));
        let configs = configs(&mut chance);
        let types = types_of(&configs);
        let mut configs = with_heartbeats(configs, weather.delay.max(ms(1)), &mut chance);
        // Which end is to notice: the other one promises nothing, or nobody would know whose
        // clock it was.
        let side = chance.usize(0..2);
        configs[1 - side].heartbeat.ttl = Duration::ZERO;
        configs[1 - side].heartbeat.timeout = Some(Duration::ZERO);
        configs[side].heartbeat.ttl = Duration::ZERO;
        let [interval, timeout] = [configs[side].heartbeat.interval, configs[side].heartbeat.timeout]
            .map(|time| time.expect("it is set"));
        let mut link = Link::new(configs, weather, &mut chance);
        while !link.is_ready() {
            link.step(link.now + ms(1000));
        }
        talk(&mut link, types, 5, &mut chance);
        link.wire.cut(side);
        talk(&mut link, types, 3, &mut chance);
        link.pass(ms(10_000));
        let heard = link.ends[side].last_heard;
        let asked = link.pings[side].iter().find(|at| **at > heard).expect("it has asked");
        assert_eq!(link.given_up(), Some((side, &ZmtpError::HeartbeatTimeout)));
        assert_eq!(link.now, *asked + timeout);
        assert!(link.now <= heard + interval + timeout);
        link.check_received();
    });
}

#[test]
fn cut_wire_expires_ttl() {
    seeds(SEEDS, |mut chance| {
        let weather = Weather::any(&mut chance, ms(50));
        let mut configs = configs(&mut chance);
        let side = chance.usize(0..2);
        let heartbeat = &mut configs[1 - side].heartbeat;
        heartbeat.interval = Some(ms(chance.u64(1..300)));
        heartbeat.timeout = Some(Duration::ZERO);
        let tenths = chance.u64(4..20);
        heartbeat.ttl = ms(100 * tenths);
        let mut link = Link::new(configs, weather, &mut chance);
        while link.pings[1 - side].is_empty() {
            link.step(link.now + ms(1000));
        }
        link.pass(weather.delay + ms(chance.u64(0..1000)));
        link.wire.cut(side);
        link.pass(ms(10_000));
        assert_eq!(link.given_up(), Some((side, &ZmtpError::TtlExpired)));
        assert_eq!(link.now, link.ends[side].last_heard + ms(100 * tenths));
    });
}

#[test]
fn early_deadline_call_changes_nothing() {
    seeds(SEEDS, |mut chance| {
        let weather = Weather::any(&mut chance, ms(50));
        let configs = configs(&mut chance);
        let types = types_of(&configs);
        let configs = with_heartbeats(configs, weather.delay.max(ms(1)), &mut chance);
        let mut link = Link::new(configs, weather, &mut chance);
        while !link.is_ready() {
            link.step(link.now + ms(1000));
        }
        for _ in 0..10 {
            talk(&mut link, types, 1, &mut chance);
            for end in &mut link.ends {
                let before = end.deadline().expect("it has a heartbeat");
                end.serve_deadline();
                assert_eq!(end.error(), None);
                assert!(end.output.is_empty(), "it was not time for a PING");
                assert!(end.deadline() >= Some(before), "a deadline does not come nearer by being looked at");
            }
        }
    });
}
