// The pages are files of docs/guide and docs/reference in the repository. The folder docs of this
// crate has symbolic links to them, which `cargo package` follows. Tests need no links, and name
// their page without them.
#![cfg_attr(not(doctest), doc = links!())]
#![doc = include_str!("../docs/guide/README.md")]

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/getting-started.md")]
pub mod getting_started {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/request-reply.md")]
pub mod request_reply {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/publish-subscribe.md")]
pub mod publish_subscribe {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/pipeline.md")]
pub mod pipeline {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/router-dealer.md")]
pub mod router_dealer {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/pair.md")]
pub mod pair {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/inproc.md")]
pub mod inproc {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/proxies.md")]
pub mod proxies {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/raw-tcp.md")]
pub mod raw_tcp {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/heartbeats.md")]
pub mod heartbeats {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/security.md")]
pub mod security {}

// Its program needs TLS, which monocoque-interop has: it is a test of that crate.
#[cfg(not(doctest))]
#[doc = links!()]
#[doc = include_str!("../docs/guide/tls.md")]
pub mod tls {}

// Its programs need tokio and smol in the library.
#[cfg(any(not(doctest), all(feature = "smol", feature = "tokio")))]
#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/event-loops.md")]
pub mod event_loops {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/recipes/README.md")]
pub mod recipes {
    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/worker-pool.md")]
    pub mod worker_pool {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/last-value.md")]
    pub mod last_value {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/gaps-and-replay.md")]
    pub mod gaps_and_replay {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/request-retry.md")]
    pub mod request_retry {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/tokio-server.md")]
    pub mod tokio_server {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/shutdown.md")]
    pub mod shutdown {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/select.md")]
    pub mod select {}

    #[cfg_attr(not(doctest), doc = links!())]
    #[doc = include_str!("../docs/guide/recipes/broker-statistics.md")]
    pub mod broker_statistics {}
}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/guide/migration.md")]
pub mod migration {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/reference/options.md")]
pub mod options {}

#[cfg_attr(not(doctest), doc = links!())]
#[doc = include_str!("../docs/reference/differences.md")]
pub mod differences {}

/// The programs of READMEs, as tests.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../README.md")]
    mod of_the_crate {}
    #[doc = include_str!("../docs/repository.md")]
    mod of_the_repository {}
}
