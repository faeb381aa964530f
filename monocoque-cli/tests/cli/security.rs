//! CURVE, PLAIN and the lists of who may connect.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use monocoque::security::CurveKeyPair;
use zmq::SocketType;

use crate::mq_process::{Running, TestDirectory, run, start, start_with_password};
use crate::peer::{Peer, Role, connected, framed, messages, socket, text};

/// A directory with key files and the arguments that name them.
struct Keys(TestDirectory);

impl Keys {
    fn new(names: &[&str]) -> Self {
        let keys = Self(TestDirectory::new());
        names.iter().for_each(|name| keys.add(name));
        keys
    }

    fn add(&self, name: &str) {
        run(&["keygen", "--out", &self.0.path(name)], "").ok();
    }

    fn endpoint(&self) -> String {
        self.0.endpoint("socket")
    }

    fn path(&self, name: &str) -> String {
        self.0.path(name)
    }

    /// Returns the text of a key.
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a key").trim_end().to_owned()
    }

    /// Writes a file that nobody else may read, and returns its path.
    fn private(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("an owner");
        path
    }

    /// Starts a command as a server with the key `server`.
    fn server(&self, command: &[&str], options: &[&str]) -> Running {
        let (endpoint, key) = (self.endpoint(), self.path("server.key"));
        start(&[command, &["-b", &endpoint, "--curve-server", "--key-file", &key], options].concat())
    }

    /// Starts a command as a client of `server`.
    fn client(&self, command: &[&str], options: &[&str]) -> Running {
        let (endpoint, key) = (self.endpoint(), self.path("server.pub"));
        start(&[command, &["-c", &endpoint, "--curve-client", "--server-key", &key], options].concat())
    }
}

#[test]
fn curve_peers_exchange_messages() {
    let commands: [(&[&str], &[&str]); 6] = [
        (&["pull", "-n", "1"], &["push", "-d", "x"]),
        (&["push", "-d", "x"], &["pull", "-n", "1"]),
        (&["sub", "-n", "1"], &["pub", "-d", "x", "-w", "1"]),
        (&["rep", "--echo", "-n", "1"], &["req", "-d", "x"]),
        (&["router", "--echo", "-n", "1"], &["dealer", "-d", "x", "-n", "1"]),
        (&["pair", "-d", "x", "-n", "1"], &["pair", "-d", "x", "-n", "1"]),
    ];
    let keys = Keys::new(&["server", "client"]);
    let [public, secret] = ["client.pub", "client.key"].map(|name| keys.path(name));
    for (server, client) in commands {
        let server = keys.server(server, &["--allow-key", &public]);
        let client = keys.client(client, &["--key-file", &secret]);
        let printed = [client.end(), server.end()].map(|ended| {
            // The client may have started first.
            let is_start =
                |line: &&str| line.starts_with("mq: cannot connect") || line.starts_with("mq: connected");
            assert_eq!(ended.stderr.lines().find(|line| !is_start(line)), None);
            ended.text()
        });
        assert!(printed.iter().any(|text| text.ends_with("x\n")), "{printed:?}");
    }
}

#[test]
fn curve_server_may_connect() {
    let keys = Keys::new(&["server"]);
    let (endpoint, secret, public) = (keys.endpoint(), keys.path("server.key"), keys.text("server.pub"));
    let client = start(&["pull", "-b", &endpoint, "--curve-client", "--server-key", &public, "-n", "1"]);
    run(&["push", "-c", &endpoint, "--curve-server", "--key-file", &secret, "-d", "x"], "").ok();
    assert_eq!(client.end().text(), "x\n");
}

#[test]
fn null_client_of_libzmq_is_not_accepted() {
    let keys = Keys::new(&["server"]);
    let mut server = keys.server(&["pull"], &[]);
    let client = connected(SocketType::PUSH, &keys.endpoint());
    client.set_linger(0).unwrap();
    client.send("in clear text", 0).unwrap();
    // libzmq does not say that it uses NULL.
    let explained = server.stderr_after("ended the handshake: ");
    assert_eq!(explained, "it may use another mechanism than CURVE");
    assert_eq!(server.interrupt().text(), "");
}

