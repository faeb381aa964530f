//! Publishing: who wants which topics.
//!
//! [`SubscriptionIndex`] is the sorted prefix table, and knows nothing of peers. [`PubSubHub`] puts it together with the
//! peers of a socket: subscriptions belong to a connection and end with it.

mod hub;
mod index;

#[cfg(test)]
mod tests;

pub use hub::{Cancelled, PubSubHub, Subscribed, SubscriptionLimit, SubscriptionLimits};
pub use index::{Matches, SubscriptionIndex, Topics};
