#!/usr/bin/env bash
# Runs all tests: those of the crates, the examples in their documentation, and the exchange with libzmq and pyzmq.
# Installs what is missing for that: a C++ compiler and, in an environment under target/, pyzmq.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The libzmq that the tests talk to is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
MONOCOQUE_PYTHON="$(scripts/pyzmq_env.sh)"
export MONOCOQUE_PYTHON

# Always the whole workspace, so that each crate is built once.
tests() { cargo test --workspace --all-features "$@"; }

# All but the examples, which scripts/examples.sh builds and runs.
tests --lib --bins --tests
tests --doc
# Those with pyzmq.
tests --test interop --test cli -- --ignored
# With an /etc/hosts of its own.
unshare --map-root-user --mount cargo test --workspace --all-features --test dns -- --ignored