#[test]
fn server_of_libzmq_with_other_mechanism_is_explained() {
    let keys = Keys::new(&[]);
    let server = socket(SocketType::PULL);
    server.set_plain_server(true).unwrap();
    server.bind(&keys.endpoint()).unwrap();
    let mut client = start(&["push", "-c", &keys.endpoint()]);
    assert_eq!(
        client.stderr_after("ended the handshake: "),
        "it may use another mechanism than NULL; see --curve-client and --plain-client"
    );
}

#[test]
fn curve_server_without_list_allows_every_key() {
    let keys = Keys::new(&["server"]);
    let server = keys.server(&["pull", "-n", "1"], &[]);
    keys.client(&["push", "-d", "x"], &[]).end().ok();
    assert_eq!(server.end().text(), "x\n");
}

#[test]
fn unlisted_key_is_refused_and_reported() {
    let keys = Keys::new(&["server", "client", "other"]);
    let mut server = keys.server(&["pull"], &["--allow-key", &keys.text("client.pub")]);
    let mut client = keys.client(&["push", "-d", "x"], &["--key-file", &keys.path("other.key")]);
    let public = keys.text("other.pub");
    assert_eq!(
        client.stderr_after("refused this socket (400): "),
        format!("it does not allow the public key {public} of this socket")
    );
    assert_eq!(server.stderr_after("was refused (400): "), "its key or its address is not allowed");
    // The message was never accepted for sending.
    client.interrupt().failed(1, "1 message was not delivered");
    keys.client(&["push", "-d", "x", "-t", "1s"], &[]).end().failed(124, "refused this socket (400)");
    assert_eq!(server.interrupt().text(), "");
}

#[test]
fn refusal_is_reported_once() {
    let keys = Keys::new(&["server"]);
    let _server = keys.server(&["pull"], &[]);
    let (endpoint, other) = (keys.endpoint(), CurveKeyPair::generate().public.to_string());
    let mut client = start(&["push", "-c", &endpoint, "--curve-client", "--server-key", &other, "-v"]);
    for _ in 0..3 {
        client.stderr_after("handshake failed");
    }
    let ended = client.interrupt();
    assert_eq!(ended.stderr.matches("ended the handshake: ").count(), 1, "{}", ended.stderr);
}

#[test]
fn key_directory_is_read_for_each_client() {
    let keys = Keys::new(&["server", "client"]);
    fs::create_dir(keys.path("allowed")).unwrap();
    let server = keys.server(&["pull", "-n", "1"], &["--keys", &keys.path("allowed")]);
    let client = || keys.client(&["push", "-d", "x"], &["--key-file", &keys.path("client.key")]);
    let mut early = client();
    early.stderr_after("refused this socket (400)");
    early.interrupt().failed(1, "");
    fs::copy(keys.path("client.pub"), keys.path("allowed/client.pub")).unwrap();
    client().end().ok();
    assert_eq!(server.end().text(), "x\n");
}

#[test]
fn wrong_server_key_is_explained() {
    let keys = Keys::new(&["server"]);
    let mut server = keys.server(&["pull"], &[]);
    let (endpoint, other) = (keys.endpoint(), CurveKeyPair::generate().public.to_string());
    let mut client = start(&["push", "-c", &endpoint, "--curve-client", "--server-key", &other]);
    assert_eq!(
        client.stderr_after("ended the handshake: "),
        format!(
            "it may use another mechanism than CURVE, or have another public key than --server-key {other}"
        )
    );
    assert_eq!(
        server.stderr_after("expects another server: "),
        format!("the public key of this one is {}", keys.text("server.pub"))
    );
}

#[test]
fn other_mechanism_is_explained() {
    let keys = Keys::new(&["server"]);
    let endpoint = keys.endpoint();
    let _server = keys.server(&["pull"], &[]);
    let mut client = start(&["push", "-c", &endpoint]);
    assert_eq!(
        client.stderr_after("uses CURVE, "),
        "this socket uses NULL: both need the same mechanism; see --curve-client and --plain-client"
    );
    let mut client = start_with_password(&["push", "-c", &endpoint, "--plain-client", "anna"], "s3cret");
    assert_eq!(client.stderr_after("uses CURVE, "), "this socket uses PLAIN: both need the same mechanism");
}

