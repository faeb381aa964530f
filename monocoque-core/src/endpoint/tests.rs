//! Endpoints as text.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Endpoint {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn kind(error: EndpointError) -> EndpointErrorKind {
    error.kind().clone()
}

fn refused(text: &str) -> EndpointErrorKind {
    match text.parse::<Endpoint>() {
        Err(error) => {
            assert_eq!(error.endpoint(), text);
            kind(error)
        }
        Ok(endpoint) => panic!("{text} became {endpoint:?}"),
    }
}

#[test]
fn canonical_text_round_trips() {
    for text in [
        "tcp://127.0.0.1:5555",
        "tcp://[::1]:1",
        "tcp://[::ffff:192.0.2.1]:80",
        "tcp://[fe80::1%eth0.100]:65535",
        "tcp://*:0",
        "tcp://localhost:5555",
        "tcp://a_b-c.example.:5555",
        "tcp://eth0:5555",
        "ipc:///run/app.sock",
        "ipc://relative path/ü",
        "ipc://*",
        "ipc://@abstract",
        "ipc://@*",
        "ipc://a@b",
    ] {
        assert_eq!(parse(text).to_string(), text);
    }
}

#[test]
fn equivalent_forms_compare_equal() {
    assert_eq!(parse("tcp://[::1]:5555"), parse("tcp://[0:0::1]:5555"));
    assert_eq!(parse("tcp://*:*"), parse("tcp://*:0"));
    assert_eq!(parse("tcp://[::]:*").to_string(), "tcp://[::]:0");
}

#[test]
fn unknown_scheme_is_rejected() {
    for text in ["", "tcp", "tcp:127.0.0.1:5555", "/run/app.sock", "tcp:/127.0.0.1:1"] {
        assert_eq!(refused(text), EndpointErrorKind::NoScheme, "{text}");
    }
    for scheme in ["udp", "TCP", "", " tcp", "inproc "] {
        assert_eq!(refused(&format!("{scheme}://a:1")), EndpointErrorKind::UnknownScheme(scheme.into()));
    }
}

#[test]
fn invalid_port_is_rejected() {
    for text in ["tcp://", "tcp://127.0.0.1", "tcp://[::1]", "tcp://localhost"] {
        assert_eq!(refused(text), EndpointErrorKind::NoPort, "{text}");
    }
    for port in
        ["", "65536", "+1", "-1", "1x", " 1", "1 ", "080", "00", "0x1", "99999999999999999999", "**", "١"]
    {
        assert_eq!(refused(&format!("tcp://127.0.0.1:{port}")), EndpointErrorKind::BadPort(port.into()));
    }
}

#[test]
fn invalid_host_is_rejected() {
    let long = ["a"; 128].join(".");
    let label = "a".repeat(64);
    for host in [
        "",
        " ",
        "a b",
        "256.0.0.1",
        "1.2.3",
        "1.2.3.4.",
        "127.1",
        "01.2.3.4",
        "1234",
        "[127.0.0.1]",
        "[::1",
        "::1]",
        "[]",
        "[::1]x",
        ":::1",
        "::g",
        "::1%",
        "::1%a b",
        "::1%a%b",
        "::1%0123456789abcdef",
        "1.2.3.4%eth0",
        ".",
        "..",
        "1.2.3",
        "300.1.1.1",
        "*.a",
        "**",
        "a/b",
        "-a-name-too-long-",
        "[*]",
        "[a]",
        "a\0",
        &long,
        &label,
    ] {
        assert_eq!(refused(&format!("tcp://{host}:5555")), EndpointErrorKind::BadHost(host.into()));
    }
}

#[test]
fn interface_name_follows_kernel_rules() {
    for name in [
        "eth0",
        "eth0.100",
        "br-0a1b2c",
        "wg_0",
        "we@ird",
        "a+b",
        "-a",
        "a-",
        ".a",
        "a..b",
        "ü",
        "0123456789abcde",
    ] {
        for text in [format!("tcp://{name}:5555"), format!("tcp://[fe80::1%{name}]:5555")] {
            match text.contains("0123456789") && !text.contains('[') {
                true => {
                    assert_eq!(
                        refused("tcp://0123456789:5555"),
                        EndpointErrorKind::BadHost("0123456789".into())
                    )
                }
                false => assert_eq!(parse(&text).to_string(), text),
            }
        }
    }
    assert_eq!(parse("tcp://[fe80::1%100]:1").to_string(), "tcp://[fe80::1%100]:1");
}

