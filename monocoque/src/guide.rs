//! Compiles and runs the programs of docs/guide, docs/MIGRATION.md and the README, as tests of the documentation.
//!
//! Only there: the pages of docs are not part of a package of this crate, and whatever else builds it never asks for them.

#[doc = include_str!("../docs/guide/README.md")]
mod contents {}
#[doc = include_str!("../docs/guide/heartbeats.md")]
mod heartbeats {}
#[doc = include_str!("../docs/guide/inproc.md")]
mod inproc {}
#[doc = include_str!("../docs/guide/migration.md")]
mod migration {}
#[doc = include_str!("../docs/guide/pair.md")]
mod pair {}
#[doc = include_str!("../docs/guide/pipeline.md")]
mod pipeline {}
#[doc = include_str!("../docs/guide/proxies.md")]
mod proxies {}
#[doc = include_str!("../docs/guide/publish-subscribe.md")]
mod publish_subscribe {}
#[doc = include_str!("../docs/guide/raw-tcp.md")]
mod raw_tcp {}
#[doc = include_str!("../README.md")]
mod readme {}
#[doc = include_str!("../docs/guide/request-reply.md")]
mod request_reply {}
#[doc = include_str!("../docs/guide/router-dealer.md")]
mod router_dealer {}
#[doc = include_str!("../docs/guide/tls.md")]
mod tls {}
