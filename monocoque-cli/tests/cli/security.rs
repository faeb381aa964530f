//! CURVE, PLAIN and the lists of who may connect.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

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
    keys.client(&["push", "-d", "x", "-t", "1s"], &[]).end().failed(77, "refused this socket (400)");
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
    assert!(
        failed.contains(r#""reason":"the peer refused this socket: 400 (wrong key, password or address)""#),
        "{failed}"
    );
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
fn errors_do_not_repeat_file_contents() {
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
        fails(&["--curve-server", "--key-file", &file], 2, &reason);
    }
    let file = keys.private("binary.key", [0xff; 40]);
    fails(&["--curve-server", "--key-file", &file], 2, "line 1: not a key");
    for (text, reason) in [
        ("anna:x\n\ns3cret\n", "line 3: user:password is expected"),
        ("anna:x\nanna:s3cret\n", "line 2: the user has a password already"),
        ("# s3cret\n", "user:password is expected"),
    ] {
        let file = keys.private("users", text);
        fails(&["--plain-server", "--passwords", &file], 2, reason);
    }
    let file = keys.private("password", "\ns3cret");
    fails(&["--plain-client", "anna", "--password-file", &file], 2, "line 1: a password is expected");
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
        (&[&["--curve-client", "--server-key", &secret]], 2, "the file may hold a secret key"),
        (&[&["--curve-server", "--key-file", &public]], 2, "holds a public one"),
        (&[&["--curve-server", "--key-file", &missing]], 2, "cannot read"),
        (&[&server, &["--keys", &missing]], 2, "cannot read"),
        (&[&server, &["--allow-key", &format!("{missing}.pub")]], 2, "cannot read"),
        (&[&["--plain-server", "--passwords", &missing]], 2, "cannot read"),
        (&[&["--plain-client", "anna"]], 2, "--plain-client needs a password"),
        (&[&["--allow-address", "here"]], 2, "neither an IP address"),
    ];
    for (options, code, reason) in wrong {
        run(&[&["pull", "-b", &endpoint], &options.concat()[..]].concat(), "").failed(*code, reason);
    }
    run(&["push", "-b", &endpoint, "--plain-client", &"u".repeat(256), "--password-file", &secret], "")
        .failed(2, "a user name or password of 256 bytes");
    run(&["monitor", "stream", "-b", "tcp://127.0.0.1:*", "--allow-address", "::1"], "")
        .failed(2, "a STREAM socket has no options of security");
}

/// Starts a server that allows the key `client` alone, over tcp.
fn server_over_tcp(keys: &Keys) -> (Running, String) {
    let (secret, client) = (keys.path("server.key"), keys.path("client.pub"));
    let server = ["pull", "-b", "tcp://127.0.0.1:*", "--curve-server", "--key-file", &secret];
    let mut server = start(&[&server[..], &["--allow-key", &client]].concat());
    let endpoint = server.endpoint();
    (server, endpoint)
}

#[test]
fn secret_as_public_key_is_not_repeated() {
    let keys = Keys::new(&["server", "client"]);
    let (endpoint, key_file, secret) = (keys.endpoint(), keys.path("server.key"), keys.text("client.key"));
    let files = ["client.secret", "client.key", "client.txt", "client"]
        .map(|name| keys.private(name, format!("{secret}\n")));
    let mistyped =
        ["", "-", "0", "000", "\u{e4}"].map(|start| format!("{start}{}", &secret[1..secret.len() - 1]));
    let middle = &secret[2..38];
    let server = ["--curve-server", "--key-file", &key_file, "--allow-key"];
    for value in files.iter().chain(&mistyped) {
        for options in [&["--curve-client", "--server-key"][..], &server] {
            let ended = run(&[&["pull", "-b", &endpoint], options, &[value]].concat(), "");
            assert!(!ended.stderr.contains(middle), "{}", ended.stderr);
            ended.failed(2, "nor the path of a file that ends with .pub");
        }
    }
    for value in &mistyped[..4] {
        let ended = run(&["pull", "-b", &endpoint, "--curve-server", "--key-file", value], "");
        assert!(!ended.stderr.contains(middle), "{}", ended.stderr);
        ended.failed(2, "--key-file takes the path of a file, not a key");
    }
}

#[test]
fn exchanged_keys_are_noticed() {
    let keys = Keys::new(&["server", "client"]);
    let (endpoint, secret) = (keys.endpoint(), keys.text("client.key"));
    let client = ["pull", "-b", &endpoint, "--curve-client", "--key-file", &keys.path("client.key")];
    let ended = run(&[&client[..], &["--server-key", &secret]].concat(), "");
    assert!(!ended.stderr.contains(&secret), "{}", ended.stderr);
    ended.failed(2, "--server-key is the secret key in --key-file");
    let public = keys.private("server.key", keys.text("server.pub"));
    run(&["pull", "-b", &endpoint, "--curve-server", "--key-file", &public], "")
        .failed(2, &format!("{public} holds a public one"));
}