#[test]
fn ipv6_without_brackets_gets_hint() {
    let error = refused("tcp://2001:db8::1:2");
    assert_eq!(error, EndpointErrorKind::NoBrackets("2001:db8::1".into(), "2".into()));
    assert_eq!(error.to_string(), "an IPv6 address needs brackets, as in tcp://[2001:db8::1]:2");
    assert_eq!(refused("tcp://::1:5555"), EndpointErrorKind::NoBrackets("::1".into(), "5555".into()));
    assert_eq!(
        refused("tcp://fe80::1%eth0:1"),
        EndpointErrorKind::NoBrackets("fe80::1%eth0".into(), "1".into())
    );
    assert_eq!(refused("tcp://::1:0;[::1]:1"), EndpointErrorKind::NoBrackets("::1".into(), "0".into()));
}

#[test]
fn source_address_is_connect_only() {
    for text in ["tcp://eth0:0;192.0.2.1:5555", "tcp://[::1]:7;host.example:1", "tcp://*:0;[::1]:65535"] {
        let endpoint = parse(text);
        assert_eq!(endpoint.to_string(), text);
        assert_eq!(endpoint.check_connect(), Ok(()));
        assert_eq!(endpoint.check_bind().map_err(kind), Err(EndpointErrorKind::BindSource));
    }
    assert_eq!(parse("tcp://127.0.0.1:*;127.0.0.1:1"), parse("tcp://127.0.0.1:0;127.0.0.1:1"));
    assert_ne!(parse("tcp://127.0.0.1:0;127.0.0.1:1"), parse("tcp://127.0.0.1:1"));
    assert_eq!(parse("tcp://127.0.0.1:1").check_bind(), Ok(()));
    assert_eq!(refused("tcp://127.0.0.1;127.0.0.1:1"), EndpointErrorKind::NoPort);
    assert_eq!(refused("tcp://;127.0.0.1:1"), EndpointErrorKind::NoPort);
    assert_eq!(refused("tcp://a b:1;127.0.0.1:1"), EndpointErrorKind::BadHost("a b".into()));
    assert_eq!(refused("tcp://a:1;"), EndpointErrorKind::NoPort);
    assert_eq!(refused("tcp://a:1;b:2;c:3"), EndpointErrorKind::BadHost("b:2;c".into()));
    assert_eq!(parse("tcp://a:1;*:2").check_connect().map_err(kind), Err(EndpointErrorKind::ConnectWildcard));
    assert_eq!(parse("tcp://a:1;b:0").check_connect().map_err(kind), Err(EndpointErrorKind::ConnectPort));
}

#[test]
fn ipv6_endpoints_are_detected() {
    for text in ["tcp://[::1]:1", "tcp://[fe80::1%eth0]:1", "tcp://[::1]:0;host.example:1"] {
        assert!(parse(text).is_ipv6(), "{text}");
    }
    for text in ["tcp://127.0.0.1:1", "tcp://host.example:1", "tcp://*:1", "ipc://x"] {
        assert!(!parse(text).is_ipv6(), "{text}");
    }
}

#[test]
fn invalid_ipc_path_is_rejected() {
    assert_eq!(refused("ipc://"), EndpointErrorKind::NoPath);
    assert_eq!(refused("ipc://@"), EndpointErrorKind::NoPath);
    assert_eq!(refused("ipc://a\0b"), EndpointErrorKind::NulInPath);
    let longest = "a".repeat(107);
    assert_eq!(parse(&format!("ipc://{longest}")).to_string().len(), 113);
    assert_eq!(refused(&format!("ipc://{longest}b")), EndpointErrorKind::PathTooLong(108));
}

#[test]
fn ipc_address_kinds_are_distinct() {
    let Endpoint::Ipc(path) = parse("ipc://./@x") else { panic!("ipc") };
    assert_eq!((path.path(), path.abstract_name()), (Some(Path::new("./@x")), None));
    let Endpoint::Ipc(name) = parse("ipc://@x") else { panic!("ipc") };
    assert_eq!((name.path(), name.abstract_name()), (None, Some("x")));
    let Endpoint::Ipc(any) = parse("ipc://*") else { panic!("ipc") };
    assert_eq!((any.path(), any.abstract_name(), any.is_wildcard()), (None, None, true));
}

#[test]
fn wildcard_endpoint_rejects_connect() {
    for text in ["tcp://localhost:1", "tcp://0.0.0.0:65535", "ipc://@x", "ipc://x"] {
        assert_eq!(parse(text).check_connect(), Ok(()));
    }
    for text in ["tcp://*:1", "tcp://*:*", "ipc://*"] {
        assert_eq!(parse(text).check_connect().map_err(kind), Err(EndpointErrorKind::ConnectWildcard));
    }
    assert_eq!(parse("tcp://[::1]:0").check_connect().map_err(kind), Err(EndpointErrorKind::ConnectPort));
}

