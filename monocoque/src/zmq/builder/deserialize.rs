//! Reading the options of a socket from a file, with the feature `serde`.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use monocoque_core::{Endpoint, Message, RoutingId};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::Builder;
use crate::options::{ReconnectStop, RouterNotify};
use crate::zmq::{AnySocket, TypedSocket};

/// Reads a map of options, each under the name of its method here. Durations are seconds, as
/// integers or fractions; a negative number is no limit. An unknown option, one that the socket
/// type lacks, and a value out of range are errors that name the option. What is not in the map has
/// its default, or is set by the methods. Secrets (`curve_...`, `plain_...`, `socks_login`) and
/// authenticators are set by the methods alone.
///
/// ```
/// use monocoque::zmq::{Builder, PushSocket};
///
/// let options = r#"{"send_hwm": 10000, "linger": 0.5, "recv_timeout": -1, "conflate": true}"#;
/// let builder: Builder<PushSocket> = serde_json::from_str(options)?;
/// let push = builder.routing_id("worker-1").build()?;
/// # drop(push);
///
/// let wrong = r#"{"xpub_manual": true}"#;
/// let error = serde_json::from_str::<Builder<PushSocket>>(wrong).unwrap_err();
/// assert!(error.to_string().contains("a PUSH socket cannot take the option `xpub_manual`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<'de, S: TypedSocket> Deserialize<'de> for Builder<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Builder { kind, options, topics, rejected, .. } =
            deserializer.deserialize_map(Options(Builder::new(S::kind())))?;
        Ok(Self { kind, options, topics, rejected, socket_type: PhantomData })
    }
}

/// The options of an untyped socket: all can be set, and those that its type lacks are rejected.
struct Options(Builder<AnySocket>);

impl<'de> Visitor<'de> for Options {
    type Value = Builder<AnySocket>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of options of a socket")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut options: A) -> Result<Self::Value, A::Error> {
        let mut builder = self.0;
        while let Some(name) = options.next_key::<String>()? {
            builder = set(builder, &name, &mut options)?;
            if let Some(error) = builder.rejected.take() {
                return Err(A::Error::custom(format_args!("option `{name}`: {error}")));
            }
        }
        Ok(builder)
    }
}

/// Sets the options that a method of the same name sets: `name(conversion of the value)`.
macro_rules! set {
    ($builder:ident, $name:ident, $options:ident: $($option:ident($type:ty $(=> $convert:expr)?),)+) => {{
        const NAMES: &[&str] = &["reconnect_stop", "router_notify", "subscribe", $(stringify!($option)),+];
        match $name {
            "reconnect_stop" => Ok($builder.reconnect_stop(named($options, STOPS)?)),
            "router_notify" => Ok($builder.router_notify(named($options, NOTICES)?)),
            "subscribe" => {
                let topics = $options.next_value::<Vec<String>>()?;
                Ok(topics.into_iter().fold($builder, Builder::subscribe))
            }
            $(stringify!($option) => {
                let value = $options.next_value::<$type>()?;
                $(let value = $convert(value);)?
                Ok($builder.$option(value))
            })+
            _ => Err(A::Error::unknown_field($name, NAMES)),
        }
    }};
}

fn set<'de, A: MapAccess<'de>>(
    builder: Builder<AnySocket>,
    name: &str,
    options: &mut A,
) -> Result<Builder<AnySocket>, A::Error> {
    set! { builder, name, options:
        affinity(Vec<usize>),
        backlog(u32),
        bind_to_device(String),
        conflate(bool),
        connect_timeout(f64 => limit),
        delivery_attempts(u32),
        departed_budget(usize),
        disconnect_msg(Message),
        handshake_timeout(f64 => limit),
        heartbeat_interval(f64 => limit),
        heartbeat_timeout(f64 => limit),
        heartbeat_ttl(f64 => limit),
        hello_msg(Message),
        hiccup_msg(Message),
        immediate(bool),
        invert_matching(bool),
        ipv6(bool),
        linger(f64 => limit),
        max_frames(usize),
        max_message_size(i64 => |bytes| u64::try_from(bytes).ok()),
        nodrop(bool),
        only_first_subscribe(bool),
        pending_handshakes(usize),
        priority(u32),
        probe_router(bool),
        reconnect_interval(f64 => limit),
        reconnect_interval_max(f64 => limit),
        recv_buffer(usize),
        recv_hwm(usize),
        recv_timeout(f64 => limit),
        req_correlate(bool),
        req_relaxed(bool),
        reuse_port(bool),
        router_handover(bool),
        router_mandatory(bool),
        routing_id(RoutingId),
        send_buffer(usize),
        send_hwm(usize),
        send_timeout(f64 => limit),
        socks_proxy(Endpoint),
        stream_notify(bool),
        tcp_keepalive(bool),
        tcp_keepalive_count(u32),
        tcp_keepalive_idle(f64 => limit),
        tcp_keepalive_interval(f64 => limit),
        tcp_max_retransmit_timeout(f64 => limit),
        type_of_service(u8),
        xpub_manual(bool),
        xpub_manual_last_value(bool),
        xpub_verbose(bool),
        xpub_verboser(bool),
        xpub_welcome_msg(Message),
        zap_domain(String),
        zap_enforce_domain(bool),
    }
}

