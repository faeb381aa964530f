#!/usr/bin/env bash
# Runs all tests: those of the crates, their documentation's examples, and the exchange with libzmq and pyzmq.
# Installs what is missing for that.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/prerequisites.sh
cargo test --workspace --all-features
scripts/run_interop_tests.sh