#[test]
fn second_client_is_explained() {
    let keys = Keys::new(&["server"]);
    let (endpoint, public) = (keys.endpoint(), keys.path("server.pub"));
    let _bound = start(&["pull", "-b", &endpoint, "--curve-client", "--server-key", &public]);
    let mut client = keys.client(&["push"], &[]);
    client.stderr_after("is a client of CURVE, too: one of both must be the server");
}

#[test]
fn key_may_start_with_hyphen() {
    let keys = Keys::new(&["server"]);
    let key = format!("-{}", "0".repeat(39));
    let pull = ["pull", "-b", &keys.endpoint(), "-n", "0"];
    run(&[&pull[..], &["--curve-client", "--server-key", &key]].concat(), "").ok();
    keys.server(&["pull", "-n", "0"], &["--allow-key", &key, "--allow-key", &key]).end().ok();
}

#[test]
fn monitor_reports_refusal() {
    let keys = Keys::new(&["server", "client"]);
    let _server = keys.server(&["pull"], &["--allow-key", &keys.path("client.pub")]);
    let mut monitor = keys.client(&["monitor", "push", "-O", "json"], &[]);
    let failed = loop {
        let line = monitor.line();
        if line.contains("handshake_failed") {
            break line;
        }
    };
    assert!(failed.contains(r#""reason":"the peer refused this socket: 400""#), "{failed}");
    monitor.stderr_after("refused this socket (400): it does not allow the public key ");
}

#[test]
fn proxy_is_server_on_both_sides() {
    let keys = Keys::new(&["server"]);
    let [front, back] = ["front", "back"].map(|name| keys.0.endpoint(name));
    let [public, secret] = ["server.pub", "server.key"].map(|name| keys.path(name));
    let ends = [format!("pull@{front}"), format!("push@{back}")];
    let proxy = start(&["proxy", &ends[0], &ends[1], "--curve-server", "--key-file", &secret]);
    let client = ["--curve-client", "--server-key", &public];
    let pull = start(&[&["pull", "-c", &back, "-n", "1"], &client[..]].concat());
    run(&[&["push", "-c", &front, "-d", "x"], &client[..]].concat(), "").ok();
    assert_eq!(pull.end().text(), "x\n");
    let mut plain = start(&["pull", "-c", &back]);
    plain.stderr_after("uses CURVE");
    proxy.interrupt().ok();
}

#[test]
fn bench_measures_curve() {
    let keys = Keys::new(&["server", "client"]);
    let secret = keys.path("server.key");
    let curve = ["--curve-server", "--key-file", &secret];
    let text = run(&[&["bench", "-n", "100"], &curve[..]].concat(), "").text();
    assert!(text.starts_with("throughput: ") && text.lines().count() == 2, "{text}");
    let rep = keys.server(&["bench", "rep", "-n", "10"], &["--allow-key", &keys.path("client.pub")]);
    let req = keys.client(&["bench", "req", "-n", "10"], &["--key-file", &keys.path("client.key")]);
    assert!(req.end().text().starts_with("latency: "));
    rep.end().ok();
    let only_one = "run each end alone";
    run(&[&["bench", "--allow-key", &keys.path("client.pub")], &curve[..]].concat(), "").failed(2, only_one);
    run(&["bench", "--curve-client", "--server-key", &keys.path("server.pub")], "").failed(2, only_one);
}

#[test]
fn plain_password_is_in_file_or_environment() {
    let keys = Keys::new(&[]);
    let endpoint = keys.endpoint();
    let users = "# users\n\nanna:s3cret\r\nben::with: colons \n";
    let users = keys.private("users", users);
    let server = start(&["pull", "-b", &endpoint, "--plain-server", "--passwords", &users, "-n", "3"]);
    let client = |user| ["push", "-c", &endpoint, "-d", user, "--plain-client", user];
    start_with_password(&client("anna"), "s3cret").end().ok();
    let password = keys.private("anna", "s3cret\n");
    run(&[&client("anna")[..], &["--password-file", &password]].concat(), "").ok();
    let password = keys.private("ben", ":with: colons ");
    // The file counts.
    start_with_password(&[&client("ben")[..], &["--password-file", &password]].concat(), "other").end().ok();
    assert_eq!(server.end().text(), "anna\nanna\nben\n");
}

#[test]
fn wrong_password_is_refused_and_reported() {
    let keys = Keys::new(&[]);
    let (endpoint, users) = (keys.endpoint(), keys.private("users", "anna:s3cret\n# carl:old\n"));
    let mut server = start(&["pull", "-b", &endpoint, "--plain-server", "--passwords", &users]);
    for (user, password) in [("anna", "s3cre"), ("# carl", "old"), ("carl", "old")] {
        let mut client = start_with_password(&["push", "-c", &endpoint, "--plain-client", user], password);
        let cause = client.stderr_after("refused this socket (400): ");
        assert_eq!(cause, format!("the user {user:?} or the password is wrong"));
    }
    server.stderr_after("was refused (400): its user, password or address is not allowed");
    assert_eq!(server.interrupt().text(), "");
}

#[test]
fn plain_server_allows_libzmq_client() {
    let keys = Keys::new(&[]);
    let (endpoint, users) = (keys.endpoint(), keys.private("users", "anna:s3cret\n"));
    let server =
        start(&["rep", "--echo", "-b", &endpoint, "--plain-server", "--passwords", &users, "-n", "1"]);
    let client = socket(SocketType::REQ);
    client.set_plain_username(Some("anna")).unwrap();
    client.set_plain_password(Some("s3cret")).unwrap();
    client.connect(&endpoint).unwrap();
    client.send("x", 0).unwrap();
    assert_eq!(text(&client), "x");
    assert_eq!(server.end().text(), "x\n");
}

#[test]
fn only_allowed_addresses_connect() {
    let keys = Keys::new(&["server"]);
    let (secret, public) = (keys.path("server.key"), keys.path("server.pub"));
    let modes: [(&[&str], &[&str]); 2] = [
        (&[], &[]),
        (&["--curve-server", "--key-file", &secret], &["--curve-client", "--server-key", &public]),
    ];
    for (options, client) in modes {
        let server = |networks: &[&str]| {
            start(&[&["pull", "-b", "tcp://127.0.0.1:*", "-n", "1"], networks, options].concat())
        };
        let mut open = server(&["--allow-address", "127.0.0.0/8", "--allow-address", "::1"]);
        let endpoint = open.endpoint();
        run(&[&["push", "-c", &endpoint, "-d", "x"], client].concat(), "").ok();
        assert_eq!(open.end().text(), "x\n");
        let mut closed = server(&["--allow-address", "10.0.0.0/8"]);
        let endpoint = closed.endpoint();
        start(&[&["push", "-c", &endpoint], client].concat()).stderr_after("refused this socket (400)");
        closed.stderr_after("was refused (400): its ");
    }
}

#[test]
fn readable_secret_file_is_reported() {
    let keys = Keys::new(&["server"]);
    let secret = keys.path("server.key");
    let server = ["pull", "-b", &keys.endpoint(), "--curve-server", "--key-file", &secret, "-n", "0"];
    assert_eq!(run(&server, "").stderr, "");
    for mode in [0o640, 0o604] {
        fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
        let ended = run(&server, "");
        let warning =
            format!("mq: warning: other users may read or change {secret}: chmod 600 prevents it\n");
        assert_eq!(ended.stderr, warning);
        ended.ok();
    }
    let users = keys.private("users", "anna:s3cret");
    fs::set_permissions(&users, Permissions::from_mode(0o644)).unwrap();
    let ended =
        run(&["pull", "-b", &keys.endpoint(), "--plain-server", "--passwords", &users, "-n", "0"], "");
    assert!(ended.stderr.contains("other users may read or change"), "{}", ended.stderr);
}

#[test]
fn secrets_are_neither_arguments_nor_output() {
    let keys = Keys::new(&["server", "client"]);
    let secrets = [keys.text("server.key"), keys.text("client.key"), "s3cret".into()];
    let check = |text: &str| {
        assert!(secrets.iter().all(|secret| !text.contains(&**secret)), "{text}");
    };
    let users = keys.private("users", "anna:s3cret");
    let plain = keys.0.endpoint("plain");
    let servers = [
        keys.server(&["pull"], &["-v", "--allow-key", &keys.path("client.pub")]),
        start(&["pull", "-v", "-b", &plain, "--plain-server", "--passwords", &users]),
    ];
    let secret = keys.path("client.key");
    let clients = [
        keys.client(&["push", "-v", "-d", "x"], &["--key-file", &secret]),
        keys.client(&["push", "-v", "-d", "x", "-t", "1s"], &["--key-file", &keys.path("server.key")]),
        start_with_password(&["push", "-v", "-c", &plain, "--plain-client", "anna", "-d", "x"], "s3cret"),
        start_with_password(
            &["push", "-v", "-c", &plain, "--plain-client", "ben", "-d", "x", "-t", "1s"],
            "s3cret",
        ),
    ];
    for server in &servers {
        check(&server.visible_arguments());
    }
    for client in clients {
        check(&client.visible_arguments());
        check(&client.end().stderr);
    }
    for server in servers {
        assert_eq!(server.line(), "x");
        check(&server.interrupt().stderr);
    }
}

#[test]
fn errors_do_not_repeat_secrets() {
    let keys = Keys::new(&["server"]);
    let (endpoint, secret) = (keys.endpoint(), keys.text("server.key"));
    let (cut, long) = (&secret[1..], format!("{secret}0"));
    let pull = ["pull", "-b", &endpoint];
    let fails = |options: &[&str], code, reason: &str| {
        let ended = run(&[&pull[..], options].concat(), "");
        assert!(!ended.stderr.contains(cut) && !ended.stderr.contains("s3cret"), "{}", ended.stderr);
        ended.failed(code, reason);
    };
    fails(&["--curve-server", "--key-file", &secret], 2, "--key-file takes the path of a file, not a key");
    let lengths = [(cut.to_owned(), 39), (long, 41)];
    for (text, length) in lengths {
        let file = keys.private("broken.key", text);
        let reason = format!("cannot use {file}: line 1: a key of {length} bytes or characters");
        fails(&["--curve-server", "--key-file", &file], 1, &reason);
    }
    let file = keys.private("binary.key", [0xff; 40]);
    fails(&["--curve-server", "--key-file", &file], 1, "line 1: not a key");
    for (text, reason) in [
        ("anna:x\n\ns3cret\n", "line 3: user:password is expected"),
        ("anna:x\nanna:s3cret\n", "line 2: the user has a password already"),
        ("# s3cret\n", "user:password is expected"),
    ] {
        let file = keys.private("users", text);
        fails(&["--plain-server", "--passwords", &file], 1, reason);
    }
    let file = keys.private("password", "\ns3cret");
    fails(&["--plain-client", "anna", "--password-file", &file], 1, "line 1: a password is expected");
}

#[test]
fn invalid_security_options_are_rejected() {
    let keys = Keys::new(&["server"]);
    let (endpoint, secret, public) = (keys.endpoint(), keys.path("server.key"), keys.path("server.pub"));
    let missing = keys.path("missing");
    let server = ["--curve-server", "--key-file", &secret];
    let client = ["--curve-client", "--server-key", &public];
    let wrong: &[(&[&[&str]], i32, &str)] = &[
        (&[&["--curve-server"]], 2, "--key-file <PATH>"),
        (&[&["--curve-client"]], 2, "--server-key <KEY>"),
        (&[&["--key-file", &secret]], 2, "<--curve-server|--curve-client>"),
        (&[&["--server-key", &public]], 2, "--curve-client"),
        (&[&["--allow-key", &public]], 2, "--curve-server"),
        (&[&["--plain-server"]], 2, "--passwords <PATH>"),
        (&[&["--passwords", &missing]], 2, "--plain-server"),
        (&[&["--password-file", &missing]], 2, "--plain-client <USER>"),
        (&[&server, &client], 2, "cannot be used with"),
        (&[&server, &["--plain-client", "anna"]], 2, "cannot be used with"),
        (&[&client, &["--allow-key", &public]], 2, "cannot be used with"),
        (&[&client, &["--allow-address", "::1"]], 2, "cannot be used with"),
        (&[&client, &["--keys", &missing]], 2, "cannot be used with"),
        (&[&server, &["--server-key", &public]], 2, "cannot be used with"),
        (&[&["--curve-client", "--server-key", "short"]], 2, "neither a key, which has 40 characters of Z85"),
        (&[&["--curve-client", "--server-key", &secret]], 2, "the file holds a secret key"),
        (&[&["--curve-server", "--key-file", &public]], 2, "holds a public one"),
        (&[&["--curve-server", "--key-file", &missing]], 1, "cannot read"),
        (&[&server, &["--keys", &missing]], 1, "cannot read"),
        (&[&["--plain-server", "--passwords", &missing]], 1, "cannot read"),
        (&[&["--plain-client", "anna"]], 2, "--plain-client needs a password"),
        (&[&["--allow-address", "here"]], 2, "neither an IP address"),
    ];
    for (options, code, reason) in wrong {
        run(&[&["pull", "-b", &endpoint], &options.concat()[..]].concat(), "").failed(*code, reason);
    }
    run(&["monitor", "stream", "-b", "tcp://127.0.0.1:*", "--allow-address", "::1"], "")
        .failed(2, "a STREAM socket has no options of security");
}

#[test]
#[ignore = "needs pyzmq: scripts/test.sh"]
fn curve_with_pyzmq() {
    let keys = Keys::new(&["server", "client"]);
    let endpoint = keys.endpoint();
    let allowed = ["--allow-key", &keys.path("client.pub")];
    let server = keys.server(&["pull", "-O", "frames", "-n", "6"], &allowed);
    let [secret, public, server_public] =
        ["client.key", "client.pub", "server.pub"].map(|name| keys.text(name));
    let client = ["curve-client", &secret, &public, &server_public];
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Source, "connect", &endpoint, &client);
    assert!(server.end().ok() == framed(&messages()));
    push.done();

    let role = ["curve-server", &keys.text("server.key")];
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Source, "bind", &endpoint, &role);
    let client = keys.client(&["pull", "-O", "frames", "-n", "6"], &[]);
    assert!(client.end().ok() == framed(&messages()));
    push.done();
}

