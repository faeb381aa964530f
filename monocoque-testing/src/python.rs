//! Peers of pyzmq, and their Python interpreter.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Starts a script that has a socket of pyzmq. It can import what lies in `python`. Returns the
/// process, and the lines that it prints.
pub fn start_python_peer(
    script: &Path,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> (Child, impl Iterator<Item = String>) {
    let inherited = std::env::var_os("PYTHONPATH");
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python");
    let paths =
        std::env::join_paths(std::iter::once(ours).chain(inherited.iter().flat_map(std::env::split_paths)));
    let mut child = Command::new(python())
        .env("PYTHONPATH", paths.expect("no colon in a path"))
        // No compiled files among the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let stdout = child.stdout.take().expect("piped");
    (child, BufReader::new(stdout).lines().map_while(Result::ok))
}

/// Returns a Python with pyzmq: `MONOCOQUE_PYTHON`, or else `python3`. Panics if it cannot import
/// `zmq`.
pub fn python() -> &'static OsString {
    static PYTHON: OnceLock<OsString> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let python = std::env::var_os("MONOCOQUE_PYTHON").unwrap_or_else(|| "python3".into());
        let import = Command::new(&python).args(["-c", "import zmq"]).stderr(Stdio::null()).status();
        assert!(
            import.is_ok_and(|status| status.success()),
            "{} cannot import zmq: run scripts/run_interop_tests.sh, or set MONOCOQUE_PYTHON to what \
             scripts/pyzmq_env.sh prints",
            python.display()
        );
        python
    })
}