#[test]
fn endpoint_converts_from_many_types() {
    fn take<T: TryInto<Endpoint, Error: Into<EndpointError>>>(
        endpoint: T,
    ) -> Result<Endpoint, EndpointError> {
        endpoint.try_into().map_err(Into::into)
    }
    let text = "tcp://127.0.0.1:5555".to_owned();
    let endpoint = take(&*text).expect("valid");
    assert_eq!(take(&text).as_ref(), Ok(&endpoint));
    assert_eq!(take(text).as_ref(), Ok(&endpoint));
    assert_eq!(take(&endpoint).as_ref(), Ok(&endpoint));
    assert_eq!(take(SocketAddr::from(([127, 0, 0, 1], 5555))).as_ref(), Ok(&endpoint));
    assert_eq!(take(endpoint.clone()), Ok(endpoint));
    assert_eq!(take("x").map_err(kind), Err(EndpointErrorKind::NoScheme));
}

#[test]
fn error_names_text_and_reason() {
    let error = "foo".parse::<Endpoint>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid endpoint \"foo\": an endpoint needs a scheme, as in tcp://127.0.0.1:5555"
    );
    let error = parse("tcp://*:1").check_connect().unwrap_err();
    assert!(error.to_string().starts_with("invalid endpoint \"tcp://*:1\": a wildcard"), "{error}");
}

#[test]
fn endpoint_parts_are_readable() {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::os::unix::ffi::OsStrExt;

    let endpoint = parse("tcp://192.0.2.1:80");
    assert_eq!((endpoint.scheme(), endpoint.port()), ("tcp", Some(80)));
    assert_eq!(endpoint.host(), Some(&Host::from(Ipv4Addr::new(192, 0, 2, 1))));
    assert_eq!(endpoint.socket_addr(), Some(([192, 0, 2, 1], 80).into()));
    let zoned = parse("tcp://[fe80::1%3]:80").socket_addr().unwrap();
    assert_eq!(zoned.to_string(), "[fe80::1%3]:80");
    for text in ["tcp://*:1", "tcp://localhost:1", "tcp://[fe80::1%eth0]:1", "ipc://x", "inproc://x"] {
        assert_eq!(parse(text).socket_addr(), None, "{text}");
    }
    let ipc = parse("ipc://x");
    assert_eq!((ipc.scheme(), ipc.host(), ipc.port()), ("ipc", None, None));

    assert_eq!(Endpoint::tcp(Ipv6Addr::LOCALHOST, 5).unwrap(), "tcp://[::1]:5");
    for host in ["::1", "[::1]"] {
        assert_eq!(Endpoint::try_from((host, 5)).unwrap(), "tcp://[::1]:5");
    }
    let error = kind(Endpoint::tcp("a b", 5).unwrap_err());
    assert_eq!(error, EndpointErrorKind::BadHost("a b".into()));
    assert_eq!(Endpoint::ipc("/run/a b").unwrap(), "ipc:///run/a b");
    assert_eq!(Endpoint::try_from(Path::new("x")).unwrap(), "ipc://x");
    let path = Path::new(std::ffi::OsStr::from_bytes(b"\xff"));
    assert_eq!(kind(Endpoint::ipc(path).unwrap_err()), EndpointErrorKind::PathNotUtf8);
    assert_eq!(Endpoint::inproc("x").unwrap(), "inproc://x");
    assert_eq!(kind(Endpoint::inproc("").unwrap_err()), EndpointErrorKind::NoName);
    assert!(parse("tcp://127.0.0.1:9") < parse("tcp://127.0.0.1:10"));
}

proptest! {
    #[test]
    fn socket_address_round_trips(ip: IpAddr, port: u16, scope in prop_oneof![Just(0), any::<u32>()]) {
        let mut address = SocketAddr::new(ip, port);
        if let SocketAddr::V6(v6) = &mut address {
            v6.set_scope_id(scope);
        }
        let endpoint = Endpoint::from(address);
        prop_assert_eq!(parse(&endpoint.to_string()), endpoint);
    }

    #[test]
    fn accepted_text_round_trips(
        text in "(tcp|ipc)://(\\PC{0,12}|([a-z0-9.:*]{0,9}:[0-9]{1,2};)?[a-z0-9.:%\\[\\]*@-]{0,20}(:[0-9*]{0,6})?)",
    ) {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(parse(&endpoint.to_string()), endpoint);
        }
    }
}
