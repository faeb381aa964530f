#!/usr/bin/env bash
# Counts the instructions of the hot paths and compares them with benches/instructions.json: fails if an operation takes
# over 10 % more than is said there. Takes seconds, once everything is built; other programs do not disturb it.
#   scripts/instructions.sh             compares
#   scripts/instructions.sh --write     makes the counts of today those to compare with
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind >/dev/null || scripts/apt_install.sh valgrind

# The runner has to be of the version of the library; where it is there already, this does nothing.
tools="${CARGO_TARGET_DIR:-$PWD/target}/tools"
version=$(awk '$3 == "\"gungraun\"" { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)
cargo install --quiet --locked --root "$tools" "gungraun-runner@$version"

GUNGRAUN_RUNNER="$tools/bin/gungraun-runner" cargo bench -p monocoque-bench --bench instructions -- --output-format=json |
    scripts/compare_instructions.py "$@"
