//! Events of the `tracing` crate: changes of connections, in a span for each, without message
//! contents.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use monocoque::zmq::{DealerSocket, PubSocket, RouterSocket};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// A writer that keeps all lines.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lines").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[test]
fn tracing_omits_message_contents() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let router = RouterSocket::new().expect("a socket");
            let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("bound");
            let dealer = DealerSocket::builder().routing_id("secret-name").build().expect("a socket");
            dealer.connect(endpoint.clone()).await.expect("connected");
            dealer.send("secret-body").await.expect("sent");
            router.recv().await.expect("received");
            let publisher = PubSocket::new().expect("a socket");
            publisher.connect(endpoint).await.expect("connected");
            let mut monitor = publisher.monitor();
            while !matches!(
                futures::StreamExt::next(&mut monitor).await,
                Some(monocoque::SocketEvent::Retrying { .. })
            ) {}
            dealer.close().await;
            publisher.close().await;
            router.close().await;
        });
    });
    let lines = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("text");
    let ours = || lines.lines().filter(|line| line.contains("monocoque"));
    for (what, times) in [
        ("listening", 1),
        ("accepted", 2),
        (": connected", 2),
        ("handshake succeeded", 2),
        ("handshake failed", 2),
        ("disconnected", 4),
        ("reconnecting", 1),
        ("no longer listening", 1),
        (": closed", 3),
    ] {
        let count = ours().filter(|line| line.contains(what)).count();
        assert!(count >= times, "{what}: {count} of {times}\n{lines}");
    }
    assert!(
        ours()
            .filter(|line| line.contains("handshake succeeded"))
            .all(|line| line.contains("connection{id=")),
        "in a span\n{lines}"
    );
    assert!(!lines.contains("secret"), "{lines}");
}
