#!/usr/bin/env bash
# Runs all benchmarks: Monocoque and libzmq side by side, which takes about a quarter of an hour and wants a machine that
# does nothing else. scripts/analyze_benchmarks.py makes tables and plots of the figures.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The libzmq to compare with is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
cargo bench --workspace --all-features
echo "The figures are in target/compare.json."
