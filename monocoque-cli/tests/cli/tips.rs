//! Tips below the errors of the command line, for what other tools call otherwise.

use crate::mq_process::run;

const AT: &str = "tcp://127.0.0.1:1";

/// Checks that a command line is rejected with all of these texts.
#[track_caller]
fn check(args: &[&str], texts: &[&str]) -> String {
    let ended = run(args, "");
    for text in texts {
        assert!(ended.stderr.contains(text), "mq {}: {text:?} is not in {}", args.join(" "), ended.stderr);
    }
    let stderr = ended.stderr.clone();
    ended.failed(2, "");
    stderr
}

#[test]
fn text_beside_endpoint_names_option() {
    for (command, tip) in [
        ("push", "-d 'hello'"),
        ("pub", "-d 'hello'"),
        ("req", "-d 'hello'"),
        ("dealer", "-d 'hello'"),
        ("sub", "-s 'hello'"),
        ("top", "-s 'hello'"),
        ("xsub", "-s 'hello'"),
        ("rep", "--reply 'hello'"),
        ("pull", "mq push sends"),
    ] {
        check(&[command, AT, "hello"], &["invalid value 'hello'", "an endpoint needs a scheme", tip]);
    }
    check(&["push", AT, "a:5"], &["-d 'a:5'"]);
    check(&["sub", AT, "5"], &["-n 5 ends after 5 messages"]);
    let alone = check(&["push", "server:5555", "-d", "x"], &["did you mean tcp://server:5555?"]);
    assert!(!alone.contains("tip:"), "{alone}");
}

#[test]
fn value_of_flag_names_option() {
    let text =
        check(&["push", AT, "-d", "x", "--repeat", "3"], &["--repeat takes no value", "-n 3 ends after"]);
    assert!(!text.contains("did you mean"), "{text}");
    check(&["push", AT, "-d", "x", "--repeat=3"], &["-n 3 ends after 3 messages"]);
    check(&["sub", AT, "--json", "yes"], &["--json takes no value"]);
    check(&["sub", AT, "-v", "2"], &["-v takes no value"]);
}

#[test]
fn option_of_other_tools_is_explained() {
    for (command, option, tip) in [
        ("sub", "--once", "-n 1 ends after one message"),
        ("pub", "--rate", "-i DURATION"),
        ("push", "--message", "-d TEXT"),
        ("rep", "--message", "--reply TEXT"),
        ("sub", "--filter", "-s TOPIC"),
        ("pub", "--subject", "--topic TOPIC"),
        ("xpub", "--topic", "--delimiter ' '"),
        ("sub", "-o", "-O json"),
        ("push", "-O", "-I FORMAT"),
        ("push", "-q", "prints no messages"),
        ("sub", "-I", "-O FORMAT"),
        ("sub", "-q", "-O quiet"),
        ("sub", "-f", "--format TEMPLATE"),
        ("sub", "-W", "-t DURATION"),
        ("req", "--id", "--identity ID"),
        ("pull", "-l", "-b ENDPOINT"),
        ("push", "--port", "tcp://localhost:5555"),
        ("push", "--url", "an endpoint needs no option"),
    ] {
        let text = check(&[command, AT, option, "5"], &["unexpected argument", option, tip]);
        assert!(!text.contains("similar argument") && !text.contains("--heartbeat"), "{text}");
    }
    let unknown = check(&["push", AT, "-Z"], &["unexpected argument '-Z'"]);
    assert!(!unknown.contains("as a value"), "{unknown}");
}

#[test]
fn value_of_other_meaning_is_explained() {
    check(&["sub", AT, "-c", "5"], &["-n 5 ends after 5 messages"]);
    check(&["sub", AT, "-t", "weather"], &["-s 'weather'"]);
    check(&["pub", AT, "-d", "x", "-t", "weather"], &["--topic 'weather'"]);
    check(&["monitor", AT], &["there are pair, pub, sub,", "mq monitor req tcp://127.0.0.1:1"]);
}

#[test]
fn command_of_other_tools_is_named() {
    for (typed, known) in [("publish", "pub"), ("subscribe", "sub"), ("request", "req"), ("PUSH", "push")] {
        check(&[typed], &["similar subcommand", &format!("'{known}'")]);
    }
}

#[test]
fn template_without_field_is_rejected() {
    check(&["sub", AT, "--format", "json"], &["a template needs a field in braces", "-O json"]);
    check(&["sub", AT, "--format", "%s\\n"], &["a template needs a field in braces", "there are time, unix"]);
}

#[test]
fn json_option_with_text_names_output() {
    check(&["req", AT, "-d", "hello", "--json"], &["--data number 1: not JSON", "-O json"]);
    let named = check(&["req", AT, "-d", "hello", "-I", "json"], &["--data number 1: not JSON"]);
    assert!(!named.contains("-O json"), "{named}");
}
