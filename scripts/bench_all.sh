#!/usr/bin/env bash
# Runs all benchmarks that take time, one after the other: Monocoque and libzmq side by side, which takes about half an hour
# and wants a machine that does nothing else. scripts/analyze_benchmarks.py makes tables and plots of the figures.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The libzmq to compare with is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
cargo bench -p monocoque-bench --features zmq --no-fail-fast
echo "The figures are in target/compare.json, target/memory.json and ${CARGO_TARGET_DIR:-target}/criterion."
echo "scripts/analyze_benchmarks.py makes tables and plots of them."
