//! Tests of the fault proxy itself: it causes the configured faults and counts them.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use testing::DEADLINE;
use testing::proxy::{Counts, Fault, FaultPlan, Proxy, own_loopback};

/// Returns a proxy and both ends of a connection through it.
fn connected(faults: FaultPlan) -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = format!("tcp://{}", listener.local_addr().expect("an address"));
    let proxy = Proxy::start(&format!("tcp://{}:0", own_loopback()), &target, faults, 7);
    let client = TcpStream::connect(&proxy.endpoint()["tcp://".len()..]).expect("the proxy is listening");
    let (server, _) = listener.accept().expect("the proxy connects");
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(DEADLINE / 2)).expect("an option");
    }
    (proxy, client, server)
}

/// Reads to the end of the stream, which may be an error.
fn read_rest(mut stream: &TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, error)
}

/// Waits until the counts satisfy `holds`; the proxy's own actions are counted with a delay.
fn wait_for_counts(proxy: &Proxy, holds: impl Fn(Counts) -> bool) {
    let start = Instant::now();
    while !holds(proxy.counts()) {
        assert!(start.elapsed() < DEADLINE, "{:?}", proxy.counts());
        thread::yield_now();
    }
}

fn pattern() -> Vec<u8> {
    (0..100_000u32).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn delayed_fragments_arrive_complete() {
    let (proxy, client, server) =
        connected(FaultPlan { fragment: 3_000, delay: Duration::from_micros(50), ..FaultPlan::default() });
    let reader = thread::spawn(move || read_rest(&server));
    (&client).write_all(&pattern()).expect("written");
    drop(client);
    assert!(reader.join().expect("no panic") == (pattern(), None));
    wait_for_counts(&proxy, |counts| counts.bytes == pattern().len() as u64);
    let counts = proxy.counts();
    assert!(counts.fragments > 100 && counts.delays >= counts.fragments, "{counts:?}");
    assert_eq!((counts.bytes_lost, counts.faults()), (0, 0));
}

#[test]
fn cut_happens_at_exact_byte() {
    for n in [0, 1, 1_000, 70_000] {
        let faults = FaultPlan { faults: vec![Fault::CutToTarget], after: n..n + 1, ..FaultPlan::default() };
        let (proxy, client, server) = connected(faults);
        let writer = thread::spawn(move || {
            // The proxy does not accept all of it.
            let _cut = (&client).write_all(&pattern());
            client
        });
        let (bytes, error) = read_rest(&server);
        assert!(bytes == pattern()[..n as usize], "{} instead of {n}", bytes.len());
        assert_eq!(error, None);
        wait_for_counts(&proxy, |counts| counts.cuts == 1);
        drop(proxy);
        drop(writer.join().expect("no panic"));
    }
}

#[test]
fn reset_reaches_both_ends() {
    let (proxy, client, server) = connected(FaultPlan::default());
    (&client).write_all(b"before").expect("written");
    (&server).read_exact(&mut [0; 6]).expect("forwarded");
    proxy.inject_all(Fault::Reset);
    assert_eq!(read_rest(&client).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(read_rest(&server).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(proxy.counts().resets, 1);
}

#[test]
fn stalled_connection_ends_by_reset() {
    let (proxy, client, server) = connected(FaultPlan::default());
    proxy.inject_all(Fault::Stall(Duration::from_millis(100)));
    (&client).write_all(b"lost").expect("accepted by the kernel");
    let start = Instant::now();
    assert_eq!(read_rest(&server), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert!(start.elapsed() > Duration::from_millis(50));
    assert_eq!(read_rest(&client).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(proxy.counts().stalls, 1);
}

#[test]
fn paused_connection_resumes_later() {
    let (proxy, client, server) = connected(FaultPlan::default());
    proxy.inject_all(Fault::Pause(Duration::from_millis(50)));
    (&client).write_all(b"late").expect("accepted by the kernel");
    drop(client);
    assert_eq!(read_rest(&server), (b"late".to_vec(), None));
}

#[test]
fn refused_proxy_accepts_again() {
    let (proxy, _client, _server) = connected(FaultPlan::default());
    proxy.refuse(Duration::from_millis(100));
    let connect = || TcpStream::connect(&proxy.endpoint()["tcp://".len()..]);
    let start = Instant::now();
    while connect().is_ok() {
        assert!(start.elapsed() < DEADLINE, "the proxy never refused a connection");
    }
    while connect().is_err() {
        assert!(start.elapsed() < DEADLINE, "the proxy has not resumed");
    }
    assert_eq!(proxy.counts().refusals, 1);
}