#[test]
#[ignore = "needs pyzmq: scripts/test.sh"]
fn curve_failures_with_pyzmq() {
    let keys = Keys::new(&["server", "client"]);
    let endpoint = keys.endpoint();
    let mut server = keys.server(&["pull"], &["--allow-key", &keys.path("server.pub")]);
    let [secret, public, server_public] =
        ["client.key", "client.pub", "server.pub"].map(|name| keys.text(name));
    let client = ["curve-client", &secret, &public, &server_public];
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Refused, "connect", &endpoint, &client);
    push.done();
    server.stderr_after("was refused (400): its key or its address is not allowed");
    server.interrupt().ok();

    // The key of the client is not that of the server.
    let role = ["curve-server", &secret];
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Refuses, "bind", &endpoint, &role);
    keys.client(&["pull"], &[]).stderr_after("or have another public key than --server-key");
    push.done();
}

#[test]
#[ignore = "needs pyzmq: scripts/test.sh"]
fn plain_with_pyzmq() {
    let keys = Keys::new(&[]);
    let (endpoint, users) = (keys.endpoint(), keys.private("users", "anna:s3cret"));
    let server = ["pull", "-b", &endpoint, "--plain-server", "--passwords", &users];
    let server = start(&[&server[..], &["-O", "frames", "-n", "6"]].concat());
    let client = ["plain-client", "anna", "s3cret"];
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Source, "connect", &endpoint, &client);
    assert!(server.end().ok() == framed(&messages()));
    push.done();

    let pull = ["pull", "-c", &endpoint, "--plain-client", "anna", "-O", "frames", "-n", "6"];
    let role = ["plain-server", "anna", "s3cret"];
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Source, "bind", &endpoint, &role);
    assert!(start_with_password(&pull, "s3cret").end().ok() == framed(&messages()));
    push.done();
    let (push, _) = Peer::start_secure(SocketType::PUSH, Role::Refuses, "bind", &endpoint, &role);
    start_with_password(&pull, "wrong").stderr_after("the user \"anna\" or the password is wrong");
    push.done();
}