#[test]
fn white_space_after_key_is_ignored() {
    let keys = Keys::new(&["server", "client"]);
    let secret = keys.private("server.key", format!("{}\t \r\n\n", keys.text("server.key")));
    let public = keys.private("spaces.pub", format!("{} \n# of anna", keys.text("client.pub")));
    let endpoint = keys.endpoint();
    let server = ["pull", "-b", &endpoint, "-n", "1", "--curve-server", "--key-file", &secret];
    let server = start(&[&server[..], &["--allow-key", &public]].concat());
    let server_key = format!("{}\n", keys.text("server.pub"));
    let client = ["push", "-c", &endpoint, "-d", "x", "--curve-client", "--server-key", &server_key];
    run(&[&client[..], &["--key-file", &keys.path("client.key")]].concat(), "").ok();
    assert_eq!(server.end().text(), "x\n");
}

#[test]
fn refused_peers_are_reported_by_address() {
    let keys = Keys::new(&["server", "client"]);
    let (mut server, endpoint) = server_over_tcp(&keys);
    let public = keys.path("server.pub");
    for address in ["127.0.0.1", "127.0.0.2"] {
        for round in 0..2 {
            let from = endpoint.replace("tcp://", &format!("tcp://{address}:0;"));
            let client = ["push", "-c", &from, "-d", "x", "--curve-client", "--server-key", &public];
            run(&[&client[..], &["--fail-on-refusal"]].concat(), "").failed(77, "refused this socket (400)");
            if round == 0 {
                let reason = server.stderr_after(&format!("mq: tcp://{address}:"));
                assert!(
                    reason.ends_with(" was refused (400): its key or its address is not allowed"),
                    "{reason}"
                );
            }
        }
    }
    let ended = server.interrupt();
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains("was refused")).collect();
    assert_eq!(lines.len(), 4, "{}", ended.stderr);
    for address in ["127.0.0.1", "127.0.0.2"] {
        let rest = "was refused (400): its key or its address is not allowed: 1 more time";
        assert!(lines.contains(&&*format!("mq: tcp://{address} {rest}")), "{}", ended.stderr);
    }
}

#[test]
fn refusal_ends_command_if_requested() {
    let keys = Keys::new(&["server", "client"]);
    let _server = keys.server(&["pull"], &["--allow-key", &keys.path("client.pub")]);
    let commands: [&[&str]; 4] =
        [&["push", "-d", "x"], &["push", "-d", "x", "-w", "1"], &["monitor", "push"], &["bench", "push"]];
    for command in commands {
        let ended = keys.client(command, &["--fail-on-refusal"]).end();
        assert_eq!(ended.stderr.matches("refused this socket (400)").count(), 1, "{}", ended.stderr);
        ended.failed(77, "it does not allow the public key");
    }
    let users = keys.private("users", "anna:s3cret");
    let plain = keys.0.endpoint("plain");
    let _server = start(&["pull", "-b", &plain, "--plain-server", "--passwords", &users]);
    let client = ["push", "-c", &plain, "-d", "x", "--plain-client", "anna", "--fail-on-refusal"];
    start_with_password(&client, "wrong").end().failed(77, "the user \"anna\" or the password is wrong");
}

#[test]
fn refusal_changes_code_of_timeout() {
    let keys = Keys::new(&["server", "client"]);
    let server = keys.server(&["pull"], &["--allow-key", &keys.path("client.pub")]);
    let client =
        |key, command: &[&str]| keys.client(command, &["--key-file", &keys.path(key), "-t", "500ms"]);
    client("server.key", &["push", "-w", "1", "-d", "x"]).end().failed(77, "timed out: there were fewer");
    client("client.key", &["push", "-d", "x"]).end().ok();
    server.interrupt().ok();
    client("client.key", &["push", "-d", "x"]).end().failed(124, "no peer was there");
}

#[test]
fn executed_commands_get_no_password() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("exec");
    let exec = "echo ${MQ_PASSWORD-none} $PATH";
    let rep =
        start_with_password(&["rep", "-b", &endpoint, "--exec", exec, "-O", "quiet", "-n", "1"], "s3cret");
    let reply = run(&["req", "-c", &endpoint, "-d", "x"], "").text();
    assert!(reply.starts_with("none /"), "{reply}");
    rep.end().ok();
}

#[test]
fn endless_files_are_refused() {
    let keys = Keys::new(&["server"]);
    let (endpoint, secret, zero) = (keys.endpoint(), keys.path("server.key"), keys.path("zero.pub"));
    symlink("/dev/zero", &zero).unwrap();
    let wrong: [(&[&str], &str); 5] = [
        (&["--curve-server", "--key-file", "/dev/zero"], "more than 64 KiB"),
        (&["--curve-client", "--server-key", &zero], "more than 64 KiB"),
        (&["--curve-server", "--key-file", &secret, "--allow-key", &zero], "more than 64 KiB"),
        (&["--plain-client", "anna", "--password-file", "/dev/zero"], "more than 64 KiB"),
        (&["--plain-server", "--passwords", "/dev/zero"], "more than 16384 KiB"),
    ];
    for (options, reason) in wrong {
        run(&[&["pull", "-b", &endpoint], options].concat(), "").failed(2, reason);
    }
}