/// Returns the limit of a number of seconds.
fn limit(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Reads a list of names.
fn named<'de, A: MapAccess<'de>, T: Copy>(
    options: &mut A,
    names: &'static [(&'static str, T)],
) -> Result<Vec<T>, A::Error> {
    let value = |name: String| {
        let found = names.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
            A::Error::custom(format_args!("unknown name `{name}`, expected one of {}", known.join(", ")))
        })
    };
    options.next_value::<Vec<String>>()?.into_iter().map(value).collect()
}

const STOPS: &[(&str, ReconnectStop)] = &[
    ("connection_refused", ReconnectStop::ConnectionRefused),
    ("handshake_failed", ReconnectStop::HandshakeFailed),
    ("connection_lost", ReconnectStop::ConnectionLost),
];

const NOTICES: &[(&str, RouterNotify)] =
    &[("connect", RouterNotify::Connect), ("disconnect", RouterNotify::Disconnect)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zmq::{DealerSocket, RouterSocket, SubSocket};

    fn read<S: TypedSocket>(json: &str) -> Result<Builder<S>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn read_options_are_set() {
        let json = r#"{"routing_id": "w", "send_hwm": 7, "linger": 0.25, "recv_timeout": -1, "handshake_timeout": 3,
            "max_message_size": 100, "reconnect_stop": ["handshake_failed"], "socks_proxy": "tcp://127.0.0.1:1080"}"#;
        let options = read::<DealerSocket>(json).expect("valid").options;
        assert_eq!(options.routing_id.expect("set"), "w");
        assert_eq!(options.linger, Some(Duration::from_millis(250)));
        assert_eq!((options.recv_timeout, options.handshake_timeout), (None, Some(Duration::from_secs(3))));
        assert_eq!(options.limits.max_message_size, 100);
        assert!(options.reconnect_stop.handshake_failed && !options.reconnect_stop.connection_refused);
        assert!(options.sockets.socks_proxy.is_some());
        let notices =
            read::<RouterSocket>(r#"{"router_notify": ["connect"]}"#).expect("valid").options.notices;
        assert!(notices.is_some_and(|notices| notices.connect && !notices.disconnect));
        let topics = read::<SubSocket>(r#"{"subscribe": ["a", "b"]}"#).expect("valid").topics;
        assert_eq!(topics, [Box::from(*b"a"), Box::from(*b"b")]);
    }

    #[test]
    fn wrong_options_are_named() {
        for (json, expected) in [
            (r#"{"sndhwm": 1}"#, "unknown field `sndhwm`"),
            (r#"{"routing_id": "\u0000"}"#, "option `routing_id`: "),
            (r#"{"xpub_manual": true}"#, "a DEALER socket cannot take the option `xpub_manual`"),
            (r#"{"subscribe": ["a"]}"#, "a DEALER socket cannot take the option `subscribe`"),
            (r#"{"socks_proxy": "ipc://x"}"#, "option `socks_proxy`: "),
            (r#"{"reconnect_stop": ["never"]}"#, "unknown name `never`"),
            (r#"{"send_hwm": "many"}"#, "invalid type: string"),
        ] {
            let error = read::<DealerSocket>(json).expect_err("wrong");
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
