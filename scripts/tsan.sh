#!/usr/bin/env bash
# Runs the tests that use threads under ThreadSanitizer, with a standard library that is built for it too: else its own
# synchronisation would not be seen. Needs the nightly toolchain with its component rust-src.
# Further arguments go to the tests: scripts/tsan.sh many_tasks
set -euo pipefail

nightly=${NIGHTLY:-nightly}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-unknown-linux-gnu

if ! sysroot=$(rustc "+$nightly" --print sysroot 2>/dev/null) || [[ ! -d $sysroot/lib/rustlib/src/rust/library ]]; then
    echo "tsan: install what is missing with: rustup toolchain install nightly --component rust-src" >&2
    exit 1
fi
# A target of its own keeps build scripts and macros free of the sanitizer, a directory of its own the usual artefacts.
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=thread"
# All of it is some ten times as slow: the deadlines of the tests are to be longer.
export MONOCOQUE_SLOW=1
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1 second_deadlock_stack=1}"
tsan() { cargo "+$nightly" test -Zbuild-std --target "$target" --target-dir target/tsan "$@"; }

tsan -p monocoque-zmq-core --lib --tests -- "$@"
tsan -p monocoque-zmq --all-features --lib --tests -- "$@"
