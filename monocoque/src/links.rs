//! The links of the guide, as rustdoc needs them.
//!
//! Each page of the guide defines its links at its end, as paths within the repository. In rustdoc
//! the definitions of `links!` stand in front of the page; the first definition of a link holds.

/// The address of a file of the repository, behind the label of a link.
macro_rules! repository {
    ($label:literal, $path:literal) => {
        concat!("[", $label, "]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/main/", $path, "\n")
    };
}

/// The definitions of all links of the pages.
macro_rules! links {
    () => {
        concat!(
            "[guide]: crate::guide\n",
            "[getting-started]: crate::guide::getting_started\n",
            "[getting-started-contexts]: crate::guide::getting_started#contexts-and-io-threads\n",
            "[getting-started-any]: crate::guide::getting_started#a-type-chosen-at-run-time\n",
            "[getting-started-loops]: crate::guide::getting_started#readiness\n",
            "[request-reply]: crate::guide::request_reply\n",
            "[request-reply-timeout]: crate::guide::request_reply#when-no-reply-arrives\n",
            "[publish-subscribe]: crate::guide::publish_subscribe\n",
            "[publish-subscribe-slow]: crate::guide::publish_subscribe#slow-subscribers\n",
            "[pipeline]: crate::guide::pipeline\n",
            "[pipeline-kernel]: crate::guide::pipeline#messages-in-kernel-buffers\n",
            "[router-dealer]: crate::guide::router_dealer\n",
            "[router-dealer-many]: crate::guide::router_dealer#many-requests-in-flight\n",
            "[router-dealer-free]: crate::guide::router_dealer#load-balancing\n",
            "[pair]: crate::guide::pair\n",
            "[inproc]: crate::guide::inproc\n",
            "[inproc-signals]: crate::guide::inproc#signals-between-threads\n",
            "[proxies]: crate::guide::proxies\n",
            "[proxies-chain]: crate::guide::proxies#a-chain-of-forwarders\n",
            "[raw-tcp]: crate::guide::raw_tcp\n",
            "[heartbeats]: crate::guide::heartbeats\n",
            "[heartbeats-stalled]: crate::guide::heartbeats#when-our-own-thread-stalls\n",
            "[heartbeats-peers]: crate::guide::heartbeats#list-of-connected-peers\n",
            "[event-loops]: crate::guide::event_loops\n",
            "[security]: crate::guide::security\n",
            "[security-authenticator]: crate::guide::security#authenticators\n",
            "[tls]: crate::guide::tls\n",
            "[recipes]: crate::guide::recipes\n",
            "[recipe-worker-pool]: crate::guide::recipes::worker_pool\n",
            "[recipe-last-value]: crate::guide::recipes::last_value\n",
            "[recipe-gaps]: crate::guide::recipes::gaps_and_replay\n",
            "[recipe-request-retry]: crate::guide::recipes::request_retry\n",
            "[recipe-server]: crate::guide::recipes::tokio_server\n",
            "[recipe-shutdown]: crate::guide::recipes::shutdown\n",
            "[recipe-select]: crate::guide::recipes::select\n",
            "[recipe-broker]: crate::guide::recipes::broker_statistics\n",
            "[migration]: crate::guide::migration\n",
            "[options]: crate::guide::options\n",
            "[differences]: crate::guide::differences\n",
            "[differences-unsupported]: crate::guide::differences#not-supported\n",
            repository!("design-memory", "docs/design/memory-and-io.md"),
            repository!("metrics", "docs/reference/metrics.md"),
            repository!("mq", "monocoque-cli/README.md"),
            repository!("security-policy", "SECURITY.md"),
            repository!("examples", "examples/README.md"),
            repository!("example-blocking", "examples/blocking_push_pull.rs"),
            repository!("example-broker", "examples/proxy_broker.rs"),
            repository!("example-compio", "examples/compio_pipeline.rs"),
            repository!("example-curve", "examples/curve_req_rep.rs"),
            repository!("example-pirate", "examples/paranoid_pirate.rs"),
            repository!("example-plain", "examples/plain_with_authenticator.rs"),
            repository!("example-pubsub", "examples/pubsub_events.rs"),
            repository!("example-service", "examples/service.rs"),
            repository!("example-embedded-epoll", "examples/embedded_epoll.rs"),
            repository!("example-embedded-tokio", "examples/embedded_tokio.rs"),
            repository!("example-runtime-rates", "examples/runtime_rates.rs"),
            repository!("example-smol", "examples/smol_pubsub.rs"),
            repository!("example-tls", "examples/tls.rs"),
            repository!("example-tokio", "examples/tokio_worker.rs"),
            repository!("example-worker-pool", "examples/router_worker_pool.rs"),
        )
    };
}
