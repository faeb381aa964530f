//! The example `service`, as a process of its own, from outside.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use monocoque::Context;
use monocoque::zmq::{DealerSocket, ReqSocket, SubSocket};
use rustix::process::{Pid, Signal, kill_process};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The time limit of one step.
const DEADLINE: Duration = Duration::from_secs(30);

/// The path of the example, built as it is now: not all ways to run tests build examples.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "monocoque-examples", "--example", "service"])
            .args(["--message-format", "json"])
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo has run");
        assert!(built.status.success(), "the example is not built");
        let messages = String::from_utf8(built.stdout).expect("text");
        let path = messages.lines().find_map(|line| line.split_once(r#""executable":""#));
        path.and_then(|(_, rest)| rest.split('"').next()).expect("the path of the example").to_owned()
    })
}

/// A running service, which is killed when a test fails.
struct Service {
    process: Child,
    output: Option<BufReader<ChildStdout>>,
    requests: String,
    events: String,
}

impl Service {
    fn start(workers: &str) -> Self {
        let any = "tcp://127.0.0.1:0";
        let mut command = Command::new(program());
        command.args([any, any, workers]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("started");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut endpoint = |label| {
            let mut line = String::new();
            output.read_line(&mut line).expect("a line");
            line.trim().strip_prefix(label).unwrap_or_else(|| panic!("{line:?} for {label:?}")).to_owned()
        };
        let (requests, events) = (endpoint("requests at "), endpoint("events at "));
        Self { process, output: Some(output), requests, events }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("a signal");
    }

    /// Waits for the end. Returns the exit status and the rest of the output.
    fn end(mut self) -> (ExitStatus, String) {
        let (sender, receiver) = mpsc::channel();
        let mut output = self.output.take().expect("the output");
        thread::spawn(move || {
            let mut rest = String::new();
            output.read_to_string(&mut rest).expect("text");
            sender.send(rest).ok();
        });
        // The output ends with the process.
        let rest = receiver.recv_timeout(DEADLINE).expect("the service ends");
        (self.process.wait().expect("a status"), rest)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn service_replies_and_publishes_events() -> Outcome {
    let service = Service::start("2");
    let context = Context::new()?;
    let events = SubSocket::builder().recv_timeout(Some(DEADLINE)).build_in(&context)?;
    events.subscribe("request.")?;
    events.blocking().connect(service.events.as_str())?;
    let client = ReqSocket::builder().recv_timeout(Some(DEADLINE)).build_in(&context)?;
    client.blocking().connect(service.requests.as_str())?;

    assert_eq!(client.blocking().request(["reverse", "hello"])?, ["ok", "olleh"]);
    let reply = client.blocking().request(["dance"])?;
    assert_eq!(reply, ["error", r#""dance" is no command: try reverse, wait or stats"#]);
    let reply = client.blocking().request(["wait", "a while"])?;
    assert_eq!(&reply[0], b"error");
    let reply = client.blocking().request(["stats"])?;
    assert!(reply.str(1)?.starts_with("clients 1, requests 4, waiting 0, replies 3"), "{reply}");

    // The subscription may have arrived after the first events.
    let event = loop {
        client.blocking().request(["reverse", "again"])?;
        if let Ok(event) = events.try_recv() {
            break event;
        }
    };
    assert!(event.str(0)?.starts_with("request."), "{event}");
    assert_eq!(event.len(), 3);

    service.signal(Signal::TERM);
    let (status, rest) = service.end();
    assert!(status.success(), "{status}");
    assert!(rest.starts_with("stopped: "), "{rest}");
    Ok(())
}

#[test]
fn interrupted_service_replies_before_it_ends() -> Outcome {
    let service = Service::start("4");
    let context = Context::new()?;
    let client = DealerSocket::builder().recv_timeout(Some(DEADLINE)).build_in(&context)?;
    client.blocking().connect(service.requests.as_str())?;
    for _ in 0..3 {
        client.blocking().send(["", "wait", "1000"])?;
    }
    // The requests before this one have arrived when it has a reply.
    client.blocking().send(["", "stats", ""])?;
    let first = client.blocking().recv()?;
    assert!(first.str(2)?.starts_with("clients 1, requests 4, waiting 0, replies 0"), "{first}");

    service.signal(Signal::INT);
    for _ in 0..3 {
        assert_eq!(client.blocking().recv()?, ["", "ok", "1000 ms"]);
    }
    let (status, rest) = service.end();
    assert!(status.success(), "{status}");
    assert_eq!(rest, "stopped: 4 requests, 4 replies, 5 events\n");
    Ok(())
}

#[test]
fn service_without_address_fails_and_names_it() -> Outcome {
    let service = Service::start("1");
    let second = Command::new(program()).arg(&service.requests).stderr(Stdio::piped()).output()?;
    assert_eq!(second.status.code(), Some(1));
    let port = service.requests.rsplit(':').next().unwrap_or_default();
    // The log writes to the standard error output.
    let text = String::from_utf8(second.stderr)?;
    assert!(text.contains(port) && text.contains("in use"), "{text}");
    Ok(())
}
