//! The behaviour of sockets, a module for each subject.
//!
//! All modules are linked into one program. Tests that measure, limit or end their process are
//! programs of their own, beside this folder.

mod any;
mod batching;
mod blocking;
mod bursts;
mod cancellation;
mod close;
mod conflate;
mod connect_as;
mod departed_peers;
mod disconnect_while_full;
mod durations;
mod endpoint_lifecycle;
mod endpoints;
mod fairness;
mod faults;
mod heartbeat;
mod high_water_mark;
mod hostile_peers;
mod inproc;
mod introspection;
mod invert_matching;
mod large_messages;
mod lost_connection;
mod manual_subscriptions;
mod many_connections;
mod message_limits;
mod monitor;
mod mutual_backpressure;
mod only_first_subscribe;
mod pair;
mod panics;
mod peer_notices;
mod proxy;
mod pub_fan_out;
mod publish_subscribe;
mod random_cancellation;
mod readiness;
mod reconfigure;
mod recv_with_peer;
mod redelivery;
mod relaxed_requests;
mod request_reply;
mod resubscription;
mod router_mandatory;
mod routing_id;
mod runtimes;
#[cfg(feature = "curve")]
mod security;
mod send_bounds;
mod send_side_effects;
mod send_to;
mod sender_yielding;
mod shutdown;
mod socket_options;
mod stalls;
mod stopped_subscriber;
mod stream_and_sink;
mod timeouts;
mod values;
mod write_order;
mod xpub_xsub;
mod yielding;
