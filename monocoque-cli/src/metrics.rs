//! The metrics of the sockets of a command, over HTTP in the text format of Prometheus.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use tiny_http::{Header, Method, Request, Response, Server};

use crate::error::Error;
use crate::terminal::{info, warn};

/// A server for `GET /metrics`, until it is dropped.
pub(crate) struct MetricsServer {
    server: Arc<Server>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Installs a recorder for the process, and serves what it has recorded.
    pub(crate) fn start(address: SocketAddr) -> Result<Self, Error> {
        let failed = |reason| Error::Metrics(address, reason);
        let server = Arc::new(Server::http(address).map_err(|error| failed(bind_error(error)))?);
        let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::ALL, Some(IDLE_TIMEOUT));
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let installed = metrics::set_global_recorder(recorder);
        installed.map_err(|error| failed(io::Error::other(error.to_string())))?;
        monocoque::metrics::describe();
        if let Some(bound) = server.server_addr().to_ip() {
            info(format_args!("metrics on http://{bound}/metrics"));
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let (requests, ended) = (server.clone(), stopped.clone());
        let thread = thread::Builder::new().name("mq-metrics".into());
        let thread = thread.spawn(move || serve(&requests, &handle, &ended)).map_err(failed)?;
        Ok(Self { server, stopped, thread: Some(thread) })
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // A panic was printed already.
            let _ended = thread.join();
        }
    }
}

/// Answers requests. Without any, series that are idle are removed from time to time.
fn serve(server: &Server, handle: &PrometheusHandle, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        match server.recv_timeout(IDLE_TIMEOUT) {
            // An error concerns the client, which is gone.
            Ok(Some(request)) => drop(answer(request, handle)),
            Ok(None) => drop(handle.render()),
            Err(error) => return warn(&format_args!("metrics are no longer served: {error}")),
        }
    }
}

fn answer(request: Request, handle: &PrometheusHandle) -> io::Result<()> {
    match (request.method(), request.url().split('?').next()) {
        (Method::Get | Method::Head, Some("/metrics")) => {
            let response = Response::from_string(handle.render());
            match Header::from_bytes("Content-Type", "text/plain; version=0.0.4; charset=utf-8") {
                Ok(header) => request.respond(response.with_header(header)),
                Err(()) => request.respond(response),
            }
        }
        (Method::Get | Method::Head, _) => {
            request.respond(Response::from_string("metrics are at /metrics\n").with_status_code(404))
        }
        _ => request.respond(Response::from_string("only GET is supported\n").with_status_code(405)),
    }
}

/// Returns the I/O error of a server that could not be started.
fn bind_error(error: Box<dyn std::error::Error + Send + Sync>) -> io::Error {
    error.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error)
}

/// The time after which the series of an ended connection is removed. Those of sockets and peers
/// that exist are renewed once a second.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
