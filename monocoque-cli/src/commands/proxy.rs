//! `mq proxy`.

use std::time::Duration;

use compio::time::sleep;
use futures_lite::future::{or, pending, zip};
use monocoque::zmq::SocketType;
use monocoque::{AnySocket, Monitor, Proxy, ProxyControl, Traffic};
use serde_json::{Value, json};

use super::NOT_TAKEN;
use super::proxy_top::ProxyTop;
use crate::args::{End, ProxyArgs, Report};
use crate::error::Error;
#[cfg(feature = "metrics")]
use crate::metrics::MetricsServer;
use crate::output::{Reader, print_line};
use crate::reports::Verbosity;
use crate::session::{Env, Session, SocketSpec};
use crate::signals;

pub(super) async fn run(args: &ProxyArgs, env: &Env) -> Result<(), Error> {
    // Both directions are forwarded: the order of the sockets makes no difference.
    let (front, back) = (&args.frontend, &args.backend);
    let mut orders = [(front, back), (back, front)].into_iter();
    let Some((front, back)) = orders.find(|(front, back)| PAIRS.contains(&[front.kind, back.kind])) else {
        let (front, back) = (front.kind.name(), back.kind.name());
        return Err(Error::Usage(format!(
            "nothing can be passed between {front} and {back}: take router and dealer, xsub and xpub, or pull and push"
        )));
    };
    let (names, capture) = ([front.kind.name(), back.kind.name()], args.capture.as_ref());
    if let Some(other) = capture.map(|end| end.kind).filter(|kind| !CAPTURES.contains(kind)) {
        return Err(Error::Usage(format!("--capture takes pub, push or pair, not {}", other.name())));
    }
    let requests = signals::reports()?;
    // Before the sockets, whose events it counts.
    #[cfg(feature = "metrics")]
    let _server = args.metrics.map(MetricsServer::start).transpose()?;
    // The screen takes the place of lines on standard error.
    let silent = &Env { verbosity: Verbosity::Silent, ..env.clone() };
    let env = if args.top { silent } else { env };
    let (front, front_events) = open(front, args, env).await?;
    let (back, back_events) = open(back, args, env).await?;
    let capture = match capture {
        Some(end) => Some(open(end, args, env).await?.0),
        None => None,
    };
    let mut proxy = Proxy::new(&front.socket, &back.socket);
    if let Some(capture) = &capture {
        proxy = proxy.capture(&capture.socket);
    }
    let figures = Figures { args, control: proxy.control(), sockets: [&front.socket, &back.socket] };
    let passing = async { Ok(proxy.run().await?) };
    let mut done = if args.top {
        let top = ProxyTop::new(&front, &back, names, proxy.control());
        let showing = top.show(front_events, back_events, args.stats.unwrap_or(EVERY));
        front.until_interrupted(or(passing, showing), || true).await
    } else {
        drop((front_events, back_events));
        front.until_interrupted(or(passing, figures.keep_printing(args.stats, requests)), || true).await
    };
    if done.is_ok() && !args.top {
        done = figures.print().map(drop);
    }
    front.reset_drop_baseline();
    back.reset_drop_baseline();
    let (front, back) = zip(front.close(Ok(()), NOT_TAKEN), back.close(Ok(()), NOT_TAKEN)).await;
    if let Some(capture) = capture {
        capture.reset_drop_baseline();
        capture.close(Ok(()), NOT_TAKEN).await?;
    }
    done.and(front).and(back)
}

/// Opens a socket. Returns it with its events.
async fn open(end: &End, args: &ProxyArgs, env: &Env) -> Result<(Session, Monitor), Error> {
    let opening =
        SocketSpec { endpoints: &end.endpoints, options: &args.options, identity: None, timeout: None };
    let session = Session::make(end.kind, opening, env, |builder| builder)?;
    let monitor = session.socket.monitor();
    session.attach(&end.endpoints).await?;
    Ok((session, monitor))
}

/// The printed statistics.
#[derive(Debug)]
struct Figures<'a> {
    args: &'a ProxyArgs,
    control: ProxyControl,
    sockets: [&'a AnySocket; 2],
}

impl Figures<'_> {
    /// Prints at each interval and each request, until standard output is closed.
    async fn keep_printing(
        &self,
        every: Option<Duration>,
        requests: flume::Receiver<()>,
    ) -> Result<(), Error> {
        let tick = async || match every {
            Some(every) => sleep(every).await,
            None => pending().await,
        };
        loop {
            let request = async { requests.recv_async().await.unwrap_or_default() };
            or(tick(), request).await;
            if self.print()? == Reader::Gone {
                return Ok(());
            }
        }
    }

    fn print(&self) -> Result<Reader, Error> {
        let stats = self.control.stats();
        // By a socket whose peers do not take what it was given.
        let dropped: u64 = self.sockets.iter().map(|socket| socket.stats().dropped).sum();
        let (front, back) = (self.args.frontend.kind.name(), self.args.backend.kind.name());
        print_line(&match self.args.output {
            Report::Text => {
                let way = |Traffic { messages, bytes, .. }| format!("{messages} messages, {bytes} bytes");
                let missed = match stats.not_captured {
                    0 => String::new(),
                    missed => format!("; {missed} not captured"),
                };
                let lost = match dropped {
                    0 => String::new(),
                    dropped => format!("; {dropped} dropped"),
                };
                format!(
                    "{front} to {back}: {}; {back} to {front}: {}{missed}{lost}",
                    way(stats.forward),
                    way(stats.backward)
                )
            }
            Report::Json => {
                let way = |Traffic { messages, bytes, .. }| -> Value {
                    json!({ "messages": messages, "bytes": bytes })
                };
                let (forward, backward) = (way(stats.forward), way(stats.backward));
                let not_captured = stats.not_captured;
                json!({ "forward": forward, "backward": backward, "not_captured": not_captured, "dropped": dropped })
                    .to_string()
            }
        })
    }
}

/// The time between two snapshots of --top.
const EVERY: Duration = Duration::from_secs(1);
/// The types that messages are passed between.
const PAIRS: [[SocketType; 2]; 3] = [
    [SocketType::Router, SocketType::Dealer],
    [SocketType::Xsub, SocketType::Xpub],
    [SocketType::Pull, SocketType::Push],
];
/// The types of --capture.
const CAPTURES: [SocketType; 3] = [SocketType::Pub, SocketType::Push, SocketType::Pair];
