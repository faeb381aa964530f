//! The Python interpreter of pyzmq peers.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

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
