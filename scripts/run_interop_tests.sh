#!/usr/bin/env bash
# Runs the interop examples, then the interop tests, against libzmq (built by the `zmq` crate) and pyzmq. Nothing is
# skipped: what is missing is installed, or this fails. See docs/contributing/interop.md.
# Further arguments go to the tests: scripts/run_interop_tests.sh many_peers::
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# libzmq is built from source, with nothing but a C++ compiler.
if ! command -v c++ >/dev/null; then
    scripts/apt_install.sh g++
fi

MONOCOQUE_PYTHON="$(scripts/pyzmq_env.sh)"
export MONOCOQUE_PYTHON

for example in examples/interop_*.rs; do
    name="$(basename "$example" .rs)"
    echo "== $name"
    cargo build --quiet --package monocoque-interop --example "$name"
    timeout 60 cargo run --quiet --package monocoque-interop --example "$name"
done

cargo test --package monocoque-interop --test interop -- --include-ignored "$@"