#[test]
fn long_passwords_name_their_line() {
    let keys = Keys::new(&[]);
    let (endpoint, long, fits) = (keys.endpoint(), "s".repeat(256), "s".repeat(255));
    let server = |text: &str| {
        let users = keys.private("users", text);
        run(&["pull", "-b", &endpoint, "--plain-server", "--passwords", &users, "-n", "0"], "")
    };
    server(&format!("anna:{fits}\n{fits}:x\n")).ok();
    for (text, reason) in [
        (format!("anna:x\n\n{long}:x\n"), "line 3: a user name of 256 bytes: at most 255 are allowed"),
        (format!("anna:x\nben:{long}\n"), "line 2: a password of 256 bytes: at most 255 are allowed"),
    ] {
        let ended = server(&text);
        assert!(!ended.stderr.contains(&long), "{}", ended.stderr);
        ended.failed(2, reason);
    }
    let password = keys.private("password", &long);
    run(&["pull", "-b", &endpoint, "--plain-client", "anna", "--password-file", &password], "")
        .failed(2, "line 1: a password of 256 bytes");
}

/// Returns a certificate as pyzmq writes it.
fn certificate(public: &str, secret: Option<&str>) -> String {
    let secret = secret.map(|key| format!("    secret-key = \"{key}\"\n")).unwrap_or_default();
    format!("#   ****  Generated by pyzmq  ****\n\nmetadata\ncurve\n    public-key = \"{public}\"\n{secret}")
}

#[test]
fn certificates_of_pyzmq_are_read() {
    let keys = Keys::new(&["server", "client", "other"]);
    let [public, secret] = ["server.pub", "server.key"].map(|name| keys.text(name));
    let both = keys.private("anna.key_secret", certificate(&public, Some(&secret)));
    let alone = keys.private("anna.key", certificate(&public, None));
    let copied = keys.private("anna.pub", certificate(&public, None));
    let endpoint = keys.endpoint();
    let server = start(&["pull", "-b", &endpoint, "-n", "1", "--curve-server", "--key-file", &both]);
    run(&["push", "-c", &endpoint, "-d", "x", "--curve-client", "--server-key", &copied], "").ok();
    assert_eq!(server.end().text(), "x\n");

    let other = keys.private("other.key_secret", certificate(&keys.text("other.pub"), Some(&secret)));
    let leaked = keys.private("leaked.pub", certificate(&public, Some(&secret)));
    let wrong: [(&[&str], &str); 4] = [
        (&["--curve-server", "--key-file", &alone], "line 5: a certificate with the public key alone"),
        (&["--curve-server", "--key-file", &other], "line 5: the public key is not that of the secret key"),
        (
            &["--curve-client", "--server-key", &alone],
            "put the value of its public-key into one that ends with .pub",
        ),
        (&["--curve-client", "--server-key", &leaked], "line 6: a secret key, in a file for public ones"),
    ];
    for (options, reason) in wrong {
        let ended = run(&[&["pull", "-b", &endpoint], options].concat(), "");
        assert!(!ended.stderr.contains(&secret), "{}", ended.stderr);
        ended.failed(2, reason);
    }
}

#[test]
fn doubtful_key_directory_is_reported() {
    let keys = Keys::new(&["server", "client"]);
    let directory = keys.path("allowed");
    fs::create_dir(&directory).unwrap();
    let warnings = || {
        let ended = keys.server(&["pull", "-n", "0"], &["--keys", &directory]).end();
        let warnings = ended.stderr.replace("mq: warning: ", "").replace(&directory, "DIR");
        ended.ok();
        warnings
    };
    let empty = "DIR has no .pub file with a key: it allows no client until there is one\n";
    assert_eq!(warnings(), empty);
    let file = keys.private("allowed/anna.pub", certificate(&keys.text("client.pub"), None));
    let ignored = "DIR/anna.pub: ignored, for the first line is not a public key, as Z85\n";
    assert_eq!(warnings(), format!("{ignored}{empty}"));
    fs::copy(keys.path("client.pub"), &file).unwrap();
    assert_eq!(warnings(), "");
    for (path, mode, name) in
        [(&file, 0o620, "DIR/anna.pub"), (&file, 0o602, "DIR/anna.pub"), (&directory, 0o777, "DIR")]
    {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(warnings(), format!("other users may change {name}: chmod go-w prevents it\n"));
        fs::set_permissions(path, before).unwrap();
    }
}

#[test]
fn writable_public_key_is_reported() {
    let keys = Keys::new(&["server"]);
    let public = keys.path("server.pub");
    fs::set_permissions(&public, Permissions::from_mode(0o666)).unwrap();
    let client = ["pull", "-b", &keys.endpoint(), "-n", "0", "--curve-client", "--server-key", &public];
    let ended = run(&client, "");
    assert_eq!(
        ended.stderr,
        format!("mq: warning: other users may change {public}: chmod go-w prevents it\n")
    );
    ended.ok();
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
