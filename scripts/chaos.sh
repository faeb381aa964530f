#!/usr/bin/env bash
# The chaos test in its full form. See docs/TESTING.md.
#   scripts/chaos.sh [SECONDS, default 60] [ARGUMENTS OF CARGO, such as --release]
# SEED repeats what is decided by chance.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds="${1:-60}"
shift || true
# libzmq is built from source.
command -v c++ >/dev/null || scripts/apt_install.sh g++
CHAOS_SECONDS="$seconds" exec cargo test "$@" --package monocoque --all-features --test chaos -- --nocapture
