//! Random steps.

use proptest::prelude::*;

use super::super::Flush;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A handshake is done, through one of the endpoints, by a peer with one of the names.
    Up { endpoint: usize, name: u8 },
    /// A connection is lost, after `written` 256ths of its pump's batch are written.
    Down { who: usize, written: usize },
    /// A message is sent, to the next peer in turn or to one of the names.
    Send { name: u8, len: usize, flush: Flush },
    /// A pump has written its batch, and asks for more.
    Take { who: usize },
    /// A peer sends something, to which the next message may be the reply.
    Input { who: usize },
    /// Deferred messages are flushed.
    Flush,
    /// An endpoint is detached, and connected or bound again; its peer may be assigned a name.
    Detach { endpoint: usize, name: u8 },
    /// The high-water mark changes.
    SetHwm { hwm: usize },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let flush = prop_oneof![Just(Flush::Batched), Just(Flush::Immediate), Just(Flush::Deferred)];
    let len = prop_oneof![4 => Just(0), 1 => Just(300), 1 => Just(5_000)];
    let (who, endpoint, name) = (any::<usize>(), 0..ENDPOINTS, 0..4_u8);
    prop_oneof![
        3 => (endpoint.clone(), name.clone()).prop_map(|(endpoint, name)| Step::Up { endpoint, name }),
        2 => (who, 0..256_usize).prop_map(|(who, written)| Step::Down { who, written }),
        12 => (name.clone(), len, flush).prop_map(|(name, len, flush)| Step::Send { name, len, flush }),
        5 => who.prop_map(|who| Step::Take { who }),
        3 => who.prop_map(|who| Step::Input { who }),
        1 => Just(Step::Flush),
        1 => (endpoint, name).prop_map(|(endpoint, name)| Step::Detach { endpoint, name }),
        1 => (0..6_usize).prop_map(|hwm| Step::SetHwm { hwm }),
    ]
}

/// The last one is bound, the others are connected.
pub(super) const ENDPOINTS: usize = 3;
