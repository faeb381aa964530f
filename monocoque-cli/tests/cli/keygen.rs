//! `mq keygen`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use monocoque::security::{CurvePublicKey, CurveSecretKey};

use crate::mq_process::{TestDirectory, run};

/// Checks that two texts are a key pair.
#[track_caller]
fn check_pair(public: &str, secret: &str) {
    let public: CurvePublicKey = public.parse().expect("a public key");
    let secret: CurveSecretKey = secret.parse().expect("a secret key");
    assert_eq!(secret.public_key(), public);
}

fn mode(path: &str) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn keygen_output_is_key_pair() {
    let text = run(&["keygen"], "").text();
    let lines: Vec<_> = text.lines().collect();
    let [public, secret] = lines[..] else { panic!("{text}") };
    check_pair(public.strip_prefix("public: ").unwrap(), secret.strip_prefix("secret: ").unwrap());
    assert_ne!(run(&["keygen"], "").text(), text, "every pair is new");
}

#[test]
fn keygen_json_is_key_pair() {
    let text = run(&["keygen", "-O", "json"], "").text();
    let keys: serde_json::Value = serde_json::from_str(&text).unwrap();
    check_pair(keys["public"].as_str().unwrap(), keys["secret"].as_str().unwrap());
}

#[test]
fn keygen_files_are_key_pair() {
    let directory = TestDirectory::new();
    let [out, public, secret] = ["server.1", "server.1.pub", "server.1.key"].map(|name| directory.path(name));
    let printed = run(&["keygen", "--out", &out], "").text();
    let [public_text, secret_text] = [&public, &secret].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(printed, public_text, "the secret key is not printed");
    check_pair(public_text.strip_suffix('\n').unwrap(), secret_text.strip_suffix('\n').unwrap());
    assert_eq!(mode(&secret), 0o600);
    let names = fs::read_dir(directory.path("")).unwrap().count();
    assert_eq!(names, 2, "no other file is left");

    let printed = run(&["keygen", "--out", &directory.path("json"), "-O", "json"], "").text();
    let public = fs::read_to_string(directory.path("json.pub")).unwrap();
    assert_eq!(printed, format!("{{\"public\":\"{}\"}}\n", public.trim_end()));
}

#[test]
fn keygen_keeps_existing_files() {
    for existing in ["keys.key", "keys.pub"] {
        let directory = TestDirectory::new();
        fs::write(directory.path(existing), "precious").unwrap();
        run(&["keygen", "--out", &directory.path("keys")], "")
            .failed(1, &format!("{existing} exists already; --force replaces it"));
        assert_eq!(fs::read_to_string(directory.path(existing)).unwrap(), "precious");
        assert_eq!(fs::read_dir(directory.path("")).unwrap().count(), 1, "the other is not written");
    }
}

#[test]
fn keygen_force_replaces_files() {
    let directory = TestDirectory::new();
    let [out, secret, other] = ["keys", "keys.key", "other"].map(|name| directory.path(name));
    fs::write(&other, "precious").unwrap();
    fs::set_permissions(&other, Permissions::from_mode(0o644)).unwrap();
    symlink(&other, &secret).unwrap();
    let printed = run(&["keygen", "--out", &out, "--force"], "").text();
    check_pair(printed.trim_end(), fs::read_to_string(&secret).unwrap().trim_end());
    assert_eq!(mode(&secret), 0o600);
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious", "a link is replaced, not followed");
    assert_ne!(run(&["keygen", "--out", &out, "--force"], "").text(), printed);
}

#[test]
fn keygen_force_failure_keeps_files() {
    for (directory_name, file_name) in [("keys.key", "keys.pub"), ("keys.pub", "keys.key")] {
        let directory = TestDirectory::new();
        let [in_the_way, file] = [directory_name, file_name].map(|name| directory.path(name));
        fs::create_dir(&in_the_way).unwrap();
        fs::write(&file, "precious").unwrap();
        run(&["keygen", "--out", &directory.path("keys"), "--force"], "")
            .failed(1, &format!("cannot write {in_the_way}"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert_eq!(fs::read_dir(directory.path("")).unwrap().count(), 2, "no other file is left");
    }
}

#[test]
fn keygen_force_failure_writes_none() {
    let directory = TestDirectory::new();
    fs::create_dir(directory.path("keys.key")).unwrap();
    run(&["keygen", "--out", &directory.path("keys"), "--force"], "").failed(1, "keys.key: ");
    assert_eq!(fs::read_dir(directory.path("")).unwrap().count(), 1, "the public key is not left");
}

#[test]
fn invalid_keygen_arguments_are_rejected() {
    let directory = TestDirectory::new();
    run(&["keygen", "--force"], "").failed(2, "--out <PATH>");
    run(&["keygen", "--out", "/"], "").failed(2, "the name of a file is missing");
    let nowhere = directory.path("missing/keys");
    let ended = run(&["keygen", "--out", &nowhere], "");
    let reason = "No such file or directory (os error 2)";
    assert_eq!(ended.stderr, format!("mq: cannot write {nowhere}.pub: {reason}\n"));
    ended.failed(1, "");
    for end in ["key", "pub"] {
        let (name, out) = (directory.path("server.1"), directory.path(&format!("server.1.{end}")));
        run(&["keygen", "--out", &out], "").failed(2, &format!("--out {name} writes {name}.key"));
    }
    assert_eq!(fs::read_dir(directory.path("")).unwrap().count(), 0);
}
