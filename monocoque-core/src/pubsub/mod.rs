//! Publishing: the subscriptions of peers.
//!
//! [`SubscriptionIndex`] is the sorted prefix table, and does not know peers. [`PubSubHub`]
//! combines it with the peers of a socket: subscriptions belong to a connection and end with it.

mod hub;
mod index;

#[cfg(test)]
mod tests;

pub use hub::{Cancelled, PubSubHub, Subscribed, SubscriptionLimit, SubscriptionLimits};
pub use index::{Matches, SubscriptionIndex, Topics};
