#!/usr/bin/env bash
# Runs the unit tests of monocoque-core, the one crate with unsafe code, under AddressSanitizer.
# Needs the nightly toolchain. Further arguments go to the tests: scripts/asan.sh alloc::
set -euo pipefail

nightly=${NIGHTLY:-nightly}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-unknown-linux-gnu

if ! cargo "+$nightly" --version >/dev/null 2>&1; then
    echo "asan: the nightly toolchain is missing; install it with: rustup toolchain install nightly" >&2
    exit 1
fi

# A target of its own keeps build scripts and macros free of the sanitizer, a directory of its own the usual artefacts.
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}"
exec cargo "+$nightly" test -p monocoque-zmq-core --lib --target "$target" --target-dir target/asan -- "$@"
